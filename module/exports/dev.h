/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/kvmwatch: the ioctls of include/uapi/linux/kvmwatch.h. Opens stats fds, which
 * are in stats_fd.c, and fds of all objects of a kind, which are in all_fd.c. Context: task.
 */
#ifndef KVMW_DEV_H
#define KVMW_DEV_H

#include <linux/fs.h>
#include <linux/types.h>

struct kvmw_object;
struct kvmw_stat;
struct kvmwatch_stats_desc;

int kvmw_dev_init(void);
void kvmw_dev_exit(void);

/*
 * A new fd to read @obj with, or a negative errno. Takes a reference of its own. @all: for
 * somebody who may see all VMs.
 */
int kvmw_stats_fd(struct kvmw_object *obj, bool all);
/* When no fd is open any more. */
void kvmw_stats_fds_exit(void);

/* The same for all objects of a kind, of @vm or, with NULL, of all VMs. */
int kvmw_all_fd(u32 kind, struct kvmw_object *vm, bool no_histograms, bool all);

/* An fd to read the heat of each page with, of the VM or slot @obj. See heat.h. */
int kvmw_heat_fd(struct kvmw_object *obj, bool all);

/* --- what all kinds of fds share -------------------------------------------- */

/* How many fds there may be: count one more, -ENOBUFS; one less. */
int kvmw_fd_charge(bool all);
void kvmw_fd_uncharge(bool all);

/* Install an fd for @file's operations. Returns it, or -errno. */
int kvmw_fd_install(const char *name, const struct file_operations *fops, void *data,
		    fmode_t mode);

void kvmw_stat_describe(struct kvmwatch_stats_desc *desc, const struct kvmw_stat *stat,
			u32 offset);

/*
 * Call for each shown object of a kind, of @only_vm (also when that has ended) or, with
 * NULL, of all VMs, until it returns something else than 0. No lock is held.
 */
typedef int kvmw_each_fn(void *arg, struct kvmw_object *obj);
int kvmw_each(u32 kind, struct kvmw_object *only_vm, kvmw_each_fn *fn, void *arg);

#endif /* KVMW_DEV_H */
