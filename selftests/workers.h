/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Delay the kernel threads that run kvmwatch's work items: the housekeeper, and the refresher of
 * mapped fds. A test keeps them from running, or interrupts them midway.
 *
 * Functions return 0 or -errno. workers_release() ends everything that they started.
 */
#ifndef SELFTESTS_WORKERS_H
#define SELFTESTS_WORKERS_H

#include <pthread.h>
#include <stdbool.h>

struct workers {
	pthread_t	thread;
	bool		gaps;
	int		stop;
	int		err;
	unsigned int	held;	/* how often workers were stopped */
	unsigned int	steps;	/* see workers_step() */
};

/*
 * Confine workers to CPU 1, where a real-time thread runs for nearly as long as RT throttling
 * allows; the test should run on CPU 0. With @gaps workers run for a moment at a time, and then
 * wait until the test has made some steps. -ENODEV: this takes two CPUs.
 */
int workers_hold(struct workers *w, bool gaps);
/* Tell that the test has done something that workers may not expect. */
void workers_step(struct workers *w);
int workers_release(struct workers *w);

#endif /* SELFTESTS_WORKERS_H */
