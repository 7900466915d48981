// SPDX-License-Identifier: GPL-2.0
/*
 * libkvmwatch reads whatever a file descriptor says, for libFuzzer: the first byte says as what
 * it is read, a stats fd, a mapped one, or an fd of all objects. What is read is looked at in
 * full, so that the sanitizers see each byte that is handed out.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libkvmwatch.h"

/* By the name that libFuzzer calls. */
int fuzz_one(const __u8 *data, size_t size) __asm__("LLVMFuzzerTestOneInput");

static __u64 sink;

static void look_at_value(const struct kvmwatch_value *value, const __u64 *data)
{
	__u64 first, last;
	unsigned int i;

	sink += strlen(value->name);
	for (i = 0; i < value->size; i++) {
		kvmwatch_bucket_range(value, i, &first, &last);
		sink += data[i] + first + last;
	}
}

static void look_at_stats(const struct kvmwatch_stats *stats)
{
	const struct kvmwatch_value *value;
	size_t i;

	sink += strlen(stats->id);
	for (i = 0; i < stats->nr; i++) {
		value = &stats->values[i];
		look_at_value(value, value->data);
		if (*value->data == KVMWATCH_WITHDRAWN)
			value = NULL;
		if (kvmwatch_stats_find(stats, stats->values[i].name) != value)
			abort();
	}
}

static void try_stats(int fd)
{
	struct kvmwatch_stats *stats;

	if (kvmwatch_stats_read(fd, &stats))
		return;
	look_at_stats(stats);
	if (kvmwatch_stats_update(fd, stats))
		abort();
	look_at_stats(stats);
	kvmwatch_stats_free(stats);
}

/* What is mapped begins where the stats fd does, so let it have been read from another. */
static void try_map(int fd, size_t size)
{
	static struct kvmwatch_stats_desc desc = { .size = 1, .name = "a" };
	struct kvmwatch_stats_header header = {
		.name_size = sizeof(desc.name), .num_desc = 1, .id_offset = sizeof(header),
	};
	struct kvmwatch_mapping *mapping;
	struct kvmwatch_stats *stats;
	char bytes[256] = { };
	int good;

	header.desc_offset = header.id_offset + sizeof(desc.name);
	header.data_offset = header.desc_offset + sizeof(desc);
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + header.desc_offset, &desc, sizeof(desc));
	good = memfd_create("good", MFD_CLOEXEC);
	if (write(good, bytes, sizeof(bytes)) != sizeof(bytes) ||
	    kvmwatch_stats_read(good, &stats))
		abort();
	close(good);
	/* A file that ends early would be a SIGBUS, which a stats fd never is. */
	if (ftruncate(fd, (size + 8191) & ~4095UL))
		abort();
	if (!kvmwatch_mapping_make(fd, stats, &mapping)) {
		if (!kvmwatch_mapping_read(mapping, stats, NULL))
			look_at_stats(stats);
		kvmwatch_mapping_free(mapping);
	}
	kvmwatch_stats_free(stats);
}

static void try_all(int fd)
{
	struct kvmwatch_all *all;
	const __u64 *value;
	size_t i, stat;

	lseek(fd, 0, SEEK_SET);
	if (kvmwatch_all_read(fd, &all))
		return;
	for (i = 0; i < all->nr; i++) {
		sink += kvmwatch_all_at(all, i)->id;
		for (stat = 0; stat < all->nr_stats; stat++) {
			value = kvmwatch_all_value(all, i, stat);
			if (value)
				look_at_value(&all->stats[stat], value);
		}
		if (kvmwatch_all_value(all, i, all->nr_stats) || kvmwatch_all_value(all, i, -2))
			abort();
	}
	kvmwatch_all_free(all);
}

int fuzz_one(const __u8 *data, size_t size)
{
	int fd;

	if (!size)
		return 0;
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1)
		abort();
	switch (data[0] % 3) {
	case 0:
		try_stats(fd);
		break;
	case 1:
		try_map(fd, size);
		break;
	case 2:
		try_all(fd);
		break;
	}
	close(fd);
	__asm__ volatile("" : : "r"(sink));	/* it was all looked at */
	return 0;
}
