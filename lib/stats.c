// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Stats fds. See libkvmwatch.h.
 *
 * A stats fd is parsed in two steps. read_layout() reads everything that never changes, and proves
 * that each statistic lies inside the data block. Then each pread() of the whole data block is one
 * snapshot, and needs no further checks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handles.h"
#include "layout.h"

/*
 * Limits far above the values of KVM and kvmwatch, and low enough that a broken header cannot make
 * us allocate much: 16384 descriptors of 1040 bytes are 17 MB.
 */
#define MAX_NAME_SIZE		1024U
#define MAX_DESCS		16384U
#define MAX_DATA_SIZE		(16U << 20)

/* Read all of @len bytes; -EBADMSG: the file is shorter. */
static int read_exactly(int fd, void *buf, size_t len, __u64 offset)
{
	char *pos = buf;
	ssize_t n;

	while (len) {
		n = pread(fd, pos, len, offset);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!n)
			return -EBADMSG;
		pos += n;
		offset += n;
		len -= n;
	}
	return 0;
}

/* Read with a single pread(): only that is one snapshot. */
static int read_snapshot(int fd, void *buf, size_t len, __u64 offset)
{
	ssize_t n;

	do {
		n = pread(fd, buf, len, offset);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EBADMSG;
}

static int check_header(const struct kvmwatch_stats_header *header)
{
	struct range id, descs, start = { 0, sizeof(*header) };
	__u64 desc_size;

	if (!header->name_size || header->name_size > MAX_NAME_SIZE ||
	    header->num_desc > MAX_DESCS)
		return -EBADMSG;

	desc_size = offsetof(struct kvmwatch_stats_desc, name) + header->name_size;
	id.start = header->id_offset;
	id.end = id.start + header->name_size;
	descs.start = header->desc_offset;
	descs.end = descs.start + header->num_desc * desc_size;
	if (layout_overlap(start, id) || layout_overlap(start, descs) || layout_overlap(id, descs))
		return -EBADMSG;
	return 0;
}

/* Convert @raw, the block of descriptors, to values and their @cells. */
static int parse_descs(const struct kvmwatch_stats_header *header, const char *raw,
		       struct stats *stats, struct range *cells)
{
	const size_t fixed = offsetof(struct kvmwatch_stats_desc, name);
	struct kvmwatch_stats_desc desc;
	struct kvmwatch_value *value;
	struct range *cell;
	__u64 end = 0;
	__u32 i;
	int err;

	for (i = 0; i < header->num_desc; i++, raw += fixed + header->name_size) {
		memcpy(&desc, raw, fixed);
		if (!layout_name_is_sane(raw + fixed, header->name_size))
			return -EBADMSG;
		if ((desc.flags & KVMWATCH_STATS_TYPE_MASK) > KVMWATCH_STATS_LOG_HIST)
			continue;	/* a type of a later kernel */
		err = layout_check(&desc);
		if (err)
			return err;

		value = &stats->values[stats->pub.nr];
		cell = &cells[stats->pub.nr++];
		value->name = stats->names + (size_t)i * header->name_size;
		memcpy(stats->names + (size_t)i * header->name_size, raw + fixed,
		       header->name_size);
		value->flags = desc.flags;
		value->exponent = desc.exponent;
		value->size = desc.size;
		value->bucket_size = layout_is_histogram(desc.flags) ? desc.bucket_size : 0;
		cell->start = desc.offset;
		cell->end = cell->start + desc.size * sizeof(__u64);
		if (cell->end > end)
			end = cell->end;
	}
	if (end > MAX_DATA_SIZE)
		return -EBADMSG;
	stats->data_size = end;
	stats->data_offset = header->data_offset;
	return layout_distinct(stats->values, cells, stats->pub.nr);
}

/* The data must not overlap with the blocks that never change. */
static int check_data(const struct kvmwatch_stats_header *header,
		      const struct stats *stats)
{
	__u64 desc_size = offsetof(struct kvmwatch_stats_desc, name) + header->name_size;
	struct range start = { 0, sizeof(*header) };
	struct range id = { header->id_offset, (__u64)header->id_offset + header->name_size };
	struct range descs = { header->desc_offset,
			       header->desc_offset + header->num_desc * desc_size };
	struct range data = { header->data_offset,
			      (__u64)header->data_offset + stats->data_size };

	if (layout_overlap(data, start) || layout_overlap(data, id) || layout_overlap(data, descs))
		return -EBADMSG;
	return 0;
}

/* Append the id string to the names. It may contain unprintable bytes. */
static int read_id(int fd, const struct kvmwatch_stats_header *header,
		   struct stats *stats)
{
	char *id = stats->names + (size_t)header->num_desc * header->name_size;
	char *c;
	int err;

	err = read_exactly(fd, id, header->name_size, header->id_offset);
	if (err)
		return err;
	if (!memchr(id, '\0', header->name_size))
		return -EBADMSG;
	for (c = id; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	stats->pub.id = id;
	return 0;
}

/* Read everything but the data, and allocate memory for these. */
static int read_layout(int fd, struct stats *stats)
{
	struct kvmwatch_stats_header header;
	struct range *cells = NULL;
	char *raw = NULL;
	size_t raw_size, i;
	int err;

	err = read_exactly(fd, &header, sizeof(header), 0);
	if (!err)
		err = check_header(&header);
	if (err)
		return err;

	raw_size = header.num_desc *
		   (offsetof(struct kvmwatch_stats_desc, name) + (size_t)header.name_size);
	raw = malloc(raw_size + 1);
	cells = calloc(header.num_desc + 1, sizeof(*cells));
	stats->values = calloc(header.num_desc + 1, sizeof(*stats->values));
	stats->names = calloc(header.num_desc + 1, header.name_size);
	err = -ENOMEM;
	if (!raw || !cells || !stats->values || !stats->names)
		goto free;

	err = read_id(fd, &header, stats);
	if (!err)
		err = read_exactly(fd, raw, raw_size, header.desc_offset);
	if (!err)
		err = parse_descs(&header, raw, stats, cells);
	if (!err)
		err = check_data(&header, stats);
	if (err)
		goto free;

	stats->data = calloc(1, stats->data_size + sizeof(__u64));
	stats->spare = calloc(1, stats->data_size + sizeof(__u64));
	if (!stats->data || !stats->spare) {
		err = -ENOMEM;
		goto free;
	}
	for (i = 0; i < stats->pub.nr; i++)
		stats->values[i].data = stats->data + cells[i].start / sizeof(__u64);
free:
	free(cells);
	free(raw);
	return err;
}

int kvmwatch_stats_read(int fd, struct kvmwatch_stats **stats)
{
	struct stats *new;
	int err;

	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	err = read_layout(fd, new);
	if (!err)
		err = read_snapshot(fd, new->data, new->data_size, new->data_offset);
	if (err) {
		kvmwatch_stats_free(&new->pub);
		return err;
	}
	new->pub.values = new->values;
	*stats = &new->pub;
	return 0;
}

int kvmwatch_stats_update(int fd, struct kvmwatch_stats *stats)
{
	struct stats *s = stats_of(stats);
	int err;

	err = read_snapshot(fd, s->spare, s->data_size, s->data_offset);
	if (!err)
		memcpy(s->data, s->spare, s->data_size);
	return err;
}

const struct kvmwatch_value *kvmwatch_stats_find(const struct kvmwatch_stats *stats,
						 const char *name)
{
	size_t i;

	for (i = 0; i < stats->nr; i++) {
		if (strcmp(stats->values[i].name, name))
			continue;
		return *stats->values[i].data == KVMWATCH_WITHDRAWN ? NULL : &stats->values[i];
	}
	return NULL;
}

void kvmwatch_stats_free(struct kvmwatch_stats *stats)
{
	struct stats *s;

	if (!stats)
		return;
	s = stats_of(stats);
	free(s->data);
	free(s->spare);
	free(s->names);
	free(s->values);
	free(s);
}
