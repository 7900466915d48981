/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parts of the forecast, for the library's own use. Each file has one thought:
 *
 *	predict_curve.c		u(t), from cycles of the log
 *	predict_replay.c	how it differs from cycle to cycle
 *	predict_layout.c	what is where in RAM
 *	predict_loop.c		QEMU's migration loop, played through once
 *	predict_runs.c		many times, with what is not known drawn at random
 *	predict_needs.c		the least downtime or bandwidth that is enough
 *	predict_textbook.c	the published recurrence
 *	predict.c		checks the input, and says what came out
 *
 * Within these files all is in pages and seconds.
 */
#ifndef LIBKVMWATCH_PREDICT_PRIVATE_H
#define LIBKVMWATCH_PREDICT_PRIVATE_H

#include <stdbool.h>

#include "libkvmwatch_predict.h"

#define PAGE_BYTES	((double)KVMWATCH_PREDICT_PAGE)
#define SENT_BYTES	(PAGE_BYTES + 8)	/* of a page, with its header */
#define ZERO_BYTES	9.0			/* of a zero page */
#define NSEC		1e9
#define WINDOW		0.1			/* seconds of QEMU's rate limit: BUFFER_DELAY */

/* --- u(t) ---------------------------------------------------------------- */

/* Knots of the table: 2^CURVE_FIRST seconds, and CURVE_STEPS to each octave from there. */
#define CURVE_FIRST	(-10)
#define CURVE_OCTAVES	36
#define CURVE_STEPS	8
#define CURVE_KNOTS	(CURVE_OCTAVES * CURVE_STEPS + 1)

/**
 * struct curve - u(t), the distinct pages that are dirtied within t from a clean log
 * @at: at each knot; straight lines between them, and concave as a whole
 */
struct curve {
	double at[CURVE_KNOTS];
};

/* What may be beyond the longest cycle. Each is a curve. */
enum beyond {
	BEYOND_POWER,		/* t^a, as in the last octave */
	BEYOND_FADE,		/* new pages become fewer, as they did from third to third */
	BEYOND_LINE,		/* as in the last third */
	BEYOND_FLAT,		/* no page that was not seen */
	NR_BEYOND,
};

/**
 * struct cycles - those of the input that have points enough to tell what is between them
 */
struct cycles {
	size_t nr;
	const struct kvmwatch_cycle **cycle;
	double longest;		/* seconds */
	double shortest;
	double cap;		/* pages of RAM: no more are marked */
};

#define SLICE		0.05	/* seconds of a cycle that are replayed as one */
#define PATH_SLICES	2048	/* of a replayed guest, at most; then it begins again */

/**
 * struct replay - a cycle as it differs from the average one
 * @nr:		slices, up to where new marks tell little
 * @slice:	of each, how much of its own time passed; or, of a guest that always works, how many
 *		pages more were marked than expected
 * @expected:	of such a guest, how many were expected
 */
struct replay {
	unsigned int nr;
	float *slice;
	float *expected;
};

/**
 * struct dirtying - what is known of how a guest dirties pages
 * @cycles:	that it was learned from
 * @curve:	of the average cycle, one for each way to go on beyond it
 * @weight:	how well each way foretells the longest cycle from its first half; sum 1
 * @measured:	seconds of the longest cycle
 * @straight:	0 to 1: whether the curve is a straight line to its end
 * @order:	0 to 1: whether it writes in order, to each page once before it begins again
 * @error:	relative standard error of the curve
 * @variation:	relative standard deviation between cycles, beyond chance
 * @bursts:	whether cycles are to be replayed
 * @always:	the least that any cycle marked: that much a guest dirties at any time
 * @always_works: whether that is something
 * @rests:	whether marks were seen to stop, and to go on
 * @nr_replays:	number of @replays
 * @replays:	the cycles
 * @path_slices: how long a replayed guest is: many replays, so that one follows each other
 * @by_slice:	if @always_works: each curve at the end of each slice, see slices_of_curve()
 */
struct dirtying {
	struct cycles cycles;
	struct curve curve[NR_BEYOND];
	double weight[NR_BEYOND];
	double measured;
	double straight;
	double order;
	double error;
	double variation;
	bool bursts;
	struct curve always;
	bool always_works;
	bool rests;
	size_t nr_replays;
	struct replay *replays;
	unsigned int path_slices;
	double *by_slice;
};

double curve_time(unsigned int knot);
double curve_at(const struct curve *curve, double seconds);
/* When it reaches @pages; at most the last knot. */
double curve_when(const struct curve *curve, double pages);

/* Seconds that a cycle was watched for, and pages that were marked within so many */
double cycle_length(const struct kvmwatch_cycle *cycle);
double cycle_at(const struct kvmwatch_cycle *cycle, double seconds);

/* What makes and frees the part of it that replays cycles; 0 or -ENOMEM. */
int replays_make(struct dirtying *dirtying);
void replays_free(struct dirtying *dirtying);

/* 0 or -ENOMEM; to be ended with dirtying_free(), also when it failed. */
int dirtying_learn(struct dirtying *dirtying, const struct kvmwatch_predict_input *in);
void dirtying_free(struct dirtying *dirtying);

/* --- RAM ----------------------------------------------------------------- */

#define LAYOUT_STEPS	256
#define MAX_CHUNKS	16	/* more are like so many */

/**
 * struct layout - what is where in RAM, in the order in which it is sent
 * @data:	share of the data up to each 256th of RAM
 * @dirty:	share of the pages that are dirtied
 * @dirty_known: whether that is more than a guess
 * @before_zero: share of the data that is sent before the average zero page
 * @hidden:	seconds that zero pages take while QEMU waits for its next window anyway, if it does
 *		little else
 * @chunks:	pieces in which the log is cleared
 * @cleared_at:	share of the first pass, when each is
 * @chunk_dirty: share of the pages that are dirtied
 * @dirty_chunks: as many pieces as would hold what is dirtied, if each had as much
 */
struct layout {
	double data[LAYOUT_STEPS + 1];
	double dirty[LAYOUT_STEPS + 1];
	bool dirty_known;
	double before_zero;
	double hidden;
	unsigned int chunks;
	double cleared_at[MAX_CHUNKS];
	double chunk_dirty[MAX_CHUNKS];
	double dirty_chunks;
};

void layout_make(struct layout *layout, const struct kvmwatch_predict_input *in);

/* Of the data, and of the pages that are dirtied, the share in the last part of RAM */
double layout_data_left(const struct layout *layout, double left);
double layout_dirty_left(const struct layout *layout, double left);
/* The other way: the largest last part of RAM that has no more than a share of the data */
double layout_tail(const struct layout *layout, double data_left);

/* --- A migration --------------------------------------------------------- */

/**
 * struct speed - how fast QEMU sends pages, some of which may be zero
 * @rate:	pages a second
 * @link:	pages a second, within a burst
 * @window:	pages in each window
 * @threshold:	pages below which QEMU stops the guest
 * @look_below:	pages below which it collects the log
 * @bytes:	of a page, on average
 */
struct speed {
	double rate;
	double link;
	double window;
	double threshold;
	double look_below;
	double bytes;
};

/**
 * struct plan - the migration to forecast
 * @in:		the input, with defaults filled in
 * @layout:	of RAM
 * @whole:	of pages that are all sent whole
 * @zero_threshold: @threshold, when QEMU's last window was all zero pages; 0: it was not
 * @max_looks:	a run without a horizon does not converge if it takes more looks,
 * @max_again:	or sends more pages than these once more
 * @most_looks:	no run takes more looks, with a horizon or without
 */
struct plan {
	const struct kvmwatch_predict_input *in;
	const struct layout *layout;
	struct speed whole;
	double zero_threshold;
	double max_looks;
	double max_again;
	unsigned int most_looks;
};

#define PLANS	3

/**
 * struct plans - a migration, and the same with a little less
 * @in:		the input, then with less downtime, then with less bandwidth
 * @plan:	of each
 */
struct plans {
	struct kvmwatch_predict_input in[PLANS];
	struct plan plan[PLANS];
};

/**
 * struct chance - what a run has drawn, which does not depend on the plan
 * @curve:	u(t) by one of the ways to go on
 * @scale:	of u
 * @data:	factor of the data pages
 * @overlap:	factor of the time that what is left was dirtied in
 * @order:	whether what is dirtied is found where the log is cleared by chunks: 0 as by chance,
 *		1 as much as can be, -1 as little as can be
 * @again:	the same of whether what is left is dirtied again
 * @always:	pages that are dirtied in any case, or NULL
 * @tail:	factor of what is dirtied in the part of RAM that comes last
 * @link:	0 to 1: how fast the link is, if that is unknown
 * @shrink:	share of the first pass in which pages with data become zero pages, if they do
 * @zero:	share of what is dirtied that is zero when it is sent
 * @zero_page:	factor of the time that a zero page takes
 * @key:	of the numbers that are drawn for each look
 * @path:	the guest's own time at the end of each slice, or NULL: it passes evenly
 * @path_slices: length of @path
 * @by_slice:	with @deviations: @curve at the end of each slice
 * @deviations:	@path has marks that the guest makes more, or less, than in the average cycle
 */
struct chance {
	const struct curve *curve;
	const struct curve *always;
	double scale;
	double data;
	double overlap;
	double order;
	double again;
	double tail;
	double link;
	double shrink;
	double zero;
	double zero_page;
	double cap;
	__u64 key;
	const double *path;
	unsigned int path_slices;
	const double *by_slice;
	bool deviations;
};

/* Of one of the ways to go on: at 0, and at the end of each slice */
static inline double *slices_of_curve(const struct dirtying *dirtying, unsigned int way)
{
	return dirtying->by_slice + way * (PATH_SLICES + 1);
}

struct outcome {
	bool converges;
	double total;
	double bytes;
	double looks;
	double pause;
	double throttle;
};

/* Of pages of which a share is zero */
struct speed speed_of(const struct kvmwatch_predict_input *in, double zero);
void plan_make(struct plan *plan, const struct kvmwatch_predict_input *in,
	       const struct layout *layout);
void plan_first_pass(const struct plan *plan, double *seconds, double *bytes);
void migrate(const struct plan *plan, const struct chance *chance, struct outcome *outcome);
/* A count of @pages on average, @bell standard deviations off; it never falls as they grow. */
double scattered(double pages, double variance, double bell);

void plans_make(struct plans *plans, const struct kvmwatch_predict_input *in,
		const struct layout *layout);
/* The first of @plans with which it converges; if it does with none, it does not. */
void migrate_or_less(const struct plans *plans, const struct chance *chance,
		     struct outcome *outcome);

/* --- Many of them -------------------------------------------------------- */

/* Numbers from 0 to below 1, and of a bell curve, that depend on nothing but @key and @n. */
double draw_even(__u64 key, __u64 n);
double draw_bell(__u64 key, __u64 n);

struct runs {
	struct dirtying dirtying;
	struct layout layout;
	unsigned int nr;
	struct chance *chances;
	double *paths;
};

int runs_make(struct runs *runs, const struct kvmwatch_predict_input *in, unsigned int most);
void runs_free(struct runs *runs);

/* --- Input --------------------------------------------------------------- */

/* What is asked for, and so need not be given */
enum predict_need {
	PREDICT_NEEDS_NOTHING,
	PREDICT_NEEDS_DOWNTIME,
	PREDICT_NEEDS_BANDWIDTH,
};

/* Take over what the caller has, with defaults; 0, -EINVAL or -E2BIG. */
int predict_check(struct kvmwatch_predict_input *to, const struct kvmwatch_predict_input *from,
		  enum predict_need need);

/* Of a structure that may be older or newer than ours; 0, -EINVAL or -E2BIG. */
int predict_copy_in(void *to, size_t size, const void *from, size_t from_size, size_t least);

#endif /* LIBKVMWATCH_PREDICT_PRIVATE_H */
