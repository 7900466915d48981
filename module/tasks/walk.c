// SPDX-License-Identifier: GPL-2.0
/* Leaves in KVM's page tables. See walk.h. */
#include <linux/kernel.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mm.h>

#include "kernel/kvm_mmu.h"
#include "kernel/kvm_slot.h"
#include "tasks/walk.h"

bool kvmw_next_region(struct kvm *kvm, int as_id, gfn_t from, struct kvmw_region *region)
{
	struct kvm_memory_slot *kslot = kvmw_kslot_from(__kvm_memslots(kvm, as_id), from);

	if (!kslot)
		return false;
	region->kslot = kslot;
	region->start = max(from, kslot->base_gfn);
	region->end = min(kslot->base_gfn + kslot->npages,
			  ALIGN(region->start + 1, KVMW_REGION_PAGES));
	return true;
}

static void count_table(const u64 *table, int level, gfn_t base, const struct kvmw_region *region,
			s64 leaves[KVMW_NR_LEVELS])
{
	gfn_t pages = 1ULL << ((level - 1) * 9), gfn;
	u64 spte;
	int i;

	for (i = 0, gfn = base; i < PTRS_PER_PTE && gfn < region->end; i++, gfn += pages) {
		spte = READ_ONCE(table[i]);
		if (gfn + pages <= region->start || !kvmw_spte_present(spte))
			continue;
		if (!kvmw_spte_leaf(spte, level))
			count_table(__va(spte & PHYSICAL_PAGE_MASK), level - 1, gfn, region,
				    leaves);
		else if (gfn >= region->start)
			leaves[level - 1]++;
	}
}

/* Include invalid roots: KVM counts their leaves until it clears them. */
bool kvmw_count_tdp(struct kvm *kvm, int as_id, const struct kvmw_region *region,
		    s64 leaves[KVMW_NR_LEVELS])
{
	struct kvmw_sp *sp;

	if (!kvm->arch.tdp_mmu_roots.next)	/* the VM was created without a TDP MMU */
		return true;
	list_for_each_entry(sp, &kvm->arch.tdp_mmu_roots, link) {
		if (!kvmw_sp_valid(sp))
			return false;
		if (sp->role.smm == as_id)
			count_table(sp->spt, sp->role.level, 0, region, leaves);
	}
	return true;
}

/* Index of the reverse map of a page at a level, in its slot. */
static unsigned long rmap_index(const struct kvm_memory_slot *kslot, gfn_t gfn, int level)
{
	int shift = KVM_HPAGE_GFN_SHIFT(level);

	return (gfn >> shift) - (kslot->base_gfn >> shift);
}

/* Index of the first reverse map of a level that begins at or above a page. */
static unsigned long rmap_from(const struct kvm_memory_slot *kslot, gfn_t gfn, int level)
{
	return rmap_index(kslot, ALIGN(gfn, 1ULL << KVM_HPAGE_GFN_SHIFT(level)), level);
}

/*
 * Each present leaf of the shadow MMU is once in a reverse map of its slot, at its first page. Skip
 * leaves that begin in another region or below the slot.
 */
void kvmw_count_shadow(const struct kvmw_region *region, s64 leaves[KVMW_NR_LEVELS])
{
	const struct kvm_memory_slot *kslot = region->kslot;
	unsigned long i, end;
	int level;

	for (level = PG_LEVEL_4K; level <= KVMW_NR_LEVELS; level++) {
		if (!kslot->arch.rmap[level - 1])
			continue;
		end = rmap_from(kslot, region->end, level);
		for (i = rmap_from(kslot, region->start, level); i < end; i++)
			leaves[level - 1] += kvmw_rmap_count(&kslot->arch.rmap[level - 1][i]);
	}
}
