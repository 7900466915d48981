/* SPDX-License-Identifier: GPL-2.0 */
/* Look up the record of a vCPU in a hit. */
#ifndef KVMW_VCPU_HIT_H
#define KVMW_VCPU_HIT_H

#include <linux/compiler.h>
#include <linux/kvm_host.h>
#include <linux/sched.h>

#include "records/cpu.h"
#include "records/lost.h"
#include "records/record.h"
#include "records/table.h"

/* A cached record is right if its key is this vCPU. That of kvmw_no_vcpu never is. */
static __always_inline bool kvmw_vcpu_is(const struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu)
{
	return likely(kvmw_peek(vcpu->obj.key) == kvcpu);
}

static __always_inline struct kvmw_vcpu *kvmw_vcpu_of(struct kvmw_cpu *c,
						      const struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu = c->last_vcpu;

	if (kvmw_vcpu_is(vcpu, kvcpu))
		return vcpu;
	vcpu = kvmw_vcpu_find(kvcpu);
	if (vcpu)
		c->last_vcpu = vcpu;
	else
		kvmw_lost_of(kvcpu);
	return vcpu;
}

/* The same for an event that happens while the vCPU is loaded here. */
static __always_inline struct kvmw_vcpu *kvmw_vcpu_here(struct kvmw_cpu *c,
							const struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu = c->vcpu;

	if (kvmw_vcpu_is(vcpu, kvcpu))
		return vcpu;
	return kvmw_vcpu_of(c, kvcpu);	/* no hook saw its load */
}

/*
 * Has the current thread loaded the vCPU? Then KVM's preempt notifier of the vCPU is first on the
 * thread's list, and KVM cannot free the vCPU during the hit. This compares addresses only.
 */
static __always_inline bool kvmw_vcpu_loaded_by_current(const struct kvmw_vcpu *vcpu)
{
	const struct kvm_vcpu *kvcpu = READ_ONCE(vcpu->obj.key);

	return current->preempt_notifiers.first == &kvcpu->preempt_notifier.link;
}

/*
 * Total time that the current thread has waited on runqueues; KVM computes steal time from the
 * same. The scheduler updates it when the thread gets a pCPU, before KVM loads the vCPU.
 */
static __always_inline u64 kvmw_waited(void)
{
	return current->sched_info.run_delay;
}

/* Count run delay from now on. Context: the current thread is in KVM_RUN of the vCPU. */
static __always_inline void kvmw_delay_from_here(struct kvmw_vcpu *vcpu)
{
	kvmw_add(vcpu, run_delay_ns, vcpu->delay_seen - vcpu->delay_base);
	vcpu->delay_pid = task_pid(current);
	vcpu->tid = current->pid;
	vcpu->delay_base = kvmw_waited();
	vcpu->delay_seen = vcpu->delay_base;
	vcpu->delay_halted = KVMW_NO_DELAY;
}

/* Number of times that a thread has left its pCPU. */
static __always_inline unsigned long kvmw_switches(const struct task_struct *task)
{
	return task->nvcsw + task->nivcsw;
}

/*
 * The vCPU that the current thread put last: the one that was last put on this pCPU, if this thread
 * put it and has not left the pCPU since. NULL: look it up.
 */
static __always_inline struct kvmw_vcpu *kvmw_vcpu_left(void)
{
	if (likely(__this_cpu_read(kvmw_cpu.leaver) == current &&
		   __this_cpu_read(kvmw_cpu.leaver_switches) == kvmw_switches(current)))
		return __this_cpu_read(kvmw_cpu.leaving);
	return NULL;
}

#endif /* KVMW_VCPU_HIT_H */
