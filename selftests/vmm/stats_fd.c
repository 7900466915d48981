// SPDX-License-Identifier: GPL-2.0
/*
 * A library for a VMM, by LD_PRELOAD. When the VMM asks KVM for the stats fd of a VM or vCPU, it
 * gets kvmwatch's. The VMM is unchanged, and reads ours as it reads KVM's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kvmwatch.h>

static int open_ours(int dev, int kvm_fd, __u32 kind)
{
	struct kvmwatch_open arg = {
		.size = sizeof(arg), .kind = kind, .flags = KVMWATCH_OPEN_BY_FD, .fd = kvm_fd,
	};

	return syscall(SYS_ioctl, dev, KVMWATCH_OPEN, &arg);
}

/* Try both kinds: the fd does not tell whether it is a VM's or a vCPU's. */
static int stats_fd(int kvm_fd)
{
	int dev = open("/dev/kvmwatch", O_RDWR | O_CLOEXEC);
	int error, fd;

	if (dev < 0)
		return -1;
	fd = open_ours(dev, kvm_fd, KVMWATCH_KIND_VM);
	if (fd < 0)
		fd = open_ours(dev, kvm_fd, KVMWATCH_KIND_VCPU);
	error = errno;
	close(dev);
	errno = error;
	return fd;
}

/* Pass all requests but that one to the C library. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list rest;
	void *arg;

	va_start(rest, request);
	arg = va_arg(rest, void *);
	va_end(rest);
	if (request == KVM_GET_STATS_FD)
		return stats_fd(fd);
	return syscall(SYS_ioctl, fd, request, arg);
}
