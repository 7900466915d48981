/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names of KVM's functions, by what they mean to kvmwatch. hook_table.h has the names of hooked
 * functions that are the same on all kernels.
 */
#ifndef KVMW_KVM_FUNCTIONS_H
#define KVMW_KVM_FUNCTIONS_H

#include "kernel/version.h"

/* --- hooks ----------------------------------------------------------------- */

/*
 * Rows of hook_table.h that only some kernels need. KVMW_NEED_* lists those on which statistics
 * depend. KVMW_HOOK_ROW_* is defined where the row exists and so needs a handler.
 */
#if !KVMW_KVM_IS_RECENT
#define KVMW_SHADOW(HOT, RARE)	HOT
/* The compiler inlines mark_page_dirty_in_slot() into these two callers. */
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
#define KVMW_SHADOW(HOT, RARE)	RARE
#define KVMW_NEED_DIRTY_KERNEL	0
#define KVMW_HOOKS_KERNEL(HOT, RARE)						\
	RARE(rmap_zap_all, "all leaves that map a page are cleared",		\
	     "kvm_zap_all_rmap_sptes")
#define KVMW_HOOK_ROW_rmap_zap_all
#define KVMW_NEED_RMAP_KERNEL	KVMW_HOOK_BIT(rmap_zap_all)
#endif

/*
 * Forms of proof/rules.h that handlers were built for; probes/rows.c has more of some hooks. Public
 * headers tell the form of some functions: a handler was built for that one.
 */
#define KVMW_FORMS								\
	"plain", "came_to_be", "as_id", "rmap", "halt", "block", "short", "reason", "vcpu", \
	"forced",								\
	KVMW_KVM_IS_RECENT ? "kvm" : "bare", KVMW_HAS_COMMIT_OF_SLOTS ? "slots" : "mem"

/* --- callers --------------------------------------------------------------- */

/*
 * Callers of the hooked functions on all supported kernels, by the beginning of their names: the
 * compiler may append a suffix.
 */

/* Page fault handling of either MMU: the guest wrote. */
#define KVMW_FAULT_CALLERS							\
	"make_spte", "direct_page_fault", "fast_page_fault", "kvm_tdp_page_fault",	\
	"kvm_tdp_mmu_", "tdp_mmu_", "__tdp_mmu_", "mmu_set_spte", "set_spte",	\
	"handle_changed_spte", "__handle_changed_spte", "ept_page_fault",	\
	"paging32_page_fault", "paging64_page_fault", "ept_fetch", "paging32_fetch", \
	"paging64_fetch", "mmu_try_to_unsync_pages"

/* KVM flushes Intel's page modification log. */
#define KVMW_PML_CALLERS							\
	"vmx_handle_exit", "__vmx_handle_exit", "vmx_flush_pml_buffer",		\
	"vmx_vcpu_flush_pml_buffer"

/* kvm_arch_vcpu_put() and what it calls, after the hook at its entry. */
#define KVMW_PUT_CALLERS							\
	"kvm_arch_vcpu_put", "kvm_steal_time_set_preempted",			\
	"kvm_xen_update_runstate_guest"

/*
 * Functions with a hook of their own, which may count the leaves that they clear in place of the
 * hook on mmu_spte_clear_track_bits(). See on_rmap_zap().
 */
#define KVMW_RMAP_TELLERS	"kvm_set_pte_rmapp", "kvm_zap_all_rmap_sptes"

/*
 * Functions on whose behalf leaves change, X(name, cause) with a cause of probes/causes.h. The
 * compiler may inline some of them; the list then has the functions that contain them, too.
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

/* --- other symbols of kvm.ko ------------------------------------------------- */

#define KVMW_SYM_LOCK		"kvm_lock"
/* Takes a VM off the list, unless the compiler has put it into its caller. */
#define KVMW_SYM_DESTROY	"kvm_destroy_vm"
#define KVMW_SYM_VM_LIST	"vm_list"
#define KVMW_SYM_VM_RELEASE	"kvm_vm_release"
#define KVMW_SYM_VCPU_RELEASE	"kvm_vcpu_release"
/* A kvm.ko with this function keeps a mark without a vCPU, in the bitmap. */
#define KVMW_SYM_MARKS_ALONE	"kvm_use_dirty_bitmap"
/* A symbol that every kvm.ko has */
#define KVMW_SYM_ANY		"kvm:kvm_init"

#endif /* KVMW_KVM_FUNCTIONS_H */
