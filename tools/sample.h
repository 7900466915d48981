/* SPDX-License-Identifier: GPL-2.0 */
/* All VMs, or those picked, with the numbers of one kind of object, at one moment. */
#ifndef KVMWATCH_SAMPLE_H
#define KVMWATCH_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "libkvmwatch.h"
#include "select.h"

/* Where an object is in an array, to be found by what identifies it. */
struct place {
	struct kvmwatch_all_item key;
	size_t at;
};

/* The places of all objects of an array, sorted by VM, then id, then number. */
struct places {
	struct place *all;
	size_t nr;
};

/**
 * struct sample - what there was at one moment
 * @vms:	the VMs
 * @nr_vms:	how many
 * @vcpus:	the vCPUs, if they are what was asked for: for their threads
 * @nr_vcpus:	how many
 * @slots:	likewise
 * @nr_slots:	how many
 * @all:	the numbers
 * @vm_places:	where in @vms what is
 * @vcpu_places: likewise
 * @slot_places: likewise
 * @item_places: where in @all
 */
struct sample {
	struct vm *vms;
	size_t nr_vms;
	struct kvmwatch_vcpu *vcpus;
	size_t nr_vcpus;
	struct kvmwatch_slot *slots;
	size_t nr_slots;
	struct kvmwatch_all *all;
	struct places vm_places, vcpu_places, slot_places, item_places;
};

/* A number that may be unknown. */
struct maybe {
	bool known;
	__u64 number;
};

/*
 * Take one: numbers of objects of @kind, @flags as for kvmwatch_open_all(). Returns an exit
 * code; with EXIT_DONE it is to be freed with sample_free(), else it was said what is wrong.
 */
int sample_take(int dev, struct selection *selection, __u32 kind, __u32 flags,
		struct sample *sample);
/* The same, but without VMs: beside a sample that has them. */
int sample_take_kind(int dev, const struct selection *selection, __u32 kind, __u32 flags,
		     struct sample *sample);
void sample_free(struct sample *sample);

/* What the object of item @item is; NULL: it came or went while the sample was taken. */
const struct vm *sample_vm(const struct sample *sample, size_t item);
const struct kvmwatch_vcpu *sample_vcpu(const struct sample *sample, size_t item);
const struct kvmwatch_slot *sample_slot(const struct sample *sample, size_t item);

/* Which item of @sample is the same object; -1: none. @sample may be empty. */
long sample_find(const struct sample *sample, const struct kvmwatch_all_item *item);

/* Which item is the VM with this id; -1: none, or it has ended. Of a sample of VMs. */
long sample_vm_item(const struct sample *sample, __u64 id);

/* Fill @value with statistic @stat of those that the sample has; false: the item has it not. */
bool sample_stat(const struct sample *sample, size_t item, int stat,
		 struct kvmwatch_value *value);

/*
 * The items of what belongs to a VM, in the order of their ids: how many, and which ones, by
 * item_places.all[*first].at and so on.
 */
size_t sample_items_of(const struct sample *sample, __u64 vm, size_t *first);

/* A statistic of an item. */
struct maybe sample_value(const struct sample *sample, size_t item, const char *name);

/* By how much it grew since @before, where the object was item @was (-1: it was not there). */
struct maybe sample_growth(const struct sample *now, size_t item, const struct sample *before,
			   long was, const char *name);

/* Nanoseconds between two samples; 0: there is none before that this one can be compared with. */
__u64 sample_window(const struct sample *now, const struct sample *before);

#endif /* KVMWATCH_SAMPLE_H */
