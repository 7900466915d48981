// SPDX-License-Identifier: GPL-2.0
/*
 * Which leaves a VM's page tables have: counted where hits have not seen them come, and
 * compared with what they have counted since.
 *
 * Counting goes region by region, so that mmu_lock is held for short. A cursor says how
 * far it is: hits below it count, hits beyond do not, as the region's own count will
 * include what they did. Both run under mmu_lock, so every leaf is counted once. A leaf
 * belongs to the region that its first page is in, whatever it maps beyond: a leaf of
 * 1 GiB is larger than a region. A hit that is about many leaves, the split of a huge one,
 * counts those of them whose first page is below the cursor (kvmw_leaves_below()).
 *
 * An audit compares our numbers with KVM's own, or where it keeps none with its page
 * tables, under the lock under which both change. One that fails withdraws what the
 * VM has mapped until that has been counted anew and agrees, and for good how many
 * leaves have come and gone: somebody missed some.
 *
 * All of it is done by one at a time, under house_lock.
 */
#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>

#include "leaves.h"
#include "marks.h"
#include "object.h"
#include "vcpu_audit.h"

/* Small enough that mmu_lock and kvm_lock are not held for long: 32 Ki leaves at most. */
#define REGION_PAGES	BIT_ULL(27 - PAGE_SHIFT)

/* A VM whose count did not come out right is counted again after this, and twice this, ... */
#define RETRY_MIN	(10 * HZ)
#define RETRY_MAX	(3600 * HZ)

static unsigned int audit_seconds = 60;
module_param(audit_seconds, uint, 0444);
MODULE_PARM_DESC(audit_seconds, "seconds between audits of all VMs (default 60); 0: none");

static uint opaque_type = KVMW_TYPE_OPAQUE;
module_param(opaque_type, uint, 0444);
MODULE_PARM_DESC(opaque_type, "for tests: treat VMs of this type (KVM_CREATE_VM) as TDX VMs");

bool kvmw_vm_opaque(unsigned long type)
{
	return type == opaque_type;
}

/* --- page tables ------------------------------------------------------------ */

struct region {
	struct kvm_memory_slot *kslot;
	gfn_t start, end;
};

/* The first part of any slot at or behind @from. Context: kvm->srcu held. */
static bool next_region(struct kvm *kvm, int as_id, gfn_t from, struct region *region)
{
	struct kvm_memory_slot *kslot = kvmw_kslot_from(__kvm_memslots(kvm, as_id), from);

	if (!kslot)
		return false;
	region->kslot = kslot;
	region->start = max(from, kslot->base_gfn);
	region->end = min(kslot->base_gfn + kslot->npages,
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

/* Where the first reverse map of a level is that begins at or behind a page. */
static unsigned long rmap_from(const struct kvm_memory_slot *kslot, gfn_t gfn, int level)
{
	return rmap_index(kslot, ALIGN(gfn, 1ULL << KVM_HPAGE_GFN_SHIFT(level)), level);
}

/*
 * Each present leaf of the shadow MMU is in its slot's reverse map once, at its first page.
 * Those that begin in another region, or before the slot, are not ours.
 */
static void count_shadow(const struct region *region, s64 leaves[KVMW_NR_LEVELS])
{
	const struct kvm_memory_slot *kslot = region->kslot;
	unsigned long i, end;
	int level;

	for (level = PG_LEVEL_4K; level <= KVMW_NR_LEVELS; level++) {
		if (!kslot->arch.rmap[level - 1])
			continue;
		end = rmap_from(kslot, region->end, level);
		for (i = rmap_from(kslot, region->start, level); i < end; i++)
			leaves[level - 1] += kvmw_rmap_count(&kslot->arch.rmap[level - 1][i]);
	}
}

u64 kvmw_leaves_below(const struct kvmw_vm *vm, unsigned int as_id, gfn_t gfn, int level,
		      u64 leaves)
{
	const unsigned int shift = KVM_HPAGE_GFN_SHIFT(level);
	gfn_t cursor;

	if (likely(READ_ONCE(vm->armed)))
		return leaves;
	cursor = READ_ONCE(vm->cursor[as_id]);
	if (cursor <= gfn)
		return 0;
	return min(leaves, ((cursor - gfn - 1) >> shift) + 1);
}

/*
 * Count the next region behind the cursor. Returns -EAGAIN when there may be more,
 * 0 when the address space is done, or another error.
 */
static int count_region(struct kvmw_vm *vm, struct kvm *kvm, int as_id)
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
	} else if (kvmw_slot_shares(slot)) {
		slot = vm->stray;
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

/* --- audits ----------------------------------------------------------------- */

/* What we think is mapped, and what is. */
struct finding {
	s64	ours[KVMW_NR_LEVELS];
	s64	kvms[KVMW_NR_LEVELS];
};

static bool agrees(const struct finding *it)
{
	return !memcmp(it->ours, it->kvms, sizeof(it->ours));
}

/*
 * What hits have counted. These sums only grow: when two that were taken one after the other are
 * the same, nothing was counted in between, and each is what a sum at any moment in between would
 * have been.
 */
struct tally {
	u64	map[KVMW_NR_LEVELS];
	u64	unmap[KVMW_NR_LEVELS];
};

static void tally_slot(const struct kvmw_slot *slot, struct tally *tally)
{
	const struct kvmw_slot_cpu *c;
	int cpu, i;

	if (kvmw_slot_shares(slot))
		return;
	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(slot->cpu, cpu);
		for (i = 0; i < KVMW_NR_LEVELS; i++) {
			tally->map[i] += READ_ONCE(c->map[i]);
			tally->unmap[i] += READ_ONCE(c->unmap[i]);
		}
	}
}

static void add_mapped(const struct kvmw_slot *slot, struct tally *tally, struct finding *it)
{
	int i;

	memset(tally, 0, sizeof(*tally));
	tally_slot(slot, tally);
	for (i = 0; i < KVMW_NR_LEVELS; i++)
		it->ours[i] += slot->base[i] + (s64)(tally->map[i] - tally->unmap[i]);
}

#if KVMW_KVM_COUNTS_LEAVES
/*
 * How sure a comparison has to be. Without mmu_lock what differs may be a change that we have
 * counted and KVM has not yet. With it that cannot be, and it is held for three numbers, not for
 * the sums. A VM that never stands still for the time of two sums is compared while it has to,
 * if its sums are few. If they are many, what is found is only what differs by more than it has
 * changed meanwhile.
 */
enum how { WITHOUT_LOCK, LOCK_TO_READ, LOCK_TO_SUM, COMPARE_TRIES = 16 };

/* Slots times possible CPUs whose counters are added up under mmu_lock and kvm_lock at most. */
#define SUM_LOCKED_MAX	4096

static void tally_vm(struct kvmw_vm *vm, struct tally *tally)
{
	struct kvmw_object *obj;

	memset(tally, 0, sizeof(*tally));
	tally_slot(vm->stray, tally);
	list_for_each_entry(obj, &vm->slots, node)
		tally_slot(kvmw_to_slot(obj), tally);
}

/* All slots together. Context: vm->lock held. */
static void sum_ours(struct kvmw_vm *vm, struct tally *tally, struct finding *it)
{
	struct kvmw_object *obj;
	struct tally part;
	int i;

	memset(tally, 0, sizeof(*tally));
	memset(it->ours, 0, sizeof(it->ours));
	add_mapped(vm->stray, &part, it);
	*tally = part;
	list_for_each_entry(obj, &vm->slots, node) {
		add_mapped(kvmw_to_slot(obj), &part, it);
		for (i = 0; i < KVMW_NR_LEVELS; i++) {
			tally->map[i] += part.map[i];
			tally->unmap[i] += part.unmap[i];
		}
	}
}

static bool may_sum_locked(struct kvmw_vm *vm)
{
	unsigned int sums = num_possible_cpus();
	struct kvmw_object *obj;

	list_for_each_entry(obj, &vm->slots, node)
		if (!kvmw_slot_shares(kvmw_to_slot(obj)))
			sums += num_possible_cpus();
	return sums <= SUM_LOCKED_MAX;
}

static void read_pages(const struct kvm *kvm, struct finding *it)
{
	int i;

	for (i = 0; i < KVMW_NR_LEVELS; i++)
		it->kvms[i] = kvmw_kvm_pages(kvm, i + 1);
}

/* KVM's own numbers. Context: the VM is pinned. */
static void read_kvms(struct kvmw_vm *vm, struct kvm *kvm, enum how how, struct tally *tally,
		      struct finding *it)
{
	if (how == WITHOUT_LOCK) {
		read_pages(kvm, it);
		return;
	}
	kvmw_mmu_lock(kvm);
	read_pages(kvm, it);
	if (how == LOCK_TO_SUM)
		sum_ours(vm, tally, it);
	kvmw_mmu_unlock(kvm);
}

/*
 * Is KVM's number one that ours was not at any moment between the two tallies? @it has ours as of
 * the first. Then they differ, though nobody knows by how much.
 */
static bool is_beyond(const struct tally *before, const struct tally *after,
		      const struct finding *it)
{
	int i;

	for (i = 0; i < KVMW_NR_LEVELS; i++)
		if (it->kvms[i] > it->ours[i] + (s64)(after->map[i] - before->map[i]) ||
		    it->kvms[i] < it->ours[i] - (s64)(after->unmap[i] - before->unmap[i]))
			return true;
	return false;
}

/*
 * Returns 1 or 0 when it is sure, else -EAGAIN. A slot's record that came between the list and
 * KVM's numbers is not on the list, though hits may have counted in it. Context: vm->lock held.
 */
static int compare_once(struct kvmw_vm *vm, enum how how, struct finding *it)
{
	struct tally before, after;
	struct kvm *kvm;

	sum_ours(vm, &before, it);
	smp_rmb();	/* whatever of KVM's is read comes after all of ours, ... */
	kvm = kvmw_pin(vm);
	if (!kvm)
		return -ESRCH;
	read_kvms(vm, kvm, how, &before, it);
	kvmw_unpin();
	smp_rmb();	/* ... and before all of ours once more */
	if (how != LOCK_TO_SUM) {
		tally_vm(vm, &after);
		if (!is_beyond(&before, &after, it))
			return memcmp(&before, &after, sizeof(before)) ? -EAGAIN : 1;
	} else if (agrees(it)) {
		return 1;
	}
	return how == WITHOUT_LOCK || kvmw_any_newborn() ? -EAGAIN : 0;
}

static enum how how_to_compare(struct kvmw_vm *vm, int tries)
{
	if (!tries)
		return WITHOUT_LOCK;
	return tries > 1 && may_sum_locked(vm) ? LOCK_TO_SUM : LOCK_TO_READ;
}
#else
enum { COMPARE_TRIES = 16 };

static bool is_whole(const struct kvmw_slot *slot, const struct region *region)
{
	return region->start == slot->base_gfn && region->end == slot->base_gfn + slot->npages;
}

/*
 * Add the leaves of a region, in which @region->start is. If it is all of the slot, ours are of
 * the same moment. Context: the VM is pinned.
 */
static int add_region(const struct kvmw_slot *slot, struct kvm *kvm, struct region *region,
		      struct finding *it)
{
	int as_id = slot->obj.subkey >> 16, srcu, err = -EAGAIN;
	struct tally unused;

	kvmw_mmu_lock(kvm);
	srcu = srcu_read_lock(&kvm->srcu);
	region->kslot = id_to_memslot(__kvm_memslots(kvm, as_id), slot->obj.subkey & 0xffff);
	if (!region->kslot || region->kslot->base_gfn != slot->base_gfn ||
	    region->kslot->npages != slot->npages)
		goto out;
	region->end = min(slot->base_gfn + slot->npages, ALIGN(region->start + 1, REGION_PAGES));
	if (!count_tdp(kvm, as_id, region, it->kvms))
		goto out;
	count_shadow(region, it->kvms);
	if (is_whole(slot, region)) {
		memset(it->ours, 0, sizeof(it->ours));
		add_mapped(slot, &unused, it);
	}
	err = 0;
out:
	srcu_read_unlock(&kvm->srcu, srcu);
	kvmw_mmu_unlock(kvm);
	return err;
}

/*
 * A slot against its page tables, a region at a time, as mmu_lock is held for each. They are of
 * one moment if nothing was counted from before the first to after the last.
 */
static int compare_slot(struct kvmw_vm *vm, const struct kvmw_slot *slot, struct finding *it)
{
	struct region region = { .end = slot->base_gfn };
	struct tally before, after = {};
	struct kvm *kvm;
	int err;

	memset(it, 0, sizeof(*it));
	add_mapped(slot, &before, it);
	while (region.end < slot->base_gfn + slot->npages) {
		kvm = kvmw_pin(vm);
		if (!kvm)
			return -ESRCH;
		region.start = region.end;
		err = add_region(slot, kvm, &region, it);
		kvmw_unpin();
		if (err)
			return err;
		cond_resched();
	}
	tally_slot(slot, &after);
	if (!is_whole(slot, &region) && memcmp(&before, &after, sizeof(before)))
		return -EAGAIN;
	return agrees(it);
}

/* Each slot that KVM has. Returns 1 or 0 when it is sure, else -EAGAIN. Context: vm->lock held. */
static int compare_once(struct kvmw_vm *vm, int how, struct finding *it)
{
	struct kvmw_object *obj;
	int same;

	list_for_each_entry(obj, &vm->slots, node) {
		if (!READ_ONCE(obj->key) || !READ_ONCE(kvmw_to_slot(obj)->committed) ||
		    kvmw_slot_shares(kvmw_to_slot(obj)))
			continue;
		same = compare_slot(vm, kvmw_to_slot(obj), it);
		if (same != 1)
			return same;
	}
	return 1;
}

static int how_to_compare(struct kvmw_vm *vm, int tries)
{
	return 0;
}
#endif

/* Returns 1 or 0, or -ESRCH; -EAGAIN: too much goes on in the VM to be sure. */
static int compare(struct kvmw_vm *vm, struct finding *it)
{
	int tries, same = -EAGAIN;

	for (tries = 0; same == -EAGAIN && tries < COMPARE_TRIES; tries++) {
		if (tries > 2)
			usleep_range(100, 1000);
		kvmw_absorb();
		mutex_lock(&vm->lock);
		same = compare_once(vm, how_to_compare(vm, tries), it);
		mutex_unlock(&vm->lock);
	}
	return same;
}

static void report(const struct kvmw_vm *vm, const struct finding *it)
{
	pr_warn_ratelimited("VM %llu (%s): audit failed: %lld, %lld, %lld pages of 4K, 2M, 1G counted, KVM has %lld, %lld, %lld\n",
			    vm->obj.id, vm->name, it->ours[0], it->ours[1], it->ours[2],
			    it->kvms[0], it->kvms[1], it->kvms[2]);
}

/* Count the comparison of leaves. Returns as kvmw_audit() does. */
static int audit_leaves(struct kvmw_vm *vm)
{
	struct finding it;
	int same = compare(vm, &it);

	if (same < 0)
		return same;
	mutex_lock(&vm->lock);
	vm->audits++;
	vm->audit_failures += !same;
	vm->leaf_failures += !same;
	mutex_unlock(&vm->lock);
	if (!same)
		report(vm, &it);
	return same;
}

int kvmw_audit(struct kvmw_vm *vm)
{
	int same = vm->opaque ? -EOPNOTSUPP : -EAGAIN;
	bool marks, vcpus;

	kvmw_house_lock();
	if (vm->armed && !READ_ONCE(vm->unsure) && !vm->mapped_bad)
		same = audit_leaves(vm);
	if (!same) {
		WRITE_ONCE(vm->unsure, true);
		kvmw_rescan();
	}
	marks = kvmw_marks_audit(vm);
	vcpus = kvmw_vcpus_audit(vm);
	kvmw_house_unlock();
	return marks && vcpus ? same : 0;
}

static void leaves_audit_end(struct kvmw_vm *vm)
{
	struct finding it;
	int i;

	if (!vm->freed || !vm->armed || READ_ONCE(vm->unsure) || vm->mapped_bad)
		return;
	kvmw_slot_mapped(vm->stray, it.ours);
	for (i = 0; i < KVMW_NR_LEVELS; i++) {
		it.ours[i] += vm->gone_mapped[i];
		it.kvms[i] = vm->kvms_last[i];
	}
	vm->audits++;
	if (agrees(&it))
		return;
	vm->audit_failures++;
	vm->leaf_failures++;
	report(vm, &it);
}

void kvmw_audit_end(struct kvmw_vm *vm)
{
	lockdep_assert_held(&vm->lock);
	leaves_audit_end(vm);
	vm->audits += vm->ends_compared;
	vm->audit_failures += !!vm->ends_refuted;
}

/* --- counting --------------------------------------------------------------- */

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
	memset(vm->gone_mapped, 0, sizeof(vm->gone_mapped));
	vm->mapped_now = 0;
}

static int count_all_regions(struct kvmw_vm *vm)
{
	struct kvm *kvm;
	int as_id, err;

	for (as_id = 0; as_id < KVMW_NR_AS; as_id++) {
		do {
			kvm = kvmw_pin(vm);
			if (!kvm)
				return -ESRCH;
			err = count_region(vm, kvm, as_id);
			kvmw_unpin();
			kvmw_pools_fill();
			cond_resched();
		} while (err == -EAGAIN);
		if (err)
			return err;
	}
	return 0;
}

static void count_failed(struct kvmw_vm *vm)
{
	vm->retry_after = clamp_t(unsigned long, vm->retry_after * 2, RETRY_MIN, RETRY_MAX);
	vm->retry_at = jiffies + vm->retry_after;
	WRITE_ONCE(vm->mapped_bad, true);
}

static void count_vm(struct kvmw_vm *vm)
{
	int same;

	kvmw_absorb();	/* no hit counts any more in those born until now either */
	mutex_lock(&vm->lock);
	zero_mapped(vm);
	mutex_unlock(&vm->lock);
	if (count_all_regions(vm)) {
		count_failed(vm);
		return;
	}
	/* Every region counts, so this changes for no hit whether it counts. */
	WRITE_ONCE(vm->armed, true);
	same = audit_leaves(vm);
	/* One that does too much to be compared is believed, unless it was wrong before. */
	if (!same || (same < 0 && vm->leaf_failures))
		count_failed(vm);
	else
		vm->retry_after = 0;
}

/*
 * The first behind @vm (NULL: of all) that is not counted yet. The list grows under kvmw_lock;
 * who takes a VM off it, or drops the table's reference, does so under house_lock, as we do.
 */
static struct kvmw_vm *next_unarmed(struct kvmw_vm *vm)
{
	struct list_head *pos = vm ? &vm->obj.node : &kvmw_vms;
	struct kvmw_object *obj;

	vm = NULL;
	mutex_lock(&kvmw_lock);
	while (!vm && (pos = pos->next) != &kvmw_vms) {
		obj = list_entry(pos, struct kvmw_object, node);
		if (READ_ONCE(obj->key) && !obj->vm->armed && !obj->vm->mapped_bad &&
		    !obj->vm->opaque && !READ_ONCE(obj->vm->dying))
			vm = obj->vm;
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

void kvmw_leaves_count(void)
{
	struct kvmw_vm *vm = NULL;

	disarm_unsure();
	while ((vm = next_unarmed(vm)))
		count_vm(vm);
}

/* --- from time to time ------------------------------------------------------ */

/* One whose count did not come out right, and that has waited long enough. */
static void try_again(struct kvmw_vm *vm)
{
	kvmw_house_lock();
	if (vm->mapped_bad && time_after_eq(jiffies, vm->retry_at)) {
		WRITE_ONCE(vm->unsure, true);
		WRITE_ONCE(vm->armed, true);	/* to be disarmed, see disarm_unsure() */
		WRITE_ONCE(vm->mapped_bad, false);
		kvmw_rescan();
	}
	kvmw_house_unlock();
}

static void audit_fn(struct work_struct *unused);
static DECLARE_DELAYED_WORK(audit_work, audit_fn);

static void schedule_audit(void)
{
	if (audit_seconds)
		queue_delayed_work(kvmw_unbound_wq, &audit_work, audit_seconds * HZ);
}

static void audit_fn(struct work_struct *unused)
{
	struct kvmw_object **vms;
	int nr, i;

	kvmw_hooks_look();
	nr = kvmw_get_vms(&vms);
	for (i = 0; i < nr; i++) {
		kvmw_audit(vms[i]->vm);
		try_again(vms[i]->vm);
		cond_resched();
	}
	if (nr >= 0)
		kvmw_put_all(vms, nr);
	schedule_audit();
}

void kvmw_leaves_init(void)
{
	audit_seconds = min(audit_seconds, 86400U);
	schedule_audit();
}

void kvmw_leaves_exit(void)
{
	cancel_delayed_work_sync(&audit_work);
}
