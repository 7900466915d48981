/* SPDX-License-Identifier: GPL-2.0 */
/* From KVM's vCPU, or from the current thread, to the record, inside a hit. */
#ifndef KVMW_VCPU_HIT_H
#define KVMW_VCPU_HIT_H

#include <linux/compiler.h>
#include <linux/kvm_host.h>
#include <linux/sched.h>

#include "records/cpu.h"
#include "records/lost.h"
#include "records/record.h"
#include "records/table.h"

/* A remembered record is right as long as its key is still this vCPU. */
static __always_inline struct kvmw_vcpu *kvmw_vcpu_cached(const struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu = __this_cpu_read(kvmw_cpu.last_vcpu);

	return likely(vcpu && kvmw_peek(vcpu->obj.key) == kvcpu) ? vcpu : NULL;
}

static __always_inline struct kvmw_vcpu *kvmw_vcpu_of(struct kvmw_cpu *c,
						      const struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu = kvmw_vcpu_cached(kvcpu);

	if (likely(vcpu))
		return vcpu;
	vcpu = kvmw_vcpu_find(kvcpu);
	if (vcpu)
		c->last_vcpu = vcpu;
	else
		kvmw_lost_of(kvcpu);
	return vcpu;
}

/* The same of an event that happens while the vCPU is loaded here. */
static __always_inline struct kvmw_vcpu *kvmw_vcpu_here(struct kvmw_cpu *c,
							const struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu = c->vcpu;

	if (likely(vcpu && kvmw_peek(vcpu->obj.key) == kvcpu))
		return vcpu;
	return kvmw_vcpu_of(c, kvcpu);	/* it was loaded before we watched */
}

/*
 * Has the current thread loaded it? Then it carries KVM's notifier of it, as the first of its list,
 * and what KVM has of it stays for the time of the hit. Only addresses are compared.
 */
static __always_inline bool kvmw_vcpu_loaded_by_current(const struct kvmw_vcpu *vcpu)
{
	const struct kvm_vcpu *kvcpu = READ_ONCE(vcpu->obj.key);

	return current->preempt_notifiers.first == &kvcpu->preempt_notifier.link;
}

/* How often a thread has left its pCPU. */
static __always_inline unsigned long kvmw_switches(const struct task_struct *task)
{
	return task->nvcsw + task->nivcsw;
}

/*
 * The vCPU that the current thread was the last to put: the one that was last put here,
 * if the thread did that and has not left this pCPU since. NULL: look it up.
 */
static __always_inline struct kvmw_vcpu *kvmw_vcpu_left(const struct kvmw_cpu *c)
{
	if (likely(c->leaver == current && c->leaver_switches == kvmw_switches(current)))
		return c->leaving;
	return NULL;
}

#endif /* KVMW_VCPU_HIT_H */
