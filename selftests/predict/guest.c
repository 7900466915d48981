// SPDX-License-Identifier: GPL-2.0
/*
 * The guest of the migration benchmark: it writes to its memory at known rates, in patterns that
 * its command line names. It fills its data, says "ready" on the serial line, and goes on for ever.
 *
 *	data=PAGES	fill so many pages first, each with one number that is not 0
 *	base=PAGES	page 0 is so far up in memory, and not where the program ends
 *	stride=PAGES	from one page to the next it is so far, not 1: what is between stays zero
 *	KIND:KEY=N,...	a worker; all of them work side by side
 *
 * Kinds:
 *	uniform		any of its pages, each as likely as any other
 *	sweep		one page after the other, and from the start again
 *	shuffle		the same, in an order that looks random
 *	zipf		the page of rank i with a weight of 1 / i^skew
 *	grow		one page after the other, each once
 * Keys:
 *	first, pages	the worker's pages; page 0 is the first that is filled
 *	rate		pages that it touches in a second
 *	skew		hundredths, 100 if not named
 *	on, off		ms in which it works and rests, in turn; without them it always works
 *	start		ms after which the first turn begins
 *	zero		1: what it writes is 0, and pages that are filled become zero pages
 *	read		1: it reads, and writes nothing
 *
 * A worker works off what is due each time the timer ticks, by the TSC: so the rate is right
 * whatever the speed of the machine. It does not make up for more than 50 ms in which it did not
 * run.
 */
#include "guest.h"

#define PAGE_BYTES	4096
#define FIRST_BYTE	(16u << 20)	/* the program and its tables are below */
#define MAX_WORKERS	8
#define MAX_WORDS	1024
#define PIT_HZ		1193182
#define TICK_HZ		100
#define CALIBRATE	10		/* ticks */
/* TSCs are counted in units of 16, so that 4 s of them fit 32 bits */
#define TSC_SHIFT	4

enum kind { UNIFORM, SWEEP, SHUFFLE, ZIPF, GROW };

static const char *const kind_names[] = {
	[UNIFORM] = "uniform", [SWEEP] = "sweep", [SHUFFLE] = "shuffle", [ZIPF] = "zipf",
	[GROW] = "grow",
};

struct worker {
	__u32 kind, first, pages, rate, skew, on, off, start, zero, read;
	__u32 next;		/* of those who go in an order */
	__u32 random;
	__u32 *sums;		/* zipf: of the weights up to each rank, of 2^32 */
	__u64 owed;		/* pages * TSC units a second */
};

struct key {
	const char *name;
	__u32 offset;
};

static const struct key keys[] = {
	{ "first", __builtin_offsetof(struct worker, first) },
	{ "pages", __builtin_offsetof(struct worker, pages) },
	{ "rate", __builtin_offsetof(struct worker, rate) },
	{ "skew", __builtin_offsetof(struct worker, skew) },
	{ "on", __builtin_offsetof(struct worker, on) },
	{ "off", __builtin_offsetof(struct worker, off) },
	{ "start", __builtin_offsetof(struct worker, start) },
	{ "zero", __builtin_offsetof(struct worker, zero) },
	{ "read", __builtin_offsetof(struct worker, read) },
};

struct gate {
	__u16 low, selector, flags, high;
};

__u32 ticks;

static struct worker workers[MAX_WORKERS];
static unsigned int nr_workers;
static __u32 ram_pages;	/* from FIRST_BYTE on */
static __u32 base, stride = 1;
static __u32 tsc_hz;		/* TSC units a second */
static __u32 stamp = 1;	/* what is written next */
static char *spare = image_end;
static char words[MAX_WORDS];	/* the command line */
static struct gate idt[64];

/* --- the machine ------------------------------------------------------------------ */

static void port_out(__u16 port, __u8 value)
{
	asm volatile("outb %0, %1" : : "a" (value), "Nd" (port));
}

static __u64 tsc_now(void)
{
	__u32 low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high));
	return ((__u64)high << 32 | low) >> TSC_SHIFT;
}

static void say(const char *text)
{
	while (*text)
		port_out(0x3f8, *text++);
}

static void stop(const char *why)
{
	say("error: ");
	say(why);
	say("\n");
	for (;;)
		asm volatile("cli; hlt");
}

/* The compiler's division of 64 bits is in a library that is not here. The quotient must fit. */
static __u32 divide(__u64 n, __u32 by, __u32 *rest)
{
	__u32 quotient;

	asm("divl %4" : "=a" (quotient), "=d" (*rest)
	    : "a" ((__u32)n), "d" ((__u32)(n >> 32)), "r" (by));
	return quotient;
}

static void wait_for_tick(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

static void start_timer(void)
{
	static const __u8 pic[][2] = {
		{ 0x20, 0x11 }, { 0xa0, 0x11 }, { 0x21, 0x20 }, { 0xa1, 0x28 }, { 0x21, 4 },
		{ 0xa1, 2 }, { 0x21, 1 }, { 0xa1, 1 }, { 0x21, 0xfe }, { 0xa1, 0xff },
	};
	__u32 entry = (__u32)timer_entry, table = (__u32)idt;
	__u16 pointer[] = { sizeof(idt) - 1, table, table >> 16 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(idt); i++)
		idt[i] = (struct gate){ entry, 8, 0x8e00, entry >> 16 };
	asm volatile("lidt %0" : : "m" (pointer));
	for (i = 0; i < ARRAY_SIZE(pic); i++)
		port_out(pic[i][0], pic[i][1]);
	port_out(0x43, 0x34);
	port_out(0x40, (PIT_HZ / TICK_HZ) & 0xff);
	port_out(0x40, (PIT_HZ / TICK_HZ) >> 8);
}

static void measure_tsc(void)
{
	__u32 end, rest;
	__u64 start;

	wait_for_tick();
	start = tsc_now();
	end = ticks + CALIBRATE;
	while (ticks != end)
		wait_for_tick();
	tsc_hz = divide((tsc_now() - start) * TICK_HZ, CALIBRATE, &rest);
}

/* --- what a worker touches -------------------------------------------------------- */

static __u32 random32(struct worker *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 17;
	w->random ^= w->random << 5;
	return w->random;
}

/* One of n, by a number of 32 bits */
static __u32 scale(__u32 random, __u32 n)
{
	return (__u64)random * n >> 32;
}

/* Numbers below n, each once, in another order: the prime is larger than n. */
static __u32 shuffled(__u32 i, __u32 n)
{
	__u32 rest;

	divide((__u64)i * 2654435761u, n, &rest);
	return rest;
}

/* 1 / i^skew; the processor has logarithms */
static double weight(__u32 i, double skew)
{
	double n = i, log, whole, power;

	asm("fld1; fldl %1; fyl2x" : "=t" (log) : "m" (n) : "st(1)");
	log *= -skew;
	asm("frndint" : "=t" (whole) : "0" (log));
	asm("f2xm1" : "=t" (power) : "0" (log - whole));
	asm("fscale" : "=t" (power) : "0" (power + 1), "u" (whole));
	return power;
}

static void make_sums(struct worker *w)
{
	double skew = w->skew / 100.0, all = 0, sum = 0;
	__u32 i;

	w->sums = (__u32 *)spare;
	spare += w->pages * sizeof(*w->sums);
	if ((__u32)spare > FIRST_BYTE)
		stop("zipf has too many pages");
	for (i = 0; i < w->pages; i++)
		all += weight(i + 1, skew);
	for (i = 0; i < w->pages; i++) {
		sum += weight(i + 1, skew);
		w->sums[i] = sum / all * 4294967295.0;
	}
}

/* The first rank whose sum is not below a random number */
static __u32 zipf_rank(struct worker *w)
{
	__u32 low = 0, high = w->pages - 1, r = random32(w);

	while (low < high) {
		__u32 middle = (low + high) / 2;

		if (w->sums[middle] < r)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static __u32 choose(struct worker *w)
{
	__u32 i;

	switch (w->kind) {
	case UNIFORM:
		return scale(random32(w), w->pages);
	case ZIPF:
		return shuffled(zipf_rank(w), w->pages);
	default:
		i = w->next++;
		if (w->next == w->pages)
			w->next = 0;
		return w->kind == SHUFFLE ? shuffled(i, w->pages) : i;
	}
}

static __u32 *page(__u32 nr)
{
	return (__u32 *)(FIRST_BYTE + (base + nr * stride) * PAGE_BYTES);
}

/* A store that the compiler leaves as it is */
static void put(__u32 *at, __u32 value)
{
	asm volatile("movl %1, %0" : "=m" (*at) : "r" (value));
}

static int is_in_memory(__u32 pages)
{
	return base + (__u64)pages * stride <= ram_pages;
}

static void touch(struct worker *w)
{
	__u32 *at = page(w->first + choose(w)), value;

	if (w->read)
		asm volatile("movl %1, %0" : "=r" (value) : "m" (*at));
	else
		put(at, w->zero ? 0 : stamp++ | 1);
	if (w->kind == GROW && !w->next)
		w->rate = 0;	/* it has been everywhere */
}

static int has_turn(const struct worker *w, __u32 ms)
{
	__u32 rest;

	if (!w->off)
		return ms >= w->start;
	if (ms < w->start)
		return 0;
	divide(ms - w->start, w->on + w->off, &rest);
	return rest < w->on;
}

static void work(void)
{
	__u64 last = tsc_now(), now, passed = 0;
	__u32 per_ms, most, dt, rest, ms = 0;
	unsigned int i;

	while (!nr_workers)
		asm volatile("cli; hlt");
	per_ms = divide(tsc_hz, 1000, &rest);
	most = 50 * per_ms;
	for (;;) {
		wait_for_tick();
		now = tsc_now();
		passed += now - last;
		while (passed >= per_ms) {
			passed -= per_ms;
			ms++;
		}
		dt = now - last < most ? now - last : most;
		last = now;
		for (i = 0; i < nr_workers; i++) {
			struct worker *w = &workers[i];
			__u32 due;

			if (!has_turn(w, ms))
				continue;
			w->owed += (__u64)dt * w->rate;
			due = divide(w->owed, tsc_hz, &rest);
			w->owed = rest;
			while (due--)
				touch(w);
		}
	}
}

/* --- the command line ------------------------------------------------------------- */

/* Does a text begin with a word? Then go on behind it. */
static int take(const char **text, const char *word)
{
	const char *at = *text;

	while (*word) {
		if (*at++ != *word++)
			return 0;
	}
	*text = at;
	return 1;
}

static __u32 take_number(const char **text)
{
	__u32 n = 0;

	if (**text < '0' || **text > '9')
		stop("a number is missing");
	while (**text >= '0' && **text <= '9')
		n = n * 10 + *(*text)++ - '0';
	return n;
}

static void take_key(const char **text, struct worker *w)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *at = *text;

		if (take(&at, keys[i].name) && take(&at, "=")) {
			*(__u32 *)((char *)w + keys[i].offset) = take_number(&at);
			*text = at;
			return;
		}
	}
	stop("unknown key");
}

static void take_worker(const char **text, __u32 kind)
{
	struct worker *w = &workers[nr_workers];

	if (nr_workers == MAX_WORKERS)
		stop("too many workers");
	w->kind = kind;
	w->skew = 100;
	w->random = 2463534242u + nr_workers++ * 7919;
	do
		take_key(text, w);
	while (take(text, ","));
	if (!w->pages || !is_in_memory(w->first + w->pages))
		stop("a worker's pages are not in memory");
	if (kind == ZIPF)
		make_sums(w);
}

/* Whole words are passed over that are none of these: the program's name is one. */
static __u32 take_all(const char *text)
{
	__u32 kind, data = 0;

	while (*text) {
		if (take(&text, "data="))
			data = take_number(&text);
		else if (take(&text, "base="))
			base = take_number(&text);
		else if (take(&text, "stride="))
			stride = take_number(&text);
		for (kind = 0; kind < ARRAY_SIZE(kind_names); kind++) {
			const char *at = text;

			if (take(&at, kind_names[kind]) && take(&at, ":")) {
				take_worker(&at, kind);
				text = at;
				break;
			}
		}
		while (*text && *text != ' ')
			text++;
		while (*text == ' ')
			text++;
	}
	return data;
}

static void fill(__u32 pages)
{
	__u32 i;

	if (!is_in_memory(pages))
		stop("so many pages of data are not in memory");
	for (i = 0; i < pages; i++)
		put(page(i), stamp++ | 1);
}

/* QEMU puts the command line behind the image, where tables for zipf go. */
static void keep_words(const char *text)
{
	__u32 i = 0;

	do {
		if (i == MAX_WORDS)
			stop("the command line is too long");
		words[i] = text[i];
	} while (text[i++]);
}

void run(const __u32 *told)
{
	__u32 data;

	ram_pages = (told[2] + 1024 - FIRST_BYTE / 1024) / 4;
	start_timer();
	measure_tsc();
	keep_words((const char *)told[4]);
	data = take_all(words);
	fill(data);
	say("ready\n");
	work();
}
