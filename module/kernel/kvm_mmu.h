/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's page tables. */
#ifndef KVMW_KVM_MMU_H
#define KVMW_KVM_MMU_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mm.h>

#include "kernel/facts.h"
#include "kernel/regs.h"
#include "kernel/version.h"

/* --- entries --------------------------------------------------------------- */

/* Page table entries (SPTEs) of either MMU, as KVM lays them out. */
static __always_inline bool kvmw_spte_present(u64 spte)
{
	if (KVMW_KVM_IS_RECENT)
		return spte & BIT_ULL(11);
	return spte && (spte >> 52 & 3) != 3;	/* 3: emulated MMIO */
}

/* Is only one of the two present? */
static __always_inline bool kvmw_spte_differ(u64 spte, u64 other)
{
	if (KVMW_KVM_IS_RECENT)
		return kvmw_spte_present(spte ^ other);
	return kvmw_spte_present(spte) != kvmw_spte_present(other);
}

static __always_inline bool kvmw_spte_leaf(u64 spte, int level)
{
	return kvmw_spte_present(spte) && (level == PG_LEVEL_4K || (spte & BIT_ULL(7)));
}

/*
 * struct kvm_mmu_page is private to KVM; these are the members that kvmwatch needs. kvmw_sp_valid()
 * checks their offsets on live pages before kvmwatch trusts them.
 */
struct kvmw_sp {
	struct list_head	link;
	struct hlist_node	hash_link;
#if !KVMW_KVM_IS_RECENT
	struct list_head	nx_link;
#endif
	u8			unused[4];
	union kvm_mmu_page_role	role;
	gfn_t			gfn;
	u64			*spt;
	u64			*translation;	/* by entry; see kvmw_sp_gfn() */
};

/* Is it laid out as in proof/rules.h? Then the types of kvm.ko prove it. */
#define KVMW_SP_IS_AS_PROVEN							\
	(offsetof(struct kvmw_sp, role) == 36 && offsetof(struct kvmw_sp, gfn) == 40 && \
	 offsetof(struct kvmw_sp, spt) == 48 && offsetof(struct kvmw_sp, translation) == 56)

/* The page table page that contains an entry, as KVM looks it up. */
static inline struct kvmw_sp *kvmw_sp_of(const u64 *sptep)
{
	return (struct kvmw_sp *)page_private(virt_to_page(sptep));
}

static inline bool kvmw_sp_valid(const struct kvmw_sp *sp)
{
	return sp && virt_addr_valid(sp) && virt_addr_valid(sp->spt) &&
	       kvmw_sp_of(sp->spt) == sp &&
	       sp->role.level >= PG_LEVEL_4K && sp->role.level <= PT64_ROOT_MAX_LEVEL;
}

/* The first guest page that an entry of a shadow page table maps. */
static inline gfn_t kvmw_sp_gfn(const struct kvmw_sp *sp, const u64 *sptep)
{
	unsigned int index = sptep - sp->spt;

#if KVMW_HAS_ROLE_PASSTHROUGH
	if (sp->role.passthrough)
		return sp->gfn;
#endif
	/*
	 * Up to 5.19 KVM stores gfns there, later it stores them above the access rights. But for
	 * 5.10 there is no array where they follow from each other.
	 */
	if (KVMW_KVM_IS_RECENT ? !!sp->translation : !sp->role.direct)
		return sp->translation[index] >> (KVMW_HAS_SHADOWED_INFO ? PAGE_SHIFT : 0);
	return sp->gfn + ((gfn_t)index << ((sp->role.level - 1) * 9));
}

/* A chunk of a reverse map with several entries: struct pte_list_desc, also private to KVM. */
#if !KVMW_KVM_IS_RECENT
struct kvmw_rmap_desc {
	u64			*sptes[3];	/* up to the first NULL */
	struct kvmw_rmap_desc	*more;
};

static inline unsigned int kvmw_rmap_desc_count(const struct kvmw_rmap_desc *desc)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(desc->sptes) && desc->sptes[i]; i++)
		;
	return i;
}
#else
struct kvmw_rmap_desc {
	struct kvmw_rmap_desc	*more;
	u32			count;	/* some kernels have 8 bytes for it */
	u32			unused;
	u64			*sptes[];
};

static inline unsigned int kvmw_rmap_desc_count(const struct kvmw_rmap_desc *desc)
{
	return desc->count;
}
#endif

/*
 * A reverse map is 0, or points to one entry, or with bit 0 set to a chain of chunks. Where it is
 * atomic (later kernels), bit 1 is a lock.
 */
static inline unsigned long kvmw_rmap_value(const struct kvm_rmap_head *rmap)
{
	BUILD_BUG_ON(sizeof(rmap->val) != sizeof(unsigned long));
	return READ_ONCE(*(const unsigned long *)&rmap->val) & ~2UL;
}

/* The first chunk, or NULL if the map has no chunks. */
static inline const struct kvmw_rmap_desc *kvmw_rmap_chunks(const struct kvm_rmap_head *rmap)
{
	unsigned long value = kvmw_rmap_value(rmap);

	return value & 1 ? (void *)(value & ~1UL) : NULL;
}

/* Leaves in one reverse map. Context: mmu_lock held for write. */
static inline unsigned long kvmw_rmap_count(const struct kvm_rmap_head *rmap)
{
	const struct kvmw_rmap_desc *desc = kvmw_rmap_chunks(rmap);
	unsigned long count = 0;

	if (!desc)
		return kvmw_rmap_value(rmap) ? 1 : 0;
	for (; desc; desc = desc->more)
		count += kvmw_rmap_desc_count(desc);
	return count;
}

/* --- changes of page tables ------------------------------------------------ */

/* Address space of __handle_changed_spte(): argument 2 is its id or (@of_page) the kvm_mmu_page. */
static __always_inline unsigned int kvmw_spte_change_as(const struct pt_regs *regs, bool of_page)
{
	if (!of_page)
		return (u32)KVMW_ARG2(regs);
	return ((const struct kvmw_sp *)KVMW_ARG2(regs))->role.smm;
}

/* A leaf of a shadow page table that becomes present or stops being present. */
struct kvmw_leaf {
	struct kvm	*kvm;
	gfn_t		gfn;
	unsigned int	as_id;
	int		level;
};

static __always_inline void kvmw_leaf_at(struct kvmw_leaf *leaf, struct kvm *kvm,
					 const struct kvmw_sp *sp, gfn_t gfn)
{
	leaf->kvm = kvm;
	leaf->gfn = gfn;
	leaf->as_id = sp->role.smm;
	leaf->level = sp->role.level;
}

/* __rmap_add(kvm, cache, slot, sptep, gfn, access): a leaf becomes present. */
static __always_inline const u64 *kvmw_rmap_add_entry(const struct pt_regs *regs)
{
	return (u64 *)KVMW_ARG4(regs);
}

static __always_inline void kvmw_rmap_add_leaf(const struct pt_regs *regs, struct kvmw_leaf *leaf)
{
	kvmw_leaf_at(leaf, (struct kvm *)KVMW_ARG1(regs), kvmw_sp_of(kvmw_rmap_add_entry(regs)),
		     KVMW_ARG5(regs));
}

/*
 * Up to 5.19 that is mmu_set_spte(vcpu, sptep, access, write_fault, level, gfn, pfn, ...), or with
 * a slot mmu_set_spte(vcpu, slot, sptep, access, gfn, pfn, ...). It may find the leaf present
 * already, or install an entry for emulated MMIO.
 */
static __always_inline const u64 *kvmw_rmap_set_entry(const struct pt_regs *regs, bool slot)
{
	return (u64 *)(slot ? KVMW_ARG3(regs) : KVMW_ARG2(regs));
}

static __always_inline gfn_t kvmw_rmap_set_gfn(const struct pt_regs *regs, bool slot)
{
	return slot ? KVMW_ARG5(regs) : KVMW_ARG6(regs);
}

static __always_inline kvm_pfn_t kvmw_rmap_set_pfn(const struct pt_regs *regs, bool slot)
{
	return slot ? KVMW_ARG6(regs) : KVMW_ARG7(regs);
}

/* False: no leaf becomes present. */
static __always_inline bool kvmw_rmap_set_leaf(const struct pt_regs *regs, bool slot,
					       struct kvmw_leaf *leaf)
{
	const u64 *sptep = kvmw_rmap_set_entry(regs, slot);
	kvm_pfn_t pfn = kvmw_rmap_set_pfn(regs, slot);
	const struct kvmw_sp *sp = kvmw_sp_of(sptep);
	u64 spte = READ_ONCE(*sptep);

	if (is_noslot_pfn(pfn))
		return false;
	if (kvmw_spte_leaf(spte, sp->role.level) &&
	    (spte & PHYSICAL_PAGE_MASK) >> PAGE_SHIFT == pfn)
		return false;
	kvmw_leaf_at(leaf, ((struct kvm_vcpu *)KVMW_ARG1(regs))->kvm, sp,
		     kvmw_rmap_set_gfn(regs, slot));
	return true;
}

#if !KVMW_KVM_IS_RECENT
/*
 * The VM of a shadow page, which has no pointer to it. NULL: @is_vm accepts no candidate.
 * Context: hit, mmu_lock of that VM held.
 */
struct kvm *kvmw_sp_kvm(const struct kvmw_sp *sp, bool (*is_vm)(const struct kvm *kvm));
#endif

/*
 * The leaf that mmu_spte_clear_track_bits([kvm,] sptep) clears; false: the entry is not present.
 * On 5.10 leaf->kvm may be NULL: see kvmw_sp_kvm().
 */
static __always_inline const u64 *kvmw_rmap_zap_entry(const struct pt_regs *regs)
{
	return (u64 *)(KVMW_KVM_IS_RECENT ? KVMW_ARG2(regs) : KVMW_ARG1(regs));
}

static __always_inline bool kvmw_rmap_zap_leaf(const struct pt_regs *regs, struct kvmw_leaf *leaf,
					       bool (*is_vm)(const struct kvm *kvm))
{
	const u64 *sptep = kvmw_rmap_zap_entry(regs);
	const struct kvmw_sp *sp = kvmw_sp_of(sptep);

	if (!kvmw_spte_present(READ_ONCE(*sptep)))
		return false;
#if KVMW_KVM_IS_RECENT
	kvmw_leaf_at(leaf, (struct kvm *)KVMW_ARG1(regs), sp, kvmw_sp_gfn(sp, sptep));
#else
	kvmw_leaf_at(leaf, kvmw_sp_kvm(sp, is_vm), sp, kvmw_sp_gfn(sp, sptep));
#endif
	return true;
}

/* --- locks of KVM -------------------------------------------------------- */

static inline void kvmw_mmu_lock(struct kvm *kvm)
{
#ifdef KVM_HAVE_MMU_RWLOCK
	write_lock(&kvm->mmu_lock);
#else
	spin_lock(&kvm->mmu_lock);
#endif
}

static inline void kvmw_mmu_unlock(struct kvm *kvm)
{
#ifdef KVM_HAVE_MMU_RWLOCK
	write_unlock(&kvm->mmu_lock);
#else
	spin_unlock(&kvm->mmu_lock);
#endif
}

/* --- KVM's own counts ---------------------------------------------------- */

/* Does KVM count leaves? If not, audits compare our counts with the page tables. */
#define KVMW_KVM_COUNTS_LEAVES	KVMW_HAS_PAGES_COUNTED

/* KVM's own count of present leaves of a level; exact under mmu_lock. */
static __always_inline u64 kvmw_kvm_pages(const struct kvm *kvm, int level)
{
#if KVMW_KVM_COUNTS_LEAVES
	return atomic64_read(&kvm->stat.pages[level - 1]);
#else
	return 0;
#endif
}

#endif /* KVMW_KVM_MMU_H */
