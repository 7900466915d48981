// SPDX-License-Identifier: GPL-2.0
/* Options of commands. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "options.h"
#include "text.h"

#define MAX_OPTIONS	32
#define DEFAULT_INTERVAL_NS	1000000000ULL

const char *options_set_vm(struct options *options, const char *arg)
{
	if (!*arg)
		return "an empty name picks no VM";
	options->vm = arg;
	return NULL;
}

static const char *set_interval(struct options *options, const char *arg)
{
	if (!text_parse_seconds(arg, &options->interval_ns))
		return "give seconds, 0.001 or more";
	return NULL;
}

static const char *set_count(struct options *options, const char *arg)
{
	if (!text_parse_u64(arg, &options->count) || !options->count)
		return "give a number, 1 or more";
	return NULL;
}

static const char *set_format(struct options *options, enum output_format format)
{
	if (options->format != OUTPUT_TEXT && options->format != format)
		return "choose one of --json and --csv";
	options->format = format;
	return NULL;
}

static const char *set_json(struct options *options, const char *arg)
{
	(void)arg;
	return set_format(options, OUTPUT_JSON);
}

static const char *set_csv(struct options *options, const char *arg)
{
	(void)arg;
	return set_format(options, OUTPUT_CSV);
}

static const char *set_raw(struct options *options, const char *arg)
{
	(void)arg;
	options->raw = true;
	return NULL;
}

static const char *set_help(struct options *options, const char *arg)
{
	(void)arg;
	options->help = true;
	return NULL;
}

const struct opt opt_vm = {
	'p', "vm", "VM", "only this VM: pid, name (<pid>-<fd>), id, or guest name",
	options_set_vm
};

const struct opt opt_interval = {
	'i', "interval", "SECONDS", "repeat at this interval", set_interval
};

const struct opt opt_count = {
	'n', "count", "COUNT", "repeat this often; without it, until interrupted", set_count
};

const struct opt opt_json = {
	'j', "json", NULL, "one JSON object a line", set_json
};

const struct opt opt_csv = {
	'c', "csv", NULL, "comma-separated values", set_csv
};

const struct opt opt_raw = {
	'r', "raw", NULL, "exact numbers in the tables, not rounded ones", set_raw
};

const struct opt opt_help = {
	'h', "help", NULL, "show this help", set_help
};

static void show_help(const struct cmd *cmd)
{
	const struct opt *const *opt;
	char left[40];

	printf("Usage: kvmwatch %s [OPTIONS]", cmd->name);
	if (cmd->operand)
		printf(" [%s]", cmd->operand);
	printf("\n\n%s\n\nOptions:\n", cmd->about);
	for (opt = cmd->options; *opt; opt++) {
		snprintf(left, sizeof(left), "-%c, --%s%s%s", (*opt)->letter, (*opt)->name,
			 (*opt)->arg ? " " : "", (*opt)->arg ? (*opt)->arg : "");
		printf("  %-24s %s\n", left, (*opt)->help);
	}
}

static const struct opt *find_opt(const struct cmd *cmd, int letter)
{
	const struct opt *const *opt;

	for (opt = cmd->options; *opt; opt++) {
		if ((*opt)->letter == letter)
			return *opt;
	}
	return NULL;
}

/* What getopt_long() refused, as the user wrote it where that is known. */
static int complain_usage(const struct cmd *cmd, char **argv, int how)
{
	char letter[] = { '-', optopt, '\0' };
	const char *what = argv[optind - 1];

	if (optopt && strncmp(what, "--", 2))
		what = letter;
	complain(cmd->name, "%s '%s'; see kvmwatch %s --help",
		 how == ':' ? "no value after" : "no such option, or one that takes no value:",
		 what, cmd->name);
	return EXIT_USAGE;
}

bool options_given(int argc, char **argv, const struct opt *opt)
{
	const char letter[] = { '-', opt->letter, '\0' };
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], letter) ||
		    (!strncmp(argv[i], "--", 2) && !strcmp(argv[i] + 2, opt->name)))
			return true;
	}
	return false;
}

int options_parse(const struct cmd *cmd, int argc, char **argv, struct options *options)
{
	struct option longs[MAX_OPTIONS + 1] = { };
	char shorts[2 * MAX_OPTIONS + 3] = ":";
	bool repeat = false, counted = false;
	const struct opt *opt;
	const char *wrong;
	char *s = shorts + 1;
	int letter, i;

	for (i = 0; i < MAX_OPTIONS && cmd->options[i]; i++) {
		opt = cmd->options[i];
		longs[i].name = opt->name;
		longs[i].has_arg = opt->arg ? required_argument : no_argument;
		longs[i].val = opt->letter;
		*s++ = opt->letter;
		if (opt->arg)
			*s++ = ':';
	}

	memset(options, 0, sizeof(*options));
	options->interval_ns = DEFAULT_INTERVAL_NS;
	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		opt = find_opt(cmd, letter);
		if (!opt)
			return complain_usage(cmd, argv, letter);
		wrong = opt->set(options, optarg);
		if (wrong) {
			complain(cmd->name, "--%s%s%s: %s", opt->name, opt->arg ? " " : "",
				 opt->arg ? optarg : "", wrong);
			return EXIT_USAGE;
		}
		repeat |= opt == &opt_interval;
		counted |= opt == &opt_count;
	}
	if (options->help) {
		show_help(cmd);
		return EXIT_DONE;
	}
	if (cmd->operand && optind < argc)
		options->operand = argv[optind++];
	if (optind < argc) {
		complain(cmd->name, "'%s' is one word too many; see kvmwatch %s --help",
			 argv[optind], cmd->name);
		return EXIT_USAGE;
	}
	if (!repeat && !counted)
		options->count = 1;
	return -1;
}
