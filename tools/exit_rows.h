/* SPDX-License-Identifier: GPL-2.0 */
/* Exits by reason between two reads, those that took most time first. */
#ifndef KVMWATCH_EXIT_ROWS_H
#define KVMWATCH_EXIT_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "libkvmwatch.h"

/**
 * struct grown - a counter at the second of two looks
 * @now:	its value
 * @by:		its growth since the first look; all of it if the first look lacks the counter
 */
struct grown {
	__u64 now, by;
};

/**
 * struct exit_row - the exits of a reason
 * @bucket:	the reason
 * @count:	how many
 * @ns:		how long they took, if that is known
 */
struct exit_row {
	unsigned int bucket;
	struct grown count, ns;
};

/*
 * Growth of a bucket of @now. @before may be NULL. A larger number @before is from another count,
 * which has ended: then all of @now is growth.
 */
struct grown exit_growth(const struct kvmwatch_value *now, const struct kvmwatch_value *before,
			 unsigned int bucket);

/**
 * struct exit_looks - statistics at two looks; all but @reasons may be NULL
 * @reasons:		exits by reason
 * @reasons_before:	the same before
 * @times:		their time
 * @times_before:	the same before
 */
struct exit_looks {
	const struct kvmwatch_value *reasons, *reasons_before, *times, *times_before;
};

/*
 * Fill @rows, which has room for all buckets, with the reasons that have occurred, sorted by time
 * since the first read, or by number if times are unknown. Returns the number of rows; @all gets
 * their sum.
 */
size_t exit_rows_make(const struct exit_looks *looks, struct exit_row *rows,
		      struct exit_row *all);

/* An upper bound of 99 of 100 values that a log2 histogram has got since @before; 0: unknown. */
__u64 exit_p99(const struct kvmwatch_value *now, const struct kvmwatch_value *before);

#endif /* KVMWATCH_EXIT_ROWS_H */
