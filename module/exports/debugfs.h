/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /sys/kernel/debug/kvmwatch: tables of everything at the top, and below vm/ a
 * directory for each VM with a file for each of its statistics.
 *
 * Context: task.
 */
#ifndef KVMW_DEBUGFS_H
#define KVMW_DEBUGFS_H

#include <linux/types.h>

struct kvmw_object;

int kvmw_debugfs_init(void);
void kvmw_debugfs_exit(void);

/*
 * Make the directory of @obj, with its files. False: not all of it now, as its VM has none,
 * another still has the name, or there is no memory. Context: the housekeeper, kvmw_lock held.
 */
bool kvmw_debugfs_add(struct kvmw_object *obj);
/* Returns when nobody reads there any more. Context: the housekeeper, no lock held. */
void kvmw_debugfs_remove(struct kvmw_object *obj);

#endif /* KVMW_DEBUGFS_H */
