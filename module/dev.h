/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/kvmwatch: the ioctls of include/uapi/linux/kvmwatch.h. Opens stats fds, which
 * are in stats_fd.c. Context: task.
 */
#ifndef KVMW_DEV_H
#define KVMW_DEV_H

struct kvmw_object;

int kvmw_dev_init(void);
void kvmw_dev_exit(void);

/* A new fd to read @obj with, or a negative errno. Takes a reference of its own. */
int kvmw_stats_fd(struct kvmw_object *obj);

#endif /* KVMW_DEV_H */
