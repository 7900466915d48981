/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Per-page heat: how often each page of a slot is marked dirty, and how many distinct pages are
 * marked in time windows of several lengths.
 *
 * A slot has a heat only while somebody uses it. The hook on dirty marks (probes/dirty.c) then
 * passes each mark on. When the last user drops the heat, it is hidden, and freed after a grace
 * period, when no hit can use it any more. exports/heat_fd.c exports it to readers.
 */
#ifndef KVMW_HEAT_H
#define KVMW_HEAT_H

#include <linux/types.h>
#include <uapi/linux/kvmwatch.h>

#include "records/heat_page.h"

struct kvmw_heat;
struct kvmw_slot;

/* What readers get for a slot. */
struct kvmw_heat_item {
	struct kvmwatch_heat_slot	slot;
	u64				distinct[KVMW_HEAT_WINDOWS];
};

/* KVM marks page @rel of the slot, counted from its first page. Context: hit. */
void kvmw_heat_mark(struct kvmw_heat *heat, u64 rel);

/* --- for readers; context: task ------------------------------------------ */

/*
 * Get the heats of @nr slots into @heats, and begin those that do not exist yet. A heat holds a
 * reference to the record of its slot. @privileged: the caller may see all VMs. Returns 0, -ENOMEM,
 * or -ENOSPC if the limit of memory is reached. Return them with kvmw_heat_put().
 */
int kvmw_heat_get(struct kvmw_slot **slots, int nr, struct kvmw_heat **heats, bool privileged);
void kvmw_heat_put(struct kvmw_heat **heats, int nr);

struct kvmw_slot *kvmw_heat_slot(const struct kvmw_heat *heat);
/* An entry per page, each a struct kvmwatch_heat_page that is written as a whole. */
const u64 *kvmw_heat_pages(const struct kvmw_heat *heat, unsigned long *npages);
/* Fill in @item, except the offset of its pages; @outside: marks beyond the slot's pages. */
void kvmw_heat_look(const struct kvmw_heat *heat, struct kvmw_heat_item *item, u64 *outside);
/* Bytes of the slot's heat; 0: it has none. */
size_t kvmw_heat_footprint(const struct kvmw_slot *slot);

/* Length of the shortest window in nanoseconds. */
#define KVMW_HEAT_TICK_NS	125000000U

#endif /* KVMW_HEAT_H */
