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

static void sum_counted(const struct kvmw_slot_counted *counted, struct kvmw_slot_counted *sum)
{
	const u64 *from = (const u64 *)counted;
	u64 *to = (u64 *)sum;
	size_t i;

	for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
		to[i] += READ_ONCE(from[i]);
}

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
		sum_counted(&c->counted, &sum->counted);
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
		marks += sum->marks[i][0] + sum->marks[i][1];
	return marks;
}

/* --- what rows are made of ---------------------------------------------------- */

/* What was gathered of a slot, or of a VM; the rows of stat_table.h make statistics of it. */
struct gathered {
	struct kvmw_slot	*slot;		/* NULL: of a VM */
	struct kvmw_vm		*vm;		/* with its lock held; or NULL */
	struct kvmw_slot_cpu	hits;		/* what hits have counted */
	s64			mapped[KVMW_NR_LEVELS];
	u64			vcpus;
};

static u64 marks_by(const struct gathered *it, enum kvmw_cause cause)
{
	return it->hits.marks[cause][0] + it->hits.marks[cause][1];
}

static u64 marks_by_host(const struct gathered *it)
{
	u64 marks = 0;
	int i;

	for (i = 0; i < KVMW_NR_CAUSES; i++)
		marks += it->hits.marks[i][1];
	return marks;
}

static u64 peak_of(const struct gathered *it)
{
	return max_t(u64, kvmw_mapped_bytes(it->mapped), READ_ONCE(it->vm->mapped_peak));
}

/* The sum of @of over a VM's slots that readers see. A dying VM's go without a word. */
static u64 of_slots(const struct gathered *it, u64 (*of)(const struct kvmw_slot *slot))
{
	struct kvmw_object *obj;
	u64 sum = 0;

	if (READ_ONCE(it->vm->dying))
		return 0;
	list_for_each_entry(obj, &it->vm->slots, node)
		if (kvmw_shown(obj))
			sum += of(kvmw_to_slot(obj));
	return sum;
}

static u64 is_there(const struct kvmw_slot *slot)
{
	return 1;
}

static u64 is_logged(const struct kvmw_slot *slot)
{
	return !!(READ_ONCE(slot->flags) & KVM_MEM_LOG_DIRTY_PAGES);
}

static u64 logged_bytes(const struct kvmw_slot *slot)
{
	if (!is_logged(slot) || !kvmw_slot_is_memory(&slot->obj))
		return 0;
	return (u64)READ_ONCE(slot->npages) << PAGE_SHIFT;
}

/* Make the statistics of the rows: of a histogram an array of cells, else one. */
#define VALUE_MADE(value)		(value) VALUE_IGNORE
#define VALUE_COUNTED(name)		it->hits.counted.name[0]
#define VALUE_IGNORE(name)
#define MAKE_CELL(to, value)		((to)[0] = (value))
#define MAKE_CELLS(to, value)		memcpy(to, value, sizeof(to))
#define MAKE_CUMULATIVE			MAKE_CELL
#define MAKE_INSTANT			MAKE_CELL
#define MAKE_PEAK			MAKE_CELL
#define MAKE_LOG_HIST			MAKE_CELLS
#define MAKE_AGE_HIST			MAKE_CELLS
#define MAKE_ROW(name, type, unit, needs, source, ...)				\
	MAKE_##type(out->name, VALUE_##source(name));

static void slot_collect(struct kvmw_slot *slot, struct kvmw_slot_stats *out)
{
	struct gathered gathered = { .slot = slot }, *it = &gathered;

	kvmw_slot_cpu_sum(slot->cpu, &it->hits);
	mapped_of(slot->base, &it->hits, it->mapped);
	KVMW_SLOT_STATS(MAKE_ROW)
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

static void add_slot(struct gathered *it, const struct kvmw_slot *slot)
{
	s64 mapped[KVMW_NR_LEVELS];
	struct kvmw_slot_cpu sum;
	int i;

	kvmw_slot_cpu_sum(slot->cpu, &sum);
	kvmw_slot_cpu_add(&it->hits, &sum);
	mapped_of(slot->base, &sum, mapped);
	for (i = 0; i < KVMW_NR_LEVELS; i++)
		it->mapped[i] += mapped[i];
}

static void vm_collect(struct kvmw_vm *vm, struct kvmw_vm_stats *out,
		       struct kvmw_vcpu_stats *scratch)
{
	struct gathered gathered = { .vm = vm }, *it = &gathered;
	struct kvmw_object *obj;

	mutex_lock(&vm->lock);
	it->hits = vm->gone_slots;
	list_for_each_entry(obj, &vm->slots, node)
		add_slot(it, kvmw_to_slot(obj));
	add_slot(it, vm->stray);
	out->vcpus_sum = *vm->gone_vcpus;
	list_for_each_entry(obj, &vm->vcpus, node) {
		kvmw_vcpu_snapshot(kvmw_to_vcpu(obj), scratch);
		kvmw_vcpu_stats_add(&out->vcpus_sum, scratch);
		it->vcpus += kvmw_shown(obj);
	}
	KVMW_VM_STATS(MAKE_ROW)
	mutex_unlock(&vm->lock);
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
