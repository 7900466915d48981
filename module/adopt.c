// SPDX-License-Identifier: GPL-2.0
/*
 * Makes records of VMs that have none: those that ran before us, and those that a
 * hook found no free record for.
 *
 * Which pages such a VM has mapped is counted region by region, so that its
 * mmu_lock is held for short. A cursor says how far that is: hits below it count,
 * hits beyond do not, as the region's own count will include what they did. Both
 * run under mmu_lock, so every leaf is counted once. Regions are aligned to 1 GiB,
 * the largest leaf, which therefore never lies across the cursor.
 */
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/srcu.h>

#include "object.h"

#define REGION_PAGES	BIT_ULL(30 - PAGE_SHIFT)

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

/* --- mapped pages ---------------------------------------------------------- */

struct region {
	struct kvm_memory_slot *kslot;
	gfn_t start, end;
};

/* The first part of any slot at or behind @from. Context: kvm->srcu held. */
static bool next_region(struct kvm *kvm, int as_id, gfn_t from, struct region *region)
{
	struct kvm_memory_slot *kslot;
	gfn_t start;
	int bkt;

	region->kslot = NULL;
	kvmw_for_each_kslot(kslot, bkt, __kvm_memslots(kvm, as_id)) {
		start = max(from, kslot->base_gfn);
		if (kslot->base_gfn + kslot->npages <= from)
			continue;
		if (region->kslot && start >= region->start)
			continue;
		region->kslot = kslot;
		region->start = start;
	}
	if (!region->kslot)
		return false;
	region->end = min(region->kslot->base_gfn + region->kslot->npages,
			  ALIGN(region->start + 1, REGION_PAGES));
	return true;
}

static void count_table(const u64 *table, int level, gfn_t base, const struct region *region,
			s64 leaves[KVMW_NR_LEVELS])
{
	gfn_t pages = 1ULL << ((level - 1) * 9), gfn;
	u64 spte;
	int i;

	for (i = 0, gfn = base; i < PTRS_PER_PTE && gfn < region->end; i++, gfn += pages) {
		spte = READ_ONCE(table[i]);
		if (gfn + pages <= region->start || !kvmw_spte_present(spte))
			continue;
		if (!kvmw_spte_leaf(spte, level))
			count_table(__va(spte & PHYSICAL_PAGE_MASK), level - 1, gfn, region,
				    leaves);
		else if (gfn >= region->start)
			leaves[level - 1]++;
	}
}

/* All roots, invalid ones too: their leaves count until they are cleared. */
static bool count_tdp(struct kvm *kvm, int as_id, const struct region *region,
		      s64 leaves[KVMW_NR_LEVELS])
{
	struct kvmw_sp *sp;

	if (!kvm->arch.tdp_mmu_roots.next)	/* this VM was made without a TDP MMU */
		return true;
	list_for_each_entry(sp, &kvm->arch.tdp_mmu_roots, link) {
		if (!kvmw_sp_valid(sp))
			return false;
		if (sp->role.smm == as_id)
			count_table(sp->spt, sp->role.level, 0, region, leaves);
	}
	return true;
}

/* Where a slot's reverse maps of a level have that of a page. */
static unsigned long rmap_index(const struct kvm_memory_slot *kslot, gfn_t gfn, int level)
{
	int shift = KVM_HPAGE_GFN_SHIFT(level);

	return (gfn >> shift) - (kslot->base_gfn >> shift);
}

/* Each present leaf of the shadow MMU is in its slot's reverse map once. */
static void count_shadow(const struct region *region, s64 leaves[KVMW_NR_LEVELS])
{
	const struct kvm_memory_slot *kslot = region->kslot;
	unsigned long i, last;
	int level;

	for (level = PG_LEVEL_4K; level <= KVMW_NR_LEVELS; level++) {
		if (!kslot->arch.rmap[level - 1])
			continue;
		last = rmap_index(kslot, region->end - 1, level);
		for (i = rmap_index(kslot, region->start, level); i <= last; i++)
			leaves[level - 1] += kvmw_rmap_count(&kslot->arch.rmap[level - 1][i]);
	}
}

/*
 * Count the next region behind the cursor. Returns -EAGAIN when there may be more,
 * 0 when the address space is done, or another error.
 */
static int seed_region(struct kvmw_vm *vm, struct kvm *kvm, int as_id)
{
	s64 leaves[KVMW_NR_LEVELS] = {};
	struct region region;
	struct kvmw_slot *slot;
	int i, srcu, err = 0;

	/*
	 * Under mmu_lock also to look for the region: a slot that comes later is
	 * either behind the cursor, or its first leaf comes when hits count there.
	 */
	kvmw_mmu_lock(kvm);
	srcu = srcu_read_lock(&kvm->srcu);
	if (!next_region(kvm, as_id, vm->cursor[as_id], &region)) {
		vm->cursor[as_id] = ~0ULL;
		goto out;
	}
	err = -EPROTO;
	if (!count_tdp(kvm, as_id, &region, leaves))
		goto out;
	count_shadow(&region, leaves);
	slot = kvmw_slot_of(vm, region.kslot);
	if (!slot) {
		slot = vm->stray;
		WRITE_ONCE(vm->unsure, true);
		kvmw_rescan();
	}
	for (i = 0; i < KVMW_NR_LEVELS; i++)
		slot->base[i] += leaves[i];
	if (!KVMW_KVM_COUNTS_LEAVES)
		vm->mapped_now += kvmw_mapped_bytes(leaves);
	vm->cursor[as_id] = region.end;
	err = -EAGAIN;
out:
	srcu_read_unlock(&kvm->srcu, srcu);
	kvmw_mmu_unlock(kvm);
	return err;
}

/* Compare with what KVM counts itself. Context: mmu_lock held for write. */
static bool audit(struct kvmw_vm *vm, struct kvm *kvm)
{
	s64 total[KVMW_NR_LEVELS], part[KVMW_NR_LEVELS];
	struct kvmw_object *obj;
	bool same = true;
	int i;

	if (!KVMW_KVM_COUNTS_LEAVES)
		return true;
	kvmw_slot_mapped(vm->stray, total);
	list_for_each_entry(obj, &vm->slots, node) {
		kvmw_slot_mapped(kvmw_to_slot(obj), part);
		for (i = 0; i < KVMW_NR_LEVELS; i++)
			total[i] += part[i];
	}
	for (i = 0; i < KVMW_NR_LEVELS; i++)
		same &= total[i] == kvmw_kvm_pages(kvm, i + 1);
	vm->audits++;
	if (!same)
		vm->audit_failures++;
	return same;
}

/* Every slot starts at nothing; hits do not count as long as the cursors are 0. */
static void zero_mapped(struct kvmw_vm *vm)
{
	s64 mapped[KVMW_NR_LEVELS];
	struct kvmw_object *obj;
	int i;

	list_for_each_entry(obj, &vm->slots, node) {
		kvmw_slot_mapped(kvmw_to_slot(obj), mapped);
		for (i = 0; i < KVMW_NR_LEVELS; i++)
			kvmw_to_slot(obj)->base[i] -= mapped[i];
	}
	kvmw_slot_mapped(vm->stray, mapped);
	for (i = 0; i < KVMW_NR_LEVELS; i++)
		vm->stray->base[i] -= mapped[i];
	vm->mapped_now = 0;
}

static int seed_all_regions(struct kvmw_vm *vm)
{
	struct kvm *kvm;
	int as_id, err;

	for (as_id = 0; as_id < KVMW_NR_AS; as_id++) {
		do {
			kvm = kvmw_pin(vm);
			if (!kvm)
				return -ESRCH;
			err = seed_region(vm, kvm, as_id);
			kvmw_unpin();
			cond_resched();
		} while (err == -EAGAIN);
		if (err)
			return err;
	}
	return 0;
}

static void seed_vm(struct kvmw_vm *vm)
{
	struct kvm *kvm;
	bool same;

	mutex_lock(&vm->lock);
	zero_mapped(vm);
	mutex_unlock(&vm->lock);
	if (seed_all_regions(vm)) {
		WRITE_ONCE(vm->mapped_bad, true);
		return;
	}

	kvmw_absorb();
	mutex_lock(&vm->lock);
	kvm = kvmw_pin(vm);
	if (kvm) {
		kvmw_mmu_lock(kvm);
		same = audit(vm, kvm);
		WRITE_ONCE(vm->mapped_bad, !same);
		WRITE_ONCE(vm->armed, true);
		kvmw_mmu_unlock(kvm);
		kvmw_unpin();
	}
	mutex_unlock(&vm->lock);
}

/* One that is not counted yet, with a reference. */
static struct kvmw_vm *next_unarmed(void)
{
	struct kvmw_vm *vm = NULL;
	struct kvmw_object *obj;

	mutex_lock(&kvmw_lock);
	list_for_each_entry(obj, &kvmw_vms, node) {
		if (READ_ONCE(obj->key) && !obj->vm->armed && !obj->vm->mapped_bad &&
		    !READ_ONCE(obj->vm->dying)) {
			vm = obj->vm;
			kvmw_get(obj);
			break;
		}
	}
	mutex_unlock(&kvmw_lock);
	return vm;
}

/*
 * Start VMs again whose slots' counts are not right. Hits stop counting for them, at
 * the latest when none runs any more that found them armed or has them in its cache.
 */
static void disarm_unsure(void)
{
	struct kvmw_object *obj;
	bool any = false;
	int as_id;

	mutex_lock(&kvmw_lock);
	list_for_each_entry(obj, &kvmw_vms, node) {
		struct kvmw_vm *vm = obj->vm;

		if (!READ_ONCE(vm->unsure) || !vm->armed)
			continue;
		for (as_id = 0; as_id < KVMW_NR_AS; as_id++)
			WRITE_ONCE(vm->cursor[as_id], 0);
		WRITE_ONCE(vm->armed, false);
		WRITE_ONCE(vm->unsure, false);
		any = true;
	}
	mutex_unlock(&kvmw_lock);
	if (!any)
		return;
	synchronize_rcu();
	kvmw_forget_slots();
	synchronize_rcu();
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
	struct kvmw_vm *vm;

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

	disarm_unsure();
	while ((vm = next_unarmed())) {
		seed_vm(vm);
		kvmw_put(&vm->obj);
	}
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
