/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The names of KVM's functions that we know, by what they mean to us. Those that are hooked and
 * have the same name on all kernels are in hook_table.h.
 */
#ifndef KVMW_KVM_FUNCTIONS_H
#define KVMW_KVM_FUNCTIONS_H

#include "kernel/version.h"

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
#define KVMW_NEED_RMAP_KERNEL	KVMW_HOOK_BIT(rmap_repoint)
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
#define KVMW_NEED_RMAP_KERNEL	KVMW_HOOK_BIT(rmap_zap_all)
#elif KVMW_SINCE(6, 1)
#define KVMW_HOOKS_KERNEL(HOT, RARE)
#define KVMW_NEED_RMAP_KERNEL	0
#endif

/* --- callers --------------------------------------------------------------- */

/*
 * Who calls the functions that are hooked, by the beginning of the name: behind it the compiler
 * may have put something. All that are there on any kernel we support.
 */

/* In the host's page fault handler of either MMU: the guest has written. */
#define KVMW_FAULT_CALLERS							\
	"make_spte", "direct_page_fault", "fast_page_fault", "kvm_tdp_page_fault",	\
	"kvm_tdp_mmu_", "tdp_mmu_", "__tdp_mmu_", "mmu_set_spte", "set_spte",	\
	"handle_changed_spte", "__handle_changed_spte", "ept_page_fault",	\
	"paging32_page_fault", "paging64_page_fault", "ept_fetch", "paging32_fetch", \
	"paging64_fetch", "mmu_try_to_unsync_pages"

/* Intel's page modification log is flushed. */
#define KVMW_PML_CALLERS							\
	"vmx_handle_exit", "__vmx_handle_exit", "vmx_flush_pml_buffer",		\
	"vmx_vcpu_flush_pml_buffer"

/* Inside kvm_arch_vcpu_put(), behind our hook on it. */
#define KVMW_PUT_CALLERS							\
	"kvm_arch_vcpu_put", "kvm_steal_time_set_preempted",			\
	"kvm_xen_update_runstate_guest"

/*
 * They clear leaves in a way of their own, of which mmu_spte_clear_track_bits() would give another
 * picture. See on_rmap_zap().
 */
#define KVMW_RMAP_TELLERS	"kvm_set_pte_rmapp", "kvm_zap_all_rmap_sptes"
#define KVMW_HAS_RMAP_TELLERS	(!KVMW_SINCE(6, 1) || KVMW_SINCE(7, 2))

/*
 * Functions that have leaves changed, X(name, cause) with a cause of probes/causes.h. Some exist
 * only where the compiler has not put them into others, which are in the list as well.
 */
#define KVMW_LEAF_FUNCTIONS(X)							\
	X("kvm_mmu_page_fault", FAULT)						\
	X("kvm_arch_async_page_ready", ASYNC)					\
	X("__direct_pte_prefetch", PREFETCH)					\
	X("direct_pte_prefetch_many", PREFETCH)					\
	X("kvm_mmu_prefetch_sptes", PREFETCH)					\
	X("ept_prefetch_gpte", PREFETCH)					\
	X("paging32_prefetch_gpte", PREFETCH)					\
	X("paging64_prefetch_gpte", PREFETCH)					\
	X("kvm_arch_vcpu_pre_fault_memory", PREFETCH)				\
	X("kvm_mmu_notifier_invalidate_range_start", MM)			\
	X("kvm_mmu_notifier_change_pte", MM)					\
	X("kvm_set_memslot", SLOT)						\
	X("kvm_mmu_zap_collapsible_sptes", COLLAPSE)				\
	X("kvm_mmu_recover_huge_pages", COLLAPSE)				\
	X("kvm_mmu_slot_try_split_huge_pages", SPLIT_EAGER)			\
	X("kvm_mmu_try_split_huge_pages", SPLIT_EAGER)				\
	X("set_nx_huge_pages", NX)						\
	X("kvm_nx_lpage_recovery_worker", NX)					\
	X("kvm_nx_huge_page_recovery_worker", NX)				\
	X("kvm_mmu_zap_all", END)						\
	X("kvm_arch_flush_shadow_all", END)					\
	X("kvm_mmu_notifier_release", END)					\
	X("kvm_destroy_vm", END)

/* --- what else kvm.ko has ---------------------------------------------------- */

#define KVMW_SYM_LOCK		"kvm_lock"
#define KVMW_SYM_VM_LIST	"vm_list"
#define KVMW_SYM_VM_RELEASE	"kvm_vm_release"
#define KVMW_SYM_VCPU_RELEASE	"kvm_vcpu_release"
/* What any kvm.ko has */
#define KVMW_SYM_ANY		"kvm:kvm_init"

#endif /* KVMW_KVM_FUNCTIONS_H */
