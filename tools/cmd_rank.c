// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch rank: the VMs of this host, the cheapest to migrate first.
 *
 * Without --sample or --measure it only reads counters. Both take time, and VMs feel the latter. So
 * --jobs says how many VMs are sampled or measured at a time, and with --top only the VMs are that
 * have the least memory mapped.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "forecast.h"
#include "forecast_rows.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "select.h"
#include "text.h"

#define MAX_JOBS	64
#define MAX_TOP		100000

/**
 * struct rank - the forecasts of all VMs
 * @dev:	the device
 * @options:	the user's options
 * @forecasts:	a forecast for each VM
 * @errs:	what forecast_make() returned for each
 * @order:	indices of @forecasts, the cheapest first
 * @nr:		number of VMs
 * @lock:	protects the members below
 * @next:	index in @order of the next VM
 * @done:	number of VMs that are done
 * @todo:	number of VMs to do
 */
struct rank {
	int dev;
	const struct forecast_options *options;
	struct forecast *forecasts;
	int *errs;
	size_t *order;
	size_t nr;
	pthread_mutex_t lock;
	size_t next, done, todo;
};

/* --- order ------------------------------------------------------------------------- */

static int verdict_of(const struct forecast *f)
{
	static const int places[] = {
		[KVMWATCH_CONVERGES] = 0, [KVMWATCH_UNKNOWN] = 1, [KVMWATCH_UNCERTAIN] = 2,
		[KVMWATCH_DOES_NOT] = 3,
	};

	return places[f->has_out ? f->out.verdict : KVMWATCH_UNKNOWN];
}

/* Order by bytes, be they a forecast or a bound. VMs of which nothing is known come last. */
static double cost_of(const struct forecast *f)
{
	if (f->has_out && f->out.bytes >= 0)
		return f->out.bytes;
	return f->data.known ? f->data.number : f->memory;
}

static double time_of(const struct forecast *f)
{
	return f->has_out && f->out.total >= 0 ? f->out.total : 0;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct rank *rank = arg;
	const struct forecast *x = &rank->forecasts[*(const size_t *)a];
	const struct forecast *y = &rank->forecasts[*(const size_t *)b];
	double diff;

	if (verdict_of(x) != verdict_of(y))
		return verdict_of(x) - verdict_of(y);
	diff = time_of(x) - time_of(y);
	if (diff)
		return diff < 0 ? -1 : 1;
	diff = cost_of(x) - cost_of(y);
	return diff < 0 ? -1 : diff > 0;
}

static void sort(struct rank *rank)
{
	qsort_r(rank->order, rank->nr, sizeof(*rank->order), compare, rank);
}

/* --- work ---------------------------------------------------------------------------- */

static void show_progress(const struct rank *rank)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%zu of %zu VMs...", rank->done, rank->todo);
}

static void end_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static void make(struct rank *rank, size_t i, const struct forecast_options *options)
{
	const struct vm *vm = rank->forecasts[i].vm;

	forecast_free(&rank->forecasts[i]);
	rank->errs[i] = forecast_make(rank->dev, vm, options, NULL, NULL, &rank->forecasts[i]);
}

static void *work(void *arg)
{
	struct rank *rank = arg;
	size_t place;

	pthread_mutex_lock(&rank->lock);
	while (rank->next < rank->todo && !interrupted()) {
		place = rank->next++;
		pthread_mutex_unlock(&rank->lock);
		make(rank, rank->order[place], rank->options);
		pthread_mutex_lock(&rank->lock);
		rank->done++;
		show_progress(rank);
	}
	pthread_mutex_unlock(&rank->lock);
	return NULL;
}

/* Run --jobs threads. This thread is one of them, so work is done even if others cannot start. */
static void work_all(struct rank *rank)
{
	pthread_t threads[MAX_JOBS];
	size_t nr = 0;

	show_progress(rank);
	while (nr + 1 < rank->options->jobs && nr + 1 < rank->todo) {
		if (pthread_create(&threads[nr], NULL, work, rank))
			break;
		nr++;
	}
	work(rank);
	while (nr)
		pthread_join(threads[--nr], NULL);
	end_progress();
}

/* Forecast all VMs by counters alone, then in that order by what takes time. */
static void forecast_all(struct rank *rank)
{
	struct forecast_options counters = *rank->options;
	size_t i;

	counters.measure_s = 0;
	counters.sample = false;
	for (i = 0; i < rank->nr && !interrupted(); i++)
		make(rank, i, &counters);
	sort(rank);
	if (!rank->options->measure_s && !rank->options->sample)
		return;
	rank->todo = rank->options->top && rank->options->top < rank->nr ? rank->options->top :
									   rank->nr;
	work_all(rank);
	sort(rank);
}

/* --- the command ---------------------------------------------------------------------- */

static int show(struct rank *rank)
{
	struct output out;
	size_t i, place, shown = 0;
	int err;

	err = options_output(&rank->options->common, &out);
	if (err)
		return err;
	forecast_begin(&out, false);
	for (place = 0; place < rank->nr; place++) {
		i = rank->order[place];
		if (rank->errs[i] == -ESRCH)
			continue;
		if (rank->errs[i])
			return complain(rank->forecasts[i].vm->info.name, "%s",
					strerror(-rank->errs[i]));
		forecast_row(&out, &rank->forecasts[i], false);
		shown++;
	}
	output_end(&out);
	if (rank->options->common.format == OUTPUT_TEXT && shown &&
	    !rank->options->measure_s && !rank->options->sample)
		complain("rank", "by what is mapped alone; --sample and --measure tell more");
	err = output_flush(&out);
	return err ? complain_output(err) : EXIT_DONE;
}

static int rank_vms(struct rank *rank, const struct vm *vms, size_t nr)
{
	size_t i;
	int code;

	rank->nr = nr;
	rank->forecasts = calloc(nr, sizeof(*rank->forecasts));
	rank->errs = calloc(nr, sizeof(*rank->errs));
	rank->order = calloc(nr, sizeof(*rank->order));
	if (!rank->forecasts || !rank->errs || !rank->order) {
		code = complain("rank", "no memory");
	} else {
		for (i = 0; i < nr; i++) {
			rank->order[i] = i;
			rank->forecasts[i].vm = &vms[i];
		}
		forecast_all(rank);
		code = interrupted() ? complain("rank", "interrupted") : show(rank);
		for (i = 0; i < nr; i++)
			forecast_free(&rank->forecasts[i]);
	}
	free(rank->forecasts);
	free(rank->errs);
	free(rank->order);
	return code;
}

static int rank_chosen(struct rank *rank)
{
	struct selection selection = { .arg = rank->options->common.vm };
	struct vm *vms;
	size_t nr;
	int code;

	code = vms_get(rank->dev, &selection, &vms, &nr);
	if (!code)
		code = nr ? rank_vms(rank, vms, nr) : vms_none(&selection, "rank");
	vms_put(vms, nr);
	selection_free(&selection);
	return code;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct forecast_options options;
	struct rank rank = { .options = &options };
	int code;

	pthread_mutex_init(&rank.lock, NULL);
	forecast_options_init(&options);
	options.jobs = 1;
	code = options_parse(cmd, argc, argv, &options.common);
	if (code >= 0)
		return code;
	rank.dev = device_open();
	if (rank.dev < 0)
		return EXIT_COULD_NOT;
	if (options.measure_s)
		complain("rank", "the VMs feel that: see kvmwatch predict --help");
	interrupt_catch(true);
	code = rank_chosen(&rank);
	close(rank.dev);
	return code;
}

static const char *set_jobs(struct options *options, const char *arg)
{
	__u64 *jobs = &((struct forecast_options *)options)->jobs;

	if (!text_parse_u64(arg, jobs) || !*jobs || *jobs > MAX_JOBS)
		return "give a number, 1 to 64";
	return NULL;
}

static const char *set_top(struct options *options, const char *arg)
{
	__u64 *top = &((struct forecast_options *)options)->top;

	if (!text_parse_u64(arg, top) || !*top || *top > MAX_TOP)
		return "give a number, 1 to 100000";
	return NULL;
}

static const struct opt opt_jobs = {
	'J', "jobs", "N", "so many VMs are sampled or measured at a time (1)", set_jobs
};

static const struct opt opt_top = {
	'T', "top", "N", "sample or measure only the N VMs with the least to send", set_top
};

static const struct opt *const options[] = {
	&opt_vm, &opt_bandwidth, &opt_downtime, &opt_measure, &opt_sample, &opt_jobs, &opt_top,
	&opt_link, &opt_device_downtime, &opt_horizon, OPTS_TABLE, &opt_help, NULL
};

const struct cmd cmd_rank = {
	.name		= "rank",
	.summary	= "the VMs of this host, the cheapest to migrate first",
	.about		=
		"List the VMs with what a live migration of each would take: see kvmwatch predict. Those\n"
		"that converge come first, the quickest first; then those of which nobody knows how fast\n"
		"they dirty pages, by the bytes to send; then the others. Without --sample or --measure\n"
		"that is by what is mapped alone, which is quick and which no VM feels. With one of them,\n"
		"--top has only the cheapest looked at, and --jobs several at a time.",
	.options	= options,
	.tables		= forecast_tables,
	.run		= run,
};
