// SPDX-License-Identifier: GPL-2.0
/*
 * Adopt VMs: make records of those that have none. Such a VM ran before the hooks were attached, or
 * was created while the pool was empty. count.c then counts the leaves of adopted VMs.
 */
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <uapi/linux/kvmwatch.h>

#include "hooks/attach.h"
#include "kernel/clock.h"
#include "kernel/kvm_slot.h"
#include "kernel/kvm_vcpu.h"
#include "kernel/kvm_vm.h"
#include "probes/vcpu_hit.h"
#include "records/alloc.h"
#include "records/counts.h"
#include "records/cpu.h"
#include "records/generation.h"
#include "records/kick.h"
#include "records/list.h"
#include "records/mapped.h"
#include "records/pin.h"
#include "records/record.h"
#include "records/slot.h"
#include "records/table.h"
#include "records/vcpu.h"
#include "records/vcpu_seq.h"
#include "tasks/adopt.h"
#include "tasks/count.h"

/* --- records --------------------------------------------------------------- */

/*
 * A stock of records. It is filled while no lock of KVM is held, and used under such a lock, which
 * is then held for at most AT_A_TIME records.
 */
#define AT_A_TIME	32

struct stock {
	unsigned int		nr;
	struct kvmw_object	*objs[AT_A_TIME];
};

static bool stock_fill(struct stock *stock, unsigned int kind)
{
	struct kvmw_object *obj;

	while (stock->nr < AT_A_TIME) {
		obj = kvmw_alloc(kind);
		if (!obj)
			break;
		stock->objs[stock->nr++] = obj;
	}
	return stock->nr;
}

static struct kvmw_object *stock_take(struct stock *stock)
{
	return stock->nr ? stock->objs[--stock->nr] : NULL;
}

static void stock_free(struct stock *stock)
{
	while (stock->nr)
		kvmw_put(stock_take(stock));
}

/* Under house_lock. */
static u64 adopted, rounds, interrupts;

/* Result of a step under a lock: all done, call again, or fill the stock and call again. */
enum step { STEP_DONE, STEP_MORE, STEP_STOCK };

/* --- vCPUs and slots of a VM ------------------------------------------------- */

/* A walk over a VM's vCPUs by index, then over its slots by gfn. Changes do not reorder these. */
struct child_walk {
	struct kvmw_vm	*vm;
	struct stock	stock;
	int		vcpu;
	int		as_id;
	gfn_t		gfn;
};

static bool adopt_vcpu(struct child_walk *walk, struct kvm_vcpu *kvcpu)
{
	struct kvmw_object *obj;
	struct kvmw_vcpu *vcpu;

	if (kvmw_vcpu_find(kvcpu))
		return true;
	obj = stock_take(&walk->stock);
	if (!obj)
		return false;
	vcpu = kvmw_to_vcpu(obj);
	vcpu->vcpu_id = kvcpu->vcpu_id;
	vcpu->created = true;
	vcpu->stats.pcpu[0] = kvcpu->cpu;
	vcpu->stats.halt_poll_ns[0] = kvcpu->halt_poll_ns;
	vcpu->stats.halt_poll_ns_max[0] = kvcpu->halt_poll_ns;
	vcpu->since = kvmw_now_anywhere();
	vcpu->begun = vcpu->since;
	vcpu->exit_span.early = true;
	kvmw_publish(obj, kvcpu, KVMW_NO_SUBKEY, walk->vm);
	adopted++;
	return true;
}

static bool adopt_slot(struct child_walk *walk, const struct kvm_memory_slot *kslot)
{
	u32 subkey = (u32)kslot->as_id << 16 | (u16)kslot->id;
	struct kvmw_object *obj = kvmw_find(walk->vm, subkey);

	if (!obj) {
		obj = stock_take(&walk->stock);
		if (!obj)
			return false;
		kvmw_slot_begin(kvmw_to_slot(obj), walk->vm, kslot);
		obj = kvmw_publish(obj, walk->vm, subkey, walk->vm);
		adopted++;
	}
	if (READ_ONCE(kvmw_to_slot(obj)->committed))
		return true;
	kvmw_change_begin(KVMWATCH_KIND_SLOT, &walk->vm->changes);
	WRITE_ONCE(kvmw_to_slot(obj)->committed, true);
	kvmw_change_end(KVMWATCH_KIND_SLOT, &walk->vm->changes);
	return true;
}

/* KVM only appends to the array of vCPUs, and keeps it as long as the VM. */
static enum step vcpus_step(struct child_walk *walk, struct kvm *kvm)
{
	struct kvm_vcpu *kvcpu;
	int i;

	for (i = 0; i < AT_A_TIME; i++) {
		/* 5.10's kvm_get_vcpu() returns the first vCPU for an index beyond the last. */
		if (walk->vcpu >= atomic_read(&kvm->online_vcpus))
			return STEP_DONE;
		kvcpu = kvm_get_vcpu(kvm, walk->vcpu);
		if (!kvcpu)
			return STEP_DONE;
		if (!adopt_vcpu(walk, kvcpu))
			return STEP_STOCK;
		walk->vcpu++;
	}
	return STEP_MORE;
}

/*
 * Between a change of its slots and the hook on slot_commit, KVM waits for readers of kvm->srcu. So
 * the hook writes to a record after we have copied an older state to it, and the hook hides a slot
 * that KVM deletes after we have found it.
 */
static enum step slots_step(struct child_walk *walk, struct kvm *kvm)
{
	struct kvm_memory_slot *kslot;
	int i;

	for (i = 0; i < AT_A_TIME && walk->as_id < kvmw_nr_as(kvm); i++) {
		kslot = kvmw_kslot_from(__kvm_memslots(kvm, walk->as_id), walk->gfn);
		if (!kslot) {
			walk->as_id++;
			walk->gfn = 0;
			continue;
		}
		if (!adopt_slot(walk, kslot))
			return STEP_STOCK;
		walk->gfn = kslot->base_gfn + kslot->npages;
	}
	return walk->as_id < kvmw_nr_as(kvm) ? STEP_MORE : STEP_DONE;
}

static enum step children_step(struct child_walk *walk, unsigned int kind)
{
	struct kvm *kvm = kvmw_pin(walk->vm);
	enum step step;
	int srcu;

	if (!kvm)
		return STEP_DONE;
	if (kind == KVMWATCH_KIND_VCPU) {
		step = vcpus_step(walk, kvm);
	} else {
		srcu = srcu_read_lock(&kvm->srcu);
		step = slots_step(walk, kvm);
		srcu_read_unlock(&kvm->srcu, srcu);
	}
	kvmw_unpin();
	return step;
}

/* False: memory ran out before all had records. */
static bool adopt_children(struct kvmw_vm *vm)
{
	struct child_walk walk = { .vm = vm };
	bool whole = true;
	unsigned int kind;
	enum step step;

	for (kind = KVMWATCH_KIND_VCPU; kind <= KVMWATCH_KIND_SLOT; kind++) {
		do {
			step = children_step(&walk, kind);
			if (step == STEP_STOCK && !stock_fill(&walk.stock, kind)) {
				whole = false;
				break;
			}
			cond_resched();
		} while (step != STEP_DONE);
		stock_free(&walk.stock);
	}
	return whole;
}

/*
 * The vCPU was loaded here before it had a record. Only this CPU writes its numbers, and this
 * interrupt may come while a hit changes them.
 */
static void set_loaded(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu)
{
	bool begun = kvmw_vcpu_seq_begin(&vcpu->seq);

	vcpu->where = KVMW_VCPU_ON_CPU;
	vcpu->since = kvmw_now();
	kvmw_vcpu_begin(vcpu, vcpu->since);
	vcpu->begun = 0;	/* it may be in guest mode */
	if (kvmw_runs_here(kvcpu))
		kvmw_delay_from_here(vcpu);
	WRITE_ONCE(vcpu->stats.pcpu[0], smp_processor_id());
	kvmw_vcpu_seq_end(&vcpu->seq, begun);
}

/*
 * Find a vCPU that is loaded here, although no hook saw its load: KVM has registered its preempt
 * notifier with the current thread. A pointer is followed only if a record has it as its key. This
 * runs in an interrupt, so KVM cannot put the vCPU meanwhile.
 *
 * This may interrupt a hit of the same vCPU. That of a load has stored the vCPU in kvmw_cpu, and
 * does the rest itself. That of a put removes it from there at its end.
 */
static void find_loaded(void *unused)
{
	struct preempt_notifier *notifier;
	struct kvm_vcpu *kvcpu;
	struct kvmw_vcpu *vcpu;

	hlist_for_each_entry(notifier, &current->preempt_notifiers, link) {
		kvcpu = container_of(notifier, struct kvm_vcpu, preempt_notifier);
		vcpu = kvmw_vcpu_find(kvcpu);
		if (!vcpu || vcpu->where != KVMW_VCPU_UNKNOWN ||
		    this_cpu_read(kvmw_cpu.vcpu) == vcpu)
			continue;
		set_loaded(vcpu, kvcpu);
		this_cpu_write(kvmw_cpu.vcpu, vcpu);
	}
}

/* Has the vCPU run, but no hook seen a load or put of it since it got its record? */
static bool is_unsettled(const struct kvmw_vcpu *vcpu)
{
	return READ_ONCE(vcpu->created) && (int)READ_ONCE(vcpu->stats.pcpu[0]) >= 0 &&
	       READ_ONCE(vcpu->where) == KVMW_VCPU_UNKNOWN;
}

static bool any_unsettled(struct kvmw_vm *vm)
{
	struct kvmw_object *obj;
	bool any = false;

	mutex_lock(&vm->lock);
	list_for_each_entry(obj, &vm->vcpus, node)
		any |= is_unsettled(kvmw_to_vcpu(obj));
	mutex_unlock(&vm->lock);
	return any;
}

/* Add the CPUs on which KVM last loaded unsettled vCPUs. Context: the VM is pinned. */
static void note_cpus(struct kvmw_vm *vm, struct cpumask *cpus)
{
	const struct kvm_vcpu *kvcpu;
	struct kvmw_object *obj;
	int cpu;

	list_for_each_entry(obj, &vm->vcpus, node) {
		kvcpu = READ_ONCE(obj->key);
		if (!kvcpu || !is_unsettled(kvmw_to_vcpu(obj)))
			continue;
		cpu = READ_ONCE(kvcpu->cpu);
		if (cpu >= 0 && cpu < nr_cpu_ids)
			cpumask_set_cpu(cpu, cpus);
	}
}

/* vCPUs that find_loaded() did not find are off their pCPU, unless a hook has seen a load since. */
static void settle_vcpus(struct kvmw_vm *vm)
{
	struct kvmw_object *obj;
	struct kvmw_vcpu *vcpu;

	mutex_lock(&vm->lock);
	list_for_each_entry(obj, &vm->vcpus, node) {
		vcpu = kvmw_to_vcpu(obj);
		if (is_unsettled(vcpu))
			cmpxchg(&vcpu->where, KVMW_VCPU_UNKNOWN,
				KVMW_VCPU_OFF_CPU + KVMW_OFF_SEEN_LATE);
	}
	mutex_unlock(&vm->lock);
}

/*
 * Find out which of the vCPUs that ran before they had a record are loaded now. Interrupt only the
 * CPUs on which they ran last: others cannot have them, and may be isolated.
 */
static void ask_cpus(struct list_head *unsettled)
{
	static struct cpumask cpus;	/* large; under house_lock */
	struct kvmw_vm *vm;

	cpumask_clear(&cpus);
	/*
	 * KVM loads a vCPU with preemption off. If KVM was loading a vCPU when its record was
	 * published, kvcpu->cpu is up to date after this. A later load finds the record.
	 */
	synchronize_rcu();
	list_for_each_entry(vm, unsettled, unsettled) {
		mutex_lock(&vm->lock);
		if (kvmw_pin(vm)) {
			note_cpus(vm, &cpus);
			kvmw_unpin();
		}
		mutex_unlock(&vm->lock);
	}
	interrupts += cpumask_weight(&cpus);
	kvmw_attach_lock();
	if (kvmw_kvm.kvm_lock)
		on_each_cpu_mask(&cpus, find_loaded, NULL, 1);
	kvmw_attach_unlock();
}

static void settle_all(void)
{
	struct kvmw_object *obj;
	struct kvmw_vm *vm;
	LIST_HEAD(unsettled);

	mutex_lock(&kvmw_lock);
	list_for_each_entry(obj, &kvmw_vms, node)
		if (any_unsettled(obj->vm))
			list_add_tail(&obj->vm->unsettled, &unsettled);
	mutex_unlock(&kvmw_lock);
	if (list_empty(&unsettled))
		return;
	/* The records stay: only the housekeeper frees them, and that is us. */
	ask_cpus(&unsettled);
	list_for_each_entry(vm, &unsettled, unsettled)
		settle_vcpus(vm);
}

/* --- VMs ------------------------------------------------------------------- */

static void set_owner(struct kvmw_vm *vm, struct kvm *kvm)
{
#ifdef CONFIG_MEMCG
	struct task_struct *owner;

	rcu_read_lock();
	owner = rcu_dereference(kvm->mm->owner);
	if (owner) {
		vm->pid = get_pid(task_tgid(owner));
		vm->tgid = owner->tgid;
		strscpy(vm->comm, owner->group_leader->comm, sizeof(vm->comm));
	}
	rcu_read_unlock();
#endif
}

/* A walk over KVM's list of VMs. */
struct vm_walk {
	unsigned int	round;
	struct stock	stock;
	struct kvmw_vm	*found[AT_A_TIME];	/* in this step, each with a reference */
	unsigned int	nr;
	struct kvmw_vm	*last;			/* the last one of the step before */
};

static struct kvmw_vm *adopt_vm(struct vm_walk *walk, struct kvm *kvm)
{
	struct kvmw_object *obj = stock_take(&walk->stock);
	struct kvmw_vm *vm;

	if (!obj)
		return NULL;
	vm = kvmw_to_vm(obj);
	vm->ring = kvmw_has_rings(kvm);
	vm->opaque = kvmw_vm_opaque(kvmw_vm_type(kvm));
	set_owner(vm, kvm);
	adopted++;
	return kvmw_to_vm(kvmw_publish(obj, kvm, KVMW_NO_SUBKEY, vm));
}

/*
 * Where the walk goes on: behind the last VM, if it is not dying. Then it is still on the list, as
 * we hold kvm_lock. Otherwise at the front; vms_step() skips VMs that this round has looked at.
 * Also at the front if the last VM may have ended unseen (ends_told).
 */
static struct list_head *walk_from(const struct vm_walk *walk)
{
	const struct kvm *kvm = walk->last ? READ_ONCE(walk->last->obj.key) : NULL;

	if (!kvm || READ_ONCE(walk->last->dying) || !kvmw_kvm.ends_told)
		return kvmw_kvm.vm_list;
	return (struct list_head *)&kvm->vm_list;
}

/* Context: kvm_lock held. */
static enum step vms_step(struct vm_walk *walk)
{
	struct list_head *pos = walk_from(walk);
	struct kvmw_vm *vm;
	struct kvm *kvm;

	while ((pos = pos->next) != kvmw_kvm.vm_list) {
		kvm = list_entry(pos, struct kvm, vm_list);
		/* KVM is destroying it, but waits for kvm_lock before it frees it: skip it. */
		if (!refcount_read(&kvm->users_count))
			continue;
		vm = kvmw_vm_find(kvm);
		if (vm && vm->round == walk->round)
			continue;
		if (walk->nr == AT_A_TIME)
			return STEP_MORE;
		if (!vm)
			vm = adopt_vm(walk, kvm);
		if (!vm)
			return STEP_STOCK;
		vm->round = walk->round;
		kvmw_get(&vm->obj);
		walk->found[walk->nr++] = vm;
	}
	return STEP_DONE;
}

static enum step find_some(struct vm_walk *walk)
{
	enum step step = STEP_DONE;

	kvmw_attach_lock();
	if (kvmw_kvm.kvm_lock) {
		mutex_lock(kvmw_kvm.kvm_lock);
		step = vms_step(walk);
		mutex_unlock(kvmw_kvm.kvm_lock);
	}
	kvmw_attach_unlock();
	return step;
}

/* Adopt vCPUs and slots of the VMs of one step. Keep the last VM, where the walk goes on. */
static bool adopt_found(struct vm_walk *walk)
{
	bool whole = true;
	unsigned int i;

	for (i = 0; i < walk->nr; i++) {
		whole &= adopt_children(walk->found[i]);
		if (walk->last)
			kvmw_put(&walk->last->obj);
		walk->last = walk->found[i];
	}
	walk->nr = 0;
	return whole;
}

/* False: memory ran out before all objects had records. */
static bool find_vms(void)
{
	static unsigned int round;
	struct vm_walk *walk = kzalloc(sizeof(*walk), GFP_KERNEL);
	bool whole = true;
	enum step step;

	if (!walk)
		return false;
	walk->round = ++round;
	do {
		step = find_some(walk);
		whole &= adopt_found(walk);
		if (step == STEP_STOCK && !stock_fill(&walk->stock, KVMWATCH_KIND_VM)) {
			whole = false;
			break;
		}
	} while (step != STEP_DONE);
	if (walk->last)
		kvmw_put(&walk->last->obj);
	stock_free(&walk->stock);
	kfree(walk);
	return whole;
}

/* --- a search ---------------------------------------------------------------- */

static bool is_attached(void)
{
	bool attached;

	kvmw_attach_lock();
	attached = kvmw_kvm.kvm_lock;
	kvmw_attach_unlock();
	return attached;
}

bool kvmw_adopt_all(void)
{
	u64 before = adopted;
	bool whole;

	if (!is_attached())
		return false;	/* and leave kvmw_all_found alone: nothing was searched */
	whole = find_vms();
	rounds++;
	WRITE_ONCE(kvmw_all_found, whole);
	if (!whole)
		kvmw_rescan_later();	/* an idle VM has no event that would request it */
	if (!is_attached())
		return false;
	kvmw_absorb();
	settle_all();
	kvmw_leaves_count();
	WRITE_ONCE(kvmw_adopted, true);
	return adopted != before;
}

void kvmw_adopt_counts(u64 *nr_rounds, u64 *nr_interrupts)
{
	*nr_rounds = READ_ONCE(rounds);
	*nr_interrupts = READ_ONCE(interrupts);
}
