// SPDX-License-Identifier: GPL-2.0
/* kvmwatch record: run trace-cmd for VMs that are given by name. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_report.h"
#include "new_file.h"
#include "stream.h"
#include "view.h"

struct record_options {
	struct view_options view;	/* first, as options_parse() knows only that */
	const char *file;
};

static atomic_int trace_cmd;
static atomic_bool told_to_end;

/*
 * trace-cmd completes its file only after SIGINT. A typed Ctrl-C reaches trace-cmd too, but a
 * signal that another process sends reaches only this process, so pass it on.
 */
static void on_signal(int nr, siginfo_t *info, void *context)
{
	(void)nr;
	(void)context;
	told_to_end = true;
	if (trace_cmd > 0 && info->si_code != SI_KERNEL)
		kill(trace_cmd, SIGINT);
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* Run trace-cmd, and wait until it has ended. Returns an exit code. */
static int run_and_wait(char **argv)
{
	int status;
	pid_t pid;

	catch_signals();
	pid = fork();
	if (pid < 0)
		return complain("record", "can't run trace-cmd: %m");
	if (!pid) {
		/* If this process is killed, trace-cmd ends too. */
		prctl(PR_SET_PDEATHSIG, SIGINT);
		_exit(run_trace_cmd("record", argv));
	}
	trace_cmd = pid;
	if (told_to_end)
		kill(pid, SIGINT);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return complain("record", "can't wait for trace-cmd: %m");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_COULD_NOT;
}

/*
 * In the kernel's first buffer trace-cmd would stop and clear other users' traces. So it makes an
 * instance, and removes it afterwards. The clock is that of the live views, so that times can be
 * compared.
 */
static int record_into(const struct record_options *o, char *filter, char *file)
{
	char instance[sizeof(REPORT_INSTANCE) + 10];
	char *argv[20] = {
		"trace-cmd", "record", "-B", instance, "-C", "mono", "-e", "kvmwatch", "-o", file
	};
	unsigned int nonce;
	char seconds[40];
	int n = 10;

	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return complain("getrandom", "%m");
	snprintf(instance, sizeof(instance), REPORT_INSTANCE "%08x", nonce);

	if (*filter) {
		argv[n++] = "-f";
		argv[n++] = filter;
	}
	if (o->view.time_ns) {
		snprintf(seconds, sizeof(seconds), "%.3f", o->view.time_ns / 1e9);
		argv[n++] = "sleep";
		argv[n++] = seconds;
	}
	return run_and_wait(argv);
}

/* trace-cmd would truncate an existing file before it knows whether it can record. */
static int record(const struct record_options *o, char *filter)
{
	struct new_file file;
	int code;

	code = new_file_begin(&file, o->file ? o->file : "trace.dat");
	if (code)
		return code;
	code = record_into(o, filter, file.temp);
	if (!code)
		return new_file_keep(&file);
	new_file_drop(&file);
	return code;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct record_options options = { };
	struct view_choice choice;
	int code;

	code = options_parse(cmd, argc, argv, &options.view.common);
	if (code >= 0)
		return code;
	code = stream_check_allowed();
	if (code)
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
	'O', "output", "FILE", "where to; trace.dat if not given", set_file
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
