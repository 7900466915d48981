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

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <linux/types.h>
#include <asm/msr.h>
#include <asm/tsc.h>

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

/*
 * The same in ticks, for hits: they count these, and readers make nanoseconds of the sum. 1 at
 * least, as a histogram has no bucket for less.
 */
static __always_inline u64 kvmw_ticks(u64 now, u64 since)
{
	bool late;

	asm("subq %[since], %[now]"
	    : [now] "+r" (now), "=@ccbe" (late) : [since] "rm" (since));
	/* Volatile: else compilers do it each time, without a jump that is not taken. */
	if (unlikely(late))
		asm volatile("movl $1, %k0" : "=r" (now));
	return now;
}

static __always_inline u64 kvmw_ticks_ns(u64 ticks)
{
	return mul_u64_u64_shr(ticks, READ_ONCE(kvmw_clock_mult), 32);
}

/* The other way round. Context: any. */
u64 kvmw_ns_ticks(u64 ns);

/* Buckets of a log2 histogram: the last holds everything from 2^38 ns (275 s) on. */
#define KVMW_HIST_BUCKETS	40

/*
 * By the highest bit of some ticks: the bucket of the nanoseconds that they are, but for those
 * from an edge on, which are in the next one. By what a tick took when kvmwatch was loaded.
 */
extern u8 kvmw_bucket_below[64];
extern u64 kvmw_bucket_edge[64];

/* Bucket 0 holds less than 1 ns, bucket i what takes 2^(i-1) ns up to 2^i. @ticks is not 0. */
static __always_inline unsigned long kvmw_bucket(u64 ticks)
{
	/* By pointers: kernels that check the bounds of arrays would check each, in each hit. */
	const u64 *edge = kvmw_bucket_edge;
	const u8 *below = kvmw_bucket_below;
	unsigned long bit = __fls(ticks);

	return (unsigned long)below[bit] + (ticks >= edge[bit]);
}

/* For handlers, whose usual way (see hooks/handler.h) is taken only if the clock is the TSC. */
static __always_inline u64 kvmw_now_of(const bool usual)
{
	return usual ? kvmw_now_tsc() : kvmw_now();
}

/* The same. Context: any. */
u64 kvmw_now_anywhere(void);

/*
 * How long ago something was, roughly, for hits that must not ask which clock there is. Ages are
 * in buckets: below 1 ms, below 2 ms, below 4 ms and so on; the last has all from 262 s on.
 */
#define KVMW_AGE_BUCKETS	20
#define KVMW_AGE_MS_LAST	(1U << (KVMW_AGE_BUCKETS - 2))

/* A moment that the TSC does not tell: its age is above any limit. */
#define KVMW_NO_MOMENT		BIT_ULL(63)

/* Half milliseconds that a tick takes, times 2^64; and the ticks of the last bucket's lower end. */
extern u64 kvmw_age_mult, kvmw_age_limit;

/* Now, as a moment. Context: preemption off. */
static __always_inline u64 kvmw_moment(void)
{
	return kvmw_clock_is_tsc() ? rdtsc() : KVMW_NO_MOMENT;
}

/* Ticks since a moment; kvmw_age_limit or more: ask kvmw_age_bucket_slow(). Context: any. */
static __always_inline u64 kvmw_age_since(u64 moment)
{
	return rdtsc() - moment;
}

/*
 * Of an age below kvmw_age_limit: the highest bit of its half milliseconds. The lowest bit makes
 * bucket 0 of 0 and 1. Compilers spend six instructions more.
 */
static __always_inline unsigned long kvmw_age_bucket(u64 age)
{
	unsigned long bucket;

	asm("mulq %2\n\tor $1, %0\n\tbsr %0, %0"
	    : "=&d" (bucket), "+a" (age) : "m" (kvmw_age_mult) : "cc");
	return bucket;
}

/* The same of any moment, by kvmw_now(). Context: preemption off. */
static inline unsigned int kvmw_age_bucket_slow(u64 since)
{
	u64 ms = div_u64(kvmw_elapsed(kvmw_now(), since), NSEC_PER_MSEC);

	return min_t(unsigned int, fls64(ms), KVMW_AGE_BUCKETS - 1);
}

/* By which clock hits go now, in words. */
const char *kvmw_clock_name(void);

/*
 * @tsc_lost is called when hits do not go by the TSC any more: moments mean nothing from then on.
 * Context: a task that may sleep.
 */
void kvmw_clock_init(void (*tsc_lost)(void));
void kvmw_clock_exit(void);

#endif /* KVMW_CLOCK_H */
