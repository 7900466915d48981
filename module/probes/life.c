// SPDX-License-Identifier: GPL-2.0
/* Hooks on the creation and end of VMs, vCPUs and memory slots. */
#include <linux/compiler.h>
#include <linux/kvm_host.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/string.h>

#include "hooks/handler.h"
#include "kernel/clock.h"
#include "kernel/kvm_mmu.h"
#include "kernel/kvm_slot.h"
#include "kernel/kvm_vm.h"
#include "kernel/regs.h"
#include "probes/handlers.h"
#include "probes/pairs.h"
#include "probes/trace.h"
#include "records/clear.h"
#include "records/counts.h"
#include "records/generation.h"
#include "records/kick.h"
#include "records/lost.h"
#include "records/mapped.h"
#include "records/pool.h"
#include "records/record.h"
#include "records/slot.h"
#include "records/table.h"

/* --- VMs ------------------------------------------------------------------- */

/* @type: what KVM_CREATE_VM got as argument */
static void begin_vm(const struct kvm *kvm, unsigned long type)
{
	struct kvmw_object *obj;
	struct kvmw_vm *vm;

	/* While hooks are being attached, others may miss events of the VM: adopt it later. */
	if (!READ_ONCE(kvmw_hooks_attached)) {
		kvmw_rescan_creation();
		return;
	}
	obj = kvmw_take(KVMWATCH_KIND_VM);
	if (!obj) {
		kvmw_lost(kvm);
		kvmw_rescan_creation();
		return;
	}
	vm = kvmw_to_vm(obj);
	vm->opaque = kvmw_vm_opaque(type);
	/* Nothing is mapped yet, so hits will see all leaves. */
	vm->leaves_counted = !vm->opaque;
	vm->pid = get_pid(task_tgid(current));
	vm->tgid = current->tgid;
	/* get_task_comm() takes a lock. Without it a name that changes meanwhile may be mixed. */
	strscpy(vm->comm, current->group_leader->comm, sizeof(vm->comm));
	kvmw_publish(obj, kvm, KVMW_NO_SUBKEY, vm);
	trace_kvmwatch_vm_create(vm);
}

/* kvm_arch_init_vm(kvm, type): the first hook of a VM, whose creation may still fail. */
static __always_inline void on_vm_init(const struct pt_regs *regs, unsigned long caller)
{
	begin_vm((void *)KVMW_ARG1(regs), KVMW_ARG2(regs));
}

/*
 * kvm_uevent_notify_change(event, kvm): the creation of the VM cannot fail any more, and nobody has
 * its file descriptor yet. Or the VM is about to end.
 */
static __always_inline void on_vm_event(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm *kvm = (void *)KVMW_ARG2(regs);

	if ((u32)KVMW_ARG1(regs) == KVMW_EVENT_CREATE_VM)
		begin_vm(kvm, kvmw_vm_type(kvm));
}

/*
 * kvm_destroy_vm(kvm), or kvm_arch_pre_destroy_vm(kvm): the VM has no user; KVM will free its
 * leaves and vCPUs.
 */
static __always_inline void on_vm_destroy(const struct pt_regs *regs, unsigned long caller)
{
	struct kvmw_vm *vm = kvmw_vm_find((void *)KVMW_ARG1(regs));

	if (!vm)
		return;
	kvmw_change_begin(KVMWATCH_KIND_VM, &vm->changes);
	WRITE_ONCE(vm->dying, true);
	kvmw_change_end(KVMWATCH_KIND_VM, &vm->changes);
	trace_kvmwatch_vm_destroy(vm);
}

/*
 * kvm_arch_free_vm(kvm): the last hook of a VM, also after a failed creation. Or
 * kvm_mmu_uninit_vm(kvm): the same of a VM that vm_init saw complete.
 */
static __always_inline void on_vm_free(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm *kvm = (void *)KVMW_ARG1(regs);
	struct kvmw_vm *vm = kvmw_vm_find(kvm);
	int i;

	if (!vm)
		return;
	for (i = 0; i < KVMW_NR_LEVELS; i++)
		vm->kvms_last[i] = kvmw_kvm_pages(kvm, i + 1);
	/* While hooks are being detached, others may have missed unmaps: do not compare. */
	vm->freed = READ_ONCE(kvmw_hooks_attached);
	trace_kvmwatch_vm_free(vm);
	kvmw_hide(&vm->obj);
}

KVMW_FUNC_HANDLER(vm_init, on_vm_init);
KVMW_FUNC_FORM(vm_init, vm_event, on_vm_event);
KVMW_FUNC_HANDLER(vm_destroy, on_vm_destroy);
KVMW_FUNC_HANDLER(vm_free, on_vm_free);

/* --- vCPUs ----------------------------------------------------------------- */

/*
 * kvm_arch_vcpu_create(kvcpu): the creation may still fail, without another hook. Then the record
 * is never shown, and ends with its VM or when KVM reuses the address.
 */
static __always_inline void on_vcpu_create(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_vcpu *kvcpu = (void *)KVMW_ARG1(regs);
	struct kvmw_vm *vm = kvmw_vm_find(kvcpu->kvm);
	struct kvmw_vcpu *old = kvmw_vcpu_find(kvcpu);
	struct kvmw_object *obj;
	struct kvmw_vcpu *vcpu;

	if (old)
		kvmw_hide(&old->obj);
	obj = vm ? kvmw_take(KVMWATCH_KIND_VCPU) : NULL;
	if (!obj)
		return;		/* on_vcpu_created() counts it as lost, if the creation succeeds */
	vcpu = kvmw_to_vcpu(obj);
	vcpu->vcpu_id = kvcpu->vcpu_id;
	kvmw_pairs_begin(vcpu);
	vm->ring = kvmw_has_rings(kvcpu->kvm);	/* fixed once the VM has a vCPU */
	kvmw_publish(obj, kvcpu, KVMW_NO_SUBKEY, vm);
}

/* kvm_arch_vcpu_postcreate(kvcpu) */
static __always_inline void on_vcpu_created(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_vcpu *kvcpu = (void *)KVMW_ARG1(regs);
	struct kvmw_vcpu *vcpu = kvmw_vcpu_find(kvcpu);

	if (!vcpu) {
		kvmw_lost(kvcpu->kvm);
		return;
	}
	kvmw_change_begin(KVMWATCH_KIND_VCPU, &vcpu->obj.vm->changes);
	WRITE_ONCE(vcpu->created, true);
	kvmw_change_end(KVMWATCH_KIND_VCPU, &vcpu->obj.vm->changes);
}

/* End open stretches, whose length so far readers have seen in the numbers already. */
static __always_inline void close_stretch(struct kvmw_vcpu *vcpu)
{
	u64 now, off, out;

	raw_write_seqcount_begin(&vcpu->seq);
	now = kvmw_now();
	off = kvmw_ticks(now, vcpu->since);
	if (vcpu->where >= KVMW_VCPU_OFF_CPU) {
		kvmw_count(vcpu, off_cpu_ns, vcpu->where - KVMW_VCPU_OFF_CPU, off);
		kvmw_max(vcpu, off_cpu_ns_max, off);
	}
	if (kvmw_exit_open(vcpu)) {
		out = kvmw_ticks(now, vcpu->exit_span.since);
		kvmw_count(vcpu, exit_reason_times, vcpu->exit_span.cell, out);
		kvmw_max(vcpu, exit_time_ns_max, out);
	}
	if (vcpu->begun)
		vcpu->before_entry += kvmw_ticks(now, vcpu->begun);
	vcpu->begun = 0;
	vcpu->exit_span.since = 0;
	vcpu->exit_span.early = false;
	vcpu->where = KVMW_VCPU_GONE;
	vcpu->halted = false;
	raw_write_seqcount_end(&vcpu->seq);
}

/* kvm_arch_vcpu_destroy(kvcpu): the vCPU is off its pCPU, and does not run any more. */
static __always_inline void on_vcpu_destroy(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_vcpu *kvcpu = (void *)KVMW_ARG1(regs);
	struct kvmw_vcpu *vcpu = kvmw_vcpu_find(kvcpu);

	if (!vcpu)
		return;
	close_stretch(vcpu);
	kvmw_pairs_end(vcpu, kvcpu);
	kvmw_hide(&vcpu->obj);
}

KVMW_FUNC_HANDLER(vcpu_create, on_vcpu_create);
KVMW_FUNC_HANDLER(vcpu_created, on_vcpu_created);
KVMW_FUNC_HANDLER(vcpu_destroy, on_vcpu_destroy);

/* --- slots ----------------------------------------------------------------- */

/*
 * kvm_arch_commit_memory_region(kvm, [mem,] old, new, change): the change is in effect already, so
 * a fault may have created the record before this. KVM has unmapped a slot that it deletes or
 * moves.
 */
static __always_inline void on_slot_commit(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm *kvm = (void *)KVMW_ARG1(regs);
	const struct kvm_memory_slot *old = (void *)KVMW_COMMIT_OLD(regs);
	const struct kvm_memory_slot *new = (void *)KVMW_COMMIT_NEW(regs);
	enum kvm_mr_change change = KVMW_COMMIT_CHANGE(regs);
	struct kvmw_vm *vm = kvmw_vm_find(kvm);
	struct kvmw_slot *slot;

	slot = vm ? kvmw_slot_of(vm, change == KVM_MR_DELETE ? old : new) : NULL;
	if (!slot) {
		kvmw_lost(kvm);
		return;
	}
	if (change == KVM_MR_DELETE) {
		trace_kvmwatch_slot(slot, change);
		kvmw_hide(&slot->obj);
		return;
	}
	vm->ring = kvmw_has_rings(kvm);
	kvmw_change_begin(KVMWATCH_KIND_SLOT, &vm->changes);
	kvmw_slot_update(slot, new);
	if (new->flags & KVM_MEM_LOG_DIRTY_PAGES &&
	    !(old && old->flags & KVM_MEM_LOG_DIRTY_PAGES))
		kvmw_clear_now(vm->ring ? &vm->clear : &slot->clear);
	WRITE_ONCE(slot->committed, true);
	kvmw_change_end(KVMWATCH_KIND_SLOT, &vm->changes);
	trace_kvmwatch_slot(slot, change);
}

KVMW_FUNC_HANDLER(slot_commit, on_slot_commit);
