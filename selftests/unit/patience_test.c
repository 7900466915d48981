// SPDX-License-Identifier: GPL-2.0
/* Waiting for calls that may hang. */
#include <errno.h>
#include <signal.h>

#include <kselftest_harness.h>

#include "interrupt.h"
#include "patience.h"

/* A thread that waits until it may end, or until it was discarded. */
struct work {
	bool may_end;
	bool done;
	bool discarded;
};

static void work(void *arg, const bool *over)
{
	struct work *work = arg;

	while (!__atomic_load_n(&work->may_end, __ATOMIC_RELAXED) && !patience_over(over))
		usleep(1000);
	__atomic_store_n(&work->done, true, __ATOMIC_RELAXED);
}

static void hang(void *arg, const bool *over)
{
	struct work *work = arg;

	(void)over;
	while (!__atomic_load_n(&work->may_end, __ATOMIC_RELAXED))
		usleep(1000);
}

static void discard(void *arg)
{
	struct work *work = arg;

	__atomic_store_n(&work->discarded, true, __ATOMIC_RELAXED);
}

static void wait_until_discarded(const struct work *work)
{
	while (!__atomic_load_n(&work->discarded, __ATOMIC_RELAXED))
		usleep(1000);
}

TEST(what_ends_is_the_caller_s_again)
{
	struct work it = { .may_end = true };

	EXPECT_EQ(0, patience_run(work, &it, discard, 60000));
	EXPECT_TRUE(it.done);
	EXPECT_FALSE(it.discarded);
}

TEST(what_hangs_is_left_and_discarded_when_it_ends)
{
	struct work it = { };

	EXPECT_EQ(-ETIMEDOUT, patience_run(hang, &it, discard, 50));
	EXPECT_FALSE(it.discarded);
	__atomic_store_n(&it.may_end, true, __ATOMIC_RELAXED);
	wait_until_discarded(&it);
}

TEST(what_nobody_waits_for_is_told)
{
	struct work it = { };

	EXPECT_EQ(-ETIMEDOUT, patience_run(work, &it, discard, 50));
	wait_until_discarded(&it);
	EXPECT_TRUE(it.done);
}

static void send_signal(void *arg, const bool *over)
{
	kill(getpid(), SIGTERM);
	work(arg, over);
}

TEST(a_signal_ends_the_wait)
{
	struct work it = { };

	interrupt_catch(false);
	EXPECT_EQ(-EINTR, patience_run(send_signal, &it, discard, 60000));
	wait_until_discarded(&it);
}

/* A signal from before the call does not end it. */
TEST(a_signal_before_does_not_end_the_wait)
{
	struct work it = { .may_end = true };

	interrupt_catch(false);
	kill(getpid(), SIGTERM);
	EXPECT_EQ(0, patience_run(work, &it, discard, 60000));
}

TEST_HARNESS_MAIN
