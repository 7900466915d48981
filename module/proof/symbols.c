// SPDX-License-Identifier: GPL-2.0
/* The symbols of a kvm.ko. See symbols.h. */
#include "proof/symbols.h"

static __u32 chain_of(const char *name)
{
	__u32 hash = 0;

	for (; *name && *name != '.'; name++)
		hash = hash * 31 + (unsigned char)*name;
	return (hash ^ hash >> 10) % KVMW_SYMBOL_CHAINS;
}

void kvmw_symbols_index(struct kvmw_symbols *symbols)
{
	__u32 i, *first;

	memset(symbols->first, 0, sizeof(symbols->first));
	/* Backwards, so that each chain is in their order. */
	for (i = symbols->nr; i--;) {
		first = &symbols->first[chain_of(symbols->all[i].name)];
		symbols->next[i] = *first;
		*first = i + 1;
	}
}

static const struct kvmw_symbol *behind(const struct kvmw_symbols *symbols, __u32 number)
{
	return number ? &symbols->all[number - 1] : NULL;
}

static const struct kvmw_symbol *first_of(const struct kvmw_symbols *symbols, const char *name)
{
	return behind(symbols, symbols->first[chain_of(name)]);
}

static const struct kvmw_symbol *next_of(const struct kvmw_symbols *symbols,
					 const struct kvmw_symbol *symbol)
{
	return behind(symbols, symbols->next[symbol - symbols->all]);
}

const struct kvmw_symbol *kvmw_symbols_find(const struct kvmw_symbols *symbols, const char *name)
{
	const struct kvmw_symbol *symbol;

	for (symbol = first_of(symbols, name); symbol; symbol = next_of(symbols, symbol))
		if (!strcmp(symbol->name, name))
			return symbol;
	return NULL;
}

const struct kvmw_symbol *kvmw_symbols_function(const struct kvmw_symbols *symbols,
						const char *name, bool *several)
{
	const struct kvmw_symbol *symbol, *found = NULL;

	*several = false;
	for (symbol = first_of(symbols, name); symbol; symbol = next_of(symbols, symbol)) {
		if (!symbol->function || strcmp(symbol->name, name))
			continue;
		*several |= !!found;
		found = symbol;
	}
	return *several ? NULL : found;
}

/*
 * Of a name there may be "NAME.part.0", ".isra.0", ".constprop.0" (gcc), ".llvm.123",
 * ".specialized.1" (clang) and what other compilers think of.
 */
const struct kvmw_symbol *kvmw_symbols_clone(const struct kvmw_symbols *symbols, const char *name,
					     const char *known)
{
	const struct kvmw_symbol *symbol;
	size_t length = strlen(name);

	for (symbol = first_of(symbols, name); symbol; symbol = next_of(symbols, symbol)) {
		/* Its unlikely part is a part of it. */
		if (!symbol->function || strncmp(symbol->name, name, length) ||
		    symbol->name[length] != '.' || strstr(symbol->name + length, ".cold") ||
		    (known && !strcmp(symbol->name, known)))
			continue;
		return symbol;
	}
	return NULL;
}

const struct kvmw_symbol *kvmw_symbols_at(const struct kvmw_symbols *symbols,
					  unsigned long address)
{
	__u32 i;

	for (i = 0; i < symbols->nr; i++)
		if (symbols->all[i].function && kvmw_symbol_has(&symbols->all[i], address))
			return &symbols->all[i];
	return NULL;
}
