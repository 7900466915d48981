// SPDX-License-Identifier: LGPL-2.1-or-later
/* Checks of descriptors. See layout.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"

/* Bucket 0 for 0, then one for each bit of a __u64. */
#define MAX_LOG_BUCKETS		65U

bool layout_overlap(struct range a, struct range b)
{
	return a.start < b.end && b.start < a.end;
}

bool layout_name_is_sane(const char *name, size_t size)
{
	const char *end = memchr(name, '\0', size);
	const char *c;

	if (!end || end == name)
		return false;
	for (c = name; c < end; c++) {
		if (*c <= ' ' || *c > '~')
			return false;
	}
	return true;
}

bool layout_is_histogram(__u32 flags)
{
	switch (flags & KVMWATCH_STATS_TYPE_MASK) {
	case KVMWATCH_STATS_LINEAR_HIST:
	case KVMWATCH_STATS_LOG_HIST:
		return true;
	default:
		return false;
	}
}

int layout_check(const struct kvmwatch_stats_desc *desc)
{
	if (!desc->size || desc->offset % sizeof(__u64))
		return -EBADMSG;

	switch (desc->flags & KVMWATCH_STATS_TYPE_MASK) {
	case KVMWATCH_STATS_LINEAR_HIST:
		return desc->bucket_size ? 0 : -EBADMSG;
	case KVMWATCH_STATS_LOG_HIST:
		return desc->size <= MAX_LOG_BUCKETS ? 0 : -EBADMSG;
	default:
		return desc->size == 1 ? 0 : -EBADMSG;
	}
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int layout_distinct(const struct kvmwatch_value *values, const struct range *cells, size_t nr)
{
	struct range *ranges;
	const char **names;
	int err = -ENOMEM;
	size_t i;

	ranges = calloc(nr + 1, sizeof(*ranges));
	names = calloc(nr + 1, sizeof(*names));
	if (!ranges || !names)
		goto free;

	for (i = 0; i < nr; i++) {
		ranges[i] = cells[i];
		names[i] = values[i].name;
	}
	qsort(ranges, nr, sizeof(*ranges), compare_ranges);
	qsort(names, nr, sizeof(*names), compare_names);

	err = -EBADMSG;
	for (i = 1; i < nr; i++) {
		if (layout_overlap(ranges[i - 1], ranges[i]) || !strcmp(names[i - 1], names[i]))
			goto free;
	}
	err = 0;
free:
	free(names);
	free(ranges);
	return err;
}
