// SPDX-License-Identifier: GPL-2.0
/* Look at pages of a VM's memory. See memory_job.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include "memory_job.h"
#include "patience.h"
#include "repeat.h"

#define PAGE_WORDS	(MEMORY_PAGE_BYTES / sizeof(__u64))
/* Pages in a batch: few, so that the page map is still right when they are read */
#define BATCH		32

/* Bits of /proc/PID/pagemap */
#define MAP_PRESENT	0x8000000000000000ULL
#define MAP_SWAPPED	0x4000000000000000ULL

/**
 * struct batch - pages that are read together
 * @pages:	the pages
 * @nr:		number of pages
 * @contents:	their contents
 * @remote:	addresses of the pages that are present
 * @present:	indices in @pages of the pages that are present
 * @nr_present:	number of these
 */
struct batch {
	struct memory_seen *pages;
	size_t nr;
	__u64 contents[BATCH][PAGE_WORDS];
	struct iovec remote[BATCH];
	size_t present[BATCH];
	size_t nr_present;
};

static bool is_zero(const __u64 *page)
{
	__u64 bits = 0;
	size_t i;

	for (i = 0; i < PAGE_WORDS; i++)
		bits |= page[i];
	return !bits;
}

__u64 memory_hash(const struct memory_job *job, const __u64 *page)
{
	__u64 lanes[4] = { job->seed, job->seed + 1, job->seed + 2, job->seed + 3 };
	__u64 hash = 0;
	size_t i, lane;

	for (i = 0; i < PAGE_WORDS; i += 4) {
		for (lane = 0; lane < 4; lane++) {
			lanes[lane] = (lanes[lane] ^ page[i + lane]) * 0x9e3779b97f4a7c15ULL;
			lanes[lane] ^= lanes[lane] >> 29;
		}
	}
	for (lane = 0; lane < 4; lane++) {
		hash = (hash ^ lanes[lane]) * 0xbf58476d1ce4e5b9ULL;
		hash ^= hash >> 31;
	}
	return hash;
}

/* Read the state of a page from the page map, without touching the page. */
static void ask_pagemap(struct memory_job *job, struct batch *batch)
{
	struct memory_seen *page;
	__u64 entry;
	size_t i;

	batch->nr_present = 0;
	for (i = 0; i < batch->nr; i++) {
		page = &batch->pages[i];
		if (pread(job->pagemap, &entry, sizeof(entry),
			  page->address / MEMORY_PAGE_BYTES * sizeof(entry)) != sizeof(entry)) {
			page->kind = MEMORY_UNKNOWN;
		} else if (entry & MAP_PRESENT) {
			page->kind = MEMORY_DATA;
			batch->remote[batch->nr_present].iov_base = (void *)page->address;
			batch->remote[batch->nr_present].iov_len = MEMORY_PAGE_BYTES;
			batch->present[batch->nr_present++] = i;
		} else if (entry & MAP_SWAPPED) {
			page->kind = MEMORY_SWAPPED;
		} else {
			page->kind = memory_kind_of_absent(job, page);
		}
	}
}

static void give_up(struct memory_job *job, struct memory_seen *page, int err)
{
	page->kind = MEMORY_UNKNOWN;
	if (err == EPERM)
		memory_note_why(job, "no right to read the VMM's memory; run as root");
	else
		memory_note_why(job,
				"pages of the VMM's can't be read (secret or a device's memory)");
}

/* A read stops at the first page that can't be read. Skip that page, and read on. */
static int read_present(struct memory_job *job, struct batch *batch)
{
	struct iovec local;
	size_t at = 0, whole;
	ssize_t n;

	while (at < batch->nr_present) {
		local.iov_base = batch->contents[at];
		local.iov_len = (batch->nr_present - at) * MEMORY_PAGE_BYTES;
		n = process_vm_readv(job->process.pid, &local, 1, batch->remote + at,
				     batch->nr_present - at, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ESRCH || errno == ENOMEM))
			return -errno;
		whole = n < 0 ? 0 : n / MEMORY_PAGE_BYTES;
		at += whole;
		if (at < batch->nr_present && (n < 0 || n % MEMORY_PAGE_BYTES || !n))
			give_up(job, &batch->pages[batch->present[at++]], n < 0 ? errno : 0);
	}
	return 0;
}

/* Call @take for each page whose contents mean something. */
static void take_present(struct memory_job *job, struct batch *batch, memory_take_fn take)
{
	struct memory_seen *page;
	size_t i;

	for (i = 0; i < batch->nr_present; i++) {
		page = &batch->pages[batch->present[i]];
		if (page->kind == MEMORY_UNKNOWN)
			continue;
		if (job->encrypted) {
			page->kind = MEMORY_UNKNOWN;
			continue;
		}
		if (is_zero(batch->contents[i]))
			page->kind = MEMORY_ZERO;
		take(job, page, batch->contents[i]);
	}
}

int memory_look_at_all(struct memory_job *job, const bool *over, __u64 *when, memory_take_fn take)
{
	struct batch *batch = malloc(sizeof(*batch));
	double sum = 0;
	__u64 begin = now_ns(), now;
	size_t at;
	int err = batch ? 0 : memory_fail(job, -ENOMEM, "no memory");

	for (at = 0; !err && at < job->nr; at += batch->nr) {
		batch->pages = &job->pages[at];
		batch->nr = job->nr - at < BATCH ? job->nr - at : BATCH;
		now = now_ns();
		ask_pagemap(job, batch);
		err = read_present(job, batch);
		if (!err)
			take_present(job, batch, take);
		sum += (double)(now - begin) * batch->nr;
		if (patience_over(over))
			err = -EINTR;
	}
	free(batch);
	*when = begin + sum / job->nr;
	/* If it had ended before, another process may have got its pid. */
	if (proc_has_ended(&job->process))
		err = -ESRCH;
	return err == -ESRCH ? memory_fail(job, err, "the VM has ended") : err;
}

int memory_open_process(struct memory_job *job)
{
	int err;

	job->pagemap = openat(job->process.dir, "pagemap", O_RDONLY | O_CLOEXEC);
	if (job->pagemap < 0)
		return memory_fail(job, -EACCES, "no right to look into the VMM; run as root");
	if (getrandom(&job->seed, sizeof(job->seed), 0) != sizeof(job->seed))
		return memory_fail(job, -EIO, "no random numbers");
	err = memory_judge_fds(job);
	return err ? err : memory_read_areas(job);
}
