/* SPDX-License-Identifier: GPL-2.0 */
/* What a vCPU's record says of its time. Times are in ticks: see kernel/clock.h. */
#ifndef KVMW_VCPU_H
#define KVMW_VCPU_H

#include <linux/types.h>

#include "records/counts.h"

struct kvmw_vcpu;

/*
 * Its time is accounted from @now on. Out of guest mode it was then, unless an event told of an
 * exit. Context: hit, or as one.
 */
void kvmw_vcpu_begin(struct kvmw_vcpu *vcpu, u64 now);

/* --- sums that hits do not make ------------------------------------------------ */

u64 kvmw_cells_sum(const u64 *cells, unsigned int nr);
#define KVMW_SUM(cells)		kvmw_cells_sum(cells, ARRAY_SIZE(cells))

/*
 * A load ends a stretch off the pCPU, a put one on it: hits count these in the histograms alone,
 * and in loads and puts only those that end none. Exits are counted by reason.
 */
u64 kvmw_vcpu_loads(const struct kvmw_vcpu_stats *stats);
u64 kvmw_vcpu_puts(const struct kvmw_vcpu_stats *stats);
u64 kvmw_vcpu_exits(const struct kvmw_vcpu_stats *stats);

/* What was counted of stretches off a pCPU, by why: enum kvmw_off. */
static inline u64 *kvmw_off_cell(struct kvmw_vcpu_stats *stats, unsigned int why)
{
	return (u64 *)stats->off_cpu_ns + why;
}

#endif /* KVMW_VCPU_H */
