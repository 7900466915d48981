/* SPDX-License-Identifier: GPL-2.0 */
/* Keep a VM of KVM's while we read its structures. */
#ifndef KVMW_PIN_H
#define KVMW_PIN_H

struct kvm;
struct kvmw_vm;

/*
 * Keep a VM of KVM's, to read its structures. The caller then holds KVM's kvm_lock: be short, and
 * wait for none of KVM's mutexes. NULL: the VM is gone, going, or still being created.
 */
struct kvm *kvmw_pin(struct kvmw_vm *vm);
void kvmw_unpin(void);

#endif /* KVMW_PIN_H */
