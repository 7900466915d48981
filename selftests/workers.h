/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's threads that do kvmwatch's work behind hits: the housekeeper, and who makes
 * copies for mapped fds. A test keeps them from running, or stops them on their way.
 *
 * Functions answer 0 or -errno. All that is started is ended by workers_release().
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
	unsigned int	held;	/* how often they were stopped */
	unsigned int	steps;	/* see workers_step() */
};

/*
 * Workers have CPU 1 alone, and there is somebody who goes before them, but for less than the
 * kernel lets it; the test had better be on CPU 0. With @gaps they run for a moment at a time,
 * and where that ends they wait until the test has made some steps. -ENODEV: takes two CPUs.
 */
int workers_hold(struct workers *w, bool gaps);
/* The test has done what a worker may not be ready for. */
void workers_step(struct workers *w);
int workers_release(struct workers *w);

#endif /* SELFTESTS_WORKERS_H */
