// SPDX-License-Identifier: GPL-2.0
/* Which lines of trace-cmd's output are about a VM, vCPU or slot. */
#include <fcntl.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "cmd.h"
#include "cmd_report.h"

#define MARK	" CPU 0/KVM-124 [001] 23.34: kvmwatch_dirty:  vm 2 pid 116 vcpu 0 slot 1:3 gfn 0x4000e"
#define HALT	" CPU 1/KVM-125 [001] 23.34: kvmwatch_halt:   vm 3 pid 2 vcpu 1 ns 12 wait valid"
#define UNMAP	" qemu-117 [000] 23.34: kvmwatch_unmap:       vm 2 pid 116 vcpu -1 slot 0:3 gfn 0x4"

static bool is_of(const char *line, struct report_filter filter)
{
	return report_line_is_of(line, &filter);
}

#define OF(line, ...)	is_of(line, (struct report_filter){ __VA_ARGS__ })

TEST(of_a_vm)
{
	EXPECT_TRUE(OF(MARK, .by_id = true, .vm = 2));
	EXPECT_FALSE(OF(HALT, .by_id = true, .vm = 2));
	EXPECT_TRUE(OF(HALT, .by_pid = true, .vm = 2));
	EXPECT_FALSE(OF(MARK, .by_pid = true, .vm = 2));
	EXPECT_TRUE(OF(MARK, .by_id = true, .by_pid = true, .vm = 2));
	EXPECT_TRUE(OF(HALT, .by_id = true, .by_pid = true, .vm = 2));
	EXPECT_FALSE(OF(HALT, .by_id = true, .by_pid = true, .vm = 116));
}

TEST(of_a_vcpu)
{
	EXPECT_TRUE(OF(MARK, .by_vcpu = true));
	EXPECT_FALSE(OF(HALT, .by_vcpu = true));
	EXPECT_TRUE(OF(HALT, .by_vcpu = true, .vcpu = 1));
	EXPECT_FALSE(OF(UNMAP, .by_vcpu = true, .vcpu = -1));
}

TEST(of_a_slot)
{
	EXPECT_TRUE(OF(MARK, .by_slot = true, .as_id = 1, .slot = 3));
	EXPECT_FALSE(OF(UNMAP, .by_slot = true, .as_id = 1, .slot = 3));
	EXPECT_TRUE(OF(UNMAP, .by_slot = true, .slot = 3));
	EXPECT_FALSE(OF(UNMAP, .by_slot = true));
	EXPECT_FALSE(OF(HALT, .by_slot = true));
}

TEST(of_all_that_is_asked_for)
{
	EXPECT_TRUE(OF(MARK, .by_id = true, .vm = 2, .by_vcpu = true, .by_slot = true, .as_id = 1,
		       .slot = 3));
	EXPECT_FALSE(OF(MARK, .by_id = true, .vm = 2, .by_vcpu = true, .vcpu = 1));
	EXPECT_FALSE(OF(MARK, .by_id = true, .vm = 1, .by_vcpu = true));
}

TEST(of_nobody)
{
	EXPECT_FALSE(OF("cpus=2", .by_id = true));
	EXPECT_FALSE(OF(" sh-1 [000] 1.1: sched_switch: prev_comm=sh", .by_vcpu = true));
	EXPECT_FALSE(OF(" vm ", .by_vcpu = true));
}

TEST(a_thread_may_be_called_a_vm)
{
	EXPECT_TRUE(OF(" vm 1 pid 9 vc-7 [000] 1.1: kvmwatch_halt: vm 2 pid 3 vcpu 4 ns 1",
		       .by_id = true, .vm = 2));
	EXPECT_FALSE(OF(" vm 1 pid 9 vc-7 [000] 1.1: kvmwatch_halt: vm 2 pid 3 vcpu 4 ns 1",
			.by_id = true, .vm = 1));
}

#define RAW_MARK	" CPU 0/KVM-124 [001] 23.34: kvmwatch_dirty:       " \
	"[FAILED TO PARSE] vm=2 pid=116 vcpu=0 gfn=0x4000e rel_gfn=0xe as_id=1 slot=3 cause=0"
#define RAW_HALT	" CPU 1/KVM-125 [001] 23.34: kvmwatch_halt:        " \
	"[FAILED TO PARSE] vm=3 pid=2 vcpu=-1 ns=12 waited=1 valid=1"

/* libtraceevent lists the fields of an event whose format it does not understand. */
TEST(of_whom_fields_say)
{
	EXPECT_TRUE(OF(RAW_MARK, .by_id = true, .vm = 2));
	EXPECT_FALSE(OF(RAW_MARK, .by_id = true, .vm = 3));
	EXPECT_TRUE(OF(RAW_MARK, .by_pid = true, .vm = 116, .by_vcpu = true));
	EXPECT_TRUE(OF(RAW_MARK, .by_slot = true, .as_id = 1, .slot = 3));
	EXPECT_FALSE(OF(RAW_MARK, .by_slot = true, .as_id = 0, .slot = 3));
	EXPECT_TRUE(OF(RAW_HALT, .by_pid = true, .vm = 2));
	EXPECT_FALSE(OF(RAW_HALT, .by_vcpu = true));
	EXPECT_FALSE(OF(RAW_HALT, .by_slot = true));
	EXPECT_FALSE(OF(" sh-1 [000] 1.1: other: vm=2 pid=116 vcpu=0", .by_id = true, .vm = 2));
}

TEST(what_does_not_say_whose_it_is_is_unread)
{
	EXPECT_TRUE(report_line_is_unread(" a-1 [000] 1.1: kvmwatch_halt: [FAILED TO PARSE]"));
	EXPECT_TRUE(report_line_is_unread(" a-1 [000] 1.1: kvmwatch_halt: [FAILED TO PARSE] ns=1"));
	EXPECT_TRUE(report_line_is_unread(" a-1 [000] 1.1: kvmwatch_new: something"));
	EXPECT_TRUE(report_line_is_unread(" a-1 [000] d..1. 1.1: [UNKNOWN EVENT]"));
	EXPECT_TRUE(report_line_is_unread(" a-1 [000] 1.1: [UNKNOWN TYPE]"));
	EXPECT_FALSE(report_line_is_unread(MARK));
	EXPECT_FALSE(report_line_is_unread(RAW_MARK));
	EXPECT_FALSE(report_line_is_unread(" a-1 [000] 1.1: sched_switch: [FAILED TO PARSE] a=1"));
	EXPECT_FALSE(report_line_is_unread(" [UNKNOWN TYPE]-7 [000] 1.1: sched_switch: prev"));
	EXPECT_FALSE(report_line_is_unread("cpus=2"));
}

/*
 * Run report with a trace-cmd that prints these lines: those before the first NULL as output, the
 * others as errors.
 */
static int report(const char *const *lines, char *out, char *err, size_t size, char *option)
{
	char dir[] = "/tmp/trace.XXXXXX", path[64], command[256];
	char *argv[3] = { (char *)cmd_report.name, option };
	int saved[2] = { dup(1), dup(2) }, code;
	FILE *script;

	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/trace-cmd", dir);
	script = fopen(path, "w");
	/* The played trace-cmd has no answer to --stat. */
	fputs("#!/bin/sh\n[ \"$2\" != --stat ] || exit 0\n", script);
	for (; *lines; lines++)
		fprintf(script, "printf '%%b\\n' '%s'\n", *lines);
	for (lines++; *lines; lines++)
		fprintf(script, "printf '%%b\\n' '%s' >&2\n", *lines);
	fclose(script);
	chmod(path, 0755);
	snprintf(command, sizeof(command), "%s:%s", dir, getenv("PATH"));
	setenv("PATH", command, 1);
	fflush(stdout);
	snprintf(path, sizeof(path), "%s/out", dir);
	dup2(open(path, O_RDWR | O_CREAT, 0600), 1);
	snprintf(path, sizeof(path), "%s/err", dir);
	dup2(open(path, O_RDWR | O_CREAT, 0600), 2);
	code = cmd_report.run(&cmd_report, option ? 2 : 1, argv);
	fflush(stdout);
	memset(out, 0, size);
	memset(err, 0, size);
	if (pread(1, out, size - 1, 0) < 0 || pread(2, err, size - 1, 0) < 0)
		abort();
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) ? -1 : code;
}

/* Thread names and files may contain anything, but no special characters reach the terminal. */
TEST(a_report_is_cleaned)
{
	static const char *const lines[] = {
		" a\\033[31m\\0b-1 [000] 1.1: kvmwatch_halt: vm 1 pid 2 vcpu 0 ns\\t1",
		NULL,
		"evil \\033]0;title\\007 event", NULL
	};
	char out[1024], err[1024];

	EXPECT_EQ(0, report(lines, out, err, sizeof(out), NULL));
	EXPECT_STREQ(" a?[31m?b-1 [000] 1.1: kvmwatch_halt: vm 1 pid 2 vcpu 0 ns 1\n", out);
	EXPECT_STREQ("evil ?]0;title? event\n", err);
}

TEST(a_report_tells_what_it_could_not_read)
{
	static const char *const lines[] = {
		RAW_MARK,
		" a-1 [000] 1.1: kvmwatch_halt: [FAILED TO PARSE]",
		" a-1 [000] 1.2: [UNKNOWN EVENT]",
		NULL, NULL
	};
	char out[1024], err[1024];

	EXPECT_EQ(1, report(lines, out, err, sizeof(out), "-p2"));
	EXPECT_STREQ(RAW_MARK "\n", out);
	EXPECT_NE(NULL, strstr(err, "2 events could not be read"));
	/* A report without options shows all lines. */
	EXPECT_EQ(0, report(lines, out, err, sizeof(out), NULL));
	EXPECT_STREQ("", err);
	EXPECT_NE(NULL, strstr(out, "[UNKNOWN EVENT]\n"));
}

TEST(the_name_of_a_recordings_instance_is_left_out)
{
	EXPECT_STREQ(MARK, report_line_begin("  kvmwatch-record-0123abcd:" MARK));
	EXPECT_STREQ(MARK, report_line_begin(MARK));
	EXPECT_STREQ(" kvmwatch-record-0-12 [000] 1.1: x", /* this is a thread's name */
		     report_line_begin(" kvmwatch-record-0-12 [000] 1.1: x"));
	EXPECT_STREQ("kvmwatch-record-", report_line_begin("kvmwatch-record-"));
	EXPECT_TRUE(report_line_is_event("  kvmwatch-record-0123abcd:" MARK));
}

static const char *const account_lines[] = {
	"cpus=2\n",
	"\n",
	"Kernel buffer statistics:\n",
	"  Note: \"entries\" are the entries left in the kernel ring buffer and are not\n",
	"        recorded in the trace data. They should all be zero.\n",
	"\n",
	"CPU: 0\n", "entries: 2\n", "overrun: 0\n", "commit overrun: 0\n", "bytes: 0\n",
	"oldest event ts:   146.950754\n", "now ts:   147.540951\n",
	"dropped events: 0\n", "read events: 314\n",
	"\n",
	"CPU: 1\n", "entries: 11\n", "overrun: 5\n", "dropped events: 7\n", "read events: 3\n",
};

TEST(events_are_told_from_other_lines)
{
	EXPECT_TRUE(report_line_is_event(MARK));
	EXPECT_TRUE(report_line_is_event(" sh-1 [000] 1.1: sched_switch: prev_comm=sh"));
	EXPECT_TRUE(report_line_is_event("a[b] 1.2:x-7 [001] 23.34: kvmwatch_halt: vm 1"));
	EXPECT_TRUE(report_line_is_event(" sh-1 [000] d..2. 1.1: sched_switch: prev_comm=sh"));
	EXPECT_FALSE(report_line_is_event("cpus=2"));
	EXPECT_FALSE(report_line_is_event("CPU 0 is empty"));
	EXPECT_FALSE(report_line_is_event("CPU:1 [12 EVENTS DROPPED]"));
	EXPECT_FALSE(report_line_is_event("          <idle>-0 [0"));
}

TEST(what_was_written_and_lost_is_added_up)
{
	struct report_account account = { };
	size_t i;

	for (i = 0; i < sizeof(account_lines) / sizeof(*account_lines); i++)
		report_account_add(&account, account_lines[i]);
	EXPECT_EQ(330, account.written);
	EXPECT_EQ(12, account.overrun);
}

TEST_HARNESS_MAIN
