/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Estimate the contents of a VM's memory, and how fast they change, from a random sample of pages.
 *
 * Only pages that are present in the process's page map are read (process_vm_readv), so that
 * looking does not allocate pages. If a page is ballooned or swapped out between the two steps,
 * reading brings it back. That may happen to a page or so, and cannot be excluded.
 *
 * The memory of a VM is that of its slots. Memory of the VMM that is in no slot now (a hidden ROM,
 * a device's memory) is not seen, although a migration may send it.
 */
#ifndef KVMWATCH_MEMORY_SAMPLE_H
#define KVMWATCH_MEMORY_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "monitor.h"

struct kvmwatch_slot;

#define MEMORY_SAMPLE_PAGES	1024	/* what to look at for contents */
#define MEMORY_DIRTY_PAGES	8192	/* what to look at for changes: hot pages may be few */
#define MEMORY_MAX_PAGES	(256 * 1024)
#define MEMORY_MAX_LOOKS	16

/* The state of a page */
enum memory_kind {
	MEMORY_ZERO,		/* present, all zero */
	MEMORY_DATA,		/* present, not all zero */
	MEMORY_ABSENT,		/* never written: a migration sends it as zero */
	MEMORY_SWAPPED,		/* in swap: usually has data */
	MEMORY_HIDDEN,		/* not in the VMM's page tables, but its file has data there: shared
				 * memory that is swapped out, or that somebody else wrote
				 */
	MEMORY_UNKNOWN,		/* cannot be read or determined */
	MEMORY_KINDS
};

/*
 * A number of pages, estimated from a sample, and its standard error, which errs on the high side;
 * negative: not known
 */
struct memory_estimate {
	double pages;
	double error;
};

#define MEMORY_PARTS		64	/* of a slot, to tell where it has data */

/**
 * struct memory_slot - what was found in one slot
 * @as_id:	its address space
 * @id:		its number
 * @pages:	of 4 KiB
 * @looked:	how many of them were looked at
 * @found:	as what
 * @nr_parts:	parts of the slot in the order of addresses, all of the same size; 0: nothing was
 *		looked at
 * @zero:	for each of them the share of what was looked at there that is zero or absent
 */
struct memory_slot {
	__u16 as_id, id;
	__u64 pages;
	size_t looked;
	size_t found[MEMORY_KINDS];
	unsigned int nr_parts;
	float zero[MEMORY_PARTS];
};

/**
 * struct memory_page - a page that was looked at
 * @address:	in the VMM
 * @kind:	what it was
 */
struct memory_page {
	__u64 address;
	enum memory_kind kind;
};

/**
 * struct memory_sample - what was found
 * @pages:	in all slots, each page of the VMM's counted once
 * @looked:	how many were looked at
 * @found:	as what
 * @estimate:	of how many pages there are of each kind
 * @encrypted:	the guest's memory is encrypted, or part of it is where the VMM has no access: what
 *		that holds is unknown; @why says more
 * @slots:	by slot, those that were looked at
 * @nr_slots:	how many
 * @taken:	the @looked pages themselves
 * @ns:		how long it took
 * @why:	why some or all are unknown, for a message; "": none is
 */
struct memory_sample {
	__u64 pages;
	size_t looked;
	size_t found[MEMORY_KINDS];
	struct memory_estimate estimate[MEMORY_KINDS];
	bool encrypted;
	struct memory_slot *slots;
	size_t nr_slots;
	struct memory_page *taken;
	__u64 ns;
	char why[MONITOR_WHY];
};

/**
 * memory_sample() - look at pages chosen at random
 * @pid: the VMM's process
 * @slots: of the VM, as kvmwatch_list_slots() lists them; only those of address space 0 that
 *	the VMM made are looked at
 * @nr_slots: how many
 * @nr: how many pages to look at, evenly spread; if there are no more than that, all are
 * @sample: filled; to be freed with memory_sample_free(), whatever is returned
 *
 * Return: 0, also when everything is unknown; else with @why:
 *  -ESRCH: there is no such process, or it has ended;
 *  -EACCES: no right to look into it;
 *  -ENOENT: the VM has no memory;
 *  -ETIMEDOUT: the process does not let itself be looked at (it is stuck in the kernel);
 *  -EINTR: a signal came; -EINVAL; -ENOMEM.
 */
int memory_sample(int pid, const struct kvmwatch_slot *slots, size_t nr_slots, size_t nr,
		  struct memory_sample *sample);
void memory_sample_free(struct memory_sample *sample);

/* Does a migration send such a page whole? What cannot be looked into may have data. */
bool memory_sent_whole(enum memory_kind kind);

/**
 * memory_growth() - look at the pages of a sample once more: has the VM more data now?
 * @pid: as memory_sample()
 * @slots: likewise
 * @nr_slots: likewise
 * @sample: what was found
 * @growth: set to how many pages more of the VM have data, less than 0 if fewer; 0 if as many would
 *	seem to in one of a hundred VMs that have as many as before
 *
 * Other pages than those of the sample would differ by chance, these do not.
 *
 * Return: as memory_contents().
 */
int memory_growth(int pid, const struct kvmwatch_slot *slots, size_t nr_slots,
		  const struct memory_sample *sample, double *growth);

/**
 * memory_contents() - look at some pages
 * @pid: as memory_sample()
 * @slots: likewise
 * @nr_slots: likewise
 * @addresses: of the pages, in the VMM; one that is in no slot is passed over
 * @nr: how many
 * @found: set to how many of them are what
 * @why: set, as in struct memory_sample
 *
 * Return: as memory_sample(); -ENOENT: none of them is in a slot.
 */
int memory_contents(int pid, const struct kvmwatch_slot *slots, size_t nr_slots,
		    const __u64 *addresses, size_t nr, size_t found[MEMORY_KINDS],
		    char why[MONITOR_WHY]);

/**
 * struct memory_look - pages that were found changed at one look
 * @ns:		time since the pages' first look, on average
 * @looked:	pages that could be compared
 * @changed:	pages whose contents differed at this look or an earlier one
 * @zero:	those of them that are zero now
 * @dirtied:	estimate for the whole VM but for the part of it that is unknown
 */
struct memory_look {
	__u64 ns;
	size_t looked;
	size_t changed;
	size_t zero;
	struct memory_estimate dirtied;
};

/**
 * struct memory_dirtying - the first-touch curve, by contents
 * @pages:	in all slots
 * @looked:	how many were looked at
 * @unknown:	how many of them are unknown
 * @looks:	at increasing times
 * @nr_looks:	how many
 * @why:	as in struct memory_sample
 *
 * A page counts if it has other contents than at first. One that was written with what was there
 * does not, nor one that was changed and has been changed back. The VMM's own writes count.
 */
struct memory_dirtying {
	__u64 pages;
	size_t looked;
	size_t unknown;
	struct memory_look looks[MEMORY_MAX_LOOKS];
	size_t nr_looks;
	char why[MONITOR_WHY];
};

/**
 * memory_dirtying() - watch pages chosen at random for changes
 * @pid: as memory_sample()
 * @slots: likewise
 * @nr_slots: likewise
 * @nr: how many pages
 * @after_ms: times after which to look again, increasing, the last at most a minute
 * @nr_looks: how many times
 * @dirtying: filled
 *
 * A look takes as long as reading @nr pages takes; one that is late is at the time that it says.
 *
 * Return: as memory_sample().
 */
int memory_dirtying(int pid, const struct kvmwatch_slot *slots, size_t nr_slots, size_t nr,
		    const unsigned int *after_ms, size_t nr_looks,
		    struct memory_dirtying *dirtying);

#endif /* KVMWATCH_MEMORY_SAMPLE_H */
