// SPDX-License-Identifier: GPL-2.0
/*
 * Makes records of VMs that have none: those that ran before us, and those that a
 * hit found no free record for. leaves.c then counts what they have mapped.
 */
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/srcu.h>

#include "leaves.h"
#include "object.h"

/* --- records --------------------------------------------------------------- */

static void set_owner(struct kvmw_vm *vm, struct kvm *kvm)
{
#ifdef CONFIG_MEMCG
	struct task_struct *owner;

	rcu_read_lock();
	owner = rcu_dereference(kvm->mm->owner);
	if (owner) {
		vm->pid = get_pid(task_tgid(owner));
		vm->tgid = owner->tgid;
		strscpy(vm->comm, owner->comm, sizeof(vm->comm));
	}
	rcu_read_unlock();
#endif
}

static struct kvmw_vm *adopt_vm(struct kvm *kvm)
{
	struct kvmw_object *obj = kvmw_alloc(KVMWATCH_KIND_VM);
	struct kvmw_vm *vm;

	if (!obj)
		return NULL;
	vm = kvmw_to_vm(obj);
	vm->ring = kvmw_has_rings(kvm);
	set_owner(vm, kvm);
	return kvmw_to_vm(kvmw_publish(obj, kvm, KVMW_NO_SUBKEY, vm));
}

static void adopt_vcpu(struct kvmw_vm *vm, struct kvm_vcpu *kvcpu)
{
	struct kvmw_object *obj;
	struct kvmw_vcpu *vcpu;

	if (kvmw_vcpu_find(kvcpu))
		return;
	obj = kvmw_alloc(KVMWATCH_KIND_VCPU);
	if (!obj)
		return;
	vcpu = kvmw_to_vcpu(obj);
	vcpu->vcpu_id = kvcpu->vcpu_id;
	vcpu->created = true;
	vcpu->stats.pcpu[0] = kvcpu->cpu;
	vcpu->stats.halt_poll_ns[0] = kvcpu->halt_poll_ns;
	vcpu->stats.halt_poll_ns_max[0] = kvcpu->halt_poll_ns;
	vcpu->since = kvmw_now();
	kvmw_publish(obj, kvcpu, KVMW_NO_SUBKEY, vm);
}

static void adopt_slot(struct kvmw_vm *vm, struct kvm_memory_slot *kslot)
{
	u32 subkey = (u32)kslot->as_id << 16 | (u16)kslot->id;
	struct kvmw_object *obj = kvmw_find(vm, subkey);

	if (!obj) {
		obj = kvmw_alloc(KVMWATCH_KIND_SLOT);
		if (!obj)
			return;
		kvmw_slot_update(kvmw_to_slot(obj), kslot);
		obj = kvmw_publish(obj, vm, subkey, vm);
	}
	if (READ_ONCE(kvmw_to_slot(obj)->committed))
		return;
	kvmw_change_begin();
	WRITE_ONCE(kvmw_to_slot(obj)->committed, true);
	kvmw_change_end();
}

static void adopt_children(struct kvmw_vm *vm, struct kvm *kvm)
{
	struct kvm_memory_slot *kslot;
	struct kvm_vcpu *kvcpu;
	unsigned long i;
	int as_id, bkt;

	kvm_for_each_vcpu(i, kvcpu, kvm)
		adopt_vcpu(vm, kvcpu);
	/* Slots do not change under this lock, which KVM takes inside kvm_lock too. */
	mutex_lock(&kvm->slots_lock);
	for (as_id = 0; as_id < kvmw_nr_as(kvm); as_id++)
		kvmw_for_each_kslot(kslot, bkt, __kvm_memslots(kvm, as_id))
			adopt_slot(vm, kslot);
	mutex_unlock(&kvm->slots_lock);
}

/*
 * A vCPU whose load we did not see: the thread that runs here carries KVM's
 * notifier of it. Nothing is followed but a pointer that one of our records has.
 * Runs in an interrupt, so the vCPU cannot be put meanwhile.
 */
static void find_loaded(void *unused)
{
	struct preempt_notifier *notifier;
	struct kvm_vcpu *kvcpu;
	struct kvmw_vcpu *vcpu;

	hlist_for_each_entry(notifier, &current->preempt_notifiers, link) {
		kvcpu = container_of(notifier, struct kvm_vcpu, preempt_notifier);
		vcpu = kvmw_vcpu_find(kvcpu);
		if (!vcpu || vcpu->where != KVMW_VCPU_UNKNOWN)
			continue;
		raw_write_seqcount_begin(&vcpu->seq);
		vcpu->where = KVMW_VCPU_ON_CPU;
		vcpu->since = kvmw_now();
		if (kvmw_runs_here(kvcpu))
			vcpu->tid = current->pid;
		kvmw_set(vcpu, pcpu, smp_processor_id());
		raw_write_seqcount_end(&vcpu->seq);
		this_cpu_write(kvmw_cpu.vcpu, vcpu);
	}
}

/* All others that have ever run are off their pCPU. A hook that knows better wins. */
static void settle_vcpus(struct kvmw_vm *vm)
{
	struct kvmw_object *obj;
	struct kvmw_vcpu *vcpu;

	mutex_lock(&vm->lock);
	list_for_each_entry(obj, &vm->vcpus, node) {
		vcpu = kvmw_to_vcpu(obj);
		if (READ_ONCE(vcpu->created) && (int)READ_ONCE(vcpu->stats.pcpu[0]) >= 0)
			cmpxchg(&vcpu->where, KVMW_VCPU_UNKNOWN, KVMW_VCPU_OFF_CPU);
	}
	mutex_unlock(&vm->lock);
}

/* --- all of it ------------------------------------------------------------- */

static void find_vms(void)
{
	struct kvmw_vm *vm;
	struct kvm *kvm;

	mutex_lock(kvmw_kvm.kvm_lock);
	list_for_each_entry(kvm, kvmw_kvm.vm_list, vm_list) {
		/* Being destroyed, which waits for our lock before it frees: let it go. */
		if (!refcount_read(&kvm->users_count))
			continue;
		vm = kvmw_vm_find(kvm) ?: adopt_vm(kvm);
		if (vm)
			adopt_children(vm, kvm);
	}
	mutex_unlock(kvmw_kvm.kvm_lock);
}

void kvmw_adopt_all(void)
{
	struct kvmw_object *obj;

	kvmw_attach_lock();
	if (!kvmw_kvm.kvm_lock) {
		kvmw_attach_unlock();
		return;
	}
	find_vms();
	on_each_cpu(find_loaded, NULL, 1);
	kvmw_attach_unlock();

	kvmw_absorb();
	mutex_lock(&kvmw_lock);
	list_for_each_entry(obj, &kvmw_vms, node)
		settle_vcpus(obj->vm);
	mutex_unlock(&kvmw_lock);

	kvmw_leaves_count();
	WRITE_ONCE(kvmw_adopted, true);
}

/*
 * The name of its directory is read under RCU, as the first thing that KVM does to a
 * dying VM is to remove that.
 */
void kvmw_show_vm(struct kvmw_vm *vm)
{
	struct kvm *kvm = kvmw_pin(vm);
	struct dentry *dentry;

	if (!kvm)
		return;
	if (kvmw_complete(kvm)) {
		rcu_read_lock();
		dentry = READ_ONCE(kvm->debugfs_dentry);
		if (!IS_ERR_OR_NULL(dentry) && !READ_ONCE(vm->dying))
			strscpy(vm->name, dentry->d_name.name, sizeof(vm->name));
		else
			snprintf(vm->name, sizeof(vm->name), "%d-vm%llu", vm->tgid, vm->obj.id);
		rcu_read_unlock();
		kvmw_change_begin();
		WRITE_ONCE(vm->shown, true);
		kvmw_change_end();
	}
	kvmw_unpin();
}
