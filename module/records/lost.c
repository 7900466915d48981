// SPDX-License-Identifier: GPL-2.0
/* Events that found no record. See lost.h. */
#include <linux/cpumask.h>
#include <linux/kvm_host.h>
#include <linux/percpu.h>

#include "records/kick.h"
#include "records/lost.h"
#include "records/record.h"
#include "records/table.h"

static DEFINE_PER_CPU(u64, lost_unknown);

void kvmw_lost(const struct kvm *kvm)
{
	struct kvmw_vm *vm = kvm ? kvmw_vm_find(kvm) : NULL;

	if (!READ_ONCE(kvmw_adopted)) {
		/*
		 * From before our time, and about to be found, or else when they are looked
		 * for again. No kick: it would interrupt a guest at each exit until then.
		 */
		kvmw_rescan_quietly();
		return;
	}
	if (!vm)
		this_cpu_inc(lost_unknown);
	else if (!READ_ONCE(vm->dying))	/* then its vCPUs are taken apart: nobody's events */
		kvmw_slot_inc(vm->stray->cpu, lost_events);
	kvmw_rescan_later();
}

/*
 * One that has no place in its VM was not wanted after all. VMX loads it once more while it is
 * destroyed, when its record is hidden already: nobody's event.
 */
void kvmw_lost_of(const struct kvm_vcpu *kvcpu)
{
	struct kvm *kvm = kvcpu->kvm;
	int i = kvcpu->vcpu_idx;

	/* 5.10's kvm_get_vcpu() takes one that is not there for the first. */
	if (i < atomic_read(&kvm->online_vcpus) && kvm_get_vcpu(kvm, i) == kvcpu)
		kvmw_lost(kvm);
}

u64 kvmw_lost_unknown(void)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(lost_unknown, cpu));
	return sum;
}
