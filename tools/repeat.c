// SPDX-License-Identifier: GPL-2.0
/* Show something once or repeatedly. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "interrupt.h"
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

/* Check for signals in any case, as an interval may be too short for @idle to be called. */
static bool is_over(struct beat *beat)
{
	beat->stopped |= interrupted();
	return beat->stopped;
}

void beat_wait(struct beat *beat)
{
	__u64 now, late;

	while (beat->idle && !is_over(beat)) {
		now = now_ns();
		if (now + IDLE_NS >= beat->next_ns)
			break;
		interrupt_sleep_until(now + IDLE_NS);
		beat->stopped = beat->idle(beat->idle_arg);
	}
	if (is_over(beat))
		return;
	interrupt_sleep_until(beat->next_ns);
	if (is_over(beat))
		return;
	late = now_ns() - beat->next_ns;
	beat->next_ns += (late / beat->interval_ns + 1) * beat->interval_ns;
}

int repeat(const struct options *options, show_fn show, void *arg)
{
	struct output out;
	struct beat beat;
	__u64 round;
	int code, err;

	code = options_output(options, &out);
	if (code)
		return code;
	beat_start(&beat, options->interval_ns);
	for (round = 1; ; round++) {
		code = show(&out, &beat, arg);
		err = output_flush(&out);
		if (err)
			return complain_output(err);
		if (code || beat.stopped || round == options->count)
			return code;
		beat_wait(&beat);
		if (beat.stopped)
			return code;
	}
}
