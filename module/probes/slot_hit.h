/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Look up the slot of a guest page in a hit.
 *
 * Each CPU caches the slot of its last hit. The cached record is right if its VM's key is this VM
 * and the slot contains the page: a hidden slot has no live pages, and a hidden VM has no key.
 */
#ifndef KVMW_SLOT_HIT_H
#define KVMW_SLOT_HIT_H

#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/types.h>

#include "records/cpu.h"
#include "records/record.h"

/* Does the slot contain this page of this VM? */
static __always_inline bool kvmw_slot_has(const struct kvmw_slot *slot, const struct kvm *kvm,
					  unsigned int as_id, gfn_t gfn)
{
	return likely(kvmw_peek(slot->obj.vm->obj.key) == kvm &&
		      (u16)(slot->obj.subkey >> 16) == (u16)as_id &&
		      gfn - kvmw_peek(slot->base_gfn) < kvmw_peek(slot->live_pages));
}

/*
 * The record in which a hit on a page counts: that of its slot, or the VM's stray record if there
 * is none. NULL: the VM has no record, or its count has not reached the page yet.
 */
struct kvmw_slot *kvmw_slot_lookup(struct kvm *kvm, unsigned int as_id, gfn_t gfn);

#endif /* KVMW_SLOT_HIT_H */
