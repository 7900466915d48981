/* SPDX-License-Identifier: GPL-2.0 */
/* A VM of KVM's that stays while we look into it. */
#ifndef KVMW_PIN_H
#define KVMW_PIN_H

struct kvm;
struct kvmw_vm;

/*
 * Look into KVM's own structures of a VM: it cannot go while pinned. Holds KVM's
 * kvm_lock, so be short, and wait for none of KVM's mutexes. NULL: the VM is gone or going, or
 * is still being created.
 */
struct kvm *kvmw_pin(struct kvmw_vm *vm);
void kvmw_unpin(void);

#endif /* KVMW_PIN_H */
