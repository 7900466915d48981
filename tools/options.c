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
#define HELP_WIDTH	90

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
		return TEXT_SECONDS_HELP;
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

static const char *set_columns(struct options *options, const char *arg)
{
	if (!*arg)
		return "give names of columns";
	options->choice.columns = arg;
	return NULL;
}

static const char *set_sort(struct options *options, const char *arg)
{
	options->choice.sort = arg;
	return NULL;
}

static const char *set_no_headings(struct options *options, const char *arg)
{
	(void)arg;
	options->choice.no_headings = true;
	return NULL;
}

static const char *set_log(struct options *options, const char *arg)
{
	if (!*arg)
		return "give the name of a file";
	options->log = arg;
	return NULL;
}

static const char *set_help(struct options *options, const char *arg)
{
	(void)arg;
	options->help = true;
	return NULL;
}

const struct opt opt_vm = {
	'p', "vm", "VM", "only this VM: name (<pid>-<fd>), guest name, pid, id, UUID, unit",
	options_set_vm
};

const struct opt opt_interval = {
	'i', "interval", "SECONDS", "repeat at this interval: 0.5, 250ms, 15s, 5m, 1h", set_interval
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

const struct opt opt_columns = {
	'o', "columns", "A,B,...", "these columns, by their names in JSON, in this order",
	set_columns
};

const struct opt opt_sort = {
	's', "sort", "COLUMN", "sort by this column; -COLUMN: the other way round", set_sort
};

const struct opt opt_no_headings = {
	'N', "noheadings", NULL, "no line of headings, or of names", set_no_headings
};

const struct opt opt_log = {
	'L', "log", "FILE", "append to this file; SIGHUP opens it again", set_log
};

const struct opt opt_help = {
	'h', "help", NULL, "show this help", set_help
};

static bool takes_vm(const struct cmd *cmd)
{
	const struct opt *const *opt;

	for (opt = cmd->options; *opt; opt++) {
		if ((*opt)->set == options_set_vm)
			return true;
	}
	return false;
}

/* Print "Columns: id, name, ..." in lines of limited length. */
static void show_columns(const struct output_columns *columns)
{
	const char *key, *comma = "";
	size_t i, used = 0;

	for (i = 0; i < columns->nr; i++) {
		key = output_column(columns, i)->key;
		if (!key)
			continue;
		printf("%s", comma);
		if (!used || used + strlen(key) > HELP_WIDTH)
			used = printf(used ? "\n  " : "\nColumns:\n  ");
		used += printf("%s%s", used > 4 && *comma ? " " : "", key);
		comma = ",";
	}
	putchar('\n');
}

static void show_help(const struct cmd *cmd)
{
	const struct output_columns *table;
	const struct opt *const *opt;
	char left[40];

	printf("Usage: kvmwatch %s [OPTIONS]", cmd->name);
	if (cmd->second)
		printf(" [%s [%s]]", cmd->operand, cmd->second);
	else if (cmd->operand || takes_vm(cmd))
		printf(" [%s]", cmd->operand ? cmd->operand : "VM");
	printf("\n\n%s\n\nOptions:\n", cmd->about);
	for (opt = cmd->options; *opt; opt++) {
		snprintf(left, sizeof(left), "-%c, --%s%s%s", (*opt)->letter, (*opt)->name,
			 (*opt)->arg ? " " : "", (*opt)->arg ? (*opt)->arg : "");
		printf("  %-24s %s\n", left, (*opt)->help);
	}
	for (table = cmd->tables; table && table->nr; table++)
		show_columns(table);
}

/* The index of an option of a command; -1: it has no such option. */
static int find_opt(const struct cmd *cmd, int letter)
{
	int i;

	for (i = 0; cmd->options[i]; i++) {
		if (cmd->options[i]->letter == letter)
			return i;
	}
	return -1;
}

/* Options in the form that getopt_long() wants. */
struct table {
	struct option longs[MAX_OPTIONS + 1];
	char shorts[2 * MAX_OPTIONS + 3];
	size_t nr;
};

static bool has_long(const struct table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->nr; i++) {
		if (!strcmp(table->longs[i].name, name))
			return true;
	}
	return false;
}

/* Add the options of a command; those of an earlier command with the same name stay. */
static void add_options(struct table *table, const struct cmd *cmd)
{
	const struct opt *const *opt;
	char *end;

	for (opt = cmd->options; *opt; opt++) {
		if (table->nr == MAX_OPTIONS || has_long(table, (*opt)->name))
			continue;
		table->longs[table->nr].name = (*opt)->name;
		table->longs[table->nr].has_arg = (*opt)->arg ? required_argument : no_argument;
		table->longs[table->nr++].val = (*opt)->letter;
		end = table->shorts + strlen(table->shorts);
		*end++ = (*opt)->letter;
		if ((*opt)->arg)
			*end = ':';
	}
}

/* Zero makes getopt_long() begin anew, wherever an earlier round has ended. */
static void begin_getopt(struct table *table)
{
	memset(table, 0, sizeof(*table));
	table->shorts[0] = ':';
	opterr = 0;
	optind = 0;
}

/* Report what getopt_long() refused, as the user wrote it if that is known. */
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

bool options_given(const struct cmd *const *cmds, int argc, char **argv, const struct opt *opt)
{
	struct table table;
	bool given = false;
	int letter;

	begin_getopt(&table);
	for (; *cmds; cmds++)
		add_options(&table, *cmds);
	while ((letter = getopt_long(argc, argv, table.shorts, table.longs, NULL)) != -1)
		given |= letter == opt->letter;
	return given;
}

static bool has_column(const struct output_columns *tables, const char *name, size_t len)
{
	for (; tables->nr; tables++) {
		if (output_find(tables, name, len) >= 0)
			return true;
	}
	return false;
}

static bool complain_column(const struct options *options, const char *wrong, const char *name,
			    size_t len)
{
	complain(options->cmd->name, "%s '%.*s'; see kvmwatch %s --help", wrong, (int)len, name,
		 options->cmd->name);
	return false;
}

/* Does the list have this name before that place? */
static bool came_before(const char *list, const char *name, size_t len)
{
	for (; list < name; list += strcspn(list, ",") + 1) {
		if (strcspn(list, ",") == len && !strncmp(list, name, len))
			return true;
	}
	return false;
}

bool options_check_columns(const struct options *options, const struct output_columns *tables)
{
	const char *list = options->choice.columns, *sort = options->choice.sort, *name;
	size_t len;

	if (sort) {
		sort += *sort == '-';
		if (!has_column(tables, sort, strlen(sort)))
			return complain_column(options, "no column", sort, strlen(sort));
	}
	for (name = list; name; name = name[len] ? name + len + 1 : NULL) {
		len = strcspn(name, ",");
		if (!has_column(tables, name, len))
			return complain_column(options, "no column", name, len);
		if (came_before(list, name, len))
			return complain_column(options, "twice the column", name, len);
	}
	return true;
}

int options_output(const struct options *options, struct output *out)
{
	int err;

	output_init(out, stdout, options->format);
	output_choose(out, &options->choice);
	err = options->log ? output_log(out, options->log) : 0;
	return err ? complain(options->log, "%s", strerror(-err)) : EXIT_DONE;
}

/* Returns NULL, or what is wrong with the option. @seen has a bit for each earlier option. */
static const char *take(const struct opt *opt, __u64 bit, __u64 *seen, struct options *options)
{
	if (opt->arg && *seen & bit)
		return "given twice; give it once";
	*seen |= bit;
	return opt->set(options, optarg);
}

/* Take the options of the command line. Return -1, or the exit status. */
static int take_options(const struct cmd *cmd, int argc, char **argv, struct options *options)
{
	const struct opt *opt;
	struct table table;
	bool repeat = false;
	const char *wrong;
	__u64 seen = 0;
	int letter, i;

	begin_getopt(&table);
	add_options(&table, cmd);
	while ((letter = getopt_long(argc, argv, table.shorts, table.longs, NULL)) != -1) {
		i = find_opt(cmd, letter);
		if (i < 0)
			return complain_usage(cmd, argv, letter);
		opt = cmd->options[i];
		wrong = take(opt, 1ULL << i, &seen, options);
		if (wrong) {
			complain(cmd->name, "--%s%s%s: %s", opt->name, opt->arg ? " " : "",
				 opt->arg ? optarg : "", wrong);
			return EXIT_USAGE;
		}
		repeat |= opt == &opt_interval;
		options->counted |= opt == &opt_count;
	}
	if (!repeat && !options->counted)
		options->count = 1;
	return -1;
}

/* Take the words behind the options, from argv[optind] on. Return -1, or the exit status. */
static int take_words(const struct cmd *cmd, int argc, char **argv, struct options *options)
{
	const char *wrong;

	if (optind < argc && cmd->operand) {
		options->operand = argv[optind++];
	} else if (optind < argc && takes_vm(cmd)) {
		wrong = options->vm ? "VM: given twice; give it once" :
				      options_set_vm(options, argv[optind]);
		if (wrong) {
			complain(cmd->name, "%s", wrong);
			return EXIT_USAGE;
		}
		optind++;
	}
	if (optind < argc && cmd->second)
		options->second = argv[optind++];
	if (optind < argc) {
		complain(cmd->name, "'%s' is one word too many; see kvmwatch %s --help",
			 argv[optind], cmd->name);
		return EXIT_USAGE;
	}
	return -1;
}

int options_parse(const struct cmd *cmd, int argc, char **argv, struct options *options)
{
	int status;

	memset(options, 0, sizeof(*options));
	options->cmd = cmd;
	options->interval_ns = DEFAULT_INTERVAL_NS;
	status = take_options(cmd, argc, argv, options);
	if (status >= 0)
		return status;
	if (options->help) {
		show_help(cmd);
		return EXIT_DONE;
	}
	if (cmd->tables && !options_check_columns(options, cmd->tables))
		return EXIT_USAGE;
	return take_words(cmd, argc, argv, options);
}
