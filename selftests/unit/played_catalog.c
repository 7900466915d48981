// SPDX-License-Identifier: GPL-2.0
/* Statistics and names of buckets. See played_catalog.h. */
#include <string.h>

#include "played_catalog.h"

const struct kvmwatch_stat played_stats[] = {
	{ .kind = KVMWATCH_KIND_VCPU, .flags = KVMWATCH_STAT_AVAILABLE,
	  .desc_flags = KVMWATCH_STATS_LINEAR_HIST, .buckets = KVMWATCH_BUCKETS_EXIT,
	  .name = "exit_reasons", .hooks = "exit,entry", .help = "exits by reason",
	  .nr = 1033, .bucket_size = 1 },
	{ .kind = KVMWATCH_KIND_VCPU, .flags = KVMWATCH_STAT_AVAILABLE,
	  .desc_flags = KVMWATCH_STATS_LINEAR_HIST, .buckets = KVMWATCH_BUCKETS_USER_EXIT,
	  .name = "user_exit_reasons", .hooks = "user_exit", .help = "user_exits by reason",
	  .nr = 48, .bucket_size = 1 },
};

int played_list(struct kvmwatch_list *list, const void *items, size_t size, __u32 nr)
{
	size_t both = size < list->item_size ? size : list->item_size;
	char *to = (void *)(unsigned long)list->items;
	__u32 i;

	for (i = 0; i < nr && i < list->nr; i++)
		memcpy(to + (size_t)i * list->item_size, (const char *)items + i * size, both);
	list->nr = nr;
	list->item_filled = both;
	return 0;
}

int played_catalog(struct kvmwatch_list *list)
{
	static const struct kvmwatch_bucket buckets[] = {
		{ KVMWATCH_BUCKETS_EXIT, 0x60, "interrupt" },
		{ KVMWATCH_BUCKETS_EXIT, 0x78, "hlt" },
		{ KVMWATCH_BUCKETS_EXIT, 0x7b, "io" },
		{ KVMWATCH_BUCKETS_EXIT, 0xa6, "idle_hlt" },
		{ KVMWATCH_BUCKETS_EXIT, 0x400, "npf" },
		{ KVMWATCH_BUCKETS_EXIT, 1032, "other" },
		{ KVMWATCH_BUCKETS_USER_EXIT, 2, "IO" },
		{ KVMWATCH_BUCKETS_USER_EXIT, 10, "INTR" },
		{ KVMWATCH_BUCKETS_USER_EXIT, 31, "DIRTY_RING_FULL" },
		{ KVMWATCH_BUCKETS_USER_EXIT, 47, "other" },
	};

	if (list->kind == KVMWATCH_KIND_BUCKET)
		return played_list(list, buckets, sizeof(*buckets),
				   sizeof(buckets) / sizeof(*buckets));
	return played_list(list, played_stats, sizeof(*played_stats), 2);
}
