// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that use libkvmwatch as its header allows: handles of their own, and functions that take
 * a handle as const on a shared one. With an argument, they do what it forbids: update a shared
 * handle. For library_test.sh, with the thread sanitizer.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libkvmwatch.h"
#include "libkvmwatch_predict.h"

#define THREADS	4
#define ROUNDS	2000

static const struct {
	struct kvmwatch_stats_header header;
	char id[KVMWATCH_NAME_SIZE];
	struct kvmwatch_stats_desc descs[2];
	__u64 cells[9];
} image = {
	.header = {
		.name_size = KVMWATCH_NAME_SIZE, .num_desc = 2, .id_offset = 24,
		.desc_offset = 24 + KVMWATCH_NAME_SIZE,
		.data_offset = 24 + KVMWATCH_NAME_SIZE + 2 * sizeof(*image.descs),
	},
	.id = "kvmwatch-1",
	.descs = {
		{ .size = 1, .name = "loads" },
		{ .flags = KVMWATCH_STATS_LOG_HIST, .size = 8, .offset = 8, .name = "hist" },
	},
	.cells = { 1, 2, 3, 4, 5, 6, 7, 8, 9 },
};

static int fd;
static struct kvmwatch_stats *shared;
static int racing;

static void need(int is)
{
	if (!is)
		abort();
}

static void look(const struct kvmwatch_stats *stats)
{
	const struct kvmwatch_value *value = kvmwatch_stats_find(stats, "hist");
	unsigned int bucket;
	__u64 first, last;

	need(value && !kvmwatch_quantile(value, 0.5, &bucket));
	kvmwatch_bucket_range(value, bucket, &first, &last);
	need(first <= last && !strcmp(kvmwatch_unit(value->flags), ""));
}

/* What has no handle that threads could share. */
static void forecast_and_parse(void)
{
	static const struct kvmwatch_curve_point points[] = {
		{ 500000000, 900 }, { 1000000000, 1600 },
	};
	static const char cmdline[] = "qemu-kvm\0-name\0guest=web1";
	struct kvmwatch_textbook book = {
		.size = sizeof(book), .curve = { points, 2 }, .data_pages = 20000,
		.bandwidth = 16 << 20, .downtime = 0.3, .horizon = 1000,
	};
	struct kvmwatch_guest *guest;

	need(!kvmwatch_guest_parse(cmdline, sizeof(cmdline), NULL, &guest));
	need(!strcmp(guest->name, "web1"));
	kvmwatch_guest_free(guest);
	need(!kvmwatch_guest_read(getpid(), &guest));
	kvmwatch_guest_free(guest);
	need(!kvmwatch_predict_textbook(&book));
}

static void *run(void *arg)
{
	struct kvmwatch_stats *own;
	int i;

	need(!kvmwatch_stats_read(fd, &own));
	forecast_and_parse();
	for (i = 0; i < ROUNDS; i++) {
		need(!kvmwatch_stats_update(fd, own));
		look(own);
		if (racing)
			need(!kvmwatch_stats_update(fd, shared));
		else
			look(shared);
	}
	kvmwatch_stats_free(own);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	int i;

	(void)argv;
	racing = argc > 1;
	fd = memfd_create("stats", 0);
	need(write(fd, &image, sizeof(image)) == sizeof(image));
	need(!kvmwatch_stats_read(fd, &shared));
	for (i = 0; i < THREADS; i++)
		need(!pthread_create(&threads[i], NULL, run, NULL));
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	kvmwatch_stats_free(shared);
	return 0;
}
