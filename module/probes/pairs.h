/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pairs of counts of a vCPU. Each of our counts is paired with another, which grows when ours does.
 * Audits compare the two: see tasks/audit_vcpus.c.
 *
 *	exits	On SVM, KVM's exits. On VMX KVM also counts entries that it skipped or that
 *		failed, without an event, and 5.10 has no event of some exits. So there the other
 *		count is that of exits for interrupts and I/O, which KVM counts where it handles
 *		them. Ours is at least that. So it is for VMs with an MSR filter on 5.10.
 *	waits	The halts in KVM's histogram of waits. 5.10 has no histogram: there the other count
 *		is the halts in which KVM tried to poll. All our halts are at least that many.
 *	polls	The halts that KVM counts as successful polls. Ours is at least that, as it
 *		includes halts that neither polled nor waited.
 *	loads	KVM does not count loads. The other count is that of our puts.
 */
#ifndef KVMW_PAIRS_H
#define KVMW_PAIRS_H

#include <linux/types.h>

#include "records/vcpu_audit.h"

struct kvm_vcpu;
struct kvmw_vcpu;
struct kvmw_vm;

/* What the other count says about ours. */
enum kvmw_tells {
	KVMW_TELLS_NOTHING,
	KVMW_TELLS_LEAST,	/* a lower bound */
	KVMW_TELLS_ALL,	/* the exact number */
};

struct kvmw_pair_row {
	const char	*name;
	u64		hooks;
	u64		need;		/* KVMW_NEED_* of the statistics that depend on it */
	bool		kvms;		/* the other count is KVM's, and can be reset to 0 */
};

extern const struct kvmw_pair_row kvmw_pairs[KVMW_NR_PAIRS];

/* What the other count of a pair says. @kvcpu NULL: for an ordinary vCPU. */
enum kvmw_tells kvmw_pair_tells(enum kvmw_pair pair, const struct kvm_vcpu *kvcpu);
/*
 * The same for all pairs, or KVMW_TELLS_NOTHING where a hook was off for some of the VM's life, or
 * an audit has refuted our count. Context: any.
 */
void kvmw_pairs_tell(const struct kvmw_vm *vm, const struct kvm_vcpu *kvcpu,
		     u8 note[KVMW_NR_PAIRS]);

void kvmw_pairs_ours(const struct kvmw_vcpu *vcpu, u64 ours[KVMW_NR_PAIRS]);
void kvmw_pairs_others(const struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu,
		       u64 others[KVMW_NR_PAIRS]);

/* KVM creates a vCPU: all counts are 0, ours and the others. Context: hit. */
void kvmw_pairs_begin(struct kvmw_vcpu *vcpu);
/* KVM frees a vCPU, which does not run any more: remember the other counts. Context: hit. */
void kvmw_pairs_end(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu);

#endif /* KVMW_PAIRS_H */
