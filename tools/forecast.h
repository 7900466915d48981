/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The forecast of a VM's migration: what is known of the VM is collected here, and given to
 * libkvmwatch, which plays the migration through. Nothing here prints.
 */
#ifndef KVMWATCH_FORECAST_H
#define KVMWATCH_FORECAST_H

#include <stdbool.h>

#include <linux/types.h>

#include "libkvmwatch_predict.h"
#include "measure.h"
#include "options.h"
#include "sample.h"
#include "select.h"

#define FORECAST_WORDS	256

/* QEMU's own, when neither the user nor the VM's monitor says another: 128 MiB/s, 300 ms */
#define FORECAST_BANDWIDTH	134217728.0
#define FORECAST_DOWNTIME_MS	300

/* Where it was learned how fast the VM dirties pages */
enum forecast_source {
	FORECAST_NONE,
	FORECAST_LOG,		/* the VMM logged it for us: --measure */
	FORECAST_RING,		/* the same, of a VM with dirty rings */
	FORECAST_CONTENTS,	/* pages were compared from outside: --sample without --measure */
	FORECAST_LIVE,		/* the migration that runs: --live */
};

/* Where a value is from */
enum forecast_origin {
	FORECAST_GIVEN,		/* the user */
	FORECAST_MONITOR,	/* the VMM's parameters */
	FORECAST_DEFAULT,	/* nobody: QEMU's defaults */
};

/**
 * struct forecast_options - options of predict and rank
 * @common:	those of all commands
 * @bandwidth:	--bandwidth, bytes a second; 0: not given
 * @downtime_ms: --downtime; @has_downtime: it was given
 * @link:	--link, bytes a second; 0: not given
 * @device_ms:	--device-downtime, or 15
 * @horizon_s:	--horizon; 0: the library's
 * @measure_s:	--measure: seconds of the long cycle; 0: not given
 * @sample:	--sample
 * @live:	--live
 * @qmp:	--qmp; NULL: find it
 * @jobs:	--jobs
 * @top:	--top; 0: all
 */
struct forecast_options {
	struct options common;	/* first: options_parse() knows only that */
	double bandwidth;
	__u64 downtime_ms;
	bool has_downtime;
	double link;
	__u64 device_ms;
	__u64 horizon_s;
	__u64 measure_s;
	bool sample;
	bool live;
	const char *qmp;
	__u64 jobs;
	__u64 top;
};

extern const struct opt opt_bandwidth;
extern const struct opt opt_downtime;
extern const struct opt opt_link;
extern const struct opt opt_device_downtime;
extern const struct opt opt_horizon;
extern const struct opt opt_measure;
extern const struct opt opt_sample;
extern const struct opt opt_live;
extern const struct opt opt_qmp;

/* Defaults of the options that have some. */
void forecast_options_init(struct forecast_options *options);

/**
 * struct forecast - of one VM
 * @vm:		the VM; the caller's
 * @in:		what was given to the library
 * @out:	what it said
 * @has_out:	it was asked
 * @source:	where dirtying was learned from
 * @memory:	bytes of RAM
 * @mapped:	bytes that KVM has mapped; unknown if the module does not know
 * @sampled:	@in has data pages from a sample, not from what is mapped
 * @data:	bytes of pages that have data; unknown if neither says it
 * @bandwidth_from: who said the bandwidth
 * @downtime_from: who said the downtime
 * @downtime_min: seconds; surely enough. KVMWATCH_PREDICT_NONE: an hour is not, or it was not asked
 * @downtime_maybe: seconds; may be enough
 * @bandwidth_min: bytes a second; surely enough
 * @window_s:	how long the longest cycle was
 * @elapsed_ms:	with --live: for how long the migration has been going on, by the VMM
 * @looks:	and how often it has collected the log
 * @pages_s:	and how many pages a second were dirtied while we looked on; negative: not known
 * @vmm_pages_s: and what the VMM says of that
 * @zero_share:	share of the pages that were dirtied whose contents are zero; negative: not known
 * @why:	what keeps it from being better known; "": nothing
 * @time_ns:	when the last of its numbers was read, by CLOCK_MONOTONIC
 *
 * The rest belongs to forecast.c.
 */
struct forecast {
	const struct vm *vm;
	struct kvmwatch_predict_input in;
	struct kvmwatch_prediction out;
	bool has_out;
	enum forecast_source source;
	__u64 memory;
	struct maybe mapped;
	bool sampled;
	struct maybe data;
	enum forecast_origin bandwidth_from, downtime_from;
	double downtime_min, downtime_maybe, bandwidth_min;
	double window_s;
	struct maybe elapsed_ms, looks, vmm_pages_s;
	double pages_s, zero_share;
	char why[FORECAST_WORDS];
	__u64 time_ns;

	struct kvmwatch_cycle *cycles;
	struct kvmwatch_curve_point *points;
	struct kvmwatch_part *parts;
};

/* Called while it is measured; the words are for a person: "logging for 5 s, cycle 2 of 4". */
typedef void forecast_progress_fn(void *arg, const struct vm *vm, const char *words);

/**
 * forecast_make() - find out what there is to know of a VM, and forecast
 * @dev: the device
 * @vm: the VM
 * @options: what is asked
 * @progress: told what happens; may be NULL
 * @arg: its first argument
 * @forecast: filled, whatever is returned; to be freed with forecast_free()
 *
 * Return: 0, also if little is known, which @why says; -EINTR: a signal came; -ESRCH: the VM has
 * ended; -ENOMEM.
 */
int forecast_make(int dev, const struct vm *vm, const struct forecast_options *options,
		  forecast_progress_fn *progress, void *arg, struct forecast *forecast);
void forecast_free(struct forecast *forecast);

#endif /* KVMWATCH_FORECAST_H */
