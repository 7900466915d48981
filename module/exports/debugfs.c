// SPDX-License-Identifier: GPL-2.0
/* The text interface. See debugfs.h. */
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <uapi/linux/kvmwatch.h>

#include "exports/debugfs.h"
#include "exports/hooks_file.h"
#include "exports/tables.h"
#include "numbers/describe.h"
#include "numbers/snapshot.h"
#include "records/list.h"
#include "records/record.h"

static struct dentry *root, *vm_root;

/* --- one file per statistic ------------------------------------------------- */

static void put_value(struct seq_file *m, const struct kvmw_stat *stat,
		      const union kvmw_any_stats *stats)
{
	unsigned int i;

	/* By seq_printf() a number takes five times as long. */
	for (i = 0; i < stat->size; i++)
		seq_put_decimal_ull(m, i ? " " : "", kvmw_stat_cell(stat, stats, i));
	seq_putc(m, '\n');
}

/*
 * The name of the file identifies the statistic, so a file needs no memory of its own. The number
 * is good if the statistic is available both before and after the snapshot.
 */
static int value_show(struct seq_file *m, void *unused)
{
	struct kvmw_object *obj = m->private;
	const char *name = m->file->f_path.dentry->d_name.name;
	const struct kvmw_stat *stat = kvmw_stat_by_name(obj->kind, name);
	union kvmw_any_stats *stats;
	bool available;

	if (WARN_ON_ONCE(!stat))
		return -EINVAL;
	/* A successor of the same name may exist already, and get its directory after this one. */
	if (!kvmw_shown(obj))
		return -ENODEV;
	if (!kvmw_stat_available(stat, obj))
		goto unavailable;
	stats = kvmw_stats_alloc(obj, stat);
	if (!stats)
		return -ENOMEM;
	kvmw_stats(obj, stat, stats);
	available = kvmw_stat_available(stat, obj);
	if (available)
		put_value(m, stat, stats);
	kfree(stats);
	if (available)
		return 0;
unavailable:
	seq_puts(m, "unavailable\n");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(value);

/* Create the missing files. They come in the order of the table, so obj->files has the next. */
static bool add_files(struct kvmw_object *obj)
{
	const struct kvmw_stat *stat;
	unsigned int nr;

	stat = kvmw_stats_table(obj->kind, &nr);
	for (; obj->files < nr; obj->files++)
		if (IS_ERR(debugfs_create_file(stat[obj->files].name, 0444, obj->dir, obj,
					       &value_fops)))
			return false;
	return true;
}

/*
 * Does another object have a directory of this name? debugfs_create_dir() would fail, but also
 * complain in the kernel's log. Only the housekeeper creates directories here, so this is no race.
 */
static bool is_taken(struct dentry *parent, const char *name)
{
	struct dentry *dir = debugfs_lookup(name, parent);

	dput(dir);
	return dir;
}

static bool add_dir(struct kvmw_object *obj, struct dentry *parent, const char *name)
{
	struct dentry *dir;

	/* The next round tries again: the housekeeper removes a dead predecessor's directory. */
	if (!obj->dir) {
		if (is_taken(parent, name))
			return false;
		dir = debugfs_create_dir(name, parent);
		if (IS_ERR(dir))
			return false;
		obj->dir = dir;
	}
	return add_files(obj);
}

/*
 * A directory takes some 10 KiB of kernel memory, and a VM may have 32764 slots. Slots with this id
 * and above get no directory, nor do slots without counters. The tables and the device show all.
 */
#define FIRST_SLOT_WITHOUT_DIR	512

static bool has_no_dir(const struct kvmw_object *slot)
{
	return (slot->subkey & 0xffff) >= FIRST_SLOT_WITHOUT_DIR ||
	       kvmw_slot_shares(container_of(slot, struct kvmw_slot, obj));
}

bool kvmw_debugfs_add(struct kvmw_object *obj)
{
	struct dentry *parent = obj->vm->obj.dir;
	char name[32];

	lockdep_assert_held(&kvmw_lock);
	if (IS_ERR_OR_NULL(vm_root))
		return true;	/* there is no debugfs */
	if (obj->kind == KVMWATCH_KIND_VM)
		return add_dir(obj, vm_root, obj->vm->name);
	if (obj->kind == KVMWATCH_KIND_SLOT && has_no_dir(obj))
		return true;
	if (!parent)
		return false;
	if (obj->kind == KVMWATCH_KIND_VCPU)
		snprintf(name, sizeof(name), "vcpu%u", kvmw_to_vcpu(obj)->vcpu_id);
	else
		snprintf(name, sizeof(name), "slot%u-%u", obj->subkey >> 16, obj->subkey & 0xffff);
	return add_dir(obj, parent, name);
}

void kvmw_debugfs_remove(struct kvmw_object *obj)
{
	debugfs_remove(obj->dir);
	obj->dir = NULL;
}

/* --- start and end --------------------------------------------------------- */

static const struct {
	const char			*name;
	const struct kvmw_table		*table;
	const struct file_operations	*fops;
} top_files[] = {
	{ "vms", &kvmw_vms_table, &kvmw_table_fops },
	{ "vcpus", &kvmw_vcpus_table, &kvmw_table_fops },
	{ "slots", &kvmw_slots_table, &kvmw_table_fops },
	{ "halt_poll", &kvmw_halt_poll_table, &kvmw_table_fops },
	{ "hooks", NULL, &kvmw_hooks_fops },
};

/*
 * A kernel without debugfs is no error: then these functions do nothing. After an error call
 * kvmw_debugfs_exit().
 */
int kvmw_debugfs_init(void)
{
	struct dentry *file;
	size_t i;

	root = debugfs_create_dir("kvmwatch", NULL);
	vm_root = debugfs_create_dir("vm", root);
	file = vm_root;
	for (i = 0; i < ARRAY_SIZE(top_files) && !IS_ERR(file); i++)
		file = debugfs_create_file(top_files[i].name, 0444, root,
					   (void *)top_files[i].table, top_files[i].fops);
	return PTR_ERR_OR_ZERO(file) == -ENOMEM ? -ENOMEM : 0;
}

void kvmw_debugfs_exit(void)
{
	debugfs_remove(root);
}
