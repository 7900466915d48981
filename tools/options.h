/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Options of commands. A struct opt describes each option once, for getopt_long() and --help. A
 * command with options of its own embeds struct options as the first member of a larger structure,
 * and describes its options in its own file.
 */
#ifndef KVMWATCH_OPTIONS_H
#define KVMWATCH_OPTIONS_H

#include <stdbool.h>

#include <linux/types.h>

#include "output.h"

struct cmd;

/**
 * struct options - what the common options said
 * @format:	--json, --csv
 * @raw:	--raw
 * @help:	--help
 * @vm:		--vm: as given; NULL: all
 * @interval_ns: --interval, or one second
 * @count:	how often to show; 0: until interrupted
 * @counted:	--count was given
 * @choice:	--columns, --sort, --noheadings
 * @log:	--log; NULL: standard output
 * @operand:	the word behind the options, of a command that takes one; NULL: none
 * @second:	likewise the word behind that
 * @cmd:	the command whose options these are
 */
struct options {
	enum output_format format;
	bool raw;
	bool help;
	const char *vm;
	__u64 interval_ns;
	__u64 count;
	bool counted;
	struct output_choice choice;
	const char *log;
	const char *operand;
	const char *second;
	const struct cmd *cmd;
};

/**
 * struct opt - an option
 * @letter:	its short form
 * @name:	its long form
 * @arg:	what its argument is called in the help; NULL: it has none
 * @help:	what it does
 * @set:	takes it; returns NULL, or what is wrong with the argument
 */
struct opt {
	char letter;
	const char *name;
	const char *arg;
	const char *help;
	const char *(*set)(struct options *options, const char *arg);
};

/* Functions for options like opt_vm. */
const char *options_set_vm(struct options *options, const char *arg);

extern const struct opt opt_vm;
extern const struct opt opt_interval;
extern const struct opt opt_count;
extern const struct opt opt_json;
extern const struct opt opt_csv;
extern const struct opt opt_raw;
extern const struct opt opt_columns;
extern const struct opt opt_sort;
extern const struct opt opt_no_headings;
extern const struct opt opt_log;
extern const struct opt opt_help;

/* Options of commands with tables, of those that repeat, and of live views. */
#define OPTS_OUTPUT	&opt_json, &opt_csv, &opt_columns, &opt_no_headings
#define OPTS_TABLE	OPTS_OUTPUT, &opt_sort
#define OPTS_REPEAT	&opt_interval, &opt_count, &opt_log

/**
 * options_parse() - read the arguments of a command
 * @cmd: the command
 * @argc: as for main(), but from the command's name on
 * @argv: likewise
 * @options: filled; starts with defaults
 *
 * Shows the help if asked for; complains on stderr.
 *
 * Return: -1 to go on, or the exit code to end with.
 */
int options_parse(const struct cmd *cmd, int argc, char **argv, struct options *options);

/**
 * options_check_columns() - are what --columns and --sort name columns of these tables?
 * @options: as options_parse() filled them, which has done that with the command's tables
 * @tables: ended by one without columns
 *
 * Return: whether they are; if not, it was said on stderr.
 */
bool options_check_columns(const struct options *options, const struct output_columns *tables);

/* Begin to print as the options say. Returns an exit code. */
int options_output(const struct options *options, struct output *out);

/**
 * options_given() - look for an option among arguments that are not parsed yet
 * @cmds: the commands whose arguments they may be, ended by NULL; an option that several of
 *	them have takes a value in all of them or in none
 * @argc: as for options_parse()
 * @argv: likewise
 * @opt: the option to look for
 *
 * Return: whether it is there, in any form that getopt_long() knows: in full, abbreviated, or
 * bundled with other letters.
 */
bool options_given(const struct cmd *const *cmds, int argc, char **argv, const struct opt *opt);

#endif /* KVMWATCH_OPTIONS_H */
