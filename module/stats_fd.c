// SPDX-License-Identifier: GPL-2.0
/*
 * Stats fds: an object's numbers in the format of KVM_GET_STATS_FD.
 *
 * Header, id string and descriptors never change while the fd is open, so they are
 * made once: the descriptors are of what can be had of the object at that time. The
 * data is made anew for each read that touches it.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dev.h"
#include "object.h"

struct stats_file {
	struct kvmw_object		*obj;	/* holds a reference */
	struct kvmwatch_stats_header	header;
	size_t				data_size;
	/* Everything before the data: header, id and descriptors. */
	u8				*head;
};

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

static void make_desc(struct kvmwatch_stats_desc *desc, const struct kvmw_stat *stat, u32 offset)
{
	desc->flags = stat->flags;
	desc->exponent = stat->exponent;
	desc->size = stat->size;
	desc->offset = offset;
	desc->bucket_size = (stat->flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_LINEAR_HIST;
	strscpy(desc->name, stat->name, sizeof(desc->name));
}

static int make_head(struct stats_file *sf)
{
	struct kvmwatch_stats_header *header = &sf->header;
	const struct kvmw_stat *stat;
	struct kvmwatch_stats_desc *desc;
	unsigned int nr, i;

	BUILD_BUG_ON(sizeof(*header) != 24 || sizeof(*desc) != 64);

	stat = kvmw_stats_table(sf->obj->kind, &nr);
	sf->head = kvzalloc(sizeof(*header) + KVMWATCH_NAME_SIZE + nr * sizeof(*desc), GFP_KERNEL);
	if (!sf->head)
		return -ENOMEM;
	header->name_size = KVMWATCH_NAME_SIZE;
	header->id_offset = sizeof(*header);
	header->desc_offset = header->id_offset + KVMWATCH_NAME_SIZE;
	make_id(sf->obj, sf->head + header->id_offset, KVMWATCH_NAME_SIZE);

	desc = (void *)sf->head + header->desc_offset;
	for (i = 0; i < nr; i++) {
		if (!kvmw_stat_available(&stat[i], sf->obj))
			continue;
		make_desc(desc++, &stat[i], sf->data_size);
		sf->data_size += stat[i].size * sizeof(u64);
		header->num_desc++;
	}
	header->data_offset = header->desc_offset + header->num_desc * sizeof(*desc);
	memcpy(sf->head, header, sizeof(*header));
	return 0;
}

/* The numbers, packed in the order of the descriptors. */
static void fill_data(struct stats_file *sf, const union kvmw_any_stats *stats, u64 *data)
{
	const struct kvmwatch_stats_desc *desc = (void *)sf->head + sf->header.desc_offset;
	const struct kvmw_stat *stat;
	unsigned int nr, i, j;
	u64 *cells;

	/* Both are in the order of the table, the descriptors with some left out. */
	stat = kvmw_stats_table(sf->obj->kind, &nr);
	for (i = 0; i < sf->header.num_desc; i++, stat++) {
		while (strcmp(stat->name, desc[i].name))
			stat++;
		cells = (void *)data + desc[i].offset;
		for (j = 0; j < stat->size; j++)
			cells[j] = kvmw_stat_cell(stat, stats, j);
	}
}

static ssize_t read_data(struct stats_file *sf, char __user *buf, size_t size, loff_t pos)
{
	union kvmw_any_stats *stats;
	ssize_t ret = -ENOMEM;
	u64 *data;

	stats = kzalloc(sizeof(*stats), GFP_KERNEL);
	data = kvzalloc(sf->data_size, GFP_KERNEL);
	if (stats && data) {
		kvmw_stats(sf->obj, stats);
		fill_data(sf, stats, data);
		ret = copy_to_user(buf, (u8 *)data + pos, size) ? -EFAULT : size;
	}
	kvfree(data);
	kfree(stats);
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

static void stats_file_free(struct stats_file *sf)
{
	kvmw_put(sf->obj);
	kvfree(sf->head);
	kfree(sf);
}

static int stats_release(struct inode *inode, struct file *file)
{
	stats_file_free(file->private_data);
	return 0;
}

static const struct file_operations stats_fops = {
	.owner		= THIS_MODULE,
	.read		= stats_read,
	.release	= stats_release,
	.llseek		= noop_llseek,
};

int kvmw_stats_fd(struct kvmw_object *obj)
{
	struct stats_file *sf = kzalloc(sizeof(*sf), GFP_KERNEL);
	struct file *file;
	int fd, err;

	if (!sf)
		return -ENOMEM;
	kvmw_get(obj);
	sf->obj = obj;
	err = make_head(sf);
	if (err)
		goto free;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto free;
	}
	file = anon_inode_getfile("[kvmwatch-stats]", &stats_fops, sf, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		err = PTR_ERR(file);
		goto free;
	}
	file->f_mode |= FMODE_PREAD;
	fd_install(fd, file);
	return fd;

free:
	stats_file_free(sf);
	return err;
}
