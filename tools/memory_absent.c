// SPDX-License-Identifier: GPL-2.0
/* What pages are that the VMM's page tables do not have. See memory_job.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "memory_job.h"

#ifndef HUGETLBFS_MAGIC
#define HUGETLBFS_MAGIC		0x958458f6
#endif

#define MAX_MAPS	(64 << 20)
#define MAX_FDS		65536

/* "7f00-7f10 rw-s 00000000 00:01 1234  /memfd:ram (deleted)" */
static bool read_area(const char *line, struct memory_area *area)
{
	unsigned long long begin, end, offset, inode;

	if (sscanf(line, "%llx-%llx %*4s %llx %*x:%*x %llu", &begin, &end, &offset, &inode) != 4)
		return false;
	*area = (struct memory_area) { .begin = begin, .end = end, .offset = offset, .inode = inode,
				.fd = -1 };
	return true;
}

static int add_area(struct memory_job *job, const struct memory_area *area)
{
	struct memory_area *more;

	if (job->nr_areas == job->room) {
		job->room = job->room ? 2 * job->room : 64;
		more = realloc(job->areas, job->room * sizeof(*more));
		if (!more)
			return memory_fail(job, -ENOMEM, "no memory");
		job->areas = more;
	}
	job->areas[job->nr_areas++] = *area;
	return 0;
}

/* Keep the areas that may be in a slot. The kernel sorts the lines by address. */
int memory_read_areas(struct memory_job *job)
{
	const __u64 low = job->ranges[0].begin, high = job->ranges[job->nr_ranges - 1].end;
	char *text, *line, *next;
	struct memory_area area;
	size_t len;
	int err = 0;

	text = proc_read(&job->process, "maps", MAX_MAPS, &len);
	if (!text)
		return memory_fail(job, -EACCES, "no right to look into the VMM; run as root");
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

static struct memory_area *area_of(const struct memory_job *job, __u64 address)
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
static void judge_file(struct memory_area *area)
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

static void try_file(struct memory_job *job, struct memory_area *area)
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
static enum memory_kind kind_in_file(struct memory_job *job, struct memory_area *area,
				     __u64 address)
{
	const off_t at = address - area->begin + area->offset;
	off_t data;

	if (area->file == FILE_UNTRIED)
		try_file(job, area);
	if (area->file == FILE_EMPTY)
		return MEMORY_ABSENT;
	if (area->file == FILE_SILENT) {
		memory_note_why(job,
				"pages of a file that are not in the VMM's page tables may hold data: the file does not tell");
		return MEMORY_UNKNOWN;
	}
	data = lseek(area->fd, at, SEEK_DATA);
	if (data >= 0)
		return data < at + MEMORY_PAGE_BYTES ? MEMORY_HIDDEN : MEMORY_ABSENT;
	return errno == ENXIO ? MEMORY_ABSENT : MEMORY_UNKNOWN;
}

enum memory_kind memory_kind_of_absent(struct memory_job *job, const struct memory_seen *page)
{
	struct memory_area *area = area_of(job, page->address);

	if (!area) {
		memory_note_why(job, "the VMM has nothing mapped for a part of a slot");
		return MEMORY_UNKNOWN;
	}
	if (job->ranges[page->range].private) {
		memory_note_why(job,
				"private memory of the guest (guest_memfd) is not mapped in the VMM");
		return MEMORY_UNKNOWN;
	}
	if (job->on_demand) {
		memory_note_why(job,
				"the VMM fills memory on demand (userfaultfd): what is absent may hold data elsewhere");
		return MEMORY_UNKNOWN;
	}
	return area->inode ? kind_in_file(job, area, page->address) : MEMORY_ABSENT;
}

/* Open fds of the VMM tell what kind of memory the guest has. */
static void judge_fd(struct memory_job *job, const char *link)
{
	if (!strcmp(link, "/dev/sev")) {
		job->encrypted = true;
		memory_note_why(job,
				"the guest's memory is encrypted (SEV): what it holds is not known");
	} else if (strstr(link, "[userfaultfd]")) {
		job->on_demand = true;
	}
}

int memory_judge_fds(struct memory_job *job)
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
		return memory_fail(job, -EACCES, "no right to look into the VMM; run as root");
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
