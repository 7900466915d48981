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

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	(void)fd;
	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case KVMWATCH_INFO:
		((struct kvmwatch_info *)arg)->abi = KVMWATCH_ABI;
		((struct kvmwatch_info *)arg)->instance = 5;
		strcpy(((struct kvmwatch_info *)arg)->why, "for a test");
		return 0;
	case KVMWATCH_LIST:
		return list(arg);
	case KVMWATCH_OPEN:
		if (((struct kvmwatch_open *)arg)->id < 100)
			return corpus("vm");
		errno = ENOENT;
		return -1;
	case KVMWATCH_OPEN_ALL:
		return corpus(((struct kvmwatch_open_all *)arg)->flags & KVMWATCH_OPEN_CHOOSE ?
			      "all-3" : "all-2");
	case KVMWATCH_AUDIT:
		((struct kvmwatch_audit *)arg)->agrees = 1;
		((struct kvmwatch_audit *)arg)->audits = 3;
		return 0;
	}
	errno = ENOTTY;
	return -1;
}
