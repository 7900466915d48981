// SPDX-License-Identifier: GPL-2.0
/* Hooks on dirty rings: pushes, full rings and resets. */
#include <linux/compiler.h>
#include <linux/kvm_host.h>
#include <linux/percpu.h>

#include "hooks/handler.h"
#include "kernel/kvm_vcpu.h"
#include "kernel/tracepoint.h"
#include "probes/handlers.h"
#include "probes/vcpu_hit.h"
#include "records/clear.h"
#include "records/counts.h"
#include "records/cpu.h"
#include "records/record.h"
#include "records/table.h"

/* KVM pushes to the ring of the vCPU that is loaded on the marking pCPU. */
void kvmw_tp_ring_push(void *data, struct kvm_dirty_ring *ring, u32 slot, u64 offset)
{
	struct kvmw_vcpu *vcpu;
	struct kvmw_cpu *c;

	kvmw_tp_enter();
	c = this_cpu_ptr(&kvmw_cpu);
	kvmw_hit(KVMW_HOOK_ring_push);
	vcpu = kvmw_vcpu_here(c, kvmw_ring_owner(ring));
	if (vcpu)
		kvmw_inc(vcpu, dirty_ring_pushes);
	kvmw_tp_leave();
}

void kvmw_tp_ring_full(void *data, struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu;
	struct kvmw_cpu *c;

	kvmw_tp_enter();
	c = this_cpu_ptr(&kvmw_cpu);
	kvmw_hit(KVMW_HOOK_ring_full);
	vcpu = kvmw_vcpu_here(c, kvcpu);
	if (vcpu)
		kvmw_inc(vcpu, dirty_ring_full);
	kvmw_tp_leave();
}

/*
 * KVM_RESET_DIRTY_RINGS resets the rings of all vCPUs under slots_lock. Count it once, at the first
 * vCPU.
 */
void kvmw_tp_ring_reset(void *data, struct kvm_dirty_ring *ring)
{
	const struct kvm_vcpu *kvcpu = kvmw_ring_owner(ring);
	struct kvmw_vm *vm;

	kvmw_tp_enter();
	kvmw_hit(KVMW_HOOK_ring_reset);
	vm = kvcpu->vcpu_idx ? NULL : kvmw_vm_find(kvcpu->kvm);
	if (vm) {
		WRITE_ONCE(vm->collects, vm->collects + 1);
		kvmw_clear_now(&vm->clear);
	}
	kvmw_tp_leave();
}
