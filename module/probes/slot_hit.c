// SPDX-License-Identifier: GPL-2.0
/* Look up the slot of a guest page in a hit. See slot_hit.h. */
#include <linux/kvm_host.h>
#include <linux/percpu.h>
#include <linux/srcu.h>

#include "kernel/kvm_slot.h"
#include "probes/slot_hit.h"
#include "records/cpu.h"
#include "records/kick.h"
#include "records/lost.h"
#include "records/record.h"
#include "records/slot.h"
#include "records/table.h"

struct kvmw_slot *kvmw_slot_lookup(struct kvm *kvm, unsigned int as_id, gfn_t gfn)
{
	struct kvmw_vm *vm = kvmw_vm_find(kvm);
	struct kvm_memory_slot *kslot;
	struct kvmw_slot *slot = NULL;
	int srcu;

	if (!vm) {
		kvmw_lost(kvm);
		return NULL;
	}
	/* The VM is being counted and the cursor is below this page: the count will include it. */
	if (unlikely(!READ_ONCE(vm->leaves_counted)) && gfn >= READ_ONCE(vm->cursor[as_id]))
		return NULL;

	srcu = srcu_read_lock(&kvm->srcu);
	kslot = kvmw_kslot_of(kvm, as_id, gfn);
	if (kslot)
		slot = kvmw_slot_of(vm, kslot);
	srcu_read_unlock(&kvm->srcu, srcu);

	if (!slot) {
		/* The VM's sum stays exact; the numbers of its slots need a recount. */
		kvmw_slot_inc(vm->stray->cpu, lost_events);
		WRITE_ONCE(vm->needs_recount, true);
		kvmw_rescan();
		return vm->stray;
	}
	/* While the VM is being counted, do not cache: every hit must compare with the cursor. */
	if (READ_ONCE(vm->leaves_counted))
		this_cpu_write(kvmw_cpu.slot, slot);
	return slot;
}
