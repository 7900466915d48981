/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watch how a VM dirties pages whose dirty logging is on already, as in a migration. This switches
 * nothing on. The module counts new marks by their age. The VMM may collect the log meanwhile,
 * which begins a new cycle.
 */
#ifndef KVMWATCH_LIVE_H
#define KVMWATCH_LIVE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "ages.h"

#define LIVE_MAX_POINTS	512

/**
 * struct live_point - counts at one moment
 * @ns:		the moment, by CLOCK_MONOTONIC
 * @marks:	new marks of all slots until then
 * @collects:	dirty_collects of the VM
 */
struct live_point {
	__u64 ns;
	__u64 marks;
	__u64 collects;
};

/**
 * struct live - the result of live_watch()
 * @begin:	marks by age at the beginning
 * @end:	marks by age at the end
 * @points:	counts at the beginning, in between and at the end
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
 * live_watch() - watch a VM for some time
 * @dev: the device
 * @vm: the VM's id
 * @ring: the VM has dirty rings
 * @ms: how long to watch
 * @live: filled; free it with live_free(), even after an error
 *
 * Return: 0, even if logging ended meanwhile; -ENODATA: logging of no slot is on, or its marks are
 * unavailable; -ESTALE: a slot was deleted meanwhile, together with its marks; -ESRCH: the VM has
 * ended; -EINTR: a signal came; -ENOMEM.
 */
int live_watch(int dev, __u64 vm, bool ring, unsigned int ms, struct live *live);
void live_free(struct live *live);

/**
 * struct live_cycles - the cycles of the log during live_watch()
 * @points:	points of all cycles, one cycle after the other
 * @ends:	where each cycle ends in @points
 * @nr:		number of cycles
 * @since_s:	seconds from the beginning of the last cycle to the end of live_watch()
 * @marked:	pages marked in the last cycle
 * @pages_s:	new marks per second
 * @watched_s:	seconds that live_watch() took
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
 * Find the cycles. @age_ns: the age of the log when live_watch() began; 0: unknown, and estimated
 * from the ages of the marks.
 */
void live_cycles(const struct live *live, __u64 age_ns, struct live_cycles *cycles);

#endif /* KVMWATCH_LIVE_H */
