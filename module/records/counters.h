/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of slots. A slot has a set of them for each possible CPU, which no VMM pays for: the
 * records that hits take are made beforehand, by nobody in particular. With many CPUs that is more
 * than all else of a slot, and a VM may have 65,528 slots. So the slots of a VM, and all together,
 * have counters up to a limit. Those beyond have hits count in the VM's stray record, so that the
 * VM's numbers are right, and what they have counted themselves is unavailable.
 */
#ifndef KVMW_COUNTERS_H
#define KVMW_COUNTERS_H

#include <linux/types.h>

struct kvmw_slot;
struct kvmw_vm;

void kvmw_counters_init(void);

/* False: no memory. @always: of a VM, whose numbers are right whatever the limits are. */
bool kvmw_counters_alloc(struct kvmw_slot *slot, bool always);
void kvmw_counters_free(struct kvmw_slot *slot);
bool kvmw_slot_has_counters(const struct kvmw_slot *slot);
/* Bytes of a set */
size_t kvmw_counters_size(void);

/*
 * Where hits of a new slot of @vm count. kvmw_absorb_locked() frees the counters of a slot that may
 * not use them.
 */
void kvmw_counters_take(struct kvmw_slot *slot, struct kvmw_vm *vm);
/* The other way round, for a record that is about to be freed. */
void kvmw_counters_give(struct kvmw_slot *slot, struct kvmw_vm *vm);

/* What they take and may take, and how many slots have none. Context: any. */
struct kvmw_counters {
	size_t		bytes, bytes_max;
	unsigned int	slots_max;	/* of a VM */
	unsigned int	without;
};

void kvmw_counters(struct kvmw_counters *out);

#endif /* KVMW_COUNTERS_H */
