// SPDX-License-Identifier: GPL-2.0
/*
 * All objects of a kind in one read, or in steps. See include/uapi/linux/kvmwatch.h.
 *
 * Between reads, an fd remembers only the ids of the last object that was read. A read takes a
 * snapshot of one object after the other, and copies each to the reader's memory while it holds no
 * lock but that of the fd. So the memory of an fd does not depend on the number of objects.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "exports/all_fd.h"
#include "exports/fd.h"
#include "exports/reader.h"
#include "numbers/bucket_names.h"
#include "numbers/describe.h"
#include "numbers/snapshot.h"
#include "records/alloc.h"
#include "records/generation.h"
#include "records/list.h"
#include "records/record.h"

struct all_file {
	struct kvmw_object		*vm;	/* holds a reference; NULL: all */
	bool				privileged;	/* which limit it is charged to */
	/* Serialises reads, and protects the members below. */
	struct mutex			lock;
	u64				last_generation;	/* of the last header */
	/* The last object of a read that left some out: ids of its VM and its own. */
	u64				at_vm, at;
	struct kvmwatch_all_header	header;	/* the members that never change */
	/* In the order of the descriptors. */
	const struct kvmw_stat		**stats;
	struct kvmwatch_stats_desc	*descs;
};

/* A read in progress. */
struct scan {
	const struct all_file	*af;
	union kvmw_any_stats	*stats;
	void			*item;
	char __user		*to;
	size_t			room;
	u32			nr, filled;
	u64			at_vm, at;	/* the last object that was filled in */
};

static bool is_histogram(const struct kvmw_stat *stat)
{
	u32 type = stat->flags & KVMWATCH_STATS_TYPE_MASK;

	return type == KVMWATCH_STATS_LINEAR_HIST || type == KVMWATCH_STATS_LOG_HIST;
}

static bool is_chosen(const struct kvmw_stat *stat, const struct kvmw_all_choice *choice)
{
	const char *name = choice->names, *end = name + choice->names_size;

	if (choice->no_histograms && is_histogram(stat))
		return false;
	if (!name)
		return true;
	for (; name < end; name += strlen(name) + 1)
		if (!strcmp(name, stat->name))
			return true;
	return false;
}

static void make_descs(struct all_file *af, const struct kvmw_all_choice *choice)
{
	struct kvmwatch_all_header *header = &af->header;
	const struct kvmw_stat *stat;
	unsigned int nr;
	u32 size = 0;

	for (stat = kvmw_stats_table(header->kind, &nr); nr; nr--, stat++) {
		if (!is_chosen(stat, choice))
			continue;
		kvmw_stat_describe(&af->descs[header->num_desc], stat, size);
		af->stats[header->num_desc++] = stat;
		size += stat->size * sizeof(u64);
	}
	header->header_size = sizeof(*header);
	header->vendor = kvmw_vendor();
	header->instance = kvmw_instance();
	header->desc_offset = sizeof(*header);
	header->desc_size = sizeof(*af->descs);
	header->item_offset = header->desc_offset + header->num_desc * header->desc_size;
	header->item_filled = sizeof(struct kvmwatch_all_item);
	header->bits_offset = sizeof(struct kvmwatch_all_item);
	header->data_offset = header->bits_offset +
			      DIV_ROUND_UP(header->num_desc, 64) * sizeof(u64);
	header->item_size = header->data_offset + size;
}

/*
 * A number is good if its statistic is available both before and after the snapshot. Other cells
 * are cleared, so that nothing of the previous object leaks.
 */
static void fill_numbers(struct scan *scan, struct kvmw_object *obj)
{
	const struct all_file *af = scan->af;
	u64 *bits = scan->item + af->header.bits_offset, met;
	u32 i;
	u64 *cells;

	met = kvmw_needs_met(obj);
	kvmw_stats(obj, NULL, scan->stats);
	met &= kvmw_needs_met(obj);
	memset(bits, 0, DIV_ROUND_UP(af->header.num_desc, 64) * sizeof(u64));
	for (i = 0; i < af->header.num_desc; i++) {
		cells = scan->item + af->header.data_offset + af->descs[i].offset;
		if (kvmw_stat_needs_only(af->stats[i], met)) {
			bits[i / 64] |= BIT_ULL(i % 64);
			kvmw_stat_cells(af->stats[i], scan->stats, cells);
		} else {
			memset(cells, 0, af->stats[i]->size * sizeof(*cells));
		}
	}
}

static void fill_item(struct kvmwatch_all_item *item, struct kvmw_object *obj)
{
	memset(item, 0, sizeof(*item));
	item->vm = obj->vm->obj.id;
	item->id = obj->id;
	item->pid = kvmw_reader_pid(obj->vm, &item->flags);
	strscpy(item->name, obj->vm->name, sizeof(item->name));
	if (obj->kind == KVMWATCH_KIND_VCPU) {
		item->number = kvmw_to_vcpu(obj)->vcpu_id;
		item->tid = kvmw_reader_tid(kvmw_to_vcpu(obj), &item->flags);
	} else if (obj->kind == KVMWATCH_KIND_SLOT) {
		item->number = obj->subkey;
	} else if (!kvmw_shown(obj)) {
		item->flags |= KVMWATCH_ITEM_ENDED;
	}
}

/* Did an earlier read return this object? Objects come VM by VM, sorted by id within each. */
static bool was_read(const struct all_file *af, const struct kvmw_object *obj)
{
	u64 vm = obj->vm->obj.id;

	return vm < af->at_vm || (vm == af->at_vm && obj->id <= af->at);
}

static int scan_object(void *arg, struct kvmw_object *obj)
{
	struct scan *scan = arg;
	size_t size = scan->af->header.item_size;

	if (was_read(scan->af, obj))
		return 0;
	scan->nr++;
	if (scan->room < size)
		return 0;
	fill_item(scan->item, obj);
	if (scan->af->header.num_desc)
		fill_numbers(scan, obj);
	if (copy_to_user(scan->to, scan->item, size))
		return -EFAULT;
	scan->to += size;
	scan->room -= size;
	scan->filled++;
	scan->at_vm = obj->vm->obj.id;
	scan->at = obj->id;
	cond_resched();
	return signal_pending(current) && fatal_signal_pending(current) ? -EINTR : 0;
}

static const struct kvmw_changes *changes_of(const struct all_file *af)
{
	return af->vm ? &af->vm->vm->changes : NULL;
}

/* Copy the header, and the descriptors if they fit. Returns the bytes of the read, or -errno. */
static ssize_t put_head(const struct all_file *af, const struct kvmwatch_all_header *header,
			char __user *buf, size_t size)
{
	if (copy_to_user(buf, header, sizeof(*header)))
		return -EFAULT;
	if (size < header->item_offset)
		return sizeof(*header);
	if (copy_to_user(buf + header->desc_offset, af->descs,
			 header->item_offset - header->desc_offset))
		return -EFAULT;
	return header->item_offset + (ssize_t)header->filled * header->item_size;
}

/* Let the next read go on behind the last object, or start over after a complete read. */
static void set_position(struct all_file *af, const struct scan *scan)
{
	if (scan->filled == scan->nr) {
		af->at_vm = 0;
		af->at = 0;
	} else if (scan->filled) {
		af->at_vm = scan->at_vm;
		af->at = scan->at;
	}
}

static ssize_t scan_all(struct all_file *af, struct scan *scan, char __user *buf, size_t size)
{
	struct kvmwatch_all_header header = af->header;
	u64 generation = af->last_generation;
	ssize_t ret;

	/* This may signal a change that the read includes; it never misses one. */
	if (!af->at_vm)
		generation = kvmw_generation_before(header.kind, changes_of(af));
	header.generation = generation;
	header.begin_ns = ktime_get_ns();
	ret = kvmw_each(header.kind, af->vm, scan_object, scan);
	if (ret)
		return ret;
	header.end_ns = ktime_get_ns();
	header.nr = scan->nr;
	header.filled = scan->filled;
	if (scan->filled < scan->nr)
		header.flags |= KVMWATCH_ALL_MORE;
	if (kvmw_generation_after(header.kind, changes_of(af)) != generation)
		header.flags |= KVMWATCH_ALL_CHANGED;
	ret = put_head(af, &header, buf, size);
	if (ret < 0)
		return ret;
	WRITE_ONCE(af->last_generation, generation);
	set_position(af, scan);
	return ret;
}

static ssize_t all_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct all_file *af = file->private_data;
	struct scan scan = { .af = af };
	ssize_t ret = -ENOMEM;

	if (size < sizeof(af->header))
		return -EINVAL;
	if (size > af->header.item_offset) {
		scan.to = buf + af->header.item_offset;
		scan.room = min_t(size_t, size, INT_MAX) - af->header.item_offset;
	}
	scan.stats = kmalloc(sizeof(*scan.stats), GFP_KERNEL);
	/* Zero, for kvmw_stat_cells(): items of one fd all have the same cells. */
	scan.item = kvzalloc(af->header.item_size, GFP_KERNEL);
	if (scan.stats && scan.item && !mutex_lock_interruptible(&af->lock)) {
		ret = scan_all(af, &scan, buf, size);
		mutex_unlock(&af->lock);
	} else if (scan.stats && scan.item) {
		ret = -ERESTARTSYS;
	}
	kvfree(scan.item);
	kfree(scan.stats);
	return ret;
}

/* SEEK_SET to 0 makes the next read start over. */
static loff_t all_llseek(struct file *file, loff_t offset, int whence)
{
	struct all_file *af = file->private_data;

	if (offset || whence != SEEK_SET)
		return -EINVAL;
	mutex_lock(&af->lock);
	af->at_vm = 0;
	af->at = 0;
	mutex_unlock(&af->lock);
	return 0;
}

static __poll_t all_poll(struct file *file, poll_table *wait)
{
	struct all_file *af = file->private_data;

	poll_wait(file, kvmw_changed(af->header.kind, changes_of(af)), wait);
	if (kvmw_generation_after(af->header.kind, changes_of(af)) ==
	    READ_ONCE(af->last_generation))
		return 0;
	return EPOLLIN | EPOLLRDNORM;
}

static void all_file_free(struct all_file *af)
{
	if (af->vm)
		kvmw_put(af->vm);
	kvmw_fd_uncharge(af->privileged);
	kvfree(af->stats);
	kvfree(af->descs);
	kfree(af);
}

static int all_release(struct inode *inode, struct file *file)
{
	all_file_free(file->private_data);
	return 0;
}

static const struct file_operations all_fops = {
	.owner		= THIS_MODULE,
	.read		= all_read,
	.poll		= all_poll,
	.llseek		= all_llseek,
	.release	= all_release,
};

int kvmw_all_fd(u32 kind, struct kvmw_object *vm, const struct kvmw_all_choice *choice,
		bool privileged)
{
	struct all_file *af;
	unsigned int nr;
	int fd;

	fd = kvmw_fd_charge(privileged);
	if (fd)
		return fd;
	af = kzalloc(sizeof(*af), GFP_KERNEL_ACCOUNT);
	if (!af) {
		kvmw_fd_uncharge(privileged);
		return -ENOMEM;
	}
	if (vm)
		kvmw_get(vm);
	af->vm = vm;
	af->privileged = privileged;
	mutex_init(&af->lock);
	af->header.kind = kind;
	af->last_generation = kvmw_generation_after(kind, changes_of(af));
	kvmw_stats_table(kind, &nr);
	af->stats = kvcalloc(nr, sizeof(*af->stats), GFP_KERNEL_ACCOUNT);
	af->descs = kvcalloc(nr, sizeof(*af->descs), GFP_KERNEL_ACCOUNT);
	if (!af->stats || !af->descs) {
		all_file_free(af);
		return -ENOMEM;
	}
	make_descs(af, choice);
	fd = kvmw_fd_install("[kvmwatch-all]", &all_fops, af, FMODE_LSEEK);
	if (fd < 0)
		all_file_free(af);
	return fd;
}
