/* SPDX-License-Identifier: GPL-2.0 */
/* Statistics and names of buckets as the module of a host with SVM lists them. */
#ifndef UNIT_PLAYED_CATALOG_H
#define UNIT_PLAYED_CATALOG_H

#include "libkvmwatch.h"

/* The two statistics whose buckets have names. They are available. */
extern const struct kvmwatch_stat played_stats[2];

/* Answer a list of buckets, or a list of statistics whose buckets have names. */
int played_catalog(struct kvmwatch_list *list);

/* Copy @nr items of @size bytes to the caller of a list. */
int played_list(struct kvmwatch_list *list, const void *items, size_t size, __u32 nr);

#endif /* UNIT_PLAYED_CATALOG_H */
