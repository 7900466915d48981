// SPDX-License-Identifier: LGPL-2.1-or-later
/* Read a mapped stats fd without system calls. See libkvmwatch.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "handles.h"

/* A copy takes a microsecond with preemption off, but an interrupt may come in between. */
#define READ_TRIES		1000

/* Size of the first published structure: no module has a shorter one. */
#define FIRST_MAP		32

struct kvmwatch_mapping {
	const char *address;
	size_t size;
	const char *data;
	/* Of the statistics passed to kvmwatch_mapping_make() */
	size_t data_size;
	char *id;
};

static size_t whole_pages(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

static int map(int fd, struct kvmwatch_mapping *m, size_t size)
{
	void *address = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	if (address == MAP_FAILED)
		return -errno;
	m->address = address;
	m->size = size;
	return 0;
}

/* Map the first page, whose header has the size, then everything. */
static int map_whole(int fd, struct kvmwatch_mapping *m, const struct stats *stats)
{
	struct kvmwatch_map head;
	size_t need;
	int err;

	err = map(fd, m, whole_pages(sizeof(head)));
	if (err)
		return err;
	memcpy(&head, m->address, sizeof(head));
	if (head.data_size != stats->data_size || head.data_offset < FIRST_MAP ||
	    head.data_offset % sizeof(__u64) || head.data_offset > whole_pages(sizeof(head)))
		return -EBADMSG;
	need = whole_pages(head.data_offset + stats->data_size);
	if (need > m->size) {
		munmap((void *)m->address, m->size);
		m->address = NULL;
		err = map(fd, m, need);
		if (err)
			return err;
	}
	m->data = m->address + head.data_offset;
	m->data_size = stats->data_size;
	m->id = strdup(stats->pub.id);
	return m->id ? 0 : -ENOMEM;
}

int kvmwatch_mapping_make(int fd, const struct kvmwatch_stats *stats,
			  struct kvmwatch_mapping **mapping)
{
	struct kvmwatch_mapping *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	err = map_whole(fd, m, stats_of(stats));
	if (err) {
		kvmwatch_mapping_free(m);
		return err;
	}
	*mapping = m;
	return 0;
}

/* The kernel may write the cells meanwhile: read each once, and as a whole. */
static void copy_cells(__u64 *to, const char *from, size_t size)
{
	const __u64 *cell = (const __u64 *)from;
	size_t i;

	for (i = 0; i < size / sizeof(*to); i++)
		to[i] = __atomic_load_n(&cell[i], __ATOMIC_RELAXED);
}

/* Copy the data to stats->spare. Returns 0 if that is a snapshot, else -EAGAIN. */
static int try_read(const struct kvmwatch_mapping *m, struct stats *stats,
		    struct kvmwatch_map *head)
{
	const struct kvmwatch_map *now = (const void *)m->address;
	__u32 before;

	before = __atomic_load_n(&now->sequence, __ATOMIC_ACQUIRE);
	if (before & 1)
		return -EAGAIN;
	head->copies = __atomic_load_n(&now->copies, __ATOMIC_RELAXED);
	head->flags = __atomic_load_n(&now->flags, __ATOMIC_RELAXED);
	head->ns = __atomic_load_n(&now->ns, __ATOMIC_RELAXED);
	copy_cells(stats->spare, m->data, stats->data_size);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&now->sequence, __ATOMIC_RELAXED) == before ? 0 : -EAGAIN;
}

int kvmwatch_mapping_read_sized(const struct kvmwatch_mapping *mapping,
				struct kvmwatch_stats *stats, struct kvmwatch_map *head,
				size_t size)
{
	struct stats *s = stats_of(stats);
	struct kvmwatch_map mine;
	int err = -EAGAIN, try;

	/* Data of another object may be longer than the mapping, and have another layout. */
	if (s->data_size != mapping->data_size || strcmp(stats->id, mapping->id))
		return -EINVAL;
	memset(&mine, 0, sizeof(mine));
	for (try = 0; try < READ_TRIES && err; try++)
		err = try_read(mapping, s, &mine);
	if (err)
		return err;
	if (!mine.copies)
		return -ENODATA;
	memcpy(s->data, s->spare, s->data_size);
	if (head)
		give(head, size, &mine, sizeof(mine));
	return 0;
}

void kvmwatch_mapping_free(struct kvmwatch_mapping *mapping)
{
	if (!mapping)
		return;
	if (mapping->address)
		munmap((void *)mapping->address, mapping->size);
	free(mapping->id);
	free(mapping);
}
