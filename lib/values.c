// SPDX-License-Identifier: LGPL-2.1-or-later
/* Buckets, quantiles and units of values. See libkvmwatch.h. */
#include <errno.h>
#include <stddef.h>

#include "libkvmwatch.h"

void kvmwatch_bucket_range(const struct kvmwatch_value *value, unsigned int bucket,
			   __u64 *first, __u64 *last)
{
	if ((value->flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_LINEAR_HIST) {
		*first = (__u64)bucket * value->bucket_size;
		*last = *first + value->bucket_size - 1;
	} else {
		*first = bucket ? 1ULL << (bucket - 1) : 0;
		*last = bucket ? *first + (*first - 1) : 0;
	}
	if (bucket + 1 == value->size)
		*last = ~0ULL;
}

int kvmwatch_quantile(const struct kvmwatch_value *value, double part, unsigned int *bucket)
{
	__u64 total = 0, below = 0;
	unsigned int i;

	for (i = 0; i < value->size; i++)
		total += value->data[i];
	for (i = 0; i < value->size; i++) {
		below += value->data[i];
		if (below && below >= part * total) {
			*bucket = i;
			return 0;
		}
	}
	return -ENODATA;
}

const char *kvmwatch_unit(__u32 flags)
{
	switch (flags & KVMWATCH_STATS_UNIT_MASK) {
	case KVMWATCH_STATS_NONE:
		return "";
	case KVMWATCH_STATS_BYTES:
		return "bytes";
	case KVMWATCH_STATS_SECONDS:
		return "seconds";
	case KVMWATCH_STATS_CYCLES:
		return "cycles";
	case KVMWATCH_STATS_BOOLEAN:
		return "boolean";
	default:
		return NULL;
	}
}

double kvmwatch_unit_scale(__u32 flags, int exponent)
{
	double base = (flags & KVMWATCH_STATS_BASE_MASK) == KVMWATCH_STATS_POW2 ? 2 : 10;
	unsigned int times = exponent < 0 ? 0U - (unsigned int)exponent : (unsigned int)exponent;
	double scale = 1;

	/* A double has powers of 10 exactly up to 10^22, but no negative one. */
	while (times--)
		scale *= base;
	return exponent < 0 ? 1 / scale : scale;
}
