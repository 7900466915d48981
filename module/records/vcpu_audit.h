/* SPDX-License-Identifier: GPL-2.0 */
/* Audits of what is counted for vCPUs: exits, halts, loads. See vcpu_audit.c. */
#ifndef KVMW_VCPU_AUDIT_H
#define KVMW_VCPU_AUDIT_H

#include <linux/types.h>

struct kvm_vcpu;
struct kvmw_vcpu;
struct kvmw_vm;
struct seq_file;

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
 * @tells:	what they told about ours then (enum tells); all 0 before
 */
struct kvmw_vcpu_audit {
	struct kvmw_pair_bounds	pairs[KVMW_NR_PAIRS];
	u64			others[KVMW_NR_PAIRS];
	u8			tells[KVMW_NR_PAIRS];
};

/* A vCPU comes: KVM has counted nothing yet, nor have we. Context: hit. */
void kvmw_vcpu_audit_begin(struct kvmw_vcpu *vcpu);

/* A vCPU goes, and does not run any more. Context: hit. */
void kvmw_vcpu_audit_end(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu);

/*
 * Compare what is counted for a VM's vCPUs with what KVM counts. False: something differs; then
 * the statistics that it is about are withdrawn for good. Context: task, house_lock held.
 */
bool kvmw_vcpus_audit(struct kvmw_vm *vm);

/*
 * Compare what a vCPU that is gone had at its end. What comes of it is in vm->ends_compared and
 * vm->ends_differ. Context: task, house_lock and vm->lock held.
 */
void kvmw_vcpu_audit_last(struct kvmw_vcpu *vcpu);

/* What is compared here, and what not and why, for the file hooks. */
void kvmw_vcpu_audit_describe(struct seq_file *m);

#endif /* KVMW_VCPU_AUDIT_H */
