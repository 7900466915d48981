/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a VM whose dirty log is on dirties pages, by looking on: nothing is switched on, so it is for
 * a VM that migrates. The module counts new marks by their age. While it is looked on, the VMM may
 * collect the log, which begins a new cycle.
 */
#ifndef KVMWATCH_LIVE_H
#define KVMWATCH_LIVE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "ages.h"

#define LIVE_MAX_POINTS	512

/**
 * struct live_point - what was seen at one moment
 * @ns:		when, by CLOCK_MONOTONIC
 * @marks:	new marks of all slots until then
 * @collects:	dirty_collects of the VM
 */
struct live_point {
	__u64 ns;
	__u64 marks;
	__u64 collects;
};

/**
 * struct live - what was seen
 * @begin:	the marks by age when it began
 * @end:	and when it ended
 * @points:	in between; both ends are points, too
 * @nr:		number of @points
 * @logged:	slots whose dirty logging is on
 * @dirty:	pages marked in the log at the beginning, of all slots
 * @ring:	the VM has dirty rings
 */
struct live {
	struct ages begin;
	struct ages end;
	struct live_point points[LIVE_MAX_POINTS];
	size_t nr;
	size_t logged;
	__u64 dirty;
	bool ring;
};

/**
 * live_watch() - look on
 * @dev: the device
 * @vm: the VM's id
 * @ring: it has dirty rings
 * @ms: for so long
 * @live: filled; to be freed with live_free(), whatever is returned
 *
 * Return: 0, also when logging has ended meanwhile; -ENODATA: no slot is logged, or the module does
 * not know its marks; -ESTALE: a slot went meanwhile, and its marks with it; -ESRCH: the VM has
 * ended; -EINTR: a signal came; -ENOMEM.
 */
int live_watch(int dev, __u64 vm, bool ring, unsigned int ms, struct live *live);
void live_free(struct live *live);

/**
 * struct live_cycles - the cycles of the log that were seen
 * @points:	of all of them, one after the other
 * @ends:	where each ends in @points
 * @nr:		how many
 * @since_s:	seconds from the beginning of the last one until it was looked on no more
 * @marked:	pages marked then
 * @pages_s:	new marks a second, while it was looked on
 * @watched_s:	for so long
 */
struct live_cycles {
	struct kvmwatch_curve_point points[LIVE_MAX_POINTS + AGES_MAX + 2];
	size_t ends[LIVE_MAX_POINTS];
	size_t nr;
	double since_s;
	__u64 marked;
	double pages_s;
	double watched_s;
};

/*
 * Find them. @age_ns is how long ago the log had been cleared when it began, if that is known; else
 * 0, and it is guessed from the age of the marks that come.
 */
void live_cycles(const struct live *live, __u64 age_ns, struct live_cycles *cycles);

#endif /* KVMWATCH_LIVE_H */
