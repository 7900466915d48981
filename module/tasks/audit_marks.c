// SPDX-License-Identifier: GPL-2.0
/*
 * Audits of dirty marks. They compare the marks that hits counted with the bits that KVM's logs
 * got.
 *
 * KVM sets a bit when it marks a page that is not marked yet; dirty_marks_new counts that just
 * before. KVM clears bits when the VMM collects the log, with KVM_GET_DIRTY_LOG or
 * KVM_CLEAR_DIRTY_LOG; the hook log_word counts these for either ioctl. So between two samples of a
 * log
 *
 *	new marks = pages collected + increase of the bits set
 *
 * The VM may run meanwhile. Sums taken at the beginning of a sample are lower bounds, sums taken at
 * its end are upper bounds, and the comparison uses the bounds that let it pass. KVM may set all
 * bits of a new log (KVM_DIRTY_LOG_INITIALLY_SET), or may have set bits before kvmwatch was loaded.
 * The first sample includes these, and is compared with nothing.
 *
 * The hook counts a mark before KVM sets its bit. A mark in progress during a sample comes before
 * it in our count, and after it in KVM's. A mark of a marked page, whose bit a collection clears
 * before KVM sets it again, is no new mark in our count, but one in KVM's. A task makes one mark at
 * a time, and either runs a vCPU or is on a CPU for the few instructions of the mark. So each
 * sample and each collection allows for one mark per CPU and vCPU. (One collection could overtake a
 * task twice, if the task marks two marked pages within the few instructions in which the
 * collection takes the word of each. An audit would fail only if all other tasks were as unlucky in
 * the same collection.)
 *
 * If two vCPUs mark the same page at the same moment, we count two marks and KVM sets one bit. So
 * too many marks are a fault only if the VM has one vCPU and nobody else marked a page.
 */
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/kvm_host.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <uapi/linux/kvmwatch.h>

#include "hooks/hook.h"
#include "kernel/kvm_functions.h"
#include "kernel/kvm_mmu.h"
#include "numbers/dirty_log.h"
#include "numbers/snapshot.h"
#include "records/counts.h"
#include "records/list.h"
#include "records/log_audit.h"
#include "records/pin.h"
#include "records/record.h"
#include "tasks/audit_marks.h"

static void sum(const struct kvmw_slot *slot, struct kvmw_log_sums *out)
{
	struct kvmw_slot_cpu counted;
	int i;

	kvmw_slot_cpu_sum(slot->cpu, &counted);
	out->new_marks = kvmw_marks_new(&counted);
	out->by_host = 0;
	for (i = 0; i < KVMW_NR_CAUSES; i++)
		out->by_host += counted.marks[1][i];
	kvmw_slot_cpu_sum(slot->obj.vm->stray->cpu, &counted);
	out->lost = counted.counted.lost_events[0];
	out->collected = READ_ONCE(slot->collected);
	out->collects = READ_ONCE(slot->collects);
}

/*
 * Wait for collections: KVM clears bits and calls the hook under mmu_lock, so after this the hook
 * has counted all bits that KVM had cleared before.
 */
static bool collection_ends(struct kvmw_vm *vm, struct kvmw_log_sample *sample)
{
	struct kvm *kvm = kvmw_pin(vm);

	if (!kvm)
		return false;
	sample->vcpus = atomic_read(&kvm->online_vcpus);
	kvmw_mmu_lock(kvm);
	kvmw_mmu_unlock(kvm);
	kvmw_unpin();
	return true;
}

static bool sample_log(const struct kvmw_slot *slot, struct kvmw_log_sample *sample)
{
	s64 set;

	sample->life = READ_ONCE(slot->log_life);
	smp_rmb();	/* the counts are of this log, unless log_life changes */
	sum(slot, &sample->first);
	smp_rmb();	/* lower bounds: counted before the log is read */
	set = kvmw_log_weight(slot);
	if (set < 0 || !collection_ends(slot->obj.vm, sample))
		return false;
	sample->set = set;
	smp_rmb();	/* upper bounds: counted after the log was read */
	sum(slot, &sample->last);
	smp_rmb();	/* check that everything was of this log */
	return READ_ONCE(slot->log_life) == sample->life;
}

/* The largest difference between two samples that marks in progress can explain. */
static s64 in_progress(const struct kvmw_log_sample *then, const struct kvmw_log_sample *now)
{
	u64 tasks = num_online_cpus() + max(then->vcpus, now->vcpus);

	return tasks * (1 + now->last.collects - then->first.collects);
}

/* Did the log get more bits than we counted marks? */
static bool too_few(const struct kvmw_log_sample *then, const struct kvmw_log_sample *now)
{
	s64 got = now->first.collected + now->set - (then->last.collected + then->set);
	s64 counted = now->last.new_marks - then->first.new_marks;

	return got > counted + in_progress(then, now);
}

static bool too_many(const struct kvmw_log_sample *then, const struct kvmw_log_sample *now)
{
	s64 got = now->last.collected + now->set - (then->first.collected + then->set);
	s64 counted = now->first.new_marks - then->last.new_marks;

	if (max(then->vcpus, now->vcpus) > 1 || now->last.by_host != then->first.by_host)
		return false;
	return counted > got + in_progress(then, now);
}

static void report(const struct kvmw_slot *slot, const struct kvmw_log_sample *then,
		   const struct kvmw_log_sample *now)
{
	pr_warn_ratelimited("VM %llu (%s) slot %u:%u: audit failed: %llu new dirty marks counted, KVM's dirty log got %lld\n",
			    slot->obj.vm->obj.id, slot->obj.vm->name, slot->obj.subkey >> 16,
			    slot->obj.subkey & 0xffff,
			    now->last.new_marks - then->first.new_marks,
			    (s64)(now->last.collected + now->set -
				  (then->last.collected + then->set)));
}

/* Returns whether the slot was compared, and the result in @same. */
static bool audit_slot(struct kvmw_slot *slot, bool *same)
{
	struct kvmw_log_sample now, *then = slot->log_sample;
	bool compared;

	if (!READ_ONCE(slot->log) || kvmw_slot_shares(slot)) {
		if (then)
			then->life = 0;
		return false;
	}
	if (!sample_log(slot, &now))
		return false;
	/* A lost mark, which found no record, is in the log but not in our counts. */
	compared = then && then->life == now.life && then->first.lost == now.last.lost;
	*same = !compared || (!too_few(then, &now) && !too_many(then, &now));
	if (!*same)
		report(slot, then, &now);
	if (!then)
		then = kzalloc(sizeof(*then), GFP_KERNEL);	/* may fail: again next time */
	if (then)
		*then = now;
	WRITE_ONCE(slot->log_sample, then);
	return compared;
}

bool kvmw_audit_marks(struct kvmw_vm *vm)
{
	const u64 needed = KVMW_HOOK_BIT(dirty_mark) | KVMW_NEED_DIRTY_KERNEL |
			   KVMW_HOOK_BIT(log_word) | KVMW_HOOK_BIT(log_get) |
			   KVMW_HOOK_BIT(log_clear) | KVMW_HOOK_BIT(slot_commit);
	bool all = true, any = false, same;
	struct kvmw_object **slots;
	int nr, i;

	if (vm->ring || needed & ~kvmw_hooks_counting())
		return true;
	nr = kvmw_get_children(vm, KVMWATCH_KIND_SLOT, &slots);
	if (nr < 0)
		return true;
	for (i = 0; i < nr; i++) {
		if (!audit_slot(kvmw_to_slot(slots[i]), &same))
			continue;
		any = true;
		all &= same;
	}
	kvmw_put_all(slots, nr);
	if (any) {
		mutex_lock(&vm->lock);
		vm->audits++;
		vm->audit_failures += !all;
		vm->mark_failures += !all;
		mutex_unlock(&vm->lock);
	}
	return all;
}
