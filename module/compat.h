/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernels, in one place. The rest of the module is written
 * for one kernel interface: the one that this header makes of them.
 */
#ifndef KVMW_COMPAT_H
#define KVMW_COMPAT_H

#include <linux/ftrace.h>
#include <linux/kvm_host.h>
#include <linux/ptrace.h>

/* --- ftrace -------------------------------------------------------------- */

/* Flags with which an ftrace callback gets the arguments and nothing dearer. */
#define KVMW_FTRACE_FLAGS	0

static __always_inline const struct pt_regs *kvmw_ftrace_args(struct ftrace_regs *fregs)
{
	return &fregs->regs;
}

/* --- page table entries -------------------------------------------------- */

/* Second-level and shadow page table entries (SPTEs), as KVM lays them out. */
static __always_inline bool kvmw_spte_present(u64 spte)
{
	return spte & BIT_ULL(11);
}

static __always_inline bool kvmw_spte_leaf(u64 spte, int level)
{
	return kvmw_spte_present(spte) && (level == PG_LEVEL_4K || (spte & BIT_ULL(7)));
}

/*
 * struct kvm_mmu_page is private to KVM; these are the members we need. Whether
 * they are where we think is checked on live pages before they are trusted, see
 * kvmw_sp_valid().
 */
struct kvmw_sp {
	struct list_head	link;
	struct hlist_node	hash_link;
	bool			tdp_mmu_page;
	u8			unused[3];
	union kvm_mmu_page_role	role;
	gfn_t			gfn;
	u64			*spt;
	u64			*shadowed_translation;	/* gfn << PAGE_SHIFT | access */
};

/* The page table page that an entry is in, as KVM finds it. */
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

	if (sp->role.passthrough)
		return sp->gfn;
	if (!sp->role.direct)
		return sp->shadowed_translation[index] >> PAGE_SHIFT;
	return sp->gfn + ((gfn_t)index << ((sp->role.level - 1) * 9));
}

/* A chunk of a reverse map with more than one entry, private to KVM too. */
struct kvmw_rmap_desc {
	struct kvmw_rmap_desc	*more;
	u64			count;
};

/* Leaves in one reverse map. Context: mmu_lock held for write. */
static inline unsigned long kvmw_rmap_count(const struct kvm_rmap_head *rmap)
{
	const struct kvmw_rmap_desc *desc;
	unsigned long count = 0;

	if (!(rmap->val & 1))
		return rmap->val ? 1 : 0;
	for (desc = (void *)(rmap->val & ~1UL); desc; desc = desc->more)
		count += desc->count;
	return count;
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

/* --- memory slots -------------------------------------------------------- */

/* The slot of a guest page, or NULL. Context: kvm->srcu held. */
static inline struct kvm_memory_slot *kvmw_kslot_of(struct kvm *kvm, int as_id, gfn_t gfn)
{
	return search_memslots(__kvm_memslots(kvm, as_id), gfn, false);
}

/* --- dirty marks --------------------------------------------------------- */

/* Does KVM mark a page when no vCPU is loaded on this CPU, or warn and return? */
#define KVMW_MARKS_WITHOUT_VCPU	false

/* --- KVM's own counts ---------------------------------------------------- */

/* Leaves now present, by level: KVM's own count, exact under mmu_lock. */
static inline u64 kvmw_kvm_pages(const struct kvm *kvm, int level)
{
	return atomic64_read(&kvm->stat.pages[level - 1]);
}

static __always_inline u64 kvmw_kvm_pages_bytes(const struct kvm *kvm)
{
	return ((u64)atomic64_read(&kvm->stat.pages[0]) << 12) +
	       ((u64)atomic64_read(&kvm->stat.pages[1]) << 21) +
	       ((u64)atomic64_read(&kvm->stat.pages[2]) << 30);
}

#endif /* KVMW_COMPAT_H */
