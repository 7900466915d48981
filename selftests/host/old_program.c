// SPDX-License-Identifier: GPL-2.0
/*
 * A program that has libkvmwatch fill structures of its own: are they filled up to the size that
 * they had when this was compiled, and no further? For library_test.sh. The device is played: it
 * fills whatever it is asked for, to the end.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libkvmwatch.h"
#include "libkvmwatch_predict.h"

#define GUARD	0x5a

/* A structure, and what lies behind it on the stack. */
#define GUARDED(name) struct { struct name it; unsigned char guard[256]; }

#define set_guard(g)	memset(&(g), GUARD, sizeof(g))

static void check(const char *what, const unsigned char *guard, size_t size)
{
	while (size--) {
		if (guard[size] == GUARD)
			continue;
		printf("%s: filled beyond its end, by %zu bytes or more\n", what, size + 1);
		exit(1);
	}
}

#define CHECK(g)	check(#g, (g).guard, sizeof((g).guard))

static void need(const char *what, int is)
{
	if (!is) {
		printf("%s: not so\n", what);
		exit(1);
	}
}

#define NEED(condition)	need(#condition, condition)

static int list(struct kvmwatch_list *arg)
{
	__u32 nr = arg->nr < 3 ? arg->nr : 3;

	memset((void *)(unsigned long)arg->items, 'x', (size_t)nr * arg->item_size);
	arg->nr = 3;
	return 0;
}

/* Takes the place of the C library's: a kernel that knows longer structures than anyone. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (_IOC_NR(request)) {
	case _IOC_NR(KVMWATCH_INFO):
		memset((char *)arg + 4, 'x', *(__u32 *)arg - 4);
		((struct kvmwatch_info *)arg)->abi = KVMWATCH_ABI;
		return 0;
	case _IOC_NR(KVMWATCH_LIST):
		return list(arg);
	case _IOC_NR(KVMWATCH_AUDIT):
		memset((char *)arg + 4, 'x', *(__u32 *)arg - 4);
		return 0;
	}
	return dup(fd);
}

static void try_info(void)
{
	GUARDED(kvmwatch_info) info;
	int dev;

	set_guard(info);
	dev = kvmwatch_device_open("/dev/null", &info.it);
	NEED(dev >= 0);
	CHECK(info);
	set_guard(info);
	NEED(!kvmwatch_device_info(dev, &info.it));
	CHECK(info);
	NEED(info.it.abi == KVMWATCH_ABI);
	NEED(info.it.size == sizeof(info.it));
	close(dev);
}

static void try_audit(void)
{
	GUARDED(kvmwatch_audit) audit;

	set_guard(audit);
	NEED(!kvmwatch_audit_vm(0, 1, &audit.it));
	CHECK(audit);
	NEED(audit.it.size == sizeof(audit.it));
}

/* Arrays have our distance from one to the next, and strings end. */
static void try_lists(void)
{
	struct kvmwatch_vm *vms;
	struct kvmwatch_stat *stats;
	size_t nr;

	NEED(!kvmwatch_list_vms(0, &vms, &nr) && nr == 3);
	NEED(vms[1].id == 0x7878787878787878 && vms[2].id == vms[1].id);
	NEED(strlen(vms[2].name) == sizeof(vms->name) - 1);
	NEED(strlen(vms[2].comm) == sizeof(vms->comm) - 1);
	free(vms);
	NEED(!kvmwatch_list_stats(0, &stats, &nr) && nr == 3);
	NEED(strlen(stats[2].help) == sizeof(stats->help) - 1);
	free(stats);
}

/* What the library allocates is read through pointers of its own. */
static void try_stats(void)
{
	struct {
		struct kvmwatch_stats_header header;
		char id[KVMWATCH_NAME_SIZE];
		struct kvmwatch_stats_desc descs[2];
		__u64 cells[2];
	} image = {
		.header = {
			.name_size = KVMWATCH_NAME_SIZE, .num_desc = 2, .id_offset = 24,
			.desc_offset = 24 + KVMWATCH_NAME_SIZE,
			.data_offset = 24 + KVMWATCH_NAME_SIZE + 2 * sizeof(*image.descs),
		},
		.id = "kvmwatch-1",
		.descs = { { .size = 1, .name = "a" }, { .size = 1, .offset = 8, .name = "b" } },
		.cells = { 1, 2 },
	};
	struct {
		struct kvmwatch_map head;
		__u64 cells[2];
	} map = {
		.head = { .copies = 1, .data_offset = sizeof(map.head), .data_size = 16 },
		.cells = { 3, 4 },
	};
	GUARDED(kvmwatch_map) head;
	struct kvmwatch_mapping *mapping;
	struct kvmwatch_stats *stats;
	int fd = memfd_create("stats", 0);

	NEED(write(fd, &image, sizeof(image)) == sizeof(image));
	NEED(!kvmwatch_stats_read(fd, &stats));
	NEED(stats->nr == 2 && stats->values[1].data[0] == 2);
	NEED(!strcmp(stats->values[1].name, "b"));
	NEED(pwrite(fd, &map, sizeof(map), 0) == sizeof(map));
	NEED(!kvmwatch_mapping_make(fd, stats, &mapping));
	set_guard(head);
	NEED(!kvmwatch_mapping_read(mapping, stats, &head.it));
	CHECK(head);
	NEED(head.it.copies == 1 && stats->values[1].data[0] == 4);
	kvmwatch_mapping_free(mapping);
	kvmwatch_stats_free(stats);
	close(fd);
}

/* A quiet guest. What does not fit into the result of an old program is left out. */
static void try_forecasts(void)
{
	GUARDED(kvmwatch_predict_input) in;
	GUARDED(kvmwatch_prediction) out;
	GUARDED(kvmwatch_textbook) book;
	struct kvmwatch_curve_point points[] = { { 500000000, 900 }, { 1000000000, 1600 } };
	struct kvmwatch_cycle cycle = { points, 2 };

	set_guard(in);
	set_guard(out);
	set_guard(book);
	in.it = (struct kvmwatch_predict_input) {
		.size = sizeof(in.it), .cycles = &cycle, .nr_cycles = 1, .ram_pages = 65536,
		.data_pages = 20000, .zero_pages = 45536, .bandwidth = 16 << 20, .downtime = 0.3,
	};
	out.it = (struct kvmwatch_prediction) { .size = sizeof(out.it) };
	NEED(!kvmwatch_predict(&in.it, &out.it));
	CHECK(out);
	NEED(out.it.size == sizeof(out.it) && out.it.first_bytes > 0);
	book.it = (struct kvmwatch_textbook) {
		.size = sizeof(book.it), .curve = cycle, .data_pages = 20000, .zero_pages = 45536,
		.zero_bytes = 9, .bandwidth = 16 << 20, .downtime = 0.3, .horizon = 1000,
	};
	NEED(!kvmwatch_predict_textbook(&book.it));
	CHECK(book);
	NEED(book.it.rounds > 0 && book.it.bytes > 0);
}

int main(void)
{
	try_info();
	try_audit();
	try_lists();
	try_stats();
	try_forecasts();
	return 0;
}
