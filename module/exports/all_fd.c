// SPDX-License-Identifier: GPL-2.0
/*
 * All objects of a kind in one read. See include/uapi/linux/kvmwatch.h.
 *
 * Nothing is kept between reads: objects are looked at one after the other, and each goes
 * to the reader's memory when no lock is held. What an fd takes does not depend on how many
 * there are.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "exports/all_fd.h"
#include "exports/fd.h"
#include "numbers/describe.h"
#include "numbers/snapshot.h"
#include "records/alloc.h"
#include "records/generation.h"
#include "records/list.h"
#include "records/record.h"

struct all_file {
	struct kvmw_object		*vm;	/* holds a reference; NULL: all */
	u64				told;	/* the generation last told */
	bool				all;	/* as charged */
	struct kvmwatch_all_header	header;	/* what never changes of it */
	/* In the order of the descriptors. */
	const struct kvmw_stat		**stats;
	struct kvmwatch_stats_desc	*descs;
};

/* A read that goes on. */
struct look {
	const struct all_file	*af;
	union kvmw_any_stats	*stats;
	void			*item;
	char __user		*to;
	size_t			room;
	u32			nr, filled;
};

static bool is_histogram(const struct kvmw_stat *stat)
{
	u32 type = stat->flags & KVMWATCH_STATS_TYPE_MASK;

	return type == KVMWATCH_STATS_LINEAR_HIST || type == KVMWATCH_STATS_LOG_HIST;
}

static void make_descs(struct all_file *af, bool no_histograms)
{
	struct kvmwatch_all_header *header = &af->header;
	const struct kvmw_stat *stat;
	unsigned int nr;
	u32 size = 0;

	for (stat = kvmw_stats_table(header->kind, &nr); nr; nr--, stat++) {
		if (no_histograms && is_histogram(stat))
			continue;
		kvmw_stat_describe(&af->descs[header->num_desc], stat, size);
		af->stats[header->num_desc++] = stat;
		size += stat->size * sizeof(u64);
	}
	header->desc_offset = sizeof(*header);
	header->desc_size = sizeof(*af->descs);
	header->item_offset = header->desc_offset + header->num_desc * header->desc_size;
	header->data_offset = sizeof(struct kvmwatch_all_item) +
			      DIV_ROUND_UP(header->num_desc, 64) * sizeof(u64);
	header->item_size = header->data_offset + size;
}

/* What can be had of it, as bits. */
static void look_available(const struct all_file *af, const struct kvmw_object *obj, u64 *bits)
{
	u32 i;

	memset(bits, 0, DIV_ROUND_UP(af->header.num_desc, 64) * sizeof(u64));
	for (i = 0; i < af->header.num_desc; i++)
		if (kvmw_stat_available(af->stats[i], obj))
			bits[i / 64] |= BIT_ULL(i % 64);
}

/*
 * A number must have been available before it was taken, and not been withdrawn since.
 * What is not available is 0, so that nothing of others gets out.
 */
static void look_numbers(struct look *look, struct kvmw_object *obj)
{
	const struct all_file *af = look->af;
	u64 *bits = look->item + sizeof(struct kvmwatch_all_item);
	u32 i, j;
	u64 *cells;

	memset(look->stats, 0, sizeof(*look->stats));
	look_available(af, obj, bits);
	kvmw_stats(obj, look->stats);
	for (i = 0; i < af->header.num_desc; i++) {
		if (!kvmw_stat_available(af->stats[i], obj))
			bits[i / 64] &= ~BIT_ULL(i % 64);
		cells = look->item + af->header.data_offset + af->descs[i].offset;
		for (j = 0; j < af->stats[i]->size; j++)
			cells[j] = bits[i / 64] & BIT_ULL(i % 64) ?
				   kvmw_stat_cell(af->stats[i], look->stats, j) : 0;
	}
}

static int look_at(void *arg, struct kvmw_object *obj)
{
	struct look *look = arg;
	struct kvmwatch_all_item *item = look->item;
	size_t size = look->af->header.item_size;

	look->nr++;
	if (look->room < size)
		return 0;
	*item = (struct kvmwatch_all_item) { .vm = obj->vm->obj.id, .id = obj->id };
	if (obj->kind == KVMWATCH_KIND_VCPU)
		item->number = kvmw_to_vcpu(obj)->vcpu_id;
	else if (obj->kind == KVMWATCH_KIND_SLOT)
		item->number = obj->subkey;
	if (obj->kind == KVMWATCH_KIND_VM && !kvmw_shown(obj))
		item->flags |= KVMWATCH_ITEM_ENDED;
	look_numbers(look, obj);
	if (copy_to_user(look->to, item, size))
		return -EFAULT;
	look->to += size;
	look->room -= size;
	look->filled++;
	cond_resched();
	return signal_pending(current) && fatal_signal_pending(current) ? -EINTR : 0;
}

static int look_around(struct all_file *af, struct look *look, char __user *buf)
{
	struct kvmwatch_all_header header = af->header;
	int err;

	/* A change that goes on or comes makes it look old, never new. */
	header.generation = kvmw_generation_before();
	header.begin_ns = ktime_get_ns();
	err = kvmw_each(header.kind, af->vm, look_at, look);
	if (err)
		return err;
	header.end_ns = ktime_get_ns();
	header.nr = look->nr;
	header.filled = look->filled;
	if (copy_to_user(buf, &header, sizeof(header)) ||
	    copy_to_user(buf + header.desc_offset, af->descs,
			 header.item_offset - header.desc_offset))
		return -EFAULT;
	WRITE_ONCE(af->told, header.generation);
	return 0;
}

static ssize_t all_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct all_file *af = file->private_data;
	struct look look = { .af = af };
	ssize_t ret = -ENOMEM;

	if (size < af->header.item_offset)
		return -EINVAL;
	look.to = buf + af->header.item_offset;
	look.room = min_t(size_t, size, INT_MAX) - af->header.item_offset;
	look.stats = kmalloc(sizeof(*look.stats), GFP_KERNEL);
	look.item = kvmalloc(af->header.item_size, GFP_KERNEL);
	if (look.stats && look.item)
		ret = look_around(af, &look, buf);
	kvfree(look.item);
	kfree(look.stats);
	return ret ?: af->header.item_offset + (ssize_t)look.filled * af->header.item_size;
}

static __poll_t all_poll(struct file *file, poll_table *wait)
{
	struct all_file *af = file->private_data;

	poll_wait(file, &kvmw_changed, wait);
	return kvmw_generation_after() == READ_ONCE(af->told) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static void all_file_free(struct all_file *af)
{
	if (af->vm)
		kvmw_put(af->vm);
	kvmw_fd_uncharge(af->all);
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
	.release	= all_release,
};

int kvmw_all_fd(u32 kind, struct kvmw_object *vm, bool no_histograms, bool all)
{
	struct all_file *af;
	unsigned int nr;
	int fd;

	fd = kvmw_fd_charge(all);
	if (fd)
		return fd;
	af = kzalloc(sizeof(*af), GFP_KERNEL_ACCOUNT);
	if (!af) {
		kvmw_fd_uncharge(all);
		return -ENOMEM;
	}
	if (vm)
		kvmw_get(vm);
	af->vm = vm;
	af->all = all;
	af->header.kind = kind;
	af->told = kvmw_generation_after();
	kvmw_stats_table(kind, &nr);
	af->stats = kvcalloc(nr, sizeof(*af->stats), GFP_KERNEL_ACCOUNT);
	af->descs = kvcalloc(nr, sizeof(*af->descs), GFP_KERNEL_ACCOUNT);
	if (!af->stats || !af->descs) {
		all_file_free(af);
		return -ENOMEM;
	}
	make_descs(af, no_histograms);
	fd = kvmw_fd_install("[kvmwatch-all]", &all_fops, af, 0);
	if (fd < 0)
		all_file_free(af);
	return fd;
}
