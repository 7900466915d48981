// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Replay cycles of a guest, to model how it differs from its average.
 *
 * If cycles differ by no more than chance, there is nothing to replay, and only the error of the
 * curve remains. Otherwise there are two kinds of guests.
 *
 * A guest that did nothing at the beginning of some cycle rests between bursts. Its cycles differ
 * as if its own time passed faster or slower: u(own time) is what was marked. So a burst is
 * replayed as a burst, even if it writes the same pages each time, and a rest as a rest.
 *
 * A guest that always worked does several things at a time, or one after the other. For such a
 * guest the replay adds what a cycle marked more, or less, than the average cycle.
 *
 * Marks show either kind only while most written pages are not marked yet. A replayed cycle ends
 * there.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "predict.h"

/* A cycle that differs by more than this is different; relative, squared for slices */
#define DIFFERENT	0.1

/* Marks tell as long as at least this share of a window's writes is newly marked. */
#define TELLING_WORK	0.4
#define TELLING_REST	0.1	/* a smaller share is enough, as it could be no other work */

static const struct curve *average_of(const struct dirtying *dirtying)
{
	return &dirtying->curve[BEYOND_LINE];
}

/* The guest's own time after which marks tell too little */
static double telling_until(const struct dirtying *dirtying, double share)
{
	const struct curve *curve = average_of(dirtying);
	double first = curve_at(curve, WINDOW), time;
	double until = fmin(dirtying->measured, PATH_SLICES * SLICE);

	for (time = WINDOW; time < until; time += SLICE) {
		if (curve_at(curve, time + WINDOW) - curve_at(curve, time) < share * first)
			break;
	}
	return time;
}

static unsigned int slices_of(double seconds)
{
	return (unsigned int)fmin(floor(seconds / SLICE * 1.000001), PATH_SLICES);
}

/* --- Do they differ? ----------------------------------------------------- */

struct deviation {
	double squares;		/* of what differs from what was expected */
	double chance;		/* what these are by chance */
	double expected;	/* the squares of what was expected */
	double scatter;		/* the variance of @squares, by chance */
};

static void deviate(struct deviation *sum, const struct dirtying *dirtying,
		    const struct kvmwatch_cycle *cycle, double until)
{
	double own = 0, from = 0, pages, expected, cap = dirtying->cycles.cap;
	const struct curve *curve = average_of(dirtying);
	unsigned int i, nr = slices_of(cycle_length(cycle));

	for (i = 0; i < nr && own < until; i++) {
		pages = fmin(cycle_at(cycle, (i + 1) * SLICE), cap);
		expected = curve_at(curve, own + SLICE) - curve_at(curve, own);
		sum->squares += (pages - from - expected) * (pages - from - expected);
		sum->chance += expected;
		sum->expected += expected * expected;
		sum->scatter += expected + 2 * expected * expected;
		own = curve_when(curve, pages);
		from = pages;
	}
}

/* Do marks come in bursts within cycles? */
static bool comes_in_bursts(const struct dirtying *dirtying)
{
	double until = telling_until(dirtying, TELLING_WORK), more;
	const struct cycles *cycles = &dirtying->cycles;
	struct deviation sum = { };
	size_t i;

	for (i = 0; i < cycles->nr; i++)
		deviate(&sum, dirtying, cycles->cycle[i], until);
	more = sum.squares - sum.chance;
	return more > DIFFERENT * sum.expected && more > 4 * sqrt(sum.scatter);
}

/* Compare cycles over the length of the shortest one. */
static void compare(struct dirtying *dirtying)
{
	const struct cycles *cycles = &dirtying->cycles;
	double mean = curve_at(average_of(dirtying), cycles->shortest), off, sum = 0;
	size_t i;

	dirtying->error = 0.1;
	if (cycles->nr > 1 && mean > 0) {
		for (i = 0; i < cycles->nr; i++) {
			off = cycle_at(cycles->cycle[i], cycles->shortest) - mean;
			sum += off * off;
		}
		sum /= (double)(cycles->nr - 1);
		dirtying->error = sqrt(sum / (double)cycles->nr) / mean;
		dirtying->variation = sqrt(fmax(sum - mean, 0)) / mean;
		dirtying->error = fmax(dirtying->error, 1 / sqrt(mean * (double)cycles->nr));
	}
	dirtying->error = fmax(dirtying->error, 0.02);
	dirtying->bursts = cycles->nr && (dirtying->variation > DIFFERENT ||
					  comes_in_bursts(dirtying));
}

/* --- Is it always at work? ----------------------------------------------- */

/*
 * Slices without marks before slices with marks: the guest rested, and had not marked all its
 * pages.
 */
static bool has_rests(const struct kvmwatch_cycle *cycle)
{
	unsigned int i, nr = slices_of(cycle_length(cycle));
	double from = 0, pages, rested = 0;

	for (i = 0; i < nr; i++) {
		pages = cycle_at(cycle, (i + 1) * SLICE);
		if (pages > from && from > 0 && rested >= WINDOW)
			return true;
		rested = pages > from ? 0 : rested + SLICE;
		from = pages;
	}
	return false;
}

static void find_always(struct dirtying *dirtying)
{
	const struct cycles *cycles = &dirtying->cycles;
	struct curve *always = &dirtying->always;
	unsigned int knot;
	double time;
	size_t i;

	for (knot = 0; knot < CURVE_KNOTS; knot++) {
		time = fmin(curve_time(knot), cycles->shortest);
		always->at[knot] = cycles->cap;
		for (i = 0; i < cycles->nr; i++)
			always->at[knot] = fmin(always->at[knot],
						cycle_at(cycles->cycle[i], time));
	}
	for (i = 0; i < cycles->nr; i++)
		dirtying->rests |= has_rests(cycles->cycle[i]);
	dirtying->always_works = curve_at(always, WINDOW) >
				 0.2 * curve_at(average_of(dirtying), WINDOW);
}

/* --- Replays ------------------------------------------------------------- */

/* The guest's own time in each slice */
static void replay_time(struct replay *replay, const struct dirtying *dirtying,
			const struct kvmwatch_cycle *cycle, double until)
{
	double own = 0, next, cap = dirtying->cycles.cap;
	unsigned int i, nr = slices_of(cycle_length(cycle));

	for (i = 0; i < nr && own < until; i++) {
		next = curve_when(average_of(dirtying),
				  fmin(cycle_at(cycle, (i + 1) * SLICE), cap));
		next = fmin(fmax(next, own), own + 1000);
		replay->slice[i] = (float)(next - own);
		own = next;
	}
	replay->nr = i;
}

/* How much each slice marked more, or less, than in the average cycle */
static void replay_work(struct replay *replay, const struct dirtying *dirtying,
			const struct kvmwatch_cycle *cycle, double until)
{
	unsigned int i, nr = slices_of(fmin(until, cycle_length(cycle)));
	const struct curve *curve = average_of(dirtying);
	double from = 0, pages, expected;

	for (i = 0; i < nr; i++) {
		pages = fmin(cycle_at(cycle, (i + 1) * SLICE), dirtying->cycles.cap);
		expected = curve_at(curve, (i + 1) * SLICE) - curve_at(curve, i * SLICE);
		replay->slice[i] = (float)(pages - from - expected);
		replay->expected[i] = (float)expected;
		from = pages;
	}
	replay->nr = nr;
}

/* Make the mean deviation 0. */
static void center(struct dirtying *dirtying)
{
	struct replay *replay, *end = dirtying->replays + dirtying->nr_replays;
	double sum = 0, nr = 0;
	unsigned int i;

	for (replay = dirtying->replays; replay < end; replay++) {
		for (i = 0; i < replay->nr; i++)
			sum += (double)replay->slice[i];
		nr += replay->nr;
	}
	for (replay = dirtying->replays; replay < end; replay++) {
		for (i = 0; i < replay->nr; i++)
			replay->slice[i] -= (float)(sum / nr);
	}
}

static int tabulate_slices(struct dirtying *dirtying)
{
	unsigned int way, i;

	dirtying->by_slice = malloc(NR_BEYOND * (PATH_SLICES + 1) * sizeof(double));
	if (!dirtying->by_slice)
		return -ENOMEM;
	for (way = 0; way < NR_BEYOND; way++) {
		for (i = 0; i <= PATH_SLICES; i++)
			slices_of_curve(dirtying, way)[i] = curve_at(&dirtying->curve[way],
								     i * SLICE);
	}
	return 0;
}

#define REPLAYS_IN_PATH	8
#define LEAST_PATH	256U

static void measure_path(struct dirtying *dirtying)
{
	unsigned int longest = 0;
	size_t i;

	for (i = 0; i < dirtying->nr_replays; i++) {
		if (dirtying->replays[i].nr > longest)
			longest = dirtying->replays[i].nr;
	}
	longest *= REPLAYS_IN_PATH;
	if (longest < LEAST_PATH)
		longest = LEAST_PATH;
	dirtying->path_slices = longest < PATH_SLICES ? longest : PATH_SLICES;
}

int replays_make(struct dirtying *dirtying)
{
	const struct cycles *cycles = &dirtying->cycles;
	struct replay *replay;
	double until;
	size_t i;

	compare(dirtying);
	if (!dirtying->bursts)
		return 0;
	find_always(dirtying);
	until = telling_until(dirtying, dirtying->always_works ? TELLING_WORK : TELLING_REST);
	dirtying->replays = calloc(cycles->nr, sizeof(*dirtying->replays));
	if (!dirtying->replays)
		return -ENOMEM;
	for (i = 0; i < cycles->nr; i++) {
		replay = &dirtying->replays[dirtying->nr_replays++];
		replay->slice = malloc(2 * PATH_SLICES * sizeof(*replay->slice));
		if (!replay->slice)
			return -ENOMEM;
		replay->expected = replay->slice + PATH_SLICES;
		if (dirtying->always_works)
			replay_work(replay, dirtying, cycles->cycle[i], until);
		else
			replay_time(replay, dirtying, cycles->cycle[i], until);
	}
	measure_path(dirtying);
	if (!dirtying->always_works)
		return 0;
	center(dirtying);
	return tabulate_slices(dirtying);
}

void replays_free(struct dirtying *dirtying)
{
	size_t i;

	for (i = 0; i < dirtying->nr_replays; i++)
		free(dirtying->replays[i].slice);
	free(dirtying->replays);
	free(dirtying->by_slice);
}
