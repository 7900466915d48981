/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The forecast of a VM's migration. These functions measure the VM, and give the result to
 * libkvmwatch, which plays the migration. They print nothing.
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

/* QEMU's defaults, if neither the user nor the VM's monitor gives others: 128 MiB/s, 300 ms */
#define FORECAST_BANDWIDTH	134217728.0
#define FORECAST_DOWNTIME_MS	300

/* The source of the dirty rate */
enum forecast_source {
	FORECAST_NONE,
	FORECAST_LOG,		/* the VMM logged it for us: --measure */
	FORECAST_RING,		/* the same, of a VM with dirty rings */
	FORECAST_CONTENTS,	/* pages were compared from outside: --sample without --measure */
	FORECAST_LIVE,		/* the migration that runs: --live */
};

/* The source of a value */
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

/* Set the defaults of options. */
void forecast_options_init(struct forecast_options *options);

/**
 * struct forecast - the forecast of a VM
 * @vm:		the VM; the caller's
 * @in:		the library's input
 * @out:	the library's output
 * @has_out:	@out is filled
 * @source:	the source of the dirty rate
 * @memory:	bytes of RAM
 * @mapped:	bytes that KVM has mapped; unknown if the module does not know
 * @sampled:	@in has data pages from a sample, not from what is mapped
 * @data:	bytes of pages that have data; unknown without a sample and mapped pages
 * @bandwidth_from: the source of the bandwidth
 * @downtime_from: the source of the downtime
 * @downtime_min: seconds; surely enough. KVMWATCH_PREDICT_NONE: an hour is not, or it was not asked
 * @downtime_maybe: seconds; may be enough
 * @bandwidth_min: bytes a second; surely enough
 * @window_s:	length of the longest cycle
 * @elapsed_ms:	with --live: time since the migration began, as the VMM tells
 * @looks:	with --live: number of times that it has collected the log
 * @pages_s:	with --live: dirty rate while we watched; negative: unknown
 * @vmm_pages_s: with --live: the dirty rate that the VMM tells
 * @zero_share:	share of zero pages among dirtied ones; negative: unknown
 * @why:	what was missing for a better forecast; "": nothing
 * @time_ns:	when the last number was read, by CLOCK_MONOTONIC
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

/* Called with messages for the user during a measurement: "logging for 5 s, cycle 2 of 4". */
typedef void forecast_progress_fn(void *arg, const struct vm *vm, const char *words);

/**
 * forecast_make() - measure a VM as options say, and forecast its migration
 * @dev: the device
 * @vm: the VM
 * @options: the user's options
 * @progress: called with each step; may be NULL
 * @arg: its first argument
 * @forecast: filled, whatever is returned; free it with forecast_free()
 *
 * Return: 0, also if little is known, with the reason in @why; -EINTR: a signal came; -ESRCH: the
 * VM has ended; -ENOMEM.
 */
int forecast_make(int dev, const struct vm *vm, const struct forecast_options *options,
		  forecast_progress_fn *progress, void *arg, struct forecast *forecast);
void forecast_free(struct forecast *forecast);

#endif /* KVMWATCH_FORECAST_H */
