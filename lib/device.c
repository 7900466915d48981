// SPDX-License-Identifier: LGPL-2.1-or-later
/* The device: its lists, and opening fds. See libkvmwatch.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "handles.h"

#define MAX_LIST		0x1000000U
#define LIST_TRIES		16

/* As in <linux/kvm.h> from 5.14 on. */
#ifndef KVM_GET_STATS_FD
#define KVM_GET_STATS_FD	_IO(KVMIO, 0xce)
#endif

int kvmwatch_device_info_sized(int dev, struct kvmwatch_info *info, size_t size)
{
	struct kvmwatch_info mine;

	memset(&mine, 0, sizeof(mine));
	mine.size = sizeof(mine);
	if (ioctl(dev, KVMWATCH_INFO, &mine) < 0)
		return -errno;
	mine.why[sizeof(mine.why) - 1] = '\0';
	give_sized(info, size, &mine, sizeof(mine));
	return 0;
}

int kvmwatch_device_open_sized(const char *path, struct kvmwatch_info *info, size_t size)
{
	struct kvmwatch_info mine;
	int err, fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	err = kvmwatch_device_info(fd, &mine);
	if (!err)
		give_sized(info, size, &mine, sizeof(mine));
	if (!err && mine.abi != KVMWATCH_ABI)
		err = -EPROTONOSUPPORT;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* --- lists --------------------------------------------------------------- */

/* The strings in the items of each kind. */
static const struct string {
	__u32 kind;
	size_t offset, size;
} strings[] = {
#define STRING(kind, type, member) \
	{ kind, offsetof(struct type, member), sizeof(((struct type *)0)->member) }
	STRING(KVMWATCH_KIND_VM, kvmwatch_vm, name),
	STRING(KVMWATCH_KIND_VM, kvmwatch_vm, comm),
	STRING(KVMWATCH_KIND_HOOK, kvmwatch_hook, name),
	STRING(KVMWATCH_KIND_HOOK, kvmwatch_hook, target),
	STRING(KVMWATCH_KIND_HOOK, kvmwatch_hook, via),
	STRING(KVMWATCH_KIND_HOOK, kvmwatch_hook, reason),
	STRING(KVMWATCH_KIND_HOOK, kvmwatch_hook, by),
	STRING(KVMWATCH_KIND_HOOK, kvmwatch_hook, why),
	STRING(KVMWATCH_KIND_STAT, kvmwatch_stat, name),
	STRING(KVMWATCH_KIND_STAT, kvmwatch_stat, hooks),
	STRING(KVMWATCH_KIND_STAT, kvmwatch_stat, help),
	STRING(KVMWATCH_KIND_BUCKET, kvmwatch_bucket, name),
};

/* Terminate all strings of the items. A caller's item may end inside a string. */
static void terminate(__u32 kind, char *items, size_t item_size, size_t nr)
{
	const struct string *s;
	size_t i, end;

	for (s = strings; s < strings + sizeof(strings) / sizeof(*strings); s++) {
		if (s->kind != kind || s->offset >= item_size)
			continue;
		end = s->offset + s->size < item_size ? s->offset + s->size : item_size;
		for (i = 0; i < nr; i++)
			items[i * item_size + end - 1] = '\0';
	}
}

/*
 * The list may grow between two calls, so leave some room each time, and give up after LIST_TRIES.
 */
static int list(int dev, struct kvmwatch_list arg, void *items, size_t *nr)
{
	__u32 room = 32;
	void *buf;
	int err, try;

	arg.size = sizeof(arg);
	for (try = 0; try < LIST_TRIES; try++) {
		buf = calloc(room, arg.item_size);
		if (!buf)
			return -ENOMEM;
		arg.items = (uintptr_t)buf;
		arg.nr = room;
		if (ioctl(dev, KVMWATCH_LIST, &arg) < 0) {
			err = -errno;
			free(buf);
			return err;
		}
		if (arg.nr <= room) {
			terminate(arg.kind, buf, arg.item_size, arg.nr);
			memcpy(items, &buf, sizeof(buf));
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

int kvmwatch_list_sized(int dev, __u32 kind, __u64 vm, void *items, size_t item_size, size_t *nr)
{
	const struct kvmwatch_list arg = { .kind = kind, .vm = vm, .item_size = item_size };

	return list(dev, arg, items, nr);
}

int kvmwatch_list_by_fd_sized(int dev, __u32 kind, int vm_fd, void *items, size_t item_size,
			      size_t *nr)
{
	const struct kvmwatch_list arg = {
		.kind = kind, .item_size = item_size, .flags = KVMWATCH_LIST_BY_FD, .fd = vm_fd,
	};

	return list(dev, arg, items, nr);
}

int kvmwatch_list_generation(int dev, __u32 kind, __u64 vm, __u64 *generation)
{
	struct kvmwatch_list arg = {
		.size = sizeof(arg), .kind = kind, .vm = vm, .item_size = sizeof(__u64),
	};

	if (ioctl(dev, KVMWATCH_LIST, &arg) < 0)
		return -errno;
	*generation = arg.generation;
	return 0;
}

/* --- fds ----------------------------------------------------------------- */

/* @arg says which object; its other members are 0. */
static int open_stats(int dev, struct kvmwatch_open arg)
{
	int fd;

	arg.size = sizeof(arg);
	fd = ioctl(dev, KVMWATCH_OPEN, &arg);
	return fd < 0 ? -errno : fd;
}

#define BY_ID(...)	((struct kvmwatch_open){ __VA_ARGS__ })
#define BY_FD(...)	((struct kvmwatch_open){ .flags = KVMWATCH_OPEN_BY_FD, __VA_ARGS__ })

int kvmwatch_open_vm(int dev, __u64 vm)
{
	return open_stats(dev, BY_ID(.kind = KVMWATCH_KIND_VM, .id = vm));
}

int kvmwatch_open_vcpu(int dev, __u64 vcpu)
{
	return open_stats(dev, BY_ID(.kind = KVMWATCH_KIND_VCPU, .id = vcpu));
}

int kvmwatch_open_slot(int dev, __u64 vm, __u16 as_id, __u16 slot)
{
	return open_stats(dev, BY_ID(.kind = KVMWATCH_KIND_SLOT, .id = vm, .as_id = as_id,
				     .slot = slot));
}

int kvmwatch_open_vm_fd(int dev, int vm_fd)
{
	return open_stats(dev, BY_FD(.kind = KVMWATCH_KIND_VM, .fd = vm_fd));
}

int kvmwatch_open_vcpu_fd(int dev, int vcpu_fd)
{
	return open_stats(dev, BY_FD(.kind = KVMWATCH_KIND_VCPU, .fd = vcpu_fd));
}

int kvmwatch_open_slot_fd(int dev, int vm_fd, __u16 as_id, __u16 slot)
{
	return open_stats(dev, BY_FD(.kind = KVMWATCH_KIND_SLOT, .fd = vm_fd, .as_id = as_id,
				     .slot = slot));
}

int kvmwatch_audit_vm_sized(int dev, __u64 vm, struct kvmwatch_audit *audit, size_t size)
{
	struct kvmwatch_audit mine = { .size = sizeof(mine), .vm = vm };

	if (ioctl(dev, KVMWATCH_AUDIT, &mine) < 0)
		return -errno;
	give_sized(audit, size, &mine, sizeof(mine));
	return 0;
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

/* The module takes names one after the other, each with its NUL. */
static int open_chosen(int dev, struct kvmwatch_open_all arg, const char *const *names, size_t nr)
{
	size_t i, len, size = 0;
	char *all = NULL, *more;
	int fd;

	for (i = 0; i < nr; i++) {
		len = strlen(names[i]) + 1;
		more = realloc(all, size + len);
		if (!more) {
			free(all);
			return -ENOMEM;
		}
		all = more;
		memcpy(all + size, names[i], len);
		size += len;
	}
	arg.flags |= KVMWATCH_OPEN_CHOOSE;
	arg.names = (uintptr_t)all;
	arg.names_size = size;
	fd = open_all(dev, &arg);
	free(all);
	return fd;
}

int kvmwatch_open_chosen(int dev, __u32 kind, __u64 vm, const char *const *names, size_t nr)
{
	const struct kvmwatch_open_all arg = { .kind = kind, .vm = vm };

	return open_chosen(dev, arg, names, nr);
}

int kvmwatch_open_chosen_fd(int dev, __u32 kind, int vm_fd, const char *const *names, size_t nr)
{
	const struct kvmwatch_open_all arg = {
		.kind = kind, .fd = vm_fd, .flags = KVMWATCH_OPEN_BY_FD,
	};

	return open_chosen(dev, arg, names, nr);
}

int kvmwatch_wait(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int n = poll(&pfd, 1, timeout_ms);

	if (n < 0)
		return -errno;
	if (pfd.revents & (POLLNVAL | POLLERR))
		return pfd.revents & POLLNVAL ? -EBADF : -EIO;
	return n;
}
