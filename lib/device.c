// SPDX-License-Identifier: GPL-2.0
/* The device: what there is, and fds to read it with. See libkvmwatch.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "libkvmwatch.h"

#define MAX_LIST		0x1000000U
#define LIST_TRIES		16

/* As in <linux/kvm.h> from 5.14 on. */
#ifndef KVM_GET_STATS_FD
#define KVM_GET_STATS_FD	_IO(KVMIO, 0xce)
#endif

int kvmwatch_device_info(int dev, struct kvmwatch_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return ioctl(dev, KVMWATCH_INFO, info) < 0 ? -errno : 0;
}

int kvmwatch_device_open(const char *path, struct kvmwatch_info *info)
{
	int err, fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	err = kvmwatch_device_info(fd, info);
	if (err) {
		close(fd);
		return err;
	}
	if (info->abi != KVMWATCH_ABI) {
		close(fd);
		return -EPROTONOSUPPORT;
	}
	return fd;
}

/*
 * The list may grow between two calls, so leave some room each time; give up
 * when it keeps running away.
 */
static int list(int dev, __u32 kind, __u64 vm, size_t item_size, void **items, size_t *nr)
{
	struct kvmwatch_list arg;
	__u32 room = 32;
	void *buf;
	int err, try;

	for (try = 0; try < LIST_TRIES; try++) {
		buf = calloc(room, item_size);
		if (!buf)
			return -ENOMEM;

		memset(&arg, 0, sizeof(arg));
		arg.size = sizeof(arg);
		arg.kind = kind;
		arg.vm = vm;
		arg.items = (uintptr_t)buf;
		arg.item_size = item_size;
		arg.nr = room;
		if (ioctl(dev, KVMWATCH_LIST, &arg) < 0) {
			err = -errno;
			free(buf);
			return err;
		}
		if (arg.nr <= room) {
			*items = buf;
			*nr = arg.nr;
			return 0;
		}
		free(buf);
		if (arg.nr > MAX_LIST)
			return -EBADMSG;
		room = arg.nr + arg.nr / 8 + 8;
	}
	return -EAGAIN;
}

#define terminate(array)	((array)[sizeof(array) - 1] = '\0')

int kvmwatch_list_vms(int dev, struct kvmwatch_vm **vms, size_t *nr)
{
	struct kvmwatch_vm *vm;
	void *items;
	int err;

	err = list(dev, KVMWATCH_KIND_VM, 0, sizeof(**vms), &items, nr);
	if (err)
		return err;
	*vms = items;
	for (vm = *vms; vm < *vms + *nr; vm++) {
		terminate(vm->name);
		terminate(vm->comm);
	}
	return 0;
}

int kvmwatch_list_vcpus(int dev, __u64 vm, struct kvmwatch_vcpu **vcpus, size_t *nr)
{
	void *items;
	int err;

	err = list(dev, KVMWATCH_KIND_VCPU, vm, sizeof(**vcpus), &items, nr);
	if (!err)
		*vcpus = items;
	return err;
}

int kvmwatch_list_slots(int dev, __u64 vm, struct kvmwatch_slot **slots, size_t *nr)
{
	void *items;
	int err;

	err = list(dev, KVMWATCH_KIND_SLOT, vm, sizeof(**slots), &items, nr);
	if (!err)
		*slots = items;
	return err;
}

int kvmwatch_list_hooks(int dev, struct kvmwatch_hook **hooks, size_t *nr)
{
	struct kvmwatch_hook *hook;
	void *items;
	int err;

	err = list(dev, KVMWATCH_KIND_HOOK, 0, sizeof(**hooks), &items, nr);
	if (err)
		return err;
	*hooks = items;
	for (hook = *hooks; hook < *hooks + *nr; hook++) {
		terminate(hook->name);
		terminate(hook->target);
		terminate(hook->via);
		terminate(hook->reason);
	}
	return 0;
}

int kvmwatch_list_stats(int dev, struct kvmwatch_stat **stats, size_t *nr)
{
	struct kvmwatch_stat *stat;
	void *items;
	int err;

	err = list(dev, KVMWATCH_KIND_STAT, 0, sizeof(**stats), &items, nr);
	if (err)
		return err;
	*stats = items;
	for (stat = *stats; stat < *stats + *nr; stat++) {
		terminate(stat->name);
		terminate(stat->hooks);
		terminate(stat->help);
	}
	return 0;
}

static int open_stats(int dev, __u32 kind, __u64 id, __u16 as_id, __u16 slot)
{
	struct kvmwatch_open arg;
	int fd;

	memset(&arg, 0, sizeof(arg));
	arg.size = sizeof(arg);
	arg.kind = kind;
	arg.id = id;
	arg.as_id = as_id;
	arg.slot = slot;
	fd = ioctl(dev, KVMWATCH_OPEN, &arg);
	return fd < 0 ? -errno : fd;
}

int kvmwatch_open_vm(int dev, __u64 vm)
{
	return open_stats(dev, KVMWATCH_KIND_VM, vm, 0, 0);
}

int kvmwatch_open_vcpu(int dev, __u64 vcpu)
{
	return open_stats(dev, KVMWATCH_KIND_VCPU, vcpu, 0, 0);
}

int kvmwatch_open_slot(int dev, __u64 vm, __u16 as_id, __u16 slot)
{
	return open_stats(dev, KVMWATCH_KIND_SLOT, vm, as_id, slot);
}

int kvmwatch_audit(int dev, __u64 vm, struct kvmwatch_audit *audit)
{
	memset(audit, 0, sizeof(*audit));
	audit->size = sizeof(*audit);
	audit->vm = vm;
	return ioctl(dev, KVMWATCH_AUDIT, audit) ? -errno : 0;
}

static int open_by_fd(int dev, __u32 kind, int kvm_fd, __u16 as_id, __u16 slot)
{
	struct kvmwatch_open arg;
	int fd;

	memset(&arg, 0, sizeof(arg));
	arg.size = sizeof(arg);
	arg.kind = kind;
	arg.flags = KVMWATCH_OPEN_BY_FD;
	arg.fd = kvm_fd;
	arg.as_id = as_id;
	arg.slot = slot;
	fd = ioctl(dev, KVMWATCH_OPEN, &arg);
	return fd < 0 ? -errno : fd;
}

int kvmwatch_open_vm_fd(int dev, int vm_fd)
{
	return open_by_fd(dev, KVMWATCH_KIND_VM, vm_fd, 0, 0);
}

int kvmwatch_open_vcpu_fd(int dev, int vcpu_fd)
{
	return open_by_fd(dev, KVMWATCH_KIND_VCPU, vcpu_fd, 0, 0);
}

int kvmwatch_open_slot_fd(int dev, int vm_fd, __u16 as_id, __u16 slot)
{
	return open_by_fd(dev, KVMWATCH_KIND_SLOT, vm_fd, as_id, slot);
}

int kvmwatch_open_kvm(int kvm_fd)
{
	int fd = ioctl(kvm_fd, KVM_GET_STATS_FD, NULL);

	return fd < 0 ? -errno : fd;
}

static int open_all(int dev, struct kvmwatch_open_all *arg)
{
	int fd;

	arg->size = sizeof(*arg);
	fd = ioctl(dev, KVMWATCH_OPEN_ALL, arg);
	return fd < 0 ? -errno : fd;
}

int kvmwatch_open_all(int dev, __u32 kind, __u64 vm, __u32 flags)
{
	struct kvmwatch_open_all arg = { .kind = kind, .vm = vm, .flags = flags };

	return open_all(dev, &arg);
}

int kvmwatch_open_all_fd(int dev, __u32 kind, int vm_fd, __u32 flags)
{
	struct kvmwatch_open_all arg = {
		.kind = kind, .fd = vm_fd, .flags = flags | KVMWATCH_OPEN_BY_FD,
	};

	return open_all(dev, &arg);
}
