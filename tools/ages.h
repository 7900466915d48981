/* SPDX-License-Identifier: GPL-2.0 */
/*
 * First-mark curves: how many distinct pages of a VM became dirty within so much time of a clear
 * log. The module counts that in dirty_age_hist; the growth between two looks is the curve of what
 * was logged in between.
 */
#ifndef KVMWATCH_AGES_H
#define KVMWATCH_AGES_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "libkvmwatch_predict.h"

/* Buckets to look at, at most; the module has 20. */
#define AGES_MAX	40

/**
 * struct slot_ages - the new marks of a slot until now
 * @life:	kvmwatch id of the slot
 * @logged:	its dirty logging is on
 * @known:	@in is valid
 * @dirty:	pages that are marked in the log now; 0 with dirty rings
 * @in:		new marks by bucket
 */
struct slot_ages {
	__u64 life;
	bool logged;
	bool known;
	__u64 dirty;
	__u64 in[AGES_MAX];
};

/**
 * struct ages - new marks of all slots of a VM at one moment
 * @ns:		the moment, by CLOCK_MONOTONIC
 * @upper_ns:	where each bucket ends; ~0 for the last one, which is open-ended
 * @nr_buckets:	number of buckets
 * @slots:	the slots, sorted by id
 * @nr:		number of @slots
 */
struct ages {
	__u64 ns;
	__u64 upper_ns[AGES_MAX];
	unsigned int nr_buckets;
	struct slot_ages *slots;
	size_t nr;
};

/* Take the ages of a VM. Returns 0 or -errno; -ENOENT: no such VM. Free with ages_free(). */
int ages_take(int dev, __u64 vm, struct ages *ages);
void ages_free(struct ages *ages);

/**
 * struct age_curve - a first-mark curve
 * @points:	pages by time, ascending
 * @nr:		number of @points
 * @others:	slots left out because they were logged before, such as that of a display
 * @unknown:	slots whose marks are unavailable
 */
struct age_curve {
	struct kvmwatch_curve_point points[AGES_MAX + 1];
	size_t nr;
	unsigned int others;
	unsigned int unknown;
};

/* Number of cycles that can make one curve. */
#define AGES_MAX_PARTS	80

/*
 * Make a curve of the marks between @before and @after, of slots that were not logged at @before.
 * It is the mean of @nr cycles, whose lengths are in @ns, and has the length of the longest.
 */
void ages_curve(const struct ages *before, const struct ages *after, const __u64 *ns,
		unsigned int nr, struct age_curve *curve);

#endif /* KVMWATCH_AGES_H */
