// SPDX-License-Identifier: GPL-2.0
/* Keep KVM from freeing a VM. See pin.h. */
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

#include "hooks/attach.h"
#include "records/pin.h"
#include "records/record.h"

/*
 * Is @kvm on KVM's list of VMs? When KVM_CREATE_VM fails, KVM frees the VM without kvm_lock, so the
 * memory may be freed while we read it: use copy_from_kernel_nofault(). This is a function of its
 * own so that a test can delay it (STALL). Context: kvm_lock held.
 */
static noinline bool is_on_kvms_list(const struct kvm *kvm)
{
	struct list_head links, *back;

	if (copy_from_kernel_nofault(&links, &kvm->vm_list, sizeof(links)) || !links.next ||
	    copy_from_kernel_nofault(&back, &links.next->prev, sizeof(back)))
		return false;
	return back == &kvm->vm_list;
}

/*
 * A VM on KVM's list stays until we drop kvm_lock: kvm_destroy_vm() takes that lock before it
 * removes the VM from the list and frees it. A VM that is not on the list yet may be freed at any
 * time, but on_vm_free() hides its record first. So if the record still has its key after
 * is_on_kvms_list(), that function read this VM and not its memory's next user.
 */
struct kvm *kvmw_pin(struct kvmw_vm *vm)
{
	const struct kvm *kvm;

	kvmw_attach_lock();
	if (kvmw_kvm.kvm_lock) {
		mutex_lock(kvmw_kvm.kvm_lock);
		kvm = READ_ONCE(vm->obj.key);
		if (kvm && !READ_ONCE(vm->dying) && is_on_kvms_list(kvm)) {
			smp_rmb();	/* pairs with the xchg() in kvmw_hide() */
			if (READ_ONCE(vm->obj.key))
				return (struct kvm *)kvm;
		}
		mutex_unlock(kvmw_kvm.kvm_lock);
	}
	kvmw_attach_unlock();
	return NULL;
}

void kvmw_unpin(void)
{
	mutex_unlock(kvmw_kvm.kvm_lock);
	kvmw_attach_unlock();
}
