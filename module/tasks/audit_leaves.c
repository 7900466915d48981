// SPDX-License-Identifier: GPL-2.0
/*
 * Audits of mapped pages. They compare the leaves that hits counted with KVM's own numbers, or with
 * its page tables where it has no numbers, under the lock under which both change. After a failure
 * mapped_* are unavailable until a recount agrees with KVM. map_* and unmap_* stay unavailable, as
 * hits have missed some.
 */
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/srcu.h>
#include <linux/string.h>

#include "kernel/kvm_mmu.h"
#include "numbers/snapshot.h"
#include "records/counts.h"
#include "records/list.h"
#include "records/mapped.h"
#include "records/pin.h"
#include "records/record.h"
#include "tasks/audit_leaves.h"
#include "tasks/walk.h"

/* Mapped leaves by level: our counts, and KVM's. */
struct finding {
	s64	ours[KVMW_NR_LEVELS];
	s64	kvms[KVMW_NR_LEVELS];
};

static bool agrees(const struct finding *it)
{
	return !memcmp(it->ours, it->kvms, sizeof(it->ours));
}

/*
 * A sum of counters. Counters only grow: if two sums taken one after the other are equal, no hit
 * counted in between, and both are exact at any moment in between.
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
 * Three ways to compare. WITHOUT_LOCK proves equality only: a difference may be a change that we
 * have counted and KVM has not yet. LOCK_TO_READ takes mmu_lock for KVM's three numbers, but not
 * for our sums; this proves a difference that exceeds all changes meanwhile. LOCK_TO_SUM also adds
 * up our counters under the lock, for a VM that changes all the time, if it has few slots.
 */
enum how { WITHOUT_LOCK, LOCK_TO_READ, LOCK_TO_SUM, COMPARE_TRIES = 16 };

/* Limit of slots times possible CPUs to add up under mmu_lock and kvm_lock. */
#define SUM_LOCKED_MAX	4096

static void tally_vm(struct kvmw_vm *vm, struct tally *tally)
{
	struct kvmw_object *obj;

	memset(tally, 0, sizeof(*tally));
	tally_slot(vm->stray, tally);
	list_for_each_entry(obj, &vm->slots, node)
		tally_slot(kvmw_to_slot(obj), tally);
}

/* Add up all slots of a VM. Context: vm->lock held. */
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
 * Is KVM's number outside of all values that ours can have had between the two tallies? @it has
 * ours as of the first. If so the two differ, by an unknown amount.
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
 * Returns 1 or 0 when sure, else -EAGAIN. If a slot got its record after we summed the list and
 * before we read KVM's numbers, hits may have counted in it, but our sums lack it: then a
 * difference proves nothing. Context: vm->lock held.
 */
static int compare_once(struct kvmw_vm *vm, enum how how, struct finding *it)
{
	struct tally before, after;
	struct kvm *kvm;

	sum_ours(vm, &before, it);
	smp_rmb();	/* read KVM's numbers after all of ours ... */
	kvm = kvmw_pin(vm);
	if (!kvm)
		return -ESRCH;
	read_kvms(vm, kvm, how, &before, it);
	kvmw_unpin();
	smp_rmb();	/* ... and before the second sum of ours */
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

static bool is_whole(const struct kvmw_slot *slot, const struct kvmw_region *region)
{
	return region->start == slot->base_gfn && region->end == slot->base_gfn + slot->npages;
}

/*
 * Add the leaves of the region that begins at @region->start. If the region is the whole slot, sum
 * up ours under the same lock. Context: the VM is pinned.
 */
static int add_region(const struct kvmw_slot *slot, struct kvm *kvm, struct kvmw_region *region,
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
	region->end = min(slot->base_gfn + slot->npages,
			  ALIGN(region->start + 1, KVMW_REGION_PAGES));
	if (!kvmw_count_tdp(kvm, as_id, region, it->kvms))
		goto out;
	kvmw_count_shadow(region, it->kvms);
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
 * Compare a slot with its page tables, one region after the other to hold mmu_lock briefly. The
 * result is valid if no hit counted from before the first region until after the last.
 */
static int compare_slot(struct kvmw_vm *vm, const struct kvmw_slot *slot, struct finding *it)
{
	struct kvmw_region region = { .end = slot->base_gfn };
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

/* Compare each committed slot. Returns 1 or 0 when sure, else -EAGAIN. Context: vm->lock held. */
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

/* Returns 1, 0 or -ESRCH; -EAGAIN: the VM changes too fast to be sure. */
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

int kvmw_audit_leaves(struct kvmw_vm *vm)
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

void kvmw_audit_leaves_end(struct kvmw_vm *vm)
{
	struct finding it;
	int i;

	if (!vm->freed || !kvmw_mapped_known(vm))
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
