// SPDX-License-Identifier: GPL-2.0
/* Functions that the parts of the test guest share. See parts.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>

#include "guest/parts.h"
#include "slow.h"
#include "sys.h"

int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	ret = ioctl(fd, request, arg);
	return ret < 0 ? -errno : ret;
}

int vm_ioctl(struct guest *g, unsigned long request, void *arg)
{
	return kvm_ioctl(g->vm_fd, request, arg);
}

/* For all ioctls that load the vCPU except KVM_RUN. */
int vcpu_ioctl(struct vcpu *v, unsigned long request, void *arg)
{
	__atomic_add_fetch(&v->ioctls, 1, __ATOMIC_RELAXED);
	return kvm_ioctl(v->fd, request, arg);
}

__u64 deadline_ns(int timeout_ms)
{
	return timeout_ms < 0 ? ~0ULL : now_ns() + timeout_ms * patience() * 1000000ULL;
}

void nap(void)
{
	const struct timespec time = { .tv_nsec = 100000 };

	nanosleep(&time, NULL);
}

struct vcpu *get_vcpu(const struct guest *g, unsigned int index)
{
	if (index >= g->nr_vcpus || g->vcpus[index].fd < 0)
		return NULL;
	return (struct vcpu *)&g->vcpus[index];
}

/* The place of slot @id, which may be unused; NULL: the number is not valid. */
struct slot *slot_place(const struct guest *g, unsigned int id)
{
	unsigned int as_id = id >> 16, number = id & 0xffff;

	if (as_id > 1 || number >= GUEST_MAX_SLOTS)
		return NULL;
	return (struct slot *)&g->slots[as_id * GUEST_MAX_SLOTS + number];
}

struct slot *get_slot(const struct guest *g, unsigned int id)
{
	struct slot *slot = slot_place(g, id);

	return slot && slot->used ? slot : NULL;
}
