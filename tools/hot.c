// SPDX-License-Identifier: GPL-2.0
/* Per-page heat of one VM over some time. See hot.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hot.h"

#define CHUNK	4096	/* pages read at once */

/* --- looking ------------------------------------------------------------- */

static int read_counts(const struct hot *hot, size_t slot, __u32 *counts)
{
	struct kvmwatch_heat_page pages[CHUNK];
	__u64 npages = hot->first->slots[slot]->npages, at, part, i;
	int err;

	for (at = 0; at < npages; at += part) {
		part = npages - at < CHUNK ? npages - at : CHUNK;
		err = kvmwatch_heat_pages(hot->fd, hot->first, slot, at, part, pages);
		if (err)
			return err;
		for (i = 0; i < part; i++)
			counts[at + i] = pages[i].count;
	}
	return 0;
}

static void note_logged(struct hot *hot, const struct kvmwatch_heat *heat)
{
	size_t i;

	for (i = 0; i < heat->nr; i++)
		hot->logged[i] |= heat->slots[i]->flags & KVMWATCH_HEAT_LOGGED ||
				  heat->slots[i]->marks > hot->first->slots[i]->marks;
}

static int begin(struct hot *hot)
{
	size_t i;
	int err;

	err = kvmwatch_heat_read(hot->fd, &hot->first);
	if (err)
		return err;
	hot->counts = calloc(hot->first->nr + 1, sizeof(*hot->counts));
	hot->logged = calloc(hot->first->nr + 1, sizeof(*hot->logged));
	if (!hot->counts || !hot->logged)
		return -ENOMEM;
	note_logged(hot, hot->first);
	for (i = 0; i < hot->first->nr && !err; i++) {
		if (!hot->first->slots[i]->marks)
			continue;
		hot->counts[i] = calloc(hot->first->slots[i]->npages, sizeof(**hot->counts));
		err = hot->counts[i] ? read_counts(hot, i, hot->counts[i]) : -ENOMEM;
	}
	return err ? err : hot_look(hot);
}

int hot_begin(struct hot *hot, int fd)
{
	int err;

	memset(hot, 0, sizeof(*hot));
	hot->fd = fd;
	err = begin(hot);
	if (err)
		hot_end(hot);
	return err;
}

int hot_look(struct hot *hot)
{
	struct kvmwatch_heat *heat;
	int err;

	err = kvmwatch_heat_read(hot->fd, &heat);
	if (err)
		return err;
	if (heat->nr != hot->first->nr) {
		kvmwatch_heat_free(heat);
		return -EBADMSG;
	}
	note_logged(hot, heat);
	kvmwatch_heat_free(hot->last);
	hot->last = heat;
	return 0;
}

void hot_end(struct hot *hot)
{
	size_t i;

	for (i = 0; hot->counts && i < hot->first->nr; i++)
		free(hot->counts[i]);
	free(hot->counts);
	free(hot->logged);
	kvmwatch_heat_free(hot->first);
	kvmwatch_heat_free(hot->last);
	close(hot->fd);
	memset(hot, 0, sizeof(*hot));
	hot->fd = -1;
}

/* --- marks --------------------------------------------------------------- */

__u64 hot_marks(const struct hot *hot, size_t slot)
{
	return hot->last->slots[slot]->marks - hot->first->slots[slot]->marks;
}

__u64 hot_all_marks(const struct hot *hot)
{
	__u64 sum = 0;
	size_t i;

	for (i = 0; i < hot->last->nr; i++)
		sum += hot_marks(hot, i);
	return sum;
}

bool hot_any_logged(const struct hot *hot)
{
	size_t i;

	for (i = 0; i < hot->first->nr; i++) {
		if (hot->logged[i])
			return true;
	}
	return false;
}

static int each_page_of(const struct hot *hot, size_t slot, hot_page_fn *fn, void *arg)
{
	struct kvmwatch_heat_page pages[CHUNK];
	__u64 npages = hot->first->slots[slot]->npages, at, part, i;
	struct hot_page page = { .slot = slot };
	int err = 0;

	for (at = 0; at < npages && !err; at += part) {
		part = npages - at < CHUNK ? npages - at : CHUNK;
		err = kvmwatch_heat_pages(hot->fd, hot->last, slot, at, part, pages);
		for (i = 0; i < part && !err; i++) {
			page.rel_gfn = at + i;
			page.count = pages[i].count;
			if (hot->counts[slot])
				page.count -= hot->counts[slot][at + i];
			if (page.count)
				err = fn(arg, &page);
		}
	}
	return err;
}

int hot_each_page(const struct hot *hot, hot_page_fn *fn, void *arg)
{
	size_t i;
	int err = 0;

	for (i = 0; i < hot->last->nr && !err; i++) {
		if (hot_marks(hot, i))
			err = each_page_of(hot, i, fn, arg);
	}
	return err;
}

/* Highest count first; pages with equal counts by slot and address. */
static int compare(const void *a, const void *b)
{
	const struct hot_page *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return (x->rel_gfn > y->rel_gfn) - (x->rel_gfn < y->rel_gfn);
}

void hot_sort(struct hot_page *pages, size_t nr)
{
	if (nr)
		qsort(pages, nr, sizeof(*pages), compare);
}

/* --- the hottest --------------------------------------------------------- */

/*
 * hottest->pages is a heap: each page is at most as hot as the two below it. So the coldest page,
 * which is replaced by a hotter one, is the root.
 */
static void swap(struct hot_page *a, struct hot_page *b)
{
	struct hot_page old = *a;

	*a = *b;
	*b = old;
}

static void sift_up(struct hot_page *pages, size_t at)
{
	size_t parent;

	for (; at; at = parent) {
		parent = (at - 1) / 2;
		if (compare(&pages[at], &pages[parent]) <= 0)
			return;
		swap(&pages[at], &pages[parent]);
	}
}

static void sift_down(struct hot_page *pages, size_t nr)
{
	size_t at = 0, child;

	while (at * 2 + 1 < nr) {
		child = at * 2 + 1;
		if (child + 1 < nr && compare(&pages[child + 1], &pages[child]) > 0)
			child++;
		if (compare(&pages[child], &pages[at]) <= 0)
			return;
		swap(&pages[child], &pages[at]);
		at = child;
	}
}

static int make_room(struct hot_hottest *hottest)
{
	size_t room = hottest->room * 2 + 64;
	struct hot_page *more;

	if (hottest->nr < hottest->room)
		return 0;
	if (room > hottest->max)
		room = hottest->max;
	more = reallocarray(hottest->pages, room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	hottest->pages = more;
	hottest->room = room;
	return 0;
}

int hot_add(void *arg, const struct hot_page *page)
{
	struct hot_hottest *hottest = arg;
	int err;

	hottest->marked++;
	if (hottest->nr < hottest->max) {
		err = make_room(hottest);
		if (err)
			return err;
		hottest->pages[hottest->nr] = *page;
		sift_up(hottest->pages, hottest->nr++);
	} else if (hottest->nr && compare(page, &hottest->pages[0]) < 0) {
		hottest->pages[0] = *page;
		sift_down(hottest->pages, hottest->nr);
	}
	return 0;
}

int hot_find(const struct hot *hot, size_t max, struct hot_hottest *hottest)
{
	int err;

	memset(hottest, 0, sizeof(*hottest));
	hottest->max = max;
	err = hot_each_page(hot, hot_add, hottest);
	if (err) {
		free(hottest->pages);
		return err;
	}
	hot_sort(hottest->pages, hottest->nr);
	return 0;
}

/* --- windows ------------------------------------------------------------- */

static int mean_of(const struct hot *hot, size_t slot, unsigned int window, double *pages,
		   __u64 *windows)
{
	__u64 sum;
	int err;

	if (!hot->logged[slot])
		return -ENOENT;
	err = kvmwatch_heat_window(hot->last, hot->first, slot, window, &sum, windows);
	if (!err)
		*pages = (double)sum / *windows;
	return err;
}

int hot_mean(const struct hot *hot, size_t slot, unsigned int window, double *pages,
	     __u64 *windows)
{
	int err, result = -ENOENT;
	double mean;
	__u64 nr;
	size_t i;

	if (slot != HOT_ALL)
		return mean_of(hot, slot, window, pages, windows);
	*pages = 0;
	*windows = ~0ULL;
	for (i = 0; i < hot->last->nr; i++) {
		err = mean_of(hot, i, window, &mean, &nr);
		if (err == -ENOENT)
			continue;
		if (err)
			return err;
		*pages += mean;
		*windows = nr < *windows ? nr : *windows;
		result = 0;
	}
	return result;
}
