// SPDX-License-Identifier: GPL-2.0
/* The clock of hits. See clock.h. */
#include <linux/rcupdate.h>
#include <linux/suspend.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>
#include <asm/tsc.h>

#include "kernel/clock.h"
#include "kernel/facts.h"

#define SAMPLE_SECONDS	2

DEFINE_STATIC_KEY_FALSE(kvmw_clock_tsc);
u64 kvmw_clock_mult = 1ULL << 32;
u64 kvmw_clock_offset;
u64 kvmw_age_mult;
u64 kvmw_age_limit;
u8 kvmw_bucket_below[64];
u64 kvmw_bucket_edge[64];

static void (*tell_tsc_lost)(void);

/*
 * Both clocks, read together when the TSC was last usable; zeros if it never was. Only the sampler
 * writes this, and only while hits use the TSC: such hits do not read it.
 */
static struct moment {
	u64	ticks;
	u64	ns;
} last;

/*
 * Ticks without the TSC. If the TSC was never usable, a tick is a nanosecond. Otherwise ticks
 * continue at the TSC's rate, so a stretch may begin on one clock and end on the other.
 */
u64 kvmw_now_slow(void)
{
	u64 ns = ktime_get_raw_fast_ns() - last.ns;

	return last.ticks + (last.ticks ? kvmw_ns_ticks(ns) : ns);
}

u64 kvmw_ns_ticks(u64 ns)
{
	return mul_u64_u64_div_u64(ns, 1ULL << 32, READ_ONCE(kvmw_clock_mult));
}

u64 kvmw_now_anywhere(void)
{
	u64 now;

	preempt_disable();
	rmb();	/* a reader takes the time after what it read before ... */
	now = kvmw_now();
	rmb();	/* ... and before what it reads next */
	preempt_enable();
	return now;
}

const char *kvmw_clock_name(void)
{
	return kvmw_clock_is_tsc() ? "TSC" : "the kernel's, as that does not go by the TSC now";
}

/* Read the counter of the current clocksource. */
static u64 clocksource_cycles(void)
{
	struct system_time_snapshot snapshot;

#if KVMW_HAS_SNAPSHOT_ID
	ktime_get_snapshot_id(CLOCK_MONOTONIC, &snapshot);
#else
	ktime_get_snapshot(&snapshot);
#endif
	return snapshot.cycles;
}

/* The kernel watches the TSC and selects another clocksource when the TSC is unstable. */
static bool tsc_usable(void)
{
	u64 before = rdtsc_ordered(), cycles = clocksource_cycles();

	return cycles >= before && cycles <= rdtsc_ordered() && tsc_khz;
}

static bool sample(struct moment *now)
{
	unsigned long flags;
	bool usable;

	local_irq_save(flags);
	usable = tsc_usable();
	now->ticks = kvmw_now_tsc();
	now->ns = ktime_get_raw_fast_ns();
	local_irq_restore(flags);
	return usable;
}

static void remember(const struct moment *now)
{
	last = *now;
	WRITE_ONCE(kvmw_clock_mult, div_u64((u64)NSEC_PER_MSEC << 32, tsc_khz));
	WRITE_ONCE(kvmw_age_mult, div_u64(1ULL << 63, tsc_khz) << 2);
	WRITE_ONCE(kvmw_age_limit, (u64)tsc_khz * KVMW_AGE_MS_LAST);
}

/* Between two powers of 2, ticks cross at most one bucket edge. */
static void make_buckets(void)
{
	unsigned int bit, below;
	u64 edge;

	for (bit = 0; bit < 64; bit++) {
		/* 2^50 ticks are hours on any TSC, and their nanoseconds might overflow. */
		below = bit < 50 ? fls64(kvmw_ticks_ns(BIT_ULL(bit))) : KVMW_HIST_BUCKETS;
		edge = U64_MAX;
		if (below < KVMW_HIST_BUCKETS - 1) {
			edge = kvmw_ns_ticks(BIT_ULL(below));
			edge += kvmw_ticks_ns(edge) < BIT_ULL(below);
		}
		kvmw_bucket_below[bit] = min_t(unsigned int, below, KVMW_HIST_BUCKETS - 1);
		kvmw_bucket_edge[bit] = edge;
	}
}

/* When @tell_tsc_lost runs, every hit that used the TSC has ended. */
static void leave_tsc(void)
{
	static_branch_disable(&kvmw_clock_tsc);
	synchronize_rcu();
	tell_tsc_lost();
}

/*
 * Since hits last used the TSC, it may have restarted from 0, or run on while the kernel's clock
 * stood still: compute a new offset. Both grace periods wait for hits, which run with preemption
 * off. After the first, no hit reads the TSC with the old offset. After the second, no hit reads
 * @last, which the next sample changes.
 */
static void take_tsc(void)
{
	unsigned long flags;
	u64 tsc;

	synchronize_rcu();
	local_irq_save(flags);
	tsc = rdtsc_ordered();
	kvmw_clock_offset = kvmw_now_slow() - tsc;
	local_irq_restore(flags);
	static_branch_enable(&kvmw_clock_tsc);
	synchronize_rcu();
}

static void sample_again(struct work_struct *work);
static DECLARE_DELAYED_WORK(sampler, sample_again);

static void sample_again(struct work_struct *work)
{
	bool used = kvmw_clock_is_tsc(), usable;
	struct moment now;

	usable = sample(&now);
	if (used && usable)
		remember(&now);
	else if (used)
		leave_tsc();
	else if (usable)
		take_tsc();
	schedule_delayed_work(&sampler, SAMPLE_SECONDS * HZ);
}

static void give_up_tsc(void)
{
	cancel_delayed_work_sync(&sampler);
	if (kvmw_clock_is_tsc())
		leave_tsc();
}

/* A suspend may reset the TSC, so hits use the kernel's clock until the system has resumed. */
static int on_suspend(struct notifier_block *nb, unsigned long event, void *unused)
{
	if (event == PM_SUSPEND_PREPARE || event == PM_HIBERNATION_PREPARE)
		give_up_tsc();
	else if (event == PM_POST_SUSPEND || event == PM_POST_HIBERNATION)
		schedule_delayed_work(&sampler, 0);
	return NOTIFY_OK;
}

static struct notifier_block suspend_nb = { .notifier_call = on_suspend };

/* Context: no hook is attached yet. */
void kvmw_clock_init(void (*tsc_lost)(void))
{
	struct moment now;

	tell_tsc_lost = tsc_lost;
	if (!sample(&now)) {
		make_buckets();
		return;	/* without a sampler: ticks stay nanoseconds until unload */
	}
	remember(&now);
	make_buckets();
	static_branch_enable(&kvmw_clock_tsc);
	schedule_delayed_work(&sampler, SAMPLE_SECONDS * HZ);
	register_pm_notifier(&suspend_nb);
}

/* Context: no hook is attached any more. */
void kvmw_clock_exit(void)
{
	if (!last.ticks)
		return;
	unregister_pm_notifier(&suspend_nb);
	cancel_delayed_work_sync(&sampler);
	static_branch_disable(&kvmw_clock_tsc);
}
