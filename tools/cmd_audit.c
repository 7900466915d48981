// SPDX-License-Identifier: GPL-2.0
/* kvmwatch audit: have the module compare its count of mapped pages with KVM's own. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "options.h"
#include "output.h"
#include "libkvmwatch.h"
#include "repeat.h"
#include "select.h"

enum { COL_ID, COL_NAME, COL_RESULT, COL_AUDITS, COL_FAILURES, COL_TIME, NR_COLS };

static const struct output_column columns[NR_COLS] = {
	[COL_ID]	= { "id",	"ID",		true, 0, true },
	[COL_NAME]	= { "name",	"NAME",		false },
	[COL_RESULT]	= { "result",	"RESULT",	false },
	[COL_AUDITS]	= { "audits",	"AUDITS",	true },
	[COL_FAILURES]	= { "failures",	"FAILURES",	true },
	[COL_TIME]	= { "time_ns",	NULL,		true, 0, true },
};

struct audit {
	int dev;
	struct selection selection;
};

/* The result in words; NULL: the VM has ended meanwhile. */
static const char *result_of(int err, const struct kvmwatch_audit *answer)
{
	switch (err) {
	case 0:
		return answer->agrees ? "agrees" : "differs";
	case -EAGAIN:
		return "counting";
	case -EOPNOTSUPP:
		return "unavailable";
	}
	return NULL;
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	struct audit *audit = arg;
	struct kvmwatch_audit answer;
	int code, err, worst = EXIT_DONE;
	const char *result;
	size_t nr, i, shown = 0;
	struct vm *vms;

	(void)beat;
	code = vms_get(audit->dev, &audit->selection, &vms, &nr);
	if (code)
		return code;
	output_begin(out, NULL, columns, NR_COLS);
	for (i = 0; i < nr; i++) {
		err = kvmwatch_audit_vm(audit->dev, vms[i].info.id, &answer);
		if (err == -EPERM) {
			worst = device_complain(err);
			break;
		}
		result = result_of(err, &answer);
		if (!result)
			continue;
		output_u64(out, COL_ID, vms[i].info.id, NULL);
		output_string(out, COL_NAME, vms[i].info.name);
		output_string(out, COL_RESULT, result);
		if (!err) {
			output_u64(out, COL_AUDITS, answer.audits, NULL);
			output_u64(out, COL_FAILURES, answer.failures, NULL);
		} else {
			output_unknown(out, COL_AUDITS, NULL);
			output_unknown(out, COL_FAILURES, NULL);
		}
		output_u64(out, COL_TIME, now_ns(), NULL);
		output_row(out);
		shown++;
		if (!err && !answer.agrees)
			worst = EXIT_COULD_NOT;
	}
	output_end(out);
	vms_put(vms, nr);
	return shown || worst ? worst : vms_none(&audit->selection, "audit");
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options;
	struct audit audit = {};
	int code;

	code = options_parse(cmd, argc, argv, &options);
	if (code >= 0)
		return code;
	audit.dev = device_open();
	if (audit.dev < 0)
		return EXIT_COULD_NOT;
	audit.selection.arg = options.vm;
	code = repeat(&options, show, &audit);
	selection_free(&audit.selection);
	close(audit.dev);
	return code;
}

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

static const struct opt *const options[] = {
	&opt_vm, OPTS_REPEAT, OPTS_TABLE, &opt_help, NULL
};

const struct cmd cmd_audit = {
	.name		= "audit",
	.summary	= "compare what was counted with KVM's own counts",
	.about		=
		"Compare each VM's mapped pages, dirty marks, exits, halts and loads with what KVM counts\n"
		"of them, in the running system, and show the result: \"agrees\"; \"differs\", then its\n"
		"mapped pages are unavailable until a recount agrees, or what else was wrong\n"
		"for good; or \"counting\", as that is what is done at the moment. AUDITS and FAILURES\n"
		"are all comparisons so far and those that differed. Fails when one differs.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
