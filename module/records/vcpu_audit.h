/* SPDX-License-Identifier: GPL-2.0 */
/* What audits of vCPUs know of one: of its exits, halts and loads. See tasks/audit_vcpus.c. */
#ifndef KVMW_VCPU_AUDIT_H
#define KVMW_VCPU_AUDIT_H

#include <linux/types.h>

/* What is compared: each of our counts has one beside it that tells how large it must be. */
enum kvmw_pair {
	KVMW_PAIR_EXITS,
	KVMW_PAIR_WAITS,	/* halts that blocked; on 5.10 all halts */
	KVMW_PAIR_POLLS,	/* halts that ended while polling */
	KVMW_PAIR_LOADS,
	KVMW_NR_PAIRS
};

/**
 * struct kvmw_pair_bounds - what audits know of a pair
 * @low:	the other count minus ours, in a vCPU that stands still, is this at least
 * @high:	and this at most
 * @ours:	our count when it was last looked at
 * @known:	all that means something
 */
struct kvmw_pair_bounds {
	s64	low, high;
	u64	ours;
	bool	known;
};

/**
 * struct kvmw_vcpu_audit - what audits know of a vCPU
 * @pairs:	under house_lock
 * @others:	the other counts when KVM was about to free the vCPU
 * @tells:	what they told about ours then (enum kvmw_tells); all 0 before
 */
struct kvmw_vcpu_audit {
	struct kvmw_pair_bounds	pairs[KVMW_NR_PAIRS];
	u64			others[KVMW_NR_PAIRS];
	u8			tells[KVMW_NR_PAIRS];
};

#endif /* KVMW_VCPU_AUDIT_H */
