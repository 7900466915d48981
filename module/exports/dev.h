/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/kvmwatch: the ioctls of include/uapi/linux/kvmwatch.h. They open stats fds (stats_fd.c), fds
 * for all objects of a kind (all_fd.c) and fds for heat (heat_fd.c). Context: task.
 */
#ifndef KVMW_DEV_H
#define KVMW_DEV_H

int kvmw_dev_init(void);
void kvmw_dev_exit(void);

#endif /* KVMW_DEV_H */
