/* SPDX-License-Identifier: GPL-2.0 */
/* Fds with the numbers of an object. See stats_fd.c. Context: task. */
#ifndef KVMW_STATS_FD_H
#define KVMW_STATS_FD_H

#include <linux/types.h>

struct kvmw_object;

/*
 * A new stats fd of @obj, or a negative errno. Takes its own reference. @privileged: its holder may
 * see all VMs.
 */
int kvmw_stats_fd(struct kvmw_object *obj, bool privileged);
/* Context: no fd is open any more. */
void kvmw_stats_fds_exit(void);

#endif /* KVMW_STATS_FD_H */
