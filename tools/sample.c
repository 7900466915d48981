// SPDX-License-Identifier: GPL-2.0
/* All VMs, or those picked, with the numbers of one kind of object, at one moment. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "sample.h"

void sample_free(struct sample *sample)
{
	vms_put(sample->vms, sample->nr_vms);
	free(sample->vcpus);
	free(sample->slots);
	kvmwatch_all_free(sample->all);
	memset(sample, 0, sizeof(*sample));
}

/* Of one VM if @vm is not 0. */
static int take_numbers(int dev, __u32 kind, __u64 vm, __u32 flags, struct sample *sample)
{
	int err = 0, fd;

	if (kind == KVMWATCH_KIND_VCPU)
		err = kvmwatch_list_vcpus(dev, vm, &sample->vcpus, &sample->nr_vcpus);
	if (kind == KVMWATCH_KIND_SLOT)
		err = kvmwatch_list_slots(dev, vm, &sample->slots, &sample->nr_slots);
	if (err)
		return err;
	fd = kvmwatch_open_all(dev, kind, vm, flags);
	if (fd < 0)
		return fd;
	err = kvmwatch_all_read(fd, &sample->all);
	close(fd);
	return err;
}

/* When the one VM has ended, it is not among all. */
static int take(int dev, const struct selection *selection, __u32 kind, __u32 flags,
		struct sample *sample)
{
	int err = -ENOENT;

	if (selection->nr == 1)
		err = take_numbers(dev, kind, selection->ids[0], flags, sample);
	if (err == -ENOENT) {
		free(sample->vcpus);
		free(sample->slots);
		sample->vcpus = NULL;
		sample->slots = NULL;
		err = take_numbers(dev, kind, 0, flags, sample);
	}
	if (!err)
		return EXIT_DONE;
	sample_free(sample);
	return device_complain(err);
}

int sample_take(int dev, struct selection *selection, __u32 kind, __u32 flags,
		struct sample *sample)
{
	int code;

	memset(sample, 0, sizeof(*sample));
	code = vms_get(dev, selection, &sample->vms, &sample->nr_vms);
	return code ? code : take(dev, selection, kind, flags, sample);
}

int sample_take_kind(int dev, const struct selection *selection, __u32 kind, __u32 flags,
		     struct sample *sample)
{
	memset(sample, 0, sizeof(*sample));
	return take(dev, selection, kind, flags, sample);
}

const struct vm *sample_vm(const struct sample *sample, size_t item)
{
	const struct kvmwatch_all_item *it = kvmwatch_all_item(sample->all, item);
	size_t i;

	for (i = 0; i < sample->nr_vms; i++) {
		if (sample->vms[i].info.id == it->vm)
			return &sample->vms[i];
	}
	return NULL;
}

/* Lists have the order of items, so it is looked for where the item is, first. */
const struct kvmwatch_vcpu *sample_vcpu(const struct sample *sample, size_t item)
{
	const struct kvmwatch_all_item *it = kvmwatch_all_item(sample->all, item);
	const struct kvmwatch_vcpu *vcpu;
	size_t i;

	for (i = 0; i < sample->nr_vcpus; i++) {
		vcpu = &sample->vcpus[(item + i) % sample->nr_vcpus];
		if (vcpu->id == it->id)
			return vcpu;
	}
	return NULL;
}

const struct kvmwatch_slot *sample_slot(const struct sample *sample, size_t item)
{
	const struct kvmwatch_all_item *it = kvmwatch_all_item(sample->all, item);
	const struct kvmwatch_slot *slot;
	size_t i;

	for (i = 0; i < sample->nr_slots; i++) {
		slot = &sample->slots[(item + i) % sample->nr_slots];
		if (slot->vm == it->vm && ((__u32)slot->as_id << 16 | slot->id) == it->number)
			return slot;
	}
	return NULL;
}

long sample_vm_item(const struct sample *sample, __u64 id)
{
	const struct kvmwatch_all_item *it;
	size_t i;

	for (i = 0; i < sample->all->nr; i++) {
		it = kvmwatch_all_item(sample->all, i);
		if (it->id == id)
			return it->flags & KVMWATCH_ITEM_ENDED ? -1 : (long)i;
	}
	return -1;
}

bool sample_stat(const struct sample *sample, size_t item, int stat,
		 struct kvmwatch_value *value)
{
	const __u64 *data = kvmwatch_all_value(sample->all, item, stat);

	if (!data)
		return false;
	*value = sample->all->stats[stat];
	value->data = data;
	return true;
}

long sample_find(const struct sample *sample, const struct kvmwatch_all_item *item)
{
	const struct kvmwatch_all_item *it;
	size_t i;

	for (i = 0; sample->all && i < sample->all->nr; i++) {
		it = kvmwatch_all_item(sample->all, i);
		if (it->vm == item->vm && it->id == item->id && it->number == item->number)
			return i;
	}
	return -1;
}

struct maybe sample_value(const struct sample *sample, size_t item, const char *name)
{
	const __u64 *value = kvmwatch_all_value(sample->all, item,
						kvmwatch_all_find(sample->all, name));
	struct maybe maybe = { };

	if (value) {
		maybe.known = true;
		maybe.number = *value;
	}
	return maybe;
}

struct maybe sample_growth(const struct sample *now, size_t item, const struct sample *before,
			   long was, const char *name)
{
	struct maybe value = sample_value(now, item, name), old = { };

	if (was >= 0)
		old = sample_value(before, was, name);
	if (!old.known || old.number > value.number)
		value.known = false;
	value.number -= old.number;
	return value;
}

__u64 sample_window(const struct sample *now, const struct sample *before)
{
	if (!before->all || before->all->begin_ns >= now->all->begin_ns)
		return 0;
	return now->all->begin_ns - before->all->begin_ns;
}
