/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A migration that is played page by page: a guest that writes to pages of its memory, KVM's dirty
 * log, and QEMU's loop. It shares no code and no formula with libkvmwatch's forecasts, which know
 * nothing of single pages, so that each can be held against the other.
 */
#ifndef KVMWATCH_PLAYED_MIGRATION_H
#define KVMWATCH_PLAYED_MIGRATION_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#define PLAYED_WORKERS	3

enum played_order {
	PLAYED_ANY,		/* any of its pages, each as likely as any other */
	PLAYED_SWEEP,		/* one after the other, and from the first again */
	PLAYED_SKEWED,		/* the first ones more often: page number pages * x^3 */
};

/**
 * struct played_worker - what writes to a guest's memory
 * @order:	to which of its pages
 * @first:	its first page
 * @pages:	how many it has
 * @rate:	writes a second while it works
 * @on:		seconds for which it works; 0: always
 * @off:	and then rests
 * @zero:	it clears pages, and does not fill them
 */
struct played_worker {
	enum played_order order;
	unsigned int first, pages;
	double rate, on, off;
	bool zero;
};

/**
 * struct played_guest - a guest with what KVM knows of it
 * @pages:	of its RAM
 * @worker:	what it does
 * @nr_workers:	how many of them
 * @seed:	of its random numbers
 *
 * The rest belongs to played_migration.c. played_boot() sets it, played_halt() frees it.
 */
struct played_guest {
	unsigned int pages;
	struct played_worker worker[PLAYED_WORKERS];
	unsigned int nr_workers;
	__u64 seed;

	double now;
	double owed[PLAYED_WORKERS];
	unsigned int next[PLAYED_WORKERS];
	bool *has_data;
	bool *logged;		/* KVM's dirty log */
	bool *ever;		/* marked since played_forget() */
	unsigned int marks;	/* new ones, since the log was cleared */
};

/* RAM, of which @data pages from page @base on have data; the workers begin at random. */
void played_boot(struct played_guest *guest, unsigned int base, unsigned int data);
void played_halt(struct played_guest *guest);
void played_run(struct played_guest *guest, double seconds);
void played_clear_log(struct played_guest *guest);
void played_forget(struct played_guest *guest);

/**
 * struct played_migration - how it is sent, and what came of it
 * @bandwidth:	bytes a second, as QEMU's max-bandwidth
 * @link:	bytes a second that the link takes
 * @downtime:	seconds, as QEMU's downtime-limit
 * @device:	seconds that stopping and starting takes
 * @zero_page:	seconds that it takes to find that a page is zero
 * @chunk:	pages of which the log is cleared at once
 * @horizon:	seconds after which it is given up
 * @converged:	set
 * @total:	set: seconds
 * @pause:	set: seconds
 * @bytes:	set
 * @looks:	set: how often the log was collected, as dirty-sync-count has it
 */
struct played_migration {
	double bandwidth, link, downtime, device, zero_page;
	unsigned int chunk;
	double horizon;
	bool converged;
	double total, pause, bytes;
	unsigned int looks;
};

void played_migrate(struct played_guest *guest, struct played_migration *migration);

#endif /* KVMWATCH_PLAYED_MIGRATION_H */
