// SPDX-License-Identifier: GPL-2.0
/* kvmwatch record: a cover for trace-cmd, which finds VMs by name. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "view.h"

struct record_options {
	struct view_options view;	/* first, as options_parse() knows only that */
	const char *file;
};

static int record(const struct record_options *o, char *filter)
{
	/* The clock of the live views, so that their times can be compared. */
	char *argv[16] = { "trace-cmd", "record", "-C", "mono", "-e", "kvmwatch" };
	char seconds[40];
	int n = 6;

	if (*filter) {
		argv[n++] = "-f";
		argv[n++] = filter;
	}
	if (o->file) {
		argv[n++] = "-o";
		argv[n++] = (char *)o->file;
	}
	if (o->view.time_ns) {
		snprintf(seconds, sizeof(seconds), "%.3f", o->view.time_ns / 1e9);
		argv[n++] = "sleep";
		argv[n++] = seconds;
	}
	return run_trace_cmd("record", argv);
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct record_options options = { };
	struct view_choice choice;
	int code;

	code = options_parse(cmd, argc, argv, &options.view.common);
	if (code >= 0)
		return code;
	code = view_choose(&options.view, &choice);
	if (!code)
		code = record(&options, choice.filter);
	view_choice_free(&choice);
	return code;
}

static const char *set_file(struct options *options, const char *arg)
{
	if (!*arg)
		return "give the name of a file";
	((struct record_options *)options)->file = arg;
	return NULL;
}

static const struct opt opt_file = {
	'o', "output", "FILE", "where to; trace.dat if not given", set_file
};

static const struct opt *const options[] = {
	&opt_vm, &opt_vcpu, &opt_time, &opt_file, &opt_help, NULL
};

const struct cmd cmd_record = {
	.name		= "record",
	.summary	= "record trace events of VMs with trace-cmd",
	.about		=
		"Have trace-cmd record all of kvmwatch's trace events, or those of one VM or vCPU,\n"
		"until it is interrupted or for -t seconds. kvmwatch report shows them.",
	.options	= options,
	.run		= run,
};
