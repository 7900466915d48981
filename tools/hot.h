/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Per-page heat of one VM over a time: what was marked between the first look and the last.
 *
 * The module may have counted before, for somebody else; what it said at the first look is
 * taken off.
 */
#ifndef KVMWATCH_HOT_H
#define KVMWATCH_HOT_H

#include <stdbool.h>
#include <stddef.h>

#include "libkvmwatch.h"

/**
 * struct hot - the heat of a VM, or of one slot of it
 * @fd:		open as long as it is to be counted
 * @first:	what it said at the first look
 * @last:	what it said at the last one
 * @counts:	for each slot the count of each of its pages at the first look; NULL: all 0
 * @logged:	for each slot: was it logged at one look at least?
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

/* Takes @fd over and looks for the first time. 0 or -errno. */
int hot_begin(struct hot *hot, int fd);
/* Look again. 0 or -errno. */
int hot_look(struct hot *hot);
void hot_end(struct hot *hot);

/* Marks of a slot, and of all of it together. */
__u64 hot_marks(const struct hot *hot, size_t slot);
__u64 hot_all_marks(const struct hot *hot);
/* Was any slot logged? If not, there is nothing to know. */
bool hot_any_logged(const struct hot *hot);

/* Call @fn for each page that has been marked, slot by slot. 0 or -errno. */
typedef int hot_page_fn(void *arg, const struct hot_page *page);
int hot_each_page(const struct hot *hot, hot_page_fn *fn, void *arg);

/**
 * struct hot_hottest - the pages with the highest counts
 * @max:	so many of them at most
 * @marked:	how many pages have been marked
 * @pages:	the hottest of these, in no order until they are sorted; to be freed
 * @nr:		how many
 * @room:	how many there is memory for
 */
struct hot_hottest {
	size_t max;
	size_t marked;
	struct hot_page *pages;
	size_t nr, room;
};

/* One more page that was marked; a hot_page_fn. It keeps no more than @max of them. */
int hot_add(void *hottest, const struct hot_page *page);
/* The @max hottest of all pages, highest count first. 0 or -errno. */
int hot_find(const struct hot *hot, size_t max, struct hot_hottest *hottest);
/* Highest count first; equal ones in the order of slots and pages. */
void hot_sort(struct hot_page *pages, size_t nr);

/*
 * u(t): distinct pages in a window of length number @window, on average over @windows that
 * ended, of one slot, or, with HOT_ALL, of all that were logged together; these are sums of the
 * slots' means, over as many windows as each has had at least. -ENODATA: none has ended
 * yet; -ENOENT: not logged, so not known.
 */
#define HOT_ALL		((size_t)-1)
int hot_mean(const struct hot *hot, size_t slot, unsigned int window, double *pages,
	     __u64 *windows);

/* --- a picture ----------------------------------------------------------- */

/**
 * struct hot_map - marks by time and by place in the VM's memory
 * @rows:	places, from the bottom
 * @columns:	times, from the left
 * @pages:	of all slots together
 * @cells:	marks: cells[column * rows + row]
 * @seconds:	when the last column ended; they are equally wide
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
 * Add a column: what was marked until now, at @seconds. Slots of address space 0 lie one upon
 * the other, by their addresses. 0 or -errno; -ENOSPC: it is full.
 */
int hot_map_add(struct hot_map *map, const struct hot *hot, double seconds);
void hot_map_free(struct hot_map *map);

struct hot_plot;

/* Have gnuplot ready to draw into a file. Returns an exit code; it was said what is wrong. */
int hot_plot_begin(const char *path, struct hot_plot **plot);
/* Draw, or with NULL do not; likewise. */
int hot_plot_end(struct hot_plot *plot, const struct hot_map *map, const char *title);

#endif /* KVMWATCH_HOT_H */
