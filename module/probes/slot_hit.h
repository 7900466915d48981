/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a guest page to the record of its slot, inside a hit.
 *
 * Each CPU remembers the slot it had last. A remembered record is right as long as
 * its VM's key is still this VM and the page lies within it: a hidden slot has no live
 * pages, a hidden VM no key.
 */
#ifndef KVMW_SLOT_HIT_H
#define KVMW_SLOT_HIT_H

#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/types.h>

#include "records/cpu.h"
#include "records/record.h"

/* Is the page one of this slot? */
static __always_inline bool kvmw_slot_has(const struct kvmw_slot *slot, const struct kvm *kvm,
					  unsigned int as_id, gfn_t gfn)
{
	return kvmw_peek(slot->obj.vm->obj.key) == kvm && slot->obj.subkey >> 16 == as_id &&
	       gfn - kvmw_peek(slot->base_gfn) < kvmw_peek(slot->live_pages);
}

static __always_inline struct kvmw_slot *kvmw_slot_cached(const struct kvm *kvm,
							  unsigned int as_id, gfn_t gfn)
{
	struct kvmw_slot *slot = __this_cpu_read(kvmw_cpu.slot);

	return likely(kvmw_slot_has(slot, kvm, as_id, gfn)) ? slot : NULL;
}

/*
 * The record in which a hit on a page counts, or NULL: the VM is unknown, or not counted this far
 * yet. The VM's stray record takes hits on pages of no slot.
 */
struct kvmw_slot *kvmw_slot_lookup(struct kvm *kvm, unsigned int as_id, gfn_t gfn);

#endif /* KVMW_SLOT_HIT_H */
