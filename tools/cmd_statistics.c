// SPDX-License-Identifier: GPL-2.0
/* kvmwatch statistics: what each statistic counts, its unit, its meaning and what it needs. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "hooks.h"
#include "libkvmwatch.h"
#include "options.h"
#include "output.h"
#include "repeat.h"

enum {
	COL_OF, COL_NAME, COL_TYPE, COL_UNIT, COL_BUCKETS, COL_AVAILABLE, COL_NEEDS,
	COL_MEANING, COL_TIME,
	NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_OF]	= { "of",	 "OF",	false },
	[COL_NAME]	= { "name",	 "STATISTIC",	false },
	[COL_TYPE]	= { "type",	 "TYPE",	false },
	[COL_UNIT]	= { "unit",	 "UNIT",	false },
	[COL_BUCKETS]	= { "buckets",	 NULL,		false },
	[COL_AVAILABLE]	= { "available", "AVAILABLE",	false },
	[COL_NEEDS]	= { "needs",	 "NEEDS",	false },
	[COL_MEANING]	= { "meaning",	 "MEANING",	false, 160 },
	[COL_TIME]	= { "time_ns",	 NULL,		true },
};

static const char *type_of(const struct kvmwatch_stat *stat)
{
	switch (stat->desc_flags & KVMWATCH_STATS_TYPE_MASK) {
	case KVMWATCH_STATS_CUMULATIVE:
		return "cumulative";
	case KVMWATCH_STATS_INSTANT:
		return "instant";
	case KVMWATCH_STATS_PEAK:
		return "peak";
	case KVMWATCH_STATS_LINEAR_HIST:
		return "linear_hist";
	case KVMWATCH_STATS_LOG_HIST:
		return "log_hist";
	}
	return "unknown";
}

/* "ns", "ms", "bytes"; "" for a number without a unit. */
static const char *unit_of(const struct kvmwatch_stat *stat)
{
	bool seconds = (stat->desc_flags & KVMWATCH_STATS_UNIT_MASK) == KVMWATCH_STATS_SECONDS;

	if (seconds && stat->exponent == -9)
		return "ns";
	if (seconds && stat->exponent == -3)
		return "ms";
	return kvmwatch_unit(stat->desc_flags) ?: "unknown";
}

static const char *buckets_of(const struct kvmwatch_stat *stat)
{
	switch (stat->buckets) {
	case KVMWATCH_BUCKETS_VALUES:
		return "values";
	case KVMWATCH_BUCKETS_EXIT:
		return "exit_reasons";
	case KVMWATCH_BUCKETS_USER_EXIT:
		return "user_exit_reasons";
	}
	return NULL;
}

static void show_stat(struct output *out, const struct kvmwatch_stat *stat, __u64 time_ns)
{
	bool available = stat->flags & KVMWATCH_STAT_AVAILABLE;

	output_string(out, COL_OF, hooks_object(stat->kind));
	output_string(out, COL_NAME, stat->name);
	output_string(out, COL_TYPE, type_of(stat));
	output_string(out, COL_UNIT, unit_of(stat));
	if (buckets_of(stat))
		output_string(out, COL_BUCKETS, buckets_of(stat));
	output_bool(out, COL_AVAILABLE, available, available ? "yes" : "no");
	output_string(out, COL_NEEDS, stat->hooks);
	output_string(out, COL_MEANING, stat->help);
	output_u64(out, COL_TIME, time_ns, NULL);
	output_row(out);
}

/* Those whose name has @part in it; all without one. */
static int show(struct output *out, const struct hooks *hooks, const char *part)
{
	__u64 time_ns = now_ns();
	size_t i, shown = 0;

	output_begin(out, NULL, columns, NR_COLS);
	for (i = 0; i < hooks->nr_stats; i++) {
		if (part && !strstr(hooks->stats[i].name, part))
			continue;
		show_stat(out, &hooks->stats[i], time_ns);
		shown++;
	}
	output_end(out);
	if (!shown)
		return complain(part, "no statistic has that in its name; see kvmwatch statistics");
	return out->err ? complain_output(out->err) : EXIT_DONE;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options;
	struct output out;
	struct hooks hooks;
	int code, dev, err;

	code = options_parse(cmd, argc, argv, &options);
	if (code >= 0)
		return code;
	dev = device_open();
	if (dev < 0)
		return EXIT_COULD_NOT;
	err = hooks_get(dev, &hooks);
	close(dev);
	if (err)
		return device_complain(err);
	code = options_output(&options, &out);
	if (!code)
		code = show(&out, &hooks, options.operand);
	hooks_put(&hooks);
	return code;
}

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

static const struct opt *const options[] = { OPTS_TABLE, &opt_help, NULL };

const struct cmd cmd_statistics = {
	.name		= "statistics",
	.summary	= "what each statistic counts, its unit, and what it needs",
	.about		=
		"Show the statistics of VMs, vCPUs and slots: type, unit, meaning, the hooks that each\n"
		"needs, and whether all of them are attached. With NAME, those with it in their name.",
	.operand	= "NAME",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
