/* SPDX-License-Identifier: GPL-2.0 */
/* Types that the kernel and KVM share; see kvm.c. */
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long long __u64;
typedef unsigned int __u32;
typedef u64 gfn_t;
typedef u64 kvm_pfn_t;
typedef _Bool bool;
typedef struct {
	long counter;
} atomic64_t;

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};
