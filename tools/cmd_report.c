// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch report: a cover for trace-cmd, which shows what kvmwatch record has recorded.
 *
 * What the options ask for is looked for in the lines that trace-cmd prints: all events of the
 * module begin with whose they are. (trace-cmd's own filters do nothing in some versions, 3.1.6
 * among them, and without a word.)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_report.h"
#include "text.h"

bool report_line_is_of(const char *line, const struct report_filter *filter)
{
	unsigned int as_id = 0, slot = 0;
	unsigned long long vm;
	int pid, vcpu, n = 0;
	const char *at = line;

	/* A thread may have part of this in its name, but not all: that has 15 letters. */
	for (; n < 3 && (at = strstr(at, " vm ")); at++)
		n = sscanf(at, " vm %llu pid %d vcpu %d slot %u:%u", &vm, &pid, &vcpu, &as_id,
			   &slot);
	if (n < 3)
		return false;
	if ((filter->by_id || filter->by_pid) && !(filter->by_id && vm == filter->vm) &&
	    !(filter->by_pid && pid > 0 && (__u64)pid == filter->vm))
		return false;
	if (filter->by_vcpu && (vcpu < 0 || (__u64)vcpu != filter->vcpu))
		return false;
	return !filter->by_slot || (n == 5 && as_id == filter->as_id && slot == filter->slot);
}

/* A file knows no names, and what runs now says nothing of what ran then. */
static bool set_filter_vm(const char *vm, struct report_filter *filter)
{
	filter->by_id = strncmp(vm, "pid:", 4);
	filter->by_pid = strncmp(vm, "id:", 3);
	if (!filter->by_id)
		vm += 4;
	else if (!filter->by_pid)
		vm += 3;
	return text_parse_u64(vm, &filter->vm);
}

static int make_filter(const struct view_options *o, struct report_filter *filter)
{
	memset(filter, 0, sizeof(*filter));
	if (o->common.vm && !set_filter_vm(o->common.vm, filter)) {
		complain(o->common.vm,
			 "in a file a VM has no name; give its id or its pid, as id:N or pid:N");
		return EXIT_USAGE;
	}
	filter->by_vcpu = o->has_vcpu;
	filter->vcpu = o->vcpu;
	filter->by_slot = o->has_slot;
	filter->as_id = o->as_id;
	filter->slot = o->slot;
	return EXIT_DONE;
}

/* "<thread>-<tid> [<cpu>] <time>: <event>: ...", in some versions with flags before the time. */
bool report_line_is_event(const char *line)
{
	const char *at = line;
	unsigned int cpu;
	double time;
	int end = 0;

	for (; !end && (at = strchr(at, '[')); at++) {
		if (sscanf(at, "[%u] %lf:%n", &cpu, &time, &end) != 2)
			sscanf(at, "[%u] %*s %lf:%n", &cpu, &time, &end);
	}
	return end;
}

void report_account_add(struct report_account *account, const char *line)
{
	unsigned long long events;

	if (sscanf(line, "entries: %llu", &events) == 1 ||
	    sscanf(line, "read events: %llu", &events) == 1)
		account->written += events;
	else if (sscanf(line, "overrun: %llu", &events) == 1 ||
		 sscanf(line, "commit overrun: %llu", &events) == 1 ||
		 sscanf(line, "dropped events: %llu", &events) == 1)
		account->overrun += events;
}

/* --- what trace-cmd prints ------------------------------------------------------- */

typedef void (*line_fn)(const char *line, void *arg);

struct shown {
	const struct report_filter *filter;	/* NULL: all */
	unsigned long long events;		/* in the file */
};

static void show_line(const char *line, void *arg)
{
	struct shown *shown = arg;

	shown->events += report_line_is_event(line);
	if (!shown->filter || report_line_is_of(line, shown->filter))
		fputs(line, stdout);
}

static void account_line(const char *line, void *arg)
{
	report_account_add(arg, line);
}

/* With each line. The exit code is trace-cmd's. */
static int trace_cmd(char **argv, line_fn fn, void *arg)
{
	char *line = NULL;
	int fds[2], status;
	size_t size = 0;
	FILE *from;
	pid_t pid;

	if (pipe(fds))
		return complain("report", "%s", strerror(errno));
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		_exit(run_trace_cmd("report", argv));
	}
	close(fds[1]);
	from = fdopen(fds[0], "r");
	if (pid < 0 || !from)
		return complain("report", "%s", strerror(errno));
	while (getline(&line, &size, from) >= 0)
		fn(line, arg);
	free(line);
	fclose(from);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_COULD_NOT;
}

/*
 * trace-cmd asks the kernel how many events it has, read or not, and then reads the rest; on a
 * busy machine it may end without.
 */
static int tell_what_was_lost(char *file, unsigned long long events)
{
	char *report[8] = { "trace-cmd", "report", "--stat", "-i", file };
	struct report_account account = { };
	int code;

	code = trace_cmd(report, account_line, &account);
	if (account.overrun)
		complain("lost", "%llu events, for which there was no room", account.overrun);
	if (account.written > events)
		complain("lost", "%llu events, which trace-cmd has not read",
			 account.written - events);
	return code;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	char *report[8] = { "trace-cmd", "report", "-i", "trace.dat" };
	struct view_options options = { };
	struct report_filter filter;
	struct shown shown = { };
	int code;

	code = options_parse(cmd, argc, argv, &options.common);
	if (code >= 0)
		return code;
	code = make_filter(&options, &filter);
	if (code)
		return code;
	if (options.common.operand)
		report[3] = (char *)options.common.operand;
	if (options.common.vm || options.has_vcpu || options.has_slot)
		shown.filter = &filter;
	code = trace_cmd(report, show_line, &shown);
	return code ? code : tell_what_was_lost(report[3], shown.events);
}

static const struct opt opt_recorded_vm = {
	'p', "vm", "VM", "only this VM: id or pid, also as id:N or pid:N", options_set_vm
};

static const struct opt *const options[] = {
	&opt_recorded_vm, &opt_vcpu, &opt_slot, &opt_help, NULL
};

const struct cmd cmd_report = {
	.name		= "report",
	.summary	= "show what was recorded, with trace-cmd",
	.about		=
		"Have trace-cmd show a FILE that kvmwatch record (or trace-cmd) has written, or\n"
		"trace.dat, or of it what is about one VM, vCPU or slot.",
	.operand	= "FILE",
	.options	= options,
	.run		= run,
};
