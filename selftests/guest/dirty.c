// SPDX-License-Identifier: GPL-2.0
/* Dirty logs and dirty rings. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest/parts.h"

#ifndef KVM_CAP_DIRTY_LOG_RING_ACQ_REL
#define KVM_CAP_DIRTY_LOG_RING_ACQ_REL	223
#endif

int guest_dirty_log(struct guest *g, unsigned int id, int on)
{
	const struct slot *slot = get_slot(g, id);
	__u32 flags;

	if (!slot)
		return -ENOENT;
	flags = slot->flags & ~KVM_MEM_LOG_DIRTY_PAGES;
	return guest_slot_flags(g, id, on ? flags | KVM_MEM_LOG_DIRTY_PAGES : flags);
}

static size_t bitmap_words(__u64 pages)
{
	return (pages + 63) / 64;
}

size_t guest_bitmap_size(const struct guest *g, unsigned int id)
{
	const struct slot *slot = get_slot(g, id);

	return slot ? bitmap_words(slot->size / GUEST_PAGE) * sizeof(__u64) : 0;
}

long guest_dirty_get(struct guest *g, unsigned int id, __u64 *bitmap)
{
	size_t i, size = guest_bitmap_size(g, id);
	struct kvm_dirty_log log = { .slot = id };
	__u64 *bits;
	long n;

	if (!size)
		return -ENOENT;
	bits = bitmap ? bitmap : malloc(size);
	if (!bits)
		return -ENOMEM;
	memset(bits, 0, size);
	log.dirty_bitmap = bits;
	n = vm_ioctl(g, KVM_GET_DIRTY_LOG, &log);
	for (i = 0; n >= 0 && i < size / sizeof(*bits); i++)
		n += __builtin_popcountll(bits[i]);
	if (bits != bitmap)
		free(bits);
	return n;
}

int guest_dirty_manual(struct guest *g, __u64 flags)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { flags },
	};

	return vm_ioctl(g, KVM_ENABLE_CAP, &cap);
}

int guest_dirty_clear(struct guest *g, unsigned int id, __u64 first, __u64 pages,
		      const __u64 *bitmap)
{
	struct kvm_clear_dirty_log clear = {
		.slot = id,
		.num_pages = pages,
		.first_page = first,
	};
	size_t size = bitmap_words(pages) * sizeof(__u64);
	void *bits;
	int err;

	if (!get_slot(g, id))
		return -ENOENT;
	if (!pages || pages > SZ_1G)
		return -EINVAL;
	bits = malloc(size);
	if (!bits)
		return -ENOMEM;
	if (bitmap)
		memcpy(bits, bitmap, size);
	else
		memset(bits, 0xff, size);
	clear.dirty_bitmap = bits;
	err = vm_ioctl(g, KVM_CLEAR_DIRTY_LOG, &clear);
	free(bits);
	return err;
}

int guest_ring_enable(struct guest *g, __u32 bytes)
{
	struct kvm_enable_cap cap = { .args = { bytes } };
	static const __u32 caps[] = {
		KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
		KVM_CAP_DIRTY_LOG_RING,
	};
	unsigned int i;
	int err;

	if (g->nr_vcpus)
		return -EBUSY;
	for (i = 0; i < 2; i++) {
		err = vm_ioctl(g, KVM_CHECK_EXTENSION, (void *)(unsigned long)caps[i]);
		if (err <= 0)
			continue;
		cap.cap = caps[i];
		err = vm_ioctl(g, KVM_ENABLE_CAP, &cap);
		if (!err)
			g->ring_bytes = bytes;
		return err;
	}
	return err ? err : -EOPNOTSUPP;
}

/* Harvest all entries of the ring and reset it. Called with v->lock held. */
void harvest(struct vcpu *v)
{
	__u32 size = v->guest->ring_bytes / sizeof(*v->ring);
	struct kvm_dirty_gfn *entry;

	for (;;) {
		entry = &v->ring[v->ring_next % size];
		if (!(__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) &
		      KVM_DIRTY_GFN_F_DIRTY))
			break;
		__atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
		v->ring_next++;
		v->ring_taken++;
	}
}

long guest_ring_harvest(struct guest *g, unsigned int vcpu)
{
	struct vcpu *v = get_vcpu(g, vcpu);
	long n;

	if (!v)
		return -ENOENT;
	if (!v->ring)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&v->lock);
	harvest(v);
	n = v->ring_taken;
	v->ring_taken = 0;
	pthread_mutex_unlock(&v->lock);
	return n;
}

int guest_ring_reset(struct guest *g)
{
	return vm_ioctl(g, KVM_RESET_DIRTY_RINGS, NULL);
}

__u64 guest_ring_full(const struct guest *g, unsigned int vcpu)
{
	return guest_exits(g, vcpu, KVM_EXIT_DIRTY_RING_FULL);
}
