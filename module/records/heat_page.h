/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Per-page heat: what a mark does to the cell of its page, the one thing that two CPUs may
 * change at once. selftests/unit/heat_page_test.c has threads do that, so this uses of the
 * kernel only what is given its meaning there, too.
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

/* So many lengths of windows are counted. */
#define KVMW_HEAT_WINDOWS	10

/* In how many windows, from the shortest on, are two ticks apart? */
static inline unsigned int kvmw_windows_apart(u32 a, u32 b)
{
	return min_t(unsigned int, fls(a ^ b), KVMW_HEAT_WINDOWS);
}

/*
 * Count a mark of a page; returns in how many windows it is the first one. Two CPUs that mark
 * it at once get different answers: the one that comes second finds the tick of the first.
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
