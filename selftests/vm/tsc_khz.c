// SPDX-License-Identifier: GPL-2.0
/*
 * Print the frequency of this machine's TSC in kHz. QEMU's emulator lets guests read the TSC as it
 * is, so the VM's kernel can be told. Otherwise it measures the TSC at boot, against a timer that
 * the emulator serves only while it has a CPU. On a busy machine the result is much too low, and
 * the VM's clock runs many times too fast.
 */
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define TRIES	1000

struct moment {
	unsigned long long ns, tsc;
};

static unsigned long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Nothing came between the two reads of the clock in the try in which they are closest. */
static struct moment moment(void)
{
	unsigned long long before, tsc, after, least = ULLONG_MAX;
	struct moment best = { };
	int i;

	for (i = 0; i < TRIES; i++) {
		before = now_ns();
		tsc = __rdtsc();
		after = now_ns();
		if (after - before >= least)
			continue;
		least = after - before;
		best = (struct moment){ .ns = before + least / 2, .tsc = tsc };
	}
	return best;
}

int main(void)
{
	struct moment first = moment(), last;

	usleep(100000);
	last = moment();
	printf("%.0f\n", (last.tsc - first.tsc) * 1e6 / (last.ns - first.ns));
	return 0;
}
