// SPDX-License-Identifier: GPL-2.0
/* First-mark curves from counts by age: see ages.h. */
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "ages.h"

#define MS	1000000ULL
#define BUCKETS	20

static struct slot_ages slots[2][2];

/* Buckets of 1, 2, 4, ... ms; slot 1 and slot 2 */
static struct ages ages_of(struct slot_ages *of)
{
	struct ages ages = { .nr_buckets = BUCKETS, .slots = of, .nr = 2 };
	size_t i;

	memset(of, 0, 2 * sizeof(*of));
	for (i = 0; i < BUCKETS; i++)
		ages.upper_ns[i] = i == BUCKETS - 1 ? ~0ULL : MS << i;
	for (i = 0; i < 2; i++) {
		of[i].life = i + 1;
		of[i].known = true;
	}
	return ages;
}

static __u64 pages_at(const struct age_curve *curve, __u64 ns)
{
	size_t i;

	for (i = 0; i < curve->nr; i++) {
		if (curve->points[i].ns == ns)
			return curve->points[i].pages;
	}
	return ~0ULL;
}

TEST(one_cycle_is_what_was_counted)
{
	struct ages before = ages_of(slots[0]), after = ages_of(slots[1]);
	const __u64 second = 1000 * MS;
	struct age_curve curve;

	slots[0][0].in[9] = 5;
	slots[1][0].in[5] = 10;
	slots[1][0].in[9] = 25;
	slots[1][1].in[10] = 7;
	slots[1][1].in[11] = 1;		/* the clock ran a little fast */
	ages_curve(&before, &after, &second, 1, &curve);
	EXPECT_EQ(10, pages_at(&curve, 32 * MS));
	EXPECT_EQ(10, pages_at(&curve, 256 * MS));
	EXPECT_EQ(30, pages_at(&curve, 512 * MS));
	EXPECT_EQ(38, pages_at(&curve, second));
	EXPECT_EQ(second, curve.points[curve.nr - 1].ns);
}

/* Pages are marked at a constant rate of 100 in 100 ms, and cycles are 0.7, 0.3 and 1 s long. */
TEST(cycles_of_different_lengths_count_where_they_reach)
{
	struct ages before = ages_of(slots[0]), after = ages_of(slots[1]);
	const __u64 ns[] = { 700 * MS, 300 * MS, 1000 * MS };
	struct age_curve curve;
	__u64 from = 0, to;
	size_t i, b;

	for (b = 0; b < BUCKETS - 1; b++) {
		to = after.upper_ns[b];
		for (i = 0; i < 3; i++) {
			if (ns[i] > from)
				slots[1][0].in[b] += ((ns[i] < to ? ns[i] : to) - from) / MS;
		}
		from = to;
	}
	ages_curve(&before, &after, ns, 3, &curve);
	EXPECT_EQ(128, pages_at(&curve, 128 * MS));
	EXPECT_EQ(256, pages_at(&curve, 256 * MS));
	EXPECT_EQ(512, pages_at(&curve, 512 * MS));
	EXPECT_EQ(1000, pages_at(&curve, 1000 * MS));
}

TEST(what_was_logged_before_is_left_out)
{
	struct ages before = ages_of(slots[0]), after = ages_of(slots[1]);
	const __u64 second = 1000 * MS;
	struct age_curve curve;

	slots[0][0].logged = true;
	slots[1][0].in[5] = 10;
	slots[1][1].in[5] = 3;
	ages_curve(&before, &after, &second, 1, &curve);
	EXPECT_EQ(1, curve.others);
	EXPECT_EQ(0, curve.unknown);
	EXPECT_EQ(3, pages_at(&curve, second));
	slots[1][1].known = false;
	ages_curve(&before, &after, &second, 1, &curve);
	EXPECT_EQ(1, curve.unknown);
}

TEST_HARNESS_MAIN
