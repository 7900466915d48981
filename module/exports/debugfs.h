/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /sys/kernel/debug/kvmwatch: tables of all objects at the top, and below vm/ a directory for each
 * VM with a file for each statistic.
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
 * Create the directory of @obj and its files. Returns false if something is missing: its VM has no
 * directory yet, another object still has the name, or there is no memory. Context: the
 * housekeeper, kvmw_lock held.
 */
bool kvmw_debugfs_add(struct kvmw_object *obj);
/* Remove it, and wait for readers of its files. Context: the housekeeper, no lock held. */
void kvmw_debugfs_remove(struct kvmw_object *obj);

#endif /* KVMW_DEBUGFS_H */
