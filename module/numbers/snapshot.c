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
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/kvmwatch.h>

#include "kernel/clock.h"
#include "numbers/describe.h"
#include "numbers/dirty_log.h"
#include "numbers/snapshot.h"
#include "records/counts.h"
#include "records/list.h"
#include "records/record.h"
#include "records/vcpu.h"

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
 * Sum up unmaps before maps. Hits in between may then make the difference too large for a moment,
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
	smp_rmb();	/* maps come before their unmaps: the sum below has all of them */
	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(percpu, cpu);
		for (i = 0; i < KVMW_NR_LEVELS; i++)
			sum->map[i] += READ_ONCE(c->map[i]);
		for (i = 0; i < KVMW_NR_CAUSES; i++) {
			sum->marks[0][i] += READ_ONCE(c->marks[0][i]);
			sum->marks[1][i] += READ_ONCE(c->marks[1][i]);
		}
		sum_counted(&c->counted, &sum->counted);
	}
}

/* Add structures that have nothing but cells. */
static void add_cells(void *sum, const void *more, size_t size)
{
	const u64 *from = more;
	u64 *to = sum;
	size_t i;

	for (i = 0; i < size / sizeof(u64); i++)
		to[i] += from[i];
}

void kvmw_slot_cpu_add(struct kvmw_slot_cpu *sum, const struct kvmw_slot_cpu *more)
{
	add_cells(sum, more, sizeof(*sum));
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
		marks += sum->marks[0][i] + sum->marks[1][i];
	return marks;
}

/* --- input of the rows -------------------------------------------------------- */

/* The numbers of a slot or VM from which the rows of stat_table.h compute statistics. */
struct gathered {
	struct kvmw_slot	*slot;		/* NULL: for a VM */
	struct kvmw_vm		*vm;		/* with its lock held; NULL: for a slot */
	struct kvmw_slot_cpu	hits;		/* counters, summed over CPUs and slots */
	s64			mapped[KVMW_NR_LEVELS];
};

static u64 marks_by(const struct gathered *it, enum kvmw_cause cause)
{
	return it->hits.marks[0][cause] + it->hits.marks[1][cause];
}

static u64 marks_by_host(const struct gathered *it)
{
	u64 marks = 0;
	int i;

	for (i = 0; i < KVMW_NR_CAUSES; i++)
		marks += it->hits.marks[1][i];
	return marks;
}

static u64 peak_of(const struct gathered *it)
{
	u64 pages = max_t(u64, kvmw_mapped_pages(it->mapped), READ_ONCE(it->vm->mapped_peak));

	return pages << PAGE_SHIFT;
}

/* The sum of @of over a VM's shown slots. No hook sees KVM free the slots of a dying VM. */
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

static u64 shown_vcpus(const struct gathered *it)
{
	struct kvmw_object *obj;
	u64 nr = 0;

	list_for_each_entry(obj, &it->vm->vcpus, node)
		nr += kvmw_shown(obj);
	return nr;
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

/* Is the statistic at @offset of a snapshot to be computed? */
static bool is_wanted(const struct kvmw_stat *only, size_t offset)
{
	return !only || only->offset == offset;
}

/* Compute the statistics of the rows. The value of a histogram is an array of cells. */
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
	{									\
		if (is_wanted(only, offsetof(typeof(*out), name)))		\
			MAKE_##type(out->name, VALUE_##source(name));		\
	}

static void slot_collect(struct kvmw_slot *slot, const struct kvmw_stat *only,
			 struct kvmw_slot_stats *out)
{
	struct gathered gathered = { .slot = slot }, *it = &gathered;

	kvmw_slot_cpu_sum(slot->cpu, &it->hits);
	mapped_of(slot->base, &it->hits, it->mapped);
	KVMW_SLOT_STATS(MAKE_ROW)
}

/* --- vCPUs ----------------------------------------------------------------- */

/* The numbers from which a vCPU's rows compute statistics; times in ticks. */
struct times {
	u64	out;		/* out of guest mode, since the first exit */
	u64	guest;
	u64	polled;
	u64	kvm;
	u64	exits;
};

/* A vCPU's record at one moment. */
struct vcpu_copy {
	u64	now;
	u64	since, halted_since, begun;
	u64	before_entry, exits_before, halts_before;
	struct kvmw_exit_span exit;
	u8	where;
	bool	halted;
};

static void copy_record(const struct kvmw_vcpu *vcpu, struct vcpu_copy *copy,
			struct kvmw_vcpu_stats *out)
{
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&vcpu->seq);
		*out = vcpu->stats;
		out->run_delay_ns[0] += vcpu->delay_seen - vcpu->delay_base;
		copy->where = vcpu->where;
		copy->since = vcpu->since;
		copy->halted = vcpu->halted;
		copy->halted_since = vcpu->halted_since;
		copy->exit = vcpu->exit_span;
		copy->begun = vcpu->begun;
		copy->before_entry = vcpu->before_entry;
		copy->exits_before = vcpu->exits_before;
		copy->halts_before = vcpu->halts_before;
		copy->now = kvmw_now_anywhere();
	} while (read_seqcount_retry(&vcpu->seq, seq));
	if (!kvmw_entries_told())
		copy->exit.since = 0;	/* an entry without an event may have ended it */
}

static u64 less(u64 all, u64 part)
{
	return all > part ? all - part : 0;
}

/*
 * Add the length so far of stretches that have not ended. Returns the length of an open exit whose
 * reason is not known yet, as no row has that; else 0.
 */
static u64 add_open_stretches(const struct vcpu_copy *copy, struct kvmw_vcpu_stats *out)
{
	u64 length = kvmw_ticks(copy->now, copy->since), exit;

	if (copy->where == KVMW_VCPU_ON_CPU) {
		out->on_cpu_ns[0] += length;
		out->on_cpu_ns_max[0] = max(out->on_cpu_ns_max[0], length);
	} else if (copy->where >= KVMW_VCPU_OFF_CPU) {
		*kvmw_off_cell(out, copy->where - KVMW_VCPU_OFF_CPU) += length;
		out->off_cpu_ns_max[0] = max(out->off_cpu_ns_max[0], length);
	}
	if (copy->halted)
		out->halt_time_ns[0] += kvmw_ticks(copy->now, copy->halted_since);
	if (!copy->exit.since)
		return 0;
	exit = kvmw_ticks(copy->now, copy->exit.since);
	out->exit_time_ns_max[0] = max(out->exit_time_ns_max[0], exit);
	if (copy->exit.early)
		return exit;
	out->exit_reason_times[copy->exit.cell] += exit;
	return 0;
}

/*
 * While its time is accounted, a vCPU is on a pCPU or off it, and in guest mode or out of it. Hits
 * count only some of these times; the others are differences.
 */
static void work_out(const struct vcpu_copy *copy, struct kvmw_vcpu_stats *out, struct times *it)
{
	u64 exit = add_open_stretches(copy, out), all, not_guest;
	unsigned int why;

	for (why = KVMW_OFF_USER; why <= KVMW_OFF_BLOCKED; why++)
		out->off_cpu_ns[0] += *kvmw_off_cell(out, why);
	all = out->on_cpu_ns[0] + out->off_cpu_ns[0];
	it->out = KVMW_SUM(out->exit_reason_times) + exit;
	not_guest = it->out - copy->exits_before + copy->before_entry;
	if (copy->begun)
		not_guest += kvmw_ticks(copy->now, copy->begun);
	it->guest = less(all, not_guest);
	it->polled = less(out->halt_time_ns[0], copy->halts_before + out->wait_time_ns[0]);
	it->kvm = less(out->on_cpu_ns[0], it->guest + it->polled);
	it->exits = kvmw_vcpu_exits(out);
	out->loads[0] = kvmw_vcpu_loads(out);
	out->puts[0] = kvmw_vcpu_puts(out);
}

static void make_ns(u64 *cells, unsigned int nr)
{
	for (; nr--; cells++)
		if (*cells)
			*cells = kvmw_ticks_ns(*cells);
}

/*
 * Compute the MADE rows. Then convert ticks to nanoseconds, except in histograms by length, whose
 * cells are counts.
 */
#define VCPU_COUNTED(to)
#define VCPU_MADE(value)		made = (value), VCPU_TO
#define VCPU_TO(to)			((to)[0] = made)
#define VCPU_ROW(name, type, unit, needs, source, ...)	VCPU_##source(out->name);
#define NS_OF_NONE(type, cells)
#define NS_OF_NS(type, cells)
#define NS_OF_TICKS(type, cells)	NS_OF_TICKS_##type(cells)
#define NS_OF_TICKS_CUMULATIVE(cells)	make_ns(cells, ARRAY_SIZE(cells));
#define NS_OF_TICKS_PEAK		NS_OF_TICKS_CUMULATIVE
#define NS_OF_TICKS_EXIT_HIST		NS_OF_TICKS_CUMULATIVE
#define NS_OF_TICKS_LOG_HIST(cells)
#define NS_ROW(name, type, unit, ...)	NS_OF_##unit(type, out->name)

void kvmw_vcpu_snapshot(const struct kvmw_vcpu *vcpu, struct kvmw_vcpu_stats *out)
{
	struct times times, *it = &times;
	struct vcpu_copy copy;
	u64 made;

	copy_record(vcpu, &copy, out);
	work_out(&copy, out, it);
	KVMW_VCPU_STATS(VCPU_ROW)
	KVMW_VCPU_STATS(NS_ROW)
}

/* Of a peak that was added to a sum, keep the higher of the two in its place. */
static void keep_highest(u64 *sum, u64 more)
{
	*sum = max(*sum - more, more);
}

#define HIGHEST_CUMULATIVE(name)
#define HIGHEST_INSTANT(name)
#define HIGHEST_LOG_HIST(name)
#define HIGHEST_EXIT_HIST(name)
#define HIGHEST_USER_HIST(name)
#define HIGHEST_PEAK(name)		keep_highest(sum->name, more->name[0]);
#define HIGHEST_ROW(name, type, ...)	HIGHEST_##type(name)

/* Counts and histograms add up; of peaks the highest is kept. */
void kvmw_vcpu_stats_add(struct kvmw_vcpu_stats *sum, const struct kvmw_vcpu_stats *more)
{
	add_cells(sum, more, sizeof(*sum));
	KVMW_VCPU_STATS(HIGHEST_ROW)
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

/* The VM's own statistics. Context: its lock held. */
static void collect_own(struct kvmw_vm *vm, const struct kvmw_stat *only,
			struct kvmw_vm_stats *out)
{
	struct gathered gathered = { .vm = vm, .hits = vm->gone_slots }, *it = &gathered;
	struct kvmw_object *obj;

	list_for_each_entry(obj, &vm->slots, node)
		add_slot(it, kvmw_to_slot(obj));
	add_slot(it, vm->stray);
	KVMW_VM_STATS(MAKE_ROW)
}

/* The sums over its vCPUs. Context: its lock held. */
static void collect_vcpus(struct kvmw_vm *vm, struct kvmw_vcpu_stats *sum,
			  struct kvmw_vcpu_stats *scratch)
{
	struct kvmw_object *obj;

	*sum = *vm->gone_vcpus;
	list_for_each_entry(obj, &vm->vcpus, node) {
		kvmw_vcpu_snapshot(kvmw_to_vcpu(obj), scratch);
		kvmw_vcpu_stats_add(sum, scratch);
	}
}

#define OWN_SIZE	offsetof(struct kvmw_vm_stats, vcpus_sum)

static bool needs_own(const struct kvmw_stat *only)
{
	return !only || only->offset < OWN_SIZE;
}

static bool needs_vcpus(const struct kvmw_stat *only)
{
	return !only || only->offset >= OWN_SIZE;
}

static void vm_collect(struct kvmw_vm *vm, const struct kvmw_stat *only,
		       union kvmw_any_stats *out)
{
	mutex_lock(&vm->lock);
	if (needs_own(only))
		collect_own(vm, only, &out->vm);
	if (needs_vcpus(only))
		collect_vcpus(vm, &out->vm.vcpus_sum, &out->scratch);
	mutex_unlock(&vm->lock);
}

/* --- any of them ------------------------------------------------------------- */

union kvmw_any_stats *kvmw_stats_alloc(const struct kvmw_object *obj, const struct kvmw_stat *only)
{
	size_t size = sizeof(union kvmw_any_stats);

	if (obj->kind == KVMWATCH_KIND_SLOT)
		size = sizeof(struct kvmw_slot_stats);
	else if (obj->kind == KVMWATCH_KIND_VCPU)
		size = sizeof(struct kvmw_vcpu_stats);
	else if (!needs_vcpus(only))
		size = OWN_SIZE;
	return kmalloc(size, GFP_KERNEL);
}

void kvmw_stats(struct kvmw_object *obj, const struct kvmw_stat *only, union kvmw_any_stats *out)
{
	might_sleep();
	kvmw_absorb();
	switch (obj->kind) {
	case KVMWATCH_KIND_VM:
		vm_collect(kvmw_to_vm(obj), only, out);
		break;
	case KVMWATCH_KIND_VCPU:
		kvmw_vcpu_snapshot(kvmw_to_vcpu(obj), &out->vcpu);
		break;
	case KVMWATCH_KIND_SLOT:
		slot_collect(kvmw_to_slot(obj), only, &out->slot);
		break;
	}
}
