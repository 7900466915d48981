/* SPDX-License-Identifier: GPL-2.0 */
/* Records of slots, as KVM has them. Context: hit or task. */
#ifndef KVMW_SLOT_H
#define KVMW_SLOT_H

struct kvm_memory_slot;
struct kvmw_slot;
struct kvmw_vm;

/* The record of a slot of KVM's, made when there is none. NULL: no record left. */
struct kvmw_slot *kvmw_slot_of(struct kvmw_vm *vm, const struct kvm_memory_slot *kslot);
/* A new record becomes one of a slot of @vm. To be published. Context: hit or task. */
void kvmw_slot_begin(struct kvmw_slot *slot, struct kvmw_vm *vm,
		     const struct kvm_memory_slot *kslot);
void kvmw_slot_update(struct kvmw_slot *slot, const struct kvm_memory_slot *kslot);

#endif /* KVMW_SLOT_H */
