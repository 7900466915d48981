/* SPDX-License-Identifier: GPL-2.0 */
/* The numbers of an object as readers get them. */
#ifndef KVMW_SNAPSHOT_H
#define KVMW_SNAPSHOT_H

#include <linux/types.h>

#include "records/counts.h"

struct kvmw_object;
struct kvmw_slot;
struct kvmw_stat;
struct kvmw_vcpu;
union kvmw_any_stats;

/*
 * Memory for a snapshot of the object, or for one statistic of it; free it with kfree(). NULL: no
 * memory. Most kernels clear what they allocate, which may take longer than the snapshot.
 */
union kvmw_any_stats *kvmw_stats_alloc(const struct kvmw_object *obj,
				       const struct kvmw_stat *only);

/*
 * Take a snapshot: set all statistics of the object's kind, or at least one of them, @only. The
 * numbers of a vCPU are of one moment; those of a VM are sums of such snapshots. Context: task, may
 * sleep.
 */
void kvmw_stats(struct kvmw_object *obj, const struct kvmw_stat *only, union kvmw_any_stats *out);

/* --- parts of it ------------------------------------------------------------- */

/* Counters of a slot, summed over all CPUs. */
void kvmw_slot_cpu_sum(const struct kvmw_slot_cpu __percpu *cpu, struct kvmw_slot_cpu *sum);
void kvmw_slot_cpu_add(struct kvmw_slot_cpu *sum, const struct kvmw_slot_cpu *more);
/* All marks; all new marks, summed over the ages of the log. */
u64 kvmw_marks(const struct kvmw_slot_cpu *sum);
u64 kvmw_marks_new(const struct kvmw_slot_cpu *sum);
/* Leaves of a slot that are present now. Exact under mmu_lock. */
void kvmw_slot_mapped(const struct kvmw_slot *slot, s64 mapped[KVMW_NR_LEVELS]);

/* A vCPU's numbers at one moment, and the sum of such snapshots for its VM. */
void kvmw_vcpu_snapshot(const struct kvmw_vcpu *vcpu, struct kvmw_vcpu_stats *out);
void kvmw_vcpu_stats_add(struct kvmw_vcpu_stats *sum, const struct kvmw_vcpu_stats *more);

#endif /* KVMW_SNAPSHOT_H */
