// SPDX-License-Identifier: GPL-2.0
/* Show something again and again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "options.h"
#include "repeat.h"

#define NSEC_PER_SEC	1000000000ULL

__u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void beat_start(struct beat *beat, __u64 interval_ns)
{
	beat->interval_ns = interval_ns;
	beat->next_ns = now_ns() + interval_ns;
}

void beat_wait(struct beat *beat)
{
	struct timespec ts;
	__u64 late;

	ts.tv_sec = beat->next_ns / NSEC_PER_SEC;
	ts.tv_nsec = beat->next_ns % NSEC_PER_SEC;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
	late = now_ns() - beat->next_ns;
	beat->next_ns += (late / beat->interval_ns + 1) * beat->interval_ns;
}

int repeat(const struct options *options, show_fn show, void *arg)
{
	struct output out;
	struct beat beat;
	__u64 round;
	int code, err;

	output_init(&out, stdout, options->format);
	beat_start(&beat, options->interval_ns);
	for (round = 1; ; round++) {
		code = show(&out, &beat, arg);
		err = output_flush(&out);
		if (err)
			return complain("standard output", "%s", strerror(-err));
		if (code || round == options->count)
			return code;
		beat_wait(&beat);
	}
}
