/* SPDX-License-Identifier: GPL-2.0 */
/* Records of slots. Context: hit or task. */
#ifndef KVMW_SLOT_H
#define KVMW_SLOT_H

struct kvm_memory_slot;
struct kvmw_slot;
struct kvmw_vm;

/* Find or create the record of a slot. NULL: the pool is empty. */
struct kvmw_slot *kvmw_slot_of(struct kvmw_vm *vm, const struct kvm_memory_slot *kslot);
/* Set up a new record for a slot of @vm; the caller publishes it. */
void kvmw_slot_begin(struct kvmw_slot *slot, struct kvmw_vm *vm,
		     const struct kvm_memory_slot *kslot);
void kvmw_slot_update(struct kvmw_slot *slot, const struct kvm_memory_slot *kslot);

#endif /* KVMW_SLOT_H */
