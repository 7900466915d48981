// SPDX-License-Identifier: GPL-2.0
/* Exits by reason between two reads. */
#include <kselftest_harness.h>

#include "exit_rows.h"

static struct kvmwatch_value histogram(__u32 type, const __u64 *data, unsigned int size)
{
	return (struct kvmwatch_value){
		.name = "exit_reasons", .flags = type, .size = size, .data = data,
		.bucket_size = type == KVMWATCH_STATS_LINEAR_HIST,
	};
}

#define REASONS(...)	histogram(KVMWATCH_STATS_LINEAR_HIST, (const __u64[]){ __VA_ARGS__ },	\
				  sizeof((const __u64[]){ __VA_ARGS__ }) / sizeof(__u64))
#define LENGTHS(...)	histogram(KVMWATCH_STATS_LOG_HIST, (const __u64[]){ __VA_ARGS__ },	\
				  sizeof((const __u64[]){ __VA_ARGS__ }) / sizeof(__u64))

TEST(what_took_most_time_since_the_first_look_is_first)
{
	struct kvmwatch_value was = REASONS(5, 100, 0, 7), now = REASONS(6, 110, 0, 10);
	struct kvmwatch_value times_was = REASONS(9000, 100, 0, 10);
	struct kvmwatch_value times = REASONS(9010, 200, 0, 5010);
	struct exit_looks looks = { &now, &was, &times, &times_was };
	struct exit_row rows[4], all;

	/* A reason that never came has no row. */
	ASSERT_EQ(3, exit_rows_make(&looks, rows, &all));
	EXPECT_EQ(3, rows[0].bucket);
	EXPECT_EQ(5000, rows[0].ns.by);
	EXPECT_EQ(3, rows[0].count.by);
	EXPECT_EQ(1, rows[1].bucket);
	EXPECT_EQ(0, rows[2].bucket);
	EXPECT_EQ(10, rows[2].ns.by);
	EXPECT_EQ(9010, rows[2].ns.now);
	EXPECT_EQ(126, all.count.now);
	EXPECT_EQ(14, all.count.by);
	EXPECT_EQ(5110, all.ns.by);
	EXPECT_EQ(14220, all.ns.now);
}

TEST(without_times_what_came_most_often_is_first)
{
	struct kvmwatch_value was = REASONS(5, 100, 3), now = REASONS(9, 101, 7);
	struct exit_looks looks = { .reasons = &now, .reasons_before = &was };
	struct exit_row rows[3], all;

	ASSERT_EQ(3, exit_rows_make(&looks, rows, &all));
	EXPECT_EQ(0, rows[0].bucket);
	EXPECT_EQ(2, rows[1].bucket);
	EXPECT_EQ(1, rows[2].bucket);
	EXPECT_EQ(0, all.ns.now);
}

TEST(what_was_not_there_before_came_since)
{
	struct kvmwatch_value now = REASONS(5, 100), longer = REASONS(7, 90, 1), none = REASONS(0);
	struct exit_looks looks = { .reasons = &now };
	struct exit_row rows[2], all;

	ASSERT_EQ(2, exit_rows_make(&looks, rows, &all));
	EXPECT_EQ(100, rows[0].count.by);
	/* A cell that is smaller than before counts from 0, a larger one by the difference. */
	EXPECT_EQ(5, exit_growth(&now, &longer, 0).by);
	EXPECT_EQ(10, exit_growth(&now, &longer, 1).by);
	/* read from fewer buckets */
	EXPECT_EQ(100, exit_growth(&now, &none, 1).by);
}

TEST(p99_is_of_what_came_since_and_a_power_of_two)
{
	struct kvmwatch_value was = LENGTHS(0, 0, 0, 1000, 0), now = LENGTHS(0, 98, 1, 1001, 0);
	struct kvmwatch_value end = LENGTHS(0, 0, 0, 0, 4), none = LENGTHS(0, 0, 0);

	EXPECT_EQ(4, exit_p99(&now, &was));
	EXPECT_EQ(8, exit_p99(&now, NULL));
	/* The last bucket has no upper end, and an empty histogram has no p99. */
	EXPECT_EQ(0, exit_p99(&end, NULL));
	EXPECT_EQ(0, exit_p99(&none, NULL));
	EXPECT_EQ(0, exit_p99(&now, &now));
}

TEST_HARNESS_MAIN
