/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's VMs. */
#ifndef KVMW_KVM_VM_H
#define KVMW_KVM_VM_H

#include <linux/kvm_host.h>

#include "kernel/facts.h"

/*
 * The type of VMs whose page tables and VMCS kvmwatch cannot interpret: TDX.
 *
 * KVM's tables of private memory only mirror those of the TDX module, which may refuse an entry
 * after the hook saw it. KVM indexes its tables of shared memory by gfns with the shared bit set:
 * a walk finds no slot for such a gfn, and only some of KVM's functions have that bit in their
 * arguments. The VMCS that is current at a TDX exit belongs to another VM.
 */
#ifdef KVM_X86_TDX_VM
#define KVMW_TYPE_OPAQUE	KVM_X86_TDX_VM
#else
#define KVMW_TYPE_OPAQUE	UINT_MAX
#endif

/* KVM_EVENT_CREATE_VM, which no header has */
#define KVMW_EVENT_CREATE_VM	0

static __always_inline unsigned int kvmw_vm_type(const struct kvm *kvm)
{
#if KVMW_HAS_VM_TYPE
	return kvm->arch.vm_type;
#else
	return 0;
#endif
}

/* Has KVM_CREATE_VM come so far that the VM has its debugfs directory, if there is debugfs? */
static inline bool kvmw_complete(const struct kvm *kvm)
{
	/* KVM writes one of them last, which depends on the kernel. */
	return READ_ONCE(kvm->vm_list.next) && READ_ONCE(kvm->userspace_pid);
}

#endif /* KVMW_KVM_VM_H */
