/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Per-page heat: how often each page of a slot is marked dirty, and how many distinct pages
 * are in windows of time of several lengths.
 *
 * Off until asked for. While a slot has one, the hook on dirty marks (probes/dirty.c) hands each
 * mark over; when its last user lets go of it, it is hidden, one grace period later no
 * hit can hold it, and it is freed. heat_fd.c shows it to readers.
 */
#ifndef KVMW_HEAT_H
#define KVMW_HEAT_H

#include <linux/types.h>
#include <uapi/linux/kvmwatch.h>

#include "records/heat_page.h"

struct kvmw_heat;
struct kvmw_slot;

/* What readers get of a slot. */
struct kvmw_heat_item {
	struct kvmwatch_heat_slot	slot;
	u64				distinct[KVMW_HEAT_WINDOWS];
};

/* A page of the slot was marked, @rel counted from its first one. Context: hit. */
void kvmw_heat_mark(struct kvmw_heat *heat, u64 rel);

/* --- for readers; context: task ------------------------------------------ */

/*
 * The heat of each of @nr slots, which begins now where there is none yet, into @heats. They keep
 * the records of the slots. @privileged: for somebody who may see all VMs. 0, -ENOSPC: more memory
 * than is allowed, -ENOMEM. To be given back.
 */
int kvmw_heat_get(struct kvmw_slot **slots, int nr, struct kvmw_heat **heats, bool privileged);
void kvmw_heat_put(struct kvmw_heat **heats, int nr);

struct kvmw_slot *kvmw_heat_slot(const struct kvmw_heat *heat);
/* Entries of its pages, as struct kvmwatch_heat_page; each is read and written as a whole. */
const u64 *kvmw_heat_pages(const struct kvmw_heat *heat, unsigned long *npages);
/* What there is to say of the slot, but where its pages start; and marks that no page has. */
void kvmw_heat_look(const struct kvmw_heat *heat, struct kvmw_heat_item *item, u64 *outside);
/* Bytes that it takes; 0: the slot has none. */
size_t kvmw_heat_footprint(const struct kvmw_slot *slot);

/* Nanoseconds of the shortest window. */
#define KVMW_HEAT_TICK_NS	125000000U

#endif /* KVMW_HEAT_H */
