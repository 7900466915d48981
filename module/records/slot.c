// SPDX-License-Identifier: GPL-2.0
/* Records of slots. See slot.h. */
#include <linux/kvm_host.h>
#include <uapi/linux/kvmwatch.h>

#include "kernel/clock.h"
#include "records/counters.h"
#include "records/pool.h"
#include "records/record.h"
#include "records/slot.h"
#include "records/table.h"

struct kvmw_slot *kvmw_slot_of(struct kvmw_vm *vm, const struct kvm_memory_slot *kslot)
{
	u32 subkey = (u32)kslot->as_id << 16 | (u16)kslot->id;
	struct kvmw_object *obj = kvmw_find(vm, subkey);

	if (obj)
		return kvmw_to_slot(obj);
	obj = kvmw_take(KVMWATCH_KIND_SLOT);
	if (!obj)
		return NULL;
	kvmw_slot_begin(kvmw_to_slot(obj), vm, kslot);
	return kvmw_to_slot(kvmw_publish(obj, vm, subkey, vm));
}

void kvmw_slot_begin(struct kvmw_slot *slot, struct kvmw_vm *vm,
		     const struct kvm_memory_slot *kslot)
{
	kvmw_counters_take(slot, vm);
	kvmw_slot_update(slot, kslot);
}

/* The size of a slot never changes, so a hit cannot see an old size with a new base. */
void kvmw_slot_update(struct kvmw_slot *slot, const struct kvm_memory_slot *kslot)
{
	WRITE_ONCE(slot->base_gfn, kslot->base_gfn);
	WRITE_ONCE(slot->npages, kslot->npages);
	WRITE_ONCE(slot->live_pages, kslot->npages);
	/* The upper half has flags internal to KVM, such as KVM_MEMSLOT_INVALID. */
	WRITE_ONCE(slot->flags, kslot->flags & 0xffff);
	if (slot->log != kslot->dirty_bitmap) {
		WRITE_ONCE(slot->log_life, slot->log_life + 1);
		WRITE_ONCE(slot->clear.moment, KVMW_NO_MOMENT);
		WRITE_ONCE(slot->clear.since, 0);
	}
	smp_wmb();	/* a reader that sees the new log sees the new log_life */
	WRITE_ONCE(slot->log, kslot->dirty_bitmap);
	WRITE_ONCE(slot->userspace_addr, kslot->userspace_addr);
}
