// SPDX-License-Identifier: GPL-2.0
/*
 * dirty_age_hist: how long ago a slot's log was cleared when a page became dirty. The guest writes
 * known pages. The test reads the clock before and after each write and each clearing, so it knows
 * the least and the greatest age of each page, however slow the machine is.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "guest.h"
#include "listed.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "watch.h"

#define GPA		0x40000000ULL
#define GPA_B		0x80000000ULL
#define PAGES		256
#define LOG		KVM_MEM_LOG_DIRTY_PAGES
#define BUCKETS		20
#define UNKNOWN		(~0ULL)
#define SOURCE		"/sys/devices/system/clocksource/clocksource0/"

/* An event happened between these two times. */
struct moment {
	__u64	from, to;
};

static __u64 now(void)
{
	return clock_ns(CLOCK_MONOTONIC_RAW);
}

struct ages {
	__u64	in[BUCKETS];
};

/* -ENOENT: the statistic is not available. */
static int ages_of(int fd, struct ages *ages)
{
	int n;

	if (fd < 0)
		return fd;
	n = oracle_hist(fd, "dirty_age_hist", ages->in, BUCKETS);
	close(fd);
	return n == BUCKETS ? 0 : n < 0 ? n : -EBADMSG;
}

static int slot_ages(struct guest *g, unsigned int slot, struct ages *ages)
{
	return ages_of(watch_slot(g, 0, slot), ages);
}

static __u64 sum(const struct ages *ages)
{
	__u64 all = 0;
	int i;

	for (i = 0; i < BUCKETS; i++)
		all += ages->in[i];
	return all;
}

/* Bucket 0 is for 0 ms, 1 for 1 ms, 2 for 2 to 3 ms and so on. */
static int bucket_of(__u64 ns)
{
	__u64 ms = ns / 1000000;
	int bucket = ms ? 64 - __builtin_clzll(ms) : 0;

	return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

FIXTURE(age) {
	struct guest *g;
	struct moment clear;
};

FIXTURE_VARIANT(age) {
	bool manual;
};

FIXTURE_VARIANT_ADD(age, get) { };
FIXTURE_VARIANT_ADD(age, clear) { .manual = true };

FIXTURE_SETUP(age)
{
	self->g = guest_new(1, 0);
	if (!self->g)
		SKIP(return, "no /dev/kvm: %s", strerror(errno));
	if (variant->manual)
		ASSERT_EQ(0, guest_dirty_manual(self->g, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE));
	self->clear.from = now();
	ASSERT_EQ(0, guest_slot_add(self->g, 1, GPA, PAGES, GUEST_MEM_4K, LOG));
	self->clear.to = now();
}

FIXTURE_TEARDOWN(age)
{
	machine_put_back();
	guest_free(self->g);
}

static int clear_log(struct guest *g, bool manual, struct moment *clear)
{
	long got;

	clear->from = now();
	got = guest_dirty_get(g, 1, NULL);
	if (got >= 0 && manual)
		got = guest_dirty_clear(g, 1, 0, PAGES, NULL);
	clear->to = now();
	return got < 0 ? got : 0;
}

static int write_pages(struct guest *g, __u64 first, __u64 nr)
{
	return guest_run(g, 0, work_write(GPA + first * GUEST_PAGE, nr, GUEST_PAGE, 1));
}

/* Make the guest write to clean pages: each counts once, in the bucket of the log's age. */
#define EXPECT_AGES(first, nr) do {						\
	struct ages was = {}, is = {};						\
	struct moment write;							\
	int bucket, last;							\
	__u64 within = 0;							\
										\
	ASSERT_EQ(0, slot_ages(self->g, 1, &was));				\
	write.from = now();							\
	ASSERT_EQ(0, write_pages(self->g, first, nr));				\
	write.to = now();							\
	ASSERT_EQ(0, slot_ages(self->g, 1, &is));				\
	last = bucket_of(write.to - self->clear.from);				\
	for (bucket = bucket_of(write.from - self->clear.to); bucket <= last; bucket++) \
		within += is.in[bucket] - was.in[bucket];			\
	EXPECT_EQ((__u64)(nr), within);						\
	EXPECT_EQ((__u64)(nr), sum(&is) - sum(&was));				\
} while (0)

TEST_F(age, each_page_counts_at_its_age)
{
	static const unsigned int wait_ms[] = { 0, 3, 20, 300 };
	unsigned int i, cycle, first;

	for (cycle = 0; cycle < 3; cycle++) {
		for (i = 0, first = 0; i < ARRAY_SIZE(wait_ms); first += 10 + i, i++) {
			usleep(wait_ms[i] * 1000);
			EXPECT_AGES(first, 10 + i);
		}
		ASSERT_EQ(0, clear_log(self->g, variant->manual, &self->clear));
	}
	EXPECT_EQ(watch_slot_stat(self->g, 1, "dirty_marks_new"), 3 * (10 + 11 + 12 + 13ULL));
}

TEST_F(age, a_page_counts_once_until_the_log_is_cleared)
{
	EXPECT_AGES(0, 50);
	ASSERT_EQ(0, guest_slot_discard(self->g, 1, 10, 20));
	usleep(5000);
	ASSERT_EQ(0, write_pages(self->g, 0, 50));
	EXPECT_AGES(50, 1);
	EXPECT_EQ(51ULL, watch_slot_stat(self->g, 1, "dirty_marks_new"));
}

/* Fetching the log does not change its age. */
TEST_F(age, only_clearing_the_log_resets_its_age)
{
	if (!variant->manual)
		SKIP(return, "a look at this log clears it");
	usleep(100000);
	ASSERT_EQ(0, guest_dirty_get(self->g, 1, NULL));
	EXPECT_AGES(0, 7);
	/* Clear one of the four words. */
	self->clear.from = now();
	ASSERT_EQ(0, guest_dirty_clear(self->g, 1, 64, 64, NULL));
	self->clear.to = now();
	EXPECT_AGES(7, 7);
	/* KVM refuses an unaligned clearing, so the age goes on. */
	usleep(20000);
	EXPECT_GT(0, guest_dirty_clear(self->g, 1, 1, 64, NULL));
	EXPECT_AGES(14, 7);
}

TEST_F(age, begins_with_each_log)
{
	usleep(20000);
	ASSERT_EQ(0, guest_dirty_log(self->g, 1, 0));
	ASSERT_EQ(0, write_pages(self->g, 0, 20));
	self->clear.from = now();
	ASSERT_EQ(0, guest_dirty_log(self->g, 1, 1));
	self->clear.to = now();
	EXPECT_AGES(0, 30);
}

/* Each slot counts by the age of its own log; the VM is the sum, including deleted slots. */
TEST_F(age, of_a_vm_is_the_sum_of_its_slots)
{
	struct ages one, two, vm;
	int i;

	usleep(30000);
	ASSERT_EQ(0, guest_slot_add(self->g, 2, GPA_B, PAGES, GUEST_MEM_4K, LOG));
	EXPECT_AGES(0, 20);
	ASSERT_EQ(0, guest_run(self->g, 0, work_write(GPA_B, 30, GUEST_PAGE, 1)));
	ASSERT_EQ(0, slot_ages(self->g, 1, &one));
	ASSERT_EQ(0, slot_ages(self->g, 2, &two));
	EXPECT_EQ(30ULL, sum(&two));
	ASSERT_EQ(0, guest_slot_del(self->g, 2));
	ASSERT_EQ(0, ages_of(watch_vm(self->g), &vm));
	for (i = 0; i < BUCKETS; i++)
		EXPECT_EQ(one.in[i] + two.in[i], vm.in[i]);
}

/* kvmwatch cannot know when a log from before insmod was last cleared. */
TEST_F_TIMEOUT(age, is_unknown_for_a_log_from_before_insmod, 60)
{
	struct ages ages;
	int err;

	ASSERT_EQ(0, watch_unload_patiently());
	err = write_pages(self->g, 0, 5);
	EXPECT_EQ(0, watch_load(NULL));
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, write_pages(self->g, 5, 8));
	EXPECT_EQ(8ULL, watch_slot_stat(self->g, 1, "dirty_marks_new"));
	ASSERT_EQ(0, slot_ages(self->g, 1, &ages));
	EXPECT_EQ(0ULL, sum(&ages));
	ASSERT_EQ(0, clear_log(self->g, variant->manual, &self->clear));
	EXPECT_AGES(5, 8);
	EXPECT_EQ(16ULL, watch_slot_stat(self->g, 1, "dirty_marks_new"));
}

TEST_F_TIMEOUT(age, is_right_without_the_tsc, 60)
{
	NEEDS_VM(return, "it changes the kernel's clock source");
	if (!table_has("hooks", "# clock: TSC") ||
	    machine_put(SOURCE "current_clocksource", "acpi_pm"))
		SKIP(return, "the kernel has no TSC and another clock to go by");
	EXPECT_TRUE(WATCH_EVENTUALLY(table_has("hooks", "# clock: the kernel's")));
	/*
	 * kvmwatch has the start of this log from the TSC; after the clearing, from the kernel's
	 * clock.
	 */
	EXPECT_AGES(0, 20);
	EXPECT_EQ(0, clear_log(self->g, variant->manual, &self->clear));
	EXPECT_AGES(0, 20);
	usleep(40000);
	EXPECT_AGES(20, 20);
	EXPECT_EQ(0, machine_put(SOURCE "current_clocksource", "tsc"));
	EXPECT_TRUE(WATCH_EVENTUALLY(table_has("hooks", "# clock: TSC")));
	/*
	 * The log's age spans the change back to the TSC; after the clearing it is by the TSC
	 * alone.
	 */
	EXPECT_AGES(40, 20);
	EXPECT_EQ(0, clear_log(self->g, variant->manual, &self->clear));
	EXPECT_AGES(0, 20);
}

/* KVM resets the rings of all slots together: the age of each mark counts from that reset. */
FIXTURE(ring_age) {
	struct guest *g;
	struct moment clear;
};

FIXTURE_SETUP(ring_age)
{
	self->g = guest_new(0, 0);
	if (!self->g)
		SKIP(return, "no /dev/kvm: %s", strerror(errno));
	if (guest_ring_enable(self->g, 4096 * sizeof(struct kvm_dirty_gfn)))
		SKIP(FROM_SETUP, "KVM has no dirty rings");
	ASSERT_EQ(0, guest_vcpu_add(self->g));
	self->clear.from = now();
	ASSERT_EQ(0, guest_slot_add(self->g, 1, GPA, PAGES, GUEST_MEM_4K, LOG));
	self->clear.to = now();
}

FIXTURE_TEARDOWN(ring_age)
{
	if (self->g)
		guest_free(self->g);
}

TEST_F(ring_age, each_mark_counts_since_the_rings_were_reset)
{
	unsigned int cycle;

	for (cycle = 0; cycle < 3; cycle++) {
		EXPECT_AGES(0, 20);
		usleep(20000);
		EXPECT_AGES(20, 30);
		self->clear.from = now();
		ASSERT_EQ(50, guest_ring_harvest(self->g, 0));
		ASSERT_EQ(50, guest_ring_reset(self->g));
		self->clear.to = now();
	}
	EXPECT_EQ(UNKNOWN, watch_slot_stat(self->g, 1, "dirty_marks_new"));
	EXPECT_EQ(150ULL, watch_slot_stat(self->g, 1, "dirty_marks"));
}

TEST_HARNESS_MAIN
