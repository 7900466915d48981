// SPDX-License-Identifier: GPL-2.0
/* Choose pages of a VM's memory, and have a thread look at them. See memory_job.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "libkvmwatch.h"
#include "memory_job.h"
#include "patience.h"

#ifndef KVM_MEM_GUEST_MEMFD
#define KVM_MEM_GUEST_MEMFD	0x4
#endif

#define MAX_SLOTS	65536

void memory_note_why(struct memory_job *job, const char *why)
{
	if (!*job->why)
		snprintf(job->why, sizeof(job->why), "%s", why);
}

int memory_fail(struct memory_job *job, int err, const char *why)
{
	snprintf(job->why, sizeof(job->why), "%s", why);
	return err;
}

/* --- which memory ---------------------------------------------------------- */

static int compare_ranges(const void *a, const void *b)
{
	const struct memory_range *x = a, *y = b;

	return (x->begin > y->begin) - (x->begin < y->begin);
}

static bool is_memory(const struct kvmwatch_slot *slot)
{
	const __u64 begin = slot->userspace_addr, bytes = slot->npages * MEMORY_PAGE_BYTES;

	if (slot->as_id || !slot->npages || slot->flags & KVMWATCH_SLOT_INTERNAL)
		return false;
	return bytes / MEMORY_PAGE_BYTES == slot->npages && begin + bytes > begin &&
	       !(begin % MEMORY_PAGE_BYTES);
}

static void add_slot(struct memory_job *job, const struct kvmwatch_slot *slot)
{
	struct memory_range *range = &job->ranges[job->nr_ranges++];
	struct memory_slot *found = &job->slots[job->nr_slots];

	range->begin = slot->userspace_addr;
	range->end = slot->userspace_addr + slot->npages * MEMORY_PAGE_BYTES;
	range->private = slot->flags & KVM_MEM_GUEST_MEMFD;
	range->slot = job->nr_slots++;
	found->as_id = slot->as_id;
	found->id = slot->id;
}

/* Two slots may have the same memory. It counts for the slot that begins first. */
static void cut_ranges(struct memory_job *job)
{
	__u64 end = 0;
	size_t i, kept = 0;

	qsort(job->ranges, job->nr_ranges, sizeof(*job->ranges), compare_ranges);
	for (i = 0; i < job->nr_ranges; i++) {
		struct memory_range range = job->ranges[i];

		if (range.begin < end)
			range.begin = end;
		if (range.begin >= range.end)
			continue;
		end = range.end;
		range.first = job->total;
		job->slots[range.slot].pages = (range.end - range.begin) / MEMORY_PAGE_BYTES;
		job->total += job->slots[range.slot].pages;
		job->ranges[kept++] = range;
	}
	job->nr_ranges = kept;
}

static int take_slots(struct memory_job *job, const struct kvmwatch_slot *slots, size_t nr)
{
	size_t i;

	if (nr > MAX_SLOTS)
		return memory_fail(job, -EINVAL, "it has too many slots");
	job->ranges = calloc(nr + 1, sizeof(*job->ranges));
	job->slots = calloc(nr + 1, sizeof(*job->slots));
	if (!job->ranges || !job->slots)
		return memory_fail(job, -ENOMEM, "no memory");
	for (i = 0; i < nr; i++) {
		if (is_memory(&slots[i]))
			add_slot(job, &slots[i]);
	}
	cut_ranges(job);
	return job->total ? 0 : memory_fail(job, -ENOENT, "the VM has no memory");
}

static size_t range_of(const struct memory_job *job, __u64 number)
{
	size_t low = 0, high = job->nr_ranges, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (job->ranges[middle].first <= number)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The first page of part @i of @nr equal parts */
static __u64 part(const struct memory_job *job, size_t i, size_t nr)
{
	return job->total / nr * i + job->total % nr * i / nr;
}

/* Choose one page of each part at random: evenly spread, and nobody can predict which. */
static int choose_pages(struct memory_job *job, size_t nr)
{
	__u64 random, low, high, number;
	struct memory_seen *page;
	size_t i;

	job->nr = nr < job->total ? nr : job->total;
	job->pages = calloc(job->nr, sizeof(*job->pages));
	if (!job->pages)
		return memory_fail(job, -ENOMEM, "no memory");
	for (i = 0; i < job->nr; i++) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return memory_fail(job, -EIO, "no random numbers");
		low = part(job, i, job->nr);
		high = part(job, i + 1, job->nr);
		number = low + random % (high - low);
		page = &job->pages[i];
		page->range = range_of(job, number);
		page->address = job->ranges[page->range].begin +
				(number - job->ranges[page->range].first) * MEMORY_PAGE_BYTES;
	}
	return 0;
}

static int compare_pages(const void *a, const void *b)
{
	const struct memory_seen *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* Take the pages that the caller names, except those in no slot. */
static int take_pages(struct memory_job *job, const __u64 *addresses, size_t nr)
{
	size_t i, range = 0;

	job->pages = calloc(nr, sizeof(*job->pages));
	if (!job->pages)
		return memory_fail(job, -ENOMEM, "no memory");
	for (i = 0; i < nr; i++)
		job->pages[i].address = addresses[i];
	qsort(job->pages, nr, sizeof(*job->pages), compare_pages);
	for (i = 0; i < nr; i++) {
		while (range < job->nr_ranges && job->pages[i].address >= job->ranges[range].end)
			range++;
		if (range == job->nr_ranges)
			break;
		if (job->pages[i].address < job->ranges[range].begin)
			continue;
		job->pages[job->nr] = job->pages[i];
		job->pages[job->nr++].range = range;
	}
	return job->nr ? 0 : memory_fail(job, -ENOENT, "the VM has no such memory");
}

/* --- jobs ------------------------------------------------------------------ */

void memory_job_free(void *arg)
{
	struct memory_job *job = arg;
	size_t i;

	for (i = 0; i < job->nr_areas; i++) {
		if (job->areas[i].fd >= 0)
			close(job->areas[i].fd);
	}
	if (job->pagemap >= 0)
		close(job->pagemap);
	proc_close(&job->process);
	free(job->ranges);
	free(job->slots);
	free(job->areas);
	free(job->pages);
	free(job);
}

static int job_prepare(struct memory_job *job, int pid, const struct kvmwatch_slot *slots,
		       size_t nr_slots, const __u64 *addresses, size_t nr)
{
	int err;

	job->pagemap = -1;
	err = proc_open(pid, &job->process);
	if (err)
		return memory_fail(job, err,
				   "the VM has ended, or its process is not visible here");
	if (!nr || nr > MEMORY_MAX_PAGES)
		return memory_fail(job, -EINVAL, "no such number of pages can be looked at");
	err = take_slots(job, slots, nr_slots);
	if (err)
		return err;
	return addresses ? take_pages(job, addresses, nr) : choose_pages(job, nr);
}

int memory_job_do(struct memory_job *job, memory_work_fn work, unsigned int ms, char *why)
{
	int err = patience_run(work, job, memory_job_free, ms);

	switch (err) {
	case 0:
		return 0;
	case -ETIMEDOUT:
		snprintf(why, MONITOR_WHY, "the VMM can't be looked into: it is stuck");
		return err;
	case -EINTR:
		snprintf(why, MONITOR_WHY, "interrupted");
		return err;
	default:
		memory_job_free(job);
		snprintf(why, MONITOR_WHY, "%s", strerror(-err));
		return err;
	}
}

int memory_job_new(int pid, const struct kvmwatch_slot *slots, size_t nr_slots,
		   const __u64 *addresses, size_t nr, struct memory_job **job, char *why)
{
	struct memory_job *new = calloc(1, sizeof(*new));
	int err;

	if (!new) {
		snprintf(why, MONITOR_WHY, "no memory");
		return -ENOMEM;
	}
	err = job_prepare(new, pid, slots, nr_slots, addresses, nr);
	if (!err) {
		*job = new;
		return 0;
	}
	snprintf(why, MONITOR_WHY, "%s", new->why);
	memory_job_free(new);
	return err;
}
