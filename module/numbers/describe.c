// SPDX-License-Identifier: GPL-2.0
/* Descriptions of statistics, and whether they are available. See describe.h. */
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/init.h>
#include <linux/kvm.h>
#include <linux/string.h>
#include <uapi/linux/kvmwatch.h>

#include "hooks/attach.h"
#include "hooks/hook.h"
#include "kernel/kvm_functions.h"
#include "kernel/kvm_vcpu.h"
#include "numbers/bucket_names.h"
#include "numbers/describe.h"
#include "probes/exit.h"
#include "records/counts.h"
#include "records/kick.h"
#include "records/mapped.h"
#include "records/needs.h"
#include "records/record.h"
#include "records/stat_flags.h"
#include "records/stat_table.h"

#define HOOK(id)	KVMW_HOOK_BIT(id)
/* A hook that is needed only where KVM has dirty rings. */
#define RING_HOOK(id)	(KVMW_HAS_RINGS ? HOOK(id) : 0)

#define BUCKETS_CUMULATIVE	KVMWATCH_BUCKETS_NONE
#define BUCKETS_INSTANT		KVMWATCH_BUCKETS_NONE
#define BUCKETS_PEAK		KVMWATCH_BUCKETS_NONE
#define BUCKETS_LOG_HIST	KVMWATCH_BUCKETS_VALUES
#define BUCKETS_AGE_HIST	KVMWATCH_BUCKETS_VALUES
#define BUCKETS_EXIT_HIST	KVMWATCH_BUCKETS_EXIT
#define BUCKETS_USER_HIST	KVMWATCH_BUCKETS_USER_EXIT

#define ROW(struct_name, member, stat, type, unit, what, source, meaning) {			\
	.name = #stat, .help = meaning, .needs = what,				\
	.flags = TYPE_##type | UNIT_##unit, .exponent = EXPONENT_##unit,	\
	.size = KVMW_CELLS_##type, .kept = KVMW_CELLS_##type,			\
	.buckets = BUCKETS_##type,						\
	.offset = offsetof(struct struct_name, member),				\
},
#define VM_ROW(stat, ...)	ROW(kvmw_vm_stats, stat, stat, __VA_ARGS__)
#define SUM_ROW(stat, ...)	ROW(kvmw_vm_stats, vcpus_sum.stat, stat, __VA_ARGS__)
#define VCPU_ROW(stat, ...)	ROW(kvmw_vcpu_stats, stat, stat, __VA_ARGS__)
#define SLOT_ROW(stat, ...)	ROW(kvmw_slot_stats, stat, stat, __VA_ARGS__)
#define SLOT_SUM_ROW(stat, type, unit, what, ...)				\
	SLOT_ROW(stat, type, unit, (what) | KVMW_NEED_COUNTERS, __VA_ARGS__)

static struct kvmw_stat vcpu_stats[] = { KVMW_VCPU_STATS(VCPU_ROW) };
static struct kvmw_stat slot_stats[] = {
	KVMW_SLOT_OWN(SLOT_ROW)
	KVMW_SLOT_SUMS(SLOT_SUM_ROW)
};

/*
 * Code that counts a statistic defines a symbol (KVMW_FEEDS()). This table refers to the symbol of
 * each COUNTED row, so the module does not link if no code counts one of them.
 */
#define FED_COUNTED(kind, stat)		extern const char kvmw_fed_##kind##_##stat[];
#define FED_MADE(value)			NOT_FED
#define NOT_FED(kind, stat)
#define REFER_COUNTED(kind, stat)	kvmw_fed_##kind##_##stat,
#define REFER_MADE(value)		NOT_FED
#define VM_FED(stat, type, unit, what, source, ...)	FED_##source(vm, stat)
#define VM_REFER(stat, type, unit, what, source, ...)	REFER_##source(vm, stat)
#define VCPU_FED(stat, type, unit, what, source, ...)	FED_##source(vcpu, stat)
#define VCPU_REFER(stat, type, unit, what, source, ...)	REFER_##source(vcpu, stat)

KVMW_VM_STATS(VM_FED)
KVMW_VCPU_STATS(VCPU_FED)
static const void *const fed[] __used __initconst = {
	KVMW_VM_STATS(VM_REFER)
	KVMW_VCPU_STATS(VCPU_REFER)
};

/* A VM's own statistics, then the sums over its vCPUs; kvmw_describe_init() joins the two. */
static const struct kvmw_stat vm_rows[] = { KVMW_VM_STATS(VM_ROW) };
static const struct kvmw_stat sum_rows[] = { KVMW_VCPU_STATS(SUM_ROW) };
static struct kvmw_stat vm_stats[ARRAY_SIZE(vm_rows) + ARRAY_SIZE(sum_rows)];
static unsigned int nr_vm_stats;

static bool has_vm_row(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vm_rows); i++)
		if (!strcmp(vm_rows[i].name, name))
			return true;
	return false;
}

/*
 * Number of buckets of exit_reasons: up to the vendor's last reason that has a cell, and one for
 * the rest. Intel's reasons are below 128.
 */
static unsigned int exit_buckets(void)
{
	if (kvmw_vendor() == KVMWATCH_VENDOR_SVM)
		return KVMW_EXIT_HIGH_FIRST + KVMW_EXIT_HIGH + 1;
	return 128 + 1;
}

static void set_exit_buckets(struct kvmw_stat *stat, unsigned int nr)
{
	for (; nr--; stat++)
		if (stat->kept == KVMW_CELLS_EXIT_HIST)
			stat->size = exit_buckets();
}

/* Leaves out sums of gauges, which mean nothing, and sums whose name the VM has itself. */
void kvmw_describe_init(void)
{
	unsigned int i;

	BUILD_BUG_ON(KVMW_CELLS_EXIT_HIST == KVMW_CELLS_USER_HIST);
	BUILD_BUG_ON(KVMW_NR_HOOKS > KVMW_NEED_FIRST);

	memcpy(vm_stats, vm_rows, sizeof(vm_rows));
	nr_vm_stats = ARRAY_SIZE(vm_rows);
	for (i = 0; i < ARRAY_SIZE(sum_rows); i++) {
		if ((sum_rows[i].flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_INSTANT)
			continue;
		if (!has_vm_row(sum_rows[i].name))
			vm_stats[nr_vm_stats++] = sum_rows[i];
	}
	set_exit_buckets(vcpu_stats, ARRAY_SIZE(vcpu_stats));
	set_exit_buckets(vm_stats, nr_vm_stats);
}

u64 kvmw_stat_cell(const struct kvmw_stat *stat, const union kvmw_any_stats *stats,
		   unsigned int i)
{
	const u64 *cells = (const void *)stats + stat->offset;
	unsigned int cell;
	u64 rest;

	if (stat->kept != KVMW_CELLS_EXIT_HIST)
		return cells[i];
	if (i < stat->size - 1) {
		cell = kvmw_exit_cell(i);
		return cell == KVMW_EXIT_REST ? 0 : cells[cell];
	}
	/* The last bucket: everything that the others do not show. */
	rest = cells[KVMW_EXIT_REST];
	for (cell = i; cell < KVMW_EXIT_REST; cell++)
		rest += cells[cell];
	return rest;
}

u32 kvmw_stat_bucket_size(const struct kvmw_stat *stat)
{
	return (stat->flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_LINEAR_HIST;
}

void kvmw_stat_cells(const struct kvmw_stat *stat, const union kvmw_any_stats *stats, u64 *to)
{
	const u64 *cells = (const void *)stats + stat->offset;
	unsigned int last = stat->size - 1, cell, high;
	u64 rest = 0;

	if (stat->kept != KVMW_CELLS_EXIT_HIST) {
		memcpy(to, cells, stat->size * sizeof(*to));
		return;
	}
	cell = min_t(unsigned int, KVMW_EXIT_LOW, last);
	memcpy(to, cells, cell * sizeof(*to));
	for (; cell <= KVMW_EXIT_REST; cell++) {
		high = KVMW_EXIT_HIGH_FIRST + cell - KVMW_EXIT_LOW;
		if (cell >= KVMW_EXIT_LOW && high < last)
			to[high] = cells[cell];
		else
			rest += cells[cell];
	}
	to[last] = rest;
}

static struct kvmw_stat *table_of(unsigned int kind, unsigned int *nr)
{
	switch (kind) {
	case KVMWATCH_KIND_VM:
		*nr = nr_vm_stats;
		return vm_stats;
	case KVMWATCH_KIND_VCPU:
		*nr = ARRAY_SIZE(vcpu_stats);
		return vcpu_stats;
	case KVMWATCH_KIND_SLOT:
		*nr = ARRAY_SIZE(slot_stats);
		return slot_stats;
	}
	*nr = 0;
	return NULL;
}

const struct kvmw_stat *kvmw_stats_table(unsigned int kind, unsigned int *nr)
{
	return table_of(kind, nr);
}

const struct kvmw_stat *kvmw_stat_by_name(unsigned int kind, const char *name)
{
	const struct kvmw_stat *stat;
	unsigned int nr, i;

	stat = kvmw_stats_table(kind, &nr);
	for (i = 0; i < nr; i++)
		if (!strcmp(stat[i].name, name))
			return &stat[i];
	return NULL;
}

/* --- left out ---------------------------------------------------------------- */

bool kvmw_stat_left_out(const struct kvmw_stat *stat)
{
	return stat->needs & KVMW_NEED_WANTED;
}

bool kvmw_stats_leave_out(const char *name, u64 hooks)
{
	unsigned int kind, nr, i;
	struct kvmw_stat *stat;
	bool any = false;

	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_SLOT; kind++) {
		stat = table_of(kind, &nr);
		for (i = 0; i < nr; i++) {
			if (!(stat[i].needs & hooks) && strcmp(stat[i].name, name))
				continue;
			stat[i].needs |= KVMW_NEED_WANTED;
			any = true;
		}
	}
	return any;
}

u64 kvmw_stats_hooks(bool left_out)
{
	const struct kvmw_stat *stat;
	unsigned int kind, nr, i;
	u64 hooks = 0;

	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_SLOT; kind++) {
		stat = kvmw_stats_table(kind, &nr);
		for (i = 0; i < nr; i++)
			if (kvmw_stat_left_out(&stat[i]) == left_out)
				hooks |= stat[i].needs & KVMW_ALL_HOOKS;
	}
	return hooks;
}

/* --- available --------------------------------------------------------------- */

static u64 met_by(const struct kvmw_object *obj)
{
	struct kvmw_vm *vm = obj->vm;
	u64 met = 0;

	if (kvmw_mapped_known(vm))
		met |= KVMW_NEED_MAPPED;
	if (!READ_ONCE(vm->leaf_failures) && !vm->opaque)
		met |= KVMW_NEED_SEEN;
	if (!READ_ONCE(vm->mark_failures))
		met |= KVMW_NEED_MARKED;
	met |= KVMW_NEED_AUDITED & ~READ_ONCE(vm->refuted);
	if (!vm->ring)
		met |= KVMW_NEED_BITMAP;
	if (obj->kind == KVMWATCH_KIND_SLOT) {
		const struct kvmw_slot *slot = container_of(obj, struct kvmw_slot, obj);

		if (READ_ONCE(slot->flags) & KVM_MEM_LOG_DIRTY_PAGES)
			met |= KVMW_NEED_LOGGING;
		if (!kvmw_slot_shares(slot))
			met |= KVMW_NEED_COUNTERS;
	}
	if (obj->kind == KVMWATCH_KIND_VCPU) {
		const struct kvmw_vcpu *vcpu = container_of(obj, struct kvmw_vcpu, obj);

		if (READ_ONCE(vcpu->where) != KVMW_VCPU_UNKNOWN)
			met |= KVMW_NEED_LOADED_ONCE;
	}
	return met;
}

u64 kvmw_needs_met(const struct kvmw_object *obj)
{
	u64 met = kvmw_hooks_counting() | READ_ONCE(kvmw_hooks_needless);

	if (obj)
		met = (met & ~READ_ONCE(obj->vm->missed)) | met_by(obj);
	else
		met |= ~0ULL << KVMW_NEED_FIRST & ~KVMW_NEED_WANTED;

	if (kvmw_no_reasons() || (obj && obj->vm->opaque))
		met &= ~KVMW_NEED_REASONS;
	else
		met |= KVMW_NEED_REASONS;
	if (kvmw_entries_told())
		met |= KVMW_NEED_ENTRIES;
	else
		met &= ~KVMW_NEED_ENTRIES;
	return met;
}

bool kvmw_stat_available(const struct kvmw_stat *stat, const struct kvmw_object *obj)
{
	return kvmw_stat_needs_only(stat, kvmw_needs_met(obj));
}

bool kvmw_stat_withdrawn(const struct kvmw_stat *stat, const struct kvmw_object *obj)
{
	const struct kvmw_vm *vm = obj->vm;

	if (stat->needs & (READ_ONCE(vm->missed) | READ_ONCE(vm->refuted) |
			   atomic64_read(&kvmw_hooks_wrong)))
		return true;
	if (stat->needs & KVMW_NEED_SEEN && READ_ONCE(vm->leaf_failures))
		return true;
	if (stat->needs & KVMW_NEED_MARKED && READ_ONCE(vm->mark_failures))
		return true;
	return stat->needs & KVMW_NEED_MAPPED &&
	       (READ_ONCE(vm->needs_recount) || READ_ONCE(vm->count_failed));
}

void kvmw_blind(char buf[KVMW_BLIND_SIZE])
{
	kvmw_attach_lock();
	if (kvmw_hooks_blind(buf) && !*buf && !READ_ONCE(kvmw_all_found))
		strscpy(buf, "VMs are still being looked for", KVMW_BLIND_SIZE);
	kvmw_attach_unlock();
}
