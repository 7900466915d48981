/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files memory_*.c share: a job, which looks at pages of a VM's memory.
 *
 * memory_job.c chooses the pages, and has a thread do the work: see patience.h. The thread owns its
 * struct memory_job until it ends. memory_look.c looks at all pages of the job, and memory_absent.c
 * tells what those are that the VMM's page tables do not have. memory_sample.c and
 * memory_dirtying.c are the callers.
 */
#ifndef KVMWATCH_MEMORY_JOB_H
#define KVMWATCH_MEMORY_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "memory_sample.h"
#include "monitor.h"
#include "proc.h"

struct kvmwatch_slot;

#define MEMORY_PAGE_BYTES	4096
/* Time limit, besides the waits between looks; reading a page takes about a microsecond. */
#define MEMORY_PATIENCE_MS	30000

/**
 * struct memory_range - a range of the VMM's memory that is in a slot
 * @begin:	address
 * @end:	behind it
 * @first:	number of pages in the ranges before this one
 * @slot:	index in job->slots
 * @private:	the slot has private memory elsewhere (guest_memfd)
 */
struct memory_range {
	__u64 begin, end;
	__u64 first;
	size_t slot;
	bool private;
};

/**
 * struct memory_area - a line of /proc/PID/maps
 * @begin:	address
 * @end:	behind it
 * @offset:	in the file
 * @inode:	of the file; 0: anonymous memory
 * @file:	what the file tells of where it has data
 * @fd:		the file, if it tells
 */
struct memory_area {
	__u64 begin, end;
	__u64 offset;
	__u64 inode;
	enum { FILE_UNTRIED, FILE_TELLS, FILE_EMPTY, FILE_SILENT } file;
	int fd;
};

/**
 * struct memory_seen - a page of the sample
 * @address:	its address in the VMM
 * @range:	index in job->ranges
 * @kind:	its state at the last look
 * @first:	its state at the first look
 * @hash:	hash of its contents at the first look
 * @changed:	a later look found other contents
 */
struct memory_seen {
	__u64 address;
	size_t range;
	enum memory_kind kind, first;
	__u64 hash;
	bool changed;
};

/**
 * struct memory_job - what the thread works on
 * @process:	the VMM
 * @pagemap:	the VMM's /proc/PID/pagemap
 * @ranges:	memory in slots, sorted by address; ranges do not overlap
 * @nr_ranges:	number of ranges
 * @slots:	the result for each slot
 * @nr_slots:	number of slots
 * @total:	number of pages in all ranges
 * @areas:	lines of /proc/PID/maps, sorted by address
 * @nr_areas:	number of areas
 * @room:	number of areas for which memory is allocated
 * @pages:	the sample, sorted by address
 * @nr:		number of pages in the sample
 * @encrypted:	the guest's memory is encrypted, so its contents mean nothing
 * @on_demand:	the VMM fills absent pages by userfaultfd
 * @seed:	of hashes: random, so that a guest cannot make pages of equal hash
 * @after_ms:	times at which to look again
 * @dirtying:	the result of these looks; @nr_looks is their number
 * @err:	why the job ended early
 * @why:	the same in words
 */
struct memory_job {
	struct proc process;
	int pagemap;
	struct memory_range *ranges;
	size_t nr_ranges;
	struct memory_slot *slots;
	size_t nr_slots;
	__u64 total;
	struct memory_area *areas;
	size_t nr_areas, room;
	struct memory_seen *pages;
	size_t nr;
	bool encrypted, on_demand;
	__u64 seed;
	unsigned int after_ms[MEMORY_MAX_LOOKS];
	struct memory_dirtying dirtying;
	int err;
	char why[MONITOR_WHY];
};

/*
 * Make a job that looks at the pages at @addresses, or if NULL, at any @nr pages. Returns 0, or an
 * error with the reason in @why.
 */
int memory_job_new(int pid, const struct kvmwatch_slot *slots, size_t nr_slots,
		   const __u64 *addresses, size_t nr, struct memory_job **job, char *why);

typedef void (*memory_work_fn)(void *arg, const bool *over);

/*
 * Have a thread do @work, for @ms at most. Returns 0 if the caller owns the job again. Otherwise
 * the job is gone; @why has the reason.
 */
int memory_job_do(struct memory_job *job, memory_work_fn work, unsigned int ms, char *why);
void memory_job_free(void *job);

/* Keep the first reason why pages are unknown. */
void memory_note_why(struct memory_job *job, const char *why);

/* Returns @err, with which the job ends; @why replaces other reasons. */
int memory_fail(struct memory_job *job, int err, const char *why);

/* Open what a look reads of the VMM's process. Returns 0, or why the job ends. */
int memory_open_process(struct memory_job *job);

/* What to do with a page whose @contents mean something */
typedef void (*memory_take_fn)(struct memory_job *job, struct memory_seen *page,
			       const __u64 *contents);

/*
 * Look at all pages, always in the same order, so that the time between two looks is the same for
 * each page. Returns 0, or why the job ends early. Sets *@when to the mean time of this look.
 */
int memory_look_at_all(struct memory_job *job, const bool *over, __u64 *when, memory_take_fn take);

/* Two pages that nobody forged have the same hash once in 2^64. */
__u64 memory_hash(const struct memory_job *job, const __u64 *contents);

/* What the VMM's open fds tell of the guest's memory. Returns 0, or why the job ends. */
int memory_judge_fds(struct memory_job *job);

/* Read which areas of the VMM's memory may be in a slot. Returns 0, or why the job ends. */
int memory_read_areas(struct memory_job *job);

/* The state of a page that is neither present nor swapped out */
enum memory_kind memory_kind_of_absent(struct memory_job *job, const struct memory_seen *page);

typedef bool (*memory_counts_fn)(const struct memory_seen *page, int what);

/* How many pages of the VM's @counts is true of, if the sample stands for all */
struct memory_estimate memory_estimate_share(const struct memory_job *job, memory_counts_fn counts,
					     int what);

#endif /* KVMWATCH_MEMORY_JOB_H */
