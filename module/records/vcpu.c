// SPDX-License-Identifier: GPL-2.0
/* Sums and the accounted time of a vCPU. See vcpu.h. */
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/kernel.h>

#include "records/counts.h"
#include "records/record.h"
#include "records/vcpu.h"

/* kvmw_off_cell() needs the rows in the order of enum kvmw_off. */
#define IS_OFF(stat, why)							\
	static_assert(offsetof(struct kvmw_vcpu_stats, stat) ==		\
		      offsetof(struct kvmw_vcpu_stats, off_cpu_ns) + (why) * sizeof(u64))
IS_OFF(user_time_ns, KVMW_OFF_USER);
IS_OFF(wait_time_ns, KVMW_OFF_WAIT);
IS_OFF(preempted_time_ns, KVMW_OFF_PREEMPTED);
IS_OFF(blocked_time_ns, KVMW_OFF_BLOCKED);

u64 kvmw_cells_sum(const u64 *cells, unsigned int nr)
{
	u64 sum = 0;

	while (nr--)
		sum += READ_ONCE(cells[nr]);
	return sum;
}

u64 kvmw_vcpu_loads(const struct kvmw_vcpu_stats *stats)
{
	return KVMW_SUM(stats->loads) + KVMW_SUM(stats->off_cpu_hist);
}

u64 kvmw_vcpu_puts(const struct kvmw_vcpu_stats *stats)
{
	return KVMW_SUM(stats->puts) + KVMW_SUM(stats->on_cpu_hist);
}

u64 kvmw_vcpu_exits(const struct kvmw_vcpu_stats *stats)
{
	return KVMW_SUM(stats->exit_reasons);
}

void kvmw_vcpu_begin(struct kvmw_vcpu *vcpu, u64 now)
{
	struct kvmw_exit_span *span = &vcpu->exit_span;

	vcpu->exits_before = KVMW_SUM(vcpu->stats.exit_reason_times);
	vcpu->before_entry = 0;
	vcpu->begun = span->since ? 0 : now;
	if (span->since)
		span->since = now;
	else
		span->early = true;	/* have the next exit look at @begun */
	if (vcpu->halted)
		vcpu->halted_since = now;
}
