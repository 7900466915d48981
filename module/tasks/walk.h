/* SPDX-License-Identifier: GPL-2.0 */
/* Leaves in KVM's page tables, region by region. */
#ifndef KVMW_WALK_H
#define KVMW_WALK_H

#include <linux/kvm_types.h>
#include <linux/mm.h>
#include <linux/types.h>

#include "records/counts.h"

struct kvm;
struct kvm_memory_slot;

/* At most 32 Ki leaves, to hold mmu_lock and kvm_lock briefly. */
#define KVMW_REGION_PAGES	BIT_ULL(27 - PAGE_SHIFT)

struct kvmw_region {
	struct kvm_memory_slot *kslot;
	gfn_t start, end;
};

/* Find the first region of a slot at or above @from. Context: kvm->srcu held. */
bool kvmw_next_region(struct kvm *kvm, int as_id, gfn_t from, struct kvmw_region *region);

/*
 * Add the leaves of a region in the page tables of the TDP MMU, and of the shadow MMU. False: KVM's
 * structures are not as expected. Context: mmu_lock held.
 */
bool kvmw_count_tdp(struct kvm *kvm, int as_id, const struct kvmw_region *region,
		    s64 leaves[KVMW_NR_LEVELS]);
void kvmw_count_shadow(const struct kvmw_region *region, s64 leaves[KVMW_NR_LEVELS]);

#endif /* KVMW_WALK_H */
