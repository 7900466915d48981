/* SPDX-License-Identifier: GPL-2.0 */
/* The symbols of a kvm.ko, by name. The caller has the memory. */
#ifndef KVMW_PROOF_SYMBOLS_H
#define KVMW_PROOF_SYMBOLS_H

#include "proof/base.h"

struct kvmw_symbol {
	const char	*name;
	unsigned long	address;
	__u32		size;
	__u32		type;		/* 0; see judge.c */
	bool		function;	/* in code; else only known to be there */
};

#define KVMW_SYMBOL_CHAINS	1024

struct kvmw_symbols {
	struct kvmw_symbol	*all;
	__u32			*next;	/* as many: the next one of its chain, + 1; 0: none */
	__u32			nr;
	/* By the name up to the first dot: what the compiler made of a function is in its chain. */
	__u32			first[KVMW_SYMBOL_CHAINS];
};

/* When all are there. */
void kvmw_symbols_index(struct kvmw_symbols *symbols);

/* Of exactly that name; NULL: there is none. */
const struct kvmw_symbol *kvmw_symbols_find(const struct kvmw_symbols *symbols, const char *name);

/* A function of exactly that name; NULL: there is none, or more than one (@several). */
const struct kvmw_symbol *kvmw_symbols_function(const struct kvmw_symbols *symbols,
						const char *name, bool *several);

/*
 * What the compiler made of a function, besides it or instead, but for the one of the name @known,
 * which may be NULL. NULL: nothing.
 */
const struct kvmw_symbol *kvmw_symbols_clone(const struct kvmw_symbols *symbols, const char *name,
					     const char *known);

/* The function that an address is in, by whichever of its names; NULL: unknown. */
const struct kvmw_symbol *kvmw_symbols_at(const struct kvmw_symbols *symbols,
					  unsigned long address);

static inline bool kvmw_symbol_has(const struct kvmw_symbol *symbol, unsigned long address)
{
	return address - symbol->address < symbol->size;
}

#endif /* KVMW_PROOF_SYMBOLS_H */
