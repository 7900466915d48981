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

/* At most so many buckets of the statistic are looked at; the module has 20. */
#define AGES_MAX	40

/**
 * struct slot_ages - the new marks of a slot until now
 * @life:	kvmwatch's id of it
 * @logged:	its dirty logging is on
 * @known:	@in is
 * @dirty:	pages that are marked in the log now; 0 with dirty rings
 * @in:		by bucket
 */
struct slot_ages {
	__u64 life;
	bool logged;
	bool known;
	__u64 dirty;
	__u64 in[AGES_MAX];
};

/**
 * struct ages - those of all slots of a VM at one moment
 * @ns:		when, by CLOCK_MONOTONIC
 * @upper_ns:	where each bucket ends; of the last, which has no end, ~0
 * @nr_buckets:	how many
 * @slots:	in the order of their ids
 * @nr:		how many
 */
struct ages {
	__u64 ns;
	__u64 upper_ns[AGES_MAX];
	unsigned int nr_buckets;
	struct slot_ages *slots;
	size_t nr;
};

/* Look at a VM; to be freed with ages_free(). 0; -ENOENT: there is none of this id; -errno. */
int ages_take(int dev, __u64 vm, struct ages *ages);
void ages_free(struct ages *ages);

/**
 * struct age_curve - a first-mark curve
 * @points:	pages by time, ascending
 * @nr:		how many
 * @others:	slots that had been logged before and are not in it, such as a display's
 * @unknown:	slots whose marks are unavailable
 */
struct age_curve {
	struct kvmwatch_curve_point points[AGES_MAX + 1];
	size_t nr;
	unsigned int others;
	unsigned int unknown;
};

/* How often a log may be cleared in what makes one curve; more are not told apart. */
#define AGES_MAX_PARTS	80

/*
 * The curve of what has been counted since @before, of slots that were not logged then: the mean of
 * @nr cycles, which were as long as @ns says, and as long as the longest of them.
 */
void ages_curve(const struct ages *before, const struct ages *after, const __u64 *ns,
		unsigned int nr, struct age_curve *curve);

#endif /* KVMWATCH_AGES_H */
