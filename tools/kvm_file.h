/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A kvm.ko as a file, packed or not, and vmlinux's types: what "kvmwatch check" reads. Nothing is
 * believed of what is in them.
 */
#ifndef KVMWATCH_KVM_FILE_H
#define KVMWATCH_KVM_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "proof/btf.h"
#include "proof/code.h"

struct blob {
	void *data;
	size_t size;
};

struct kvm_symbol {
	const char *name;
	unsigned long address;
	size_t size;
	bool function;		/* in code; else only known to be there */
};

/**
 * struct kvm_file - a kvm.ko
 * @release:	of the kernel that it belongs to
 * @code:	its sections with code, each at an address of its own, calls among them resolved
 * @nr_code:	how many
 * @symbols:	by address; functions, and data without one
 * @nr_symbols:	how many
 * @sites:	where functions begin with a site of ftrace's, sorted
 * @nr_sites:	how many
 * @types:	BTF; data NULL: it has none
 */
struct kvm_file {
	char release[128];
	struct kvmw_code *code;
	size_t nr_code;
	struct kvm_symbol *symbols;
	size_t nr_symbols;
	unsigned long *sites;
	size_t nr_sites;
	struct blob types;
	/* What all of it points into */
	struct blob file;
	struct Elf *elf;
};

/*
 * Read a file whole, and unpack it: a module, a vmlinux, a vmlinuz. NULL, or what is wrong. @what
 * is to be freed by blob_free() in either case.
 */
const char *blob_read(struct blob *what, const char *path);
void blob_free(struct blob *what);

/* NULL, or what is wrong. @kvm is to be freed in either case. */
const char *kvm_file_read(struct kvm_file *kvm, const char *path);
void kvm_file_free(struct kvm_file *kvm);

/* Vmlinux's types: from its image, as /boot has it, from vmlinux, or from BTF alone. As above. */
const char *vmlinux_types_read(struct blob *types, const char *path);

/* A function of exactly that name; NULL: there is none, or more than one (@several). */
const struct kvm_symbol *kvm_file_function(const struct kvm_file *kvm, const char *name,
					   bool *several);
bool kvm_file_has(const struct kvm_file *kvm, const char *name);
/* The function that an address is in; NULL: unknown. */
const struct kvm_symbol *kvm_file_owner(const struct kvm_file *kvm, unsigned long address);
/* Does the function begin with a site of ftrace's? */
bool kvm_file_traced(const struct kvm_file *kvm, const struct kvm_symbol *function);

#endif /* KVMWATCH_KVM_FILE_H */
