// SPDX-License-Identifier: GPL-2.0
/*
 * How the host backs guest memory. See backing.h.
 *
 * Of hugetlb smaps names the size of pages. Transparent huge pages are found in two steps: 2 MiB of
 * the VMM whose 512 pages are all present, in a row and aligned in physical memory may be mapped by
 * one entry, or by 512. smaps says how much of a mapping is mapped by such an entry. If that is as
 * much as was found, it is these; if not, where they are is unknown. smaps leaves out the huge page
 * of zeros that reads get, which is never mapped in parts; /proc/kpageflags tells it.
 *
 * A thread does all that touches the process, see patience.h. What it works on, struct job, is its
 * own until it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/kvmwatch.h>

#include "backing.h"
#include "patience.h"
#include "proc.h"

#ifndef KVM_MEM_GUEST_MEMFD
#define KVM_MEM_GUEST_MEMFD	0x4
#endif

#define PAGE_BYTES	4096ULL
#define PAGES_2M	512ULL
#define PAGES_1G	(512 * PAGES_2M)
#define MAX_SMAPS	(256 << 20)
#define PATIENCE_MS	30000
/* khugepaged and the guest may change between two steps what the first one saw. */
#define TRIES		3

/* Of /proc/PID/pagemap */
#define MAP_PRESENT	0x8000000000000000ULL
#define MAP_FRAME	0x007fffffffffffffULL

/* Of /proc/kpageflags: a page of zeros */
#define FLAG_ZERO	0x1000000ULL

/**
 * struct area - a mapping of the VMM that is in a slot
 * @first:	its first page: address / PAGE_BYTES
 * @end:	behind its last page
 * @page:	size of its pages in pages of 4 KiB; more than 1: hugetlb
 * @huge:	how many pages entries for 2 MiB map, by smaps
 * @present:	a bit for each page
 * @thp:	a bit for each 2 MiB, from the one that has @first on: it may be mapped by one entry
 * @found:	how many pages these are, those of zeros left out
 * @hidden:	frames are not shown to us
 */
struct area {
	__u64 first, end;
	__u64 page, huge;
	__u64 *present, *thp;
	__u64 found;
	bool hidden;
};

/* See backing_look(); the rest is the thread's. */
struct job {
	struct proc process;
	int pagemap, flags;
	struct kvmwatch_slot *slots;
	struct backing *backings;
	size_t nr;
	struct area *areas;
	size_t nr_areas, room;
	char why[BACKING_WHY];
};

static void fail(struct job *job, const char *why)
{
	snprintf(job->why, sizeof(job->why), "%s", why);
}

static bool bit(const __u64 *bits, __u64 nr)
{
	return bits[nr / 64] >> nr % 64 & 1;
}

static void set_bit(__u64 *bits, __u64 nr)
{
	bits[nr / 64] |= 1ULL << nr % 64;
}

static __u64 first_of(const struct kvmwatch_slot *slot)
{
	return slot->userspace_addr / PAGE_BYTES;
}

/* --- mappings -------------------------------------------------------------- */

static void areas_free(struct job *job)
{
	size_t i;

	for (i = 0; i < job->nr_areas; i++) {
		free(job->areas[i].present);
		free(job->areas[i].thp);
	}
	job->nr_areas = 0;
}

static bool is_wanted(const struct job *job, const struct area *area)
{
	size_t i;

	for (i = 0; i < job->nr; i++) {
		if (job->slots[i].npages && first_of(&job->slots[i]) < area->end &&
		    first_of(&job->slots[i]) + job->slots[i].npages > area->first)
			return true;
	}
	return false;
}

/* Returns the new area, or NULL for want of memory. */
static struct area *add_area(struct job *job, const struct area *area)
{
	size_t room = job->room ? 2 * job->room : 64;
	struct area *more, *new;
	__u64 pages = area->end - area->first;

	if (job->nr_areas == job->room) {
		more = realloc(job->areas, room * sizeof(*more));
		if (!more)
			return NULL;
		job->areas = more;
		job->room = room;
	}
	new = &job->areas[job->nr_areas++];
	*new = *area;
	new->present = calloc(pages / 64 + 1, sizeof(*new->present));
	new->thp = calloc(pages / PAGES_2M / 64 + 2, sizeof(*new->thp));
	return new->present && new->thp ? new : NULL;
}

/* "KernelPageSize:        4 kB", "AnonHugePages:      2048 kB" */
static void read_attribute(const char *line, struct area *area)
{
	unsigned long long kb;
	char name[32];

	if (sscanf(line, "%31[A-Za-z_]: %llu kB", name, &kb) != 2)
		return;
	if (!strcmp(name, "KernelPageSize"))
		area->page = kb * 1024 / PAGE_BYTES;
	if (!strcmp(name, "AnonHugePages") || !strcmp(name, "ShmemPmdMapped") ||
	    !strcmp(name, "FilePmdMapped"))
		area->huge += kb * 1024 / PAGE_BYTES;
}

/* Those that are in a slot. Lines are in the order of addresses. */
static bool read_areas(struct job *job)
{
	unsigned long long begin, end;
	struct area *last = NULL;
	char *text, *line, *rest;
	bool done = true;
	size_t len;

	text = proc_read(&job->process, "smaps", MAX_SMAPS, &len);
	if (!text) {
		fail(job, "no right to look into the VMM; run as root");
		return false;
	}
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct area area = { .page = 1 };

		if (sscanf(line, "%llx-%llx ", &begin, &end) != 2) {
			if (last)
				read_attribute(line, last);
			continue;
		}
		area.first = begin / PAGE_BYTES;
		area.end = end / PAGE_BYTES;
		last = NULL;
		if (area.first >= area.end || !is_wanted(job, &area))
			continue;
		last = add_area(job, &area);
		if (!last) {
			fail(job, "no memory");
			done = false;
			break;
		}
	}
	free(text);
	return done;
}

/* --- pages ----------------------------------------------------------------- */

/* The number of the 2 MiB of @area that have @page, see @thp. */
static __u64 chunk_of(const struct area *area, __u64 page)
{
	return page / PAGES_2M - area->first / PAGES_2M;
}

static bool all_present(const __u64 *entries)
{
	size_t i;

	for (i = 0; i < PAGES_2M; i++) {
		if (!(entries[i] & MAP_PRESENT))
			return false;
	}
	return true;
}

static bool is_in_a_row(const __u64 *entries)
{
	const __u64 frame = entries[0] & MAP_FRAME;
	size_t i;

	for (i = 0; i < PAGES_2M; i++) {
		if ((entries[i] & MAP_FRAME) != frame + i)
			return false;
	}
	return !(frame % PAGES_2M);
}

static bool is_zero(const struct job *job, __u64 frame)
{
	__u64 flags;

	if (pread(job->flags, &flags, sizeof(flags), frame * sizeof(flags)) != sizeof(flags))
		return false;
	return flags & FLAG_ZERO;
}

/* May one entry map these pages? */
static void judge_chunk(const struct job *job, struct area *area, __u64 page, const __u64 *entries)
{
	const __u64 frame = entries[0] & MAP_FRAME;

	if (!all_present(entries))
		return;
	if (!frame) {
		area->hidden = true;
	} else if (is_in_a_row(entries)) {
		set_bit(area->thp, chunk_of(area, page));
		area->found += is_zero(job, frame) ? 0 : PAGES_2M;
	}
}

/* Pages from @page on, as many as the page map tells at once: 2 MiB, or less at an end. */
static bool look_at_chunk(struct job *job, struct area *area, __u64 page, __u64 nr)
{
	__u64 entries[PAGES_2M], i;
	ssize_t size = nr * sizeof(*entries);

	if (pread(job->pagemap, entries, size, page * sizeof(*entries)) != size) {
		fail(job, "the VMM's page map can't be read");
		return false;
	}
	for (i = 0; i < nr; i++) {
		if (entries[i] & MAP_PRESENT)
			set_bit(area->present, page + i - area->first);
	}
	if (nr == PAGES_2M && area->page == 1)
		judge_chunk(job, area, page, entries);
	return true;
}

static bool look_at_pages(struct job *job, const bool *over)
{
	struct area *area;
	__u64 page, next;
	size_t i;

	for (i = 0; i < job->nr_areas; i++) {
		area = &job->areas[i];
		for (page = area->first; page < area->end; page = next) {
			next = (page / PAGES_2M + 1) * PAGES_2M;
			if (next > area->end)
				next = area->end;
			if (patience_over(over) || !look_at_chunk(job, area, page, next - page))
				return false;
		}
	}
	return true;
}

static bool is_found(const struct area *area)
{
	return area->page > 1 || (!area->hidden && area->found == area->huge);
}

static bool all_are_found(const struct job *job)
{
	size_t i;

	for (i = 0; i < job->nr_areas; i++) {
		if (!is_found(&job->areas[i]))
			return false;
	}
	return true;
}

static bool look(struct job *job, const bool *over)
{
	int tries;

	for (tries = 0; tries < TRIES; tries++) {
		areas_free(job);
		if (!read_areas(job) || !look_at_pages(job, over))
			return false;
		if (all_are_found(job))
			break;
	}
	/* Its number may have been another process's if it had ended before. */
	if (!proc_has_ended(&job->process))
		return true;
	fail(job, "the VM has ended");
	return false;
}

/* --- slots ----------------------------------------------------------------- */

/* Of areas in order, the one that has the page. */
static const struct area *area_of(const struct job *job, __u64 page)
{
	size_t low = 0, high = job->nr_areas, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (page >= job->areas[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	return low < job->nr_areas && page >= job->areas[low].first ? &job->areas[low] : NULL;
}

/* How many pages the host maps by the entry that maps this one; 0: it has none. */
static __u64 host_pages(const struct area *area, __u64 page)
{
	if (!bit(area->present, page - area->first))
		return 0;
	if (area->page > 1)
		return area->page;
	return bit(area->thp, chunk_of(area, page)) ? PAGES_2M : 1;
}

/* May KVM map guest page @gfn by an entry for @pages, as far as it is for the slot? */
static enum backing_kind judge(const struct kvmwatch_slot *slot, __u64 gfn, __u64 pages)
{
	const __u64 begin = gfn / pages * pages;

	if ((slot->base_gfn ^ first_of(slot)) % pages)
		return BACKING_UNALIGNED;
	if (begin < slot->base_gfn || begin + pages > slot->base_gfn + slot->npages)
		return BACKING_EDGE;
	return pages == PAGES_1G ? BACKING_1G : BACKING_2M;
}

static enum backing_kind kind_of(const struct kvmwatch_slot *slot, __u64 gfn, __u64 host)
{
	if (!host)
		return BACKING_ABSENT;
	if (host < PAGES_2M)
		return BACKING_SMALL;
	if (host >= PAGES_1G && judge(slot, gfn, PAGES_1G) == BACKING_1G)
		return BACKING_1G;
	return judge(slot, gfn, PAGES_2M);
}

static void not_known(struct backing *backing, const char *why)
{
	backing->known = false;
	snprintf(backing->why, sizeof(backing->why), "%s", why);
}

static void add_up(const struct job *job, const struct kvmwatch_slot *slot,
		   struct backing *backing, const bool *over)
{
	const struct area *area = NULL;
	__u64 page, host, i;

	for (i = 0; i < slot->npages && !patience_over(over); i++) {
		page = first_of(slot) + i;
		if (!area || page >= area->end)
			area = area_of(job, page);
		if (area && !is_found(area)) {
			not_known(backing, area->hidden ?
				  "no right to see page frames; run as root" :
				  "smaps and page map do not agree where huge pages are");
			return;
		}
		host = area ? host_pages(area, page) : 0;
		backing->bytes[kind_of(slot, slot->base_gfn + i, host)] += PAGE_BYTES;
	}
}

static void look_at_slots(struct job *job, const bool *over)
{
	size_t i;

	for (i = 0; i < job->nr; i++) {
		if (*job->why)
			not_known(&job->backings[i], job->why);
		else if (job->backings[i].known)
			add_up(job, &job->slots[i], &job->backings[i], over);
	}
}

/* --- the job --------------------------------------------------------------- */

static void work(void *arg, const bool *over)
{
	struct job *job = arg;

	job->pagemap = openat(job->process.dir, "pagemap", O_RDONLY | O_CLOEXEC);
	job->flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (job->pagemap < 0)
		fail(job, "no right to look into the VMM; run as root");
	else if (!look(job, over) && !*job->why)
		fail(job, "interrupted");
	look_at_slots(job, over);
}

static void job_free(void *arg)
{
	struct job *job = arg;

	areas_free(job);
	if (job->pagemap >= 0)
		close(job->pagemap);
	if (job->flags >= 0)
		close(job->flags);
	proc_close(&job->process);
	free(job->areas);
	free(job->slots);
	free(job->backings);
	free(job);
}

static struct job *job_new(const struct kvmwatch_slot *slots, size_t nr,
			   const struct backing *backings)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->pagemap = -1;
	job->flags = -1;
	job->process.dir = -1;
	job->process.pidfd = -1;
	job->nr = nr;
	job->slots = calloc(nr + 1, sizeof(*slots));
	job->backings = calloc(nr + 1, sizeof(*backings));
	if (!job->slots || !job->backings) {
		job_free(job);
		return NULL;
	}
	memcpy(job->slots, slots, nr * sizeof(*slots));
	memcpy(job->backings, backings, nr * sizeof(*backings));
	return job;
}

static void begin_backing(const struct kvmwatch_slot *slot, struct backing *backing)
{
	memset(backing, 0, sizeof(*backing));
	backing->known = true;
	backing->aligned = !((slot->base_gfn ^ first_of(slot)) % PAGES_2M);
	backing->cut = slot->base_gfn % PAGES_2M || (slot->base_gfn + slot->npages) % PAGES_2M;
	if (slot->flags & KVMWATCH_SLOT_INTERNAL)
		not_known(backing, "KVM's own memory");
	else if (slot->flags & KVM_MEM_GUEST_MEMFD)
		not_known(backing, "private memory of the guest (guest_memfd) is not in the VMM");
	else if (slot->userspace_addr % PAGE_BYTES)
		not_known(backing, "the slot begins within a page");
}

static int nothing_known(struct backing *backings, size_t nr, const char *why)
{
	size_t i;

	for (i = 0; i < nr; i++)
		not_known(&backings[i], why);
	return 0;
}

int backing_look(int pid, const struct kvmwatch_slot *slots, size_t nr, struct backing *backings)
{
	struct job *job;
	size_t i;
	int err;

	for (i = 0; i < nr; i++)
		begin_backing(&slots[i], &backings[i]);
	job = job_new(slots, nr, backings);
	if (!job)
		return nothing_known(backings, nr, "no memory");
	if (proc_open(pid, &job->process)) {
		job_free(job);
		return nothing_known(backings, nr, "the VMM has ended, or is not visible here");
	}
	err = patience_run(work, job, job_free, PATIENCE_MS);
	if (err == -ETIMEDOUT || err == -EINTR) {
		nothing_known(backings, nr, "the VMM can't be looked into: it is stuck");
		return err == -EINTR ? err : 0;
	}
	if (err)
		nothing_known(backings, nr, strerror(-err));
	else
		memcpy(backings, job->backings, nr * sizeof(*backings));
	job_free(job);
	return 0;
}
