// SPDX-License-Identifier: GPL-2.0
/*
 * All objects of a kind in one read. See libkvmwatch.h.
 *
 * What was read is kept as it came, and looked at in place: parse() proves that header,
 * descriptors and items lie inside it and that each number lies inside its item.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layout.h"
#include "libkvmwatch.h"

/* Enough for a few small VMs; what there is tells how much is needed. */
#define FIRST_SIZE		(64U << 10)
/* The kernel's limit for one read(2). */
#define MAX_SIZE		0x7ffff000ULL
#define MAX_DESCS		16384U
#define READ_TRIES		16

#define CELL			sizeof(__u64)

static ssize_t read_once(int fd, void *buf, size_t size)
{
	ssize_t n;

	do {
		n = read(fd, buf, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int check_header(const struct kvmwatch_all_header *header, size_t len)
{
	__u64 mask = ((__u64)header->num_desc + 63) / 64 * CELL;

	if (header->num_desc > MAX_DESCS || header->filled > header->nr)
		return -EBADMSG;
	if (header->desc_size < sizeof(struct kvmwatch_stats_desc) ||
	    header->desc_size % CELL || header->desc_offset % CELL ||
	    header->item_offset % CELL || header->item_size % CELL || header->data_offset % CELL)
		return -EBADMSG;
	if (header->desc_offset < sizeof(*header) || header->item_offset > len ||
	    header->desc_offset + (__u64)header->num_desc * header->desc_size >
	    header->item_offset)
		return -EBADMSG;
	if (header->data_offset < sizeof(struct kvmwatch_all_item) + mask ||
	    header->data_offset > header->item_size)
		return -EBADMSG;
	if (header->filled > (len - header->item_offset) / header->item_size)
		return -EBADMSG;
	return 0;
}

/*
 * A statistic of a type that this reader does not know is left out, so that its number here
 * is not that of its descriptor: all->index has that.
 */
static int parse_descs(struct kvmwatch_all *all, const struct kvmwatch_all_header *header,
		       struct range *cells)
{
	__u64 room = header->item_size - header->data_offset;
	const struct kvmwatch_stats_desc *desc;
	struct kvmwatch_value *value;
	__u32 i;
	int err;

	for (i = 0; i < header->num_desc; i++) {
		desc = (const void *)(all->raw + header->desc_offset +
				      (size_t)i * header->desc_size);
		if (!layout_name_is_sane(desc->name, sizeof(desc->name)))
			return -EBADMSG;
		if ((desc->flags & KVMWATCH_STATS_TYPE_MASK) > KVMWATCH_STATS_LOG_HIST)
			continue;
		err = layout_check(desc);
		if (err)
			return err;
		cells[all->nr_stats].start = desc->offset;
		cells[all->nr_stats].end = desc->offset + (__u64)desc->size * CELL;
		if (cells[all->nr_stats].end > room)
			return -EBADMSG;
		value = &all->stats[all->nr_stats];
		value->name = desc->name;
		value->flags = desc->flags;
		value->exponent = desc->exponent;
		value->size = desc->size;
		value->bucket_size = layout_is_histogram(desc->flags) ? desc->bucket_size : 0;
		all->index[all->nr_stats] = i;
		all->offset[all->nr_stats++] = header->data_offset + desc->offset;
	}
	return layout_distinct(all->stats, cells, all->nr_stats);
}

static int parse(struct kvmwatch_all *all, size_t len)
{
	const struct kvmwatch_all_header *header = (const void *)all->raw;
	struct range *cells;
	int err;

	err = check_header(header, len);
	if (err)
		return err;
	all->kind = header->kind;
	all->generation = header->generation;
	all->begin_ns = header->begin_ns;
	all->end_ns = header->end_ns;
	all->nr = header->filled;
	all->item_offset = header->item_offset;
	all->item_size = header->item_size;

	cells = calloc(header->num_desc + 1, sizeof(*cells));
	all->stats = calloc(header->num_desc + 1, sizeof(*all->stats));
	all->index = calloc(header->num_desc + 1, sizeof(*all->index));
	all->offset = calloc(header->num_desc + 1, sizeof(*all->offset));
	if (cells && all->stats && all->index && all->offset)
		err = parse_descs(all, header, cells);
	else
		err = -ENOMEM;
	free(cells);
	return err;
}

/* What is read is as long as there are objects: 0, -errno, or -EAGAIN with a new *@size. */
static int read_all(int fd, struct kvmwatch_all *all, size_t *size, size_t *len)
{
	const struct kvmwatch_all_header *header;
	__u64 need, roomy;
	ssize_t n;

	free(all->raw);
	all->raw = malloc(*size);
	if (!all->raw)
		return -ENOMEM;
	n = read_once(fd, all->raw, *size);
	if (n < 0)
		return n;
	if ((size_t)n < sizeof(*header))
		return -EBADMSG;
	*len = n;
	header = (const void *)all->raw;
	if (header->filled >= header->nr)
		return 0;
	need = header->item_offset + (__u64)header->nr * header->item_size;
	roomy = need + (header->nr / 8 + 8ULL) * header->item_size;
	if (need <= *size)
		return -EBADMSG;
	if (need > MAX_SIZE)
		return -EFBIG;
	*size = roomy < MAX_SIZE ? roomy : MAX_SIZE;
	return -EAGAIN;
}

int kvmwatch_all_read(int fd, struct kvmwatch_all **all)
{
	size_t size = FIRST_SIZE, len = 0;
	struct kvmwatch_all *new;
	int err = -EAGAIN, try;

	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	for (try = 0; try < READ_TRIES && err == -EAGAIN; try++)
		err = read_all(fd, new, &size, &len);
	if (!err)
		err = parse(new, len);
	if (err) {
		kvmwatch_all_free(new);
		return err;
	}
	*all = new;
	return 0;
}

void kvmwatch_all_free(struct kvmwatch_all *all)
{
	if (!all)
		return;
	free(all->raw);
	free(all->stats);
	free(all->index);
	free(all->offset);
	free(all);
}

const struct kvmwatch_all_item *kvmwatch_all_item(const struct kvmwatch_all *all, size_t item)
{
	return (const void *)(all->raw + all->item_offset + item * all->item_size);
}

const __u64 *kvmwatch_all_value(const struct kvmwatch_all *all, size_t item, int stat)
{
	const struct kvmwatch_all_item *it = kvmwatch_all_item(all, item);
	const __u64 *available = (const __u64 *)(it + 1);

	if (stat < 0 || (size_t)stat >= all->nr_stats)
		return NULL;
	if (!(available[all->index[stat] / 64] >> all->index[stat] % 64 & 1))
		return NULL;
	return (const void *)((const char *)it + all->offset[stat]);
}

int kvmwatch_all_find(const struct kvmwatch_all *all, const char *name)
{
	size_t i;

	for (i = 0; i < all->nr_stats; i++) {
		if (!strcmp(all->stats[i].name, name))
			return i;
	}
	return -ENOENT;
}
