/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernels, in one place. The rest of the module is written
 * for one kernel interface: the one that compat.h and compat.c make of them.
 *
 * Debian's stable kernels carry changes of later ones, so a version says less than it
 * seems to. What public headers declare, the compiler compares (compat.c). What only
 * KVM's own source tells, such as the arguments of its static functions, was read
 * there for the series of KVMW_KNOWN_KERNEL; on any other kernel, what relies on it is
 * not attached. docs/porting.md says how a series is added.
 */
#ifndef KVMW_COMPAT_H
#define KVMW_COMPAT_H

#include <linux/ftrace.h>
#include <linux/kvm_host.h>
#include <linux/ptrace.h>
#include <linux/timekeeping.h>
#include <linux/version.h>
#include <asm/asm.h>
#include <asm/hypervisor.h>
#include <asm/svm.h>

#define KVMW_SERIES(major, minor)						\
	(LINUX_VERSION_CODE >> 8 == KERNEL_VERSION(major, minor, 0) >> 8)
#define KVMW_SINCE(major, minor)						\
	(LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

#define KVMW_KNOWN_KERNEL	(KVMW_SERIES(5, 10) || KVMW_SERIES(6, 1) ||	\
				 KVMW_SERIES(6, 12) || KVMW_SERIES(7, 2))
#define KVMW_KNOWN_KERNELS	"5.10, 6.1, 6.12 and 7.2"

/* --- hooks ----------------------------------------------------------------- */

/*
 * Functions that have other names, and rows of hook_table.h that only some kernels
 * need. KVMW_NEED_*: those of them that statistics depend on. KVMW_HOOK_ROW_*: there is
 * such a row, so it needs a handler.
 */
#if !KVMW_SINCE(6, 1)
#define KVMW_SYM_HALT		"kvm_vcpu_block"
#define KVMW_SYM_RMAP_ADD	"mmu_set_spte"
/* The compiler has put mark_page_dirty_in_slot() into the other two. */
#define KVMW_HOOKS_KERNEL(HOT, RARE)						\
	HOT(dirty_mark_vm, "KVM marks a page of a VM dirty", "mark_page_dirty")	\
	HOT(dirty_mark_vcpu, "KVM marks a page dirty for a vCPU",		\
	    "kvm_vcpu_mark_page_dirty")						\
	RARE(rmap_repoint, "leaves of a shadow page table get another page",	\
	     "kvm_set_pte_rmapp")
#define KVMW_HOOK_ROW_dirty_mark_vm
#define KVMW_HOOK_ROW_rmap_repoint
#define KVMW_NEED_DIRTY_KERNEL	(KVMW_HOOK_BIT(dirty_mark_vm) | KVMW_HOOK_BIT(dirty_mark_vcpu))
#define KVMW_NEED_RMAP_KERNEL	HOOK(rmap_repoint)
#else
#define KVMW_SYM_HALT		"kvm_vcpu_halt"
#define KVMW_SYM_RMAP_ADD	"__rmap_add"
#define KVMW_NEED_DIRTY_KERNEL	0
#endif
#if KVMW_SINCE(6, 12) && !KVMW_SINCE(7, 2)
#define KVMW_SYM_SPTE_CHANGE	"handle_changed_spte"
#else	/* where a function that has that name, if any, is one of the callers */
#define KVMW_SYM_SPTE_CHANGE	"__handle_changed_spte"
#endif
#if KVMW_SINCE(7, 2)
#define KVMW_HOOKS_KERNEL(HOT, RARE)						\
	HOT(rmap_zap_all, "all leaves that map a page are cleared",		\
	    "kvm_zap_all_rmap_sptes")
#define KVMW_HOOK_ROW_rmap_zap_all
#define KVMW_NEED_RMAP_KERNEL	HOOK(rmap_zap_all)
#elif KVMW_SINCE(6, 1)
#define KVMW_HOOKS_KERNEL(HOT, RARE)
#define KVMW_NEED_RMAP_KERNEL	0
#endif

/*
 * Functions that clear leaves in a way of their own, of which mmu_spte_clear_track_bits()
 * would give another picture. See on_rmap_zap().
 */
#define KVMW_RMAP_TELLERS	"kvm_set_pte_rmapp", "kvm_zap_all_rmap_sptes"
#define KVMW_HAS_RMAP_TELLERS	(!KVMW_SINCE(6, 1) || KVMW_SINCE(7, 2))

/* Is what we think of kvm.ko true? NULL, or why not. Context: kvm.ko stays. */
const char *kvmw_kvm_unfit(void);

/* Is it proven that hook @id gets the arguments that its handler reads? NULL, or why not. */
const char *kvmw_hook_unproven(unsigned int id);

/* --- ftrace -------------------------------------------------------------- */

/* Flags with which a callback gets the arguments and nothing dearer. */
#if !KVMW_SINCE(5, 11)
#define KVMW_FTRACE_FLAGS	(FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_RECURSION_SAFE)
#define KVMW_FTRACE_REGS	struct pt_regs

static __always_inline const struct pt_regs *kvmw_ftrace_args(KVMW_FTRACE_REGS *fregs)
{
	return fregs;
}

/* ftrace_free_filter() is not for modules there. Context: ops not registered. */
static inline void kvmw_ftrace_free_filter(struct ftrace_ops *ops)
{
	ftrace_set_filter(ops, NULL, 0, 1);
}
#else
#define KVMW_FTRACE_FLAGS	0
#define KVMW_FTRACE_REGS	struct ftrace_regs

#ifndef arch_ftrace_regs
#define arch_ftrace_regs(fregs)	(fregs)
#endif

static __always_inline const struct pt_regs *kvmw_ftrace_args(KVMW_FTRACE_REGS *fregs)
{
	return &arch_ftrace_regs(fregs)->regs;
}

static inline void kvmw_ftrace_free_filter(struct ftrace_ops *ops)
{
	ftrace_free_filter(ops);
}
#endif

/*
 * What to tell ftrace_set_filter_ip() of a function. The site may lie behind an ENDBR64, and
 * ftrace looks it up, but asked for the symbol it may come up with a weak function that
 * was left without one, further on, and never patch anything. Four bytes on is exact:
 * within the site's instruction, or its first byte. 5.10 has no ENDBR64, and takes the site only.
 */
static inline unsigned long kvmw_ftrace_ip(unsigned long function)
{
	return function + (KVMW_SINCE(6, 1) ? 4 : 0);
}

/* Arguments 1 to 6 of the hooked function, and those that are on the stack. */
#define KVMW_ARG1(regs)	((regs)->di)
#define KVMW_ARG2(regs)	((regs)->si)
#define KVMW_ARG3(regs)	((regs)->dx)
#define KVMW_ARG4(regs)	((regs)->cx)
#define KVMW_ARG5(regs)	((regs)->r8)
#define KVMW_ARG6(regs)	((regs)->r9)
#define KVMW_ARG7(regs)	(((const unsigned long *)(regs)->sp)[1])

/* --- clocks -------------------------------------------------------------- */

/* The counter that the monotonic clock goes by now, whatever that is. */
static inline u64 kvmw_clocksource_cycles(void)
{
	struct system_time_snapshot snapshot;

#if KVMW_SINCE(7, 2)
	ktime_get_snapshot_id(CLOCK_MONOTONIC, &snapshot);
#else
	ktime_get_snapshot(&snapshot);
#endif
	return snapshot.cycles;
}

/* --- work ---------------------------------------------------------------- */

/* Its workers run on any CPU. The old name makes later kernels complain in their log. */
#if KVMW_SINCE(7, 2)
#define kvmw_unbound_wq		system_dfl_wq
#else
#define kvmw_unbound_wq		system_unbound_wq
#endif

/* --- page table entries -------------------------------------------------- */

/* Second-level and shadow page table entries (SPTEs), as KVM lays them out. */
static __always_inline bool kvmw_spte_present(u64 spte)
{
	if (KVMW_SINCE(6, 1))
		return spte & BIT_ULL(11);
	return spte && (spte >> 52 & 3) != 3;	/* 3: emulated MMIO */
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
#if !KVMW_SINCE(6, 1)
	struct list_head	nx_link;
#endif
	u8			unused[4];
	union kvm_mmu_page_role	role;
	gfn_t			gfn;
	u64			*spt;
	u64			*translation;	/* by entry; see kvmw_sp_gfn() */
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

#if KVMW_SINCE(6, 1)
	if (sp->role.passthrough)
		return sp->gfn;
#endif
	/* 5.10 has page numbers there, later kernels such and the access rights below. */
	if (KVMW_SINCE(6, 12) ? !!sp->translation : !sp->role.direct)
		return sp->translation[index] >> (KVMW_SINCE(6, 1) ? PAGE_SHIFT : 0);
	return sp->gfn + ((gfn_t)index << ((sp->role.level - 1) * 9));
}

/* A chunk of a reverse map with more than one entry, private to KVM too. */
#if !KVMW_SINCE(6, 1)
struct kvmw_rmap_desc {
	u64			*sptes[3];	/* the first NULL ends them */
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
#if KVMW_SINCE(6, 12)
	u32			count;
	u32			tail_count;
#else
	u64			count;
#endif
	u64			*sptes[];
};

static inline unsigned int kvmw_rmap_desc_count(const struct kvmw_rmap_desc *desc)
{
	return desc->count;
}
#endif

/*
 * A reverse map: 0, one entry, or with bit 0 set a chain of chunks. From 7.2 on bit 1
 * says that it is being read.
 */
static inline unsigned long kvmw_rmap_value(const struct kvm_rmap_head *rmap)
{
#if KVMW_SINCE(7, 2)
	return atomic_long_read(&rmap->val) & ~2UL;
#else
	return rmap->val;
#endif
}

/* The first of its chunks, or NULL when it has none. */
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

/* __handle_changed_spte(): the address space, or the page that tells it. */
static __always_inline unsigned int kvmw_spte_change_as(const struct pt_regs *regs)
{
	if (!KVMW_SINCE(7, 2))
		return (u32)KVMW_ARG2(regs);
	return ((const struct kvmw_sp *)KVMW_ARG2(regs))->role.smm;
}

/* A leaf of a shadow page table that comes or goes. */
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

/*
 * What the row rmap_add is about; false: no leaf comes. 6.1 and later have a function for it,
 * __rmap_add(kvm, cache, slot, sptep, gfn, access). 5.10 has mmu_set_spte(vcpu, sptep,
 * access, write_fault, level, gfn, pfn, ...), which may find the leaf there already, or
 * make an entry for emulated MMIO.
 */
static __always_inline bool kvmw_rmap_add_leaf(const struct pt_regs *regs,
					       struct kvmw_leaf *leaf)
{
#if KVMW_SINCE(6, 1)
	kvmw_leaf_at(leaf, (struct kvm *)KVMW_ARG1(regs),
		     kvmw_sp_of((u64 *)KVMW_ARG4(regs)), KVMW_ARG5(regs));
	return true;
#else
	const u64 *sptep = (u64 *)KVMW_ARG2(regs);
	kvm_pfn_t pfn = KVMW_ARG7(regs);
	int level = (int)KVMW_ARG5(regs);
	u64 spte = READ_ONCE(*sptep);

	if (is_noslot_pfn(pfn))
		return false;
	if (kvmw_spte_leaf(spte, level) && (spte & PHYSICAL_PAGE_MASK) >> PAGE_SHIFT == pfn)
		return false;
	kvmw_leaf_at(leaf, ((struct kvm_vcpu *)KVMW_ARG1(regs))->kvm, kvmw_sp_of(sptep),
		     KVMW_ARG6(regs));
	leaf->level = level;
	return true;
#endif
}

#if !KVMW_SINCE(6, 1)
/* The VM of a shadow page, which has no pointer to it. Context: hit, its mmu_lock held. */
struct kvm *kvmw_sp_kvm(const struct kvmw_sp *sp);
#endif

/* mmu_spte_clear_track_bits([kvm,] sptep); false: there was no leaf. kvm NULL: unknown. */
static __always_inline bool kvmw_rmap_zap_leaf(const struct pt_regs *regs,
					       struct kvmw_leaf *leaf)
{
	const u64 *sptep = (u64 *)(KVMW_SINCE(6, 1) ? KVMW_ARG2(regs) : KVMW_ARG1(regs));
	const struct kvmw_sp *sp = kvmw_sp_of(sptep);

	if (!kvmw_spte_present(READ_ONCE(*sptep)))
		return false;
#if KVMW_SINCE(6, 1)
	kvmw_leaf_at(leaf, (struct kvm *)KVMW_ARG1(regs), sp, kvmw_sp_gfn(sp, sptep));
#else
	kvmw_leaf_at(leaf, kvmw_sp_kvm(sp), sp, kvmw_sp_gfn(sp, sptep));
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

/* --- memory slots -------------------------------------------------------- */

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

#if KVMW_SINCE(6, 1)
#define kvmw_for_each_kslot(kslot, bkt, kslots)	kvm_for_each_memslot(kslot, bkt, kslots)
#else
#define kvmw_for_each_kslot(kslot, bkt, kslots)					\
	for ((bkt) = 0, (kslot) = (kslots)->memslots;				\
	     (bkt) < (kslots)->used_slots; (bkt)++, (kslot)++)			\
		if ((kslot)->npages)
#endif

/* The slot of a guest page, or NULL. Context: kvm->srcu held. */
static inline struct kvm_memory_slot *kvmw_kslot_of(struct kvm *kvm, int as_id, gfn_t gfn)
{
#if KVMW_SINCE(6, 1)
	return search_memslots(__kvm_memslots(kvm, as_id), gfn, false);
#else
	return search_memslots(__kvm_memslots(kvm, as_id), gfn);
#endif
}

/* The first slot with pages at or behind @gfn, or NULL. Context: kvm->srcu held. */
static inline struct kvm_memory_slot *kvmw_kslot_from(struct kvm_memslots *kslots, gfn_t gfn)
{
#if KVMW_SINCE(6, 1)
	struct kvm_memslot_iter iter;

	kvm_memslot_iter_start(&iter, kslots, gfn);
	return iter.node ? iter.slot : NULL;
#else
	/* An array, the last slot first. */
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

/* kvm_arch_commit_memory_region(): before and after the change. */
#if KVMW_SINCE(6, 1)
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
#if KVMW_SINCE(6, 1)
	return kvm->dirty_ring_size;
#else
	return false;
#endif
}

/* Are marks of this slot's pages kept? */
static __always_inline bool kvmw_logged(const struct kvm_memory_slot *kslot)
{
#if KVMW_SINCE(6, 1)
	return kslot->flags & KVM_MEM_LOG_DIRTY_PAGES;
#else
	return kslot->dirty_bitmap;
#endif
}

/*
 * Does KVM keep a mark that is made with no vCPU loaded on this CPU, or with one of
 * another VM (@foreign)? Later kernels do without a vCPU, in the bitmap.
 */
static __always_inline bool kvmw_host_mark_kept(const struct kvm_memory_slot *kslot, bool foreign)
{
	if (KVMW_SINCE(6, 12))
		return !foreign && kslot->dirty_bitmap;
	return !KVMW_SINCE(6, 1);
}

/* --- VMs ------------------------------------------------------------------- */

/*
 * The type of VM whose page tables and VMCS tell us nothing: TDX. KVM's private tables of it only
 * mirror those of the TDX module, which may refuse an entry after the hook has seen it. Its other
 * tables are indexed by the page's number with a bit set that says "shared": a walk finds no slot
 * for what it finds there, and some of KVM's changes have the bit in the number, others not. And
 * the VMCS that is current at its exit is another VM's.
 */
#ifdef KVM_X86_TDX_VM
#define KVMW_TYPE_OPAQUE	KVM_X86_TDX_VM
#else
#define KVMW_TYPE_OPAQUE	UINT_MAX
#endif

static __always_inline unsigned int kvmw_vm_type(const struct kvm *kvm)
{
#if KVMW_SINCE(6, 12)
	return kvm->arch.vm_type;
#else
	return 0;
#endif
}

/* Has its creation come so far that it has a name in debugfs, if there is debugfs? */
static inline bool kvmw_complete(const struct kvm *kvm)
{
#if KVMW_SINCE(6, 1)
	return READ_ONCE(kvm->vm_list.next);
#else
	return READ_ONCE(kvm->userspace_pid);	/* written when all else is done */
#endif
}

/* --- vCPUs ----------------------------------------------------------------- */

/* Is the current thread the one that runs this vCPU, and not in some other ioctl of it? */
static __always_inline bool kvmw_runs_here(const struct kvm_vcpu *kvcpu)
{
	return READ_ONCE(*(struct pid * const __force *)&kvcpu->pid) == task_pid(current);
}

/* --- dirty rings --------------------------------------------------------- */

struct kvm_dirty_ring;

#if KVMW_SINCE(6, 1)
#define KVMW_HAS_RINGS	1
static __always_inline struct kvm_vcpu *kvmw_ring_owner(struct kvm_dirty_ring *ring)
{
	return container_of(ring, struct kvm_vcpu, dirty_ring);
}
#else	/* no events either, so nobody asks */
#define KVMW_HAS_RINGS	0
static __always_inline struct kvm_vcpu *kvmw_ring_owner(struct kvm_dirty_ring *ring)
{
	return NULL;
}
#endif

/* --- tracepoints ----------------------------------------------------------- */

/* Probes are called with preemption off, but on 7.2, which has a kind of SRCU there. */
static __always_inline void kvmw_tp_enter(void)
{
	if (KVMW_SINCE(6, 13))
		preempt_disable_notrace();
}

static __always_inline void kvmw_tp_leave(void)
{
	if (KVMW_SINCE(6, 13))
		preempt_enable_notrace();
}

/* --- exits --------------------------------------------------------------- */

/*
 * kvm_exit has lost its first argument, the reason. Which of the two kvm.ko has is
 * checked by the number of arguments.
 */
#if !KVMW_SINCE(6, 1)
#define KVMW_EXIT_ARGS		3
#define KVMW_TP_EXIT(name)	\
	void name(void *data, unsigned int reason, struct kvm_vcpu *kvcpu, u32 isa)
#define KVMW_EXIT_VMX_REASON	reason
#else
#define KVMW_EXIT_ARGS		2
#define KVMW_TP_EXIT(name)	void name(void *data, struct kvm_vcpu *kvcpu, u32 isa)
#define KVMW_EXIT_VMX_REASON	kvmw_vmread_reason(kvcpu)
#endif

/* On VMX, KVM may enter again right after an exit, and only tell of the latter. */
#define KVMW_VMX_SILENT_ENTRIES	!KVMW_SINCE(6, 1)

/* Where struct vcpu_svm, private to KVM, has its VMCB; see vmcb_valid(). */
static __always_inline const struct vmcb *kvmw_vmcb_of(const struct kvm_vcpu *kvcpu)
{
	return *(struct vmcb **)(kvcpu + 1);
}

/* Guests whose VMCS the CPU does not have: nested on Hyper-V. TDX's are told by the VM's type. */
static inline bool kvmw_vmcs_readable(void)
{
	return !hypervisor_is_type(X86_HYPER_MS_HYPERV);
}

/*
 * The VMCS of the exit is current where the event comes from. ~0: it is not, or another's is. The
 * carry flag says that VMREAD failed. It is set before, so that it also says so when the CPU, or a
 * hypervisor below, does not know the instruction.
 */
static __always_inline u64 kvmw_vmread_reason(const struct kvm_vcpu *kvcpu)
{
	unsigned long reason;
	bool failed;

	if (!kvmw_vmcs_readable())
		return ~0ULL;
	if (IS_ENABLED(CONFIG_KVM_INTEL_TDX) && kvmw_vm_type(kvcpu->kvm) == KVMW_TYPE_OPAQUE)
		return ~0ULL;
	asm volatile("stc\n"
		     "1:	vmread %[field], %[reason]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [reason] "=r" (reason), "=@ccbe" (failed)
		     : [field] "r" (0x4402UL));
	return failed ? ~0ULL : reason;
}

/* --- KVM's own counts ---------------------------------------------------- */

/* Does KVM count leaves? If not, ours are compared with the page tables themselves. */
#define KVMW_KVM_COUNTS_LEAVES	KVMW_SINCE(6, 1)

/* Leaves now present, by level: KVM's own count, exact under mmu_lock. */
static __always_inline u64 kvmw_kvm_pages(const struct kvm *kvm, int level)
{
#if KVMW_KVM_COUNTS_LEAVES
	return atomic64_read(&kvm->stat.pages[level - 1]);
#else
	return 0;
#endif
}

/*
 * Exits of a vCPU. On SVM KVM counts each, and has an event of each, also where it enters again at
 * once. On VMX it also counts entries that were refused or that it did not try, as what the guest
 * wants has to be emulated, and has no event of these.
 */
static inline u64 kvmw_kvm_exits(const struct kvm_vcpu *kvcpu)
{
	return READ_ONCE(kvcpu->stat.exits);
}

/* Those of some reasons, which are counted where the reason is handled: each is an exit. */
static inline u64 kvmw_kvm_some_exits(const struct kvm_vcpu *kvcpu)
{
	return READ_ONCE(kvcpu->stat.irq_exits) + READ_ONCE(kvcpu->stat.io_exits);
}

/*
 * May KVM on SVM count an exit without having entered? The guest of an SEV-ES VM keeps its state
 * itself, and later kernels ask whether there is any.
 */
static inline bool kvmw_may_not_enter(const struct kvm_vcpu *kvcpu)
{
#if KVMW_SINCE(6, 1)
	return READ_ONCE(kvcpu->arch.guest_state_protected);
#else
	return false;
#endif
}

/* Does KVM count halts that blocked? */
#define KVMW_KVM_COUNTS_WAITS	KVMW_SINCE(6, 1)

/* If it does, these; else halts in which it polled, whatever came of it. */
static inline u64 kvmw_kvm_waits(const struct kvm_vcpu *kvcpu)
{
#if KVMW_KVM_COUNTS_WAITS
	u64 waits = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kvcpu->stat.generic.halt_wait_hist); i++)
		waits += READ_ONCE(kvcpu->stat.generic.halt_wait_hist[i]);
	return waits;
#else
	return READ_ONCE(kvcpu->stat.halt_attempted_poll);
#endif
}

/* Halts that ended while KVM polled. */
static inline u64 kvmw_kvm_polls(const struct kvm_vcpu *kvcpu)
{
#if KVMW_KVM_COUNTS_WAITS
	return READ_ONCE(kvcpu->stat.generic.halt_successful_poll);
#else
	return READ_ONCE(kvcpu->stat.halt_successful_poll);
#endif
}

#endif /* KVMW_COMPAT_H */
