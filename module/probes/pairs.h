/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is counted for a vCPU, each count with another beside it that grows when ours does. Audits
 * compare the two: see tasks/audit_vcpus.c.
 *
 * Each of our counts is paired with another, which grows when ours does:
 *
 *	exits	KVM's exits on SVM. On VMX KVM also counts entries that it did not make or that
 *		failed, without an event, and 5.10 counts some exits that it traces not at all. So
 *		there it is the exits that KVM counts one by one for their reason, for interrupts
 *		and I/O: ours are not fewer.
 *	waits	the halts in KVM's histogram of waits. 5.10 has none: there all our halts are not
 *		fewer than those that KVM tried to poll in.
 *	polls	the halts that KVM counts as a poll that succeeded: ours are not fewer, as we also
 *		count those that neither polled nor waited.
 *	loads	KVM counts none: our own count of puts.
 */
#ifndef KVMW_PAIRS_H
#define KVMW_PAIRS_H

#include <linux/types.h>

#include "records/vcpu_audit.h"

struct kvm_vcpu;
struct kvmw_vcpu;
struct kvmw_vm;

/* How much the other count tells about ours. */
enum kvmw_tells {
	KVMW_TELLS_NOTHING,
	KVMW_TELLS_LEAST,	/* ours are not fewer */
	KVMW_TELLS_ALL,	/* ours are as many */
};

struct kvmw_pair_row {
	const char	*name;
	u64		hooks;
	u64		need;		/* of the statistics that are wrong if it is: KVMW_NEED_* */
	bool		kvms;		/* the other count is KVM's, so it can be set to 0 */
};

extern const struct kvmw_pair_row kvmw_pairs[KVMW_NR_PAIRS];

/* How much the other count of a pair tells. NULL: of a usual vCPU. */
enum kvmw_tells kvmw_pair_tells(enum kvmw_pair pair, const struct kvm_vcpu *kvcpu);
/* What can be compared now: all that it needs was there all the time. Context: any. */
void kvmw_pairs_tell(const struct kvmw_vm *vm, const struct kvm_vcpu *kvcpu,
		     u8 note[KVMW_NR_PAIRS]);

void kvmw_pairs_ours(const struct kvmw_vcpu *vcpu, u64 ours[KVMW_NR_PAIRS]);
void kvmw_pairs_others(const struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu,
		       u64 others[KVMW_NR_PAIRS]);

/* A vCPU comes: KVM has counted nothing yet, nor have we. Context: hit. */
void kvmw_pairs_begin(struct kvmw_vcpu *vcpu);
/* A vCPU goes, and does not run any more. Context: hit. */
void kvmw_pairs_end(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu);

#endif /* KVMW_PAIRS_H */
