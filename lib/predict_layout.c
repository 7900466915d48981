// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Compute where RAM has data, zero pages, and pages that the guest dirties, in the order in which
 * QEMU sends it. That decides what is left when QEMU first collects the log, and when the chunks of
 * the log are cleared. If nothing is known, assume that zero pages come last, and that the guest
 * dirties pages wherever there are data.
 */
#include <math.h>
#include <string.h>

#include "predict.h"

/* A part of RAM with a larger share of zero pages counts as having no data. */
#define MOSTLY_ZERO	0.98
/* A smaller share of the data does not fill a window. */
#define LITTLE_DATA	0.02

struct sums {
	double pages;
	double data;
	double dirty;
};

static struct sums sums_of(const struct kvmwatch_predict_input *in)
{
	struct sums sums = { };
	size_t i;

	for (i = 0; i < in->nr_parts; i++) {
		sums.pages += (double)in->parts[i].pages;
		sums.data += (double)in->parts[i].data;
		sums.dirty += (double)in->parts[i].dirty;
	}
	return sums;
}

/* If nothing is known, take one part for data, and one for the rest. */
static void add_part(struct layout *layout, struct sums *so_far, const struct sums *all,
		     struct sums part)
{
	double from = so_far->pages / all->pages * LAYOUT_STEPS, to, in_part;
	unsigned int step;

	to = from + part.pages / all->pages * LAYOUT_STEPS;
	for (step = (unsigned int)floor(from); step < LAYOUT_STEPS && step < to; step++) {
		in_part = (fmin(to, step + 1) - fmax(from, step)) / (to - from);
		layout->data[step + 1] += part.data * in_part / fmax(all->data, 1);
		layout->dirty[step + 1] += all->dirty > 0 ? part.dirty * in_part / all->dirty :
					   part.data * in_part / fmax(all->data, 1);
	}
	so_far->pages += part.pages;
}

static double table_at(const double *table, double share)
{
	double at = fmin(fmax(share, 0), 1) * LAYOUT_STEPS;
	unsigned int step = (unsigned int)fmin(floor(at), LAYOUT_STEPS - 1);

	return table[step] + (table[step + 1] - table[step]) * (at - step);
}

/* The share of RAM that has the dirtied pages: all, or less if some parts have more than others */
static double dirty_share(const struct layout *layout)
{
	double squares = 0, here;
	unsigned int step;

	for (step = 0; step < LAYOUT_STEPS; step++) {
		here = layout->dirty[step + 1] - layout->dirty[step];
		squares += here * here;
	}
	return squares > 0 ? fmin(1 / (squares * LAYOUT_STEPS), 1) : 1;
}

static void find_chunks(struct layout *layout, const struct kvmwatch_predict_input *in)
{
	double chunks = ceil((double)in->ram_pages * PAGE_BYTES / (double)in->chunk), share, next;
	unsigned int i;

	if (in->flags & KVMWATCH_PREDICT_RING)
		chunks = 1;
	layout->chunks = (unsigned int)fmin(chunks, MAX_CHUNKS);
	layout->dirty_chunks = fmin(chunks * dirty_share(layout), MAX_CHUNKS);
	for (i = 0; i < layout->chunks; i++) {
		share = (double)i / layout->chunks;
		next = (double)(i + 1) / layout->chunks;
		/* If QEMU has more chunks than this model, each chunk here stands for many. */
		layout->cleared_at[i] = chunks > MAX_CHUNKS ?
			(table_at(layout->data, share) + table_at(layout->data, next)) / 2 :
			table_at(layout->data, share);
		layout->chunk_dirty[i] = table_at(layout->dirty, next) -
					 table_at(layout->dirty, share);
	}
}

/*
 * QEMU passes over zero pages among data while it waits for its next window. Of a run of zero
 * pages, only those in the window in which data follow take no time: half a window. Returns the
 * length so far of the run of zero pages without data.
 */
static double hide_zeros(struct layout *layout, double run, double seconds, double share)
{
	if (share > MOSTLY_ZERO)
		return run + seconds;
	layout->hidden += seconds + fmin(run, WINDOW / 2);
	return 0;
}

void layout_make(struct layout *layout, const struct kvmwatch_predict_input *in)
{
	struct sums all = sums_of(in), so_far = { };
	unsigned int step;
	double zero = 0, before = 0, run = 0, data, part;
	size_t i;

	memset(layout, 0, sizeof(*layout));
	layout->dirty_known = all.dirty > 0;
	if (all.data > 0) {
		for (i = 0; i < in->nr_parts; i++)
			add_part(layout, &so_far, &all, (struct sums) {
				.pages = (double)in->parts[i].pages,
				.data = (double)in->parts[i].data,
				.dirty = (double)in->parts[i].dirty,
			});
	} else {
		all.data = fmax((double)in->data_pages, 1);
		all.pages = all.data + (double)in->zero_pages;
		all.dirty = 0;
		add_part(layout, &so_far, &all, (struct sums) {
			.pages = all.data, .data = all.data });
	}
	for (step = 0; step < LAYOUT_STEPS; step++) {
		data = layout->data[step + 1];
		layout->data[step + 1] += layout->data[step];
		layout->dirty[step + 1] += layout->dirty[step];
		part = fmax(all.pages / LAYOUT_STEPS - data * all.data, 0);
		zero += part;
		before += part * (layout->data[step] + data / 2);
		if (1 - layout->data[step] > LITTLE_DATA)
			run = hide_zeros(layout, run, part * in->zero_page,
					 part * LAYOUT_STEPS / all.pages);
	}
	layout->before_zero = zero > 0 ? before / zero : 1;
	find_chunks(layout, in);
}

double layout_data_left(const struct layout *layout, double left)
{
	return fmax(1 - table_at(layout->data, 1 - left), 0);
}

double layout_dirty_left(const struct layout *layout, double left)
{
	return fmax(1 - table_at(layout->dirty, 1 - left), 0);
}

double layout_tail(const struct layout *layout, double data_left)
{
	unsigned int low = 0, high = LAYOUT_STEPS, mid;
	double before = 1 - data_left, rise;

	if (before <= 0)
		return 1;
	while (high - low > 1) {
		mid = (low + high) / 2;
		if (layout->data[mid] < before)
			low = mid;
		else
			high = mid;
	}
	rise = layout->data[high] - layout->data[low];
	return 1 - (low + (rise > 0 ? fmin((before - layout->data[low]) / rise, 1) : 1)) /
	       LAYOUT_STEPS;
}
