// SPDX-License-Identifier: GPL-2.0
/*
 * The clock of hits: they read the TSC while it is the kernel's clocksource, and call the kernel
 * otherwise. Times stay right across each change between the two, and hits return to the TSC.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "listed.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "vendor.h"
#include "watch.h"

#define SOURCE		"/sys/devices/system/clocksource/clocksource0/"
#define PM_TEST		"/sys/power/pm_test"
#define PM_STATE	"/sys/power/state"
#define GPA		0x40000000ULL

/* Allowed difference of two readings, and of two good clocks after some seconds */
#define NEAR_NS		5000000LL

static bool file_has(const char *path, const char *word)
{
	char text[256] = "";
	FILE *f = fopen(path, "re");

	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	return strstr(text, word);
}

static const char *other_source(void)
{
	if (file_has(SOURCE "available_clocksource", "hpet"))
		return "hpet";
	return file_has(SOURCE "available_clocksource", "acpi_pm") ? "acpi_pm" : NULL;
}

/* Time that the vCPU was on and off its pCPU, read between two moments. */
struct look {
	long long before, after;
	long long total;
	__u64 tsc;		/* the TSC at @before */
};

static __u64 rdtsc(void)
{
	__u32 low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high));
	return (__u64)high << 32 | low;
}

static struct look take_look(int fd)
{
	struct look look = {
		.before = clock_ns(CLOCK_MONOTONIC_RAW), .tsc = rdtsc(), .total = -1,
	};
	void *all = oracle_snapshot(fd, NULL);
	const __u64 *on, *off;

	look.after = clock_ns(CLOCK_MONOTONIC_RAW);
	on = all ? oracle_in(all, "on_cpu_ns", NULL) : NULL;
	off = all ? oracle_in(all, "off_cpu_ns", NULL) : NULL;
	if (on && off)
		look.total = *on + *off;
	free(all);
	return look;
}

/* A vCPU is always on a pCPU or off it, so the sum of both times grows at the rate of the clock. */
#define EXPECT_TRUE_TO_TIME(from, to, drift) do {				\
	EXPECT_LE((to).before - (from).after - NEAR_NS - (drift), (to).total - (from).total); \
	EXPECT_GE((to).after - (from).before + NEAR_NS + (drift), (to).total - (from).total); \
} while (0)

/*
 * After the kernel has changed to another clocksource, hits read the TSC until the next sample, and
 * the two clocks drift apart. On a machine that was busy while the VM booted, the kernel may have
 * measured a wrong TSC frequency. The drift is computed from the TSC frequency between @a and @b,
 * when both clocks used the TSC.
 */
static long long drift_ns(const struct look *a, const struct look *b, const struct look *end)
{
	double ns_per_tick = (double)(b->before - a->before) / (b->tsc - a->tsc);

	return llabs((long long)(ns_per_tick * (end->tsc - b->tsc)) - (end->before - b->before));
}

FIXTURE(clock) {
	struct guest *g;
	int fd;
};

FIXTURE_SETUP(clock)
{
	NEEDS_VM(FROM_SETUP, "it changes the kernel's clock source, and suspends");
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(10)));
	self->fd = watch_vcpu(self->g, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
}

FIXTURE_TEARDOWN(clock)
{
	machine_put_back();
	guest_stop(self->g, 0);
	guest_wait(self->g, 0, 10000);
	close(self->fd);
	guest_free(self->g);
}

TEST_F(clock, returns_to_the_tsc_with_the_kernels_clocksource)
{
	const char *other = other_source();
	struct look begin, first, slow, last;
	long long drift;

	if (!other || !file_has(SOURCE "current_clocksource", "tsc"))
		SKIP(return, "the kernel has no TSC and another clock to go by");
	ASSERT_TRUE(WATCH_EVENTUALLY(table_has("hooks", "# clock: TSC")));
	begin = take_look(self->fd);
	usleep(500000);
	first = take_look(self->fd);
	EXPECT_TRUE_TO_TIME(begin, first, 0);
	ASSERT_EQ(0, machine_put(SOURCE "current_clocksource", other));
	EXPECT_TRUE(WATCH_EVENTUALLY(table_has("hooks", "# clock: the kernel's")));
	slow = take_look(self->fd);
	drift = drift_ns(&begin, &first, &slow);
	TH_LOG("the TSC and %s have drifted apart by %lld ns", other, drift);
	EXPECT_TRUE_TO_TIME(first, slow, drift);
	ASSERT_EQ(0, machine_put(SOURCE "current_clocksource", "tsc"));
	EXPECT_TRUE(WATCH_EVENTUALLY(table_has("hooks", "# clock: TSC")));
	last = take_look(self->fd);
	EXPECT_TRUE_TO_TIME(slow, last, 0);
	EXPECT_TRUE_TO_TIME(first, last, drift);
	/* Stretches that begin in a new run are measured by the same clock. */
	ASSERT_EQ(0, guest_stop(self->g, 0));
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	last = take_look(self->fd);
	EXPECT_TRUE_TO_TIME(first, last, drift);
}

/* Prepare to suspend: with pm_test "freezer" the kernel only calls the notifiers of that. */
static int suspend(const char *depth)
{
	int err = machine_put(PM_TEST, depth);

	err = err ?: machine_do(PM_STATE, file_has(PM_STATE, "freeze") ? "freeze" : "mem");
	machine_put(PM_TEST, "none");
	return err;
}

TEST_F_TIMEOUT(clock, is_the_tsc_again_after_a_suspend, 120)
{
	struct look first, last;

	if (access(PM_TEST, W_OK) || !file_has(SOURCE "current_clocksource", "tsc"))
		SKIP(return, "this kernel does not suspend, or not by the TSC");
	ASSERT_TRUE(WATCH_EVENTUALLY(table_has("hooks", "# clock: TSC")));
	first = take_look(self->fd);
	ASSERT_EQ(0, suspend("freezer"));
	EXPECT_TRUE(WATCH_EVENTUALLY(table_has("hooks", "# clock: TSC")));
	last = take_look(self->fd);
	EXPECT_TRUE_TO_TIME(first, last, 0);
}

TEST_HARNESS_MAIN
