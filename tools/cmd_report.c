// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch report: run trace-cmd to show a recording of kvmwatch record, and filter the lines that
 * it prints: each event of the module begins with its VM. (In some versions, such as 3.1.6,
 * trace-cmd's own filters silently do nothing.)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_report.h"
#include "text.h"

/* The VM, vCPU and slot of an event, as far as the line has them. */
struct who {
	unsigned long long vm;
	int pid, vcpu;
	bool in_slot;
	unsigned int as_id, slot;
};

const char *report_line_begin(const char *line)
{
	size_t len = strlen(REPORT_INSTANCE) + 8;
	const char *at = line + strspn(line, " ");

	if (strncmp(at, REPORT_INSTANCE, strlen(REPORT_INSTANCE)) || strnlen(at, len) < len ||
	    at[len] != ':')
		return line;
	return at + len + 1;
}

/* The text of an event behind its time; NULL: the line is not an event. */
static const char *event_of(const char *line)
{
	const char *at = line;
	unsigned int cpu;
	double time;
	int end = 0;

	/* "<thread>-<tid> [<cpu>] <time>: <event>: ...", in some versions with flags in between. */
	for (; (at = strchr(at, '[')); at++) {
		if (sscanf(at, "[%u] %lf:%n", &cpu, &time, &end) != 2)
			sscanf(at, "[%u] %*s %lf:%n", &cpu, &time, &end);
		if (end)
			return at + end;
	}
	return NULL;
}

bool report_line_is_event(const char *line)
{
	return event_of(line);
}

/* If libtraceevent does not understand an event's format, it lists the event's fields. */
static bool read_field(const char *line, const char *name, long long *value)
{
	const char *at = strstr(line, name);
	char *end;

	if (!at)
		return false;
	at += strlen(name);
	*value = strtoll(at, &end, 0);
	return end > at;
}

static bool read_fields(const char *line, struct who *who)
{
	long long vm, pid, vcpu, as_id, slot;

	if (!strstr(line, "[FAILED TO PARSE]") || !read_field(line, " vm=", &vm) ||
	    !read_field(line, " pid=", &pid) || !read_field(line, " vcpu=", &vcpu))
		return false;
	who->vm = vm;
	who->pid = pid;
	who->vcpu = vcpu;
	who->in_slot = read_field(line, " as_id=", &as_id) && read_field(line, " slot=", &slot);
	who->as_id = who->in_slot ? as_id : 0;
	who->slot = who->in_slot ? slot : 0;
	return true;
}

static bool read_who(const char *line, struct who *who)
{
	const char *at = line;
	int n = 0;

	/*
	 * A thread's name may contain a part of this, but not all of it: a name has at most 15
	 * characters.
	 */
	for (; n < 3 && (at = strstr(at, " vm ")); at++)
		n = sscanf(at, " vm %llu pid %d vcpu %d slot %u:%u", &who->vm, &who->pid,
			   &who->vcpu, &who->as_id, &who->slot);
	who->in_slot = n == 5;
	return n >= 3 || read_fields(line, who);
}

static bool is_of_vm(const struct who *who, const struct report_filter *filter)
{
	if (!filter->by_id && !filter->by_pid)
		return true;
	return (filter->by_id && who->vm == filter->vm) ||
	       (filter->by_pid && who->pid > 0 && (__u64)who->pid == filter->vm);
}

bool report_line_is_of(const char *line, const struct report_filter *filter)
{
	struct who who;

	if (!read_who(line, &who) || !is_of_vm(&who, filter))
		return false;
	if (filter->by_vcpu && (who.vcpu < 0 || (__u64)who.vcpu != filter->vcpu))
		return false;
	return !filter->by_slot ||
	       (who.in_slot && who.as_id == filter->as_id && who.slot == filter->slot);
}

bool report_line_is_unread(const char *line)
{
	const char *event = event_of(line);
	struct who who;

	if (!event)
		return false;
	event += strspn(event, " ");
	if (!strncmp(event, "kvmwatch_", 9))
		return !read_who(line, &who);
	return !strncmp(event, "[UNKNOWN ", 9);
}

/* A file has no names of VMs, and processes that run now may not be those of the recording. */
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

typedef void (*line_fn)(char *line, void *arg);

struct shown {
	const struct report_filter *filter;	/* NULL: show all */
	unsigned long long events;		/* events in the file */
	unsigned long long unread;		/* events whose VM is unknown */
};

/* Threads choose their names, and the text of events comes from a file, so clean both. */
static void show_line(char *line, void *arg)
{
	struct shown *shown = arg;

	shown->events += report_line_is_event(line);
	shown->unread += report_line_is_unread(line);
	if (shown->filter && !report_line_is_of(line, shown->filter))
		return;
	text_clean(line);
	puts(report_line_begin(line));
}

/* Error messages of trace-cmd may quote the file, so clean them. */
static void complain_line(char *line, void *arg)
{
	(void)arg;
	text_clean(line);
	fprintf(stderr, "%s\n", line);
}

static void account_line(char *line, void *arg)
{
	report_account_add(arg, line);
}

/* Remove the line's end, and bytes that would hide the rest of the line. */
static void make_line(char *line, size_t len)
{
	size_t i;

	if (len && line[len - 1] == '\n')
		line[--len] = '\0';
	for (i = 0; i < len; i++) {
		if (line[i] == '\t')
			line[i] = ' ';
		else if (!line[i])
			line[i] = '?';
	}
}

static void read_lines(int fd, line_fn fn, void *arg)
{
	FILE *from = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while (from && (len = getline(&line, &size, from)) >= 0) {
		make_line(line, len);
		fn(line, arg);
	}
	free(line);
	if (from)
		fclose(from);
}

/* Start trace-cmd, with its output and its error messages in pipes. */
static pid_t start_trace_cmd(char **argv, int out, int err)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	_exit(run_trace_cmd("report", argv));
}

/* Read error messages in a process of its own, so that neither pipe fills up. */
static pid_t start_complaining(int out, int err)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	close(out);
	read_lines(err, complain_line, NULL);
	_exit(0);
}

static int exit_code_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return EXIT_COULD_NOT;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_COULD_NOT;
}

/* Call @fn for each line. Returns trace-cmd's exit code. */
static int trace_cmd(char **argv, line_fn fn, void *arg)
{
	pid_t pid, complaining;
	int out[2], err[2];

	fflush(stdout);
	if (pipe2(out, O_CLOEXEC))
		return complain("report", "%s", strerror(errno));
	if (pipe2(err, O_CLOEXEC)) {
		close(out[0]);
		close(out[1]);
		return complain("report", "%s", strerror(errno));
	}
	pid = start_trace_cmd(argv, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	complaining = start_complaining(out[0], err[0]);
	close(err[0]);
	read_lines(out[0], fn, arg);
	if (complaining > 0)
		exit_code_of(complaining);
	if (pid < 0 || complaining < 0)
		complain("report", "%s", strerror(EAGAIN));
	return pid < 0 ? EXIT_COULD_NOT : exit_code_of(pid);
}

/*
 * trace-cmd asks the kernel how many events there are, then reads them. On a busy machine it may
 * end before it has read all.
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
	if (!code)
		code = tell_what_was_lost(report[3], shown.events);
	if (!shown.filter || !shown.unread)
		return code;
	return complain("report",
			"%llu events could not be read, and may be of what was asked for; leave out -p, -v and -s to see them",
			shown.unread);
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
		"Have trace-cmd show a FILE that kvmwatch record or trace-cmd has written (without\n"
		"FILE trace.dat): all events, or those of one VM, vCPU or slot.",
	.operand	= "FILE",
	.options	= options,
	.run		= run,
};
