// SPDX-License-Identifier: GPL-2.0
/* A sample of memory: here it is the test's own, with known contents. */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "dice.h"
#include "libkvmwatch.h"
#include "memory_sample.h"

#define PAGES	8192ULL
#define PAGE	4096

static char *ram;

/* The first half has data, the next quarter is zero, and the rest was never touched. */
static void fill(void)
{
	size_t i;

	ram = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(ram, PAGES * PAGE, MADV_NOHUGEPAGE);
	for (i = 0; i < PAGES / 2; i++)
		ram[i * PAGE + i % PAGE] = 1;
	for (; i < PAGES * 3 / 4; i++)
		ram[i * PAGE] = 0;
}

static struct kvmwatch_slot slot_of(__u16 id, size_t first, size_t pages)
{
	return (struct kvmwatch_slot) {
		.id = id, .npages = pages, .base_gfn = first,
		.userspace_addr = (unsigned long)ram + first * PAGE,
	};
}

static bool is_near(struct memory_estimate estimate, double pages)
{
	double off = estimate.pages - pages;

	return off * off <= 16 * estimate.error * estimate.error;
}

TEST(all_of_a_small_memory_is_counted)
{
	struct kvmwatch_slot slot;
	struct memory_sample s;

	fill();
	slot = slot_of(0, 0, PAGES);
	ASSERT_EQ(0, memory_sample(getpid(), &slot, 1, PAGES, &s));
	EXPECT_EQ(PAGES, s.looked);
	EXPECT_EQ(PAGES / 2, s.found[MEMORY_DATA]);
	EXPECT_EQ(PAGES / 4, s.found[MEMORY_ZERO]);
	EXPECT_EQ(PAGES / 4, s.found[MEMORY_ABSENT]);
	memory_sample_free(&s);
}

TEST(sample_is_within_its_error)
{
	struct kvmwatch_slot slot;
	struct memory_sample s;

	fill();
	slot = slot_of(0, 0, PAGES);
	ASSERT_EQ(0, memory_sample(getpid(), &slot, 1, 512, &s));
	EXPECT_EQ(512, s.looked);
	EXPECT_TRUE(is_near(s.estimate[MEMORY_DATA], PAGES / 2));
	EXPECT_TRUE(is_near(s.estimate[MEMORY_ZERO], PAGES / 4));
	EXPECT_TRUE(is_near(s.estimate[MEMORY_ABSENT], PAGES / 4));
	EXPECT_LT(s.estimate[MEMORY_DATA].error, PAGES / 50);
	memory_sample_free(&s);
}

static void set_page(size_t i, bool data)
{
	memset(ram + i * PAGE, data, PAGE);
}

/* Where pages get data and lose it at random, there is no growth but by chance. */
TEST(growth_is_more_than_chance)
{
	unsigned int round, seen = 0;
	struct kvmwatch_slot slot;
	struct memory_sample s;
	double growth;
	size_t i;

	fill();
	slot = slot_of(0, 0, PAGES);
	for (round = 0; round < 200; round++) {
		ASSERT_EQ(0, memory_sample(getpid(), &slot, 1, 1024, &s));
		ASSERT_EQ(0, memory_growth(getpid(), &slot, 1, &s, &growth));
		EXPECT_EQ(0, growth);	/* nothing has changed */
		for (i = 0; i < PAGES / 8; i++)
			set_page(roll() % PAGES, roll() % 2);
		ASSERT_EQ(0, memory_growth(getpid(), &slot, 1, &s, &growth));
		seen += growth != 0;
		memory_sample_free(&s);
	}
	EXPECT_GE(8U, seen);
	for (i = 0; i < PAGES; i++)
		set_page(i, i < PAGES / 2);
	ASSERT_EQ(0, memory_sample(getpid(), &slot, 1, 1024, &s));
	for (i = PAGES / 2; i < PAGES * 5 / 8; i++)
		set_page(i, true);
	ASSERT_EQ(0, memory_growth(getpid(), &slot, 1, &s, &growth));
	EXPECT_LT(PAGES / 8 - 16, growth);
	EXPECT_LT(growth, PAGES / 8 + 16);
	for (i = 0; i < PAGES / 4; i++)
		set_page(i, false);
	ASSERT_EQ(0, memory_growth(getpid(), &slot, 1, &s, &growth));
	EXPECT_LT(growth, -(double)PAGES / 8 + 16);
	/* A slot that has gone has no pages; the others go on. */
	slot = slot_of(0, PAGES / 2, PAGES / 2);
	ASSERT_EQ(0, memory_growth(getpid(), &slot, 1, &s, &growth));
	EXPECT_LT(PAGES / 8 - 16, growth);
	memory_sample_free(&s);
}

TEST(parts_say_where_the_data_are)
{
	struct kvmwatch_slot slots[2];
	struct memory_sample s;
	unsigned int i;

	fill();
	/* The slot with the lower address is listed last. */
	slots[0] = slot_of(5, PAGES / 2, PAGES / 2);
	slots[1] = slot_of(6, 0, PAGES / 2);
	ASSERT_EQ(0, memory_sample(getpid(), slots, 2, 2048, &s));
	ASSERT_EQ(2, s.nr_slots);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(MEMORY_PARTS, s.slots[i].nr_parts);
		EXPECT_EQ(s.slots[i].id == 5, s.slots[i].zero[0] > 0.5);
		EXPECT_EQ(s.slots[i].id == 5, s.slots[i].zero[MEMORY_PARTS - 1] > 0.5);
	}
	memory_sample_free(&s);
	slots[1] = slot_of(6, PAGES / 4, PAGES / 2);
	ASSERT_EQ(0, memory_sample(getpid(), &slots[1], 1, 2048, &s));
	EXPECT_EQ(0, s.slots[0].zero[0]);
	EXPECT_EQ(0, s.slots[0].zero[MEMORY_PARTS / 2 - 1]);
	EXPECT_EQ(1, s.slots[0].zero[MEMORY_PARTS / 2]);
	EXPECT_EQ(1, s.slots[0].zero[MEMORY_PARTS - 1]);
	memory_sample_free(&s);
}

TEST(few_pages_have_few_parts)
{
	struct kvmwatch_slot slots[2];
	struct memory_sample s;

	fill();
	slots[0] = slot_of(1, 0, 8);
	slots[1] = slot_of(2, 8, PAGES - 8);
	ASSERT_EQ(0, memory_sample(getpid(), slots, 1, 1024, &s));
	EXPECT_EQ(8, s.slots[0].nr_parts);
	memory_sample_free(&s);
	ASSERT_EQ(0, memory_sample(getpid(), slots, 2, 64, &s));
	EXPECT_EQ(s.slots[0].looked, s.slots[0].nr_parts);
	EXPECT_EQ(s.slots[1].looked, s.slots[1].nr_parts);
	memory_sample_free(&s);
}

TEST(pages_are_looked_at_by_address)
{
	struct kvmwatch_slot slots[2];
	size_t found[MEMORY_KINDS];
	__u64 at[6], base;
	char why[MONITOR_WHY];

	fill();
	base = (unsigned long)ram;
	slots[0] = slot_of(1, PAGES / 4, PAGES / 4);
	slots[1] = slot_of(2, PAGES / 2, PAGES / 2);
	at[0] = base + (PAGES - 1) * PAGE;		/* absent */
	at[1] = base + PAGES / 2 * PAGE;		/* zero */
	at[2] = base + (PAGES / 2 - 1) * PAGE;		/* data */
	at[3] = base + PAGES / 4 * PAGE;		/* data */
	at[4] = base;					/* in no slot */
	at[5] = base + PAGES * PAGE;			/* in no slot */
	ASSERT_EQ(0, memory_contents(getpid(), slots, 2, at, 6, found, why));
	EXPECT_EQ(2, found[MEMORY_DATA]);
	EXPECT_EQ(1, found[MEMORY_ZERO]);
	EXPECT_EQ(1, found[MEMORY_ABSENT]);
	EXPECT_EQ(-ENOENT, memory_contents(getpid(), slots, 2, &at[4], 2, found, why));
	EXPECT_EQ(-EINVAL, memory_contents(getpid(), slots, 2, at, 0, found, why));
}

TEST(who_is_gone_is_told)
{
	struct kvmwatch_slot slot;
	struct memory_sample s;
	int child = fork();

	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	fill();
	slot = slot_of(0, 0, PAGES);
	EXPECT_EQ(-ESRCH, memory_sample(child, &slot, 1, 64, &s));
	EXPECT_STRNE("", s.why);
	memory_sample_free(&s);
	EXPECT_EQ(-ENOENT, memory_sample(getpid(), &slot, 0, 64, &s));
	memory_sample_free(&s);
}

TEST_HARNESS_MAIN
