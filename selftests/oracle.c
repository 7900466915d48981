// SPDX-License-Identifier: GPL-2.0
/* KVM's own numbers: stats fds and debugfs. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "oracle.h"

#define DEBUGFS_KVM	"/sys/kernel/debug/kvm"

#ifndef KVM_GET_STATS_FD
#define KVM_GET_STATS_FD	_IO(KVMIO, 0xce)
#endif

/* What the format says; spelled out here, since old headers lack it. */
#define TYPE(flags)	((flags) & 0xf)
#define UNIT(flags)	(((flags) >> 4) & 0xf)
#define BASE(flags)	(((flags) >> 8) & 0xf)
#define TYPE_LINEAR	3
#define TYPE_LOG	4
#define UNIT_SECONDS	2
#define UNIT_BOOLEAN	4
#define BASE_POW2	1

struct header {
	__u32 flags;
	__u32 name_size;
	__u32 num_desc;
	__u32 id_offset;
	__u32 desc_offset;
	__u32 data_offset;
};

/* A descriptor up to its name, which is header.name_size long. */
struct raw_desc {
	__u32 flags;
	__s16 exponent;
	__u16 size;
	__u32 offset;
	__u32 bucket_size;
};

static int read_exactly(int fd, void *buf, size_t size, off_t offset)
{
	ssize_t n;

	n = pread(fd, buf, size, offset);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EPROTO;
}

static int read_header(int fd, struct header *header)
{
	int err;

	err = read_exactly(fd, header, sizeof(*header), 0);
	if (err)
		return err;
	if (header->name_size < 1 || header->name_size > 4096)
		return -EPROTO;
	return 0;
}

static int read_desc(int fd, const struct header *header, unsigned int index,
		     struct oracle_desc *desc)
{
	size_t name = header->name_size;
	struct raw_desc raw;
	off_t offset;
	int err;

	offset = header->desc_offset + (off_t)index * (sizeof(raw) + name);
	err = read_exactly(fd, &raw, sizeof(raw), offset);
	if (err)
		return err;

	*desc = (struct oracle_desc){
		.flags = raw.flags,
		.exponent = raw.exponent,
		.size = raw.size,
		.offset = raw.offset,
		.bucket_size = raw.bucket_size,
	};
	if (name > sizeof(desc->name))
		name = sizeof(desc->name);
	err = read_exactly(fd, desc->name, name, offset + sizeof(raw));
	if (err)
		return err;
	return memchr(desc->name, '\0', name) ? 0 : -EPROTO;
}

static int find_desc(int fd, const char *name, struct header *header,
		     struct oracle_desc *desc)
{
	unsigned int i;
	int err;

	err = read_header(fd, header);
	for (i = 0; !err && i < header->num_desc; i++) {
		err = read_desc(fd, header, i, desc);
		if (!err && !strcmp(desc->name, name))
			return 0;
	}
	return err ? err : -ENOENT;
}

int oracle_open(int kvm_fd)
{
	int fd;

	fd = ioctl(kvm_fd, KVM_GET_STATS_FD, NULL);
	if (fd < 0 && errno == EINVAL)	/* 5.10 says this of a vCPU */
		return -ENOTTY;
	return fd < 0 ? -errno : fd;
}

int oracle_read(int stats_fd, const char *name, __u64 *value)
{
	struct oracle_desc desc;
	struct header header;
	int err;

	err = find_desc(stats_fd, name, &header, &desc);
	if (err)
		return err;
	if (desc.size != 1)
		return -EISDIR;
	return read_exactly(stats_fd, value, sizeof(*value),
			    (off_t)header.data_offset + desc.offset);
}

int oracle_hist(int stats_fd, const char *name, __u64 *buckets, size_t max)
{
	struct oracle_desc desc;
	struct header header;
	int err;

	err = find_desc(stats_fd, name, &header, &desc);
	if (err)
		return err;
	if (max > desc.size)
		max = desc.size;
	err = read_exactly(stats_fd, buckets, max * sizeof(*buckets),
			   (off_t)header.data_offset + desc.offset);
	return err ? err : desc.size;
}

int oracle_hist_sum(int stats_fd, const char *name, __u64 *sum)
{
	__u64 buckets[2048];
	int i, n;

	n = oracle_hist(stats_fd, name, buckets, 2048);
	if (n < 0)
		return n;
	if (n > 2048)
		return -EFBIG;
	*sum = 0;
	for (i = 0; i < n; i++)
		*sum += buckets[i];
	return 0;
}

void *oracle_snapshot(int stats_fd, size_t *size)
{
	const size_t room = 65536;
	void *data = calloc(1, room);
	ssize_t n;

	if (!data)
		return NULL;
	n = pread(stats_fd, data, room, 0);
	if (n < (ssize_t)sizeof(struct header)) {
		free(data);
		errno = n < 0 ? errno : EPROTO;
		return NULL;
	}
	if (size)
		*size = n;
	return data;
}

const __u64 *oracle_in(const void *snapshot, const char *name, unsigned int *cells)
{
	const struct header *header = snapshot;
	const struct raw_desc *desc;
	unsigned int i;

	for (i = 0; i < header->num_desc; i++) {
		desc = snapshot + header->desc_offset + i * (sizeof(*desc) + header->name_size);
		if (strcmp((const char *)(desc + 1), name))
			continue;
		if (cells)
			*cells = desc->size;
		return snapshot + header->data_offset + desc->offset;
	}
	return NULL;
}

int oracle_desc(int stats_fd, unsigned int index, struct oracle_desc *desc)
{
	struct header header;
	int err;

	err = read_header(stats_fd, &header);
	if (err)
		return err;
	if (index >= header.num_desc)
		return -ENOENT;
	return read_desc(stats_fd, &header, index, desc);
}

int oracle_id(int stats_fd, char *id, size_t size)
{
	struct header header;
	int err;

	if (!size)
		return -EINVAL;
	err = read_header(stats_fd, &header);
	if (err)
		return err;
	if (size > header.name_size)
		size = header.name_size;
	err = read_exactly(stats_fd, id, size, header.id_offset);
	id[size - 1] = '\0';
	return err;
}

/* The rules of one descriptor. */
static const char *desc_fault(const struct oracle_desc *desc)
{
	if (!desc->name[0])
		return "a statistic without a name";
	if (TYPE(desc->flags) > TYPE_LOG)
		return "an unknown type";
	if (UNIT(desc->flags) > UNIT_BOOLEAN)
		return "an unknown unit";
	if (BASE(desc->flags) > BASE_POW2)
		return "an unknown base";
	if (UNIT(desc->flags) == UNIT_SECONDS ? desc->exponent > 0 : desc->exponent < 0)
		return "an exponent of the wrong sign";
	if (UNIT(desc->flags) == UNIT_BOOLEAN && desc->exponent)
		return "a boolean with an exponent";
	if (!desc->size)
		return "a statistic without a value";
	if (TYPE(desc->flags) < TYPE_LINEAR && desc->size != 1)
		return "a scalar of more than one value";
	if ((TYPE(desc->flags) == TYPE_LINEAR) != !!desc->bucket_size)
		return "a bucket size without linear buckets, or these without it";
	if (desc->offset % 8)
		return "a value that is not aligned to 8 bytes";
	return NULL;
}

/* The descriptors, and that their values fill the data without hole or overlap. */
static const char *descs_fault(int fd, const struct header *header)
{
	struct oracle_desc desc, other;
	const char *why = NULL;
	__u64 sum = 0, end = 0;
	unsigned int i, j;
	char *data;

	for (i = 0; i < header->num_desc; i++) {
		if (read_desc(fd, header, i, &desc))
			return "a descriptor that can't be read";
		why = desc_fault(&desc);
		if (why)
			return why;
		sum += desc.size * 8;
		if (end < desc.offset + desc.size * 8ULL)
			end = desc.offset + desc.size * 8ULL;
		for (j = 0; j < i; j++) {
			if (read_desc(fd, header, j, &other))
				return "a descriptor that can't be read";
			if (!strcmp(desc.name, other.name))
				return "a name that occurs twice";
			if (desc.offset < other.offset + other.size * 8ULL &&
			    other.offset < desc.offset + desc.size * 8ULL)
				return "values that overlap";
		}
	}
	if (sum != end)
		return "holes between the values";

	data = malloc(sum + 1);
	if (!data)
		return "too much data";
	if (pread(fd, data, sum + 1, header->data_offset) != (ssize_t)sum)
		why = "data that is not as long as the descriptors say";
	free(data);
	return why;
}

static const char *layout_fault(int fd)
{
	__u64 descs, data;
	struct header header;
	char id[4096];

	if (read_header(fd, &header))
		return "no header";
	if (header.flags)
		return "flags in the header";
	if (header.name_size % 8 || header.id_offset % 8 ||
	    header.desc_offset % 8 || header.data_offset % 8)
		return "a block that is not aligned to 8 bytes";
	if (header.id_offset != sizeof(header))
		return "an id string that does not follow the header";
	if (read_exactly(fd, id, header.name_size, header.id_offset))
		return "no id string";
	if (!memchr(id, '\0', header.name_size))
		return "an id string without an end";
	if (strncmp(id, "kvm", 3))
		return "an id string that does not start with \"kvm\"";
	if (!header.num_desc)
		return "no statistic";

	descs = (__u64)header.num_desc * (sizeof(struct raw_desc) + header.name_size);
	data = header.data_offset;
	if (header.desc_offset < header.id_offset + header.name_size ||
	    data < header.id_offset + header.name_size)
		return "blocks that overlap";
	if (data >= header.desc_offset && data < header.desc_offset + descs)
		return "data among the descriptors";
	return descs_fault(fd, &header);
}

int oracle_check(int stats_fd, const char **why)
{
	*why = layout_fault(stats_fd);
	return *why ? -EPROTO : 0;
}

int oracle_debugfs_dir(const char *vm, char *path, size_t size)
{
	int n;

	n = snprintf(path, size, DEBUGFS_KVM "/%s", vm);
	return n >= 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

int oracle_debugfs(const char *vm, const char *file, __u64 *value)
{
	char path[PATH_MAX];
	FILE *f;
	int n;

	n = snprintf(path, sizeof(path), DEBUGFS_KVM "/%s/%s", vm, file);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	f = fopen(path, "re");
	if (!f)
		return -errno;
	n = fscanf(f, "%llu", value);
	fclose(f);
	return n == 1 ? 0 : -EPROTO;
}

int oracle_debugfs_vms(void)
{
	unsigned int tid, fd;
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	dir = opendir(DEBUGFS_KVM);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (sscanf(entry->d_name, "%u-%u", &tid, &fd) == 2)
			n++;
	closedir(dir);
	return n;
}

static int oracle_find(struct oracle *o, struct guest *g, int kvm_fd, bool alone)
{
	memset(o, 0, sizeof(*o));
	o->stats_fd = oracle_open(kvm_fd);
	if (o->stats_fd >= 0)
		return 0;
	if (o->stats_fd == -ENOTTY && alone)
		snprintf(o->vm, sizeof(o->vm), "%s", guest_name(g));
	return o->stats_fd == -ENOTTY ? 0 : o->stats_fd;
}

int oracle_of_vm(struct oracle *o, struct guest *g)
{
	return oracle_find(o, g, guest_vm_fd(g), true);
}

int oracle_of_vcpu(struct oracle *o, struct guest *g, unsigned int vcpu)
{
	return oracle_find(o, g, guest_vcpu_fd(g, vcpu), guest_vcpus(g) == 1);
}

void oracle_close(struct oracle *o)
{
	if (o->stats_fd > 0)
		close(o->stats_fd);
	memset(o, 0, sizeof(*o));
}

int oracle_number(const struct oracle *o, const char *name, __u64 *value)
{
	int err;

	if (o->stats_fd > 0) {
		err = oracle_read(o->stats_fd, name, value);
		return err == -EISDIR ? oracle_hist_sum(o->stats_fd, name, value) : err;
	}
	err = o->vm[0] ? oracle_debugfs(o->vm, name, value) : -ENOENT;
	return err == -ENOENT ? -EOPNOTSUPP : err;
}
