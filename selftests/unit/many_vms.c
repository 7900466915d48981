// SPDX-License-Identifier: GPL-2.0
/*
 * Run a command of the tool with a played device that has many VMs of four vCPUs and four slots:
 * what a real kernel told of one of each (fuzz/corpus), as often as asked for. For
 * host/many_test.sh, which counts the instructions that this takes.
 *
 *	many_vms NUMBER COMMAND OPTION...
 *
 * Reading a command line is played, too: all guests are called "many". Ends by saying on
 * stderr how many command lines were read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "identity.h"
#include "libkvmwatch.h"

#define CORPUS	"selftests/fuzz/corpus/all-%u"
#define EACH	4	/* vCPUs, and slots, of a VM */
#define ALL_FD	1000	/* and the kind on top */

static __u32 nr_vms;
static __u64 moment;
static unsigned int command_lines;

static __u32 nr_of(__u32 kind)
{
	switch (kind) {
	case KVMWATCH_KIND_VM:
		return nr_vms;
	case KVMWATCH_KIND_VCPU:
	case KVMWATCH_KIND_SLOT:
		return nr_vms * EACH;
	}
	return 0;
}

/* --- lists --------------------------------------------------------------- */

static void make_item(__u32 kind, __u32 i, void *to)
{
	struct kvmwatch_vm vm = {
		.id = i + 1, .memory = 1 << 30, .pid = 1000 + i, .vcpus = EACH, .slots = EACH,
		.flags = KVMWATCH_VM_DIRTY_LOG, .comm = "qemu",
	};
	struct kvmwatch_vcpu vcpu = { .id = i + 1, .vm = i / EACH + 1, .vcpu_id = i % EACH };
	struct kvmwatch_slot slot = {
		.life = i + 1, .vm = i / EACH + 1, .id = i % EACH, .npages = 64, .flags = 1,
	};

	snprintf(vm.name, sizeof(vm.name), "%u-12", 1000 + i);
	if (kind == KVMWATCH_KIND_VM)
		memcpy(to, &vm, sizeof(vm));
	else if (kind == KVMWATCH_KIND_VCPU)
		memcpy(to, &vcpu, sizeof(vcpu));
	else
		memcpy(to, &slot, sizeof(slot));
}

static int list(struct kvmwatch_list *list)
{
	__u32 i, nr = nr_of(list->kind);

	for (i = 0; i < nr && i < list->nr; i++)
		make_item(list->kind, i, (char *)(unsigned long)list->items + i * list->item_size);
	list->nr = nr;
	return 0;
}

/* --- numbers ------------------------------------------------------------- */

static union {
	struct kvmwatch_all_header header;
	char bytes[65536];
} corpus;

static void read_corpus(__u32 kind)
{
	char path[64], first;
	int fd;

	snprintf(path, sizeof(path), CORPUS, kind);
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
	/* The first byte is for the fuzzer. */
	if (syscall(SYS_read, fd, &first, 1) != 1 ||
	    syscall(SYS_read, fd, corpus.bytes, sizeof(corpus.bytes)) < 1)
		abort();
	close(fd);
}

static void make_key(__u32 kind, __u32 i, struct kvmwatch_all_item *item)
{
	item->id = i + 1;
	item->vm = kind == KVMWATCH_KIND_VM ? i + 1 : i / EACH + 1;
	item->number = kind == KVMWATCH_KIND_VM ? 0 : i % EACH;
	item->flags = 0;
}

static ssize_t read_all(__u32 kind, char *to, size_t size)
{
	struct kvmwatch_all_header *header = &corpus.header;
	__u32 i, nr = nr_of(kind), room;
	char *item;

	read_corpus(kind);
	item = to + header->item_offset;
	room = (size - header->item_offset) / header->item_size;
	header->nr = nr;
	header->filled = nr < room ? nr : room;
	header->begin_ns = (moment + 1) * 1000000000ULL;
	memcpy(to, corpus.bytes, header->item_offset);
	for (i = 0; i < header->filled; i++, item += header->item_size) {
		memcpy(item, corpus.bytes + header->item_offset, header->item_size);
		make_key(kind, i, (struct kvmwatch_all_item *)item);
	}
	return item - to;
}

/* --- in place of the C library's ----------------------------------------- */

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
		return 0;
	case KVMWATCH_LIST:
		return list(arg);
	case KVMWATCH_OPEN_ALL:
		return ALL_FD + ((struct kvmwatch_open_all *)arg)->kind;
	}
	errno = ENOTTY;
	return -1;
}

int open(const char *path, int flags, ...)
{
	if (!strcmp(path, KVMWATCH_DEVICE))
		path = "/dev/null";
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0644);
}

ssize_t read(int fd, void *to, size_t size)
{
	if (fd >= ALL_FD)
		return read_all(fd - ALL_FD, to, size);
	return syscall(SYS_read, fd, to, size);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	ts->tv_sec = 1000 + moment;
	ts->tv_nsec = 0;
	return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *ts, struct timespec *left)
{
	(void)clock;
	(void)flags;
	(void)ts;
	(void)left;
	moment++;
	return 0;
}

/* And of the tool's. */
void identity_of(int pid, struct identity *identity)
{
	(void)pid;
	memset(identity, 0, sizeof(*identity));
	__atomic_fetch_add(&command_lines, 1, __ATOMIC_RELAXED);
	identity->guest = strdup("many");
}

int main(int argc, char **argv)
{
	static const struct cmd *const cmds[] = {
		&cmd_list, &cmd_stat, &cmd_exits, &cmd_vcpu, &cmd_dirty, &cmd_top
	};
	size_t i;
	int code;

	if (argc < 3)
		return EXIT_USAGE;
	nr_vms = strtoul(argv[1], NULL, 10);
	for (i = 0; i < sizeof(cmds) / sizeof(*cmds); i++) {
		if (strcmp(cmds[i]->name, argv[2]))
			continue;
		code = cmds[i]->run(cmds[i], argc - 2, argv + 2);
		fprintf(stderr, "many_vms: read %u command lines\n", command_lines);
		return code;
	}
	return EXIT_USAGE;
}
