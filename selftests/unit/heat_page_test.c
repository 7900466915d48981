// SPDX-License-Identifier: GPL-2.0
/*
 * Marks of the same pages by several threads at once, tested with the module's own code. The test
 * VM's emulator takes turns between its CPUs, so two of them are hardly ever in the same page's
 * cell.
 */
#include <pthread.h>
#include <stdbool.h>

#include <kselftest_harness.h>
#include <linux/kvmwatch.h>

/* What the code needs from the kernel. */
#define u32			__u32
#define u64			__u64
#define U32_MAX			(~0U)
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define try_cmpxchg(at, old, new)						\
	__atomic_compare_exchange_n(at, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
#define max(a, b)		((a) > (b) ? (a) : (b))
#define min_t(type, a, b)	((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define fls(x)			((x) ? 32 - __builtin_clz(x) : 0)

#include "../module/records/heat_page.h"

#define THREADS		4
#define PAGES		4
#define TICKS		64
#define MARKS		20000	/* marks of each page by each thread in each tick */

static u64 pages[PAGES];
static pthread_barrier_t tick_begins;

/* Number of marks, by the number of windows in which the page was new. */
struct marker {
	pthread_t thread;
	u64 new[KVMW_HEAT_WINDOWS + 1];
};

static void *mark(void *arg)
{
	struct marker *m = arg;
	unsigned int i, page;
	u32 tick;

	for (tick = 0; tick < TICKS; tick++) {
		pthread_barrier_wait(&tick_begins);
		for (i = 0; i < MARKS; i++)
			for (page = 0; page < PAGES; page++)
				m->new[kvmw_mark_page(&pages[page], tick)]++;
	}
	return NULL;
}

TEST(no_mark_is_lost_and_each_window_has_one_that_is_first)
{
	u64 new[KVMW_HEAT_WINDOWS + 1] = { }, distinct;
	struct marker markers[THREADS] = { };
	unsigned int i, n;

	ASSERT_EQ(0, pthread_barrier_init(&tick_begins, NULL, THREADS));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&markers[i].thread, NULL, mark, &markers[i]));
	for (i = 0; i < THREADS; i++) {
		pthread_join(markers[i].thread, NULL);
		for (n = 0; n <= KVMW_HEAT_WINDOWS; n++)
			new[n] += markers[i].new[n];
	}
	for (i = 0; i < PAGES; i++) {
		EXPECT_EQ(THREADS * TICKS * MARKS, (u32)pages[i]);
		EXPECT_EQ(TICKS, pages[i] >> 32);
	}
	for (i = 0; i < KVMW_HEAT_WINDOWS; i++) {
		for (n = i + 1, distinct = 0; n <= KVMW_HEAT_WINDOWS; n++)
			distinct += new[n];
		EXPECT_EQ(PAGES * (TICKS >> i ? TICKS >> i : 1), distinct)
			TH_LOG("windows of %u ticks", 1U << i);
	}
}

/* A mark with an older time than the page's is counted, but the page is new in no window. */
TEST(a_mark_that_comes_late_is_new_nowhere)
{
	u64 page = 0;

	EXPECT_EQ(KVMW_HEAT_WINDOWS, kvmw_mark_page(&page, 9));
	EXPECT_EQ(0, kvmw_mark_page(&page, 8));
	EXPECT_EQ(0, kvmw_mark_page(&page, 9));
	EXPECT_EQ(1, kvmw_mark_page(&page, 10) - 1);	/* ticks 9 and 10 differ in bits 0 and 1 */
	EXPECT_EQ(4, (u32)page);
}

TEST_HARNESS_MAIN
