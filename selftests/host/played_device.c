// SPDX-License-Identifier: GPL-2.0
/*
 * The device, for programs that are started with this as LD_PRELOAD: any file that is opened
 * answers its ioctls. Numbers are those of the corpus for fuzzing, whose directory CORPUS names.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvmwatch.h>

static int give(struct kvmwatch_list *list, const void *items, size_t size, __u32 nr)
{
	size_t both = size < list->item_size ? size : list->item_size;
	__u32 i;

	for (i = 0; i < nr && i < list->nr; i++)
		memcpy((char *)(unsigned long)list->items + (size_t)i * list->item_size,
		       (const char *)items + i * size, both);
	list->nr = nr;
	list->generation = 9;
	return 0;
}

static int list(struct kvmwatch_list *arg)
{
	static const struct kvmwatch_vm vms[] = {
		{ .id = 1, .memory = 4096, .pid = 42, .name = "42-5", .comm = "vmm" },
		{ .id = 2, .flags = KVMWATCH_PID_GONE, .name = "43-5", .comm = "vm\xff" },
	};
	static const struct kvmwatch_vcpu vcpu = { .id = 7, .vm = 2, .vcpu_id = 3, .tid = 44 };
	static const struct kvmwatch_slot slot = { .vm = 2, .as_id = 1, .id = 5, .life = 11 };
	static const struct kvmwatch_hook hook = { .hits = 8, .name = "exit", .via = "tracepoint" };
	static const struct kvmwatch_stat stat = {
		.kind = KVMWATCH_KIND_VM, .desc_flags = KVMWATCH_STATS_SECONDS, .exponent = -9,
		.name = "on_cpu_ns", .help = "time between load and put", .nr = 1,
	};
	static const struct kvmwatch_bucket bucket = { KVMWATCH_BUCKETS_EXIT, 0x78, "hlt" };

	switch (arg->kind) {
	case KVMWATCH_KIND_VM:
		return give(arg, vms, sizeof(*vms), 2);
	case KVMWATCH_KIND_VCPU:
		return give(arg, &vcpu, sizeof(vcpu), arg->vm != 1);
	case KVMWATCH_KIND_SLOT:
		return give(arg, &slot, sizeof(slot), 1);
	case KVMWATCH_KIND_HOOK:
		return give(arg, &hook, sizeof(hook), 1);
	case KVMWATCH_KIND_STAT:
		return give(arg, &stat, sizeof(stat), 1);
	}
	return give(arg, &bucket, sizeof(bucket), 1);
}

/* What a file of the corpus has, without the first byte, which is for fuzzing. */
static int corpus(const char *name)
{
	static char bytes[1 << 16];
	char path[4096];
	ssize_t n;
	int from, fd = memfd_create(name, 0);

	snprintf(path, sizeof(path), "%s/%s", getenv("CORPUS"), name);
	from = open(path, O_RDONLY);
	n = read(from, bytes, sizeof(bytes));
	close(from);
	if (n < 1 || write(fd, bytes + 1, n - 1) != n - 1)
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* A VM with one slot of two pages. */
static int heat(void)
{
	static const struct {
		struct kvmwatch_heat_header header;
		struct kvmwatch_heat_slot slot;
		__u64 distinct[2];
		struct kvmwatch_heat_page pages[2];
	} file = {
		.header = {
			.header_size = sizeof(file.header), .slot_offset = sizeof(file.header),
			.slot_size = sizeof(file.slot) + sizeof(file.distinct),
			.slot_filled = sizeof(file.slot), .distinct_offset = sizeof(file.slot),
			.nr_slots = 1, .page_size = sizeof(*file.pages), .nr_windows = 2,
			.window_ns = 125000000, .vm = 1,
		},
		.slot = {
			.npages = 2, .id = 5, .ticks = 4, .marks = 3,
			.page_offset = sizeof(file) - sizeof(file.pages),
		},
		.distinct = { 6, 7 },
		.pages = { { 1, 2 }, { 2, 3 } },
	};
	int fd = memfd_create("heat", 0);

	if (write(fd, &file, sizeof(file)) != sizeof(file))
		abort();
	return fd;
}

/* With CHOOSE and no names, there are no objects: all that is read is the header. */
static int header_alone(__u32 kind)
{
	const struct kvmwatch_all_header header = {
		.header_size = sizeof(header), .kind = kind, .desc_offset = sizeof(header),
		.desc_size = sizeof(struct kvmwatch_stats_desc), .item_offset = sizeof(header),
		.item_size = sizeof(struct kvmwatch_all_item),
		.item_filled = sizeof(struct kvmwatch_all_item),
		.bits_offset = sizeof(struct kvmwatch_all_item),
		.data_offset = sizeof(struct kvmwatch_all_item),
	};
	int fd = memfd_create("header", 0);

	if (write(fd, &header, sizeof(header)) != sizeof(header))
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int open_all(const struct kvmwatch_open_all *open)
{
	if (!(open->flags & KVMWATCH_OPEN_CHOOSE))
		return corpus("all-2");
	return open->names_size ? corpus("all-3") : header_alone(open->kind);
}

/* As the module, this does not look at the size in @request. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	(void)fd;
	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (_IOC_TYPE(request) != KVMWATCH_IOC) {
		errno = ENOTTY;
		return -1;
	}
	switch (_IOC_NR(request)) {
	case _IOC_NR(KVMWATCH_INFO):
		((struct kvmwatch_info *)arg)->abi = KVMWATCH_ABI;
		((struct kvmwatch_info *)arg)->instance = 5;
		strcpy(((struct kvmwatch_info *)arg)->why, "for a test");
		return 0;
	case _IOC_NR(KVMWATCH_LIST):
		return list(arg);
	case _IOC_NR(KVMWATCH_OPEN):
		if (((struct kvmwatch_open *)arg)->id < 100)
			return corpus("vm");
		errno = ENOENT;
		return -1;
	case _IOC_NR(KVMWATCH_OPEN_ALL):
		return open_all(arg);
	case _IOC_NR(KVMWATCH_OPEN_HEAT):
		return heat();
	case _IOC_NR(KVMWATCH_AUDIT):
		((struct kvmwatch_audit *)arg)->agrees = 1;
		((struct kvmwatch_audit *)arg)->audits = 3;
		return 0;
	}
	errno = ENOTTY;
	return -1;
}
