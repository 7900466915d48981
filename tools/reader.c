// SPDX-License-Identifier: GPL-2.0
/*
 * Read kvmwatch: the device, its lists, and stats fds.
 *
 * A stats fd is parsed in two steps. read_layout() reads everything that never
 * changes and proves that each statistic lies inside the data block; from then on
 * the data is read in one pread(), which makes it one snapshot, and needs no
 * further checks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "reader.h"

/*
 * Far above what KVM and kvmwatch have, and low enough that a broken header can't
 * make us allocate much: 16384 descriptors of 1040 bytes are 17 MB.
 */
#define MAX_NAME_SIZE		1024U
#define MAX_DESCS		16384U
#define MAX_DATA_SIZE		(16U << 20)

/* Bucket 0 for 0, then one for each bit of a __u64. */
#define MAX_LOG_BUCKETS		65U

#define MAX_LIST		0x1000000U
#define LIST_TRIES		16

/* --- The device ---------------------------------------------------------- */

int kvmwatch_device_open(const char *path, struct kvmwatch_info *info)
{
	int err, fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	if (ioctl(fd, KVMWATCH_INFO, info) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	if (info->abi != KVMWATCH_ABI) {
		close(fd);
		return -EPROTONOSUPPORT;
	}
	return fd;
}

/*
 * The list may grow between two calls, so leave some room each time; give up
 * when it keeps running away.
 */
static int list(int dev, __u32 kind, __u64 vm, size_t item_size, void **items, size_t *nr)
{
	struct kvmwatch_list arg;
	__u32 room = 32;
	void *buf;
	int err, try;

	for (try = 0; try < LIST_TRIES; try++) {
		buf = calloc(room, item_size);
		if (!buf)
			return -ENOMEM;

		memset(&arg, 0, sizeof(arg));
		arg.size = sizeof(arg);
		arg.kind = kind;
		arg.vm = vm;
		arg.items = (uintptr_t)buf;
		arg.item_size = item_size;
		arg.nr = room;
		if (ioctl(dev, KVMWATCH_LIST, &arg) < 0) {
			err = -errno;
			free(buf);
			return err;
		}
		if (arg.nr <= room) {
			*items = buf;
			*nr = arg.nr;
			return 0;
		}
		free(buf);
		if (arg.nr > MAX_LIST)
			return -EBADMSG;
		room = arg.nr + arg.nr / 8 + 8;
	}
	return -EAGAIN;
}

#define terminate(array)	((array)[sizeof(array) - 1] = '\0')

int kvmwatch_list_vms(int dev, struct kvmwatch_vm **vms, size_t *nr)
{
	struct kvmwatch_vm *vm;
	void *items;
	int err;

	err = list(dev, KVMWATCH_KIND_VM, 0, sizeof(**vms), &items, nr);
	if (err)
		return err;
	*vms = items;
	for (vm = *vms; vm < *vms + *nr; vm++) {
		terminate(vm->name);
		terminate(vm->comm);
	}
	return 0;
}

int kvmwatch_list_vcpus(int dev, __u64 vm, struct kvmwatch_vcpu **vcpus, size_t *nr)
{
	void *items;
	int err;

	err = list(dev, KVMWATCH_KIND_VCPU, vm, sizeof(**vcpus), &items, nr);
	if (!err)
		*vcpus = items;
	return err;
}

int kvmwatch_list_slots(int dev, __u64 vm, struct kvmwatch_slot **slots, size_t *nr)
{
	void *items;
	int err;

	err = list(dev, KVMWATCH_KIND_SLOT, vm, sizeof(**slots), &items, nr);
	if (!err)
		*slots = items;
	return err;
}

int kvmwatch_list_hooks(int dev, struct kvmwatch_hook **hooks, size_t *nr)
{
	struct kvmwatch_hook *hook;
	void *items;
	int err;

	err = list(dev, KVMWATCH_KIND_HOOK, 0, sizeof(**hooks), &items, nr);
	if (err)
		return err;
	*hooks = items;
	for (hook = *hooks; hook < *hooks + *nr; hook++) {
		terminate(hook->name);
		terminate(hook->target);
		terminate(hook->via);
		terminate(hook->reason);
	}
	return 0;
}

int kvmwatch_list_stats(int dev, struct kvmwatch_stat **stats, size_t *nr)
{
	struct kvmwatch_stat *stat;
	void *items;
	int err;

	err = list(dev, KVMWATCH_KIND_STAT, 0, sizeof(**stats), &items, nr);
	if (err)
		return err;
	*stats = items;
	for (stat = *stats; stat < *stats + *nr; stat++) {
		terminate(stat->name);
		terminate(stat->hooks);
		terminate(stat->help);
	}
	return 0;
}

static int open_stats(int dev, __u32 kind, __u64 id, __u16 as_id, __u16 slot)
{
	struct kvmwatch_open arg;
	int fd;

	memset(&arg, 0, sizeof(arg));
	arg.size = sizeof(arg);
	arg.kind = kind;
	arg.id = id;
	arg.as_id = as_id;
	arg.slot = slot;
	fd = ioctl(dev, KVMWATCH_OPEN, &arg);
	return fd < 0 ? -errno : fd;
}

int kvmwatch_open_vm(int dev, __u64 vm)
{
	return open_stats(dev, KVMWATCH_KIND_VM, vm, 0, 0);
}

int kvmwatch_open_vcpu(int dev, __u64 vcpu)
{
	return open_stats(dev, KVMWATCH_KIND_VCPU, vcpu, 0, 0);
}

int kvmwatch_open_slot(int dev, __u64 vm, __u16 as_id, __u16 slot)
{
	return open_stats(dev, KVMWATCH_KIND_SLOT, vm, as_id, slot);
}

int kvmwatch_audit(int dev, __u64 vm, struct kvmwatch_audit *audit)
{
	memset(audit, 0, sizeof(*audit));
	audit->size = sizeof(*audit);
	audit->vm = vm;
	return ioctl(dev, KVMWATCH_AUDIT, audit) ? -errno : 0;
}

/* --- The stats fd -------------------------------------------------------- */

/* A part of the file, or of the data block: bytes from start to before end. */
struct range {
	__u64 start;
	__u64 end;
};

static bool overlap(struct range a, struct range b)
{
	return a.start < b.end && b.start < a.end;
}

/* All of it, or -EBADMSG where the file ends too early. */
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

/* In one piece: only then is it one snapshot. */
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

/* Of what goes to terminals and into files, take nothing but plain letters. */
static bool name_is_sane(const char *name, size_t size)
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
	if (overlap(start, id) || overlap(start, descs) || overlap(id, descs))
		return -EBADMSG;
	return 0;
}

static bool is_histogram(__u32 flags)
{
	switch (flags & KVMWATCH_STATS_TYPE_MASK) {
	case KVMWATCH_STATS_LINEAR_HIST:
	case KVMWATCH_STATS_LOG_HIST:
		return true;
	default:
		return false;
	}
}

static int check_desc(const struct kvmwatch_stats_desc *desc)
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

/*
 * Two statistics that share a cell, or a name, would be shown as two truths. The
 * values do not point into the data yet: @cells says where they will.
 */
static int check_distinct(const struct kvmwatch_stats *stats, const struct range *cells)
{
	struct range *ranges;
	const char **names;
	int err = -ENOMEM;
	size_t i;

	ranges = calloc(stats->nr + 1, sizeof(*ranges));
	names = calloc(stats->nr + 1, sizeof(*names));
	if (!ranges || !names)
		goto free;

	for (i = 0; i < stats->nr; i++) {
		ranges[i] = cells[i];
		names[i] = stats->values[i].name;
	}
	qsort(ranges, stats->nr, sizeof(*ranges), compare_ranges);
	qsort(names, stats->nr, sizeof(*names), compare_names);

	err = -EBADMSG;
	for (i = 1; i < stats->nr; i++) {
		if (overlap(ranges[i - 1], ranges[i]) || !strcmp(names[i - 1], names[i]))
			goto free;
	}
	err = 0;
free:
	free(names);
	free(ranges);
	return err;
}

/* Turn @raw, the block of descriptors, into values; @cells is as long as they. */
static int parse_descs(const struct kvmwatch_stats_header *header, const char *raw,
		       struct kvmwatch_stats *stats, struct range *cells)
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
		if (!name_is_sane(raw + fixed, header->name_size))
			return -EBADMSG;
		if ((desc.flags & KVMWATCH_STATS_TYPE_MASK) > KVMWATCH_STATS_LOG_HIST)
			continue;	/* from a later kernel */
		err = check_desc(&desc);
		if (err)
			return err;

		value = &stats->values[stats->nr];
		cell = &cells[stats->nr++];
		value->name = stats->names + (size_t)i * header->name_size;
		memcpy(stats->names + (size_t)i * header->name_size, raw + fixed,
		       header->name_size);
		value->flags = desc.flags;
		value->exponent = desc.exponent;
		value->size = desc.size;
		value->bucket_size = is_histogram(desc.flags) ? desc.bucket_size : 0;
		cell->start = desc.offset;
		cell->end = cell->start + desc.size * sizeof(__u64);
		if (cell->end > end)
			end = cell->end;
	}
	if (end > MAX_DATA_SIZE)
		return -EBADMSG;
	stats->data_size = end;
	stats->data_offset = header->data_offset;
	return check_distinct(stats, cells);
}

/* The data must not lie over what comes with it and never changes. */
static int check_data(const struct kvmwatch_stats_header *header,
		      const struct kvmwatch_stats *stats)
{
	__u64 desc_size = offsetof(struct kvmwatch_stats_desc, name) + header->name_size;
	struct range start = { 0, sizeof(*header) };
	struct range id = { header->id_offset, (__u64)header->id_offset + header->name_size };
	struct range descs = { header->desc_offset,
			       header->desc_offset + header->num_desc * desc_size };
	struct range data = { header->data_offset,
			      (__u64)header->data_offset + stats->data_size };

	if (overlap(data, start) || overlap(data, id) || overlap(data, descs))
		return -EBADMSG;
	return 0;
}

/* The id string goes behind the names; nobody promised that it is printable. */
static int read_id(int fd, const struct kvmwatch_stats_header *header,
		   struct kvmwatch_stats *stats)
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
	stats->id = id;
	return 0;
}

/* Everything but the data, which @stats gets room for. */
static int read_layout(int fd, struct kvmwatch_stats *stats)
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
	if (!stats->data) {
		err = -ENOMEM;
		goto free;
	}
	for (i = 0; i < stats->nr; i++)
		stats->values[i].data = stats->data + cells[i].start / sizeof(__u64);
free:
	free(cells);
	free(raw);
	return err;
}

int kvmwatch_stats_read(int fd, struct kvmwatch_stats **stats)
{
	struct kvmwatch_stats *new;
	int err;

	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	err = read_layout(fd, new);
	if (!err)
		err = read_snapshot(fd, new->data, new->data_size, new->data_offset);
	if (err) {
		kvmwatch_stats_free(new);
		return err;
	}
	*stats = new;
	return 0;
}

int kvmwatch_stats_update(int fd, struct kvmwatch_stats *stats)
{
	__u64 *fresh;
	int err;

	fresh = malloc(stats->data_size + sizeof(__u64));
	if (!fresh)
		return -ENOMEM;
	err = read_snapshot(fd, fresh, stats->data_size, stats->data_offset);
	if (!err)
		memcpy(stats->data, fresh, stats->data_size);
	free(fresh);
	return err;
}

const struct kvmwatch_value *kvmwatch_stats_find(const struct kvmwatch_stats *stats,
						 const char *name)
{
	size_t i;

	for (i = 0; i < stats->nr; i++) {
		if (!strcmp(stats->values[i].name, name))
			return &stats->values[i];
	}
	return NULL;
}

void kvmwatch_stats_free(struct kvmwatch_stats *stats)
{
	if (!stats)
		return;
	free(stats->data);
	free(stats->names);
	free(stats->values);
	free(stats);
}

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
