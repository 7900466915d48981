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

#define MEMORY_SAMPLE_PAGES	1024	/* pages to sample for contents */
#define MEMORY_DIRTY_PAGES	8192	/* pages to sample for changes: hot pages may be few */
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
 * A number of pages, estimated from a sample, and its standard error, which errs on the high side.
 * Negative: unknown.
 */
struct memory_estimate {
	double pages;
	double error;
};

#define MEMORY_PARTS		64	/* parts of a slot, to tell where it has data */

/**
 * struct memory_slot - what was found in one slot
 * @as_id:	its address space
 * @id:		its number
 * @pages:	its pages of 4 KiB
 * @looked:	number of its pages in the sample
 * @found:	number of these for each state
 * @nr_parts:	equal parts of the slot, sorted by address; 0: no page was in the sample
 * @zero:	for each part, the share of its sampled pages that are zero or absent
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
 * struct memory_page - a page of the sample
 * @address:	its address in the VMM
 * @kind:	its state
 */
struct memory_page {
	__u64 address;
	enum memory_kind kind;
};

/**
 * struct memory_sample - what was found
 * @pages:	pages in all slots, each page of the VMM's counted once
 * @looked:	number of pages in the sample
 * @found:	number of these for each state
 * @estimate:	estimated number of pages in all slots, for each state
 * @encrypted:	the contents of all or part of the memory are unknown, as it is encrypted or the
 *		VMM has no access to it; @why says more
 * @slots:	the result for each slot that has sampled pages
 * @nr_slots:	number of these slots
 * @taken:	the @looked pages of the sample
 * @ns:		how long it took
 * @why:	why some or all pages are unknown, for a message; "": all are known
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
 * @slots: the VM's slots, as kvmwatch_list_slots() lists them; only slots of address space 0 that
 *	the VMM made are sampled
 * @nr_slots: number of slots
 * @nr: number of pages to sample, evenly spread; at most as many as there are
 * @sample: filled; free it with memory_sample_free(), whatever is returned
 *
 * Return: 0, also if everything is unknown; or an error, with the reason in @why:
 *  -ESRCH: there is no such process, or it has ended;
 *  -EACCES: no right to read its memory;
 *  -ENOENT: the VM has no memory;
 *  -ETIMEDOUT: the process is stuck in the kernel, so its memory cannot be read;
 *  -EINTR: a signal came; -EINVAL; -ENOMEM.
 */
int memory_sample(int pid, const struct kvmwatch_slot *slots, size_t nr_slots, size_t nr,
		  struct memory_sample *sample);
void memory_sample_free(struct memory_sample *sample);

/* Does a migration send such a page whole? A page of unknown contents may have data. */
bool memory_sent_whole(enum memory_kind kind);

/**
 * memory_growth() - look at the pages of a sample once more: has the VM more data now?
 * @pid: as for memory_sample()
 * @slots: likewise
 * @nr_slots: likewise
 * @sample: the earlier sample
 * @growth: set to the estimated increase of pages with data, negative for a decrease; 0 if chance
 *	shows as much in one of a hundred VMs that did not change
 *
 * A new sample of other pages would differ by chance. The same pages do not.
 *
 * Return: as for memory_contents().
 */
int memory_growth(int pid, const struct kvmwatch_slot *slots, size_t nr_slots,
		  const struct memory_sample *sample, double *growth);

/**
 * memory_contents() - look at some pages
 * @pid: as for memory_sample()
 * @slots: likewise
 * @nr_slots: likewise
 * @addresses: addresses of the pages in the VMM; pages in no slot are skipped
 * @nr: number of addresses
 * @found: set to the number of pages for each state
 * @why: set, as in struct memory_sample
 *
 * Return: as for memory_sample(); -ENOENT: none of the pages is in a slot.
 */
int memory_contents(int pid, const struct kvmwatch_slot *slots, size_t nr_slots,
		    const __u64 *addresses, size_t nr, size_t found[MEMORY_KINDS],
		    char why[MONITOR_WHY]);

/**
 * struct memory_look - pages that were found changed at one look
 * @ns:		time since the pages' first look, on average
 * @looked:	pages that could be compared
 * @changed:	pages whose contents differed at this look or an earlier one
 * @zero:	those of @changed that are zero now
 * @dirtied:	estimated number of changed pages in the VM, without its unknown part
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
 * @pages:	pages in all slots
 * @looked:	number of pages in the sample
 * @unknown:	number of these whose contents are unknown
 * @looks:	results, at increasing times
 * @nr_looks:	number of looks
 * @why:	as in struct memory_sample
 *
 * A page counts if its contents differ from those at the first look. A page that was written with
 * the same contents, or changed back, does not count. The VMM's own writes count.
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
 * @pid: as for memory_sample()
 * @slots: likewise
 * @nr_slots: likewise
 * @nr: number of pages
 * @after_ms: times after which to look again, increasing, the last at most a minute
 * @nr_looks: number of these times
 * @dirtying: filled
 *
 * A look takes as long as it takes to read @nr pages. A late look has its real time.
 *
 * Return: as for memory_sample().
 */
int memory_dirtying(int pid, const struct kvmwatch_slot *slots, size_t nr_slots, size_t nr,
		    const unsigned int *after_ms, size_t nr_looks,
		    struct memory_dirtying *dirtying);

#endif /* KVMWATCH_MEMORY_SAMPLE_H */
