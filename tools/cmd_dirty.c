// SPDX-License-Identifier: GPL-2.0
/* kvmwatch dirty: each mark in a dirty log as it happens. */
#include "cmd.h"
#include "cmd_dirty.h"
#include "output.h"
#include "view.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

static void show_cause(const struct view_row *row, size_t column)
{
	static const char *const names[] = { "fault", "pml", "kvm" };

	view_name(row, column, names, ARRAY_SIZE(names));
}

static const struct view_column columns[] = {
	VIEW_COLUMNS_WHO,
	{ { "gfn", "GFN", true, 10, true }, "gfn", view_hex },
	{ { "rel_gfn", "REL_GFN", true, 10, true }, "rel_gfn", view_hex },
	{ { "npages", "NPAGES", true, 9, false }, "npages", view_number },
	{ { "userspace_addr", "USERSPACE_ADDR", true, 14, true }, "userspace_addr", view_hex },
	{ { "as_id", NULL, true, 0, true }, "as_id", view_number },
	{ { "slot", "SLOT", true, 6, true }, "slot", view_slot },
	{ { "cause", "CAUSE", false, 5, false }, "cause", show_cause },
};

static const char *const events[] = { "kvmwatch_dirty", NULL };

static const struct view dirty = {
	KVMWATCH_KIND_VM, "dirty_marks", events, columns, ARRAY_SIZE(columns)
};

static int run(const struct cmd *cmd, int argc, char **argv)
{
	const struct cmd *const cmds[] = { cmd, &cmd_dirty_hot, &cmd_dirty_rate, NULL };
	struct view_options options = { };
	int code;

	if (options_given(cmds, argc, argv, &opt_hot))
		return cmd_dirty_hot.run(&cmd_dirty_hot, argc, argv);
	if (options_given(cmds, argc, argv, &opt_rate))
		return cmd_dirty_rate.run(&cmd_dirty_rate, argc, argv);
	code = options_parse(cmd, argc, argv, &options.common);
	return code >= 0 ? code : view_run(&dirty, cmd, &options);
}

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

static const struct opt *const options[] = {
	&opt_vm, &opt_vcpu, &opt_slot, &opt_time, &opt_buffer, OPTS_OUTPUT, &opt_log,
	&opt_rate, &opt_hot, &opt_help, NULL
};

const struct cmd cmd_dirty = {
	.name		= "dirty",
	.summary	= "each page as it is marked dirty",
	.about		=
		"Show each mark that KVM makes in a dirty log or ring, which it does while the VMM\n"
		"has dirty logging on: the page, counted from 0 and from the slot's start, the slot,\n"
		"and the cause: a fault of the guest's write, Intel's PML, or KVM writing itself. A\n"
		"page that is written again is marked again only after the VMM collected the log.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
