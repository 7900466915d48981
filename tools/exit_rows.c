// SPDX-License-Identifier: GPL-2.0
/* Exits by reason between two reads. See exit_rows.h. */
#include <stdlib.h>
#include <string.h>

#include "exit_rows.h"

struct grown exit_growth(const struct kvmwatch_value *now, const struct kvmwatch_value *before,
			 unsigned int bucket)
{
	struct grown grown = { .now = now->data[bucket], .by = now->data[bucket] };

	if (before && bucket < before->size && before->data[bucket] <= grown.now)
		grown.by -= before->data[bucket];
	return grown;
}

/* Less than 0 if @a comes before @b. */
static int more_first(__u64 a, __u64 b)
{
	return (a < b) - (a > b);
}

static int compare(const void *x, const void *y)
{
	const struct exit_row *a = x, *b = y;

	return more_first(a->ns.by, b->ns.by) ?: more_first(a->count.by, b->count.by) ?:
	       more_first(a->ns.now, b->ns.now) ?: more_first(a->count.now, b->count.now) ?:
	       -more_first(a->bucket, b->bucket);
}

static void add(struct grown *sum, const struct grown *more)
{
	sum->now += more->now;
	sum->by += more->by;
}

size_t exit_rows_make(const struct exit_looks *looks, struct exit_row *rows,
		      struct exit_row *all)
{
	struct exit_row *row = rows;
	unsigned int i;

	memset(all, 0, sizeof(*all));
	for (i = 0; i < looks->reasons->size; i++) {
		*row = (struct exit_row){ .bucket = i };
		row->count = exit_growth(looks->reasons, looks->reasons_before, i);
		if (looks->times && i < looks->times->size)
			row->ns = exit_growth(looks->times, looks->times_before, i);
		if (!row->count.now)
			continue;
		add(&all->count, &row->count);
		add(&all->ns, &row->ns);
		row++;
	}
	qsort(rows, row - rows, sizeof(*rows), compare);
	return row - rows;
}

__u64 exit_p99(const struct kvmwatch_value *now, const struct kvmwatch_value *before)
{
	struct kvmwatch_value since = *now;
	unsigned int i, bucket;
	__u64 cells[65];

	if (now->size > sizeof(cells) / sizeof(*cells))
		return 0;
	for (i = 0; i < now->size; i++)
		cells[i] = exit_growth(now, before, i).by;
	since.data = cells;
	/* The last bucket has no upper bound. */
	if (kvmwatch_quantile(&since, 0.99, &bucket) || bucket + 1 == since.size)
		return 0;
	return 1ULL << bucket;
}
