// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch wakeups, haltpoll, collects and pages: each event as it happens. A view is a table of
 * columns; view.c does the rest.
 */
#include <string.h>

#include "cmd.h"
#include "cmd_what_if.h"
#include "output.h"
#include "probes/causes.h"
#include "view.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

static int run_view(const struct cmd *cmd, int argc, char **argv, const struct view *view)
{
	struct view_options options = { };
	int code;

	code = options_parse(cmd, argc, argv, &options.common);
	return code >= 0 ? code : view_run(view, cmd, &options);
}

/* --- wakeups --------------------------------------------------------------------- */

static void show_how(const struct view_row *row, size_t column)
{
	static const char *const names[] = { "poll", "wait" };

	view_name(row, column, names, ARRAY_SIZE(names));
}

static void show_valid(const struct view_row *row, size_t column)
{
	output_bool(row->out, column, row->h->values[column],
		    row->h->values[column] ? "valid" : "invalid");
}

static const struct view_column wakeup_columns[] = {
	VIEW_COLUMNS_WHO,
	{ { "halted_ns", "DUR_HALT", true, 10, false }, "ns", view_ns },
	{ { "how", "HOW", false, 4, false }, "waited", show_how },
	{ { "valid", "VALID", false, 7, false }, "valid", show_valid },
};

static const char *const wakeup_events[] = { "kvmwatch_halt", NULL };

static const struct output_columns wakeups_tables[] = { OUTPUT_COLUMNS(wakeup_columns), { } };

static const struct view wakeups = {
	KVMWATCH_KIND_VCPU, "wakeups_wait", wakeup_events,
	wakeup_columns, ARRAY_SIZE(wakeup_columns)
};

static int run_wakeups(const struct cmd *cmd, int argc, char **argv)
{
	return run_view(cmd, argc, argv, &wakeups);
}

static const struct opt *const options[] = {
	&opt_vm, &opt_vcpu, &opt_time, &opt_buffer, OPTS_OUTPUT, &opt_log, &opt_raw, &opt_help, NULL
};

const struct cmd cmd_wakeups = {
	.name		= "wakeups",
	.summary	= "each halt of a vCPU as it ends",
	.about		=
		"Show each halt when it ends: how long it was, whether it ended while KVM polled or\n"
		"after the vCPU went to wait, and whether KVM judged the wake-up valid. At the end, show\n"
		"how many halts there were, and how many were lost.",
	.options	= options,
	.tables		= wakeups_tables,
	.run		= run_wakeups,
};

/* --- haltpoll -------------------------------------------------------------------- */

static void show_type(const struct view_row *row, size_t column)
{
	static const char *const names[] = { "shrink", "grow", "reset", "clamp" };

	view_name(row, column, names, ARRAY_SIZE(names));
}

static const struct view_column haltpoll_columns[] = {
	VIEW_COLUMNS_WHO,
	{ { "type", "TYPE", false, 6, false }, "type", show_type },
	{ { "old_ns", "OLD", true, 10, false }, "old", view_ns },
	{ { "new_ns", "NEW", true, 10, false }, "new", view_ns },
};

static const char *const haltpoll_events[] = { "kvmwatch_halt_poll", NULL };

static const struct output_columns haltpoll_tables[] = { OUTPUT_COLUMNS(haltpoll_columns), { } };

static const struct view haltpoll = {
	KVMWATCH_KIND_VCPU, "halt_poll_grow", haltpoll_events,
	haltpoll_columns, ARRAY_SIZE(haltpoll_columns)
};

static int run_haltpoll(const struct cmd *cmd, int argc, char **argv)
{
	const struct cmd *const cmds[] = { cmd, &cmd_what_if, NULL };

	if (options_given(cmds, argc, argv, &opt_what_if))
		return cmd_what_if.run(&cmd_what_if, argc, argv);
	return run_view(cmd, argc, argv, &haltpoll);
}

static const struct opt *const haltpoll_options[] = {
	&opt_vm, &opt_vcpu, &opt_time, &opt_buffer, OPTS_OUTPUT, &opt_log, &opt_raw, &opt_what_if,
	&opt_help, NULL
};

const struct cmd cmd_haltpoll = {
	.name		= "haltpoll",
	.summary	= "each change of the halt polling window",
	.about		=
		"Show each change of the time that KVM polls before it lets a halted vCPU wait. KVM has\n"
		"events of it when it grows or shrinks, but not when it is reset to 0, or clamped to\n"
		"the limit.",
	.options	= haltpoll_options,
	.tables		= haltpoll_tables,
	.run		= run_haltpoll,
};

/* --- collects -------------------------------------------------------------------- */

static void show_request(const struct view_row *row, size_t column)
{
	static const char *const names[] = { "fetch", "look", "clear" };

	view_name(row, column, names, ARRAY_SIZE(names));
}

static const struct view_column collect_columns[] = {
	VIEW_COLUMNS_WHO,
	{ { "how", "HOW", false, 5, false }, "how", show_request },
	{ { "first", "FIRST", true, 10, true }, "first", view_hex },
	{ { "npages", "NPAGES", true, 9, false }, "npages", view_number },
	{ { "as_id", NULL, true, 0, true }, "as_id", view_number },
	{ { "slot", "SLOT", true, 6, true }, "slot", view_slot },
};

static const char *const collect_events[] = { "kvmwatch_collect", NULL };

static const struct output_columns collects_tables[] = { OUTPUT_COLUMNS(collect_columns), { } };

static const struct view collects = {
	KVMWATCH_KIND_VM, "dirty_collects", collect_events, collect_columns,
	ARRAY_SIZE(collect_columns)
};

static int run_collects(const struct cmd *cmd, int argc, char **argv)
{
	return run_view(cmd, argc, argv, &collects);
}

static const struct opt *const collect_options[] = {
	&opt_vm, &opt_slot, &opt_time, &opt_buffer, OPTS_OUTPUT, &opt_log, &opt_help, NULL
};

const struct cmd cmd_collects = {
	.name		= "collects",
	.summary	= "each time that the VMM collects a dirty log",
	.about		=
		"Show each request of the VMM for the dirty log of a slot: fetch takes it and clears it;\n"
		"with manual protection look takes it, and clear clears a part of it (FIRST, NPAGES,\n"
		"from the slot's first page). This shows the passes of a migration, and slots that are\n"
		"always logged, such as a display's. Dirty rings have no such requests.",
	.options	= collect_options,
	.tables		= collects_tables,
	.run		= run_collects,
};

/* --- pages ----------------------------------------------------------------------- */

static void show_change(const struct view_row *row, size_t column)
{
	output_string(row->out, column, row->h->event ? "unmap" : "map");
}

/* An unmap is always of one. */
static void show_leaves(const struct view_row *row, size_t column)
{
	output_u64(row->out, column, row->h->event ? 1 : row->h->values[column], NULL);
}

static void show_cause(const struct view_row *row, size_t column)
{
	static const char *const names[] = { KVMW_LEAF_CAUSES(KVMW_LEAF_WORD) };

	view_name(row, column, names, ARRAY_SIZE(names));
}

static const struct view_column page_columns[] = {
	VIEW_COLUMNS_WHO,
	{ { "change", "CHANGE", false, 6, false }, NULL, show_change },
	{ { "level", "LEVEL", false, 5, false }, "level", view_level },
	{ { "leaves", "LEAVES", true, 6, false }, "leaves", show_leaves },
	{ { "gfn", "GFN", true, 12, true }, "gfn", view_hex },
	{ { "as_id", NULL, true, 0, true }, "as_id", view_number },
	{ { "slot", "SLOT", true, 6, true }, "slot", view_slot },
	{ { "cause", "CAUSE", false, 8, false }, "cause", show_cause },
};

static const char *const page_events[] = { "kvmwatch_map", "kvmwatch_unmap", NULL };

static const struct output_columns pages_tables[] = { OUTPUT_COLUMNS(page_columns), { } };

static const struct view pages = {
	KVMWATCH_KIND_VM, "map_4k", page_events, page_columns, ARRAY_SIZE(page_columns)
};

static int run_pages(const struct cmd *cmd, int argc, char **argv)
{
	return run_view(cmd, argc, argv, &pages);
}

static const struct opt *const page_options[] = {
	&opt_vm, &opt_vcpu, &opt_slot, &opt_time, &opt_buffer, OPTS_OUTPUT, &opt_log, &opt_help,
	NULL
};

const struct cmd cmd_pages = {
	.name		= "pages",
	.summary	= "each map, unmap and split of guest pages",
	.about		=
		"Show each leaf that comes into or goes from the second-level page tables, with its\n"
		"level and slot. CAUSE is what KVM did: fault, async, prefetch, mm (the host's memory\n"
		"management), slot, split, split_eager, collapse, nx, end; or, if none of these is\n"
		"known, vcpu or host, by whether a vCPU of the VM was loaded. kvmwatch(8) explains them.",
	.options	= page_options,
	.tables		= pages_tables,
	.run		= run_pages,
};
