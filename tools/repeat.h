/* SPDX-License-Identifier: GPL-2.0 */
/* Show something once or repeatedly. */
#ifndef KVMWATCH_REPEAT_H
#define KVMWATCH_REPEAT_H

#include <stdbool.h>

#include <linux/types.h>

struct options;
struct output;

/*
 * Beats at a fixed interval by the monotonic clock. If the work between two beats takes long, the
 * pause is shorter, and missed beats are skipped.
 */
struct beat {
	__u64 interval_ns;
	__u64 next_ns;
	/* Called repeatedly while waiting; true: stop. May be NULL. */
	bool (*idle)(void *arg);
	void *idle_arg;
	bool stopped;
};

__u64 now_ns(void);
/* Wait for the next beat, or until @idle or a signal (see interrupt.h) stops the beat. */
void beat_wait(struct beat *beat);

/* Show once; may wait for a beat. Returns an exit code; other than EXIT_DONE ends repeat(). */
typedef int (*show_fn)(struct output *out, struct beat *beat, void *arg);

/* Show as often, and in the format, as the options say. Returns an exit code. */
int repeat(const struct options *options, show_fn show, void *arg);

#endif /* KVMWATCH_REPEAT_H */
