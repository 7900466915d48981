// SPDX-License-Identifier: GPL-2.0
/* Tables of all objects of a kind, for people and awk. See tables.h. */
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <uapi/linux/kvmwatch.h>

#include "exports/tables.h"
#include "numbers/describe.h"
#include "numbers/footprint.h"
#include "numbers/snapshot.h"
#include "records/list.h"
#include "records/record.h"

void kvmw_put_blind(struct seq_file *m)
{
	char why[KVMW_BLIND_SIZE];

	kvmw_blind(why);
	if (*why)
		seq_printf(m, "# nothing is watched: %s\n", why);
}

struct column {
	const char	*stat;
	const char	*head;
	int		width;
};

/* A table. @lead prints the leading columns, which identify the object of a line. */
struct kvmw_table {
	unsigned int		kind;
	const char		*head;
	void			(*lead)(struct seq_file *m, const struct kvmw_object *obj);
	const struct column	*columns;
};

#define MAX_COLUMNS	16

/*
 * A read of a table: the head, then one VM after the other, so that a partial read does no more
 * work than it prints. The VMs are looked up at the start.
 */
struct table_reader {
	const struct kvmw_table	*table;
	const struct kvmw_stat	*columns[MAX_COLUMNS];	/* as the table has them */
	unsigned int		nr_columns;
	struct kvmw_object	**vms;
	int			nr;
	union kvmw_any_stats	stats;
};

/* A bit for each column whose statistic is available. */
static u32 columns_available(const struct table_reader *reader, const struct kvmw_object *obj)
{
	u64 met = kvmw_needs_met(obj);
	u32 bits = 0;
	unsigned int i;

	for (i = 0; i < reader->nr_columns; i++)
		if (kvmw_stat_needs_only(reader->columns[i], met))
			bits |= BIT(i);
	return bits;
}

/*
 * Print "-" in place of an unavailable number. A number is good if its statistic is available both
 * before and after the snapshot.
 */
static void table_row(struct seq_file *m, struct table_reader *reader, struct kvmw_object *obj)
{
	const struct column *column = reader->table->columns;
	u32 available = columns_available(reader, obj);
	unsigned int i;

	kvmw_stats(obj, NULL, &reader->stats);
	available &= columns_available(reader, obj);
	reader->table->lead(m, obj);
	for (i = 0; i < reader->nr_columns; i++) {
		if (available & BIT(i))
			seq_printf(m, " %*llu", column[i].width,
				   kvmw_stat_cell(reader->columns[i], &reader->stats, 0));
		else
			seq_printf(m, " %*s", column[i].width, "-");
	}
	seq_putc(m, '\n');
}

static int table_children(struct seq_file *m, struct table_reader *reader, struct kvmw_vm *vm)
{
	struct kvmw_object **objs;
	int nr, i;

	nr = kvmw_get_children(vm, reader->table->kind, &objs);
	if (nr < 0)
		return nr;
	for (i = 0; i < nr; i++)
		table_row(m, reader, objs[i]);
	kvmw_put_all(objs, nr);
	return 0;
}

static void table_head(struct seq_file *m, const struct kvmw_table *table)
{
	const struct column *column;

	seq_puts(m, table->head);
	for (column = table->columns; column->stat; column++)
		seq_printf(m, " %*s", column->width, column->head);
	seq_putc(m, '\n');
}

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
		return table_children(m, reader, vm->vm);
	if (it == SEQ_START_TOKEN) {
		table_head(m, reader->table);
		kvmw_put_blind(m);
	} else {
		table_row(m, reader, vm);
	}
	return 0;
}

static const struct seq_operations table_ops = {
	.start = table_start, .next = table_next, .stop = table_stop, .show = table_show,
};

static int table_open(struct inode *inode, struct file *file)
{
	struct table_reader *reader = __seq_open_private(file, &table_ops, sizeof(*reader));
	const struct column *column;
	const struct kvmw_stat *stat;

	if (!reader)
		return -ENOMEM;
	reader->table = inode->i_private;
	for (column = reader->table->columns; column->stat; column++) {
		stat = kvmw_stat_by_name(reader->table->kind, column->stat);
		if (!WARN_ON_ONCE(!stat || reader->nr_columns == MAX_COLUMNS))
			reader->columns[reader->nr_columns++] = stat;
	}
	return 0;
}

static int table_release(struct inode *inode, struct file *file)
{
	table_forget(((struct seq_file *)file->private_data)->private);
	return seq_release_private(inode, file);
}

const struct file_operations kvmw_table_fops = {
	.owner = THIS_MODULE, .open = table_open, .read = seq_read, .llseek = seq_lseek,
	.release = table_release,
};

/* The name of a program may contain anything, but a column must not contain blanks. */
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

const struct kvmw_table kvmw_vms_table = {
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

const struct kvmw_table kvmw_vcpus_table = {
	KVMWATCH_KIND_VCPU, "vm   name             vcpu     tid", lead_vcpu, vcpu_columns,
};

static const struct column slot_columns[] = {
	{ "npages", "npages", 10 }, { "mapped_4k", "mapped_4k", 10 },
	{ "mapped_2m", "mapped_2m", 9 }, { "mapped_1g", "mapped_1g", 9 },
	{ "mapped_bytes", "mapped_bytes", 14 }, { "dirty_marks", "dirty_marks", 12 },
	{ "dirty_marks_new", "dirty_new", 12 }, { "dirty_pages", "dirty_pages", 11 }, {}
};

const struct kvmw_table kvmw_slots_table = {
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

const struct kvmw_table kvmw_halt_poll_table = {
	KVMWATCH_KIND_VCPU, "vm   name             vcpu     tid", lead_vcpu, halt_poll_columns,
};
