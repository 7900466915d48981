// SPDX-License-Identifier: GPL-2.0
/*
 * Guest instructions of creating, reading and ending VMs while there are many, for "make bench":
 * bench_many NUMBER, run in a VM under -icount shift=0, where one nanosecond of its clock is one
 * instruction. The VMs are idle, with two vCPUs and three slots each. Prints "name instructions",
 * all VMs together. All ways of reading get the same numbers, except KVM's own files, of which
 * there are fewer.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvmwatch.h>
#include "sys.h"
#include "watch.h"

#define ROUNDS		3
#define FEW		100	/* with more VMs, read files only once: that takes long */
#define VCPUS		2
#define SLOTS		3
#define OBJECTS		(1 + VCPUS + SLOTS)
#define SLOT_BYTES	0x10000ULL
#define SLOT_APART	0x40000000ULL
#define OTHER_FDS	64
#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"

static unsigned int nr_vms;

/* How long the CPU was idle, in steps of 10 ms. */
static __u64 idle(void)
{
	unsigned long long seconds = 0, hundredths = 0;
	FILE *f = fopen("/proc/uptime", "re");

	if (f) {
		if (fscanf(f, "%*s %llu.%llu", &seconds, &hundredths) != 2)
			seconds = 0;
		fclose(f);
	}
	return (seconds * 100 + hundredths) * 10000000ULL;
}

/* Time without idle time, as creating VMs includes waits. Time of kernel threads counts. */
static __u64 now(void)
{
	return clock_ns(CLOCK_MONOTONIC_RAW) - idle();
}

static long check(const char *what, long result)
{
	if (result < 0) {
		fprintf(stderr, "bench_many: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return result;
}

/* --- VMs --------------------------------------------------------------------- */

static void make_vm(int kvm, void *memory)
{
	struct kvm_userspace_memory_region slot = {
		.memory_size = SLOT_BYTES, .userspace_addr = (unsigned long)memory,
	};
	long vm = check("KVM_CREATE_VM", ioctl(kvm, KVM_CREATE_VM, 0));
	int i;

	for (i = 0; i < VCPUS; i++)
		check("KVM_CREATE_VCPU", ioctl(vm, KVM_CREATE_VCPU, i));
	for (i = 0; i < SLOTS; i++) {
		slot.slot = i;
		slot.guest_phys_addr = i * SLOT_APART;
		check("slot", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot));
	}
}

static void make_vms(void)
{
	struct rlimit fds = {
		.rlim_cur = nr_vms * (1 + VCPUS + OBJECTS) + OTHER_FDS,
		.rlim_max = nr_vms * (1 + VCPUS + OBJECTS) + OTHER_FDS,
	};
	void *memory = mmap(NULL, SLOT_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long kvm = check("/dev/kvm", open("/dev/kvm", O_RDWR | O_CLOEXEC));
	unsigned int i;

	check("limit of fds", setrlimit(RLIMIT_NOFILE, &fds));
	for (i = 0; i < nr_vms; i++)
		make_vm(kvm, memory);
	close(kvm);
}

/* --- ways of reading ------------------------------------------------------------ */

static char text[1 << 16];

static int all_fds[KVMWATCH_KIND_SLOT + 1];
static char *all_items;
static size_t all_size;

static void open_all(void)
{
	struct kvmwatch_open_all arg = { .size = sizeof(arg) };
	int dev = watch_device();

	for (arg.kind = KVMWATCH_KIND_VM; arg.kind <= KVMWATCH_KIND_SLOT; arg.kind++)
		all_fds[arg.kind] = check("KVMWATCH_OPEN_ALL",
					  ioctl(dev, KVMWATCH_OPEN_ALL, &arg));
	close(dev);
	all_size = 65536 + nr_vms * SLOTS * 16384;
	all_items = malloc(all_size);
}

/* Make one call for each kind of object. */
static void read_all(void)
{
	const struct kvmwatch_all_header *header = (void *)all_items;
	unsigned int kind, objects = 0;

	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_SLOT; kind++) {
		check("read of all", read(all_fds[kind], all_items, all_size));
		objects += header->filled;
	}
	if (objects != nr_vms * OBJECTS)
		check("objects in a read of all", -1);
}

static int *each_fd;
static size_t *each_offset;

static void open_each_of(unsigned int kind, size_t item_size)
{
	struct kvmwatch_open arg = { .size = sizeof(arg), .kind = kind };
	static unsigned int at;
	struct kvmwatch_stats_header header;
	struct kvmwatch_slot *slot;
	int dev = watch_device(), nr, i;
	char *items;

	nr = check("list", watch_list(kind, 0, (void **)&items, item_size));
	for (i = 0; i < nr; i++, at++) {
		arg.id = *(__u64 *)(items + i * item_size);
		if (kind == KVMWATCH_KIND_SLOT) {
			slot = (void *)(items + i * item_size);
			arg.id = slot->vm;
			arg.as_id = slot->as_id;
			arg.slot = slot->id;
		}
		each_fd[at] = check("KVMWATCH_OPEN", ioctl(dev, KVMWATCH_OPEN, &arg));
		check("header", pread(each_fd[at], &header, sizeof(header), 0));
		each_offset[at] = header.data_offset;
	}
	free(items);
	close(dev);
}

static void open_each(void)
{
	each_fd = calloc(nr_vms * OBJECTS, sizeof(*each_fd));
	each_offset = calloc(nr_vms * OBJECTS, sizeof(*each_offset));
	open_each_of(KVMWATCH_KIND_VM, sizeof(struct kvmwatch_vm));
	open_each_of(KVMWATCH_KIND_VCPU, sizeof(struct kvmwatch_vcpu));
	open_each_of(KVMWATCH_KIND_SLOT, sizeof(struct kvmwatch_slot));
}

/* Read the data of a stats fd for each object; all fds are open already. */
static void read_each(void)
{
	unsigned int i;

	for (i = 0; i < nr_vms * OBJECTS; i++)
		check("stats fd", pread(each_fd[i], text, sizeof(text), each_offset[i]));
}

static void read_table(void)
{
	long fd = check("vms", open(WATCH_DEBUGFS "/vms", O_RDONLY | O_CLOEXEC)), got;

	do
		got = check("vms", read(fd, text, sizeof(text)));
	while (got);
	close(fd);
}

static int read_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	int fd;

	(void)st;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Some of KVM's files cannot be opened or read when they have no content. */
	if (fd >= 0 && read(fd, text, sizeof(text)) < 0)
		text[0] = '\0';
	close(fd);
	return 0;
}

/* Read a file for each value. */
static void read_our_files(void)
{
	check("files", nftw(WATCH_DEBUGFS "/vm", read_file, 8, FTW_PHYS));
}

static void read_kvms_files(void)
{
	check("KVM's files", nftw(KVM_DEBUGFS, read_file, 8, FTW_PHYS));
}

/* --- all that is measured ---------------------------------------------------------- */

static void come(void)
{
	errno = -watch_load(getenv("MODARGS"));
	check("insmod", -errno);
}

static void go(void)
{
	errno = -watch_unload_patiently();
	check("rmmod", -errno);
}

static void measure(const char *name, void (*what)(void), int rounds)
{
	__u64 best = ~0ULL, start, took;

	while (rounds--) {
		start = now();
		what();
		took = now() - start;
		if (took < best)
			best = took;
	}
	printf("%s_%u %llu\n", name, nr_vms, best);
	fflush(stdout);
}

static void close_fds(void)
{
	unsigned int i;

	for (i = 0; i < nr_vms * OBJECTS; i++)
		close(each_fd[i]);
	for (i = KVMWATCH_KIND_VM; i <= KVMWATCH_KIND_SLOT; i++)
		close(all_fds[i]);
}

int main(int argc, char **argv)
{
	int rounds;

	nr_vms = argc > 1 ? atoi(argv[1]) : 0;
	rounds = nr_vms > FEW ? 1 : ROUNDS;
	make_vms();
	if (argc > 2) {		/* for others to look at */
		puts("ready");
		fflush(stdout);
		pause();
	}
	measure("insmod", come, 1);
	if (nr_vms) {
		open_all();
		open_each();
		measure("read_of_all", read_all, ROUNDS);
		measure("read_of_each", read_each, ROUNDS);
		measure("table_vms", read_table, ROUNDS);
		measure("files", read_our_files, rounds);
		measure("kvms_files", read_kvms_files, rounds);
		close_fds();
	}
	measure("rmmod", go, 1);
	return 0;
}
