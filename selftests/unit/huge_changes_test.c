// SPDX-License-Identifier: GPL-2.0
/* Huge pages that go and come again, by events that are made up. */
#include <string.h>

#include <kselftest_harness.h>

#include "huge_changes.h"

#define MS	1000000ULL

static struct huge_changes *changes;
static struct huge_cause causes[HUGE_CAUSES];

static int change(__u64 ms, bool map, __u8 level, __u64 gfn, unsigned int cause)
{
	const struct huge_event event = {
		.ns = ms * MS, .vm = 1, .gfn = gfn, .leaves = 1, .level = level, .map = map,
		.cause = cause,
	};

	return huge_changes_add(changes, &event);
}

#define UNMAP(ms, level, gfn, cause)	\
	EXPECT_EQ(0, change(ms, false, level, gfn, KVMW_LEAF_##cause))
#define MAP(ms, level, gfn, cause)	\
	EXPECT_EQ(0, change(ms, true, level, gfn, KVMW_LEAF_##cause))

static const struct huge_cause *of(enum kvmw_leaf_cause cause)
{
	huge_changes_of(changes, 1, causes);
	return &causes[cause];
}

TEST(time_until_a_page_forms_again_is_of_the_cause_by_which_it_went)
{
	changes = huge_changes_new();
	UNMAP(10, 2, 512, MM);
	UNMAP(11, 2, 1024, SPLIT_EAGER);
	MAP(15, 2, 512, FAULT);
	MAP(2511, 2, 1024, COLLAPSE);
	EXPECT_EQ(1, of(KVMW_LEAF_MM)->unmapped[0]);
	EXPECT_EQ(1, of(KVMW_LEAF_MM)->again);
	EXPECT_EQ(0, of(KVMW_LEAF_MM)->left);
	EXPECT_EQ(5 * MS, of(KVMW_LEAF_MM)->again_ns);
	EXPECT_EQ(1, of(KVMW_LEAF_MM)->times[1]);
	EXPECT_EQ(2500 * MS, of(KVMW_LEAF_SPLIT_EAGER)->again_ns_max);
	EXPECT_EQ(1, of(KVMW_LEAF_SPLIT_EAGER)->times[4]);
	EXPECT_EQ(1, of(KVMW_LEAF_FAULT)->mapped[0]);
	EXPECT_EQ(0, of(KVMW_LEAF_FAULT)->again);
	EXPECT_EQ(1, of(KVMW_LEAF_COLLAPSE)->mapped[0]);
	huge_changes_free(changes);
}

TEST(pages_that_do_not_come_again_are_left)
{
	changes = huge_changes_new();
	UNMAP(10, 2, 512, SLOT);
	UNMAP(20, 2, 512, MM);	/* of another page table: the first one counts */
	UNMAP(20, 2, 1024, SLOT);
	MAP(30, 2, 1536, FAULT);
	EXPECT_EQ(2, of(KVMW_LEAF_SLOT)->left);
	EXPECT_EQ(0, of(KVMW_LEAF_MM)->left);
	EXPECT_EQ(1, of(KVMW_LEAF_MM)->unmapped[0]);
	MAP(40, 2, 512, FAULT);
	EXPECT_EQ(1, of(KVMW_LEAF_SLOT)->left);
	EXPECT_EQ(30 * MS, of(KVMW_LEAF_SLOT)->again_ns);
	huge_changes_free(changes);
}

TEST(other_vms_address_spaces_and_levels_are_other_pages)
{
	struct huge_event event = { .ns = 30 * MS, .vm = 2, .gfn = 512, .leaves = 1, .level = 2,
				    .map = true };

	changes = huge_changes_new();
	EXPECT_FALSE(huge_changes_of(changes, 1, causes));
	UNMAP(10, 2, 512, MM);
	UNMAP(10, 3, 0, MM);
	EXPECT_EQ(0, huge_changes_add(changes, &event));
	event.vm = 1;
	event.as_id = 1;
	EXPECT_EQ(0, huge_changes_add(changes, &event));
	EXPECT_EQ(2, of(KVMW_LEAF_MM)->left);
	EXPECT_EQ(1, of(KVMW_LEAF_MM)->unmapped[1]);
	/* A larger one has both in it. */
	MAP(40, 3, 0, FAULT);
	EXPECT_EQ(0, of(KVMW_LEAF_MM)->left);
	EXPECT_EQ(2, of(KVMW_LEAF_MM)->again);
	EXPECT_EQ(60 * MS, of(KVMW_LEAF_MM)->again_ns);
	EXPECT_EQ(2, of(KVMW_LEAF_MM)->times[2]);
	huge_changes_free(changes);
}

TEST(a_split_of_1g_makes_512_pages)
{
	struct huge_event event = { .ns = 30 * MS, .vm = 1, .gfn = 0, .leaves = 512, .level = 2,
				    .map = true, .cause = KVMW_LEAF_SPLIT };

	changes = huge_changes_new();
	UNMAP(10, 2, 511 * 512, MM);
	UNMAP(20, 3, 0, SPLIT);
	EXPECT_EQ(0, huge_changes_add(changes, &event));
	EXPECT_EQ(512, of(KVMW_LEAF_SPLIT)->mapped[0]);
	EXPECT_EQ(1, of(KVMW_LEAF_MM)->again);
	EXPECT_EQ(1, of(KVMW_LEAF_SPLIT)->left);
	/* Small leaves, and causes that nobody knows, are nothing. */
	UNMAP(50, 1, 512, MM);
	EXPECT_EQ(0, change(50, false, 2, 512, HUGE_CAUSES));
	EXPECT_EQ(0, of(KVMW_LEAF_MM)->left);
	huge_changes_free(changes);
}

TEST_HARNESS_MAIN
