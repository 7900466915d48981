// SPDX-License-Identifier: GPL-2.0
/* Cycles of the dirty log, found by reading again and again: see live.h. */
#include <math.h>
#include <stdlib.h>

#include "kselftest_harness.h"

#include "live.h"

#define MS	1000000ULL

/* Read every 25 ms. There is one slot, and all its marks are in the bucket that the test names. */
static struct live *look_on(size_t nr, const __u64 *marks, const __u64 *collects)
{
	struct live *live = calloc(1, sizeof(*live));
	struct ages *ends[] = { &live->begin, &live->end };
	size_t i, b;

	for (i = 0; i < 2; i++) {
		ends[i]->nr_buckets = 20;
		for (b = 0; b < 20; b++)
			ends[i]->upper_ns[b] = b == 19 ? ~0ULL : MS << b;
		ends[i]->nr = 1;
		ends[i]->slots = calloc(1, sizeof(struct slot_ages));
		ends[i]->slots->known = true;
		ends[i]->slots->logged = true;
	}
	live->logged = 1;
	live->nr = nr;
	for (i = 0; i < nr; i++) {
		live->points[i].ns = 5000 * MS + i * 25 * MS;
		live->points[i].marks = marks[i];
		live->points[i].collects = collects ? collects[i] : 7;
	}
	return live;
}

static void done(struct live *live)
{
	live_free(live);
	free(live);
}

/* Neither time nor pages decrease within a cycle, as the library requires. */
static bool is_in_order(const struct live_cycles *c)
{
	size_t i, j, from = 0;

	for (i = 0; i < c->nr; from = c->ends[i++]) {
		if (c->ends[i] <= from)
			return false;
		for (j = from + 1; j < c->ends[i]; j++) {
			if (c->points[j].ns <= c->points[j - 1].ns ||
			    c->points[j].pages < c->points[j - 1].pages)
				return false;
		}
	}
	return true;
}

static struct live_cycles cycles;

TEST(marks_that_went_with_their_slot_are_no_age)
{
	const __u64 marks[] = { 300, 310, 320, 330, 340 };
	struct live *live = look_on(5, marks, NULL);

	live->begin.slots->in[3] = 1000;
	live->end.slots->in[9] = 10;		/* 256 to 512 ms */
	live_cycles(live, 0, &cycles);
	EXPECT_EQ(346 + 100, (__u64)(cycles.since_s * 1000 + 0.5));
	done(live);
}

TEST(first_pass_goes_on_from_its_age)
{
	const __u64 marks[] = { 300, 310, 320, 330, 340 };
	struct live *live = look_on(5, marks, NULL);

	live->dirty = 300;
	live->begin.slots->in[8] = 100;		/* 128 to 256 ms */
	live->begin.slots->in[10] = 200;	/* 512 ms to 1 s */
	live_cycles(live, 1000 * MS, &cycles);
	ASSERT_EQ(1, cycles.nr);
	EXPECT_TRUE(is_in_order(&cycles));
	EXPECT_EQ(340, cycles.marked);
	EXPECT_EQ(1100, (__u64)(cycles.since_s * 1000 + 0.5));
	EXPECT_EQ(400, (__u64)(cycles.pages_s + 0.5));
	EXPECT_EQ(1100 * MS, cycles.points[cycles.ends[0] - 1].ns);
	EXPECT_EQ(340, cycles.points[cycles.ends[0] - 1].pages);
	EXPECT_EQ(100, cycles.points[9].pages);
	EXPECT_EQ(512 * MS, cycles.points[9].ns);
	done(live);
}

TEST(what_was_logged_before_is_scaled_away)
{
	const __u64 marks[] = { 600, 600, 600, 600, 600 };
	struct live *live = look_on(5, marks, NULL);

	live->dirty = 300;
	live->begin.slots->in[8] = 200;
	live->begin.slots->in[9] = 400;
	live_cycles(live, 1000 * MS, &cycles);
	EXPECT_EQ(300, cycles.marked);
	EXPECT_EQ(100, cycles.points[8].pages);
	EXPECT_EQ(0, (__u64)cycles.pages_s);
	done(live);
}

/* Pages that are marked within so many ms by a guest that writes to any of 28,000 */
static double marked_in(double ms)
{
	return 28000 * -expm1(-1.6 * ms / 28000);
}

/*
 * Three cycles of a second and one of five were before the one that runs, whose age is 1.03 s, or
 * 1.5: its first second has what it had.
 */
TEST(other_cycles_do_not_bend_the_one_that_runs)
{
	static const unsigned int ages[] = { 1030, 1500 };
	__u64 marks[80];
	struct live *live;
	unsigned int i, b, age;

	for (age = 0; age < 2; age++) {
		const unsigned int ends[] = { 1000, 1000, 1000, 5000, ages[age] };

		for (i = 0; i < 80; i++)
			marks[i] = 12000 + marked_in(ages[age] + 25 * i);
		live = look_on(80, marks, NULL);
		live->dirty = marked_in(ages[age]);
		for (i = 0; i < 13 * ARRAY_SIZE(ends); i++) {
			b = i % 13;
			live->begin.slots->in[b] += marked_in(fmin(1 << b, ends[i / 13])) -
				(b ? marked_in(fmin(1 << (b - 1), ends[i / 13])) : 0);
		}
		live_cycles(live, ages[age] * MS, &cycles);
		ASSERT_EQ(1, cycles.nr);
		EXPECT_EQ(1024 * MS, cycles.points[10].ns);
		EXPECT_LT(fabs(cycles.points[10].pages / marked_in(1024) - 1), 0.05);
		EXPECT_LT(fabs(cycles.points[9].pages / marked_in(512) - 1), 0.05);
		done(live);
	}
}

TEST(cycle_begins_when_the_log_is_collected)
{
	const __u64 marks[] = { 50, 50, 60, 70, 80, 90, 95, 100, 105, 110 };
	const __u64 collects[] = { 7, 8, 8, 8, 8, 8, 8, 8, 8, 8 };
	struct live *live = look_on(10, marks, collects);

	live_cycles(live, 0, &cycles);
	ASSERT_EQ(1, cycles.nr);
	EXPECT_TRUE(is_in_order(&cycles));
	EXPECT_EQ(60, cycles.marked);
	EXPECT_EQ(200, (__u64)(cycles.since_s * 1000 + 0.5));
	EXPECT_EQ(25 * MS, cycles.points[0].ns);
	EXPECT_EQ(10, cycles.points[0].pages);
	done(live);
}

TEST(clearing_one_slot_of_many_begins_none)
{
	const __u64 marks[] = { 50, 60, 70, 80, 90, 100 };
	const __u64 collects[] = { 7, 7, 8, 8, 8, 20 };
	struct live *live = look_on(6, marks, collects);

	live->logged = 12;
	live_cycles(live, 1000 * MS, &cycles);
	EXPECT_EQ(1, cycles.nr);
	EXPECT_EQ(0, (__u64)cycles.since_s);
	EXPECT_EQ(0, cycles.marked);
	done(live);
}

TEST(age_is_guessed_from_the_marks_that_come)
{
	const __u64 marks[] = { 0, 10, 20, 30, 40 };
	struct live *live = look_on(5, marks, NULL);

	live->end.slots->in[11] = 40;		/* 1 to 2 s */
	live_cycles(live, 0, &cycles);
	EXPECT_LT(1, cycles.since_s);
	EXPECT_LT(cycles.since_s, 2);
	EXPECT_TRUE(is_in_order(&cycles));
	done(live);
}

TEST(any_input_gives_cycles_in_order)
{
	unsigned int seed, i;

	for (seed = 1; seed < 2000; seed++) {
		__u64 marks[60], collects[60];
		size_t nr = 1 + rand() % 60;
		struct live *live;

		srand(seed);
		for (i = 0; i < 60; i++) {
			marks[i] = (i ? marks[i - 1] : 0) + rand() % 50;
			collects[i] = (i ? collects[i - 1] : 0) + rand() % 20 / 17;
		}
		live = look_on(nr, marks, collects);
		live->ring = rand() % 2;
		live->dirty = rand() % 100;
		for (i = 0; i < 20; i++) {
			live->begin.slots->in[i] = rand() % 10;
			live->end.slots->in[i] = live->begin.slots->in[i] + rand() % 10;
		}
		live_cycles(live, rand() % 2 ? rand() % 3000 * MS : 0, &cycles);
		ASSERT_TRUE(is_in_order(&cycles));
		ASSERT_LE(0, cycles.since_s);
		done(live);
	}
}

TEST_HARNESS_MAIN
