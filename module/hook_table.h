/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every place in KVM that kvmwatch watches, one row each.
 *
 * KVMW_HOOKS(FUNC, TP) expands FUNC(id, help, symbol...) for entries of
 * functions and TP(id, help, arguments, tracepoint) for tracepoints.
 *
 * A function row names the symbols that mean the same on different kernels, the
 * newest first; the first that kvm.ko has is taken, under exactly that name. Its
 * handler is what KVMW_FUNC_HANDLER(id, ...) defines in one of the probe_*.c
 * files. A tracepoint row gives the number of arguments that kvm.ko must report
 * for the event; its handler is kvmw_tp_<id>().
 *
 * This header includes nothing, so that anyone can expand it.
 */
#define KVMW_HOOKS(FUNC, TP)							\
	FUNC(vm_init, "a VM is being created", "kvm_arch_init_vm")		\
	FUNC(vm_destroy, "a VM lost its last user", "kvm_destroy_vm")		\
	FUNC(vm_free, "a VM is about to be freed", "kvm_arch_free_vm")		\
	FUNC(vcpu_create, "a vCPU is being created", "kvm_arch_vcpu_create")	\
	FUNC(vcpu_created, "a vCPU is complete", "kvm_arch_vcpu_postcreate")	\
	FUNC(vcpu_destroy, "a vCPU ends", "kvm_arch_vcpu_destroy")		\
	FUNC(slot_commit, "a memory slot came, went, moved or got other flags",	\
	     "kvm_arch_commit_memory_region")					\
	FUNC(spte_change, "an entry of a TDP MMU page table changes",		\
	     "handle_changed_spte", "__handle_changed_spte")			\
	FUNC(rmap_add, "a leaf appears in a shadow page table", "__rmap_add")	\
	FUNC(rmap_zap, "a leaf of a shadow page table is cleared",		\
	     "mmu_spte_clear_track_bits")					\
	FUNC(dirty_mark, "KVM marks a guest page dirty",			\
	     "mark_page_dirty_in_slot")						\
	FUNC(log_get, "the VMM fetches a slot's dirty log",			\
	     "kvm_get_dirty_log_protect")					\
	FUNC(log_clear, "the VMM clears a slot's dirty log",			\
	     "kvm_clear_dirty_log_protect")					\
	FUNC(vcpu_load, "a vCPU is loaded on a pCPU", "kvm_arch_vcpu_load")	\
	FUNC(vcpu_put, "a vCPU is put from a pCPU", "kvm_arch_vcpu_put")	\
	FUNC(halt, "a vCPU starts to halt", "kvm_vcpu_halt")			\
	TP(wakeup, "a halt ends", 3, kvm_vcpu_wakeup)				\
	TP(halt_poll, "the halt polling window grows or shrinks", 4, kvm_halt_poll_ns)
