// SPDX-License-Identifier: GPL-2.0
/* Kernel memory that records take. See footprint.h. */
#include <linux/compiler.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <uapi/linux/kvmwatch.h>

#include "numbers/footprint.h"
#include "records/counters.h"
#include "records/counts.h"
#include "records/heat.h"
#include "records/log_audit.h"
#include "records/record.h"

size_t kvmw_kind_footprint(unsigned int kind)
{
	size_t slot = sizeof(struct kvmw_slot) + kvmw_counters_size();

	switch (kind) {
	case KVMWATCH_KIND_VM:
		return sizeof(struct kvmw_vm) + sizeof(struct kvmw_vcpu_stats) + slot;
	case KVMWATCH_KIND_VCPU:
		return sizeof(struct kvmw_vcpu);
	}
	return slot;
}

static size_t slot_footprint(const struct kvmw_slot *slot)
{
	size_t counters = kvmw_slot_has_counters(slot) ? kvmw_counters_size() : 0;
	size_t sample = READ_ONCE(slot->log_sample) ? sizeof(*slot->log_sample) : 0;

	return sizeof(*slot) + counters + sample + kvmw_heat_footprint(slot);
}

size_t kvmw_vm_footprint(struct kvmw_vm *vm)
{
	size_t sum = kvmw_kind_footprint(KVMWATCH_KIND_VM);
	struct kvmw_object *obj;

	mutex_lock(&vm->lock);
	list_for_each_entry(obj, &vm->vcpus, node)
		sum += kvmw_kind_footprint(KVMWATCH_KIND_VCPU);
	list_for_each_entry(obj, &vm->slots, node)
		sum += slot_footprint(kvmw_to_slot(obj));
	mutex_unlock(&vm->lock);
	return sum;
}
