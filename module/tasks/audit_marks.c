// SPDX-License-Identifier: GPL-2.0
/*
 * Audits of dirty marks: the marks that hits have counted against the bits that KVM's logs got.
 *
 * A log gets a bit when a page is marked that is not marked yet, which dirty_marks_new counts
 * just before. It loses bits when the VMM collects it, in KVM_GET_DIRTY_LOG or
 * KVM_CLEAR_DIRTY_LOG, whatever of the two the VMM uses: the hook log_word counts these. So of
 * two looks at a log
 *
 *	new marks in between = pages collected in between + bits more set than before
 *
 * Nobody has to stand still for that. What is read first bounds a sum from below, what is read
 * last from above, and the comparison takes the bounds that let it pass. KVM may set the bits of
 * a log that starts (KVM_DIRTY_LOG_INITIALLY_SET), or have set some before kvmwatch came: they
 * are there in the first look, which is compared with nothing.
 *
 * Marks in progress are counted already, and their bits are not set yet. One that is in progress
 * during a look is on another side of it for us than for KVM. One that finds its page marked, is
 * overtaken by a collection, and then marks it, is none for us and one for KVM. A task makes one
 * mark at a time, and is a vCPU's or is on a CPU (the mark takes a few instructions), so each
 * look and each collection makes up for CPUs and vCPUs. (A task could be overtaken more than
 * once by one collection, if it marks marked pages, each in the few instructions in which that
 * takes its word. All others had to be as unlucky in the same one for an audit to fail.)
 *
 * Two that mark the same page at the same moment are two for us and one for KVM. So too many
 * marks are a fault only where there is one vCPU and nobody else has marked anything.
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
		out->by_host += counted.marks[i][1];
	kvmw_slot_cpu_sum(slot->obj.vm->stray->cpu, &counted);
	out->lost = counted.counted.lost_events[0];
	out->collected = READ_ONCE(slot->collected);
	out->collects = READ_ONCE(slot->collects);
}

/* Bits that KVM has taken, but the hook has not counted yet, are counted after this. */
static bool collection_ends(struct kvmw_vm *vm, struct kvmw_log_look *look)
{
	struct kvm *kvm = kvmw_pin(vm);

	if (!kvm)
		return false;
	look->vcpus = atomic_read(&kvm->online_vcpus);
	kvmw_mmu_lock(kvm);
	kvmw_mmu_unlock(kvm);
	kvmw_unpin();
	return true;
}

static bool look_at(const struct kvmw_slot *slot, struct kvmw_log_look *look)
{
	s64 set;

	look->life = READ_ONCE(slot->log_life);
	smp_rmb();	/* counts of this log, or of a later one: then its life is another */
	sum(slot, &look->first);
	smp_rmb();	/* these are lower bounds for what the log is read with */
	set = kvmw_log_weight(slot);
	if (set < 0 || !collection_ends(slot->obj.vm, look))
		return false;
	look->set = set;
	smp_rmb();	/* and these are upper bounds */
	sum(slot, &look->last);
	smp_rmb();	/* all of it was of this log */
	return READ_ONCE(slot->log_life) == look->life;
}

/* What marks in progress can make up for between two looks. */
static s64 in_progress(const struct kvmw_log_look *then, const struct kvmw_log_look *now)
{
	u64 tasks = num_online_cpus() + max(then->vcpus, now->vcpus);

	return tasks * (1 + now->last.collects - then->first.collects);
}

/* Has the log got more than we have counted? */
static bool too_few(const struct kvmw_log_look *then, const struct kvmw_log_look *now)
{
	s64 got = now->first.collected + now->set - (then->last.collected + then->set);
	s64 counted = now->last.new_marks - then->first.new_marks;

	return got > counted + in_progress(then, now);
}

static bool too_many(const struct kvmw_log_look *then, const struct kvmw_log_look *now)
{
	s64 got = now->last.collected + now->set - (then->first.collected + then->set);
	s64 counted = now->first.new_marks - then->last.new_marks;

	if (max(then->vcpus, now->vcpus) > 1 || now->last.by_host != then->first.by_host)
		return false;
	return counted > got + in_progress(then, now);
}

static void report(const struct kvmw_slot *slot, const struct kvmw_log_look *then,
		   const struct kvmw_log_look *now)
{
	pr_warn_ratelimited("VM %llu (%s) slot %u:%u: audit failed: %llu new dirty marks counted, KVM's dirty log got %lld\n",
			    slot->obj.vm->obj.id, slot->obj.vm->name, slot->obj.subkey >> 16,
			    slot->obj.subkey & 0xffff,
			    now->last.new_marks - then->first.new_marks,
			    (s64)(now->last.collected + now->set -
				  (then->last.collected + then->set)));
}

/* Returns whether it was compared, and in @same with what result. */
static bool audit_slot(struct kvmw_slot *slot, bool *same)
{
	struct kvmw_log_look now, *then = slot->looked;
	bool compared;

	if (!READ_ONCE(slot->log) || kvmw_slot_shares(slot)) {
		if (then)
			then->life = 0;
		return false;
	}
	if (!look_at(slot, &now))
		return false;
	/* A mark that found no record is counted as lost, and is in the log all the same. */
	compared = then && then->life == now.life && then->first.lost == now.last.lost;
	*same = !compared || (!too_few(then, &now) && !too_many(then, &now));
	if (!*same)
		report(slot, then, &now);
	if (!then)
		then = kzalloc(sizeof(*then), GFP_KERNEL);	/* none: at the next audit */
	if (then)
		*then = now;
	WRITE_ONCE(slot->looked, then);
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

	if (vm->ring || needed & ~READ_ONCE(kvmw_hooks_attached))
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
