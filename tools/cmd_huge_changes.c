// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch huge --time: what makes huge pages come and go in that time, and how long those that
 * went took to form again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_huge.h"
#include "hooks.h"
#include "huge_changes.h"
#include "interrupt.h"
#include "output.h"
#include "quantity.h"
#include "recording.h"
#include "stream.h"
#include "view.h"

#define BUFFER_KB	4096
/* Smaller leaves are not of interest, and are many. */
#define HUGE_FILTER	"level >= 2"

struct record {
	const struct view_options *options;
	struct view_choice choice;
	struct recording recording;
	struct huge_changes *changes;
};

enum {
	FIELD_VM, FIELD_GFN, FIELD_LEVEL, FIELD_LEAVES, FIELD_AS_ID, FIELD_CAUSE, NR_FIELDS
};

static const char *const events[] = { "kvmwatch_map", "kvmwatch_unmap", NULL };

static const char *const fields[NR_FIELDS] = {
	[FIELD_VM] = "vm", [FIELD_GFN] = "gfn", [FIELD_LEVEL] = "level", [FIELD_LEAVES] = "leaves",
	[FIELD_AS_ID] = "as_id", [FIELD_CAUSE] = "cause",
};

enum {
	COL_VM, COL_NAME, COL_GUEST, COL_NAME_TEXT, COL_CAUSE, COL_UNMAPPED_2M, COL_UNMAPPED_1G,
	COL_MAPPED_2M, COL_MAPPED_1G, COL_AGAIN, COL_LEFT, COL_AGAIN_NS, COL_AVERAGE, COL_MAX,
	COL_TIMES, COL_WINDOW = COL_TIMES + HUGE_TIMES, COL_TIME, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_VM]	= { "vm",		"VM",		true },
	[COL_NAME]	= { "name",		NULL,		false },
	[COL_GUEST]	= { "guest",		NULL,		false },
	[COL_NAME_TEXT]	= { NULL,		"GUEST",	false, 24 },
	[COL_CAUSE]	= { "cause",		"CAUSE",	false },
	[COL_UNMAPPED_2M] = { "unmapped_2m",	"UNMAPPED 2M",	true },
	[COL_UNMAPPED_1G] = { "unmapped_1g",	"1G",		true },
	[COL_MAPPED_2M]	= { "mapped_2m",	"MAPPED 2M",	true },
	[COL_MAPPED_1G]	= { "mapped_1g",	"1G",		true },
	[COL_AGAIN]	= { "again",		"AGAIN",	true },
	[COL_LEFT]	= { "left",		"LEFT",		true },
	[COL_AGAIN_NS]	= { "again_ns",		NULL,		true },
	[COL_AVERAGE]	= { NULL,		"AVG",		true },
	[COL_MAX]	= { "again_ns_max",	"MAX",		true },
	[COL_TIMES]	= { "again_1ms",	"<1ms",		true },
	[COL_TIMES + 1]	= { "again_10ms",	"<10ms",	true },
	[COL_TIMES + 2]	= { "again_100ms",	"<0.1s",	true },
	[COL_TIMES + 3]	= { "again_1s",		"<1s",		true },
	[COL_TIMES + 4]	= { "again_10s",	"<10s",		true },
	[COL_TIMES + 5]	= { "again_longer",	"LONGER",	true },
	[COL_WINDOW]	= { "window_ns",	NULL,		true },
	[COL_TIME]	= { "time_ns",		NULL,		true },
};

/* --- Record --------------------------------------------------------------- */

static void happens(const struct happening *h, void *arg)
{
	struct record *r = arg;
	const struct huge_event event = {
		.ns = h->ns, .vm = h->values[FIELD_VM], .gfn = h->values[FIELD_GFN],
		.leaves = h->values[FIELD_LEAVES], .as_id = h->values[FIELD_AS_ID],
		.level = h->values[FIELD_LEVEL], .map = !h->event, .cause = h->values[FIELD_CAUSE],
	};

	if (!r->recording.err)
		r->recording.err = huge_changes_add(r->changes, &event);
}

static int watch(struct record *r)
{
	r->recording.who = "huge";
	r->recording.happens = happens;
	r->recording.arg = r;
	r->recording.too_much = "too many pages are gone";
	return recording_make(&r->recording, r->options->time_ns);
}

/* Do the changes of leaves reach the module? */
static int sees_changes(void)
{
	const struct kvmwatch_stat *stat;
	int dev = device_open(), err, code = EXIT_DONE;
	struct hooks hooks;
	char why[160];
	size_t i;

	if (dev < 0)
		return EXIT_COULD_NOT;
	err = hooks_get(dev, &hooks);
	close(dev);
	if (err)
		return device_complain(err);
	for (i = 0; i < hooks.nr_stats; i++) {
		stat = &hooks.stats[i];
		if (stat->kind == KVMWATCH_KIND_VM && !strcmp(stat->name, "unmap_2m") &&
		    hooks_missing(&hooks, stat, why, sizeof(why)))
			code = complain("huge", "%s; kvmwatch hooks says why", why);
	}
	hooks_put(&hooks);
	return code;
}

static int record(struct record *r)
{
	struct stream_spec spec = {
		.events = events, .fields = fields, .nr_fields = NR_FIELDS, .filter = HUGE_FILTER,
		.buffer_kb = r->options->buffer_kb ?: BUFFER_KB,
	};
	char *filter = NULL;
	int code;

	if (*r->choice.filter) {
		if (asprintf(&filter, "(%s) && " HUGE_FILTER, r->choice.filter) < 0)
			return complain("huge", "no memory");
		spec.filter = filter;
	}
	code = sees_changes();
	interrupt_catch(true);
	code = code ?: stream_open(&spec, &r->recording.stream);
	if (!code) {
		code = watch(r);
		stream_close(r->recording.stream);
	}
	free(filter);
	return code;
}

/* --- Show ----------------------------------------------------------------- */

static void show_ns(struct output *out, size_t column, __u64 ns, bool raw)
{
	struct quantity q = quantity_ns(ns);
	char text[80];

	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	output_u64(out, column, ns, raw ? NULL : text);
}

static void show_times(struct output *out, const struct huge_cause *cause, bool raw)
{
	struct quantity q;
	char text[80];
	size_t i;

	output_u64(out, COL_AGAIN, cause->again, NULL);
	output_u64(out, COL_LEFT, cause->left, NULL);
	output_u64(out, COL_AGAIN_NS, cause->again_ns, NULL);
	for (i = 0; i < HUGE_TIMES; i++)
		output_u64(out, COL_TIMES + i, cause->times[i], NULL);
	if (!cause->again)
		return;
	q = quantity_ns(cause->again_ns / cause->again);
	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	output_text(out, COL_AVERAGE, text);
	show_ns(out, COL_MAX, cause->again_ns_max, raw);
}

static void show_cause(struct output *out, const struct record *r, const struct vm *vm,
		       const char *name, const struct huge_cause *cause)
{
	output_u64(out, COL_VM, vm->info.id, NULL);
	output_string(out, COL_NAME, vm->info.name);
	output_string(out, COL_GUEST, vm->guest);
	output_text(out, COL_NAME_TEXT, vm->guest ?: vm->info.name);
	output_string(out, COL_CAUSE, name);
	output_u64(out, COL_UNMAPPED_2M, cause->unmapped[0], NULL);
	output_u64(out, COL_UNMAPPED_1G, cause->unmapped[1], NULL);
	output_u64(out, COL_MAPPED_2M, cause->mapped[0], NULL);
	output_u64(out, COL_MAPPED_1G, cause->mapped[1], NULL);
	show_times(out, cause, r->options->common.raw);
	output_u64(out, COL_WINDOW, r->recording.ns, NULL);
	output_u64(out, COL_TIME, r->recording.begin, NULL);
	output_row(out);
}

static void add_up(struct huge_cause *sum, const struct huge_cause *cause)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		sum->unmapped[i] += cause->unmapped[i];
		sum->mapped[i] += cause->mapped[i];
	}
	for (i = 0; i < HUGE_TIMES; i++)
		sum->times[i] += cause->times[i];
	sum->again += cause->again;
	sum->left += cause->left;
	sum->again_ns += cause->again_ns;
	if (cause->again_ns_max > sum->again_ns_max)
		sum->again_ns_max = cause->again_ns_max;
}

static bool has_any(const struct huge_cause *cause)
{
	return cause->unmapped[0] || cause->unmapped[1] || cause->mapped[0] || cause->mapped[1];
}

static void show_vm(struct output *out, const struct record *r, const struct vm *vm)
{
	static const char *const names[HUGE_CAUSES] = { KVMW_LEAF_CAUSES(KVMW_LEAF_WORD) };
	struct huge_cause causes[HUGE_CAUSES], sum = { };
	size_t i;

	huge_changes_of(r->changes, vm->info.id, causes);
	for (i = 0; i < HUGE_CAUSES; i++) {
		if (!has_any(&causes[i]))
			continue;
		add_up(&sum, &causes[i]);
		show_cause(out, r, vm, names[i], &causes[i]);
	}
	show_cause(out, r, vm, "all", &sum);
}

static int show(const struct record *r)
{
	struct output out;
	size_t i;
	int err;

	err = options_output(&r->options->common, &out);
	if (err)
		return err;
	output_begin(&out, NULL, columns, NR_COLS);
	for (i = 0; i < r->choice.nr; i++)
		show_vm(&out, r, &r->choice.vms[i]);
	output_end(&out);
	err = output_flush(&out);
	return err ? complain_output(err) : EXIT_DONE;
}

static int run_choice(struct record *r)
{
	struct selection none = { };
	int code = view_choose(r->options, &r->choice);

	if (code)
		return code;
	if (!r->choice.nr)
		return vms_none(&none, "huge");
	r->changes = huge_changes_new();
	if (!r->changes)
		return complain("huge", "no memory");
	code = record(r);
	return code ?: show(r);
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct view_options options = { };
	struct record r = { .options = &options };
	int code;

	code = options_parse(cmd, argc, argv, &options.common);
	if (code >= 0)
		return code;
	code = run_choice(&r);
	view_choice_free(&r.choice);
	huge_changes_free(r.changes);
	return code;
}

static const char *set_time(struct options *options, const char *arg)
{
	if (options->cmd != &cmd_huge_changes)
		return "write it in full";
	return opt_time.set(options, arg);
}

const struct opt opt_huge_time = {
	't', "time", "SECONDS", "what comes and goes in so long, by cause", set_time
};

static const struct opt *const options[] = {
	&opt_vm, &opt_huge_time, &opt_vcpu_buffer, OPTS_TABLE, &opt_raw, &opt_help, NULL
};

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

const struct cmd cmd_huge_changes = {
	.name		= "huge --time",
	.summary	= "huge pages that come and go, by cause",
	.about		=
		"Record for some time which huge pages go and come, by the causes that kvmwatch pages\n"
		"has. AGAIN is how many of those that went are mapped again by a page as large, AVG\n"
		"and MAX how long that took, and LEFT those that are not. What went before that is not\n"
		"known here; what could be huge, kvmwatch huge without --time says.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
