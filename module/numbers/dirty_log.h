/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's dirty log of a slot. Context: task, may sleep. */
#ifndef KVMW_DIRTY_LOG_H
#define KVMW_DIRTY_LOG_H

#include <linux/types.h>

struct kvmw_slot;

/* Pages marked in it now; -1: the slot has none. */
s64 kvmw_log_weight(const struct kvmw_slot *slot);
/*
 * The same for readers: the last result if there is no log any more, and of a large log perhaps an
 * old one.
 */
u64 kvmw_dirty_pages(struct kvmw_slot *slot);

#endif /* KVMW_DIRTY_LOG_H */
