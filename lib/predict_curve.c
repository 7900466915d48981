// SPDX-License-Identifier: GPL-2.0
/*
 * u(t), the distinct pages that a guest dirties within t from a clean log, out of first-mark curves
 * of some cycles of the log.
 *
 * The average cycle has, in each stretch of time, the mean of the marks of those cycles that reach
 * so far. u of a guest that goes on as it does is concave, as a page is new only once; so the
 * nearest concave curve is taken (pool adjacent violators, Ayer et al. 1955).
 *
 * A cycle that differs from the average one by more than chance is seen as one in which the guest's
 * own time passed faster or slower: u(own time) is what was marked. Replayed, a burst is a burst.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "predict.h"

/* --- The table ----------------------------------------------------------- */

double curve_time(unsigned int knot)
{
	unsigned int octave = knot / CURVE_STEPS, step = knot % CURVE_STEPS;

	return ldexp(1 + (double)step / CURVE_STEPS, CURVE_FIRST + (int)octave);
}

/* The last knot at or before @seconds: knots are where the exponent and first bits change. */
static unsigned int knot_before(double seconds)
{
	int exponent;
	double part = frexp(seconds, &exponent);	/* 0.5 to below 1 */
	int knot = (exponent - 1 - CURVE_FIRST) * CURVE_STEPS + (int)((part * 2 - 1) * CURVE_STEPS);

	return knot < CURVE_KNOTS - 1 ? knot : CURVE_KNOTS - 1;
}

double curve_at(const struct curve *curve, double seconds)
{
	unsigned int knot;
	double from, to;

	if (seconds <= 0)
		return 0;
	if (seconds < curve_time(0))
		return curve->at[0] * seconds / curve_time(0);
	knot = knot_before(seconds);
	if (knot == CURVE_KNOTS - 1)
		return curve->at[knot];
	from = curve_time(knot);
	to = curve_time(knot + 1);
	return curve->at[knot] +
	       (curve->at[knot + 1] - curve->at[knot]) * (seconds - from) / (to - from);
}

double curve_when(const struct curve *curve, double pages)
{
	unsigned int low = 0, high = CURVE_KNOTS - 1, mid;
	double rise;

	if (pages <= 0)
		return 0;
	if (pages <= curve->at[0])
		return curve_time(0) * pages / curve->at[0];
	if (pages > curve->at[high])
		return curve_time(high);
	while (high - low > 1) {
		mid = (low + high) / 2;
		if (curve->at[mid] < pages)
			low = mid;
		else
			high = mid;
	}
	rise = curve->at[high] - curve->at[low];
	return curve_time(low) + (curve_time(high) - curve_time(low)) *
	       (rise > 0 ? (pages - curve->at[low]) / rise : 1);
}

/* --- A cycle ------------------------------------------------------------- */

static double point_time(const struct kvmwatch_curve_point *point)
{
	return (double)point->ns / NSEC;
}

static double cycle_length(const struct kvmwatch_cycle *cycle)
{
	return point_time(&cycle->points[cycle->nr - 1]);
}

/*
 * Pages marked at @seconds. Between points that are far apart a power of time is nearer to the
 * truth than a straight line.
 */
static double cycle_at(const struct kvmwatch_cycle *cycle, double seconds)
{
	const struct kvmwatch_curve_point *points = cycle->points;
	size_t low = 0, high = cycle->nr, mid;
	double from = 0, to, pages = 0, part;

	while (low < high) {
		mid = (low + high) / 2;
		if (point_time(&points[mid]) <= seconds)
			low = mid + 1;
		else
			high = mid;
	}
	if (low) {
		from = point_time(&points[low - 1]);
		pages = (double)points[low - 1].pages;
	}
	if (low == cycle->nr)
		return pages;
	to = point_time(&points[low]);
	part = (seconds - from) / (to - from);
	if (pages > 0 && to > 1.2 * from)
		return pages * pow((double)points[low].pages / pages,
				   log(seconds / from) / log(to / from));
	return pages + ((double)points[low].pages - pages) * part;
}

/* --- The average cycle --------------------------------------------------- */

/* Stretches of time with one slope; the slopes fall. */
struct concave {
	unsigned int nr;
	double slope[CURVE_KNOTS + 1];
	double width[CURVE_KNOTS + 1];
};

static void concave_add(struct concave *concave, double slope, double width)
{
	unsigned int i = concave->nr++;
	double sum;

	concave->slope[i] = slope;
	concave->width[i] = width;
	for (; i && concave->slope[i] > concave->slope[i - 1]; i--) {
		sum = concave->width[i] + concave->width[i - 1];
		concave->slope[i - 1] = (concave->slope[i] * concave->width[i] +
					 concave->slope[i - 1] * concave->width[i - 1]) / sum;
		concave->width[i - 1] = sum;
		concave->nr--;
	}
}

static double concave_at(const struct concave *concave, double seconds)
{
	double pages = 0;
	unsigned int i;

	for (i = 0; i < concave->nr && seconds > 0; i++) {
		pages += concave->slope[i] * fmin(seconds, concave->width[i]);
		seconds -= concave->width[i];
	}
	return pages;
}

/* The mean of the marks from @from to @to, of those cycles that reach so far */
static double mean_marks(const struct kvmwatch_predict_input *in, double from, double to)
{
	const struct kvmwatch_cycle *cycle;
	double sum = 0, cap = (double)in->ram_pages;
	unsigned int nr = 0;

	for (cycle = in->cycles; cycle < in->cycles + in->nr_cycles; cycle++) {
		if (cycle_length(cycle) < to * 0.999999999)
			continue;
		sum += fmin(cycle_at(cycle, to), cap) - fmin(cycle_at(cycle, from), cap);
		nr++;
	}
	return nr ? sum / nr : 0;
}

static void average(struct concave *concave, const struct kvmwatch_predict_input *in, double until)
{
	double from = 0, to;
	unsigned int knot;

	concave->nr = 0;
	for (knot = 0; knot < CURVE_KNOTS && from < until; knot++) {
		to = fmin(curve_time(knot), until);
		if (curve_time(knot) > until * 0.98)
			to = until;
		concave_add(concave, mean_marks(in, from, to) / (to - from), to - from);
		from = to;
	}
}

/* --- Beyond it ----------------------------------------------------------- */

/* What each way to go on says of @seconds, from what is known up to @until */
static double go_on(const struct concave *known, double until, enum beyond way, double seconds)
{
	double pages = concave_at(known, until), more = seconds - until, third = until / 3;
	double middle, last, fade, half;

	if (more <= 0)
		return concave_at(known, seconds);
	last = pages - concave_at(known, 2 * third);
	switch (way) {
	case BEYOND_POWER:
		half = concave_at(known, until / 2);
		if (half <= 0 || pages <= half)
			return pages;
		return pages * pow(seconds / until, fmin(log2(pages / half), 1));
	case BEYOND_FADE:
		middle = concave_at(known, 2 * third) - concave_at(known, third);
		if (last <= 0 || middle <= 0)
			return pages;
		fade = fmin(last / middle, 1);
		if (fade > 0.999)
			return pages + last * more / third;
		/* slopes fall by @fade each third; the slope at the end is half a third on */
		return pages + last / third * sqrt(fade) * third / -log(fade) *
		       (1 - pow(fade, more / third));
	case BEYOND_LINE:
		return pages + last * more / third;
	default:
		return pages;
	}
}

/* How well each way foretells the whole from its first half */
static void weigh(struct dirtying *dirtying, const struct kvmwatch_predict_input *in,
		  const struct concave *whole, double until)
{
	double truth = concave_at(whole, until), sum = 0, off;
	struct concave half;
	unsigned int way;

	average(&half, in, until / 2);
	for (way = 0; way < NR_BEYOND; way++) {
		off = truth > 0 ? go_on(&half, until / 2, way, until) / truth - 1 : 0;
		dirtying->weight[way] = 0.02 + exp(-off * off / (2 * 0.05 * 0.05));
		sum += dirtying->weight[way];
	}
	for (way = 0; way < NR_BEYOND; way++)
		dirtying->weight[way] /= sum;
}

/* --- From cycle to cycle ------------------------------------------------- */

/* Marks within a slice of a cycle: how many, and how many there would be in the average one */
struct slice_marks {
	double seen;
	double expected;
};

/* The part of a cycle's own time in which at least this much of what is written is marked */
#define TELLING		0.4

/*
 * Own time after which marks tell little, as most of what is written is marked already. A cycle in
 * which nothing happens tells something to its end.
 */
static double telling_until(const struct curve *curve, double measured)
{
	double first = curve_at(curve, WINDOW), time;

	for (time = WINDOW; time < measured; time += SLICE) {
		if (curve_at(curve, time + WINDOW) - curve_at(curve, time) < TELLING * first)
			break;
	}
	return time;
}

static void replay_cycle(struct replay *replay, const struct kvmwatch_cycle *cycle,
			 const struct curve *curve, double until, double cap)
{
	double slices = ceil(cycle_length(cycle) / SLICE * 0.999999), own = 0, next;
	unsigned int nr = (unsigned int)fmin(slices, PATH_SLICES), i;

	for (i = 0; i < nr && own < until; i++) {
		next = curve_when(curve, fmin(cycle_at(cycle, (i + 1) * SLICE), cap));
		next = fmin(fmax(next, own), own + 1000);
		replay->slice[i] = (float)(next - own);
		own = next;
	}
	replay->nr = i;
}

static int make_replays(struct dirtying *dirtying, const struct kvmwatch_predict_input *in)
{
	const struct curve *curve = &dirtying->curve[BEYOND_LINE];
	double until = telling_until(curve, dirtying->measured);
	struct replay *replay;
	size_t i;

	dirtying->replays = calloc(in->nr_cycles, sizeof(*dirtying->replays));
	if (!dirtying->replays)
		return -ENOMEM;
	for (i = 0; i < in->nr_cycles; i++) {
		replay = &dirtying->replays[i];
		dirtying->nr_replays++;
		replay->slice = malloc(PATH_SLICES * sizeof(*replay->slice));
		if (!replay->slice)
			return -ENOMEM;
		replay_cycle(replay, &in->cycles[i], curve, until, (double)in->ram_pages);
	}
	return 0;
}

/*
 * How much cycles differ, beyond what chance does to counts: the mean square of what differs, over
 * windows of QEMU's and over the length of the shortest cycle.
 */
static void compare(struct dirtying *dirtying, const struct kvmwatch_predict_input *in)
{
	double length = dirtying->measured, sum = 0, expected = 0, off, mean, marks;
	const struct curve *curve = &dirtying->curve[BEYOND_LINE];
	const struct kvmwatch_cycle *cycle;
	double squares = 0;

	for (cycle = in->cycles; cycle < in->cycles + in->nr_cycles; cycle++)
		length = fmin(length, cycle_length(cycle));
	mean = curve_at(curve, length);
	for (cycle = in->cycles; cycle < in->cycles + in->nr_cycles; cycle++) {
		marks = cycle_at(cycle, length);
		off = marks - mean;
		sum += off * off;
	}
	expected = mean * (double)in->nr_cycles;
	if (in->nr_cycles > 1 && mean > 0) {
		squares = sum / (double)(in->nr_cycles - 1);
		dirtying->error = sqrt(squares / (double)in->nr_cycles) / mean;
		dirtying->variation = sqrt(fmax(squares - mean, 0)) / mean;
	} else {
		dirtying->error = 0.1;
	}
	if (expected > 0)
		dirtying->error = fmax(dirtying->error, 1 / sqrt(expected));
	dirtying->error = fmax(dirtying->error, 0.02);
	dirtying->bursts = dirtying->variation > 0.15;
}

/* --- All of it ----------------------------------------------------------- */

static void tabulate(struct curve *curve, const struct concave *known, double until,
		     enum beyond way, double cap)
{
	unsigned int knot;

	for (knot = 0; knot < CURVE_KNOTS; knot++)
		curve->at[knot] = fmin(go_on(known, until, way, curve_time(knot)), cap);
}

int dirtying_learn(struct dirtying *dirtying, const struct kvmwatch_predict_input *in)
{
	struct concave concave;
	unsigned int way;
	size_t i;

	memset(dirtying, 0, sizeof(*dirtying));
	for (i = 0; i < in->nr_cycles; i++)
		dirtying->measured = fmax(dirtying->measured, cycle_length(&in->cycles[i]));
	average(&concave, in, dirtying->measured);
	for (way = 0; way < NR_BEYOND; way++)
		tabulate(&dirtying->curve[way], &concave, dirtying->measured, way,
			 (double)in->ram_pages);
	weigh(dirtying, in, &concave, dirtying->measured);
	compare(dirtying, in);
	return dirtying->bursts ? make_replays(dirtying, in) : 0;
}

void dirtying_free(struct dirtying *dirtying)
{
	size_t i;

	for (i = 0; i < dirtying->nr_replays; i++)
		free(dirtying->replays[i].slice);
	free(dirtying->replays);
}
