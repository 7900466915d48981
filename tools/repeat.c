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
#define IDLE_NS		50000000ULL

__u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void beat_start(struct beat *beat, __u64 interval_ns)
{
	memset(beat, 0, sizeof(*beat));
	beat->interval_ns = interval_ns;
	beat->next_ns = now_ns() + interval_ns;
}

static void sleep_until(__u64 ns)
{
	struct timespec ts = { .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

void beat_wait(struct beat *beat)
{
	__u64 now, late;

	while (beat->idle && !beat->stopped) {
		now = now_ns();
		if (now + IDLE_NS >= beat->next_ns)
			break;
		sleep_until(now + IDLE_NS);
		beat->stopped = beat->idle(beat->idle_arg);
	}
	if (beat->stopped)
		return;
	sleep_until(beat->next_ns);
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
		if (code || beat.stopped || round == options->count)
			return code;
		beat_wait(&beat);
		if (beat.stopped)
			return code;
	}
}
