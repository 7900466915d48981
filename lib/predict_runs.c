// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Run a migration many times. Draw at random what is unknown: how the curve continues beyond the
 * longest cycle, its level, which cycles the guest will repeat, how many pages have data.
 *
 * A draw depends only on the seed, the run, and what is drawn. So it is the same for each bandwidth
 * and downtime that is tried for a VM.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "predict.h"

/* What a run draws once, by number */
enum {
	DRAW_BEYOND,
	DRAW_SCALE,
	DRAW_DATA,
	DRAW_OVERLAP,
	DRAW_ORDER,
	DRAW_WHICH,
	DRAW_TAIL,
	DRAW_CAP,
	DRAW_STRAIGHT,
	DRAW_ALWAYS,
	DRAW_LOOKS,
	DRAW_PATH,
	DRAW_ZERO,
	DRAW_ZERO_PAGE,
	DRAW_AGAIN,
	DRAW_CYCLES,		/* from here on, one for each cycle */
	DRAW_SHRINK = DRAW_CYCLES + KVMWATCH_PREDICT_MAX_CYCLES,
	DRAW_LINK,
};

/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014 (its finalizer) */
static __u64 mix(__u64 x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

double draw_even(__u64 key, __u64 n)
{
	return (double)(mix(key ^ mix(n)) >> 11) / 0x1p53;
}

/* The sum of three uniform draws: mean 0, variance 1, within 3 */
double draw_bell(__u64 key, __u64 n)
{
	__u64 bits = mix(key ^ mix(n)), mask = (1 << 21) - 1;

	return ((double)(bits & mask) + (double)(bits >> 21 & mask) + (double)(bits >> 42 & mask)) /
	       0x1p20 - 3;
}

static enum beyond draw_beyond(const struct dirtying *dirtying, double even)
{
	unsigned int way;

	for (way = 0; way < NR_BEYOND - 1; way++) {
		even -= dirtying->weight[way];
		if (even < 0)
			break;
	}
	return way;
}

/* For guests that always work, the expected marks follow. */
static size_t path_length(const struct dirtying *dirtying)
{
	return (size_t)dirtying->path_slices * (dirtying->always_works ? 2 : 1);
}

/* Draw cycles one after the other, until there are enough slices. Some may come more than once. */
static void draw_path(const struct dirtying *dirtying, __u64 key, double *path)
{
	double even, sum = 0, weight[KVMWATCH_PREDICT_MAX_CYCLES];
	const struct replay *replay;
	unsigned int done = 0, i, block = 0;
	double own = 0;
	size_t cycle;

	for (cycle = 0; cycle < dirtying->nr_replays; cycle++) {
		weight[cycle] = -log(1 - draw_even(key, DRAW_CYCLES + cycle));
		sum += weight[cycle];
	}
	key = mix(key ^ DRAW_PATH);
	while (done < dirtying->path_slices) {
		even = draw_even(key, block++) * sum;
		for (cycle = 0; cycle < dirtying->nr_replays - 1; cycle++) {
			even -= weight[cycle];
			if (even < 0)
				break;
		}
		replay = &dirtying->replays[cycle];
		for (i = 0; i < replay->nr && done < dirtying->path_slices; i++) {
			if (dirtying->always_works) {
				path[done] = (double)replay->slice[i];
				path[dirtying->path_slices + done++] = (double)replay->expected[i];
				continue;
			}
			own += (double)replay->slice[i];
			path[done++] = own;
		}
	}
}

/*
 * The share of zero pages is known of all pages that were dirtied. A round sends mostly pages that
 * are dirtied often. Their share may differ, unless all pages are alike.
 */
#define ZERO_UNLIKE	0.33

/* The time of a zero page depends on whether it is mapped, and on what else the CPU does. */
#define ZERO_PAGE_ERROR	0.3

static double draw_zero(const struct kvmwatch_predict_input *in, double bell)
{
	double share = in->dirty_zero;
	double sd = hypot(in->dirty_zero_sd, ZERO_UNLIKE * sqrt(share * (1 - share)));

	return fmin(fmax(share + sd * bell, 0), 1);
}

/* If the curve is straight to its end, the guest may sweep, and not have begun again yet. */
#define MAYBE_ORDER	0.5

static void draw_chance(struct runs *runs, const struct kvmwatch_predict_input *in,
			unsigned int run)
{
	struct chance *chance = &runs->chances[run];
	const struct dirtying *dirtying = &runs->dirtying;
	__u64 key = mix(mix(in->seed) ^ run);
	enum beyond way = draw_beyond(dirtying, draw_even(key, DRAW_BEYOND));
	double data = (double)in->data_pages, seen, order, *path;

	chance->curve = &dirtying->curve[way];
	seen = curve_at(chance->curve, dirtying->measured);
	chance->scale = 1;
	if (!dirtying->bursts)
		chance->scale = exp(fmin(dirtying->error, 0.3) * draw_bell(key, DRAW_SCALE));
	chance->data = exp(fmin(in->data_sd, 0.5) * draw_bell(key, DRAW_DATA));
	chance->overlap = exp2(draw_even(key, DRAW_OVERLAP) - 0.5);
	order = fmax(dirtying->order, MAYBE_ORDER * dirtying->straight);
	if (draw_even(key, DRAW_ORDER) < order) {
		chance->order = 2 * draw_even(key, DRAW_WHICH) - 1;
		chance->again = 2 * draw_even(key, DRAW_AGAIN) - 1;
	}
	chance->link = draw_even(key, DRAW_LINK);
	chance->shrink = draw_even(key, DRAW_SHRINK);
	chance->zero = draw_zero(in, draw_bell(key, DRAW_ZERO));
	chance->zero_page = exp(ZERO_PAGE_ERROR * draw_bell(key, DRAW_ZERO_PAGE));
	chance->tail = runs->layout.dirty_known ? 1 : floor(4 * draw_even(key, DRAW_TAIL)) / 2;
	chance->key = mix(key ^ DRAW_LOOKS);
	chance->cap = (double)in->ram_pages;
	if (!(in->flags & KVMWATCH_PREDICT_LIVE) && in->growth <= 0)
		chance->cap = fmin(chance->cap, fmax(data * chance->data, seen));
	/* A straight line must end when all pages that the guest writes to are dirty. */
	if (seen > 0 && draw_even(key, DRAW_STRAIGHT) < dirtying->straight)
		chance->cap = seen * pow(chance->cap / seen, draw_even(key, DRAW_CAP));
	chance->cap = fmax(chance->cap, 1);
	/* The more cycles began with work, the less likely is one that begins with a rest. */
	if (dirtying->bursts && (!dirtying->rests || draw_even(key, DRAW_ALWAYS) >=
						     pow(0.7, (double)dirtying->cycles.nr)))
		chance->always = &dirtying->always;
	if (dirtying->bursts) {
		chance->deviations = dirtying->always_works;
		if (chance->deviations)
			chance->by_slice = slices_of_curve(dirtying, way);
		path = runs->paths + run * path_length(dirtying);
		draw_path(dirtying, key, path);
		chance->path = path;
		chance->path_slices = dirtying->path_slices;
	}
}

int runs_make(struct runs *runs, const struct kvmwatch_predict_input *in, unsigned int most)
{
	unsigned int run;
	int err;

	memset(runs, 0, sizeof(*runs));
	err = dirtying_learn(&runs->dirtying, in);
	if (err)
		return err;
	layout_make(&runs->layout, in);
	runs->nr = in->runs < most ? in->runs : most;
	runs->chances = calloc(runs->nr, sizeof(*runs->chances));
	if (!runs->chances)
		return -ENOMEM;
	if (runs->dirtying.bursts) {
		runs->paths = malloc(runs->nr * path_length(&runs->dirtying) *
				     sizeof(*runs->paths));
		if (!runs->paths)
			return -ENOMEM;
	}
	for (run = 0; run < runs->nr; run++)
		draw_chance(runs, in, run);
	return 0;
}

void runs_free(struct runs *runs)
{
	dirtying_free(&runs->dirtying);
	free(runs->chances);
	free(runs->paths);
}
