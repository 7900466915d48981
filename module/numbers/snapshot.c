// SPDX-License-Identifier: GPL-2.0
/* The numbers of an object as readers get them. See snapshot.h. */
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/kvm.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/seqlock.h>
#include <linux/string.h>
#include <uapi/linux/kvmwatch.h>

#include "kernel/clock.h"
#include "numbers/describe.h"
#include "numbers/dirty_log.h"
#include "numbers/snapshot.h"
#include "records/counts.h"
#include "records/list.h"
#include "records/record.h"

/* --- slots ----------------------------------------------------------------- */

/*
 * Unmaps first: what comes in between can then make a sum too large for a moment,
 * but never negative.
 */
void kvmw_slot_cpu_sum(const struct kvmw_slot_cpu __percpu *percpu, struct kvmw_slot_cpu *sum)
{
	const struct kvmw_slot_cpu *c;
	int cpu, i;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(percpu, cpu);
		for (i = 0; i < KVMW_NR_LEVELS; i++)
			sum->unmap[i] += READ_ONCE(c->unmap[i]);
		for (i = 0; i < ARRAY_SIZE(c->marks_new); i++)
			sum->marks_new[i] += READ_ONCE(c->marks_new[i]);
	}
	smp_rmb();	/* a page's map, which came before its unmap, is counted below */
	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(percpu, cpu);
		for (i = 0; i < KVMW_NR_LEVELS; i++)
			sum->map[i] += READ_ONCE(c->map[i]);
		for (i = 0; i < KVMW_NR_CAUSES; i++) {
			sum->marks[i][0] += READ_ONCE(c->marks[i][0]);
			sum->marks[i][1] += READ_ONCE(c->marks[i][1]);
		}
		sum->splits += READ_ONCE(c->splits);
		sum->lost += READ_ONCE(c->lost);
	}
}

void kvmw_slot_cpu_add(struct kvmw_slot_cpu *sum, const struct kvmw_slot_cpu *more)
{
	const u64 *from = (const u64 *)more;
	u64 *to = (u64 *)sum;
	size_t i;

	for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
		to[i] += from[i];
}

static void mapped_of(const s64 base[KVMW_NR_LEVELS], const struct kvmw_slot_cpu *sum,
		      s64 mapped[KVMW_NR_LEVELS])
{
	int i;

	for (i = 0; i < KVMW_NR_LEVELS; i++)
		mapped[i] = base[i] + (s64)(sum->map[i] - sum->unmap[i]);
}

void kvmw_slot_mapped(const struct kvmw_slot *slot, s64 mapped[KVMW_NR_LEVELS])
{
	struct kvmw_slot_cpu sum;

	kvmw_slot_cpu_sum(slot->cpu, &sum);
	mapped_of(slot->base, &sum, mapped);
}

/* --- slots as readers see them ----------------------------------------------- */

static u64 marks_by(const struct kvmw_slot_cpu *sum, enum kvmw_cause cause)
{
	return sum->marks[cause][0] + sum->marks[cause][1];
}

u64 kvmw_marks_new(const struct kvmw_slot_cpu *sum)
{
	u64 marks = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sum->marks_new); i++)
		marks += sum->marks_new[i];
	return marks;
}

u64 kvmw_marks(const struct kvmw_slot_cpu *sum)
{
	u64 marks = 0;
	int i;

	for (i = 0; i < KVMW_NR_CAUSES; i++)
		marks += marks_by(sum, i);
	return marks;
}

static void slot_collect(struct kvmw_slot *slot, struct kvmw_slot_stats *out)
{
	s64 mapped[KVMW_NR_LEVELS];
	struct kvmw_slot_cpu sum;

	kvmw_slot_cpu_sum(slot->cpu, &sum);
	mapped_of(slot->base, &sum, mapped);
	*out = (struct kvmw_slot_stats) {
		.npages = { READ_ONCE(slot->npages) },
		.base_gfn = { READ_ONCE(slot->base_gfn) },
		.userspace_addr = { READ_ONCE(slot->userspace_addr) },
		.flags = { READ_ONCE(slot->flags) },
		.mapped_4k = { mapped[0] },
		.mapped_2m = { mapped[1] },
		.mapped_1g = { mapped[2] },
		.mapped_bytes = { kvmw_mapped_bytes(mapped) },
		.dirty_marks = { kvmw_marks(&sum) },
		.dirty_marks_new = { kvmw_marks_new(&sum) },
		.dirty_pages = { kvmw_dirty_pages(slot) },
	};
	memcpy(out->dirty_age_hist, sum.marks_new, sizeof(out->dirty_age_hist));
}

/* --- vCPUs ----------------------------------------------------------------- */

static void add_open_stretch(u64 *sum, u64 *peak, u64 since, u64 now)
{
	u64 length = kvmw_elapsed(now, since);

	*sum += length;
	if (peak && length > *peak)
		*peak = length;
}

void kvmw_vcpu_snapshot(const struct kvmw_vcpu *vcpu, struct kvmw_vcpu_stats *out)
{
	u64 now, since, halted_since, exit_since;
	unsigned int seq;
	bool halted;
	u8 where;

	do {
		seq = read_seqcount_begin(&vcpu->seq);
		*out = vcpu->stats;
		where = vcpu->where;
		since = vcpu->since;
		halted = vcpu->halted;
		halted_since = vcpu->halted_since;
		exit_since = kvmw_exit_open(vcpu) ? vcpu->exit_span.since : 0;
		now = kvmw_now_anywhere();
	} while (read_seqcount_retry(&vcpu->seq, seq));

	if (where == KVMW_VCPU_ON_CPU)
		add_open_stretch(out->on_cpu_ns, out->on_cpu_ns_max, since, now);
	else if (where == KVMW_VCPU_OFF_CPU)
		add_open_stretch(out->off_cpu_ns, out->off_cpu_ns_max, since, now);
	if (halted)
		add_open_stretch(out->halt_time_ns, NULL, halted_since, now);
	if (exit_since)
		add_open_stretch(out->exit_time_ns, NULL, exit_since, now);
}

/* Counts and histograms add up, peaks are the highest; see the table. */
void kvmw_vcpu_stats_add(struct kvmw_vcpu_stats *sum, const struct kvmw_vcpu_stats *more)
{
	const struct kvmw_stat *stat;
	const u64 *from;
	unsigned int nr, i;
	u64 *to;

	for (stat = kvmw_stats_table(KVMWATCH_KIND_VCPU, &nr); nr--; stat++) {
		to = (void *)sum + stat->offset;
		from = (const void *)more + stat->offset;
		for (i = 0; i < stat->kept; i++) {
			if ((stat->flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_PEAK)
				to[i] = max(to[i], from[i]);
			else
				to[i] += from[i];
		}
	}
}

/* --- VMs ------------------------------------------------------------------- */

/* The slot that readers see: how much of it is logged goes to the numbers of its VM. */
static void add_logged(struct kvmw_vm_stats *out, const struct kvmw_slot *slot)
{
	if (!(READ_ONCE(slot->flags) & KVM_MEM_LOG_DIRTY_PAGES))
		return;
	out->dirty_logged_slots[0]++;
	if (kvmw_slot_is_memory(&slot->obj))
		out->dirty_logged_bytes[0] += (u64)READ_ONCE(slot->npages) << PAGE_SHIFT;
}

static void vm_collect(struct kvmw_vm *vm, struct kvmw_vm_stats *out,
		       struct kvmw_vcpu_stats *scratch)
{
	s64 mapped[KVMW_NR_LEVELS] = {}, part[KVMW_NR_LEVELS];
	struct kvmw_slot_cpu sum, total;
	struct kvmw_object *obj;
	u64 vcpus = 0, slots = 0;
	int i;

	out->dirty_logged_bytes[0] = 0;
	out->dirty_logged_slots[0] = 0;
	mutex_lock(&vm->lock);
	total = vm->gone_slots;
	list_for_each_entry(obj, &vm->slots, node) {
		struct kvmw_slot *slot = kvmw_to_slot(obj);

		kvmw_slot_cpu_sum(slot->cpu, &sum);
		mapped_of(slot->base, &sum, part);
		for (i = 0; i < KVMW_NR_LEVELS; i++)
			mapped[i] += part[i];
		kvmw_slot_cpu_add(&total, &sum);
		/* A dying VM's slots go without a word. */
		if (READ_ONCE(vm->dying) || !kvmw_shown(obj))
			continue;
		slots++;
		add_logged(out, slot);
	}
	kvmw_slot_cpu_sum(vm->stray->cpu, &sum);
	mapped_of(vm->stray->base, &sum, part);
	for (i = 0; i < KVMW_NR_LEVELS; i++)
		mapped[i] += part[i];
	kvmw_slot_cpu_add(&total, &sum);

	out->vcpus_sum = *vm->gone_vcpus;
	list_for_each_entry(obj, &vm->vcpus, node) {
		kvmw_vcpu_snapshot(kvmw_to_vcpu(obj), scratch);
		kvmw_vcpu_stats_add(&out->vcpus_sum, scratch);
		vcpus += kvmw_shown(obj);
	}
	mutex_unlock(&vm->lock);

	out->mapped_4k[0] = mapped[0];
	out->mapped_2m[0] = mapped[1];
	out->mapped_1g[0] = mapped[2];
	out->mapped_bytes[0] = kvmw_mapped_bytes(mapped);
	out->mapped_bytes_peak[0] = max(out->mapped_bytes[0], READ_ONCE(vm->mapped_peak));
	out->map_4k[0] = total.map[0];
	out->map_2m[0] = total.map[1];
	out->map_1g[0] = total.map[2];
	out->unmap_4k[0] = total.unmap[0];
	out->unmap_2m[0] = total.unmap[1];
	out->unmap_1g[0] = total.unmap[2];
	out->huge_splits[0] = total.splits;
	out->dirty_marks[0] = kvmw_marks(&total);
	out->dirty_marks_new[0] = kvmw_marks_new(&total);
	memcpy(out->dirty_age_hist, total.marks_new, sizeof(out->dirty_age_hist));
	out->dirty_marks_fault[0] = marks_by(&total, KVMW_CAUSE_FAULT);
	out->dirty_marks_pml[0] = marks_by(&total, KVMW_CAUSE_PML);
	out->dirty_marks_kvm[0] = marks_by(&total, KVMW_CAUSE_KVM);
	out->dirty_marks_host[0] = 0;
	for (i = 0; i < KVMW_NR_CAUSES; i++)
		out->dirty_marks_host[0] += total.marks[i][1];
	out->dirty_collects[0] = READ_ONCE(vm->collects);
	out->vcpus[0] = vcpus;
	out->slots[0] = slots;
	out->lost_events[0] = total.lost;
	out->audits[0] = READ_ONCE(vm->audits);
	out->audit_failures[0] = READ_ONCE(vm->audit_failures);
}

void kvmw_stats(struct kvmw_object *obj, union kvmw_any_stats *out)
{
	might_sleep();
	kvmw_absorb();
	switch (obj->kind) {
	case KVMWATCH_KIND_VM:
		vm_collect(kvmw_to_vm(obj), &out->vm, &out->scratch);
		break;
	case KVMWATCH_KIND_VCPU:
		kvmw_vcpu_snapshot(kvmw_to_vcpu(obj), &out->vcpu);
		break;
	case KVMWATCH_KIND_SLOT:
		slot_collect(kvmw_to_slot(obj), &out->slot);
		break;
	}
}
