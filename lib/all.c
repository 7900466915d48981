// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * All objects of a kind. See libkvmwatch.h.
 *
 * The bytes that were read are kept and used in place: parse() proves that header, descriptors and
 * items lie inside them, and each number inside its item. The items of further reads are appended
 * to those of the first, without header and descriptors.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handles.h"
#include "layout.h"

/* Size of the first read, enough for a few small VMs. Its header says how much is needed. */
#define FIRST_SIZE		(64U << 10)
/* More objects than a host can have, and few enough that allocating them does not fail. */
#define MAX_OBJECTS		0x1000000U
#define MAX_DESCS		16384U
#define MAX_HEAD		(64U << 20)
#define MAX_STEPS		1000000U
/* No host has objects of so many bytes, but a broken header may say so. */
#define MAX_BYTES		0x40000000U

/* Sizes of the first published structures: no module has shorter ones. */
#define FIRST_HEADER		88
#define FIRST_ITEM		80

#define CELL			sizeof(__u64)

/**
 * struct all - all objects
 * @pub:	the public part
 * @header:	header of the first read; members that the module does not know are 0
 * @stats:	pub.stats
 * @index:	for each of @stats: the number of its descriptor, and of its bit
 * @offset:	for each of @stats: where its numbers start within an item
 * @raw:	the bytes read: header, descriptors, items
 * @room:	bytes allocated for @raw
 * @items:	items of older modules, extended to our size; else NULL
 */
struct all {
	struct kvmwatch_all pub;
	struct kvmwatch_all_header header;
	struct kvmwatch_value *stats;
	__u32 *index;
	__u32 *offset;
	char *raw;
	size_t room;
	struct kvmwatch_all_item *items;
};

static struct all *all_of(const struct kvmwatch_all *pub)
{
	return (struct all *)((char *)pub - offsetof(struct all, pub));
}

static const struct kvmwatch_all_header *header_of(const struct all *all)
{
	return &all->header;
}

static ssize_t read_once(int fd, void *buf, size_t size)
{
	ssize_t n;

	do {
		n = read(fd, buf, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Check everything except that the items lie inside the read: read_step() does that. */
static int check_header(const struct kvmwatch_all_header *header)
{
	__u64 bits = ((__u64)header->num_desc + 63) / 64 * CELL;

	if (header->header_size < FIRST_HEADER || header->num_desc > MAX_DESCS)
		return -EBADMSG;
	if (header->desc_size < sizeof(struct kvmwatch_stats_desc) ||
	    header->desc_size % CELL || header->desc_offset % CELL ||
	    header->item_offset % CELL || header->item_size % CELL ||
	    header->bits_offset % CELL || header->data_offset % CELL)
		return -EBADMSG;
	if (header->desc_offset < header->header_size || header->item_offset > MAX_HEAD ||
	    header->desc_offset + (__u64)header->num_desc * header->desc_size >
	    header->item_offset)
		return -EBADMSG;
	if (header->item_filled < FIRST_ITEM ||
	    header->bits_offset < header->item_filled ||
	    header->data_offset < header->bits_offset + bits ||
	    header->data_offset > header->item_size)
		return -EBADMSG;
	return header->filled <= header->nr && header->nr <= MAX_OBJECTS ? 0 : -EBADMSG;
}

/* Copy a header from the @n bytes of a read: it may be shorter or longer than ours. */
static int take_header(struct kvmwatch_all_header *head, const char *from, size_t n)
{
	size_t both = n < sizeof(*head) ? n : sizeof(*head);

	if (n < FIRST_HEADER)
		return -EBADMSG;
	memset(head, 0, sizeof(*head));
	memcpy(head, from, both);
	if (head->header_size > n || check_header(head))
		return -EBADMSG;
	if (head->header_size < both)
		memset((char *)head + head->header_size, 0, both - head->header_size);
	return 0;
}

/*
 * Leaves out statistics of unknown types. So the index of a statistic differs from that of its
 * descriptor, which all->index has.
 */
static int parse_descs(struct all *all, struct range *cells)
{
	const struct kvmwatch_all_header *header = header_of(all);
	__u64 room = header->item_size - header->data_offset;
	const struct kvmwatch_stats_desc *desc;
	struct kvmwatch_value *value;
	size_t *nr = &all->pub.nr_stats;
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
		cells[*nr].start = desc->offset;
		cells[*nr].end = desc->offset + (__u64)desc->size * CELL;
		if (cells[*nr].end > room)
			return -EBADMSG;
		value = &all->stats[*nr];
		value->name = desc->name;
		value->flags = desc->flags;
		value->exponent = desc->exponent;
		value->size = desc->size;
		value->bucket_size = layout_is_histogram(desc->flags) ? desc->bucket_size : 0;
		all->index[*nr] = i;
		all->offset[(*nr)++] = header->data_offset + desc->offset;
	}
	return layout_distinct(all->stats, cells, *nr);
}

static void forget(struct all *all)
{
	free(all->stats);
	free(all->index);
	free(all->offset);
	free(all->items);
	all->stats = NULL;
	all->index = NULL;
	all->offset = NULL;
	all->items = NULL;
	memset(&all->pub, 0, sizeof(all->pub));
}

/* Extend the items of a module that knows fewer members than we do. */
static int lengthen_items(struct all *all)
{
	const struct kvmwatch_all_header *header = header_of(all);
	size_t i;

	if (header->item_filled >= sizeof(*all->items))
		return 0;
	all->items = calloc(all->pub.nr + 1, sizeof(*all->items));
	if (!all->items)
		return -ENOMEM;
	for (i = 0; i < all->pub.nr; i++)
		memcpy(&all->items[i], all->raw + header->item_offset + i * header->item_size,
		       header->item_filled);
	return 0;
}

/* @nr: number of items in all->raw. */
static int parse(struct all *all, size_t nr)
{
	const struct kvmwatch_all_header *header = header_of(all);
	struct range *cells;
	int err;

	all->pub.kind = header->kind;
	all->pub.vendor = header->vendor;
	all->pub.generation = header->generation;
	all->pub.instance = header->instance;
	all->pub.begin_ns = header->begin_ns;
	all->pub.nr = nr;

	cells = calloc(header->num_desc + 1, sizeof(*cells));
	all->stats = calloc(header->num_desc + 1, sizeof(*all->stats));
	all->index = calloc(header->num_desc + 1, sizeof(*all->index));
	all->offset = calloc(header->num_desc + 1, sizeof(*all->offset));
	if (cells && all->stats && all->index && all->offset)
		err = parse_descs(all, cells);
	else
		err = -ENOMEM;
	free(cells);
	all->pub.stats = all->stats;
	return err ? err : lengthen_items(all);
}

static int make_room(struct all *all, size_t need)
{
	char *more;

	if (need <= all->room)
		return 0;
	if (need > MAX_BYTES)
		return -ENOMEM;
	more = realloc(all->raw, need);
	if (!more)
		return -ENOMEM;
	all->raw = more;
	all->room = need;
	return 0;
}

/* Do two reads have the same layout? */
static int same_shape(const struct kvmwatch_all_header *a, const struct kvmwatch_all_header *b)
{
	return a->num_desc == b->num_desc && a->desc_offset == b->desc_offset &&
	       a->desc_size == b->desc_size && a->item_offset == b->item_offset &&
	       a->item_size == b->item_size && a->item_filled == b->item_filled &&
	       a->bits_offset == b->bits_offset && a->data_offset == b->data_offset;
}

/* Read to offset @at of all->raw, and copy the header to @head. Returns the bytes, or -errno. */
static ssize_t read_step(int fd, struct all *all, size_t at, struct kvmwatch_all_header *head)
{
	ssize_t n = read_once(fd, all->raw + at, all->room - at);
	int err;

	if (n < 0)
		return n;
	err = take_header(head, all->raw + at, n);
	if (err)
		return err;
	if ((size_t)n < head->item_offset)
		return head->filled ? -EBADMSG : n;
	return head->filled > (n - head->item_offset) / head->item_size ? -EBADMSG : n;
}

/*
 * Append items to the @nr present ones. The header and descriptors of this read overwrite the last
 * bytes before the new items; restore these afterwards. Returns the number of new items.
 */
static ssize_t read_on(int fd, struct all *all, size_t nr, struct kvmwatch_all_header *head)
{
	const struct kvmwatch_all_header *first = header_of(all);
	size_t over = first->item_offset, end = over + nr * first->item_size;
	char *saved = malloc(over);
	ssize_t n;

	if (!saved)
		return -ENOMEM;
	memcpy(saved, all->raw + end - over, over);
	n = read_step(fd, all, end - over, head);
	memcpy(all->raw + end - over, saved, over);
	free(saved);
	if (n < 0)
		return n;
	return same_shape(first, head) && (size_t)n >= over ? (ssize_t)head->filled : -EBADMSG;
}

/* Read until there are no more objects. Sets the number of items. */
static int read_all(int fd, struct all *all, size_t *nr)
{
	struct kvmwatch_all_header head;
	size_t step, need;
	ssize_t n;
	int err;

	err = make_room(all, FIRST_SIZE);
	if (err)
		return err;
	n = read_step(fd, all, 0, &head);
	if (n < 0)
		return n;
	/* The descriptors did not fit, so the read has only the header: read again. */
	if ((size_t)n < head.item_offset) {
		err = make_room(all, head.item_offset + (head.nr + 8ULL) * head.item_size);
		n = err ? err : read_step(fd, all, 0, &head);
		if (n < 0 || (size_t)n < head.item_offset)
			return n < 0 ? n : -EBADMSG;
	}
	all->header = head;
	*nr = head.filled;
	for (step = 0; head.filled < head.nr; step++) {
		if (step == MAX_STEPS || *nr + head.nr > MAX_OBJECTS)
			return -EBADMSG;
		need = head.item_offset +
		       (*nr + head.nr - head.filled + head.nr / 8 + 8ULL) * head.item_size;
		err = make_room(all, need);
		n = err ? err : read_on(fd, all, *nr, &head);
		if (n < 0)
			return n;
		if (!n && head.nr)
			return -EBADMSG;
		*nr += n;
	}
	all->pub.end_ns = head.end_ns;
	all->pub.changed = !!(head.flags & KVMWATCH_ALL_CHANGED);
	return 0;
}

int kvmwatch_all_update(int fd, struct kvmwatch_all *all)
{
	struct all *a = all_of(all);
	size_t nr = 0;
	int err;

	forget(a);
	/* An earlier update may have failed midway: start over. */
	lseek(fd, 0, SEEK_SET);
	err = read_all(fd, a, &nr);
	if (!err)
		err = parse(a, nr);
	if (err)
		forget(a);
	return err;
}

int kvmwatch_all_read(int fd, struct kvmwatch_all **all)
{
	struct all *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	err = kvmwatch_all_update(fd, &new->pub);
	if (err) {
		kvmwatch_all_free(&new->pub);
		return err;
	}
	*all = &new->pub;
	return 0;
}

void kvmwatch_all_free(struct kvmwatch_all *all)
{
	struct all *a;

	if (!all)
		return;
	a = all_of(all);
	forget(a);
	free(a->raw);
	free(a);
}

static const char *item_at(const struct all *all, size_t item)
{
	return all->raw + header_of(all)->item_offset + item * header_of(all)->item_size;
}

const struct kvmwatch_all_item *kvmwatch_all_at(const struct kvmwatch_all *all, size_t item)
{
	const struct all *a = all_of(all);

	return a->items ? &a->items[item] : (const void *)item_at(a, item);
}

const __u64 *kvmwatch_all_value(const struct kvmwatch_all *all, size_t item, int stat)
{
	const struct all *a = all_of(all);
	const char *it = item_at(a, item);
	const __u64 *available = (const void *)(it + header_of(a)->bits_offset);

	if (stat < 0 || (size_t)stat >= all->nr_stats)
		return NULL;
	if (!(available[a->index[stat] / 64] >> a->index[stat] % 64 & 1))
		return NULL;
	return (const void *)(it + a->offset[stat]);
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
