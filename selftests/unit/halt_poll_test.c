// SPDX-License-Identifier: GPL-2.0
/* KVM's algorithm of halt polling, halt by halt. */
#include <string.h>

#include <kselftest_harness.h>

#include "halt_poll.h"

#define US	1000ULL

/* KVM's defaults up to 6.10 */
static const struct halt_poll_params defaults = { 200 * US, 2, 0, 10 * US };

static struct halt_poll poll;

/* A halt that waited, of @us; the window after it. */
static __u32 after(const struct halt_poll_params *params, __u64 us)
{
	const struct halt halt = { us * US, true, true };

	halt_poll_replay(params, &halt, 1, &poll);
	return poll.window / US;
}

TEST(the_window_grows_until_a_halt_is_within_it)
{
	memset(&poll, 0, sizeof(poll));
	EXPECT_EQ(10, after(&defaults, 35));
	EXPECT_EQ(20, after(&defaults, 35));
	EXPECT_EQ(40, after(&defaults, 35));
	EXPECT_EQ(40, after(&defaults, 35));
	EXPECT_EQ(40, after(&defaults, 40));
	EXPECT_EQ(5, poll.halts);
	EXPECT_EQ(4, poll.polls);
	EXPECT_EQ(2, poll.won);
	EXPECT_EQ(2, poll.quicker);
	EXPECT_EQ(2, poll.lost);
	EXPECT_EQ((10 + 20) * US, poll.lost_ns);
	EXPECT_EQ((10 + 20 + 35 + 40) * US, poll.polled_ns);
}

TEST(it_is_limited_at_the_next_halt)
{
	memset(&poll, 0, sizeof(poll));
	poll.window = 160 * US;
	EXPECT_EQ(320, after(&defaults, 170));
	EXPECT_EQ(200, after(&defaults, 200));
	EXPECT_EQ(1, poll.won);
	/* It is as long as can be: longer halts leave it alone. */
	poll.window = 200 * US;
	EXPECT_EQ(200, after(&defaults, 200));
	EXPECT_EQ(0, after(&defaults, 201));
	/* A long halt without a window is nothing. */
	EXPECT_EQ(0, after(&defaults, 1000));
	EXPECT_EQ(0, after(&defaults, 200));
	EXPECT_EQ(10, after(&defaults, 199));
}

TEST(it_shrinks_by_a_factor_and_to_nothing_below_its_start)
{
	const struct halt_poll_params params = { 200 * US, 2, 2, 40 * US };

	memset(&poll, 0, sizeof(poll));
	poll.window = 160 * US;
	EXPECT_EQ(80, after(&params, 1000));
	EXPECT_EQ(40, after(&params, 1000));
	EXPECT_EQ(0, after(&params, 1000));
	EXPECT_EQ(3, poll.lost);
	EXPECT_EQ((160 + 80 + 40) * US, poll.lost_ns);
	EXPECT_EQ(0, poll.won);
}

TEST(a_wakeup_that_is_not_valid_shrinks_it)
{
	const struct halt halt = { 5 * US, true, false };

	memset(&poll, 0, sizeof(poll));
	poll.window = 160 * US;
	halt_poll_replay(&defaults, &halt, 1, &poll);
	EXPECT_EQ(0, poll.window);
	EXPECT_EQ(1, poll.won);
}

TEST(without_a_limit_or_growth_nothing_polls)
{
	const struct halt_poll_params off = { 0, 2, 0, 10 * US }, rigid = { 200 * US, 0, 0, 10 };

	memset(&poll, 0, sizeof(poll));
	poll.window = 160 * US;
	EXPECT_EQ(0, after(&off, 5));
	EXPECT_EQ(0, after(&rigid, 5));
	EXPECT_EQ(0, poll.polls);
	EXPECT_EQ(0, poll.polled_ns);
	EXPECT_EQ(2, poll.halts);
	/* What grows by 1 stays. */
	EXPECT_EQ(10, after(&(struct halt_poll_params){ 200 * US, 1, 1, 10 * US }, 50));
	EXPECT_EQ(10, after(&(struct halt_poll_params){ 200 * US, 1, 1, 10 * US }, 50));
	EXPECT_EQ(10, after(&(struct halt_poll_params){ 200 * US, 1, 1, 10 * US }, 5000));
}

TEST(one_that_polled_before_was_not_made_quicker)
{
	const struct halt halt = { 5 * US, false, true };

	memset(&poll, 0, sizeof(poll));
	poll.window = 10 * US;
	halt_poll_replay(&defaults, &halt, 1, &poll);
	EXPECT_EQ(1, poll.won);
	EXPECT_EQ(0, poll.quicker);
}

/* Of those that are won now and waited before. */
TEST(quicker_by_the_delays_of_what_waited)
{
	const struct halt halts[] = {
		{ 5 * US, true, true, 3000 }, { 6 * US, false, true, 0 },
		{ 7 * US, true, true, 400 }, { 5000 * US, true, true, 90000 },
	};
	const struct halt unknown = { 5 * US, true, true, -1 };

	memset(&poll, 0, sizeof(poll));
	poll.window = 10 * US;
	halt_poll_replay(&defaults, halts, 4, &poll);
	EXPECT_EQ(2, poll.quicker);
	EXPECT_EQ(3400, poll.quicker_ns);
	EXPECT_FALSE(poll.delays_unknown);
	poll.window = 10 * US;
	halt_poll_replay(&defaults, &unknown, 1, &poll);
	EXPECT_TRUE(poll.delays_unknown);
}

TEST(settings_are_named)
{
	struct halt_poll_params params = defaults;

	EXPECT_EQ(NULL, halt_poll_parse("grow=4,halt_poll_ns=0", &params));
	EXPECT_EQ(4, params.grow);
	EXPECT_EQ(0, params.max);
	EXPECT_EQ(10 * US, params.start);
	EXPECT_EQ(NULL, halt_poll_parse("shrink=3,grow_start=4294967295", &params));
	EXPECT_EQ(3, params.shrink);
	EXPECT_EQ(4294967295, params.start);
	EXPECT_NE(NULL, halt_poll_parse("", &params));
	EXPECT_NE(NULL, halt_poll_parse("grow", &params));
	EXPECT_NE(NULL, halt_poll_parse("grow=", &params));
	EXPECT_NE(NULL, halt_poll_parse("grow=4,", &params));
	EXPECT_NE(NULL, halt_poll_parse("grow=-1", &params));
	EXPECT_NE(NULL, halt_poll_parse("grow=4294967296", &params));
	EXPECT_NE(NULL, halt_poll_parse("max=5", &params));
	EXPECT_NE(NULL, halt_poll_parse("grow=4 ", &params));
}

TEST_HARNESS_MAIN
