/* SPDX-License-Identifier: GPL-2.0 */
/* Exits by reason between two looks, most time first. */
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

/* A bucket of @now. @before may be NULL; one that was more is of another count, which is over. */
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
 * Fill @rows, as many as there are buckets, with the reasons that there have been: first those
 * that took most time since the first look, or where that is unknown came most often. Returns how
 * many there are, and in @all the sum of them.
 */
size_t exit_rows_make(const struct exit_looks *looks, struct exit_row *rows,
		      struct exit_row *all);

/* 99 of 100 that a log2 histogram has got since @before are below that; 0: it does not tell. */
__u64 exit_p99(const struct kvmwatch_value *now, const struct kvmwatch_value *before);

#endif /* KVMWATCH_EXIT_ROWS_H */
