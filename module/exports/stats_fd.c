// SPDX-License-Identifier: GPL-2.0
/*
 * Stats fds: an object's numbers in the format of KVM_GET_STATS_FD.
 *
 * Header, id string and descriptors are made when the fd is opened, and never change. The
 * descriptors are those of statistics that are available for the object at that time. Each read
 * that touches the data takes a new snapshot.
 *
 * The refresher, a work item, periodically copies the data of mapped fds. Hits know nothing of
 * that: they count in records, never in memory that a process can map. docs/abi.md has the reasons.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <uapi/linux/kvmwatch.h>

#include "exports/fd.h"
#include "exports/map_copy.h"
#include "exports/stats_fd.h"
#include "kernel/work.h"
#include "numbers/describe.h"
#include "numbers/snapshot.h"
#include "records/alloc.h"
#include "records/generation.h"
#include "records/list.h"
#include "records/record.h"

static unsigned int map_ms = 10;
module_param(map_ms, uint, 0444);
MODULE_PARM_DESC(map_ms, "how often mapped stats fds are copied, in ms (default 10; at least 1)");

struct stats_file {
	struct kref			ref;	/* the file's, and the refresher's at a copy */
	struct kvmw_object		*obj;	/* holds a reference */
	bool				privileged;	/* which limit it is charged to */
	u64				met;	/* needs when it was opened; they tell its rows */
	struct kvmwatch_stats_header	header;
	size_t				data_size;
	/* Everything before the data: header, id and descriptors. */
	u8				*head;
	struct kvmwatch_map		*map;	/* NULL: not mapped yet; under map_lock */
	struct list_head		node;	/* on fresh or mapped; empty: on neither */
};

/* --- header, id and descriptors ---------------------------------------------- */

static void make_id(const struct kvmw_object *obj, char *id, size_t size)
{
	u64 vm = obj->vm->obj.id;

	switch (obj->kind) {
	case KVMWATCH_KIND_VM:
		snprintf(id, size, "kvmwatch-%llu", vm);
		break;
	case KVMWATCH_KIND_VCPU:
		snprintf(id, size, "kvmwatch-%llu/vcpu-%u", vm,
			 container_of(obj, struct kvmw_vcpu, obj)->vcpu_id);
		break;
	case KVMWATCH_KIND_SLOT:
		snprintf(id, size, "kvmwatch-%llu/slot-%u-%u", vm, obj->subkey >> 16,
			 obj->subkey & 0xffff);
		break;
	}
}

static int make_head(struct stats_file *sf)
{
	struct kvmwatch_stats_header *header = &sf->header;
	const struct kvmw_stat *stat;
	struct kvmwatch_stats_desc *desc;
	unsigned int nr, i;

	BUILD_BUG_ON(sizeof(*header) != 24 || sizeof(*desc) != 64);

	stat = kvmw_stats_table(sf->obj->kind, &nr);
	sf->head = kvzalloc(sizeof(*header) + KVMWATCH_NAME_SIZE + nr * sizeof(*desc),
			    GFP_KERNEL_ACCOUNT);
	if (!sf->head)
		return -ENOMEM;
	header->name_size = KVMWATCH_NAME_SIZE;
	header->id_offset = sizeof(*header);
	header->desc_offset = header->id_offset + KVMWATCH_NAME_SIZE;
	make_id(sf->obj, sf->head + header->id_offset, KVMWATCH_NAME_SIZE);

	desc = (void *)sf->head + header->desc_offset;
	sf->met = kvmw_needs_met(sf->obj);
	for (i = 0; i < nr; i++) {
		if (!kvmw_stat_needs_only(&stat[i], sf->met))
			continue;
		kvmw_stat_describe(desc++, &stat[i], sf->data_size);
		sf->data_size += stat[i].size * sizeof(u64);
		header->num_desc++;
	}
	header->data_offset = header->desc_offset + header->num_desc * sizeof(*desc);
	memcpy(sf->head, header, sizeof(*header));
	return 0;
}

/* --- reads ------------------------------------------------------------------- */

/*
 * Pack the numbers in the order of the descriptors: that of the rows whose needs were met. Whether
 * a statistic is withdrawn is checked after the snapshot was taken.
 */
static void fill_data(struct stats_file *sf, const union kvmw_any_stats *stats, u64 *data)
{
	const struct kvmwatch_stats_desc *desc = (void *)sf->head + sf->header.desc_offset;
	const struct kvmw_stat *stat;
	unsigned int nr, i;
	bool withdrawn;
	u64 *cells;

	for (stat = kvmw_stats_table(sf->obj->kind, &nr); nr; nr--, stat++) {
		if (!kvmw_stat_needs_only(stat, sf->met))
			continue;
		cells = (void *)data + desc++->offset;
		withdrawn = kvmw_stat_withdrawn(stat, sf->obj);
		if (!withdrawn)
			kvmw_stat_cells(stat, stats, cells);
		for (i = 0; withdrawn && i < stat->size; i++)
			cells[i] = KVMWATCH_WITHDRAWN;
	}
}

/* Take a snapshot; free it with kvfree(). NULL: no memory. */
static u64 *make_data(struct stats_file *sf)
{
	union kvmw_any_stats *stats = kvmw_stats_alloc(sf->obj, NULL);
	u64 *data = kvzalloc(sf->data_size, GFP_KERNEL);

	if (stats && data) {
		kvmw_stats(sf->obj, NULL, stats);
		fill_data(sf, stats, data);
	} else {
		kvfree(data);
		data = NULL;
	}
	kfree(stats);
	return data;
}

static ssize_t read_data(struct stats_file *sf, char __user *buf, size_t size, loff_t pos)
{
	u64 *data = make_data(sf);
	ssize_t ret = size;

	if (!data)
		return -ENOMEM;
	if (copy_to_user(buf, (u8 *)data + pos, size))
		ret = -EFAULT;
	kvfree(data);
	return ret;
}

static ssize_t stats_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct stats_file *sf = file->private_data;
	size_t head = sf->header.data_offset, end = head + sf->data_size, part;
	ssize_t done = 0, ret;

	if (*pos < 0)
		return -EINVAL;
	if (*pos >= end)
		return 0;
	size = min_t(size_t, size, end - *pos);

	if (*pos < head) {
		part = min_t(size_t, size, head - *pos);
		if (copy_to_user(buf, sf->head + *pos, part))
			return -EFAULT;
		done = part;
	}
	if (done < size) {
		ret = read_data(sf, buf + done, size - done, *pos + done - head);
		if (ret < 0)
			return ret;
		done += ret;
	}
	*pos += done;
	return done;
}

static __poll_t stats_poll(struct file *file, poll_table *wait)
{
	struct stats_file *sf = file->private_data;

	poll_wait(file, kvmw_changed(sf->obj->kind, &sf->obj->vm->changes), wait);
	return EPOLLIN | EPOLLRDNORM | (READ_ONCE(sf->obj->key) ? 0 : EPOLLHUP);
}

/* --- life --------------------------------------------------------------------- */

/* Protects the lists, and the map of each stats file. Innermost: no snapshot is taken under it. */
static DEFINE_MUTEX(map_lock);
static LIST_HEAD(fresh);	/* mapped, and without a copy yet */
static LIST_HEAD(mapped);	/* has a copy */

static void stats_file_free(struct kref *ref)
{
	struct stats_file *sf = container_of(ref, struct stats_file, ref);

	vfree(sf->map);
	kvmw_put(sf->obj);
	kvfree(sf->head);
	kfree(sf);
}

/*
 * Return the charge now; the memory may live until the refresher drops its reference. The refresher
 * holds one reference at a time.
 */
static void let_go(struct stats_file *sf)
{
	if (sf->map)
		kvmw_map_uncharge(sf->privileged);
	kvmw_fd_uncharge(sf->privileged);
	kref_put(&sf->ref, stats_file_free);
}

static int stats_release(struct inode *inode, struct file *file)
{
	struct stats_file *sf = file->private_data;

	mutex_lock(&map_lock);
	list_del_init(&sf->node);
	mutex_unlock(&map_lock);
	let_go(sf);
	return 0;
}

/* --- copies for mapped fds ---------------------------------------------------- */

static void refresh_fn(struct work_struct *unused);
static DECLARE_DELAYED_WORK(refresher, refresh_fn);

static void publish(struct stats_file *sf, const u64 *data, bool last)
{
	preempt_disable();
	kvmw_map_copy(sf->map, data, sf->data_size, ktime_get_ns(),
		      last ? KVMWATCH_MAP_ENDED : 0);
	preempt_enable();
}

/* Returns whether that was the last copy: the numbers of a gone object do not change. */
static bool refresh(struct stats_file *sf)
{
	bool last = kvmw_is_gone(sf->obj);
	u64 *data = make_data(sf);

	if (!data)
		return false;
	publish(sf, data, last);
	kvfree(data);
	return last;
}

/*
 * Refresh each file on @list, and move it to the list mapped. No lock is held while a snapshot is
 * taken: that takes locks of KVM, under which KVM takes mmap_lock, under which the kernel calls
 * stats_mmap(), which takes map_lock.
 */
static void refresh_all(struct list_head *list)
{
	struct stats_file *sf;
	LIST_HEAD(done);
	bool last;

	mutex_lock(&map_lock);
	while (!list_empty(list)) {
		sf = list_first_entry(list, struct stats_file, node);
		list_move_tail(&sf->node, &done);
		kref_get(&sf->ref);
		mutex_unlock(&map_lock);
		last = refresh(sf);
		mutex_lock(&map_lock);
		if (last)
			list_del_init(&sf->node);
		mutex_unlock(&map_lock);
		kref_put(&sf->ref, stats_file_free);
		cond_resched();
		mutex_lock(&map_lock);
	}
	list_splice(&done, &mapped);
	mutex_unlock(&map_lock);
}

/* However many fds are mapped, the refresher uses at most a tenth of one CPU. */
static void refresh_fn(struct work_struct *unused)
{
	static u64 next;	/* when the next round starts; only this work item uses it */
	u64 start, now;

	refresh_all(&fresh);
	start = ktime_get_ns();
	now = start;
	if (start >= next) {
		refresh_all(&mapped);
		now = ktime_get_ns();
		next = now + max_t(u64, (u64)max(map_ms, 1U) * NSEC_PER_MSEC, 9 * (now - start));
	}
	mutex_lock(&map_lock);
	if (!list_empty(&mapped))
		queue_delayed_work(kvmw_unbound_wq, &refresher,
				   nsecs_to_jiffies(next - now) ?: 1);
	mutex_unlock(&map_lock);
}

static struct kvmwatch_map *map_alloc(const struct stats_file *sf)
{
	struct kvmwatch_map *map = vmalloc_user(sizeof(*map) + sf->data_size);

	if (map) {
		map->data_offset = sizeof(*map);
		map->data_size = sf->data_size;
	}
	return map;
}

/* Context: map_lock held, so this cannot copy: see refresh_all(). */
static int map_once(struct stats_file *sf)
{
	int err;

	if (sf->map)
		return 0;
	err = kvmw_map_charge(sf->privileged);
	if (err)
		return err;
	sf->map = map_alloc(sf);
	if (!sf->map) {
		kvmw_map_uncharge(sf->privileged);
		return -ENOMEM;
	}
	list_add(&sf->node, &fresh);
	mod_delayed_work(kvmw_unbound_wq, &refresher, 0);
	return 0;
}

static int stats_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct stats_file *sf = file->private_data;
	size_t size = PAGE_ALIGN(sizeof(struct kvmwatch_map) + sf->data_size);
	int err;

	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start > size)
		return -EINVAL;
	mutex_lock(&map_lock);
	err = map_once(sf);
	mutex_unlock(&map_lock);
	return err ?: remap_vmalloc_range(vma, sf->map, 0);
}

void kvmw_stats_fds_exit(void)
{
	cancel_delayed_work_sync(&refresher);
}

/* --- opening ------------------------------------------------------------------ */

static const struct file_operations stats_fops = {
	.owner		= THIS_MODULE,
	.read		= stats_read,
	.poll		= stats_poll,
	.mmap		= stats_mmap,
	.release	= stats_release,
	.llseek		= noop_llseek,
};

int kvmw_stats_fd(struct kvmw_object *obj, bool privileged)
{
	struct stats_file *sf;
	int fd;

	fd = kvmw_fd_charge(privileged);
	if (fd)
		return fd;
	sf = kzalloc(sizeof(*sf), GFP_KERNEL_ACCOUNT);
	if (!sf) {
		kvmw_fd_uncharge(privileged);
		return -ENOMEM;
	}
	kref_init(&sf->ref);
	INIT_LIST_HEAD(&sf->node);
	kvmw_get(obj);
	sf->obj = obj;
	sf->privileged = privileged;
	fd = make_head(sf);
	if (!fd)
		fd = kvmw_fd_install("[kvmwatch-stats]", &stats_fops, sf, FMODE_PREAD);
	if (fd < 0)
		let_go(sf);
	return fd;
}
