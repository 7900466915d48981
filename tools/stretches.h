/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exact lengths of stretches that vCPUs were on a pCPU, interval by interval, from the module's
 * load and put events.
 *
 * Only the part of a stretch within the interval counts. A stretch that does not end fills each
 * interval.
 */
#ifndef KVMWATCH_STRETCHES_H
#define KVMWATCH_STRETCHES_H

#include <linux/types.h>

struct stretches;

/* Begin the first interval. @filter and @buffer_kb as for streams. Returns an exit code. */
int stretches_open(const char *filter, unsigned int buffer_kb, struct stretches **stretches);
void stretches_close(struct stretches *stretches);

/* Read events. Call this repeatedly, so that the buffer does not overflow. 0 or -errno. */
int stretches_read(struct stretches *stretches);

/*
 * End the interval at the moment @end by CLOCK_MONOTONIC, which is past and later than
 * the last stretches_read(), and begin the next one. Returns 0 or -errno.
 */
int stretches_next(struct stretches *stretches, __u64 end);

/**
 * struct stretch_bounds - stretches of a vCPU in the last interval
 * @nr:		number of stretches or parts of them; 0: the vCPU had no event
 * @min:	the shortest
 * @max:	the longest
 * @window:	length of the interval
 */
struct stretch_bounds {
	__u64 nr;
	__u64 min;
	__u64 max;
	__u64 window;
};

/* Number of events lost so far. */
__u64 stretches_lost(const struct stretches *stretches);

/* Returns 0; -ENODATA: unknown, as events were lost. */
int stretches_bounds(const struct stretches *stretches, __u64 vm, __u64 vcpu,
		     struct stretch_bounds *bounds);

#endif /* KVMWATCH_STRETCHES_H */
