/* SPDX-License-Identifier: GPL-2.0 */
/* Stats fds: the numbers of an object. See stats_fd.c. Context: task. */
#ifndef KVMW_STATS_FD_H
#define KVMW_STATS_FD_H

#include <linux/types.h>

struct kvmw_object;

/*
 * Create a stats fd of @obj, which gets a reference of its own. Returns the fd or -errno.
 * @privileged: the user may see all VMs.
 */
int kvmw_stats_fd(struct kvmw_object *obj, bool privileged);
/* Stop the refresher. Context: no fd is open any more. */
void kvmw_stats_fds_exit(void);

#endif /* KVMW_STATS_FD_H */
