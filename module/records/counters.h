/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of slots. A slot has a set of counters for each possible CPU. No memcg is charged for
 * them, as the housekeeper allocates records before hits need them. With many CPUs the counters are
 * the largest part of a slot, and a VM may have 65,528 slots. So two limits bound them: one for the
 * slots of a VM, one for all slots together. Hits of a slot beyond a limit count in the stray
 * record of the VM. The numbers of the VM stay exact; those of the slot are unavailable.
 */
#ifndef KVMW_COUNTERS_H
#define KVMW_COUNTERS_H

#include <linux/types.h>

struct kvmw_slot;
struct kvmw_vm;

void kvmw_counters_init(void);

/* False: no memory. @always: ignore the limit, for the stray record of a VM. */
bool kvmw_counters_alloc(struct kvmw_slot *slot, bool always);
void kvmw_counters_free(struct kvmw_slot *slot);
bool kvmw_slot_has_counters(const struct kvmw_slot *slot);
/* Bytes of the counters of one slot */
size_t kvmw_counters_size(void);

/*
 * Choose where hits of a new slot of @vm count. If that is the stray record, kvmw_absorb_locked()
 * frees the slot's own counters.
 */
void kvmw_counters_take(struct kvmw_slot *slot, struct kvmw_vm *vm);
/* Undo that for a record that is about to be freed. */
void kvmw_counters_give(struct kvmw_slot *slot, struct kvmw_vm *vm);

/* Memory that all counters use, the limits, and the slots without counters. Context: any. */
struct kvmw_counters {
	size_t		bytes, bytes_max;
	unsigned int	slots_max;	/* per VM */
	unsigned int	without;	/* slots that count in a stray record */
};

void kvmw_counters(struct kvmw_counters *out);

#endif /* KVMW_COUNTERS_H */
