// SPDX-License-Identifier: GPL-2.0
/* Counters of slots. See counters.h. */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>

#include "records/counters.h"
#include "records/record.h"

static unsigned int vm_slots = 512;
module_param(vm_slots, uint, 0444);
MODULE_PARM_DESC(vm_slots, "slots of a VM that have counters of their own (default 512)");

static unsigned int slot_mb = UINT_MAX;
module_param(slot_mb, uint, 0444);
MODULE_PARM_DESC(slot_mb, "MiB of memory that counters of slots may take (default: 1/256 of the memory)");

/* All 0, for readers of slots without counters. Hits never count here. */
static DEFINE_PER_CPU(struct kvmw_slot_cpu, no_counts);
static atomic_t sets, slots_without;
static unsigned int sets_max;

size_t kvmw_counters_size(void)
{
	return sizeof(struct kvmw_slot_cpu) * num_possible_cpus();
}

void kvmw_counters_init(void)
{
	if (slot_mb == UINT_MAX)
		slot_mb = totalram_pages() >> (20 - PAGE_SHIFT + 8);
	sets_max = min_t(u64, ((u64)slot_mb << 20) / kvmw_counters_size(), INT_MAX);
}

bool kvmw_slot_has_counters(const struct kvmw_slot *slot)
{
	return slot->cpu && slot->cpu != &no_counts;
}

bool kvmw_counters_alloc(struct kvmw_slot *slot, bool always)
{
	if (atomic_inc_return(&sets) > sets_max && !always) {
		atomic_dec(&sets);
		slot->cpu = &no_counts;
		return true;
	}
	slot->cpu = alloc_percpu(struct kvmw_slot_cpu);
	slot->hits = slot->cpu;
	if (slot->cpu)
		return true;
	atomic_dec(&sets);
	return false;
}

void kvmw_counters_free(struct kvmw_slot *slot)
{
	if (!kvmw_slot_has_counters(slot))
		return;
	free_percpu(slot->cpu);
	slot->cpu = &no_counts;
	atomic_dec(&sets);
}

void kvmw_counters_take(struct kvmw_slot *slot, struct kvmw_vm *vm)
{
	if (kvmw_slot_has_counters(slot)) {
		if (atomic_inc_return(&vm->counted) <= vm_slots)
			return;
		atomic_dec(&vm->counted);
	}
	slot->hits = vm->stray->hits;
	atomic_inc(&slots_without);
}

void kvmw_counters_give(struct kvmw_slot *slot, struct kvmw_vm *vm)
{
	if (kvmw_slot_shares(slot))
		atomic_dec(&slots_without);
	else
		atomic_dec(&vm->counted);
}

void kvmw_counters(struct kvmw_counters *out)
{
	out->bytes = atomic_read(&sets) * kvmw_counters_size();
	out->bytes_max = (size_t)slot_mb << 20;
	out->slots_max = vm_slots;
	out->without = atomic_read(&slots_without);
}
