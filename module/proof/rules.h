/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What has to be true of a kvm.ko for a hook to count what it says. Data, and nothing else, so that
 * programs that read a file ("kvmwatch check") and the module can go by the same.
 *
 * A hook has rules for functions that mean the same on different kernels; the first that holds
 * is taken. It holds if kvm.ko has a function of that name, exactly, with that prototype. @form
 * says which handler understands its arguments. A name that a parameter has is part of the
 * prototype: old_spte and new_spte are of one type. What no handler reads may differ: "...".
 *
 *	RULE(hook, form, symbol, prototype)
 */
#ifndef KVMW_PROOF_RULES_H
#define KVMW_PROOF_RULES_H

#define KVMW_SPTE_CHANGE(second)						\
	"? (struct kvm *kvm, " second ", gfn_t gfn, u64 old_spte, u64 new_spte, int level, ...)"

#define KVMW_FUNCTION_RULES(RULE)						\
	RULE(vm_init, plain, "kvm_arch_init_vm", "int (struct kvm *kvm, unsigned long type)") \
	/* It cannot fail any more. Where vm_free is came_to_be, only this one will do. */ \
	RULE(vm_init, event, "kvm_uevent_notify_change",			\
	     "void (unsigned int type, struct kvm *kvm)")			\
	RULE(vm_destroy, plain, "kvm_destroy_vm", "void (struct kvm *kvm)")	\
	/* Which it calls behind the list of VMs, and ahead of all that it frees. */ \
	RULE(vm_destroy, plain, "kvm_arch_pre_destroy_vm", "void (struct kvm *kvm)") \
	RULE(vm_free, plain, "kvm_arch_free_vm", "void (struct kvm *kvm)")	\
	/* Of a VM that came to be: nothing maps, marks or runs any more. */	\
	RULE(vm_free, came_to_be, "kvm_mmu_uninit_vm", "void (struct kvm *kvm)") \
	RULE(vcpu_create, plain, "kvm_arch_vcpu_create", "int (struct kvm_vcpu *vcpu)") \
	RULE(vcpu_created, plain, "kvm_arch_vcpu_postcreate",			\
	     "void (struct kvm_vcpu *vcpu)")					\
	RULE(vcpu_destroy, plain, "kvm_arch_vcpu_destroy", "void (struct kvm_vcpu *vcpu)") \
	RULE(slot_commit, slots, "kvm_arch_commit_memory_region",		\
	     "void (struct kvm *kvm, struct kvm_memory_slot *old, "		\
	     "struct kvm_memory_slot *new, enum kvm_mr_change change)")		\
	RULE(slot_commit, mem, "kvm_arch_commit_memory_region",			\
	     "void (struct kvm *kvm, struct kvm_userspace_memory_region *mem, "	\
	     "struct kvm_memory_slot *old, struct kvm_memory_slot *new, "	\
	     "enum kvm_mr_change change)")					\
	RULE(spte_change, as_id, "__handle_changed_spte", KVMW_SPTE_CHANGE("int as_id")) \
	RULE(spte_change, page, "__handle_changed_spte",			\
	     KVMW_SPTE_CHANGE("struct kvm_mmu_page *sp"))			\
	RULE(spte_change, as_id, "handle_changed_spte", KVMW_SPTE_CHANGE("int as_id")) \
	RULE(rmap_add, rmap, "__rmap_add",					\
	     "void (struct kvm *kvm, struct kvm_mmu_memory_cache *cache, "	\
	     "struct kvm_memory_slot *slot, u64 *spte, gfn_t gfn, ...)")	\
	RULE(rmap_add, set, "mmu_set_spte",					\
	     "int (struct kvm_vcpu *vcpu, u64 *sptep, unsigned int pte_access, "\
	     "bool write_fault, int level, gfn_t gfn, kvm_pfn_t pfn, ...)")	\
	RULE(rmap_add, set_slot, "mmu_set_spte",				\
	     "int (struct kvm_vcpu *vcpu, struct kvm_memory_slot *slot, u64 *sptep, " \
	     "unsigned int pte_access, gfn_t gfn, kvm_pfn_t pfn, ...)")		\
	RULE(rmap_zap, kvm, "mmu_spte_clear_track_bits", "? (struct kvm *kvm, u64 *sptep)") \
	RULE(rmap_zap, bare, "mmu_spte_clear_track_bits", "? (u64 *sptep)")	\
	RULE(dirty_mark, kvm, "mark_page_dirty_in_slot",			\
	     "void (struct kvm *kvm, struct kvm_memory_slot *memslot, gfn_t gfn)") \
	RULE(dirty_mark, bare, "mark_page_dirty_in_slot",			\
	     "void (struct kvm_memory_slot *memslot, gfn_t gfn)")		\
	RULE(log_get, plain, "kvm_get_dirty_log_protect",			\
	     "int (struct kvm *kvm, struct kvm_dirty_log *log)")		\
	RULE(log_clear, plain, "kvm_clear_dirty_log_protect",			\
	     "int (struct kvm *kvm, struct kvm_clear_dirty_log *log)")		\
	RULE(log_word, plain, "kvm_arch_mmu_enable_log_dirty_pt_masked",	\
	     "void (struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn_offset, " \
	     "unsigned long mask)")						\
	RULE(vcpu_load, plain, "kvm_arch_vcpu_load", "void (struct kvm_vcpu *vcpu, int cpu)") \
	RULE(vcpu_put, plain, "kvm_arch_vcpu_put", "void (struct kvm_vcpu *vcpu)") \
	RULE(halt, halt, "kvm_vcpu_halt", "void (struct kvm_vcpu *vcpu)")	\
	RULE(halt, block, "kvm_vcpu_block", "void (struct kvm_vcpu *vcpu)")	\
	RULE(rmap_zap_all, plain, "kvm_zap_all_rmap_sptes",			\
	     "? (struct kvm *kvm, struct kvm_rmap_head *rmap_head)")		\
	RULE(dirty_mark_vm, plain, "mark_page_dirty", "void (struct kvm *kvm, gfn_t gfn)") \
	RULE(dirty_mark_vcpu, plain, "kvm_vcpu_mark_page_dirty",		\
	     "void (struct kvm_vcpu *vcpu, gfn_t gfn)")				\
	RULE(rmap_repoint, plain, "kvm_set_pte_rmapp",				\
	     "int (struct kvm *kvm, struct kvm_rmap_head *rmap_head, "		\
	     "struct kvm_memory_slot *slot, gfn_t gfn, int level, unsigned long data)") \
	RULE(load_cost, plain, "kvm_arch_vcpu_load", "? (...)")			\
	RULE(put_cost, plain, "kvm_arch_vcpu_put", "? (...)")

/*
 * What gcc splits off a function that first tests whether there is anything to do: some callers
 * test that themselves, and call the rest. PART(hook, function, the rest): if the function's code
 * proves that the rest has the function's arguments, the rest is hooked in its place.
 */
#define KVMW_PART_RULES(PART)							\
	PART(dirty_mark, "mark_page_dirty_in_slot", "mark_page_dirty_in_slot.part.0")

/* Events, RULE(hook, form, tracepoint, types of its arguments). Nobody names their parameters. */
#define KVMW_EVENT_RULES(RULE)							\
	RULE(wakeup, plain, "kvm_vcpu_wakeup", "void (__u64, bool, bool)")	\
	RULE(halt_poll, plain, "kvm_halt_poll_ns",				\
	     "void (bool, unsigned int, unsigned int, unsigned int)")		\
	RULE(exit, short, "kvm_exit", "void (struct kvm_vcpu *, u32)")		\
	RULE(exit, reason, "kvm_exit", "void (unsigned int, struct kvm_vcpu *, u32)") \
	RULE(entry, vcpu, "kvm_entry", "void (struct kvm_vcpu *)")		\
	RULE(entry, forced, "kvm_entry", "void (struct kvm_vcpu *, bool)")	\
	RULE(user_exit, plain, "kvm_userspace_exit", "void (__u32, int)")	\
	RULE(ring_push, plain, "kvm_dirty_ring_push",				\
	     "void (struct kvm_dirty_ring *, u32, u64)")			\
	RULE(ring_full, plain, "kvm_dirty_ring_exit", "void (struct kvm_vcpu *)") \
	RULE(ring_reset, plain, "kvm_dirty_ring_reset", "void (struct kvm_dirty_ring *)")

/*
 * Hooks that a kvm.ko can do without: HOOK(hook, needless, why). What a needless one would see,
 * others see. Each must be there where it is needed, which the census tells; see below.
 */
#define KVMW_OPTIONAL_HOOKS(HOOK)						\
	HOOK(rmap_zap_all, true, "its loop calls the function of rmap_zap")	\
	HOOK(rmap_repoint, true, "this KVM has no such function")		\
	HOOK(dirty_mark_vm, true, "calls the function of dirty_mark")		\
	HOOK(dirty_mark_vcpu, true, "calls the function of dirty_mark")		\
	HOOK(ring_push, false, "this KVM has no dirty rings")			\
	HOOK(ring_full, false, "this KVM has no dirty rings")			\
	HOOK(ring_reset, false, "this KVM has no dirty rings")

/*
 * Members of KVM's private structures that handlers of a hook read:
 * MEMBER(hook, structure, member, offset, bytes, or other number of bytes)
 * One that had another name has both: "new|old".
 */
#define KVMW_MEMBER_RULES(MEMBER)						\
	MEMBER(rmap_add, "kvm_mmu_page", "role", 36, 4, 4)			\
	MEMBER(rmap_zap, "kvm_mmu_page", "role", 36, 4, 4)			\
	MEMBER(rmap_zap, "kvm_mmu_page", "gfn", 40, 8, 8)			\
	MEMBER(rmap_zap, "kvm_mmu_page", "spt", 48, 8, 8)			\
	MEMBER(rmap_zap, "kvm_mmu_page", "shadowed_translation|gfns", 56, 8, 8) \
	MEMBER(rmap_zap_all, "kvm_mmu_page", "role", 36, 4, 4)			\
	MEMBER(rmap_zap_all, "kvm_mmu_page", "gfn", 40, 8, 8)			\
	MEMBER(rmap_zap_all, "kvm_mmu_page", "spt", 48, 8, 8)			\
	MEMBER(rmap_zap_all, "kvm_mmu_page", "shadowed_translation|gfns", 56, 8, 8) \
	MEMBER(rmap_zap_all, "kvm_rmap_head", "val", 0, 8, 8)			\
	MEMBER(rmap_zap_all, "pte_list_desc", "more", 0, 8, 8)			\
	/* A number that is small: its lower half is the same number. */	\
	MEMBER(rmap_zap_all, "pte_list_desc", "spte_count", 8, 4, 8)		\
	MEMBER(rmap_zap_all, "pte_list_desc", "sptes", 16, 112, 112)
/* The handler for form page of spte_change reads this one. */
#define KVMW_MEMBER_RULES_PAGE(MEMBER)						\
	MEMBER(spte_change, "kvm_mmu_page", "role", 36, 4, 4)

/*
 * The census. kvm->stat.pages[], KVM's own count of leaves, changes in the functions of these hooks
 * and nowhere else. One other may add the 512 parts of a huge leaf: that of spte_change comes
 * ahead of it.
 */
#define KVMW_PAGES_HOOKS(HOOK)	HOOK(spte_change) HOOK(rmap_add) HOOK(rmap_zap) HOOK(rmap_zap_all)
#define KVMW_PAGES_LEVELS	3
#define KVMW_SPLIT_FUNCTIONS	"tdp_mmu_split_huge_page"	/* how their names begin */
#define KVMW_SPLIT_PARTS	512

/*
 * Whoever calls one of these functions is the function of that hook:
 * CALLED(hook, function that is called, others that may call it too)
 */
#define KVMW_CALLED_RULES(CALLED)						\
	CALLED(dirty_mark, "kvm_dirty_ring_push", NULL)				\

/*
 * Somebody in kvm.ko must call each function that is hooked: else its callers have copies of it.
 * The function of a hook of the first list is called through a pointer. One of the second list may
 * be in one of its callers, and called by another. So each of these callers that there is must call
 * it, itself or by one function in between: CALLER(function, caller)
 */
#define KVMW_POINTER_HOOKS(HOOK)	HOOK(rmap_repoint)
#define KVMW_CALLER_RULES(CALLER)						\
	CALLER("kvm_arch_free_vm", "kvm_create_vm")				\
	CALLER("kvm_arch_free_vm", "kvm_put_kvm")				\
	CALLER("kvm_mmu_uninit_vm", "kvm_arch_destroy_vm")			\
	CALLER("kvm_arch_vcpu_destroy", "kvm_destroy_vcpus")			\
	CALLER("kvm_arch_vcpu_load", "vcpu_load")				\
	CALLER("kvm_arch_vcpu_load", "kvm_sched_in")				\
	CALLER("kvm_arch_vcpu_put", "vcpu_put")					\
	CALLER("kvm_arch_vcpu_put", "kvm_sched_out")

/*
 * Builds on which all of kvmwatch's tests pass, as their releases are written; # is a number, *
 * all the rest. There a kvm.ko that has no BTF is believed to be what it was in the tests: of
 * these forms.
 */
#define KVMW_TESTED_BUILDS(BUILD)						\
	BUILD("5.10.0-#-amd64", "plain mem as_id set bare block reason vcpu")	\
	BUILD("6.1.0-#-amd64", "plain slots as_id rmap kvm halt short forced")	\
	BUILD("6.12.#+deb12-amd64", "plain slots as_id rmap kvm halt short forced")	\
	BUILD("7.2.#+deb14-amd64", "plain slots page rmap kvm halt short forced") \
	/* Built here from Debian's sources, without types: see selftests/vm/kernels. */ \
	BUILD("6.1.#-debug-*", "plain slots as_id rmap kvm halt short forced")	\
	BUILD("6.1.#-kcsan-*", "plain slots as_id rmap kvm halt short forced")	\
	BUILD("6.1.#-intel-*", "plain slots as_id rmap kvm halt short forced")	\
	BUILD("6.12.#-debug-*", "plain slots as_id rmap kvm halt short forced")

#endif /* KVMW_PROOF_RULES_H */
