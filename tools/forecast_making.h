/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of a forecast share: the state while it is made, and its steps.
 *
 * forecast.c takes the steps in their order. forecast_settings.c has the settings of the migration,
 * forecast_memory.c what there is to send, forecast_rate.c how fast that is dirtied, and
 * forecast_live.c all of this for a migration that runs.
 *
 * A step returns 0, or an error that ends the forecast: -ESRCH (the VM has ended), -EINTR, -ENOMEM.
 * What can't be had otherwise is left unknown, with a reason.
 */
#ifndef KVMWATCH_FORECAST_MAKING_H
#define KVMWATCH_FORECAST_MAKING_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "ages.h"
#include "cmd.h"
#include "forecast.h"
#include "marked.h"
#include "memory_sample.h"
#include "migration.h"
#include "monitor.h"
#include "sample.h"

#define PAGE_BYTES	KVMWATCH_PREDICT_PAGE
#define NS_PER_S	1e9

/* The state of a forecast in progress */
struct making {
	int dev;
	const struct forecast_options *options;
	struct forecast *forecast;
	forecast_progress_fn *progress;
	void *progress_arg;
	struct kvmwatch_slot *slots;
	size_t nr_slots;
	struct monitor monitor;
	bool searched, has_monitor;
	struct migration migration;	/* the monitor's last answer */
	__u64 asked_ns;			/* when the monitor was asked first */
	__u64 sampled_ns;	/* when the memory was looked at */
	struct memory_sample sample;	/* the sample of that time */
	struct marked *marked;	/* what was marked during the measurement; NULL: unknown */
	struct ages before;	/* at the beginning of this cycle */
	struct maybe collects;	/* at the last look: collections of the log */
	__u64 part_ns[AGES_MAX_PARTS], part_begin;	/* parts between resets of dirty rings */
	unsigned int nr_parts;
	int err;		/* the first error of reads meanwhile */
};

/* Say what is done now, as progress. */
void __printf(2, 3) making_tell(const struct making *m, const char *format, ...);

/* Say why something is unknown. The first reason is kept. */
void __printf(2, 3) forecast_why(struct forecast *f, const char *format, ...);

/* Read one statistic of the VM. */
int making_take_stat(const struct making *m, const char *name, struct maybe *number);

/* --- forecast_settings.c ----------------------------------------------------- */

/* Settings that the user gave, or QEMU's defaults */
void making_set_parameters(struct making *m);

/* Find the monitor, and take its settings. It is not asked if nothing is needed of it. */
int making_find_monitor(struct making *m);

/* --- forecast_memory.c ------------------------------------------------------- */

/*
 * Data are what is mapped. This is a bound: it includes all of huge pages, and not what only the
 * VMM has written.
 */
void forecast_data_from_mapped(struct forecast *f);

/* Look at the memory's contents. */
int making_sample(struct making *m);

/*
 * Look again, and assume that a guest that has more data now than at the first look goes on
 * growing. The same pages show that. Other pages would only tell the amount once more.
 */
int making_grow(struct making *m);

/* --- forecast_rate.c --------------------------------------------------------- */

/*
 * Have QEMU log what the VM dirties. Count pages one by one if their contents are looked at, too.
 * If the module has no more memory for that, which pages are dirtied stays unknown.
 */
int making_measure(struct making *m);

/* Compare the contents of pages, without the VMM's help. */
int making_compare(struct making *m);

int forecast_add_curve(struct forecast *f, const struct kvmwatch_curve_point *from, size_t nr);

/* Set the share of zero pages from a look at @nr of @all dirtied pages. */
void forecast_zero_share(struct forecast *f, size_t zero, size_t nr, __u64 all);

/* --- forecast_live.c --------------------------------------------------------- */

/* Watch the migration that runs. */
int making_live(struct making *m);

#endif /* KVMWATCH_FORECAST_MAKING_H */
