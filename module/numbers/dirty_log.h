/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's dirty log of a slot. Context: task, may sleep. */
#ifndef KVMW_DIRTY_LOG_H
#define KVMW_DIRTY_LOG_H

#include <linux/types.h>

struct kvmw_slot;

/* Pages marked in the log now; -1: the slot has no log. */
s64 kvmw_log_weight(const struct kvmw_slot *slot);
/*
 * The same for readers. If the slot has no log any more, the last result; for a large log perhaps a
 * recent one.
 */
u64 kvmw_dirty_pages(struct kvmw_slot *slot);

#endif /* KVMW_DIRTY_LOG_H */
