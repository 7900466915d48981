// SPDX-License-Identifier: GPL-2.0
/* First-mark curves of a VM. See ages.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ages.h"
#include "libkvmwatch.h"

#define MSEC_NS		1000000ULL
#define LOG_DIRTY_PAGES	1	/* KVM_MEM_LOG_DIRTY_PAGES */

static int compare_slots(const void *a, const void *b)
{
	const struct slot_ages *x = a, *y = b;

	return (x->life > y->life) - (x->life < y->life);
}

static void take_buckets(struct ages *ages, const struct kvmwatch_value *value)
{
	__u64 first, last;
	unsigned int i;

	ages->nr_buckets = value->size < AGES_MAX ? value->size : AGES_MAX;
	for (i = 0; i < ages->nr_buckets; i++) {
		kvmwatch_bucket_range(value, i, &first, &last);
		ages->upper_ns[i] = i + 1 == value->size ? ~0ULL : (last + 1) * MSEC_NS;
	}
}

static void take_slot(struct slot_ages *slot, const struct kvmwatch_all *all, size_t item,
		      int hist, unsigned int nr_buckets)
{
	const __u64 *flags = kvmwatch_all_value(all, item, kvmwatch_all_find(all, "flags"));
	const __u64 *in = kvmwatch_all_value(all, item, hist);
	const __u64 *dirty = kvmwatch_all_value(all, item, kvmwatch_all_find(all, "dirty_pages"));

	memset(slot, 0, sizeof(*slot));
	slot->life = kvmwatch_all_at(all, item)->id;
	slot->logged = flags && *flags & LOG_DIRTY_PAGES;
	slot->known = in;
	slot->dirty = slot->logged && dirty ? *dirty : 0;
	if (in)
		memcpy(slot->in, in, nr_buckets * sizeof(*in));
}

static int take_slots(struct ages *ages, const struct kvmwatch_all *all)
{
	int hist = kvmwatch_all_find(all, "dirty_age_hist");
	size_t i;

	ages->ns = all->end_ns;
	if (hist >= 0)
		take_buckets(ages, &all->stats[hist]);
	ages->slots = calloc(all->nr + 1, sizeof(*ages->slots));
	if (!ages->slots)
		return -ENOMEM;
	ages->nr = all->nr;
	for (i = 0; i < all->nr; i++)
		take_slot(&ages->slots[i], all, i, hist, ages->nr_buckets);
	qsort(ages->slots, ages->nr, sizeof(*ages->slots), compare_slots);
	return 0;
}

int ages_take(int dev, __u64 vm, struct ages *ages)
{
	struct kvmwatch_all *all;
	int fd, err;

	memset(ages, 0, sizeof(*ages));
	fd = kvmwatch_open_all(dev, KVMWATCH_KIND_SLOT, vm, 0);
	if (fd < 0)
		return fd;
	err = kvmwatch_all_read(fd, &all);
	close(fd);
	if (err)
		return err;
	err = take_slots(ages, all);
	kvmwatch_all_free(all);
	return err;
}

void ages_free(struct ages *ages)
{
	free(ages->slots);
	memset(ages, 0, sizeof(*ages));
}

static const struct slot_ages *find_slot(const struct ages *ages, __u64 life)
{
	struct slot_ages key = { .life = life };

	if (!ages->nr)
		return NULL;
	return bsearch(&key, ages->slots, ages->nr, sizeof(key), compare_slots);
}

static void add_growth(const struct slot_ages *was, const struct slot_ages *is,
		       __u64 sum[AGES_MAX])
{
	unsigned int i;

	for (i = 0; i < AGES_MAX; i++)
		sum[i] += is->in[i] - (was ? was->in[i] : 0);
}

/* How many of the cycles were long enough to mark pages at an age from @from to @to */
static double cycles_at(const __u64 *ns, unsigned int nr, __u64 from, __u64 to)
{
	double cycles = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (ns[i] >= to)
			cycles += 1;
		else if (ns[i] > from)
			cycles += (double)(ns[i] - from) / (double)(to - from);
	}
	return cycles;
}

/*
 * A point at the end of each bucket that ends in time, and one at the end of the longest cycle.
 * What is in the buckets from there on, as clocks differ, belongs to the last one.
 */
static void add_points(const struct ages *ages, const __u64 sum[AGES_MAX], const __u64 *ns,
		       unsigned int nr, struct age_curve *curve)
{
	__u64 longest = 0, from = 0;
	double pages = 0, rest = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (ns[i] > longest)
			longest = ns[i];
	}
	for (i = 0; i < ages->nr_buckets && ages->upper_ns[i] < longest; i++) {
		pages += (double)sum[i] / cycles_at(ns, nr, from, ages->upper_ns[i]);
		from = ages->upper_ns[i];
		curve->points[curve->nr++] = (struct kvmwatch_curve_point) {
			.ns = from, .pages = (__u64)(pages + 0.5),
		};
	}
	for (; i < ages->nr_buckets; i++)
		rest += (double)sum[i];
	pages += rest / cycles_at(ns, nr, from, longest);
	curve->points[curve->nr++] = (struct kvmwatch_curve_point) {
		.ns = longest, .pages = (__u64)(pages + 0.5),
	};
}

void ages_curve(const struct ages *before, const struct ages *after, const __u64 *ns,
		unsigned int nr, struct age_curve *curve)
{
	const struct slot_ages *was, *is;
	__u64 sum[AGES_MAX] = {};

	memset(curve, 0, sizeof(*curve));
	for (is = after->slots; is < after->slots + after->nr; is++) {
		was = find_slot(before, is->life);
		if (was && was->logged)
			curve->others++;
		else if (!is->known || (was && !was->known))
			curve->unknown++;
		else
			add_growth(was, is, sum);
	}
	add_points(after, sum, ns, nr, curve);
}
