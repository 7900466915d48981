/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Descriptions of statistics, and whether they are available. kvmw_stats() takes a snapshot of an
 * object into the structure that the rows of stat_table.h define, and kvmw_stats_table() describes
 * that structure. Every export loops over the descriptions and reads the snapshot.
 */
#ifndef KVMW_DESCRIBE_H
#define KVMW_DESCRIBE_H

#include <linux/types.h>

#include "hooks/attach.h"
#include "records/counts.h"
#include "records/stat_table.h"

struct kvmw_object;

#define KVMW_CELL(name, type, ...)	u64 name[KVMW_CELLS_##type];
struct kvmw_slot_stats { KVMW_SLOT_STATS(KVMW_CELL) };
/* A VM's own statistics, followed by the sums over its vCPUs. */
struct kvmw_vm_stats {
	KVMW_VM_STATS(KVMW_CELL)
	struct kvmw_vcpu_stats vcpus_sum;
};

#undef KVMW_CELL

/* A snapshot of any object. Some KiB: too large for the stack. */
union kvmw_any_stats {
	struct {
		struct kvmw_vm_stats	vm;
		struct kvmw_vcpu_stats	scratch;	/* for summing over its vCPUs */
	};
	struct kvmw_vcpu_stats	vcpu;
	struct kvmw_slot_stats	slot;
};

struct kvmw_stat {
	const char	*name;
	const char	*help;
	u64		needs;
	u32		flags;		/* KVMWATCH_STATS_* */
	s16		exponent;
	u16		size;		/* in cells of 8 bytes, as readers see it */
	u16		kept;		/* in cells, as the snapshot stores it */
	u16		buckets;	/* KVMWATCH_BUCKETS_* */
	u32		offset;		/* in the snapshot, in bytes */
};

/* Call this before any other function of this file. */
void kvmw_describe_init(void);

/* The statistics of a kind of object (KVMWATCH_KIND_*), and how many. */
const struct kvmw_stat *kvmw_stats_table(unsigned int kind, unsigned int *nr);

/* The statistic with a name, or NULL. */
const struct kvmw_stat *kvmw_stat_by_name(unsigned int kind, const char *name);

/*
 * Leave out the statistics with a name, or that need one of @hooks. Returns whether there are any.
 * Context: before hooks are attached.
 */
bool kvmw_stats_leave_out(const char *name, u64 hooks);
bool kvmw_stat_left_out(const struct kvmw_stat *stat);
/* The hooks that at least one of the statistics that are left out needs; or of all others. */
u64 kvmw_stats_hooks(bool left_out);

/* Is the statistic available for @obj now? NULL: can it be available for any object? */
bool kvmw_stat_available(const struct kvmw_stat *stat, const struct kvmw_object *obj);

/* The needs (needs.h) that @obj meets now, as bits. A reader of many statistics asks once. */
u64 kvmw_needs_met(const struct kvmw_object *obj);

/* Does the statistic need nothing but what is in @met? */
static inline bool kvmw_stat_needs_only(const struct kvmw_stat *stat, u64 met)
{
	return !(stat->needs & ~met);
}

/* True if it was disproved, or missed events, and no recount has confirmed it. Context: any. */
bool kvmw_stat_withdrawn(const struct kvmw_stat *stat, const struct kvmw_object *obj);

/* Width of a bucket of a linear histogram; else 0. */
u32 kvmw_stat_bucket_size(const struct kvmw_stat *stat);

/* Cell @i (below @stat->size) of a statistic in a snapshot. */
u64 kvmw_stat_cell(const struct kvmw_stat *stat, const union kvmw_any_stats *stats,
		   unsigned int i);
/* All cells of it. Leaves out the cells of exit reasons that no record counts: they must be 0. */
void kvmw_stat_cells(const struct kvmw_stat *stat, const union kvmw_any_stats *stats, u64 *to);

/*
 * Why VMs may run without a record, in words; "" if every running VM has one, except for shortages
 * of the pool. Context: task.
 */
void kvmw_blind(char buf[KVMW_BLIND_SIZE]);

#endif /* KVMW_DESCRIBE_H */
