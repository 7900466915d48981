/* SPDX-License-Identifier: GPL-2.0 */
/* What all kinds of fds share. @privileged: its holder may see all VMs. Context: task. */
#ifndef KVMW_FD_H
#define KVMW_FD_H

#include <linux/fs.h>
#include <linux/types.h>

struct kvmw_stat;
struct kvmwatch_stats_desc;

/* Count an open fd: 0, or -ENOBUFS beyond the limit. Give it back. */
int kvmw_fd_charge(bool privileged);
void kvmw_fd_uncharge(bool privileged);

/* The same for mapped fds. */
int kvmw_map_charge(bool privileged);
void kvmw_map_uncharge(bool privileged);

/* Install an fd for @file's operations. Returns it, or -errno. */
int kvmw_fd_install(const char *name, const struct file_operations *fops, void *data,
		    fmode_t mode);

void kvmw_stat_describe(struct kvmwatch_stats_desc *desc, const struct kvmw_stat *stat,
			u32 offset);

#endif /* KVMW_FD_H */
