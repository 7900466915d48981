// SPDX-License-Identifier: GPL-2.0
/*
 * Executes what kvmwatch reads exit reasons with where the CPU does not know the instruction: on
 * AMD, and on Intel outside of VMX operation. Loads if that counts as a failure to read. Without an
 * entry in the exception table it is an oops.
 */
#include <linux/mm.h>
#include <linux/module.h>

#include "kernel/kvm_vcpu.h"

static int __init vmread_init(void)
{
	struct kvm_vcpu *kvcpu = kvzalloc(sizeof(*kvcpu), GFP_KERNEL);
	int err = -ENOMEM;

	if (!kvcpu)
		return err;
	kvcpu->kvm = kvzalloc(sizeof(*kvcpu->kvm), GFP_KERNEL);
	if (kvcpu->kvm)
		err = kvmw_vmread_reason(kvcpu) == ~0ULL ? 0 : -EIO;
	kvfree(kvcpu->kvm);
	kvfree(kvcpu);
	return err;
}

static void __exit vmread_exit(void)
{
}

module_init(vmread_init);
module_exit(vmread_exit);

MODULE_DESCRIPTION("Reads a VMCS where there is none");
MODULE_AUTHOR("The kvmwatch developers");
MODULE_LICENSE("GPL");
