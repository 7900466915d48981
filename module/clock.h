/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long things take, in nanoseconds of the kernel's raw monotonic clock, which NTP
 * does not bend (CLOCK_MONOTONIC_RAW), for those who ask at every VM exit.
 *
 * Where the kernel's clocks go by the TSC, a hit reads the TSC itself, and what lies
 * between two readings is scaled as the kernel does it. Elsewhere the kernel is
 * asked, which costs more than the rest of a hit. Every two seconds, and after each suspend, a
 * work item looks which of the two it is.
 */
#ifndef KVMW_CLOCK_H
#define KVMW_CLOCK_H

#include <linux/jump_label.h>
#include <linux/math64.h>
#include <asm/msr.h>

DECLARE_STATIC_KEY_FALSE(kvmw_clock_tsc);

/*
 * Nanoseconds that a tick takes, times 2^32. Changes once at most, if we are there before the
 * kernel has measured the TSC as well as it can, seconds after it booted.
 */
extern u64 kvmw_clock_mult;

/* What is added to the TSC, so that ticks go on where the kernel's clock has gone on without it. */
extern u64 kvmw_clock_offset;

u64 kvmw_now_slow(void);

static __always_inline bool kvmw_clock_is_tsc(void)
{
	return static_branch_likely(&kvmw_clock_tsc);
}

/* For those who have asked: calls nothing. */
static __always_inline u64 kvmw_now_tsc(void)
{
	return rdtsc_ordered() + kvmw_clock_offset;
}

/* In ticks from an unknown start. Context: preemption off, as the clock may be exchanged. */
static __always_inline u64 kvmw_now(void)
{
	return kvmw_clock_is_tsc() ? kvmw_now_tsc() : kvmw_now_slow();
}

/* Nanoseconds from @since to @now, which may be some ticks earlier, on another CPU. */
static __always_inline u64 kvmw_elapsed(u64 now, u64 since)
{
	u64 ticks = likely(now > since) ? now - since : 0;

	return mul_u64_u64_shr(ticks, READ_ONCE(kvmw_clock_mult), 32);
}

/* For handlers, whose usual way (see hook.h) is taken only if the clock is the TSC. */
static __always_inline u64 kvmw_now_of(const bool usual)
{
	return usual ? kvmw_now_tsc() : kvmw_now();
}

/* The same. Context: any. */
u64 kvmw_now_anywhere(void);

/* By which clock hits go now, in words. */
const char *kvmw_clock_name(void);

void kvmw_clock_init(void);
void kvmw_clock_exit(void);

#endif /* KVMW_CLOCK_H */
