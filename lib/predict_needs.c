// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The least downtime or bandwidth with which a share of the runs converges. Each run has its own;
 * the share's is found by halving, and a run that is known to converge or not at what is asked is
 * not played again. What is tried lies on a lattice that does not depend on the question, so that
 * answers of different shares are in order.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "predict.h"

#define STEP		1.01
#define MOST_RUNS	100U

/* What is looked for: 1 ms to an hour, 64 KiB/s to 1 TiB/s */
struct quest {
	double least;
	double most;
	bool bandwidth;
};

static const struct quest downtimes = { .least = 0.001, .most = 3600 };
static const struct quest bandwidths = { .least = 0x1p16, .most = 0x1p40, .bandwidth = true };

/* For each run: the greatest point known not to be enough, and the least known to be. */
struct bounds {
	int low;
	int high;
};

static double value_at(const struct quest *quest, int point)
{
	return quest->least * pow(STEP, point);
}

static void plans_at(struct plans *plans, const struct quest *quest,
		     const struct kvmwatch_predict_input *in, const struct layout *layout,
		     int point)
{
	struct kvmwatch_predict_input asked = *in;

	if (quest->bandwidth)
		asked.bandwidth = value_at(quest, point);
	else
		asked.downtime = value_at(quest, point);
	plans_make(plans, &asked, layout);
}

static bool run_converges(const struct plans *plans, const struct chance *chance)
{
	struct outcome outcome;

	migrate_or_less(plans, chance, &outcome);
	return outcome.converges;
}

static bool enough(const struct quest *quest, const struct kvmwatch_predict_input *in,
		   const struct runs *runs, struct bounds *bounds, int point, double share)
{
	unsigned int run, converge = 0, need = (unsigned int)ceil(share * runs->nr * 0.999999999);
	struct plans plans;
	struct bounds *b;

	plans_at(&plans, quest, in, &runs->layout, point);
	for (run = 0; run < runs->nr && converge < need &&
	     converge + (runs->nr - run) >= need; run++) {
		b = &bounds[run];
		if (point > b->low && point < b->high) {
			if (run_converges(&plans, &runs->chances[run]))
				b->high = point;
			else
				b->low = point;
		}
		converge += point >= b->high;
	}
	return converge >= need;
}

static int search(const struct quest *quest, const struct kvmwatch_predict_input *in,
		  const struct runs *runs, double share, double *value)
{
	int low = -1, high = (int)floor(log(quest->most / quest->least) / log(STEP)), mid;
	struct bounds *bounds = malloc(runs->nr * sizeof(*bounds));
	unsigned int run;
	int err = 0;

	if (!bounds)
		return -ENOMEM;
	for (run = 0; run < runs->nr; run++)
		bounds[run] = (struct bounds) { .low = -1, .high = high + 1 };
	if (!enough(quest, in, runs, bounds, high, share))
		err = -ERANGE;
	while (!err && high - low > 1) {
		mid = low + (high - low) / 2;
		if (enough(quest, in, runs, bounds, mid, share))
			high = mid;
		else
			low = mid;
	}
	free(bounds);
	if (!err)
		*value = value_at(quest, high);
	return err;
}

static int need(const struct quest *quest, const struct kvmwatch_predict_input *in, double share,
		double *value)
{
	struct runs runs;
	int err;

	if (!in->nr_cycles)
		return -ENODATA;
	err = runs_make(&runs, in, MOST_RUNS);
	if (!err)
		err = search(quest, in, &runs, share, value);
	runs_free(&runs);
	return err;
}

int kvmwatch_predict_downtime(const struct kvmwatch_predict_input *in, double share,
			      double *downtime)
{
	struct kvmwatch_predict_input copy;
	int err;

	if (!(share > 0 && share <= 1))
		return -EINVAL;
	err = predict_check(&copy, in, PREDICT_NEEDS_DOWNTIME);
	return err ?: need(&downtimes, &copy, share, downtime);
}

int kvmwatch_predict_bandwidth(const struct kvmwatch_predict_input *in, double share,
			       double *bandwidth)
{
	struct kvmwatch_predict_input copy;
	int err;

	if (!(share > 0 && share <= 1))
		return -EINVAL;
	err = predict_check(&copy, in, PREDICT_NEEDS_BANDWIDTH);
	return err ?: need(&bandwidths, &copy, share, bandwidth);
}
