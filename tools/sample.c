// SPDX-License-Identifier: GPL-2.0
/* All VMs, or those selected, with the numbers of one kind of object. See sample.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "sample.h"

/* --- places ---------------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
	const struct kvmwatch_all_item *x = &((const struct place *)a)->key;
	const struct kvmwatch_all_item *y = &((const struct place *)b)->key;

	if (x->vm != y->vm)
		return x->vm < y->vm ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* The key of object @i of an array, in the members of an item that identify it. */
typedef struct kvmwatch_all_item key_fn(const struct sample *sample, size_t i);

static struct kvmwatch_all_item vm_key(const struct sample *sample, size_t i)
{
	const struct kvmwatch_vm *vm = &sample->vms[i].info;

	return (struct kvmwatch_all_item) { .vm = vm->id, .id = vm->id };
}

static struct kvmwatch_all_item vcpu_key(const struct sample *sample, size_t i)
{
	const struct kvmwatch_vcpu *vcpu = &sample->vcpus[i];

	return (struct kvmwatch_all_item) {
		.vm = vcpu->vm, .id = vcpu->id, .number = vcpu->vcpu_id
	};
}

static struct kvmwatch_all_item slot_key(const struct sample *sample, size_t i)
{
	const struct kvmwatch_slot *slot = &sample->slots[i];

	return (struct kvmwatch_all_item) {
		.vm = slot->vm, .id = slot->life, .number = (__u32)slot->as_id << 16 | slot->id
	};
}

static struct kvmwatch_all_item item_key(const struct sample *sample, size_t i)
{
	return *kvmwatch_all_at(sample->all, i);
}

static int places_make(struct places *places, const struct sample *sample, key_fn *key, size_t nr)
{
	size_t i;

	places->all = calloc(nr + 1, sizeof(*places->all));
	if (!places->all)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		places->all[i].key = key(sample, i);
		places->all[i].at = i;
	}
	places->nr = nr;
	qsort(places->all, nr, sizeof(*places->all), compare_places);
	return 0;
}

/* -1: it is not there. */
static long places_find(const struct places *places, const struct kvmwatch_all_item *key)
{
	const struct place wanted = { .key = *key }, *found = NULL;

	if (places->nr)
		found = bsearch(&wanted, places->all, places->nr, sizeof(wanted), compare_places);
	return found ? (long)found->at : -1;
}

static int find_places(struct sample *sample)
{
	int err;

	err = places_make(&sample->vm_places, sample, vm_key, sample->nr_vms);
	err = err ?: places_make(&sample->vcpu_places, sample, vcpu_key, sample->nr_vcpus);
	err = err ?: places_make(&sample->slot_places, sample, slot_key, sample->nr_slots);
	return err ?: places_make(&sample->item_places, sample, item_key, sample->all->nr);
}

/* --- taking one ------------------------------------------------------------ */

void sample_free(struct sample *sample)
{
	vms_put(sample->vms, sample->nr_vms);
	free(sample->vcpus);
	free(sample->slots);
	kvmwatch_all_free(sample->all);
	free(sample->vm_places.all);
	free(sample->vcpu_places.all);
	free(sample->slot_places.all);
	free(sample->item_places.all);
	memset(sample, 0, sizeof(*sample));
}

int samples_take(int dev, struct selection *selection, __u32 vm_flags, __u32 kind, __u32 flags,
		 struct samples *samples)
{
	int code;

	memset(samples, 0, sizeof(*samples));
	code = sample_take(dev, selection, KVMWATCH_KIND_VM, vm_flags, &samples->vms);
	if (code)
		return code;
	code = sample_take_kind(dev, selection, kind, flags, &samples->parts);
	if (code)
		sample_free(&samples->vms);
	return code;
}

void samples_free(struct samples *samples)
{
	sample_free(&samples->vms);
	sample_free(&samples->parts);
}

/* Read the numbers of one VM, or with @vm 0 of all. */
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

/* If the selected VM has ended, its numbers are missing. */
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
		err = find_places(sample);
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

/* --- looking at it --------------------------------------------------------- */

const struct vm *sample_vm(const struct sample *sample, size_t item)
{
	const struct kvmwatch_all_item *it = kvmwatch_all_at(sample->all, item);
	const struct kvmwatch_all_item key = { .vm = it->vm, .id = it->vm };
	long at = places_find(&sample->vm_places, &key);

	return at < 0 ? NULL : &sample->vms[at];
}

const struct kvmwatch_vcpu *sample_vcpu(const struct sample *sample, size_t item)
{
	long at = places_find(&sample->vcpu_places, kvmwatch_all_at(sample->all, item));

	return at < 0 ? NULL : &sample->vcpus[at];
}

const struct kvmwatch_slot *sample_slot(const struct sample *sample, size_t item)
{
	long at = places_find(&sample->slot_places, kvmwatch_all_at(sample->all, item));

	return at < 0 ? NULL : &sample->slots[at];
}

long sample_vm_item(const struct sample *sample, __u64 id)
{
	const struct kvmwatch_all_item key = { .vm = id, .id = id };
	long item = places_find(&sample->item_places, &key);

	if (item >= 0 && kvmwatch_all_at(sample->all, item)->flags & KVMWATCH_ITEM_ENDED)
		return -1;
	return item;
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
	return places_find(&sample->item_places, item);
}

size_t sample_items_of(const struct sample *sample, __u64 vm, size_t *first)
{
	const struct place *places = sample->item_places.all;
	size_t low = 0, high = sample->item_places.nr, end = high, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (places[middle].key.vm < vm)
			low = middle + 1;
		else
			high = middle;
	}
	*first = low;
	while (low < end && places[low].key.vm == vm)
		low++;
	return low - *first;
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
	/* The module was loaded again in between, so ids are those of other objects. */
	if (now->all->instance != before->all->instance)
		return 0;
	return now->all->begin_ns - before->all->begin_ns;
}
