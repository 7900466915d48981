// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Descriptions of statistics by the module: units, meanings, names of buckets. See libkvmwatch.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libkvmwatch.h"

/* More than there are kinds of buckets, and buckets of one kind. */
#define NR_KINDS	16
#define MAX_BUCKETS	65536U

struct kvmwatch_catalog {
	__u32 vendor;
	struct kvmwatch_stat *stats;
	size_t nr_stats;
	struct kvmwatch_bucket *buckets;
	size_t nr_buckets;
	/* By kind of buckets, then by number. */
	struct names {
		const char **names;
		size_t nr;
	} names[NR_KINDS];
};

/* Put the name of a bucket into its place; grow the array if needed. */
static int sort_in(struct names *names, const struct kvmwatch_bucket *bucket)
{
	size_t nr = names->nr;
	const char **more;

	if (bucket->number >= MAX_BUCKETS)
		return -EBADMSG;
	if (bucket->number >= nr) {
		more = realloc(names->names, (bucket->number + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		names->names = more;
		names->nr = bucket->number + 1;
		memset(more + nr, 0, (names->nr - nr) * sizeof(*more));
	}
	names->names[bucket->number] = bucket->name;
	return 0;
}

static int sort_names(struct kvmwatch_catalog *c)
{
	size_t i;
	int err = 0;

	for (i = 0; i < c->nr_buckets && !err; i++)
		if (c->buckets[i].buckets < NR_KINDS)
			err = sort_in(&c->names[c->buckets[i].buckets], &c->buckets[i]);
	return err;
}

static int read_catalog(int dev, struct kvmwatch_catalog *c)
{
	struct kvmwatch_info info;
	int err;

	err = kvmwatch_device_info(dev, &info);
	if (err)
		return err;
	c->vendor = info.vendor;
	err = kvmwatch_list_stats(dev, &c->stats, &c->nr_stats);
	if (err)
		return err;
	err = kvmwatch_list_sized(dev, KVMWATCH_KIND_BUCKET, 0, &c->buckets, sizeof(*c->buckets),
				  &c->nr_buckets);
	return err ? err : sort_names(c);
}

int kvmwatch_catalog_read(int dev, struct kvmwatch_catalog **catalog)
{
	struct kvmwatch_catalog *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	err = read_catalog(dev, c);
	if (err) {
		kvmwatch_catalog_free(c);
		return err;
	}
	*catalog = c;
	return 0;
}

void kvmwatch_catalog_free(struct kvmwatch_catalog *catalog)
{
	size_t i;

	if (!catalog)
		return;
	for (i = 0; i < NR_KINDS; i++)
		free(catalog->names[i].names);
	free(catalog->stats);
	free(catalog->buckets);
	free(catalog);
}

__u32 kvmwatch_catalog_vendor(const struct kvmwatch_catalog *catalog)
{
	return catalog->vendor;
}

const struct kvmwatch_stat *kvmwatch_catalog_at(const struct kvmwatch_catalog *catalog, size_t at)
{
	return at < catalog->nr_stats ? &catalog->stats[at] : NULL;
}

/* Find a statistic; @kind 0: of any kind. */
static const struct kvmwatch_stat *find(const struct kvmwatch_catalog *catalog, __u32 kind,
					const char *name)
{
	size_t i;

	for (i = 0; i < catalog->nr_stats; i++)
		if ((!kind || catalog->stats[i].kind == kind) &&
		    !strcmp(catalog->stats[i].name, name))
			return &catalog->stats[i];
	return NULL;
}

const struct kvmwatch_stat *kvmwatch_catalog_find(const struct kvmwatch_catalog *catalog,
						  __u32 kind, const char *name)
{
	return kind ? find(catalog, kind, name) : NULL;
}

const char *kvmwatch_catalog_bucket(const struct kvmwatch_catalog *catalog, const char *name,
				    unsigned int bucket)
{
	const struct kvmwatch_stat *stat = find(catalog, 0, name);
	const struct names *names;

	if (!stat || stat->buckets <= KVMWATCH_BUCKETS_VALUES || stat->buckets >= NR_KINDS)
		return NULL;
	names = &catalog->names[stat->buckets];
	return bucket < names->nr ? names->names[bucket] : NULL;
}
