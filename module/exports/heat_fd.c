// SPDX-License-Identifier: GPL-2.0
/*
 * Fds for reading per-page heat. include/uapi/linux/kvmwatch.h has the format.
 *
 * Each read that touches the header or the slots makes them afresh. The entries of pages are copied
 * from where hits count, each entry as a whole.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "exports/fd.h"
#include "exports/heat_fd.h"
#include "numbers/snapshot.h"
#include "records/alloc.h"
#include "records/counts.h"
#include "records/heat.h"
#include "records/list.h"
#include "records/record.h"

struct heat_file {
	struct kvmw_object	*obj;		/* the VM or slot; holds a reference */
	bool			privileged;	/* which limit it is charged to */
	int			nr;
	struct kvmw_heat	**heats;
	/* Offset of the pages of each heat; the last entry is the size of the whole file. */
	u64			*offsets;
	u64			collects;	/* of the VM when it was opened */
	u64			uncovered;	/* sum_uncovered() when it was opened */
};

/* --- header and slots ---------------------------------------------------- */

static size_t head_size(const struct heat_file *hf)
{
	return sizeof(struct kvmwatch_heat_header) + hf->nr * sizeof(struct kvmw_heat_item);
}

static u64 slot_marks(const struct kvmw_slot *slot)
{
	struct kvmw_slot_cpu sum;

	kvmw_slot_cpu_sum(slot->cpu, &sum);
	return kvmw_marks(&sum);
}

/*
 * All marks of the VM except those of the slots that this fd covers. The VM's list and ours are
 * both sorted by id. A covered slot that is not on the list any more is part of vm->gone_slots, and
 * its marks do not change. A newborn slot gets on the list by kvmw_absorb().
 */
static u64 sum_uncovered(const struct heat_file *hf)
{
	struct kvmw_vm *vm = hf->obj->vm;
	struct kvmw_object *obj;
	u64 marks, ours = 0;
	int i = 0;

	kvmw_absorb();
	mutex_lock(&vm->lock);
	marks = kvmw_marks(&vm->gone_slots) + slot_marks(vm->stray);
	list_for_each_entry(obj, &vm->slots, node) {
		for (; i < hf->nr && list_empty(&kvmw_heat_slot(hf->heats[i])->obj.node); i++)
			ours += slot_marks(kvmw_heat_slot(hf->heats[i]));
		if (i < hf->nr && obj == &kvmw_heat_slot(hf->heats[i])->obj)
			i++;
		else
			marks += slot_marks(kvmw_to_slot(obj));
	}
	for (; i < hf->nr; i++)
		ours += slot_marks(kvmw_heat_slot(hf->heats[i]));
	mutex_unlock(&vm->lock);
	return marks - ours;
}

static void fill_head(const struct heat_file *hf, struct kvmwatch_heat_header *header)
{
	struct kvmw_heat_item *item = (void *)(header + 1);
	struct kvmw_vm *vm = hf->obj->vm;
	u64 outside;
	int i;

	*header = (struct kvmwatch_heat_header) {
		.header_size = sizeof(*header),
		.slot_offset = sizeof(*header),
		.slot_size = sizeof(*item),
		.slot_filled = sizeof(item->slot),
		.distinct_offset = offsetof(struct kvmw_heat_item, distinct),
		.nr_slots = hf->nr,
		.page_size = sizeof(struct kvmwatch_heat_page),
		.nr_windows = KVMW_HEAT_WINDOWS,
		.window_ns = KVMW_HEAT_TICK_NS,
		.vm = vm->obj.id,
		.ns = ktime_get_ns(),
		.collects = READ_ONCE(vm->collects) - hf->collects,
	};
	if (!kvmw_shown(&vm->obj))
		header->flags |= KVMWATCH_HEAT_ENDED;
	if (hf->obj->kind == KVMWATCH_KIND_VM)
		header->uncovered = sum_uncovered(hf) - hf->uncovered;
	for (i = 0; i < hf->nr; i++) {
		kvmw_heat_look(hf->heats[i], &item[i], &outside);
		item[i].slot.page_offset = hf->offsets[i];
		header->uncovered += outside;
		cond_resched();
	}
}

/* --- reads --------------------------------------------------------------- */

/* Returns the bytes copied, or -errno. */
static ssize_t read_head(const struct heat_file *hf, char __user *buf, size_t size, u64 pos)
{
	struct kvmwatch_heat_header *header = kvmalloc(head_size(hf), GFP_KERNEL);
	ssize_t ret;

	if (!header)
		return -ENOMEM;
	fill_head(hf, header);
	size = min_t(size_t, size, head_size(hf) - pos);
	ret = copy_to_user(buf, (u8 *)header + pos, size) ? -EFAULT : size;
	kvfree(header);
	return ret;
}

#define CHUNK	64	/* entries */

/* Read from @pos in the pages of one slot. Returns the bytes copied, or -errno. */
static ssize_t read_pages(const struct kvmw_heat *heat, char __user *buf, size_t size, u64 pos)
{
	unsigned long npages, i, first = pos / sizeof(u64);
	const u64 *pages = kvmw_heat_pages(heat, &npages);
	size_t skip = pos % sizeof(u64), part;
	u64 copy[CHUNK];

	for (i = 0; i < CHUNK && first + i < npages; i++)
		copy[i] = READ_ONCE(pages[first + i]);
	part = min_t(size_t, size, i * sizeof(u64) - skip);
	return copy_to_user(buf, (u8 *)copy + skip, part) ? -EFAULT : part;
}

/* The last heat whose pages start at or before @pos. */
static int heat_at(const struct heat_file *hf, u64 pos)
{
	int low = 0, high = hf->nr - 1, middle;

	while (low < high) {
		middle = (low + high + 1) / 2;
		if (hf->offsets[middle] <= pos)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static ssize_t read_part(const struct heat_file *hf, char __user *buf, size_t size, u64 pos)
{
	int i;

	if (pos < head_size(hf))
		return read_head(hf, buf, size, pos);
	i = heat_at(hf, pos);
	return read_pages(hf->heats[i], buf, size, pos - hf->offsets[i]);
}

static ssize_t heat_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	const struct heat_file *hf = file->private_data;
	u64 end = hf->offsets[hf->nr];
	size_t done = 0;
	ssize_t got;

	if (*pos < 0)
		return -EINVAL;
	if (*pos >= end)
		return 0;
	size = min_t(u64, size, end - *pos);
	while (done < size) {
		got = read_part(hf, buf + done, size - done, *pos + done);
		if (got < 0)
			return done ?: got;
		done += got;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	*pos += done;
	return done;
}

/* --- life ---------------------------------------------------------------- */

static void heat_file_free(struct heat_file *hf)
{
	if (hf->offsets)
		kvmw_heat_put(hf->heats, hf->nr);
	kvmw_put(hf->obj);
	kvmw_fd_uncharge(hf->privileged);
	kvfree(hf->offsets);
	kvfree(hf->heats);
	kfree(hf);
}

static int heat_release(struct inode *inode, struct file *file)
{
	heat_file_free(file->private_data);
	return 0;
}

static const struct file_operations heat_fops = {
	.owner		= THIS_MODULE,
	.read		= heat_read,
	.release	= heat_release,
	.llseek		= noop_llseek,
};

static void set_offsets(struct heat_file *hf, u64 *offsets)
{
	unsigned long npages;
	int i;

	offsets[0] = head_size(hf);
	for (i = 0; i < hf->nr; i++) {
		kvmw_heat_pages(hf->heats[i], &npages);
		offsets[i + 1] = offsets[i] + npages * sizeof(u64);
	}
	hf->offsets = offsets;
}

static int heat_file_begin(struct heat_file *hf, struct kvmw_slot **slots, int nr)
{
	u64 *offsets = kvcalloc(nr + 1, sizeof(*offsets), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	hf->heats = kvcalloc(nr ?: 1, sizeof(*hf->heats), GFP_KERNEL_ACCOUNT);
	if (hf->heats && offsets)
		err = kvmw_heat_get(slots, nr, hf->heats, hf->privileged);
	if (err) {
		kvfree(offsets);
		return err;
	}
	hf->nr = nr;
	set_offsets(hf, offsets);
	hf->collects = READ_ONCE(hf->obj->vm->collects);
	if (hf->obj->kind == KVMWATCH_KIND_VM)
		hf->uncovered = sum_uncovered(hf);
	return 0;
}

/*
 * Cover the one slot, or all current slots of a VM that can be logged. Slots that count in the
 * stray record are left out, as nothing tells their marks apart: these are uncovered, like marks of
 * slots that come later.
 */
static int heat_file_open(struct heat_file *hf)
{
	struct kvmw_slot **slots, *only = kvmw_to_slot(hf->obj);
	struct kvmw_object **objs;
	int nr, i, used = 0, err = -ENOMEM;

	if (hf->obj->kind == KVMWATCH_KIND_SLOT)
		return heat_file_begin(hf, &only, 1);
	kvmw_absorb();
	nr = kvmw_get_children(hf->obj->vm, KVMWATCH_KIND_SLOT, &objs);
	if (nr < 0)
		return nr;
	slots = kvcalloc(nr ?: 1, sizeof(*slots), GFP_KERNEL);
	if (slots) {
		for (i = 0; i < nr; i++)
			if (!kvmw_slot_internal(objs[i]) &&
			    !kvmw_slot_shares(kvmw_to_slot(objs[i])))
				slots[used++] = kvmw_to_slot(objs[i]);
		err = heat_file_begin(hf, slots, used);
	}
	kvfree(slots);
	kvmw_put_all(objs, nr);
	return err;
}

int kvmw_heat_fd(struct kvmw_object *obj, bool privileged)
{
	struct heat_file *hf;
	int fd;

	fd = kvmw_fd_charge(privileged);
	if (fd)
		return fd;
	hf = kzalloc(sizeof(*hf), GFP_KERNEL_ACCOUNT);
	if (!hf) {
		kvmw_fd_uncharge(privileged);
		return -ENOMEM;
	}
	kvmw_get(obj);
	hf->obj = obj;
	hf->privileged = privileged;
	fd = heat_file_open(hf);
	if (!fd)
		fd = kvmw_fd_install("[kvmwatch-heat]", &heat_fops, hf, FMODE_PREAD);
	if (fd < 0)
		heat_file_free(hf);
	return fd;
}
