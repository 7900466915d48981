/* SPDX-License-Identifier: GPL-2.0 */
/* What audits remember of a vCPU's exits, halts and loads. See tasks/audit_vcpus.c. */
#ifndef KVMW_VCPU_AUDIT_H
#define KVMW_VCPU_AUDIT_H

#include <linux/types.h>

/* Pairs of counts that audits compare: one of ours, and another count that bounds it. */
enum kvmw_pair {
	KVMW_PAIR_EXITS,
	KVMW_PAIR_WAITS,	/* halts that blocked; on 5.10 all halts */
	KVMW_PAIR_POLLS,	/* halts that ended while polling */
	KVMW_PAIR_LOADS,
	KVMW_NR_PAIRS
};

/**
 * struct kvmw_pair_bounds - bounds of the difference of a pair
 * @low:	while the vCPU does not run, the other count minus ours is at least this
 * @high:	and at most this
 * @ours:	our count at the last audit
 * @known:	the other members are valid
 */
struct kvmw_pair_bounds {
	s64	low, high;
	u64	ours;
	bool	known;
};

/**
 * struct kvmw_vcpu_audit - what audits remember of a vCPU
 * @pairs:	bounds from earlier audits; under house_lock
 * @others:	the other counts when KVM was about to free the vCPU
 * @tells:	what @others say about our counts (enum kvmw_tells); all 0 until then
 */
struct kvmw_vcpu_audit {
	struct kvmw_pair_bounds	pairs[KVMW_NR_PAIRS];
	u64			others[KVMW_NR_PAIRS];
	u8			tells[KVMW_NR_PAIRS];
};

#endif /* KVMW_VCPU_AUDIT_H */
