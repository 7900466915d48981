// SPDX-License-Identifier: GPL-2.0
/* Functions that all kinds of fds share. See fd.h. */
#include <linux/anon_inodes.h>
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <uapi/linux/kvmwatch.h>

#include "exports/fd.h"
#include "numbers/describe.h"

static unsigned int fds = 32768;
module_param(fds, uint, 0444);
MODULE_PARM_DESC(fds, "fds that may be open at a time (default 32768); callers without CAP_PERFMON share a quarter as many, apart from that. An eighth of each may be mapped");

/* [0]: of unprivileged users; [1]: of users who may see all VMs. */
static atomic_t nr_fds[2], nr_maps[2];

static int charge(atomic_t *nr, bool privileged, unsigned int limit)
{
	if (!privileged)
		limit /= 4;
	if (atomic_inc_return(&nr[privileged]) <= limit)
		return 0;
	atomic_dec(&nr[privileged]);
	return -ENOBUFS;
}

int kvmw_fd_charge(bool privileged)
{
	return charge(nr_fds, privileged, min_t(unsigned int, fds, INT_MAX / 2));
}

void kvmw_fd_uncharge(bool privileged)
{
	atomic_dec(&nr_fds[privileged]);
}

int kvmw_map_charge(bool privileged)
{
	return charge(nr_maps, privileged, fds / 8);
}

void kvmw_map_uncharge(bool privileged)
{
	atomic_dec(&nr_maps[privileged]);
}

void kvmw_stat_describe(struct kvmwatch_stats_desc *desc, const struct kvmw_stat *stat,
			u32 offset)
{
	desc->flags = stat->flags;
	desc->exponent = stat->exponent;
	desc->size = stat->size;
	desc->offset = offset;
	desc->bucket_size = kvmw_stat_bucket_size(stat);
	strscpy(desc->name, stat->name, sizeof(desc->name));
}

int kvmw_fd_install(const char *name, const struct file_operations *fops, void *data,
		    fmode_t mode)
{
	struct file *file;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, data, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	file->f_mode |= mode;
	fd_install(fd, file);
	return fd;
}
