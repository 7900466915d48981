// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Compute u(t), the distinct pages that a guest dirties within t from a clean log, from the
 * first-mark curves of some cycles of the log.
 *
 * In each stretch of time, the average cycle has the mean of the marks of all cycles that are long
 * enough. If a guest does not change its work, u is concave, as a page is new only once. So this
 * takes the nearest concave curve (pool adjacent violators, Ayer et al. 1955).
 *
 * A cycle with few points, such as a window of heat, gives the number of pages at these points
 * only. It is used only where no other cycle reaches.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "predict.h"

/* --- The table ----------------------------------------------------------- */

/*
 * A knot is where the exponent of a double changes, or one of the first bits behind it (three bits
 * for eight steps). So the upper bits of the time number the knots.
 */
#define LOWER_BITS	49
#define FIRST_KNOT	((__u64)(1023 + CURVE_FIRST) * CURVE_STEPS)

_Static_assert(1 << (52 - LOWER_BITS) == CURVE_STEPS, "as many bits as there are steps");

double curve_time(unsigned int knot)
{
	__u64 bits = (FIRST_KNOT + knot) << LOWER_BITS;
	double seconds;

	memcpy(&seconds, &bits, sizeof(seconds));
	return seconds;
}

/* The last knot at or before @seconds, which must not be before the first knot */
static unsigned int knot_before(double seconds)
{
	__u64 bits;

	memcpy(&bits, &seconds, sizeof(bits));
	bits = (bits >> LOWER_BITS) - FIRST_KNOT;
	return bits < CURVE_KNOTS - 1 ? (unsigned int)bits : CURVE_KNOTS - 1;
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

double cycle_length(const struct kvmwatch_cycle *cycle)
{
	return point_time(&cycle->points[cycle->nr - 1]);
}

/*
 * Pages marked at @seconds. Between points that are far apart, interpolate by a power of time,
 * which is nearer to the truth than a straight line.
 */
double cycle_at(const struct kvmwatch_cycle *cycle, double seconds)
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

/* Stretches of time with one slope each; slopes decrease. */
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

/* Are the cycle's points so close that interpolation is good enough? */
static bool is_fine(const struct kvmwatch_cycle *cycle)
{
	double from = 0;
	size_t i;

	if (cycle->nr < 4)
		return false;
	for (i = 0; i < cycle->nr; i++) {
		if (point_time(&cycle->points[i]) > 2.5 * from + 0.3)
			return false;
		from = point_time(&cycle->points[i]);
	}
	return true;
}

static int find_fine(struct cycles *fine, const struct kvmwatch_predict_input *in)
{
	double length;
	size_t i;

	fine->cap = (double)in->ram_pages;
	fine->cycle = malloc((in->nr_cycles + 1) * sizeof(*fine->cycle));
	if (!fine->cycle)
		return -ENOMEM;
	for (i = 0; i < in->nr_cycles; i++) {
		if (!is_fine(&in->cycles[i]))
			continue;
		length = cycle_length(&in->cycles[i]);
		fine->shortest = fine->nr ? fmin(fine->shortest, length) : length;
		fine->longest = fmax(fine->longest, length);
		fine->cycle[fine->nr++] = &in->cycles[i];
	}
	return 0;
}

/* The mean of the marks from @from to @to, over the cycles that reach @to */
static double mean_marks(const struct cycles *cycles, double from, double to)
{
	const struct kvmwatch_cycle *cycle;
	unsigned int nr = 0;
	double sum = 0;
	size_t i;

	for (i = 0; i < cycles->nr; i++) {
		cycle = cycles->cycle[i];
		if (cycle_length(cycle) < to * 0.999999999)
			continue;
		sum += fmin(cycle_at(cycle, to), cycles->cap) -
		       fmin(cycle_at(cycle, from), cycles->cap);
		nr++;
	}
	return nr ? sum / nr : 0;
}

static void average(struct concave *concave, const struct cycles *cycles)
{
	double from = 0, to, until = cycles->longest;
	unsigned int knot;

	concave->nr = 0;
	for (knot = 0; knot < CURVE_KNOTS && from < until; knot++) {
		to = curve_time(knot) > until * 0.98 ? until : curve_time(knot);
		concave_add(concave, mean_marks(cycles, from, to) / (to - from), to - from);
		from = to;
	}
}

/* The mean of the points of other cycles about as long after the beginning as @seconds */
static double mean_at(const struct kvmwatch_predict_input *in, double seconds)
{
	const struct kvmwatch_cycle *cycle;
	unsigned int nr = 0;
	double sum = 0;
	size_t i, j;

	for (i = 0; i < in->nr_cycles; i++) {
		cycle = &in->cycles[i];
		if (is_fine(cycle))
			continue;
		for (j = 0; j < cycle->nr; j++) {
			if (fabs(point_time(&cycle->points[j]) / seconds - 1) > 0.05)
				continue;
			sum += fmin((double)cycle->points[j].pages, (double)in->ram_pages);
			nr++;
		}
	}
	return nr ? sum / nr : 0;
}

/* When the next point of other cycles is after @from; 0: there is none */
static double next_point(const struct kvmwatch_predict_input *in, double from)
{
	const struct kvmwatch_cycle *cycle;
	double next = 0, time;
	size_t i, j;

	for (i = 0; i < in->nr_cycles; i++) {
		cycle = &in->cycles[i];
		if (is_fine(cycle))
			continue;
		for (j = 0; j < cycle->nr; j++) {
			time = point_time(&cycle->points[j]);
			if (time > from && (next <= 0 || time < next))
				next = time;
		}
	}
	return next;
}

/* Continue behind the fine cycles with the others. Returns the time that was reached. */
static double add_coarse(struct concave *concave, const struct kvmwatch_predict_input *in,
			 double until)
{
	double to, more;

	while (concave->nr < CURVE_KNOTS) {
		to = next_point(in, fmax(until * 1.1, 0.0005));
		if (to <= 0)
			break;
		more = mean_at(in, to) - concave_at(concave, until);
		concave_add(concave, fmax(more, 0) / (to - until), to - until);
		until = to;
	}
	return until;
}

/* --- Beyond it ----------------------------------------------------------- */

/* Extrapolate to @seconds in each way, from what is known up to @until. */
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
		/* slopes decrease by @fade each third; that at the end is half a third later */
		return pages + last / third * sqrt(fade) * third / -log(fade) *
		       (1 - pow(fade, more / third));
	case BEYOND_LINE:
		return pages + last * more / third;
	default:
		return pages;
	}
}

/* Weigh each way by how well it forecasts the whole cycle from its first half. */
static void weigh(struct dirtying *dirtying, const struct concave *known, double until)
{
	double truth = concave_at(known, until), sum = 0, off;
	unsigned int way;

	for (way = 0; way < NR_BEYOND; way++) {
		off = truth > 0 ? go_on(known, until / 2, way, until) / truth - 1 : 0;
		dirtying->weight[way] = 0.02 + exp(-off * off / (2 * 0.05 * 0.05));
		sum += dirtying->weight[way];
	}
	for (way = 0; way < NR_BEYOND; way++)
		dirtying->weight[way] /= sum;
}

/*
 * A guest that writes in order marks pages at a constant rate until it begins again, and then none.
 * When it has marked all its pages, a guest that writes at random has marked two thirds.
 */
static double find_order(const struct curve *curve, double measured)
{
	double pages = curve_at(curve, measured), quarter = curve_when(curve, pages / 4);

	if (pages <= 0 || 4 * quarter > 0.9 * measured)
		return 0;
	return fmin(fmax(curve_at(curve, 4 * quarter) / pages - 0.75, 0) / 0.2, 1);
}

/* Has the last third as many marks as the one before? */
static double find_straight(const struct concave *known, double until)
{
	double first = concave_at(known, until / 3), second = concave_at(known, until * 2 / 3);
	double third = concave_at(known, until);

	if (second <= first)
		return 0;
	return fmin(fmax((third - second) / (second - first) - 0.94, 0) / 0.04, 1);
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
	int err;

	memset(dirtying, 0, sizeof(*dirtying));
	err = find_fine(&dirtying->cycles, in);
	if (err)
		return err;
	average(&concave, &dirtying->cycles);
	dirtying->measured = add_coarse(&concave, in, dirtying->cycles.longest);
	for (way = 0; way < NR_BEYOND; way++)
		tabulate(&dirtying->curve[way], &concave, dirtying->measured, way,
			 (double)in->ram_pages);
	weigh(dirtying, &concave, dirtying->measured);
	dirtying->straight = find_straight(&concave, dirtying->measured);
	dirtying->order = find_order(&dirtying->curve[BEYOND_LINE], dirtying->measured);
	return replays_make(dirtying);
}

void dirtying_free(struct dirtying *dirtying)
{
	replays_free(dirtying);
	free(dirtying->cycles.cycle);
}
