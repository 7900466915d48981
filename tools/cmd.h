/* SPDX-License-Identifier: GPL-2.0 */
/* The commands of kvmwatch, and what they all need. */
#ifndef KVMWATCH_CMD_H
#define KVMWATCH_CMD_H

#include <stddef.h>

/* As in the kernel. */
#ifndef __printf
#define __printf(a, b)	__attribute((format(printf, a, b)))
#endif

/* What main() returns. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_COULD_NOT = 1,
	EXIT_USAGE = 2,
	/* of forecasts, and of judgements of kernels and VMs */
	EXIT_DOES_NOT = 3,
	EXIT_UNCERTAIN = 4,
};

struct opt;
struct output_columns;

/**
 * struct cmd - a subcommand
 * @name:	how it is called
 * @summary:	what it shows, in a few words
 * @about:	the same in a few sentences, for its --help
 * @operand:	what a word behind the options is called in the help; NULL: there may be none
 * @second:	likewise, of another word behind that
 * @options:	the options it understands, ended by NULL
 * @tables:	the columns of its tables, ended by one without columns; NULL: it has none
 * @run:	does it; gets all arguments from the command's name on; returns an
 *		exit code
 */
struct cmd {
	const char *name;
	const char *summary;
	const char *about;
	const char *operand;
	const char *second;
	const struct opt *const *options;
	const struct output_columns *tables;
	int (*run)(const struct cmd *cmd, int argc, char **argv);
};

extern const struct cmd cmd_doctor;
extern const struct cmd cmd_list;
extern const struct cmd cmd_stat;
extern const struct cmd cmd_top;
extern const struct cmd cmd_vcpu;
extern const struct cmd cmd_exits;
extern const struct cmd cmd_wakeups;
extern const struct cmd cmd_haltpoll;
extern const struct cmd cmd_dirty;
extern const struct cmd cmd_collects;
extern const struct cmd cmd_pages;
extern const struct cmd cmd_huge;
extern const struct cmd cmd_predict;
extern const struct cmd cmd_rank;
extern const struct cmd cmd_export;
extern const struct cmd cmd_record;
extern const struct cmd cmd_report;
extern const struct cmd cmd_statistics;
extern const struct cmd cmd_hooks;
extern const struct cmd cmd_audit;
extern const struct cmd cmd_check;

/*
 * Print "kvmwatch: <what>: <why>" to stderr; <why> also says what to do. Only this function prints
 * errors. Returns EXIT_COULD_NOT.
 */
int __printf(2, 3) complain(const char *what, const char *why, ...);

/*
 * Print why writing to standard output failed; @err is -errno. Prints nothing for a pipe without a
 * reader. Returns EXIT_COULD_NOT.
 */
int complain_output(int err);

/* Write errors to @buf instead; NULL: to stderr again. */
void complain_into(char *buf, size_t size);

/*
 * Replace this process by trace-cmd, so that it handles signals and the exit code. Returns
 * EXIT_COULD_NOT if that fails.
 */
int run_trace_cmd(const char *what, char **argv);

/* Open the device. On failure print why, and return -errno. */
int device_open(void);

/*
 * If VMs may run that the module does not see, print why and return EXIT_COULD_NOT; else return
 * EXIT_DONE.
 */
int device_blind(int dev);

/* Print why a request to the open device failed. Returns EXIT_COULD_NOT. */
int device_complain(int err);

#endif /* KVMWATCH_CMD_H */
