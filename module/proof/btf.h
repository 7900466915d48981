/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading BTF, the description of types that a kernel and its modules carry.
 *
 * This compiles in the kernel and in programs: it needs memory that the caller has, and nothing
 * else. A module's types are numbered behind vmlinux's, and so are its strings: both parts make one
 * struct kvmw_btf. Nothing in the data is believed: an index that leads outside is no type.
 */
#ifndef KVMW_PROOF_BTF_H
#define KVMW_PROOF_BTF_H

#include "proof/base.h"

enum kvmw_btf_kind {
	KVMW_BTF_VOID, KVMW_BTF_INT, KVMW_BTF_PTR, KVMW_BTF_ARRAY, KVMW_BTF_STRUCT,
	KVMW_BTF_UNION, KVMW_BTF_ENUM, KVMW_BTF_FWD, KVMW_BTF_TYPEDEF, KVMW_BTF_VOLATILE,
	KVMW_BTF_CONST, KVMW_BTF_RESTRICT, KVMW_BTF_FUNC, KVMW_BTF_FUNC_PROTO, KVMW_BTF_VAR,
	KVMW_BTF_DATASEC, KVMW_BTF_FLOAT, KVMW_BTF_DECL_TAG, KVMW_BTF_TYPE_TAG,
	KVMW_BTF_ENUM64, KVMW_BTF_NR_KINDS
};

/* vmlinux's part, or that of one module */
struct kvmw_btf_part {
	const __u8	*types;
	__u32		types_size;
	const char	*strings;
	__u32		strings_size;
	__u32		nr;		/* types, without void */
	__u32		*marks;		/* where each 16th type is; the caller's */
};

struct kvmw_btf {
	struct kvmw_btf_part base, split;
};

/* A type; numbers mean what they mean for its kind. */
struct kvmw_btf_type {
	const char	*name;		/* never NULL */
	__u32		kind;
	__u32		count;		/* members, parameters, values */
	bool		flag;		/* bit fields; a union, of what is only declared */
	__u32		size_or_type;
	const __u8	*more;		/* what stands behind it */
};

/* Look at a part: false if it is none. */
bool kvmw_btf_part(struct kvmw_btf_part *part, const void *data, size_t size);

/* How many numbers @part->marks needs room for, before kvmw_btf_index(). */
size_t kvmw_btf_marks(const struct kvmw_btf_part *part);

/*
 * Go through both parts, once. NULL, or what is wrong: each name of the second part must be a whole
 * one, and each type there. Those that were made with another vmlinux are not.
 */
const char *kvmw_btf_index(struct kvmw_btf *btf);

/* False: there is no such type. */
bool kvmw_btf_get(const struct kvmw_btf *btf, __u32 id, struct kvmw_btf_type *type);

/* Types that are looked for, all in one go. */
struct kvmw_btf_wanted {
	__u32		kind;
	const char	*name;
	__u32		id;		/* 0: there is none */
};

/*
 * Find the first type of each kind and name that has no @id yet: in the second part, or else in the
 * first. kvm.ko has its own of a structure that vmlinux has only declared, or has with other
 * members.
 */
void kvmw_btf_find(const struct kvmw_btf *btf, struct kvmw_btf_wanted *wanted, size_t nr);

/* The next type of that kind in the second part, from @id on; 0: there is none. */
__u32 kvmw_btf_next(const struct kvmw_btf *btf, __u32 kind, __u32 id,
		    struct kvmw_btf_type *type);

/* A type as it stands in C, without const: "struct kvm *", "gfn_t". Cut when it does not fit. */
void kvmw_btf_print_type(const struct kvmw_btf *btf, __u32 id, char *buf, size_t size);

/* The structure that the first parameter of a function points to, or 0. */
__u32 kvmw_btf_first_structure(const struct kvmw_btf *btf, __u32 id);

/* "void f(struct kvm *kvm, gfn_t gfn)" of a function or of the prototype of one */
void kvmw_btf_print_function(const struct kvmw_btf *btf, __u32 id, char *buf, size_t size);

/*
 * Is it of the type "void (struct kvm *kvm, gfn_t gfn)"? "?" in front: whatever it returns. "..."
 * at the end: there may be more parameters. Those of events have no names. @skip: so many at the
 * beginning are not looked at.
 */
bool kvmw_btf_is_function(const struct kvmw_btf *btf, __u32 id, const char *prototype,
			  unsigned int skip);

/* Where a member is, in bits, and how many bytes its type has; 0: unknown. */
struct kvmw_btf_member {
	__u32		bit;
	__u32		size;
	__u32		type;
};

/* Members of members without a name are members, as in C. False: there is none. */
bool kvmw_btf_member(const struct kvmw_btf *btf, __u32 id, const char *name,
		     struct kvmw_btf_member *member);

#endif /* KVMW_PROOF_BTF_H */
