/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every place in KVM that kvmwatch watches, one row each.
 *
 * KVMW_HOOKS(HOT, RARE, TP) expands HOT(id, help, symbol...) and RARE(the same) for
 * entries of functions, and TP(id, help, arguments, tracepoint) for tracepoints.
 * Functions that are called often get what it takes to make a hit cheap; those that
 * are not share it, which makes kvmwatch quicker to load and unload.
 *
 * A function row names the symbols that mean the same on different kernels, the
 * newest first; the first that kvm.ko has is taken, under exactly that name. Its
 * handler is what KVMW_FUNC_HANDLER(id, ...) defines in one of the probe_*.c
 * files. A tracepoint row gives the number of arguments that kvm.ko must report
 * for the event; its handler is kvmw_tp_<id>().
 *
 * KVMW_HOOKS_KERNEL has the rows that only some kernels need, KVMW_SYM_* the names that
 * depend on the kernel: see compat.h, which is to be included before this is expanded.
 */
#define KVMW_HOOKS(HOT, RARE, TP)						\
	RARE(vm_init, "a VM is being created", "kvm_arch_init_vm")		\
	RARE(vm_destroy, "a VM lost its last user", "kvm_destroy_vm")		\
	RARE(vm_free, "a VM is about to be freed", "kvm_arch_free_vm")		\
	RARE(vcpu_create, "a vCPU is being created", "kvm_arch_vcpu_create")	\
	RARE(vcpu_created, "a vCPU is complete", "kvm_arch_vcpu_postcreate")	\
	RARE(vcpu_destroy, "a vCPU ends", "kvm_arch_vcpu_destroy")		\
	RARE(slot_commit, "a memory slot came, went, moved or got other flags",	\
	     "kvm_arch_commit_memory_region")					\
	HOT(spte_change, "an entry of a TDP MMU page table changes",		\
	     "handle_changed_spte", "__handle_changed_spte")			\
	HOT(rmap_add, "a leaf appears in a shadow page table", KVMW_SYM_RMAP_ADD) \
	HOT(rmap_zap, "a leaf of a shadow page table is cleared",		\
	     "mmu_spte_clear_track_bits")					\
	HOT(dirty_mark, "KVM marks a guest page dirty",			\
	     "mark_page_dirty_in_slot")						\
	RARE(log_get, "the VMM fetches a slot's dirty log",			\
	     "kvm_get_dirty_log_protect")					\
	RARE(log_clear, "the VMM clears a slot's dirty log",			\
	     "kvm_clear_dirty_log_protect")					\
	HOT(vcpu_load, "a vCPU is loaded on a pCPU", "kvm_arch_vcpu_load")	\
	HOT(vcpu_put, "a vCPU is put from a pCPU", "kvm_arch_vcpu_put")	\
	HOT(halt, "a vCPU starts to halt", KVMW_SYM_HALT)			\
	KVMW_HOOKS_KERNEL(HOT, RARE)						\
	TP(wakeup, "a halt ends", 3, kvm_vcpu_wakeup)				\
	TP(halt_poll, "the halt polling window grows or shrinks", 4, kvm_halt_poll_ns)
