// SPDX-License-Identifier: GPL-2.0
/* The clock of hits. See clock.h. */
#include <linux/suspend.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>
#include <asm/tsc.h>

#include "clock.h"
#include "compat.h"

#define LOOK_SECONDS	2

DEFINE_STATIC_KEY_FALSE(kvmw_clock_tsc);
u64 kvmw_clock_mult = 1ULL << 32;

/* Both clocks at one moment, the last at which the TSC was good; zeros: never. */
static struct moment {
	u64	ticks;
	u64	ns;
} last;

/*
 * What ticks are without the TSC: nanoseconds; or, if they were the TSC's, as if that had
 * gone on, so that a stretch may begin with the one and end with the other.
 */
u64 kvmw_now_slow(void)
{
	u64 ns = ktime_get_raw_fast_ns() - last.ns;

	if (last.ticks)
		ns = mul_u64_u64_div_u64(ns, 1ULL << 32, kvmw_clock_mult);
	return last.ticks + ns;
}

/* Is it good enough for the kernel? That watches it, and takes another when it is not. */
static bool tsc_usable(void)
{
	u64 before = rdtsc_ordered(), cycles = kvmw_clocksource_cycles();

	return cycles >= before && cycles <= rdtsc_ordered() && tsc_khz;
}

static bool look(void)
{
	unsigned long flags;
	bool usable;

	local_irq_save(flags);
	usable = tsc_usable();
	if (usable) {
		last.ticks = rdtsc_ordered();
		last.ns = ktime_get_raw_fast_ns();
	}
	local_irq_restore(flags);
	return usable;
}

static void take_scale(void)
{
	WRITE_ONCE(kvmw_clock_mult, div_u64((u64)NSEC_PER_MSEC << 32, tsc_khz));
}

static void look_again(struct work_struct *work);
static DECLARE_DELAYED_WORK(looker, look_again);

static void look_again(struct work_struct *work)
{
	if (!look()) {
		static_branch_disable(&kvmw_clock_tsc);
		return;
	}
	take_scale();
	schedule_delayed_work(&looker, LOOK_SECONDS * HZ);
}

static void give_up_tsc(void)
{
	cancel_delayed_work_sync(&looker);
	static_branch_disable(&kvmw_clock_tsc);
}

/* The TSC may start from 0 when the machine wakes up. From here on the kernel is asked. */
static int on_suspend(struct notifier_block *nb, unsigned long event, void *unused)
{
	if (event == PM_SUSPEND_PREPARE || event == PM_HIBERNATION_PREPARE)
		give_up_tsc();
	return NOTIFY_OK;
}

static struct notifier_block suspend_nb = { .notifier_call = on_suspend };

/* Context: no hook is attached yet. */
void kvmw_clock_init(void)
{
	if (!look())
		return;
	take_scale();
	static_branch_enable(&kvmw_clock_tsc);
	schedule_delayed_work(&looker, LOOK_SECONDS * HZ);
	register_pm_notifier(&suspend_nb);
}

/* Context: no hook is attached any more. */
void kvmw_clock_exit(void)
{
	if (!last.ticks)
		return;
	unregister_pm_notifier(&suspend_nb);
	give_up_tsc();
}
