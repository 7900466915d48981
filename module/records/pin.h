/* SPDX-License-Identifier: GPL-2.0 */
/* Keep KVM from freeing a VM while we read its structures. */
#ifndef KVMW_PIN_H
#define KVMW_PIN_H

struct kvm;
struct kvmw_vm;

/*
 * Keep a VM until kvmw_unpin(). The caller then holds KVM's kvm_lock: be short, and take no other
 * mutex of KVM. NULL: the VM is gone or dying, or KVM is still creating it.
 */
struct kvm *kvmw_pin(struct kvmw_vm *vm);
void kvmw_unpin(void);

#endif /* KVMW_PIN_H */
