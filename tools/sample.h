/* SPDX-License-Identifier: GPL-2.0 */
/* All VMs, or those selected, with the numbers of one kind of object, read at one time. */
#ifndef KVMWATCH_SAMPLE_H
#define KVMWATCH_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "libkvmwatch.h"
#include "select.h"

/* The index of an object in an array, with the identity by which it is found. */
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
 * struct sample - all objects and their numbers at one moment
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
 * Take a sample with the numbers of objects of @kind; @flags: as for kvmwatch_open_all(). Returns
 * an exit code, and prints errors. With EXIT_DONE free it with sample_free().
 */
int sample_take(int dev, struct selection *selection, __u32 kind, __u32 flags,
		struct sample *sample);
/* The same, but without VMs: beside a sample that has them. */
int sample_take_kind(int dev, const struct selection *selection, __u32 kind, __u32 flags,
		     struct sample *sample);
void sample_free(struct sample *sample);

/**
 * struct samples - VMs and what they consist of, one read right after the other
 * @vms:	the VMs with their numbers
 * @parts:	their vCPUs or slots with theirs; it has no VMs
 */
struct samples {
	struct sample vms, parts;
};

/*
 * Take both. @kind is that of the parts; @vm_flags and @flags are what sample_take() gets for VMs
 * and parts. Returns an exit code, and prints errors. With EXIT_DONE free it with samples_free().
 */
int samples_take(int dev, struct selection *selection, __u32 vm_flags, __u32 kind, __u32 flags,
		 struct samples *samples);
/* It may be zeroed, without a sample. */
void samples_free(struct samples *samples);

/* The listed object of item @item; NULL: it was created or ended while the sample was taken. */
const struct vm *sample_vm(const struct sample *sample, size_t item);
const struct kvmwatch_vcpu *sample_vcpu(const struct sample *sample, size_t item);
const struct kvmwatch_slot *sample_slot(const struct sample *sample, size_t item);

/* Find the item of the same object in @sample, which may be empty; -1: none. */
long sample_find(const struct sample *sample, const struct kvmwatch_all_item *item);

/* Find the item of a VM by its id in a sample of VMs; -1: none, or the VM has ended. */
long sample_vm_item(const struct sample *sample, __u64 id);

/* Fill @value with statistic number @stat of the sample; false: the item lacks it. */
bool sample_stat(const struct sample *sample, size_t item, int stat,
		 struct kvmwatch_value *value);

/*
 * Find the items that belong to a VM, sorted by id. Returns their number; their indices are
 * item_places.all[*first].at and following.
 */
size_t sample_items_of(const struct sample *sample, __u64 vm, size_t *first);

/* The value of a statistic of an item. */
struct maybe sample_value(const struct sample *sample, size_t item, const char *name);

/*
 * The growth of a statistic since @before, where the object was item @was (-1: it was not there).
 */
struct maybe sample_growth(const struct sample *now, size_t item, const struct sample *before,
			   long was, const char *name);

/* Nanoseconds between two samples; 0: there is no earlier sample of the same load of the module. */
__u64 sample_window(const struct sample *now, const struct sample *before);

#endif /* KVMWATCH_SAMPLE_H */
