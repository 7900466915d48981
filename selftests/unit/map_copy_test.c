// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of a stats fd's data that are read while they are made, tested with the module's and the
 * library's own code. The test VM's emulator takes turns between its CPUs, so a reader hardly ever
 * reads in the middle of a copy there.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>
#include <linux/kvmwatch.h>

#include "handles.h"

static void rest(int loops)
{
	while (loops--)
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Make some copies take longer than a whole read. */
static void dawdle(void)
{
	static unsigned int n;

	if (!(n++ % 64))
		rest(20000);
}

/* What the code needs from the kernel. */
#define u32			__u32
#define u64			__u64
#define WRITE_ONCE(x, value)	(__atomic_store_n(&(x), value, __ATOMIC_RELAXED), dawdle())
/* As the kernel's: a CPU that sees later writes also sees earlier ones. */
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)

#include "../module/exports/map_copy.h"

#define CELLS		200
#define READERS		2
#define READS		10000	/* least number of whole copies that each reader finds */
#define COPIES		1000	/* least number of copies */

struct reader {
	pthread_t thread;
	int fd;
	int error;
	unsigned long torn, backward, reads;
};

static int readers_left;
static u64 copies;

/* All cells of copy n are n, and so is its time. */
static bool is_whole(const u64 *data, const struct kvmwatch_map *head)
{
	unsigned int i;

	for (i = 0; i < CELLS; i++)
		if (data[i] != head->copies)
			return false;
	return head->ns == head->copies;
}

static int read_copies(struct reader *r, struct kvmwatch_mapping *m, struct stats *stats)
{
	struct kvmwatch_map head;
	u64 last = 0;
	int err;

	while (r->reads < READS || __atomic_load_n(&copies, __ATOMIC_RELAXED) < COPIES) {
		err = kvmwatch_mapping_read(m, &stats->pub, &head);
		if (err == -EAGAIN || err == -ENODATA)
			continue;
		if (err)
			return err;
		r->reads++;
		r->torn += !is_whole(stats->data, &head);
		r->backward += head.copies < last;
		last = head.copies;
	}
	return 0;
}

static void *read_all(void *arg)
{
	u64 data[CELLS], spare[CELLS];
	struct stats stats = {
		.pub.id = "copies", .data = data, .spare = spare, .data_size = sizeof(data),
	};
	struct kvmwatch_mapping *m;
	struct reader *r = arg;

	r->error = kvmwatch_mapping_make(r->fd, &stats.pub, &m);
	if (!r->error) {
		r->error = read_copies(r, m, &stats);
		kvmwatch_mapping_free(m);
	}
	__atomic_fetch_sub(&readers_left, 1, __ATOMIC_RELAXED);
	return NULL;
}

TEST(each_copy_is_read_as_a_whole_and_none_after_a_later_one)
{
	const struct kvmwatch_map head = {
		.data_offset = sizeof(head), .data_size = CELLS * sizeof(u64),
	};
	struct reader readers[READERS] = { };
	struct kvmwatch_map *map;
	u64 data[CELLS], n = 0;
	int fd, i;

	fd = memfd_create("map", MFD_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, getpagesize()));
	map = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	*map = head;

	readers_left = READERS;
	for (i = 0; i < READERS; i++) {
		readers[i].fd = fd;
		ASSERT_EQ(0, pthread_create(&readers[i].thread, NULL, read_all, &readers[i]));
	}
	while (__atomic_load_n(&readers_left, __ATOMIC_RELAXED)) {
		n++;
		for (i = 0; i < CELLS; i++)
			data[i] = n;
		kvmw_map_copy(map, data, sizeof(data), n, 0);
		__atomic_store_n(&copies, n, __ATOMIC_RELAXED);
		rest(20000);	/* without this pause no reader would find a whole copy */
	}
	for (i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		EXPECT_EQ(0, readers[i].error);
		EXPECT_EQ(0, readers[i].torn);
		EXPECT_EQ(0, readers[i].backward);
	}
	munmap(map, getpagesize());
	close(fd);
}

TEST_HARNESS_MAIN
