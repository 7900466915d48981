/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The prototypes that handlers assume for those of KVM's functions that public headers declare:
 * X(hook, form, function, type), with a form of proof/rules.h. The compiler compares the two in
 * hooks/proof.c.
 */
#ifndef KVMW_KVM_PROTOTYPES_H
#define KVMW_KVM_PROTOTYPES_H

#include <linux/kvm_host.h>

#define KVMW_PROTOTYPES(X)							\
	X(vm_init, plain, kvm_arch_init_vm, int (struct kvm *, unsigned long))	\
	X(vm_free, plain, kvm_arch_free_vm, void (struct kvm *))		\
	X(vcpu_create, plain, kvm_arch_vcpu_create, int (struct kvm_vcpu *))	\
	X(vcpu_created, plain, kvm_arch_vcpu_postcreate, void (struct kvm_vcpu *)) \
	X(vcpu_destroy, plain, kvm_arch_vcpu_destroy, void (struct kvm_vcpu *))	\
	X(vcpu_load, plain, kvm_arch_vcpu_load, void (struct kvm_vcpu *, int))	\
	X(vcpu_put, plain, kvm_arch_vcpu_put, void (struct kvm_vcpu *))		\
	X(log_word, plain, kvm_arch_mmu_enable_log_dirty_pt_masked,		\
	  void (struct kvm *, struct kvm_memory_slot *, gfn_t, unsigned long))	\
	X(slot_commit, slots, kvm_arch_commit_memory_region,			\
	  void (struct kvm *, struct kvm_memory_slot *, const struct kvm_memory_slot *, \
		enum kvm_mr_change))						\
	X(slot_commit, mem, kvm_arch_commit_memory_region,			\
	  void (struct kvm *, const struct kvm_userspace_memory_region *,	\
		struct kvm_memory_slot *, const struct kvm_memory_slot *,	\
		enum kvm_mr_change))						\
	X(dirty_mark, kvm, mark_page_dirty_in_slot,				\
	  void (struct kvm *, const struct kvm_memory_slot *, gfn_t))		\
	X(dirty_mark, kvm, mark_page_dirty_in_slot,				\
	  void (struct kvm *, struct kvm_memory_slot *, gfn_t))			\
	X(dirty_mark, bare, mark_page_dirty_in_slot, void (struct kvm_memory_slot *, gfn_t)) \
	X(dirty_mark_vm, plain, mark_page_dirty, void (struct kvm *, gfn_t))	\
	X(dirty_mark_vcpu, plain, kvm_vcpu_mark_page_dirty, void (struct kvm_vcpu *, gfn_t)) \
	X(halt, halt, kvm_vcpu_halt, void (struct kvm_vcpu *))			\
	X(halt, block, kvm_vcpu_block, void (struct kvm_vcpu *))

#endif /* KVMW_KVM_PROTOTYPES_H */
