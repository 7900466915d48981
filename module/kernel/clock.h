/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A clock that is cheap enough for every VM exit. It measures durations in nanoseconds of
 * CLOCK_MONOTONIC_RAW, which NTP does not adjust.
 *
 * While the TSC is the kernel's clocksource, a hit reads the TSC directly, and the difference of
 * two readings is scaled as the kernel scales it. Otherwise a hit calls the kernel, which costs
 * more than the rest of the hit. A work item chooses between the two every two seconds and after
 * each suspend.
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
 * Nanoseconds per tick, times 2^32. It changes at most once: when the module was loaded before the
 * kernel refined its TSC calibration, some seconds after boot.
 */
extern u64 kvmw_clock_mult;

/* Added to the TSC, so that ticks continue after a time in which hits used the kernel's clock. */
extern u64 kvmw_clock_offset;

u64 kvmw_now_slow(void);

static __always_inline bool kvmw_clock_is_tsc(void)
{
	return static_branch_likely(&kvmw_clock_tsc);
}

/*
 * The value of kvmw_now() while the clock is the TSC. Calls no function.
 *
 * No fence: it would take a third of a hit's cycles. So the processor may read the TSC before it
 * has finished earlier instructions, but not before an exit from guest mode, which serialises.
 * Two readings that are close to each other may come in either order: kvmw_ticks() makes 1 of that.
 */
static __always_inline u64 kvmw_now_tsc(void)
{
	u64 now;

	/* rdtsc() + kvmw_clock_offset. Compilers use one or two instructions more. */
	asm volatile("rdtsc\n\tshl $32, %%rdx\n\tor %%rdx, %0\n\tadd %1, %0"
		     : "=a" (now) : "m" (kvmw_clock_offset) : "rdx", "cc");
	return now;
}

/* Ticks since an arbitrary start. Context: preemption off, as the sampler may switch clocks. */
static __always_inline u64 kvmw_now(void)
{
	return kvmw_clock_is_tsc() ? kvmw_now_tsc() : kvmw_now_slow();
}

/* Nanoseconds from @since to @now. Another CPU's TSC may lag, so @now may be some ticks less. */
static __always_inline u64 kvmw_elapsed(u64 now, u64 since)
{
	u64 ticks = likely(now > since) ? now - since : 0;

	return mul_u64_u64_shr(ticks, READ_ONCE(kvmw_clock_mult), 32);
}

/*
 * The same in ticks. Hits add up ticks, and readers convert the sum to nanoseconds. At least 1, as
 * kvmw_bucket() takes no 0.
 */
static __always_inline u64 kvmw_ticks(u64 now, u64 since)
{
	bool late;

	asm("subq %[since], %[now]"
	    : [now] "+r" (now), "=@ccbe" (late) : [since] "rm" (since));
	/* Without volatile, compilers make the move unconditional in place of this branch. */
	if (unlikely(late))
		asm volatile("movl $1, %k0" : "=r" (now));
	return now;
}

static __always_inline u64 kvmw_ticks_ns(u64 ticks)
{
	return mul_u64_u64_shr(ticks, READ_ONCE(kvmw_clock_mult), 32);
}

/* Ticks that take @ns nanoseconds. Context: any. */
u64 kvmw_ns_ticks(u64 ns);

/* Buckets of a log2 histogram: the last holds everything from 2^38 ns (275 s) on. */
#define KVMW_HIST_BUCKETS	40

/*
 * Indexed by the highest bit of a number of ticks: the bucket of its nanoseconds, and the edge from
 * which on ticks belong to the next bucket. Both use the TSC frequency known when the module was
 * loaded.
 */
extern u8 kvmw_bucket_below[64];
extern u64 kvmw_bucket_edge[64];

/* Bucket 0 holds less than 1 ns, bucket i from 2^(i-1) ns to below 2^i ns. @ticks is not 0. */
static __always_inline unsigned long kvmw_bucket(u64 ticks)
{
	/* Pointers, as kernels built with UBSAN_BOUNDS would check each array index in each hit. */
	const u64 *edge = kvmw_bucket_edge;
	const u8 *below = kvmw_bucket_below;
	unsigned long bit = __fls(ticks);

	return (unsigned long)below[bit] + (ticks >= edge[bit]);
}

/* For handlers: @usual (see hooks/handler.h) implies that the clock is the TSC. */
static __always_inline u64 kvmw_now_of(const bool usual)
{
	return usual ? kvmw_now_tsc() : kvmw_now();
}

/* kvmw_now(). Context: any. */
u64 kvmw_now_anywhere(void);

/*
 * Rough ages, for hits that must not test which clock is in use. The buckets are below 1 ms, below
 * 2 ms, below 4 ms and so on; the last holds 262 s and more.
 */
#define KVMW_AGE_BUCKETS	20
#define KVMW_AGE_MS_LAST	(1U << (KVMW_AGE_BUCKETS - 2))

/* A moment without a TSC reading: kvmw_age_since() exceeds every limit. */
#define KVMW_NO_MOMENT		BIT_ULL(63)

/* Half milliseconds per tick, times 2^64; and the ticks at which the last bucket begins. */
extern u64 kvmw_age_mult, kvmw_age_limit;

/* The current moment. Context: preemption off. */
static __always_inline u64 kvmw_moment(void)
{
	return kvmw_clock_is_tsc() ? rdtsc() : KVMW_NO_MOMENT;
}

/* Ticks since a moment. From kvmw_age_limit on use kvmw_age_bucket_slow(). Context: any. */
static __always_inline u64 kvmw_age_since(u64 moment)
{
	return rdtsc() - moment;
}

/*
 * Bucket of an age below kvmw_age_limit: the highest set bit of its half milliseconds. The "or"
 * puts 0 and 1 both into bucket 0. Compilers spend six instructions more.
 */
static __always_inline unsigned long kvmw_age_bucket(u64 age)
{
	unsigned long bucket;

	asm("mulq %2\n\tor $1, %0\n\tbsr %0, %0"
	    : "=&d" (bucket), "+a" (age) : "m" (kvmw_age_mult) : "cc");
	return bucket;
}

/* Bucket of the age of any @since, a value of kvmw_now(). Context: preemption off. */
static inline unsigned int kvmw_age_bucket_slow(u64 since)
{
	u64 ms = div_u64(kvmw_elapsed(kvmw_now(), since), NSEC_PER_MSEC);

	return min_t(unsigned int, fls64(ms), KVMW_AGE_BUCKETS - 1);
}

/* The clock that hits use now, in words. */
const char *kvmw_clock_name(void);

/*
 * @tsc_lost is called after hits have stopped using the TSC: moments taken before are invalid.
 * Context: a task that may sleep.
 */
void kvmw_clock_init(void (*tsc_lost)(void));
void kvmw_clock_exit(void);

#endif /* KVMW_CLOCK_H */
