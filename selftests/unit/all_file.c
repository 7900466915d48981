// SPDX-License-Identifier: GPL-2.0
/* A read of all objects, made for tests. See all_file.h. */
#include <stdlib.h>
#include <string.h>

#include "all_file.h"

/* Write the descriptors, and an item of 64 bits that say what is available. Returns its end. */
static char *put_stats(struct all_file *file, const struct kvmwatch_stats *stats)
{
	struct kvmwatch_all_header *head = &file->head;
	struct kvmwatch_stats_desc *desc = (void *)file->rest;
	struct kvmwatch_all_item *item;
	char *data;
	size_t i;

	head->num_desc = stats->nr;
	head->item_offset = sizeof(*head) + stats->nr * sizeof(*desc);
	head->item_filled = sizeof(*item);
	head->bits_offset = sizeof(*item);
	head->data_offset = head->bits_offset + (stats->nr + 63) / 64 * sizeof(__u64);
	item = (void *)&desc[stats->nr];
	memset(item + 1, 0xff, head->data_offset - sizeof(*item));
	data = (char *)item + head->data_offset;
	for (i = 0; i < stats->nr; i++, desc++) {
		desc->flags = stats->values[i].flags;
		desc->exponent = stats->values[i].exponent;
		desc->size = stats->values[i].size;
		desc->bucket_size = stats->values[i].bucket_size;
		desc->offset = data - (char *)item - head->data_offset;
		strncpy(desc->name, stats->values[i].name, sizeof(desc->name) - 1);
		memcpy(data, stats->values[i].data, desc->size * sizeof(__u64));
		data += desc->size * sizeof(__u64);
	}
	head->item_size = data - (char *)item;
	return data;
}

char *all_file_put(struct all_file *file, __u32 kind, const struct kvmwatch_stats *stats)
{
	char *end;

	memset(file, 0, sizeof(*file));
	end = put_stats(file, stats);
	file->head.header_size = sizeof(file->head);
	file->head.vendor = KVMWATCH_VENDOR_SVM;
	file->head.desc_offset = sizeof(file->head);
	file->head.desc_size = sizeof(struct kvmwatch_stats_desc);
	file->head.kind = kind;
	file->head.nr = 1;
	file->head.filled = 1;
	return end;
}

char *all_file_make(struct all_file *file, __u32 kind, int fd)
{
	struct kvmwatch_stats *stats;
	char *end;

	if (kvmwatch_stats_read(fd, &stats))
		abort();
	end = all_file_put(file, kind, stats);
	kvmwatch_stats_free(stats);
	return end;
}
