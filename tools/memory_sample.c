// SPDX-License-Identifier: GPL-2.0
/*
 * Read what a VM's memory holds, from outside. See memory_sample.h.
 *
 * A thread of its own does all that touches the VMM's process: see patience.h. It owns its struct
 * job until it ends.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/magic.h>

#include "libkvmwatch.h"
#include "memory_sample.h"
#include "patience.h"
#include "proc.h"
#include "repeat.h"

#ifndef KVM_MEM_GUEST_MEMFD
#define KVM_MEM_GUEST_MEMFD	0x4
#endif
#ifndef HUGETLBFS_MAGIC
#define HUGETLBFS_MAGIC		0x958458f6
#endif

#define PAGE_BYTES	4096
#define PAGE_WORDS	(PAGE_BYTES / sizeof(__u64))
/* Pages in a batch: few, so that the page map is still right when they are read */
#define BATCH		32
#define NSEC_PER_MSEC	1000000ULL
/* Time limit, besides the waits between looks; reading a page takes about a microsecond. */
#define PATIENCE_MS	30000
#define MAX_MS		60000
#define MAX_SLOTS	65536
#define MAX_MAPS	(64 << 20)
#define MAX_FDS		65536

/* The square of a normally distributed value exceeds this once in a hundred. */
#define ONE_IN_A_HUNDRED	6.63

/* Bits of /proc/PID/pagemap */
#define MAP_PRESENT	0x8000000000000000ULL
#define MAP_SWAPPED	0x4000000000000000ULL

/**
 * struct range - a range of the VMM's memory that is in a slot
 * @begin:	address
 * @end:	behind it
 * @first:	number of pages in the ranges before this one
 * @slot:	index in job->slots
 * @private:	the slot has private memory elsewhere (guest_memfd)
 */
struct range {
	__u64 begin, end;
	__u64 first;
	size_t slot;
	bool private;
};

/**
 * struct area - a line of /proc/PID/maps
 * @begin:	address
 * @end:	behind it
 * @offset:	in the file
 * @inode:	of the file; 0: anonymous memory
 * @file:	what the file tells of where it has data
 * @fd:		the file, if it tells
 */
struct area {
	__u64 begin, end;
	__u64 offset;
	__u64 inode;
	enum { FILE_UNTRIED, FILE_TELLS, FILE_EMPTY, FILE_SILENT } file;
	int fd;
};

/**
 * struct page - a page of the sample
 * @address:	its address in the VMM
 * @range:	index in job->ranges
 * @kind:	its state at the last look
 * @first:	its state at the first look
 * @hash:	hash of its contents at the first look
 * @changed:	a later look found other contents
 */
struct page {
	__u64 address;
	size_t range;
	enum memory_kind kind, first;
	__u64 hash;
	bool changed;
};

/**
 * struct job - what the thread works on
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
struct job {
	struct proc process;
	int pagemap;
	struct range *ranges;
	size_t nr_ranges;
	struct memory_slot *slots;
	size_t nr_slots;
	__u64 total;
	struct area *areas;
	size_t nr_areas, room;
	struct page *pages;
	size_t nr;
	bool encrypted, on_demand;
	__u64 seed;
	unsigned int after_ms[MEMORY_MAX_LOOKS];
	struct memory_dirtying dirtying;
	int err;
	char why[MONITOR_WHY];
};

/* Keep the first reason. */
static void note_why(struct job *job, const char *why)
{
	if (!*job->why)
		snprintf(job->why, sizeof(job->why), "%s", why);
}

static int fail(struct job *job, int err, const char *why)
{
	snprintf(job->why, sizeof(job->why), "%s", why);
	return err;
}

/* --- which memory ---------------------------------------------------------- */

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->begin > y->begin) - (x->begin < y->begin);
}

static bool is_memory(const struct kvmwatch_slot *slot)
{
	const __u64 bytes = slot->npages * PAGE_BYTES, begin = slot->userspace_addr;

	return !slot->as_id && slot->npages && !(slot->flags & KVMWATCH_SLOT_INTERNAL) &&
	       bytes / PAGE_BYTES == slot->npages && begin + bytes > begin && !(begin % PAGE_BYTES);
}

static void add_slot(struct job *job, const struct kvmwatch_slot *slot)
{
	struct range *range = &job->ranges[job->nr_ranges++];
	struct memory_slot *found = &job->slots[job->nr_slots];

	range->begin = slot->userspace_addr;
	range->end = slot->userspace_addr + slot->npages * PAGE_BYTES;
	range->private = slot->flags & KVM_MEM_GUEST_MEMFD;
	range->slot = job->nr_slots++;
	found->as_id = slot->as_id;
	found->id = slot->id;
}

/* Two slots may have the same memory. It counts for the slot that begins first. */
static void cut_ranges(struct job *job)
{
	__u64 end = 0;
	size_t i, kept = 0;

	qsort(job->ranges, job->nr_ranges, sizeof(*job->ranges), compare_ranges);
	for (i = 0; i < job->nr_ranges; i++) {
		struct range range = job->ranges[i];

		if (range.begin < end)
			range.begin = end;
		if (range.begin >= range.end)
			continue;
		end = range.end;
		range.first = job->total;
		job->slots[range.slot].pages = (range.end - range.begin) / PAGE_BYTES;
		job->total += job->slots[range.slot].pages;
		job->ranges[kept++] = range;
	}
	job->nr_ranges = kept;
}

static int take_slots(struct job *job, const struct kvmwatch_slot *slots, size_t nr)
{
	size_t i;

	if (nr > MAX_SLOTS)
		return fail(job, -EINVAL, "it has too many slots");
	job->ranges = calloc(nr + 1, sizeof(*job->ranges));
	job->slots = calloc(nr + 1, sizeof(*job->slots));
	if (!job->ranges || !job->slots)
		return fail(job, -ENOMEM, "no memory");
	for (i = 0; i < nr; i++) {
		if (is_memory(&slots[i]))
			add_slot(job, &slots[i]);
	}
	cut_ranges(job);
	return job->total ? 0 : fail(job, -ENOENT, "the VM has no memory");
}

static size_t range_of(const struct job *job, __u64 number)
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
static __u64 part(const struct job *job, size_t i, size_t nr)
{
	return job->total / nr * i + job->total % nr * i / nr;
}

/* Choose one page of each part at random: evenly spread, and nobody can predict which. */
static int choose_pages(struct job *job, size_t nr)
{
	__u64 random, low, high, number;
	struct page *page;
	size_t i;

	job->nr = nr < job->total ? nr : job->total;
	job->pages = calloc(job->nr, sizeof(*job->pages));
	if (!job->pages)
		return fail(job, -ENOMEM, "no memory");
	for (i = 0; i < job->nr; i++) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return fail(job, -EIO, "no random numbers");
		low = part(job, i, job->nr);
		high = part(job, i + 1, job->nr);
		number = low + random % (high - low);
		page = &job->pages[i];
		page->range = range_of(job, number);
		page->address = job->ranges[page->range].begin +
				(number - job->ranges[page->range].first) * PAGE_BYTES;
	}
	return 0;
}

static int compare_pages(const void *a, const void *b)
{
	const struct page *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* Take the pages that the caller names, except those in no slot. */
static int take_pages(struct job *job, const __u64 *addresses, size_t nr)
{
	size_t i, range = 0;

	job->pages = calloc(nr, sizeof(*job->pages));
	if (!job->pages)
		return fail(job, -ENOMEM, "no memory");
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
	return job->nr ? 0 : fail(job, -ENOENT, "the VM has no such memory");
}

/* --- what absent pages are ------------------------------------------------- */

/* "7f00-7f10 rw-s 00000000 00:01 1234  /memfd:ram (deleted)" */
static bool read_area(const char *line, struct area *area)
{
	unsigned long long begin, end, offset, inode;

	if (sscanf(line, "%llx-%llx %*4s %llx %*x:%*x %llu", &begin, &end, &offset, &inode) != 4)
		return false;
	*area = (struct area) { .begin = begin, .end = end, .offset = offset, .inode = inode,
				.fd = -1 };
	return true;
}

static int add_area(struct job *job, const struct area *area)
{
	struct area *more;

	if (job->nr_areas == job->room) {
		job->room = job->room ? 2 * job->room : 64;
		more = realloc(job->areas, job->room * sizeof(*more));
		if (!more)
			return fail(job, -ENOMEM, "no memory");
		job->areas = more;
	}
	job->areas[job->nr_areas++] = *area;
	return 0;
}

/* Keep the areas that may be in a slot. The kernel sorts the lines by address. */
static int read_areas(struct job *job)
{
	const __u64 low = job->ranges[0].begin, high = job->ranges[job->nr_ranges - 1].end;
	char *text, *line, *next;
	struct area area;
	size_t len;
	int err = 0;

	text = proc_read(&job->process, "maps", MAX_MAPS, &len);
	if (!text)
		return fail(job, -EACCES, "no right to look into the VMM; run as root");
	for (line = text; !err && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (read_area(line, &area) && area.begin < high && area.end > low)
			err = add_area(job, &area);
	}
	free(text);
	return err;
}

static struct area *area_of(const struct job *job, __u64 address)
{
	size_t low = 0, high = job->nr_areas, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (address >= job->areas[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == job->nr_areas || address < job->areas[low].begin)
		return NULL;
	return &job->areas[low];
}

/*
 * Of a hugetlbfs file, the kernel tells only whether it has data at all; it has none if all its
 * pages are private to the VMM. Devices tell nothing.
 */
static void judge_file(struct area *area)
{
	struct statfs fs;
	struct stat st;

	if (fstat(area->fd, &st) || !S_ISREG(st.st_mode) || fstatfs(area->fd, &fs))
		area->file = FILE_SILENT;
	else if ((unsigned long)fs.f_type != HUGETLBFS_MAGIC)
		area->file = FILE_TELLS;
	else
		area->file = st.st_blocks ? FILE_SILENT : FILE_EMPTY;
}

static void try_file(struct job *job, struct area *area)
{
	char path[64];

	snprintf(path, sizeof(path), "map_files/%llx-%llx", (unsigned long long)area->begin,
		 (unsigned long long)area->end);
	area->file = FILE_SILENT;
	area->fd = openat(job->process.dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (area->fd < 0)
		return;
	judge_file(area);
	if (area->file == FILE_TELLS)
		return;
	close(area->fd);
	area->fd = -1;
}

/* Has the file data at the page's offset? A hole reads as zero. */
static enum memory_kind kind_in_file(struct job *job, struct area *area, __u64 address)
{
	const off_t at = address - area->begin + area->offset;
	off_t data;

	if (area->file == FILE_UNTRIED)
		try_file(job, area);
	if (area->file == FILE_EMPTY)
		return MEMORY_ABSENT;
	if (area->file == FILE_SILENT) {
		note_why(job,
			 "pages of a file that are not in the VMM's page tables may hold data: the file does not tell");
		return MEMORY_UNKNOWN;
	}
	data = lseek(area->fd, at, SEEK_DATA);
	if (data >= 0)
		return data < at + PAGE_BYTES ? MEMORY_HIDDEN : MEMORY_ABSENT;
	return errno == ENXIO ? MEMORY_ABSENT : MEMORY_UNKNOWN;
}

static enum memory_kind kind_of_absent(struct job *job, const struct page *page)
{
	struct area *area = area_of(job, page->address);

	if (!area) {
		note_why(job, "the VMM has nothing mapped for a part of a slot");
		return MEMORY_UNKNOWN;
	}
	if (job->ranges[page->range].private) {
		note_why(job, "private memory of the guest (guest_memfd) is not mapped in the VMM");
		return MEMORY_UNKNOWN;
	}
	if (job->on_demand) {
		note_why(job,
			 "the VMM fills memory on demand (userfaultfd): what is absent may hold data elsewhere");
		return MEMORY_UNKNOWN;
	}
	return area->inode ? kind_in_file(job, area, page->address) : MEMORY_ABSENT;
}

/* Open fds of the VMM tell what kind of memory the guest has. */
static void judge_fd(struct job *job, const char *link)
{
	if (!strcmp(link, "/dev/sev")) {
		job->encrypted = true;
		note_why(job, "the guest's memory is encrypted (SEV): what it holds is not known");
	} else if (strstr(link, "[userfaultfd]")) {
		job->on_demand = true;
	}
}

static int look_at_fds(struct job *job)
{
	int fd = openat(job->process.dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	char link[64];
	ssize_t len;
	size_t nr;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return fail(job, -EACCES, "no right to look into the VMM; run as root");
	}
	for (nr = 0; nr < MAX_FDS && (entry = readdir(dir)); nr++) {
		len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		if (len <= 0)
			continue;
		link[len] = '\0';
		judge_fd(job, link);
	}
	closedir(dir);
	return 0;
}

/* --- looking --------------------------------------------------------------- */

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
	struct page *pages;
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

/* Two pages that nobody forged have the same hash once in 2^64. */
static __u64 hash_of(const struct job *job, const __u64 *page)
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
static void ask_pagemap(struct job *job, struct batch *batch)
{
	struct page *page;
	__u64 entry;
	size_t i;

	batch->nr_present = 0;
	for (i = 0; i < batch->nr; i++) {
		page = &batch->pages[i];
		if (pread(job->pagemap, &entry, sizeof(entry),
			  page->address / PAGE_BYTES * sizeof(entry)) != sizeof(entry)) {
			page->kind = MEMORY_UNKNOWN;
		} else if (entry & MAP_PRESENT) {
			page->kind = MEMORY_DATA;
			batch->remote[batch->nr_present].iov_base = (void *)page->address;
			batch->remote[batch->nr_present].iov_len = PAGE_BYTES;
			batch->present[batch->nr_present++] = i;
		} else if (entry & MAP_SWAPPED) {
			page->kind = MEMORY_SWAPPED;
		} else {
			page->kind = kind_of_absent(job, page);
		}
	}
}

static void give_up(struct job *job, struct page *page, int err)
{
	page->kind = MEMORY_UNKNOWN;
	if (err == EPERM)
		note_why(job, "no right to read the VMM's memory; run as root");
	else
		note_why(job, "pages of the VMM's can't be read (secret or a device's memory)");
}

/* A read stops at the first page that can't be read. Skip that page, and read on. */
static int read_present(struct job *job, struct batch *batch)
{
	struct iovec local;
	size_t at = 0, whole;
	ssize_t n;

	while (at < batch->nr_present) {
		local.iov_base = batch->contents[at];
		local.iov_len = (batch->nr_present - at) * PAGE_BYTES;
		n = process_vm_readv(job->process.pid, &local, 1, batch->remote + at,
				     batch->nr_present - at, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ESRCH || errno == ENOMEM))
			return -errno;
		whole = n < 0 ? 0 : n / PAGE_BYTES;
		at += whole;
		if (at < batch->nr_present && (n < 0 || n % PAGE_BYTES || !n))
			give_up(job, &batch->pages[batch->present[at++]], n < 0 ? errno : 0);
	}
	return 0;
}

/* Call @take for each page whose contents mean something. */
static void take_present(struct job *job, struct batch *batch,
			 void (*take)(struct job *job, struct page *page, const __u64 *contents))
{
	struct page *page;
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

/*
 * Look at all pages, always in the same order, so that the time between two looks is the same for
 * each page. Returns 0, or why the job ends early. Sets *@when to the mean time of this look.
 */
static int look(struct job *job, const bool *over, __u64 *when,
		void (*take)(struct job *job, struct page *page, const __u64 *contents))
{
	struct batch *batch = malloc(sizeof(*batch));
	double sum = 0;
	__u64 begin = now_ns(), now;
	size_t at;
	int err = batch ? 0 : fail(job, -ENOMEM, "no memory");

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
	return err == -ESRCH ? fail(job, err, "the VM has ended") : err;
}

static int open_process(struct job *job)
{
	int err;

	job->pagemap = openat(job->process.dir, "pagemap", O_RDONLY | O_CLOEXEC);
	if (job->pagemap < 0)
		return fail(job, -EACCES, "no right to look into the VMM; run as root");
	if (getrandom(&job->seed, sizeof(job->seed), 0) != sizeof(job->seed))
		return fail(job, -EIO, "no random numbers");
	err = look_at_fds(job);
	return err ? err : read_areas(job);
}

/* --- contents -------------------------------------------------------------- */

static void take_nothing(struct job *job, struct page *page, const __u64 *contents)
{
	(void)job;
	(void)page;
	(void)contents;
}

static void sample_work(void *arg, const bool *over)
{
	struct job *job = arg;
	__u64 when;

	job->err = open_process(job);
	if (!job->err)
		job->err = look(job, over, &when, take_nothing);
}

/*
 * The standard error of a share that is estimated from one page of each part of the memory.
 * Neighbouring parts are alike, so the difference between two of them shows how far one page may be
 * off. That errs on the high side. A kind that was never seen may still be there: the error is at
 * least what one page stands for.
 */
static struct memory_estimate estimate(const struct job *job,
				       bool (*counts)(const struct page *page, int what), int what)
{
	struct memory_estimate all = { };
	double differing = 0;
	size_t i, found = 0;

	for (i = 0; i < job->nr; i++) {
		found += counts(&job->pages[i], what);
		if (i % 2)
			differing += counts(&job->pages[i], what) !=
				     counts(&job->pages[i - 1], what);
	}
	all.pages = (double)found / job->nr * job->total;
	if (job->nr < job->total)
		all.error = job->total * sqrt(differing + 1) / job->nr;
	return all;
}

static bool is_kind(const struct page *page, int kind)
{
	return page->kind == (enum memory_kind)kind;
}

static bool has_private(const struct job *job)
{
	size_t i;

	for (i = 0; i < job->nr_ranges; i++) {
		if (job->ranges[i].private)
			return true;
	}
	return false;
}

/* @pages are the sample's pages of one slot: evenly spread, sorted by address. */
static void find_parts(struct memory_slot *slot, const struct page *pages)
{
	size_t i, from, to;
	unsigned int part;

	slot->nr_parts = slot->looked < MEMORY_PARTS ? slot->looked : MEMORY_PARTS;
	for (part = 0; part < slot->nr_parts; part++) {
		from = slot->looked * part / slot->nr_parts;
		to = slot->looked * (part + 1) / slot->nr_parts;
		for (i = from; i < to; i++)
			slot->zero[part] += pages[i].kind == MEMORY_ZERO ||
					    pages[i].kind == MEMORY_ABSENT;
		slot->zero[part] /= to - from;
	}
}

/* A slot's pages are adjacent in the sample, unless its memory lies between that of others. */
static void find_all_parts(struct job *job)
{
	struct memory_slot *slot;
	size_t i, from = 0;

	for (i = 1; i <= job->nr; i++) {
		slot = &job->slots[job->ranges[job->pages[from].range].slot];
		if (i < job->nr && slot == &job->slots[job->ranges[job->pages[i].range].slot])
			continue;
		if (i - from == slot->looked)
			find_parts(slot, &job->pages[from]);
		from = i;
	}
}

static int sum_up(struct job *job, struct memory_sample *sample)
{
	struct memory_slot *slot;
	enum memory_kind kind;
	size_t i;

	sample->taken = malloc(job->nr * sizeof(*sample->taken));
	if (!sample->taken)
		return -ENOMEM;
	sample->pages = job->total;
	sample->looked = job->nr;
	sample->encrypted = job->encrypted || has_private(job);
	for (i = 0; i < job->nr; i++) {
		kind = job->pages[i].kind;
		slot = &job->slots[job->ranges[job->pages[i].range].slot];
		sample->taken[i] = (struct memory_page) { job->pages[i].address, kind };
		sample->found[kind]++;
		slot->found[kind]++;
		slot->looked++;
	}
	find_all_parts(job);
	for (kind = 0; kind < MEMORY_KINDS; kind++)
		sample->estimate[kind] = estimate(job, is_kind, kind);
	sample->slots = job->slots;
	sample->nr_slots = job->nr_slots;
	job->slots = NULL;
	return 0;
}

/* --- changes --------------------------------------------------------------- */

static void take_first(struct job *job, struct page *page, const __u64 *contents)
{
	page->hash = hash_of(job, contents);
}

static void take_again(struct job *job, struct page *page, const __u64 *contents)
{
	if (page->first == MEMORY_ZERO || page->first == MEMORY_ABSENT)
		page->changed |= page->kind != MEMORY_ZERO;
	else if (page->first == MEMORY_DATA)
		page->changed |= hash_of(job, contents) != page->hash;
}

/* Are the page's contents at the first look known? */
static bool was_known(const struct page *page)
{
	return page->first == MEMORY_ZERO || page->first == MEMORY_DATA ||
	       page->first == MEMORY_ABSENT;
}

/*
 * Is it known whether the page changed? A page that has been swapped out since may have changed
 * before. A page that was absent at first and is in swap now has changed.
 */
static bool is_known(const struct page *page)
{
	if (!was_known(page))
		return false;
	if (page->changed)
		return true;
	return page->kind == MEMORY_ZERO || page->kind == MEMORY_DATA ||
	       (page->kind == MEMORY_ABSENT && page->first != MEMORY_DATA);
}

static bool has_changed(const struct page *page, int unused)
{
	(void)unused;
	return page->changed;
}

static void note_look(struct job *job, struct memory_look *look, __u64 ns)
{
	size_t i;

	for (i = 0; i < job->nr; i++) {
		if (job->pages[i].first == MEMORY_ABSENT && job->pages[i].kind == MEMORY_SWAPPED)
			job->pages[i].changed = true;
		look->looked += is_known(&job->pages[i]);
		look->changed += job->pages[i].changed;
		look->zero += job->pages[i].changed && job->pages[i].kind == MEMORY_ZERO;
	}
	look->ns = ns;
	if (look->looked)
		look->dirtied = estimate(job, has_changed, 0);
	else
		look->dirtied = (struct memory_estimate) { -1, -1 };
}

static void note_first(struct job *job)
{
	struct page *page;

	for (page = job->pages; page < job->pages + job->nr; page++) {
		page->first = page->kind;
		job->dirtying.unknown += !was_known(page);
	}
}

/* Sleep in short pieces, and stop when nobody waits for the job any more. */
static void wait_until(__u64 until, const bool *over)
{
	struct timespec ts = { .tv_nsec = 10 * NSEC_PER_MSEC };
	__u64 now;

	for (now = now_ns(); now < until && !patience_over(over); now = now_ns()) {
		if (until - now < 10 * NSEC_PER_MSEC)
			ts.tv_nsec = until - now;
		nanosleep(&ts, NULL);
	}
}

static void dirtying_work(void *arg, const bool *over)
{
	struct job *job = arg;
	struct memory_dirtying *dirtying = &job->dirtying;
	const size_t nr_looks = dirtying->nr_looks;
	__u64 begin, first, when;
	size_t i;

	dirtying->nr_looks = 0;
	job->err = open_process(job);
	begin = now_ns();
	if (!job->err)
		job->err = look(job, over, &first, take_first);
	if (!job->err)
		note_first(job);
	for (i = 0; !job->err && i < nr_looks; i++) {
		wait_until(begin + job->after_ms[i] * NSEC_PER_MSEC, over);
		job->err = look(job, over, &when, take_again);
		if (!job->err)
			note_look(job, &dirtying->looks[dirtying->nr_looks++], when - first);
	}
}

/* --- jobs ------------------------------------------------------------------ */

static void job_free(void *arg)
{
	struct job *job = arg;
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

static int job_prepare(struct job *job, int pid, const struct kvmwatch_slot *slots,
		       size_t nr_slots, const __u64 *addresses, size_t nr)
{
	int err;

	job->pagemap = -1;
	err = proc_open(pid, &job->process);
	if (err)
		return fail(job, err, "the VM has ended, or its process is not visible here");
	if (!nr || nr > MEMORY_MAX_PAGES)
		return fail(job, -EINVAL, "no such number of pages can be looked at");
	err = take_slots(job, slots, nr_slots);
	if (err)
		return err;
	return addresses ? take_pages(job, addresses, nr) : choose_pages(job, nr);
}

/* Returns 0 if the caller owns the job again. Otherwise the job is gone; @why has the reason. */
static int job_do(struct job *job, void (*work)(void *arg, const bool *over), unsigned int ms,
		  char *why)
{
	int err = patience_run(work, job, job_free, ms);

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
		job_free(job);
		snprintf(why, MONITOR_WHY, "%s", strerror(-err));
		return err;
	}
}

/*
 * Make a job that looks at the pages at @addresses, or if NULL, at any @nr pages. Returns 0, or an
 * error with the reason in @why.
 */
static int job_new(int pid, const struct kvmwatch_slot *slots, size_t nr_slots,
		   const __u64 *addresses, size_t nr, struct job **job, char *why)
{
	struct job *new = calloc(1, sizeof(*new));
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
	job_free(new);
	return err;
}

int memory_sample(int pid, const struct kvmwatch_slot *slots, size_t nr_slots, size_t nr,
		  struct memory_sample *sample)
{
	const __u64 begin = now_ns();
	struct job *job;
	int err;

	memset(sample, 0, sizeof(*sample));
	err = job_new(pid, slots, nr_slots, NULL, nr, &job, sample->why);
	if (!err)
		err = job_do(job, sample_work, PATIENCE_MS, sample->why);
	if (err)
		return err;
	err = job->err;
	snprintf(sample->why, sizeof(sample->why), "%s", job->why);
	if (!err)
		err = sum_up(job, sample);
	sample->ns = now_ns() - begin;
	job_free(job);
	return err;
}

int memory_contents(int pid, const struct kvmwatch_slot *slots, size_t nr_slots,
		    const __u64 *addresses, size_t nr, size_t found[MEMORY_KINDS],
		    char why[MONITOR_WHY])
{
	struct job *job;
	size_t i;
	int err;

	memset(found, 0, MEMORY_KINDS * sizeof(*found));
	err = job_new(pid, slots, nr_slots, addresses, nr, &job, why);
	if (!err)
		err = job_do(job, sample_work, PATIENCE_MS, why);
	if (err)
		return err;
	err = job->err;
	snprintf(why, MONITOR_WHY, "%s", job->why);
	for (i = 0; !err && i < job->nr; i++)
		found[job->pages[i].kind]++;
	job_free(job);
	return err;
}

bool memory_sent_whole(enum memory_kind kind)
{
	return kind != MEMORY_ZERO && kind != MEMORY_ABSENT;
}

/* Both are sorted by address. Some pages of the sample may be in no slot any more. */
static double growth_of(const struct job *job, const struct memory_sample *sample)
{
	const struct page *page = job->pages, *end = job->pages + job->nr;
	double more = 0, less = 0;
	size_t i;

	for (i = 0; i < sample->looked && page < end; i++) {
		if (page->address != sample->taken[i].address)
			continue;
		if (page->kind != MEMORY_UNKNOWN && sample->taken[i].kind != MEMORY_UNKNOWN) {
			more += memory_sent_whole(page->kind) &&
				!memory_sent_whole(sample->taken[i].kind);
			less += !memory_sent_whole(page->kind) &&
				memory_sent_whole(sample->taken[i].kind);
		}
		page++;
	}
	if ((more - less) * (more - less) <= ONE_IN_A_HUNDRED * (more + less))
		return 0;
	return (more - less) / sample->looked * sample->pages;
}

int memory_growth(int pid, const struct kvmwatch_slot *slots, size_t nr_slots,
		  const struct memory_sample *sample, double *growth)
{
	__u64 *addresses = malloc(sample->looked * sizeof(*addresses));
	char why[MONITOR_WHY];
	struct job *job;
	size_t i;
	int err;

	if (!addresses)
		return -ENOMEM;
	for (i = 0; i < sample->looked; i++)
		addresses[i] = sample->taken[i].address;
	err = job_new(pid, slots, nr_slots, addresses, sample->looked, &job, why);
	free(addresses);
	if (!err)
		err = job_do(job, sample_work, PATIENCE_MS, why);
	if (err)
		return err;
	err = job->err;
	if (!err)
		*growth = growth_of(job, sample);
	job_free(job);
	return err;
}

void memory_sample_free(struct memory_sample *sample)
{
	free(sample->slots);
	free(sample->taken);
	memset(sample, 0, sizeof(*sample));
}

static bool are_times(const unsigned int *after_ms, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (after_ms[i] > MAX_MS || after_ms[i] <= (i ? after_ms[i - 1] : 0))
			return false;
	}
	return nr && nr <= MEMORY_MAX_LOOKS;
}

int memory_dirtying(int pid, const struct kvmwatch_slot *slots, size_t nr_slots, size_t nr,
		    const unsigned int *after_ms, size_t nr_looks,
		    struct memory_dirtying *dirtying)
{
	struct job *job;
	int err;

	memset(dirtying, 0, sizeof(*dirtying));
	if (!are_times(after_ms, nr_looks)) {
		snprintf(dirtying->why, sizeof(dirtying->why),
			 "no such times: up to %u, increasing, of at most %u s", MEMORY_MAX_LOOKS,
			 MAX_MS / 1000);
		return -EINVAL;
	}
	err = job_new(pid, slots, nr_slots, NULL, nr, &job, dirtying->why);
	if (err)
		return err;
	memcpy(job->after_ms, after_ms, nr_looks * sizeof(*after_ms));
	job->dirtying.nr_looks = nr_looks;
	err = job_do(job, dirtying_work, after_ms[nr_looks - 1] + PATIENCE_MS, dirtying->why);
	if (err)
		return err;
	*dirtying = job->dirtying;
	dirtying->pages = job->total;
	dirtying->looked = job->nr;
	snprintf(dirtying->why, sizeof(dirtying->why), "%s", job->why);
	err = job->err;
	job_free(job);
	return err;
}
