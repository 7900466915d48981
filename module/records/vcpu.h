/* SPDX-License-Identifier: GPL-2.0 */
/* Sums and the accounted time of a vCPU, in ticks: see kernel/clock.h. */
#ifndef KVMW_VCPU_H
#define KVMW_VCPU_H

#include <linux/types.h>

#include "records/counts.h"

struct kvmw_vcpu;

/*
 * Account the vCPU's time from @now on, as of one that is out of guest mode. Context: hit, or an
 * interrupt on the vCPU's pCPU; in a write section of the sequence count.
 */
void kvmw_vcpu_begin(struct kvmw_vcpu *vcpu, u64 now);

/* --- sums that hits do not make ------------------------------------------------ */

u64 kvmw_cells_sum(const u64 *cells, unsigned int nr);
#define KVMW_SUM(cells)		kvmw_cells_sum(cells, ARRAY_SIZE(cells))

/*
 * A load that ends a stretch off the pCPU, and a put that ends one on it, are counted only in the
 * histogram of these stretches; the cells of loads and puts count the others. Exits are counted
 * only by reason.
 */
u64 kvmw_vcpu_loads(const struct kvmw_vcpu_stats *stats);
u64 kvmw_vcpu_puts(const struct kvmw_vcpu_stats *stats);
u64 kvmw_vcpu_exits(const struct kvmw_vcpu_stats *stats);

/* The cell for time off a pCPU that @why (enum kvmw_off) explains. */
static inline u64 *kvmw_off_cell(struct kvmw_vcpu_stats *stats, unsigned int why)
{
	return (u64 *)stats->off_cpu_ns + why;
}

#endif /* KVMW_VCPU_H */
