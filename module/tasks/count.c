// SPDX-License-Identifier: GPL-2.0
/*
 * Count the leaves in the page tables of VMs whose leaves hits have not seen appear.
 *
 * A count goes region by region, to hold mmu_lock briefly. Hits below the cursor count. Hits at or
 * above it do not, as the count of their region will include what they change. Both hold mmu_lock,
 * so every leaf is counted once. A leaf belongs to the region of its first page, even if it extends
 * beyond: a leaf of 1 GiB is larger than a region. A hit that changes many leaves, the split of a
 * huge one, counts those whose first page is below the cursor: leaves_below() in probes/mmu.c.
 *
 * house_lock serialises all counting.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/srcu.h>
#include <linux/string.h>

#include "kernel/kvm_mmu.h"
#include "kernel/kvm_slot.h"
#include "numbers/snapshot.h"
#include "records/counts.h"
#include "records/cpu.h"
#include "records/kick.h"
#include "records/list.h"
#include "records/mapped.h"
#include "records/pin.h"
#include "records/pool.h"
#include "records/record.h"
#include "records/slot.h"
#include "tasks/audit_leaves.h"
#include "tasks/count.h"
#include "tasks/walk.h"

/* Delay of the recount of a VM after a failed count; each further failure doubles it. */
#define RETRY_MIN	(10 * HZ)
#define RETRY_MAX	(3600 * HZ)

/*
 * Count the region at the cursor, and advance the cursor. Returns -EAGAIN if there may be more, 0
 * if the address space is done, or another error.
 */
static int count_region(struct kvmw_vm *vm, struct kvm *kvm, int as_id)
{
	s64 leaves[KVMW_NR_LEVELS] = {};
	struct kvmw_region region;
	struct kvmw_slot *slot;
	int i, srcu, err = 0;

	/*
	 * Look up the region under mmu_lock, too. A slot that is created later is either above the
	 * cursor, or gets its first leaf when hits already count there.
	 */
	kvmw_mmu_lock(kvm);
	srcu = srcu_read_lock(&kvm->srcu);
	if (!kvmw_next_region(kvm, as_id, vm->cursor[as_id], &region)) {
		vm->cursor[as_id] = ~0ULL;
		goto out;
	}
	err = -EPROTO;
	if (!kvmw_count_tdp(kvm, as_id, &region, leaves))
		goto out;
	kvmw_count_shadow(&region, leaves);
	slot = kvmw_slot_of(vm, region.kslot);
	if (!slot) {
		slot = vm->stray;
		WRITE_ONCE(vm->needs_recount, true);
		kvmw_rescan();
	} else if (kvmw_slot_shares(slot)) {
		slot = vm->stray;
	}
	for (i = 0; i < KVMW_NR_LEVELS; i++)
		slot->base[i] += leaves[i];
	if (!KVMW_KVM_COUNTS_LEAVES)
		vm->mapped_now += kvmw_mapped_pages(leaves);
	vm->cursor[as_id] = region.end;
	err = -EAGAIN;
out:
	srcu_read_unlock(&kvm->srcu, srcu);
	kvmw_mmu_unlock(kvm);
	return err;
}

/* Set the mapped pages of all slots to 0. Hits do not count meanwhile, as the cursors are 0. */
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

static void retry_later(struct kvmw_vm *vm)
{
	vm->retry_after = clamp_t(unsigned long, vm->retry_after * 2, RETRY_MIN, RETRY_MAX);
	vm->retry_at = jiffies + vm->retry_after;
	WRITE_ONCE(vm->count_failed, true);
}

static void count_vm(struct kvmw_vm *vm)
{
	int same;

	if (!kvmw_leaves_hooked()) {
		/* There is nothing to count. Let hits of marks use the CPU's cache of slots. */
		WRITE_ONCE(vm->leaves_counted, true);
		return;
	}
	kvmw_absorb();	/* list all slots in which hits have counted, for zero_mapped() */
	mutex_lock(&vm->lock);
	zero_mapped(vm);
	mutex_unlock(&vm->lock);
	if (count_all_regions(vm)) {
		retry_later(vm);
		return;
	}
	/* The cursors are at the end, so hits count everywhere already. */
	WRITE_ONCE(vm->leaves_counted, true);
	same = kvmw_audit_leaves(vm);
	/*
	 * Trust the count of a VM that changes too fast to compare, unless an audit failed before.
	 */
	if (!same || (same < 0 && vm->leaf_failures))
		retry_later(vm);
	else
		vm->retry_after = 0;
}

/*
 * The next VM after @vm (NULL: the first of all) that is not counted yet. The list grows under
 * kvmw_lock. VMs leave it, and lose the table's reference, only under house_lock, which we hold.
 */
static struct kvmw_vm *next_uncounted(struct kvmw_vm *vm)
{
	struct list_head *pos = vm ? &vm->obj.node : &kvmw_vms;
	struct kvmw_object *obj;

	vm = NULL;
	mutex_lock(&kvmw_lock);
	while (!vm && (pos = pos->next) != &kvmw_vms) {
		obj = list_entry(pos, struct kvmw_object, node);
		if (READ_ONCE(obj->key) && !obj->vm->leaves_counted && !obj->vm->count_failed &&
		    !obj->vm->opaque && !READ_ONCE(obj->vm->dying))
			vm = obj->vm;
	}
	mutex_unlock(&kvmw_lock);
	return vm;
}

/*
 * Restart the count of VMs that need it. When this returns, no hit counts for them: the first grace
 * period ends hits that found @leaves_counted set, and the second those that found the VM's slot in
 * their CPU's cache.
 */
static void begin_recounts(void)
{
	struct kvmw_object *obj;
	bool any = false;
	int as_id;

	mutex_lock(&kvmw_lock);
	list_for_each_entry(obj, &kvmw_vms, node) {
		struct kvmw_vm *vm = obj->vm;

		if (!READ_ONCE(vm->needs_recount) || !vm->leaves_counted)
			continue;
		for (as_id = 0; as_id < KVMW_NR_AS; as_id++)
			WRITE_ONCE(vm->cursor[as_id], 0);
		WRITE_ONCE(vm->leaves_counted, false);
		WRITE_ONCE(vm->needs_recount, false);
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

	begin_recounts();
	while ((vm = next_uncounted(vm)))
		count_vm(vm);
}

void kvmw_leaves_count_again(struct kvmw_vm *vm)
{
	kvmw_house_lock();
	if (vm->count_failed && time_after_eq(jiffies, vm->retry_at)) {
		WRITE_ONCE(vm->needs_recount, true);
		/* begin_recounts() takes VMs that have it, and clears it. */
		WRITE_ONCE(vm->leaves_counted, true);
		WRITE_ONCE(vm->count_failed, false);
		kvmw_rescan();
	}
	kvmw_house_unlock();
}
