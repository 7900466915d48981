/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Per-page heat: what a mark does to the entry of its page. Only such entries may be changed by two
 * CPUs at once. selftests/unit/heat_page_test.c does so with threads, so this file uses only kernel
 * interfaces that the test also defines.
 */
#ifndef KVMW_HEAT_PAGE_H
#define KVMW_HEAT_PAGE_H

#ifdef __KERNEL__
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/types.h>
#include <uapi/linux/kvmwatch.h>
#endif

/* Number of window lengths. */
#define KVMW_HEAT_WINDOWS	10

/* Number of window lengths, from the shortest on, for which two ticks lie in different windows. */
static inline unsigned int kvmw_windows_apart(u32 a, u32 b)
{
	return min_t(unsigned int, fls(a ^ b), KVMW_HEAT_WINDOWS);
}

/*
 * Count a mark of a page. Returns for how many window lengths it is the first mark of the page in
 * its window. If two CPUs mark a page at once, the second one finds the tick of the first, so only
 * one of them counts as first.
 */
static inline unsigned int kvmw_mark_page(u64 *page, u32 tick)
{
	u64 old = READ_ONCE(*page), new;
	u32 count, last;

	do {
		count = old;
		last = old >> 32;
		new = (u64)max(last, tick + 1) << 32 | (count + (count != U32_MAX));
	} while (!try_cmpxchg(page, &old, new));

	if (!last)
		return KVMW_HEAT_WINDOWS;
	return last > tick ? 0 : kvmw_windows_apart(last - 1, tick);
}

#endif /* KVMW_HEAT_PAGE_H */
