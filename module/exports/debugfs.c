// SPDX-License-Identifier: GPL-2.0
/* The text interface. See debugfs.h. */
#include <linux/ctype.h>
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "debugfs.h"
#include "object.h"

static struct dentry *root, *vm_root;

/* --- one value a file ------------------------------------------------------- */

static const struct kvmw_stat *stat_by_name(unsigned int kind, const char *name)
{
	const struct kvmw_stat *stat;
	unsigned int nr, i;

	stat = kvmw_stats_table(kind, &nr);
	for (i = 0; i < nr; i++)
		if (!strcmp(stat[i].name, name))
			return &stat[i];
	return NULL;
}

/* Which statistic it is follows from the file's name, so no file needs memory of its own. */
static int value_show(struct seq_file *m, void *unused)
{
	struct kvmw_object *obj = m->private;
	const struct kvmw_stat *stat = stat_by_name(obj->kind, m->file->f_path.dentry->d_name.name);
	union kvmw_any_stats *stats;
	unsigned int i;

	if (WARN_ON_ONCE(!stat))
		return -EINVAL;
	/* The next of this name may be there already, and wait for this directory to go. */
	if (!kvmw_shown(obj))
		return -ENODEV;
	if (!kvmw_stat_available(stat, obj)) {
		seq_puts(m, "unavailable\n");
		return 0;
	}
	stats = kzalloc(sizeof(*stats), GFP_KERNEL);
	if (!stats)
		return -ENOMEM;
	kvmw_stats(obj, stats);
	for (i = 0; i < stat->size; i++)
		seq_printf(m, "%s%llu", i ? " " : "", kvmw_stat_cell(stat, stats, i));
	seq_putc(m, '\n');
	kfree(stats);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(value);

/* Those that are missing; which were made is known, as they have an order. */
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
 * Does another object have a directory of this name? debugfs_create_dir() fails then too, but
 * also complains in the kernel's log. Only the housekeeper makes directories here.
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

	/* The directory of a predecessor goes when the housekeeper buries that: next time. */
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
 * A directory takes some 10 KiB of the kernel's memory, and a VM may have 32764 slots. Those
 * from here on have none, nor have those without counters; the tables and the device have all.
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

/* --- tables ---------------------------------------------------------------- */

/* A cell of a table: the number, or "-" where it cannot be had. */
static void put_stat(struct seq_file *m, const struct kvmw_object *obj,
		     const union kvmw_any_stats *stats, const char *name, int width)
{
	const struct kvmw_stat *stat = stat_by_name(obj->kind, name);

	if (WARN_ON_ONCE(!stat))
		return;
	if (kvmw_stat_available(stat, obj))
		seq_printf(m, " %*llu", width, *(const u64 *)((const void *)stats + stat->offset));
	else
		seq_printf(m, " %*s", width, "-");
}

struct column {
	const char	*stat;
	const char	*head;
	int		width;
};

/* Which object a line is about, in the leading columns. */
struct table {
	unsigned int		kind;
	const char		*head;
	void			(*lead)(struct seq_file *m, const struct kvmw_object *obj);
	const struct column	*columns;
};

static void table_row(struct seq_file *m, const struct table *table, struct kvmw_object *obj,
		      union kvmw_any_stats *stats)
{
	const struct column *column;

	memset(stats, 0, sizeof(*stats));
	kvmw_stats(obj, stats);
	table->lead(m, obj);
	for (column = table->columns; column->stat; column++)
		put_stat(m, obj, stats, column->stat, column->width);
	seq_putc(m, '\n');
}

static int table_children(struct seq_file *m, const struct table *table, struct kvmw_vm *vm,
			  union kvmw_any_stats *stats)
{
	struct kvmw_object **objs;
	int nr, i;

	nr = kvmw_get_children(vm, table->kind, &objs);
	if (nr < 0)
		return nr;
	for (i = 0; i < nr; i++)
		table_row(m, table, objs[i], stats);
	kvmw_put_all(objs, nr);
	return 0;
}

static void table_head(struct seq_file *m, const struct table *table)
{
	const struct column *column;

	seq_puts(m, table->head);
	for (column = table->columns; column->stat; column++)
		seq_printf(m, " %*s", column->width, column->head);
	seq_putc(m, '\n');
}

/* A table without rows says that there is no VM, unless this says why not. */
static void put_blind(struct seq_file *m)
{
	char why[KVMW_BLIND_SIZE];

	kvmw_blind(why);
	if (*why)
		seq_printf(m, "# nothing is watched: %s\n", why);
}

/*
 * A table being read: the head, then a VM at a time, so that reading costs what it prints.
 * Which VMs there are is looked up at the start.
 */
struct table_reader {
	const struct table	*table;
	struct kvmw_object	**vms;
	int			nr;
	union kvmw_any_stats	stats;
};

static void table_forget(struct table_reader *reader)
{
	if (reader->vms)
		kvmw_put_all(reader->vms, reader->nr);
	reader->vms = NULL;
	reader->nr = 0;
}

static void *table_at(const struct table_reader *reader, loff_t pos)
{
	if (!pos)
		return SEQ_START_TOKEN;
	return pos <= reader->nr ? reader->vms[pos - 1] : NULL;
}

static void *table_start(struct seq_file *m, loff_t *pos)
{
	struct table_reader *reader = m->private;
	int nr;

	if (!*pos) {
		table_forget(reader);
		nr = kvmw_get_vms(&reader->vms);
		if (nr < 0)
			return ERR_PTR(nr);
		reader->nr = nr;
	}
	return table_at(reader, *pos);
}

static void *table_next(struct seq_file *m, void *unused, loff_t *pos)
{
	return table_at(m->private, ++*pos);
}

static void table_stop(struct seq_file *m, void *unused)
{
}

static int table_show(struct seq_file *m, void *it)
{
	struct table_reader *reader = m->private;
	struct kvmw_object *vm = it;

	if (it != SEQ_START_TOKEN && reader->table->kind != KVMWATCH_KIND_VM)
		return table_children(m, reader->table, vm->vm, &reader->stats);
	if (it == SEQ_START_TOKEN) {
		table_head(m, reader->table);
		put_blind(m);
	} else {
		table_row(m, reader->table, vm, &reader->stats);
	}
	return 0;
}

static const struct seq_operations table_ops = {
	.start = table_start, .next = table_next, .stop = table_stop, .show = table_show,
};

static int table_open(struct inode *inode, struct file *file)
{
	struct table_reader *reader = __seq_open_private(file, &table_ops, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->table = inode->i_private;
	return 0;
}

static int table_release(struct inode *inode, struct file *file)
{
	table_forget(((struct seq_file *)file->private_data)->private);
	return seq_release_private(inode, file);
}

static const struct file_operations table_fops = {
	.owner = THIS_MODULE, .open = table_open, .read = seq_read, .llseek = seq_lseek,
	.release = table_release,
};

/* Programs may have any name; a column has no blanks. */
static void one_word(char *to, const char *from, size_t size)
{
	strscpy(to, *from ? from : "-", size);
	for (; *to; to++)
		if (!isgraph(*to))
			*to = '_';
}

static void lead_vm(struct seq_file *m, const struct kvmw_object *obj)
{
	char comm[TASK_COMM_LEN];

	one_word(comm, obj->vm->comm, sizeof(comm));
	seq_printf(m, "%-4llu %-16s %-15s %9zu", obj->id, obj->vm->name, comm,
		   kvmw_vm_footprint(obj->vm));
}

static void lead_vcpu(struct seq_file *m, const struct kvmw_object *obj)
{
	const struct kvmw_vcpu *vcpu = container_of(obj, struct kvmw_vcpu, obj);

	seq_printf(m, "%-4llu %-16s %4u %7d", obj->vm->obj.id, obj->vm->name, vcpu->vcpu_id,
		   READ_ONCE(vcpu->tid));
}

static void lead_slot(struct seq_file *m, const struct kvmw_object *obj)
{
	const struct kvmw_slot *slot = container_of(obj, struct kvmw_slot, obj);

	seq_printf(m, "%-4llu %-16s %5u %5u %12llx %14lx %7s", obj->vm->obj.id, obj->vm->name,
		   obj->subkey >> 16, obj->subkey & 0xffff, READ_ONCE(slot->base_gfn),
		   READ_ONCE(slot->userspace_addr),
		   READ_ONCE(slot->flags) & KVM_MEM_LOG_DIRTY_PAGES ? "on" : "off");
}

static const struct column vm_columns[] = {
	{ "vcpus", "vcpus", 5 }, { "slots", "slots", 5 },
	{ "mapped_4k", "mapped_4k", 10 }, { "mapped_2m", "mapped_2m", 9 },
	{ "mapped_1g", "mapped_1g", 9 }, { "mapped_bytes", "mapped_bytes", 14 },
	{ "dirty_marks", "dirty_marks", 12 }, { "dirty_marks_new", "dirty_new", 12 },
	{ "halts", "halts", 10 }, { "lost_events", "lost", 6 }, {}
};

static const struct table vms_table = {
	KVMWATCH_KIND_VM, "id   name             comm            footprint", lead_vm, vm_columns,
};

static const struct column vcpu_columns[] = {
	{ "pcpu", "pcpu", 5 }, { "loads", "loads", 10 },
	{ "load_migrations", "migrations", 10 }, { "preemptions", "preemptions", 11 },
	{ "on_cpu_ns", "on_cpu_ns", 15 }, { "off_cpu_ns", "off_cpu_ns", 15 },
	{ "run_delay_ns", "run_delay_ns", 15 },
	{ "halts", "halts", 10 }, { "halt_time_ns", "halt_time_ns", 15 },
	{ "dirty_marks", "dirty_marks", 12 },
	{ "exits", "exits", 12 }, { "user_exits", "user_exits", 10 }, {}
};

static const struct table vcpus_table = {
	KVMWATCH_KIND_VCPU, "vm   name             vcpu     tid", lead_vcpu, vcpu_columns,
};

static const struct column slot_columns[] = {
	{ "npages", "npages", 10 }, { "mapped_4k", "mapped_4k", 10 },
	{ "mapped_2m", "mapped_2m", 9 }, { "mapped_1g", "mapped_1g", 9 },
	{ "mapped_bytes", "mapped_bytes", 14 }, { "dirty_marks", "dirty_marks", 12 },
	{ "dirty_marks_new", "dirty_new", 12 }, { "dirty_pages", "dirty_pages", 11 }, {}
};

static const struct table slots_table = {
	KVMWATCH_KIND_SLOT,
	"vm   name             as_id  slot     base_gfn userspace_addr logging",
	lead_slot, slot_columns,
};

static const struct column halt_poll_columns[] = {
	{ "halts", "halts", 10 }, { "wakeups_poll", "by_poll", 10 },
	{ "wakeups_wait", "by_wait", 10 }, { "wakeups_invalid", "invalid", 8 },
	{ "halt_poll_ns", "window_ns", 10 }, { "halt_poll_ns_max", "max_ns", 10 },
	{ "halt_poll_grow", "grow", 8 }, { "halt_poll_shrink", "shrink", 8 },
	{ "halt_poll_silent", "silent", 8 }, {}
};

static const struct table halt_poll_table = {
	KVMWATCH_KIND_VCPU, "vm   name             vcpu     tid", lead_vcpu, halt_poll_columns,
};

/* --- hooks ----------------------------------------------------------------- */

static const char *const kind_names[] = {
	[KVMWATCH_KIND_VM] = "vm", [KVMWATCH_KIND_VCPU] = "vcpu", [KVMWATCH_KIND_SLOT] = "slot",
};

/* The statistics that need a hook, as "vm:mapped_4k,vcpu:loads,...". */
static void put_dependants(struct seq_file *m, enum kvmw_hook_id id)
{
	const struct kvmw_stat *stat;
	unsigned int kind, nr, i;
	bool any = false;

	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_SLOT; kind++) {
		stat = kvmw_stats_table(kind, &nr);
		for (i = 0; i < nr; i++) {
			if (!(stat[i].needs & BIT_ULL(id)))
				continue;
			seq_printf(m, "%s%s:%s", any ? "," : "", kind_names[kind], stat[i].name);
			any = true;
		}
	}
	seq_puts(m, any ? "\n" : "-\n");
}

static void put_rounds(struct seq_file *m)
{
	u64 rounds, interrupts;

	kvmw_adopt_counts(&rounds, &interrupts);
	seq_printf(m, "# rounds that looked for VMs: %llu, CPUs interrupted for them: %llu\n",
		   rounds, interrupts);
}

/* How many there are, for whom they wait or whom they are about. */
static void put_records(struct seq_file *m)
{
	static const char *const names[] = { "VM", "vCPU", "slot" };
	unsigned int i, nr, ready;

	seq_puts(m, "# records (of them ready for new ones):");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		kvmw_kind_records(KVMWATCH_KIND_VM + i, &nr, &ready);
		seq_printf(m, "%s %s %u (%u)", i ? "," : "", names[i], nr, ready);
	}
	seq_putc(m, '\n');
}

/* What the counters of slots take, and whom the limits have left without. */
static void put_counters(struct seq_file *m)
{
	struct kvmw_counters it;

	kvmw_counters(&it);
	seq_printf(m, "# counters of slots: %zu bytes of %zu (slot_mb), for %u slots of a VM (vm_slots); slots without: %u\n",
		   it.bytes, it.bytes_max, it.slots_max, it.without);
}

static int hooks_show(struct seq_file *m, void *unused)
{
	struct kvmwatch_hook hook;
	int i;

	put_blind(m);
	seq_printf(m, "%-14s %-10s %-32s %12s %8s %-16s %s\n", "hook", "via", "target", "hits",
		   "misses", "state", "statistics");
	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		kvmw_hook_describe(i, &hook);
		if (hook.flags & KVMWATCH_HOOK_ATTACHED)
			seq_printf(m, "%-14s %-10s %-32s %12llu %8llu %-16s ", hook.name, hook.via,
				   hook.target, hook.hits, hook.misses, "attached");
		else
			seq_printf(m, "%-14s %-10s %-32s %12s %8s %-16s ", hook.name, "-",
				   hook.target, "-", "-", "missing");
		put_dependants(m, i);
	}
	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		kvmw_hook_describe(i, &hook);
		if (!(hook.flags & KVMWATCH_HOOK_ATTACHED))
			seq_printf(m, "# %s is missing: %s\n", hook.name, hook.reason);
	}
	if (kvmw_no_reasons())
		seq_printf(m, "# exit_reasons is unavailable: %s\n", kvmw_no_reasons());
	seq_printf(m, "# clock: %s\n", kvmw_clock_name());
	seq_printf(m, "# events of VMs without a record: %llu\n", kvmw_lost_unknown());
	put_rounds(m);
	seq_printf(m, "# bytes per VM %zu, vCPU %zu, slot %zu\n",
		   kvmw_kind_footprint(KVMWATCH_KIND_VM),
		   kvmw_kind_footprint(KVMWATCH_KIND_VCPU),
		   kvmw_kind_footprint(KVMWATCH_KIND_SLOT));
	put_records(m);
	put_counters(m);
	kvmw_vcpu_audit_describe(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(hooks);

/* --- start and end --------------------------------------------------------- */

static const struct {
	const char			*name;
	const struct table		*table;
	const struct file_operations	*fops;
} top_files[] = {
	{ "vms", &vms_table, &table_fops },
	{ "vcpus", &vcpus_table, &table_fops },
	{ "slots", &slots_table, &table_fops },
	{ "halt_poll", &halt_poll_table, &table_fops },
	{ "hooks", NULL, &hooks_fops },
};

/*
 * Without debugfs all of it does nothing, and the rest works: that is no error. After one,
 * kvmw_debugfs_exit() is to be called.
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
