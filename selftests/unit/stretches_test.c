// SPDX-License-Identifier: GPL-2.0
/* Parts of stretches on a pCPU, from events that a test makes up. */
#include <errno.h>
#include <time.h>

#include <kselftest_harness.h>

#include "stream.h"
#include "stretches.h"

#define BEGIN	1000

enum { LOAD, PUT };

/* Events that the stream has not delivered yet. */
static struct happening events[16];
static unsigned int nr_events, next_event;
static __u64 lost, until;

int stream_open(const struct stream_spec *spec, struct stream **stream)
{
	*stream = (struct stream *)events;
	return 0;
}

int stream_read(struct stream *stream, stream_fn fn, void *arg)
{
	while (next_event < nr_events && events[next_event].ns < until)
		fn(&events[next_event++], arg);
	return 0;
}

__u64 stream_lost(const struct stream *stream)
{
	return lost;
}

void stream_close(struct stream *stream)
{
}

/* The time at which recording begins. */
int clock_gettime(clockid_t clock, struct timespec *ts)
{
	ts->tv_sec = 0;
	ts->tv_nsec = BEGIN;
	return 0;
}

FIXTURE(stretches)
{
	struct stretches *s;
	struct stretch_bounds b;
};

FIXTURE_SETUP(stretches)
{
	nr_events = 0;
	next_event = 0;
	lost = 0;
	until = BEGIN;
	ASSERT_EQ(0, stretches_open(NULL, 64, &self->s));
}

FIXTURE_TEARDOWN(stretches)
{
	stretches_close(self->s);
}

static void happens(int event, __u64 ns, __u64 vm, __u64 vcpu)
{
	struct happening *h = &events[nr_events++];

	memset(h, 0, sizeof(*h));
	h->event = event;
	h->ns = ns;
	h->values[0] = vm;
	h->values[1] = vcpu;
}

/* The stream also delivers events from after the interval's end. */
static int next(struct stretches *s, __u64 ns)
{
	until = ns + 60;
	return stretches_next(s, ns);
}

#define EXPECT_BOUNDS(vcpu, n, shortest, longest) do {				\
	EXPECT_EQ(0, stretches_bounds(self->s, 1, vcpu, &self->b));		\
	EXPECT_EQ(n, self->b.nr);						\
	EXPECT_EQ(shortest, self->b.min);					\
	EXPECT_EQ(longest, self->b.max);					\
} while (0)

TEST_F(stretches, that_are_whole_count_as_they_are)
{
	happens(LOAD, 1010, 1, 0);
	happens(PUT, 1030, 1, 0);
	happens(LOAD, 1040, 1, 0);
	happens(LOAD, 1041, 1, 1);
	happens(PUT, 1043, 1, 1);
	happens(PUT, 1045, 1, 0);
	ASSERT_EQ(0, next(self->s, 1100));
	EXPECT_BOUNDS(0, 2, 5, 20);
	EXPECT_BOUNDS(1, 1, 2, 2);
	EXPECT_EQ(100, self->b.window);
}

TEST_F(stretches, that_are_cut_count_by_their_parts)
{
	happens(PUT, 1007, 1, 0);	/* was on its pCPU before recording began */
	happens(LOAD, 1090, 1, 0);
	happens(PUT, 1150, 1, 0);
	ASSERT_EQ(0, next(self->s, 1100));
	EXPECT_BOUNDS(0, 2, 7, 10);
	ASSERT_EQ(0, next(self->s, 1200));
	EXPECT_BOUNDS(0, 1, 50, 50);
	ASSERT_EQ(0, next(self->s, 1300));
	EXPECT_BOUNDS(0, 0, 0, 0);
}

TEST_F(stretches, without_an_end_are_as_long_as_each_interval)
{
	happens(LOAD, 1010, 1, 0);
	ASSERT_EQ(0, next(self->s, 1100));
	EXPECT_BOUNDS(0, 1, 90, 90);
	ASSERT_EQ(0, next(self->s, 1300));
	EXPECT_BOUNDS(0, 1, 200, 200);
	EXPECT_BOUNDS(1, 0, 0, 0);
	EXPECT_EQ(200, self->b.window);
}

TEST_F(stretches, of_which_events_were_lost_are_unknown_until_the_next_interval)
{
	happens(LOAD, 1010, 1, 0);
	lost = 1;
	ASSERT_EQ(0, next(self->s, 1100));
	EXPECT_EQ(-ENODATA, stretches_bounds(self->s, 1, 0, &self->b));
	/*
	 * A put may be among the lost events, so nothing is known of this vCPU until its next
	 * event.
	 */
	ASSERT_EQ(0, next(self->s, 1200));
	EXPECT_BOUNDS(0, 0, 0, 0);
	happens(PUT, 1210, 1, 0);
	ASSERT_EQ(0, next(self->s, 1300));
	EXPECT_BOUNDS(0, 1, 10, 10);
}

TEST_HARNESS_MAIN
