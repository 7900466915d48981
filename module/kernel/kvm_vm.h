/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's VMs. */
#ifndef KVMW_KVM_VM_H
#define KVMW_KVM_VM_H

#include <linux/kvm_host.h>

#include "kernel/version.h"

/*
 * The type of VM whose page tables and VMCS tell us nothing: TDX. KVM's private tables of it only
 * mirror those of the TDX module, which may refuse an entry after the hook has seen it. Its other
 * tables are indexed by the page's number with a bit set that says "shared": a walk finds no slot
 * for what it finds there, and some of KVM's changes have the bit in the number, others not. And
 * the VMCS that is current at its exit is another VM's.
 */
#ifdef KVM_X86_TDX_VM
#define KVMW_TYPE_OPAQUE	KVM_X86_TDX_VM
#else
#define KVMW_TYPE_OPAQUE	UINT_MAX
#endif

static __always_inline unsigned int kvmw_vm_type(const struct kvm *kvm)
{
#if KVMW_SINCE(6, 12)
	return kvm->arch.vm_type;
#else
	return 0;
#endif
}

/* Has its creation come so far that it has a name in debugfs, if there is debugfs? */
static inline bool kvmw_complete(const struct kvm *kvm)
{
#if KVMW_SINCE(6, 1)
	return READ_ONCE(kvm->vm_list.next);
#else
	return READ_ONCE(kvm->userspace_pid);	/* written when all else is done */
#endif
}

#endif /* KVMW_KVM_VM_H */
