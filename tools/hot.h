/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Per-page heat of one VM: the marks between a first look and the last one.
 *
 * The module may have counted before, for another reader. So the counts at the first look are
 * subtracted.
 */
#ifndef KVMWATCH_HOT_H
#define KVMWATCH_HOT_H

#include <stdbool.h>
#include <stddef.h>

#include "libkvmwatch.h"

/**
 * struct hot - the heat of a VM, or of one of its slots
 * @fd:		the heat fd; the module counts while it is open
 * @first:	header and slots at the first look
 * @last:	header and slots at the last look
 * @counts:	for each slot the count of each page at the first look; NULL: all 0
 * @logged:	for each slot: its logging was on at a look
 */
struct hot {
	int fd;
	struct kvmwatch_heat *first, *last;
	__u32 **counts;
	bool *logged;
};

/* A page, and how often it was marked. @slot is an index of hot->last->slots. */
struct hot_page {
	size_t slot;
	__u64 rel_gfn;
	__u64 count;
};

/* Take the first look; from now on @hot owns @fd. Returns 0 or -errno. */
int hot_begin(struct hot *hot, int fd);
/* Take another look. Returns 0 or -errno. */
int hot_look(struct hot *hot);
void hot_end(struct hot *hot);

/* Marks of a slot, and of all slots. */
__u64 hot_marks(const struct hot *hot, size_t slot);
__u64 hot_all_marks(const struct hot *hot);
/* Was logging of any slot on? If not, nothing is known about dirtying. */
bool hot_any_logged(const struct hot *hot);

/* Call @fn for each marked page, slot by slot, until it fails. Returns 0 or -errno. */
typedef int hot_page_fn(void *arg, const struct hot_page *page);
int hot_each_page(const struct hot *hot, hot_page_fn *fn, void *arg);

/**
 * struct hot_hottest - the pages with the highest counts
 * @max:	number of pages to keep
 * @marked:	number of marked pages so far
 * @pages:	the hottest of them, unsorted until hot_sort(); the caller frees it
 * @nr:		number of @pages
 * @room:	number of pages that fit into the memory of @pages
 */
struct hot_hottest {
	size_t max;
	size_t marked;
	struct hot_page *pages;
	size_t nr, room;
};

/* Add a marked page; a hot_page_fn. */
int hot_add(void *hottest, const struct hot_page *page);
/* Find the @max hottest pages, sorted by count, highest first. Returns 0 or -errno. */
int hot_find(const struct hot *hot, size_t max, struct hot_hottest *hottest);
/* Sort by count, highest first; pages with equal counts by slot and address. */
void hot_sort(struct hot_page *pages, size_t nr);

/*
 * u(t): the mean number of distinct pages in a window of length number @window, over the @windows
 * that have ended. With HOT_ALL it is the sum of the means of all logged slots, and @windows is the
 * number that each of them has at least. -ENODATA: no window has ended yet; -ENOENT: logging is
 * off, so nothing is known.
 */
#define HOT_ALL		((size_t)-1)
int hot_mean(const struct hot *hot, size_t slot, unsigned int window, double *pages,
	     __u64 *windows);

/* --- a picture ----------------------------------------------------------- */

/**
 * struct hot_map - marks by time and by place in the VM's memory
 * @rows:	number of places, from the bottom
 * @columns:	number of times, from the left
 * @pages:	number of pages of all slots
 * @cells:	marks: cells[column * rows + row]
 * @seconds:	when the last column ended; all columns have the same width
 */
struct hot_map {
	size_t rows, columns;
	__u64 pages;
	__u64 *cells;
	double seconds;
};

#define HOT_MAP_ROWS	256
#define HOT_MAP_COLUMNS	120

/*
 * Add a column with the marks until now, at @seconds. Slots of address space 0 are stacked by their
 * addresses. Returns 0 or -errno; -ENOSPC: the map is full.
 */
int hot_map_add(struct hot_map *map, const struct hot *hot, double seconds);
void hot_map_free(struct hot_map *map);

struct hot_plot;

/* Start gnuplot, to draw into a file. Returns an exit code, and prints errors. */
int hot_plot_begin(const char *path, struct hot_plot **plot);
/* Draw @map, or with NULL discard the file. Returns an exit code, and prints errors. */
int hot_plot_end(struct hot_plot *plot, const struct hot_map *map, const char *title);

#endif /* KVMWATCH_HOT_H */
