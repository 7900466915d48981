// SPDX-License-Identifier: GPL-2.0
/*
 * Cycles of this machine's processor that a hit of each handler takes: see subject.c. Each figure
 * is the least of many rounds, less what a call of nothing takes. The processor's cycles are
 * measured by a chain of additions, one a cycle, in the same run. The kernel's part of a hook
 * (ftrace, a tracepoint's branch) is not in it. All data is in the nearest cache, or for "cold" in
 * none, which tells how many lines an event touches.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

#include "cycles.h"

#define ROUNDS	400
#define HITS	1000

/* What the handlers call; in their usual case nothing. */
__asm__(".globl __x86_return_thunk\n"
	"__x86_return_thunk: ret\n");

static unsigned long long now(void)
{
	unsigned long long ticks;

	_mm_lfence();
	ticks = __rdtsc();
	_mm_lfence();
	return ticks;
}

/* Flush the program's data, with all that handlers read and write, to memory. */
static void flush(void)
{
	const char *line;

	for (line = __data_start; line < _end; line += 64)
		_mm_clflush(line);
	_mm_mfence();
}

/* The least that an event takes whose data is in no cache, in ticks. Its code is in the nearest. */
static unsigned long long least_cold(void (*once)(void))
{
	unsigned long long best = ~0ULL, start, took;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		once();
		flush();
		start = now();
		once();
		took = now() - start;
		if (took < best)
			best = took;
	}
	return best;
}

/* The least that many rounds of @hits take, in ticks. */
static unsigned long long least(void (*once)(void), int hits)
{
	unsigned long long best = ~0ULL, start, took;
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		start = now();
		for (i = 0; i < hits; i++)
			once();
		took = now() - start;
		if (took < best)
			best = took;
	}
	return best;
}

static void chain(void)
{
	unsigned long x = 1;
	int i;

	for (i = 0; i < 1000; i++)
		__asm__ volatile("add %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\t"
				 "add %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\tadd %0, %0\n\t"
				 "add %0, %0\n\tadd %0, %0" : "+r" (x));
}

static void make_writable(void)
{
	unsigned long page = sysconf(_SC_PAGESIZE);
	unsigned long start = (unsigned long)__executable_start & ~(page - 1);

	if (mprotect((void *)start, (unsigned long)etext - start,
		     PROT_READ | PROT_WRITE | PROT_EXEC)) {
		perror("mprotect");
		exit(1);
	}
}

/* Does an event count each time that it happens, or does its handler return early? */
static void check_counts(const struct cycles_event *event)
{
	unsigned long long before = event->count();
	int i;

	for (i = 0; i < 10; i++)
		event->once();
	if (event->count() == before + 10)
		return;
	fprintf(stderr, "%s counts %llu of 10\n", event->name, event->count() - before);
	exit(1);
}

int main(void)
{
	const struct cycles_event *event;
	double tick, nothing = 0, nothing_cold = 0, cycles, cold;

	make_writable();
	cycles_setup();
	cycles_patch();
	tick = 10000.0 / least(chain, 1);
	printf("%-12s %10s %10s\n", "", "cycles", "cold");
	for (event = cycles_events; event->name; event++) {
		event->prepare();
		if (event->count)
			check_counts(event);
		cycles = least(event->once, HITS) * tick / HITS;
		cold = least_cold(event->once) * tick;
		if (event == cycles_events) {
			nothing = cycles;
			nothing_cold = cold;
		} else {
			printf("%-12s %10.1f %10.0f\n", event->name, cycles - nothing,
			       cold - nothing_cold);
		}
	}
	return 0;
}
