/* SPDX-License-Identifier: GPL-2.0 */
/* Show something again and again. */
#ifndef KVMWATCH_REPEAT_H
#define KVMWATCH_REPEAT_H

#include <stdbool.h>

#include <linux/types.h>

struct options;
struct output;

/*
 * Beats at a fixed interval by the monotonic clock: who takes long gets a shorter
 * pause, and beats that passed meanwhile are left out.
 */
struct beat {
	__u64 interval_ns;
	__u64 next_ns;
	/* For who has to do something now and then while waiting; true: stop. May be NULL. */
	bool (*idle)(void *arg);
	void *idle_arg;
	bool stopped;
};

__u64 now_ns(void);
/* Until the next beat, or less if it is stopped, as by a signal that interrupt.h catches. */
void beat_wait(struct beat *beat);

/* Shows it once. May wait for a beat. Returns an exit code; not EXIT_DONE ends it. */
typedef int (*show_fn)(struct output *out, struct beat *beat, void *arg);

/* Show as often and in the format that the options say. Returns an exit code. */
int repeat(const struct options *options, show_fn show, void *arg);

#endif /* KVMWATCH_REPEAT_H */
