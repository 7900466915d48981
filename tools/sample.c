// SPDX-License-Identifier: GPL-2.0
/* All VMs, or those picked, with the numbers of one kind of object, at one moment. */
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

static int take_numbers(int dev, __u32 kind, __u32 flags, struct sample *sample)
{
	int err = 0, fd;

	if (kind == KVMWATCH_KIND_VCPU)
		err = kvmwatch_list_vcpus(dev, 0, &sample->vcpus, &sample->nr_vcpus);
	if (kind == KVMWATCH_KIND_SLOT)
		err = kvmwatch_list_slots(dev, 0, &sample->slots, &sample->nr_slots);
	if (err)
		return err;
	fd = kvmwatch_open_all(dev, kind, 0, flags);
	if (fd < 0)
		return fd;
	err = kvmwatch_all_read(fd, &sample->all);
	close(fd);
	return err;
}

int sample_take(int dev, struct selection *selection, __u32 kind, __u32 flags,
		struct sample *sample)
{
	int code, err;

	memset(sample, 0, sizeof(*sample));
	code = vms_get(dev, selection, &sample->vms, &sample->nr_vms);
	if (code)
		return code;
	err = take_numbers(dev, kind, flags, sample);
	if (!err)
		return EXIT_DONE;
	sample_free(sample);
	return device_complain(err);
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

const struct kvmwatch_vcpu *sample_vcpu(const struct sample *sample, size_t item)
{
	const struct kvmwatch_all_item *it = kvmwatch_all_item(sample->all, item);
	size_t i;

	for (i = 0; i < sample->nr_vcpus; i++) {
		if (sample->vcpus[i].id == it->id)
			return &sample->vcpus[i];
	}
	return NULL;
}

const struct kvmwatch_slot *sample_slot(const struct sample *sample, size_t item)
{
	const struct kvmwatch_all_item *it = kvmwatch_all_item(sample->all, item);
	const struct kvmwatch_slot *slot;
	size_t i;

	for (i = 0; i < sample->nr_slots; i++) {
		slot = &sample->slots[i];
		if (slot->vm == it->vm && ((__u32)slot->as_id << 16 | slot->id) == it->number)
			return slot;
	}
	return NULL;
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
