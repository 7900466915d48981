// SPDX-License-Identifier: GPL-2.0
/* kvmwatch: watch KVM's virtual machines from outside. The table of its commands. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include <linux/kvmwatch.h>

#include "cmd.h"

#ifndef KVMWATCH_VERSION
#define KVMWATCH_VERSION "unversioned"
#endif

static const struct cmd *const cmds[] = {
	&cmd_doctor,
	&cmd_list,
	&cmd_stat,
	&cmd_top,
	&cmd_vcpu,
	&cmd_exits,
	&cmd_wakeups,
	&cmd_haltpoll,
	&cmd_dirty,
	&cmd_collects,
	&cmd_pages,
	&cmd_huge,
	&cmd_predict,
	&cmd_rank,
	&cmd_export,
	&cmd_record,
	&cmd_report,
	&cmd_statistics,
	&cmd_hooks,
	&cmd_audit,
	&cmd_check,
	NULL
};

static void show_help(FILE *file)
{
	const struct cmd *const *cmd;

	fputs("Usage: kvmwatch COMMAND [OPTIONS]\n\n"
	      "Watch what the virtual machines of this host do, through kvmwatch.ko.\n\n"
	      "Commands:\n", file);
	for (cmd = cmds; *cmd; cmd++)
		fprintf(file, "  %-10s %s\n", (*cmd)->name, (*cmd)->summary);
	fputs("\nkvmwatch help COMMAND shows the options of a command.\n"
	      "kvmwatch --version shows the version.\n", file);
}

static const struct cmd *find_cmd(const char *name)
{
	const struct cmd *const *cmd;

	for (cmd = cmds; *cmd; cmd++) {
		if (!strcmp((*cmd)->name, name))
			return *cmd;
	}
	return NULL;
}

/* "help COMMAND", or "help dirty --rate", does the same as "COMMAND --help". */
static int explain(int argc, char **argv)
{
	static char option[sizeof("--help")] = "--help";
	const struct cmd *cmd;

	if (argc == 2) {
		show_help(stdout);
		return EXIT_DONE;
	}
	cmd = find_cmd(argv[2]);
	if (!cmd) {
		complain(argv[2], "no such command; see kvmwatch --help");
		return EXIT_USAGE;
	}
	memmove(&argv[1], &argv[2], (argc - 2) * sizeof(*argv));
	argv[argc - 1] = option;
	return cmd->run(cmd, argc - 1, argv + 1);
}

static int run(int argc, char **argv)
{
	const struct cmd *cmd;

	if (argc < 2) {
		complain("usage", "give a command; see kvmwatch --help");
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help"))
		return explain(argc, argv);
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
		show_help(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
		printf("kvmwatch %s (ABI %d)\n", KVMWATCH_VERSION, KVMWATCH_ABI);
		return EXIT_DONE;
	}
	cmd = find_cmd(argv[1]);
	if (!cmd) {
		complain(argv[1], "no such command; see kvmwatch --help");
		return EXIT_USAGE;
	}
	return cmd->run(cmd, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int code;

	/* For the width of characters in tables. Numbers stay those of the C locale. */
	setlocale(LC_CTYPE, "");

	code = run(argc, argv);
	if ((fflush(stdout) || ferror(stdout)) && code == EXIT_DONE)
		code = complain("standard output", "%m");
	return code;
}
