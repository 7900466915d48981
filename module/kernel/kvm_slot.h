/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's memory slots, and their dirty logs. */
#ifndef KVMW_KVM_SLOT_H
#define KVMW_KVM_SLOT_H

#include <linux/kvm_host.h>

#include "kernel/facts.h"
#include "kernel/regs.h"
#include "kernel/version.h"

#ifdef KVM_MAX_NR_ADDRESS_SPACES
#define KVMW_NR_AS		KVM_MAX_NR_ADDRESS_SPACES
#else
#define KVMW_NR_AS		KVM_ADDRESS_SPACE_NUM
#endif

static inline int kvmw_nr_as(struct kvm *kvm)
{
#ifdef kvm_arch_nr_memslot_as_ids
	return kvm_arch_nr_memslot_as_ids(kvm);
#else
	return KVMW_NR_AS;
#endif
}

#if KVMW_HAS_SLOT_TREES
#define kvmw_for_each_kslot(kslot, bkt, kslots)	kvm_for_each_memslot(kslot, bkt, kslots)
#else
#define kvmw_for_each_kslot(kslot, bkt, kslots)					\
	for ((bkt) = 0, (kslot) = (kslots)->memslots;				\
	     (bkt) < (kslots)->used_slots; (bkt)++, (kslot)++)			\
		if ((kslot)->npages)
#endif

/* The first slot that has pages at or above @gfn, or NULL. Context: kvm->srcu held. */
static inline struct kvm_memory_slot *kvmw_kslot_from(struct kvm_memslots *kslots, gfn_t gfn)
{
#if KVMW_HAS_SLOT_TREES
	struct kvm_memslot_iter iter;

	kvm_memslot_iter_start(&iter, kslots, gfn);
	return iter.node ? iter.slot : NULL;
#else
	/* The array is sorted by descending base_gfn. */
	int nr = 0, end = kslots->used_slots, middle;

	while (nr < end) {
		middle = (nr + end + 1) / 2;
		if (kslots->memslots[middle - 1].base_gfn +
		    kslots->memslots[middle - 1].npages > gfn)
			nr = middle;
		else
			end = middle - 1;
	}
	return nr ? &kslots->memslots[nr - 1] : NULL;
#endif
}

/* The slot of a guest page, or NULL. Context: kvm->srcu held. */
static inline struct kvm_memory_slot *kvmw_kslot_of(struct kvm *kvm, int as_id, gfn_t gfn)
{
	struct kvm_memslots *kslots = __kvm_memslots(kvm, as_id);
#if KVMW_HAS_SLOT_TREES
	return search_memslots(kslots, gfn, false);
#else
	/* KVM's own search has more arguments in 5.15, and notes its hit where all CPUs do. */
	struct kvm_memory_slot *kslot = kvmw_kslot_from(kslots, gfn);

	return kslot && kslot->base_gfn <= gfn ? kslot : NULL;
#endif
}

/* kvm_arch_commit_memory_region(): the slot before and after the change, and its kind. */
#if KVMW_HAS_COMMIT_OF_SLOTS
#define KVMW_COMMIT_OLD(regs)		KVMW_ARG2(regs)
#define KVMW_COMMIT_NEW(regs)		KVMW_ARG3(regs)
#define KVMW_COMMIT_CHANGE(regs)	KVMW_ARG4(regs)
#else
#define KVMW_COMMIT_OLD(regs)		KVMW_ARG3(regs)
#define KVMW_COMMIT_NEW(regs)		KVMW_ARG4(regs)
#define KVMW_COMMIT_CHANGE(regs)	KVMW_ARG5(regs)
#endif

/* --- dirty logging --------------------------------------------------------- */

static __always_inline bool kvmw_has_rings(const struct kvm *kvm)
{
#if KVMW_HAS_DIRTY_RINGS
	return kvm->dirty_ring_size;
#else
	return false;
#endif
}

/* Does KVM log dirty pages of this slot? */
static __always_inline bool kvmw_logged(const struct kvm_memory_slot *kslot)
{
#if KVMW_HAS_DIRTY_RINGS
	return kslot->flags & KVM_MEM_LOG_DIRTY_PAGES;
#else
	return kslot->dirty_bitmap;
#endif
}

/*
 * Does KVM keep a mark made while no vCPU is loaded on this CPU, or one of another VM (@foreign)?
 * Later kernels (@alone) keep a mark without a vCPU, in the bitmap. Others keep every mark before
 * 5.17, and none of these from then on.
 */
static __always_inline bool kvmw_host_mark_kept(const struct kvm_memory_slot *kslot, bool foreign,
						bool alone)
{
	if (alone)
		return !foreign && kslot->dirty_bitmap;
	return !KVMW_KVM_DROPS_MARKS;
}

#endif /* KVMW_KVM_SLOT_H */
