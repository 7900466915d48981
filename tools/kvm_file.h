/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that "kvmwatch check" reads: a kvm.ko, compressed or not, and the types of vmlinux. Their
 * contents are not trusted.
 */
#ifndef KVMWATCH_KVM_FILE_H
#define KVMWATCH_KVM_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "proof/btf.h"
#include "proof/code.h"
#include "proof/symbols.h"

struct blob {
	void *data;
	size_t size;
};

/**
 * struct kvm_file - a kvm.ko
 * @release:	release of its kernel
 * @code:	its sections with code, each at an address of its own, with resolved calls
 * @nr_code:	number of @code
 * @symbols:	functions, sorted by address, and data, which has no address here
 * @sites:	addresses of functions that begin with an ftrace site, sorted
 * @nr_sites:	number of @sites
 * @types:	BTF; data NULL: the module has none
 */
struct kvm_file {
	char release[128];
	struct kvmw_code *code;
	size_t nr_code;
	struct kvmw_symbols symbols;
	unsigned long *sites;
	size_t nr_sites;
	struct blob types;
	/* All members above point into these */
	struct blob file;
	struct Elf *elf;
};

/*
 * Read a whole file and unpack it: a module, a vmlinux or a vmlinuz. Returns NULL, or a message.
 * Free @what with blob_free() in either case.
 */
const char *blob_read(struct blob *what, const char *path);
void blob_free(struct blob *what);

/* Read a kvm.ko. Returns NULL, or a message. Free @kvm in either case. */
const char *kvm_file_read(struct kvm_file *kvm, const char *path);
void kvm_file_free(struct kvm_file *kvm);

/* Read the types of a vmlinux: from an image in /boot, from vmlinux, or from BTF. As above. */
const char *vmlinux_types_read(struct blob *types, const char *path);

/* Does the function of that name begin with an ftrace site? */
bool kvm_file_traced(const struct kvm_file *kvm, const char *function);

#endif /* KVMWATCH_KVM_FILE_H */
