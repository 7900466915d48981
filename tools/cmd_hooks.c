// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch hooks: where the module is attached to KVM and where it is not, and which statistics are
 * unavailable because of that.
 */
#include <stdbool.h>
#include <unistd.h>

#include "cmd.h"
#include "hooks.h"
#include "options.h"
#include "output.h"
#include "repeat.h"

/* Both tables share one set of keys, so that they make one CSV file. */
enum {
	COL_TYPE, COL_OF, COL_NAME, COL_TARGET, COL_VIA, COL_TRUST, COL_BY, COL_HITS,
	COL_MISSES, COL_NEEDS, COL_REASON, COL_TIME, NR_COLS
};

static const struct output_column hook_columns[NR_COLS] = {
	[COL_TYPE]	= { "type",	NULL,		false },
	[COL_OF]	= { "of",		NULL,		false },
	[COL_NAME]	= { "name",	"HOOK",		false },
	[COL_TARGET]	= { "target",	"TARGET",	false },
	[COL_VIA]	= { "via",	"VIA",		false },
	[COL_TRUST]	= { "trust",	"TRUST",	false },
	[COL_BY]	= { "by",	"BY",		false },
	[COL_HITS]	= { "hits",	"HITS",		true },
	[COL_MISSES]	= { "misses",	"MISSES",	true },
	[COL_NEEDS]	= { "needs",	NULL,		false },
	[COL_REASON]	= { "reason",	"REASON",	false, 200 },
	[COL_TIME]	= { "time_ns",	NULL,		true },
};

static const struct output_column stat_columns[NR_COLS] = {
	[COL_TYPE]	= { "type",	NULL,		false },
	[COL_OF]	= { "of",		"OF",	false },
	[COL_NAME]	= { "name",	"STATISTIC",	false },
	[COL_TARGET]	= { "target",	NULL,		false },
	[COL_VIA]	= { "via",	NULL,		false },
	[COL_TRUST]	= { "trust",	NULL,		false },
	[COL_BY]	= { "by",	NULL,		false },
	[COL_HITS]	= { "hits",	NULL,		true },
	[COL_MISSES]	= { "misses",	NULL,		true },
	[COL_NEEDS]	= { "needs",	"NEEDS",	false },
	[COL_REASON]	= { "reason",	"REASON",	false },
	[COL_TIME]	= { "time_ns",	NULL,		true },
};

static const char *trust_of(const struct kvmwatch_hook *hook)
{
	if (hook->flags & KVMWATCH_HOOK_PROVEN)
		return "proven";
	return hook->flags & KVMWATCH_HOOK_TESTED ? "tested" : NULL;
}

/* An older module gives only the short reason. */
static const char *reason_of(const struct kvmwatch_hook *hook)
{
	if (*hook->why)
		return hook->why;
	return *hook->reason ? hook->reason : "not attached";
}

static void show_hook(struct output *out, const struct kvmwatch_hook *hook, __u64 time_ns)
{
	bool attached = hook->flags & KVMWATCH_HOOK_ATTACHED;

	output_string(out, COL_TYPE, "hook");
	output_string(out, COL_NAME, hook->name);
	if (*hook->target)
		output_string(out, COL_TARGET, hook->target);
	if (*hook->via)
		output_string(out, COL_VIA, hook->via);
	if (trust_of(hook))
		output_string(out, COL_TRUST, trust_of(hook));
	if (*hook->by)
		output_string(out, COL_BY, hook->by);
	if (attached) {
		output_u64(out, COL_HITS, hook->hits, NULL);
		output_u64(out, COL_MISSES, hook->misses, NULL);
		if (*hook->why)
			output_string(out, COL_REASON, hook->why);
	} else {
		output_unknown(out, COL_HITS, "-");
		output_unknown(out, COL_MISSES, "-");
		output_string(out, COL_REASON, reason_of(hook));
	}
	output_u64(out, COL_TIME, time_ns, NULL);
	output_row(out);
}

static void show_stat(struct output *out, const struct hooks *hooks,
		      const struct kvmwatch_stat *stat, __u64 time_ns)
{
	char reason[160];

	output_string(out, COL_TYPE, "stat");
	output_string(out, COL_OF, hooks_object(stat->kind));
	output_string(out, COL_NAME, stat->name);
	output_string(out, COL_NEEDS, stat->hooks);
	if (hooks_missing(hooks, stat, reason, sizeof(reason)))
		output_string(out, COL_REASON, reason);
	else
		output_string(out, COL_REASON, "withdrawn, or not available on this kernel");
	output_u64(out, COL_TIME, time_ns, NULL);
	output_row(out);
}

static bool is_available(const struct kvmwatch_stat *stat)
{
	return stat->flags & KVMWATCH_STAT_AVAILABLE;
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	const __u64 time_ns = now_ns();
	const int *dev = arg;
	struct hooks hooks;
	bool begun = false;
	size_t i;
	int err;

	(void)beat;
	err = hooks_get(*dev, &hooks);
	if (err)
		return device_complain(err);

	output_begin(out, NULL, hook_columns, NR_COLS);
	for (i = 0; i < hooks.nr_hooks; i++)
		show_hook(out, &hooks.hooks[i], time_ns);
	output_end(out);

	for (i = 0; i < hooks.nr_stats; i++) {
		if (is_available(&hooks.stats[i]))
			continue;
		if (!begun)
			output_begin(out, "Unavailable statistics:", stat_columns, NR_COLS);
		begun = true;
		show_stat(out, &hooks, &hooks.stats[i], time_ns);
	}
	if (begun)
		output_end(out);
	hooks_put(&hooks);
	return EXIT_DONE;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options;
	int code, dev;

	code = options_parse(cmd, argc, argv, &options);
	if (code >= 0)
		return code;
	dev = device_open();
	if (dev < 0)
		return EXIT_COULD_NOT;
	code = repeat(&options, show, &dev);
	close(dev);
	return code;
}

static const struct output_columns tables[] = { OUTPUT_COLUMNS(hook_columns), { } };

static const struct opt *const options[] = {
	OPTS_REPEAT, OPTS_TABLE, &opt_help, NULL
};

const struct cmd cmd_hooks = {
	.name		= "hooks",
	.summary	= "what is attached to KVM and what is not, and why",
	.about		=
		"Show each hook in KVM: where it is attached, by which mechanism, why it is believed to\n"
		"see what it says (proven: by the kvm.ko that runs, BY says how; tested: such builds\n"
		"pass the tests), how often it was reached and how often it could not be handled, or\n"
		"why it is not attached. Then the statistics that are unavailable for that.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
