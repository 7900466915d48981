// SPDX-License-Identifier: GPL-2.0
/* What backs memory of this process, as if it was a VM's. See also huge_test.c, with real VMs. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/kvmwatch.h>
#include <kselftest_harness.h>

#include "backing.h"

#define PAGE	4096ULL
#define HUGE	(512 * PAGE)

/* Four huge pages' worth, aligned, in a larger area, and the slot that has them. */
static char *area, *huge;
static struct kvmwatch_slot slot;
static struct backing backing;

static void begin(int advice)
{
	area = mmap(NULL, 6 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	huge = (char *)(((unsigned long)area + HUGE) & ~(HUGE - 1));
	slot = (struct kvmwatch_slot){
		.base_gfn = 512, .npages = 4 * 512, .userspace_addr = (unsigned long)huge,
	};
	madvise(area, 6 * HUGE, advice);
}

static void end(void)
{
	munmap(area, 6 * HUGE);
}

static void look(void)
{
	backing_look(getpid(), &slot, 1, &backing);
}

/* What there is of one kind, in pages; -1: not known. */
static long pages(enum backing_kind kind)
{
	return backing.known ? (long)(backing.bytes[kind] / PAGE) : -1;
}

static bool is_whole(void)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < BACKING_KINDS; i++)
		sum += backing.bytes[i];
	return backing.known && sum == slot.npages * PAGE;
}

TEST(memory_is_small_where_it_was_touched)
{
	begin(MADV_NOHUGEPAGE);
	memset(huge + PAGE, 1, 700 * PAGE);
	look();
	EXPECT_STREQ("", backing.why);
	EXPECT_EQ(700, pages(BACKING_SMALL));
	EXPECT_EQ(4 * 512 - 700, pages(BACKING_ABSENT));
	EXPECT_TRUE(is_whole());
	EXPECT_TRUE(backing.aligned);
	EXPECT_FALSE(backing.cut);
	end();
}

TEST(memory_is_absent_where_nothing_is_mapped)
{
	begin(MADV_NOHUGEPAGE);
	memset(huge, 1, 4 * HUGE);
	ASSERT_EQ(0, munmap(huge + HUGE + 5 * PAGE, 10 * PAGE));
	look();
	EXPECT_EQ(10, pages(BACKING_ABSENT));
	EXPECT_EQ(4 * 512 - 10, pages(BACKING_SMALL));
	EXPECT_TRUE(is_whole());
	end();
}

TEST(memory_is_huge_if_the_slot_is_in_step_and_has_all_of_it)
{
	begin(MADV_HUGEPAGE);
	memset(huge, 1, 4 * HUGE);
	look();
	/* Others than root see no page frames. */
	if (!geteuid())
		EXPECT_STREQ("", backing.why);
	if (pages(BACKING_2M) != 4 * 512) {
		printf("# this machine gives no huge pages\n");
		return end();
	}
	EXPECT_TRUE(is_whole());

	slot.base_gfn = 1;
	look();
	EXPECT_EQ(4 * 512, pages(BACKING_UNALIGNED));
	EXPECT_FALSE(backing.aligned);
	EXPECT_TRUE(backing.cut);

	slot.base_gfn = 512 + 3;
	slot.userspace_addr += 3 * PAGE;
	slot.npages -= 7;
	look();
	EXPECT_EQ(512 - 3 + 512 - 4, pages(BACKING_EDGE));
	EXPECT_EQ(2 * 512, pages(BACKING_2M));
	EXPECT_TRUE(backing.aligned);
	EXPECT_TRUE(is_whole());

	/* A small page that goes takes the huge one with it. */
	ASSERT_EQ(0, madvise(huge + HUGE + 9 * PAGE, PAGE, MADV_DONTNEED));
	look();
	EXPECT_EQ(512, pages(BACKING_2M));
	EXPECT_EQ(511, pages(BACKING_SMALL));
	EXPECT_EQ(1, pages(BACKING_ABSENT));
	EXPECT_TRUE(is_whole());
	end();
}

TEST(memory_of_others_and_of_nobody_is_not_known)
{
	begin(MADV_NOHUGEPAGE);
	backing_look(0, &slot, 1, &backing);
	EXPECT_EQ(-1, pages(BACKING_ABSENT));
	EXPECT_STRNE("", backing.why);
	slot.flags = KVMWATCH_SLOT_INTERNAL;
	look();
	EXPECT_EQ(-1, pages(BACKING_ABSENT));
	slot.flags = 4;	/* KVM_MEM_GUEST_MEMFD */
	look();
	EXPECT_EQ(-1, pages(BACKING_ABSENT));
	EXPECT_STRNE("", backing.why);
	end();
}

TEST_HARNESS_MAIN
