/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every place in KVM that kvmwatch watches, one row each.
 *
 * KVMW_HOOKS(HOT, RARE, RET, TP, TP_OR_MORE) expands HOT(id, help, symbol...) and RARE(the same)
 * for entries of functions, RET(the same) for functions from entry to return, and
 * TP(id, help, arguments, tracepoint) for tracepoints. Functions that are called often
 * get what it takes to make a hit cheap. Those that are not share it, which makes
 * kvmwatch quicker to load and unload; a hit looks for its row from the last one upward, three
 * instructions for each. Returns are dear but by direct calls, so they wait to be asked for.
 *
 * A function row names the function as the newest kernels call it; proof/rules.h has its names on
 * others. Its handler is what KVMW_FUNC_HANDLER(id, ...) defines in one of the files
 * in probes/, that of a RET row what KVMW_RET_HANDLER(id, ...) does. A tracepoint row gives
 * the number of arguments of the event; its handler kvmw_tp_<id>() has exactly these behind
 * its first. A kernel with kCFI stops a call through a pointer of another type. An event that has
 * one more of them on some kernels is TP_OR_MORE: kvmw_tp_<id>_more() is its handler there.
 *
 * KVMW_SHADOW is HOT where the usual guest has shadow page tables, else RARE.
 * KVMW_HOOKS_KERNEL has the rows that only some kernels need: see kvm_functions.h.
 */
#ifndef KVMW_HOOK_TABLE_H
#define KVMW_HOOK_TABLE_H

#include "kernel/kvm_functions.h"
#include "kernel/kvm_vcpu.h"

#define KVMW_HOOKS(HOT, RARE, RET, TP, TP_OR_MORE)				\
	RARE(vm_init, "a VM is being created", "kvm_arch_init_vm")		\
	RARE(vm_destroy, "a VM lost its last user", "kvm_destroy_vm")		\
	RARE(vm_free, "a VM is about to be freed", "kvm_arch_free_vm")		\
	RARE(vcpu_create, "a vCPU is being created", "kvm_arch_vcpu_create")	\
	RARE(vcpu_created, "a vCPU is complete", "kvm_arch_vcpu_postcreate")	\
	RARE(vcpu_destroy, "a vCPU ends", "kvm_arch_vcpu_destroy")		\
	RARE(slot_commit, "a memory slot came, went, moved or got other flags",	\
	     "kvm_arch_commit_memory_region")					\
	HOT(spte_change, "an entry of a TDP MMU page table changes",		\
	     "__handle_changed_spte")						\
	KVMW_SHADOW(HOT, RARE)(rmap_add, "a leaf appears in a shadow page table", \
			       "__rmap_add")						\
	KVMW_SHADOW(HOT, RARE)(rmap_zap, "a leaf of a shadow page table is cleared", \
			       "mmu_spte_clear_track_bits")			\
	HOT(dirty_mark, "KVM marks a guest page dirty",			\
	     "mark_page_dirty_in_slot")						\
	RARE(log_get, "the VMM fetches a slot's dirty log",			\
	     "kvm_get_dirty_log_protect")					\
	RARE(log_clear, "the VMM clears a slot's dirty log",			\
	     "kvm_clear_dirty_log_protect")					\
	RARE(log_word, "pages are taken from a slot's dirty log",		\
	     "kvm_arch_mmu_enable_log_dirty_pt_masked")				\
	HOT(vcpu_load, "a vCPU is loaded on a pCPU", "kvm_arch_vcpu_load")	\
	HOT(vcpu_put, "a vCPU is put from a pCPU", "kvm_arch_vcpu_put")	\
	RARE(halt, "a vCPU starts to halt", "kvm_vcpu_halt")			\
	KVMW_HOOKS_KERNEL(HOT, RARE)						\
	RET(load_cost, "KVM's loading of a vCPU, from entry to return",		\
	    "kvm_arch_vcpu_load")						\
	RET(put_cost, "KVM's putting of a vCPU, from entry to return",		\
	    "kvm_arch_vcpu_put")						\
	TP(wakeup, "a halt ends", 3, kvm_vcpu_wakeup)			\
	TP(halt_poll, "the halt polling window grows or shrinks", 4,	\
	   kvm_halt_poll_ns)							\
	TP_OR_MORE(exit, "a vCPU leaves guest mode", 2, kvm_exit)		\
	TP_OR_MORE(entry, "a vCPU enters guest mode", 1, kvm_entry)		\
	TP(user_exit, "KVM_RUN returns to userspace", 2, kvm_userspace_exit) \
	TP(ring_push, "KVM puts a page into a dirty ring", 3, kvm_dirty_ring_push) \
	TP(ring_full, "KVM_RUN ends because a dirty ring is full", 1,	\
	   kvm_dirty_ring_exit)							\
	TP(ring_reset, "the VMM has a dirty ring reset", 1, kvm_dirty_ring_reset)

#endif /* KVMW_HOOK_TABLE_H */
