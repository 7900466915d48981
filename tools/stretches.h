/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How long vCPUs were on a pCPU without interruption, exactly, interval by interval. From
 * the module's load and put events.
 *
 * What counts of a stretch is the part that lies in the interval. So one that has no end is a
 * part of each interval, as long as that.
 */
#ifndef KVMWATCH_STRETCHES_H
#define KVMWATCH_STRETCHES_H

#include <linux/types.h>

struct stretches;

/* Begin the first interval. @filter and @buffer_kb as for streams. Returns an exit code. */
int stretches_open(const char *filter, unsigned int buffer_kb, struct stretches **stretches);
void stretches_close(struct stretches *stretches);

/* To be called now and then, so that no event is lost. Returns 0 or -errno. */
int stretches_read(struct stretches *stretches);

/*
 * End the interval at the moment @end by CLOCK_MONOTONIC, which is past and later than
 * the last stretches_read(), and begin the next one. Returns 0 or -errno.
 */
int stretches_next(struct stretches *stretches, __u64 end);

/**
 * struct stretch_bounds - of the interval that ended last
 * @nr:		how many parts of stretches were in it; 0: of this vCPU no event came
 * @min:	the shortest
 * @max:	the longest
 * @window:	how long the interval was
 */
struct stretch_bounds {
	__u64 nr;
	__u64 min;
	__u64 max;
	__u64 window;
};

/* Events lost so far. */
__u64 stretches_lost(const struct stretches *stretches);

/* Returns 0; -ENODATA: events were lost, nobody knows. */
int stretches_bounds(const struct stretches *stretches, __u64 vm, __u64 vcpu,
		     struct stretch_bounds *bounds);

#endif /* KVMWATCH_STRETCHES_H */
