// SPDX-License-Identifier: GPL-2.0
/* Is the number of mapped pages of a VM known? See mapped.h. */
#include <linux/compiler.h>
#include <linux/moduleparam.h>

#include "hooks/hook.h"
#include "kernel/kvm_functions.h"
#include "kernel/kvm_vm.h"
#include "records/mapped.h"
#include "records/record.h"

static uint opaque_type = KVMW_TYPE_OPAQUE;
module_param(opaque_type, uint, 0444);
MODULE_PARM_DESC(opaque_type, "for tests: treat VMs of this type (KVM_CREATE_VM) as TDX VMs");

bool kvmw_vm_opaque(unsigned long type)
{
	return type == opaque_type;
}

bool kvmw_leaves_hooked(void)
{
	const u64 needed = KVMW_HOOK_BIT(spte_change) | KVMW_HOOK_BIT(rmap_add) |
			   KVMW_HOOK_BIT(rmap_zap) | KVMW_NEED_RMAP_KERNEL;

	return !(needed & ~(kvmw_hooks_counting() | READ_ONCE(kvmw_hooks_needless)));
}

bool kvmw_mapped_known(const struct kvmw_vm *vm)
{
	return READ_ONCE(vm->leaves_counted) && !READ_ONCE(vm->needs_recount) &&
	       !READ_ONCE(vm->count_failed) && kvmw_leaves_hooked();
}
