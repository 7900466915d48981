// SPDX-License-Identifier: GPL-2.0
/*
 * A VM with many small slots and a logged one of 512 GiB, whose statistics vm/guest/bench-held
 * reads: bench_slots SLOTS TIMES. It prints "ready" and waits. At each SIGUSR1 it reads the logged
 * slot's statistics TIMES times, by the VM's fd as its VMM may do, and prints "read".
 */
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <fcntl.h>

#include <linux/kvmwatch.h>
#include "watch.h"

#define SMALL_BYTES	0x10000ULL
#define APART		0x10000000ULL
#define LARGE_BYTES	0x8000000000ULL	/* the emulated CPU has 1 TiB of addresses */
#define LARGE_GPA	LARGE_BYTES

static long check(const char *what, long result)
{
	if (result < 0) {
		fprintf(stderr, "bench_slots: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return result;
}

static void *reserve(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	check("memory", memory == MAP_FAILED ? -1 : 0);
	return memory;
}

static void add_slot(long vm, unsigned int id, __u64 gpa, __u64 bytes, void *memory, __u32 flags)
{
	struct kvm_userspace_memory_region slot = {
		.slot = id, .flags = flags, .guest_phys_addr = gpa, .memory_size = bytes,
		.userspace_addr = (unsigned long)memory,
	};

	check("slot", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot));
}

static void read_slot(long vm, unsigned int id, int times)
{
	struct kvmwatch_open arg = {
		.size = sizeof(arg), .kind = KVMWATCH_KIND_SLOT, .slot = id,
		.flags = KVMWATCH_OPEN_BY_FD, .fd = vm,
	};
	static char text[1 << 14];
	int dev = watch_device();
	long fd = check("stats fd", ioctl(dev, KVMWATCH_OPEN, &arg));

	while (times--)
		check("read", pread(fd, text, sizeof(text), 0));
	close(fd);
	close(dev);
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 1, i;
	long kvm = check("/dev/kvm", open("/dev/kvm", O_RDWR | O_CLOEXEC));
	long vm = check("KVM_CREATE_VM", ioctl(kvm, KVM_CREATE_VM, 0));
	void *small = reserve(SMALL_BYTES);
	sigset_t asked;
	int sig;

	sigemptyset(&asked);
	sigaddset(&asked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &asked, NULL);
	check("KVM_CREATE_VCPU", ioctl(vm, KVM_CREATE_VCPU, 0));
	for (i = 0; i < nr; i++)
		add_slot(vm, i, i * APART, SMALL_BYTES, small, 0);
	add_slot(vm, nr, LARGE_GPA, LARGE_BYTES, reserve(LARGE_BYTES), KVM_MEM_LOG_DIRTY_PAGES);
	puts("ready");
	fflush(stdout);
	while (!sigwait(&asked, &sig)) {
		read_slot(vm, nr, argc > 2 ? atoi(argv[2]) : 1);
		puts("read");
		fflush(stdout);
	}
	return 0;
}
