// SPDX-License-Identifier: GPL-2.0
/* Which lines of trace-cmd's are about a VM, vCPU or slot. */
#include <kselftest_harness.h>

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
