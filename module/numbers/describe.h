/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which numbers there are of an object, and which can be had. kvmw_stats() takes a snapshot of an
 * object into the structure that the rows of stat_table.h make, and kvmw_stats_table() describes
 * that structure. Every export is a loop over the one, reading the other.
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
/* Those of a VM, and behind them those of its vCPUs together. */
struct kvmw_vm_stats {
	KVMW_VM_STATS(KVMW_CELL)
	struct kvmw_vcpu_stats vcpus_sum;
};

#undef KVMW_CELL

/* Large enough for the numbers of any object. Some KiB: too large for a stack. */
union kvmw_any_stats {
	struct {
		struct kvmw_vm_stats	vm;
		struct kvmw_vcpu_stats	scratch;	/* to sum up its vCPUs */
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
	u16		kept;		/* in cells, in the object's structure */
	u16		buckets;	/* KVMWATCH_BUCKETS_* */
	u32		offset;		/* there, in bytes */
};

/* Before anything else here. */
void kvmw_describe_init(void);

/* The statistics of a kind of object (KVMWATCH_KIND_*), and how many. */
const struct kvmw_stat *kvmw_stats_table(unsigned int kind, unsigned int *nr);

/* The one of a name, or NULL. */
const struct kvmw_stat *kvmw_stat_by_name(unsigned int kind, const char *name);

/* Can it be had of @obj now? @obj may be NULL: of any object at all? */
bool kvmw_stat_available(const struct kvmw_stat *stat, const struct kvmw_object *obj);
/* Was it found to be wrong, and is not known to be right again? Context: any. */
bool kvmw_stat_withdrawn(const struct kvmw_stat *stat, const struct kvmw_object *obj);

/* Width of a bucket of a linear histogram; else 0. */
u32 kvmw_stat_bucket_size(const struct kvmw_stat *stat);

/* Cell @i, less than @stat->size, of a statistic in a snapshot. */
u64 kvmw_stat_cell(const struct kvmw_stat *stat, const union kvmw_any_stats *stats,
		   unsigned int i);
/* All of them. */
void kvmw_stat_cells(const struct kvmw_stat *stat, const union kvmw_any_stats *stats, u64 *to);

/*
 * Why VMs may run that have no record, in words; "" when each that runs has one, as far as the
 * pool reaches. Context: task.
 */
void kvmw_blind(char buf[KVMW_BLIND_SIZE]);

#endif /* KVMW_DESCRIBE_H */
