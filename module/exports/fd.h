/* SPDX-License-Identifier: GPL-2.0 */
/* Functions that all kinds of fds share. @privileged: the user may see all VMs. Context: task. */
#ifndef KVMW_FD_H
#define KVMW_FD_H

#include <linux/fs.h>
#include <linux/types.h>

struct kvmw_stat;
struct kvmwatch_stats_desc;

/* Charge an open fd. Returns 0, or -ENOBUFS if the limit is reached. */
int kvmw_fd_charge(bool privileged);
void kvmw_fd_uncharge(bool privileged);

/* The same for a mapped fd. */
int kvmw_map_charge(bool privileged);
void kvmw_map_uncharge(bool privileged);

/* Install a new fd with operations @fops. Returns the fd, or -errno. */
int kvmw_fd_install(const char *name, const struct file_operations *fops, void *data,
		    fmode_t mode);

void kvmw_stat_describe(struct kvmwatch_stats_desc *desc, const struct kvmw_stat *stat,
			u32 offset);

#endif /* KVMW_FD_H */
