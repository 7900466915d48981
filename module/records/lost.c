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
		 * The VM ran before the hooks were attached. The running or the next search finds
		 * it. Do not kick: that would interrupt the guest at each exit until then.
		 */
		kvmw_rescan_quietly();
		return;
	}
	if (!vm)
		this_cpu_inc(lost_unknown);
	else if (!READ_ONCE(vm->dying))	/* else KVM destroys its vCPUs: events of no guest */
		kvmw_slot_inc(vm->stray->cpu, lost_events);
	kvmw_rescan_later();
}

/*
 * A vCPU that is not in the array of its VM is one whose creation failed. VMX loads it once more
 * while destroying it, after its record was hidden. That event is not lost.
 */
void kvmw_lost_of(const struct kvm_vcpu *kvcpu)
{
	struct kvm *kvm = kvcpu->kvm;
	int i = kvcpu->vcpu_idx;

	/* 5.10's kvm_get_vcpu() returns the first for an index beyond the last. */
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
