// SPDX-License-Identifier: LGPL-2.1-or-later
/* Forecast a migration: check the input, play it through, say what came out. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "predict.h"

#define SURE		0.95
#define SURELY_NOT	0.05
#define DEFAULT_RUNS	200
#define DEFAULT_CHUNK	0x40000000ULL

/* Since when there is each structure: its size then. */
#define FIRST_INPUT	offsetof(struct kvmwatch_predict_input, dirty_zero)
#define FIRST_PREDICTION (offsetof(struct kvmwatch_prediction, variation) + sizeof(double))

/* --- Input --------------------------------------------------------------- */

int predict_copy_in(void *to, size_t size, const void *from, size_t from_size, size_t least)
{
	const char *more = (const char *)from + size;
	size_t i;

	if (from_size < least)
		return -EINVAL;
	for (i = size; i < from_size; i++, more++) {
		if (*more)
			return -E2BIG;
	}
	memset(to, 0, size);
	memcpy(to, from, from_size < size ? from_size : size);
	return 0;
}

/* Neither is any comparison with what is not a number. */
static bool is_within(double value, double least, double most)
{
	return value >= least && value <= most;
}

static bool is_time(double seconds)
{
	return is_within(seconds, 0, KVMWATCH_PREDICT_MAX_SECONDS);
}

static bool is_cycle(const struct kvmwatch_cycle *cycle)
{
	size_t i;

	if (!cycle->points || !cycle->nr || cycle->nr > KVMWATCH_PREDICT_MAX_POINTS)
		return false;
	for (i = 0; i < cycle->nr; i++) {
		if (cycle->points[i].pages > KVMWATCH_PREDICT_MAX_PAGES)
			return false;
		if (i && (cycle->points[i].ns < cycle->points[i - 1].ns ||
			  cycle->points[i].pages < cycle->points[i - 1].pages))
			return false;
	}
	return is_within((double)cycle->points[cycle->nr - 1].ns / NSEC, 0.001,
			 KVMWATCH_PREDICT_MAX_SECONDS);
}

static bool are_cycles(const struct kvmwatch_predict_input *in)
{
	size_t i;

	if (in->nr_cycles > KVMWATCH_PREDICT_MAX_CYCLES || (in->nr_cycles && !in->cycles))
		return false;
	for (i = 0; i < in->nr_cycles; i++) {
		if (!is_cycle(&in->cycles[i]))
			return false;
	}
	return true;
}

static bool are_pages(const struct kvmwatch_predict_input *in)
{
	return in->ram_pages && in->ram_pages <= KVMWATCH_PREDICT_MAX_PAGES &&
	       in->data_pages <= in->ram_pages &&
	       in->zero_pages <= in->ram_pages - in->data_pages &&
	       in->live_marked <= in->ram_pages && in->runs <= KVMWATCH_PREDICT_MAX_RUNS &&
	       is_within(in->data_sd, 0, 10) && is_within(in->growth, -1e12, 1e12) &&
	       (!in->chunk || in->chunk >= KVMWATCH_PREDICT_PAGE);
}

static bool are_parts(const struct kvmwatch_predict_input *in)
{
	size_t i;

	if (in->nr_parts > KVMWATCH_PREDICT_MAX_PARTS || (in->nr_parts && !in->parts))
		return false;
	for (i = 0; i < in->nr_parts; i++) {
		if (in->parts[i].pages > KVMWATCH_PREDICT_MAX_PAGES ||
		    in->parts[i].data > in->parts[i].pages ||
		    in->parts[i].dirty > in->parts[i].pages)
			return false;
	}
	return true;
}

static bool are_times(const struct kvmwatch_predict_input *in)
{
	return in->downtime > 0 && is_time(in->downtime) && is_time(in->device) &&
	       is_time(in->setup) && is_time(in->look) && is_within(in->zero_page, 0, 1) &&
	       is_time(in->horizon) && is_time(in->live_since);
}

static bool are_shares(const struct kvmwatch_predict_input *in)
{
	return is_within(in->vcpu_share, 0, 1) && is_within(in->live_throttle, 0, 0.99) &&
	       is_within(in->dirty_zero, 0, 1) && is_within(in->dirty_zero_sd, 0, 1);
}

static bool are_speeds(const struct kvmwatch_predict_input *in)
{
	return is_within(in->bandwidth, 1, KVMWATCH_PREDICT_MAX_BANDWIDTH) &&
	       (in->link == 0 || is_within(in->link, 1, KVMWATCH_PREDICT_MAX_BANDWIDTH));
}

int predict_check(struct kvmwatch_predict_input *to, const struct kvmwatch_predict_input *from,
		  enum predict_need need)
{
	const __u32 known = KVMWATCH_PREDICT_RING | KVMWATCH_PREDICT_AUTO_CONVERGE |
			    KVMWATCH_PREDICT_LIVE;
	int err = predict_copy_in(to, sizeof(*to), from, from->size, FIRST_INPUT);

	if (err)
		return err;
	if (need == PREDICT_NEEDS_DOWNTIME)
		to->downtime = 1;
	if (need == PREDICT_NEEDS_BANDWIDTH)
		to->bandwidth = 1;
	if ((to->flags & ~known) || to->reserved || !are_cycles(to) || !are_pages(to) ||
	    !are_parts(to) || !are_times(to) || !are_shares(to) || !are_speeds(to))
		return -EINVAL;
	if (!to->runs)
		to->runs = DEFAULT_RUNS;
	if (!to->chunk)
		to->chunk = DEFAULT_CHUNK;
	if (to->vcpu_share <= 0)
		to->vcpu_share = 1;
	return 0;
}

/* --- What came out ------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of @nr values in order, the one that a share of them is not above */
static double quantile(const double *values, unsigned int nr, double share)
{
	unsigned int i = (unsigned int)(share * nr);

	return values[i < nr ? i : nr - 1];
}

struct spread {
	double low;
	double middle;
	double high;
};

/* A member of all outcomes that converge, at @offset */
static struct spread spread_of(const struct outcome *outcomes, unsigned int nr, size_t offset,
			       double *room)
{
	unsigned int i, n = 0;
	struct spread spread;

	for (i = 0; i < nr; i++) {
		if (outcomes[i].converges)
			room[n++] = *(const double *)((const char *)&outcomes[i] + offset);
	}
	qsort(room, n, sizeof(*room), compare);
	spread.low = quantile(room, n, 0.05);
	spread.middle = quantile(room, n, 0.5);
	spread.high = quantile(room, n, 0.95);
	return spread;
}

static void say_nothing(struct kvmwatch_prediction *out)
{
	out->share = KVMWATCH_PREDICT_NONE;
	out->total = KVMWATCH_PREDICT_NONE;
	out->total_low = KVMWATCH_PREDICT_NONE;
	out->total_high = KVMWATCH_PREDICT_NONE;
	out->bytes = KVMWATCH_PREDICT_NONE;
	out->bytes_low = KVMWATCH_PREDICT_NONE;
	out->bytes_high = KVMWATCH_PREDICT_NONE;
	out->rounds = KVMWATCH_PREDICT_NONE;
	out->pause = KVMWATCH_PREDICT_NONE;
	out->pause_low = KVMWATCH_PREDICT_NONE;
	out->pause_high = KVMWATCH_PREDICT_NONE;
	out->throttle = KVMWATCH_PREDICT_NONE;
	out->dirtied = KVMWATCH_PREDICT_NONE;
	out->dirtied_second = KVMWATCH_PREDICT_NONE;
	out->measured = KVMWATCH_PREDICT_NONE;
	out->variation = KVMWATCH_PREDICT_NONE;
}

/*
 * Added to each interval for what the model does not know: clocks, and QEMU's thread that wakes up
 * late. With it, intervals hold in 94 to 96 of 100 migrations, played or recorded.
 */
#define SLACK_SHARE	0.003
#define SLACK_SECONDS	0.005
#define PAUSE_SHARE	0.03	/* devices take as long as they do */
#define PAUSE_SECONDS	0.01

static void loosen(struct spread *spread, double share, double most)
{
	spread->low = fmax(spread->low - share * spread->low - most, 0);
	spread->high += share * spread->high + most;
}

static void say_outcomes(struct kvmwatch_prediction *out, const struct outcome *outcomes,
			 unsigned int nr, double *room)
{
	struct spread total, bytes, pause;
	bool sure = out->share >= SURE;

	total = spread_of(outcomes, nr, offsetof(struct outcome, total), room);
	bytes = spread_of(outcomes, nr, offsetof(struct outcome, bytes), room);
	pause = spread_of(outcomes, nr, offsetof(struct outcome, pause), room);
	loosen(&total, SLACK_SHARE, SLACK_SECONDS);
	loosen(&bytes, SLACK_SHARE, 0);
	loosen(&pause, PAUSE_SHARE, PAUSE_SECONDS);
	out->total = total.middle;
	out->total_low = total.low;
	out->total_high = sure ? total.high : KVMWATCH_PREDICT_NONE;
	out->bytes = bytes.middle;
	out->bytes_low = bytes.low;
	out->bytes_high = sure ? bytes.high : KVMWATCH_PREDICT_NONE;
	out->pause = pause.middle;
	out->pause_low = pause.low;
	out->pause_high = sure ? pause.high : KVMWATCH_PREDICT_NONE;
	out->rounds = spread_of(outcomes, nr, offsetof(struct outcome, looks), room).middle;
	out->throttle = spread_of(outcomes, nr, offsetof(struct outcome, throttle), room).middle;
}

static enum kvmwatch_reason reason_of(const struct kvmwatch_prediction *out,
				      const struct plan *plan, const struct dirtying *dirtying)
{
	struct speed speed = speed_of(plan->in, plan->in->dirty_zero);

	switch (out->verdict) {
	case KVMWATCH_CONVERGES:
		return out->dirtied < speed.threshold / 10 ? KVMWATCH_REASON_QUIET :
		       KVMWATCH_REASON_NONE;
	case KVMWATCH_DOES_NOT:
		return out->dirtied * speed.bytes >= speed.threshold * PAGE_BYTES ?
		       KVMWATCH_REASON_HOT : KVMWATCH_REASON_RATE;
	default:
		if (dirtying->bursts)
			return KVMWATCH_REASON_BURSTS;
		return out->first_pass > 2 * dirtying->measured ? KVMWATCH_REASON_SHORT :
		       KVMWATCH_REASON_EDGE;
	}
}

static void say(struct kvmwatch_prediction *out, const struct plan *plan, const struct runs *runs,
		const struct outcome *outcomes, double *room)
{
	const struct dirtying *dirtying = &runs->dirtying;
	const struct curve *curve = &dirtying->curve[BEYOND_POWER];
	unsigned int run, converge = 0;

	for (run = 0; run < runs->nr; run++)
		converge += outcomes[run].converges;
	out->share = (double)converge / runs->nr;
	if (converge)
		say_outcomes(out, outcomes, runs->nr, room);
	out->verdict = out->share >= SURE ? KVMWATCH_CONVERGES :
		       out->share <= SURELY_NOT ? KVMWATCH_DOES_NOT : KVMWATCH_UNCERTAIN;
	out->dirtied = curve_at(curve, plan->in->downtime);
	out->dirtied_second = curve_at(curve, 1);
	out->measured = dirtying->measured;
	out->variation = dirtying->variation;
	out->reason = reason_of(out, plan, dirtying);
}

static int play(struct kvmwatch_prediction *out, const struct kvmwatch_predict_input *in)
{
	struct outcome *outcomes = calloc(in->runs, sizeof(*outcomes));
	double *room = malloc(in->runs * sizeof(*room));
	struct plans plans;
	unsigned int run;
	struct runs runs;
	int err;

	err = runs_make(&runs, in, in->runs);
	if (!outcomes || !room)
		err = -ENOMEM;
	if (!err) {
		plans_make(&plans, in, &runs.layout);
		for (run = 0; run < runs.nr; run++)
			migrate_or_less(&plans, &runs.chances[run], &outcomes[run]);
		say(out, &plans.plan[0], &runs, outcomes, room);
	}
	runs_free(&runs);
	free(outcomes);
	free(room);
	return err;
}

int kvmwatch_predict(const struct kvmwatch_predict_input *in, struct kvmwatch_prediction *out)
{
	struct kvmwatch_prediction known = { .size = out->size };
	struct kvmwatch_predict_input copy;
	struct layout layout;
	struct plan plan;
	int err = 0;

	if (out->size < FIRST_PREDICTION)
		return -EINVAL;
	err = predict_check(&copy, in, PREDICT_NEEDS_NOTHING);
	if (err)
		return err;
	layout_make(&layout, &copy);
	plan_make(&plan, &copy, &layout);
	say_nothing(&known);
	known.reason = KVMWATCH_REASON_NO_CYCLES;
	known.threshold = plan.whole.threshold;
	plan_first_pass(&plan, &known.first_pass, &known.first_bytes);
	if (copy.nr_cycles)
		err = play(&known, &copy);
	if (!err)
		memcpy(out, &known, out->size < sizeof(known) ? out->size : sizeof(known));
	return err;
}

/* --- Words --------------------------------------------------------------- */

const char *kvmwatch_predict_verdict_name(__u32 verdict)
{
	switch (verdict) {
	case KVMWATCH_UNKNOWN:		return "unknown";
	case KVMWATCH_CONVERGES:	return "converges";
	case KVMWATCH_DOES_NOT:		return "does not";
	case KVMWATCH_UNCERTAIN:	return "uncertain";
	default:			return "?";
	}
}

const char *kvmwatch_predict_reason_name(__u32 reason)
{
	switch (reason) {
	case KVMWATCH_REASON_NONE:	return "";
	case KVMWATCH_REASON_NO_CYCLES:	return "no dirty source";
	case KVMWATCH_REASON_QUIET:	return "dirties little";
	case KVMWATCH_REASON_RATE:	return "dirties faster than it sends";
	case KVMWATCH_REASON_HOT:	return "dirties too much within the downtime";
	case KVMWATCH_REASON_BURSTS:	return "dirties in bursts";
	case KVMWATCH_REASON_SHORT:	return "was measured for too short";
	case KVMWATCH_REASON_EDGE:	return "is on the edge";
	default:			return "?";
	}
}
