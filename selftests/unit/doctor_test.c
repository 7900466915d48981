// SPDX-License-Identifier: GPL-2.0
/* The rules of kvmwatch doctor: each at its limit and below, and without what it needs. */
#include <stdio.h>
#include <string.h>

#include <kselftest_harness.h>

#include "doctor.h"

#define MS	1000000ULL
#define MIB	1048576ULL

static struct maybe is(__u64 number)
{
	return (struct maybe){ .known = true, .number = number };
}

static const struct maybe no_idea;

/* A second in which nothing is wrong. */
static struct doctor_vcpu good_vcpu(void)
{
	return (struct doctor_vcpu){
		.time = is(1000 * MS), .preempted = is(0), .delay = is(0), .load_entry = is(0),
		.entries = is(0), .blocked = is(0), .poll = is(0), .polled = is(0),
		.waited = is(0), .polls = is(0), .exit = is(0),
	};
}

static struct doctor_vm good_vm(void)
{
	return (struct doctor_vm){
		.mapped = is(100 * MIB), .peak = is(100 * MIB), .small = is(0),
		.huge_gone = is(0), .logged = { .known = true, .memory = 100 * MIB },
		.collects = is(0), .failures = is(0),
	};
}

static struct doctor_verdict verdict;

static enum doctor_state of_vcpu(enum doctor_rule rule, struct doctor_vcpu vcpu)
{
	doctor_judge_vcpu(rule, &vcpu, &verdict);
	return verdict.state;
}

static enum doctor_state of_vm(enum doctor_rule rule, struct doctor_vm vm)
{
	doctor_judge_vm(rule, &vm, &verdict);
	return verdict.state;
}

/* The state by @rule of a good one that is changed so. */
#define VCPU(rule, change) ({						\
	struct doctor_vcpu it = good_vcpu();				\
									\
	change;								\
	of_vcpu(rule, it);						\
})

#define VM(rule, change) ({						\
	struct doctor_vm it = good_vm();				\
									\
	change;								\
	of_vm(rule, it);						\
})

TEST(nothing_stands_out_where_nothing_is_wrong)
{
	int rule;

	for (rule = 0; rule < DOCTOR_VCPU_RULES; rule++)
		EXPECT_EQ(DOCTOR_WELL, of_vcpu(rule, good_vcpu()));
	for (; rule < DOCTOR_VM_RULES; rule++)
		EXPECT_EQ(DOCTOR_WELL, of_vm(rule, good_vm()));
}

TEST(a_vcpu_for_which_no_time_has_passed_is_not_judged)
{
	int rule;

	for (rule = 0; rule < DOCTOR_VCPU_RULES; rule++) {
		EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(rule, it.time = is(0)));
		EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(rule, it.time = no_idea));
	}
}

TEST(a_vcpu_that_waits_for_a_pcpu_is_starved)
{
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_STARVED, it.preempted = is(49 * MS)));
	EXPECT_EQ(DOCTOR_STANDS_OUT, VCPU(DOCTOR_STARVED, it.preempted = is(50 * MS)));
	EXPECT_EQ(0.05, verdict.value);
	EXPECT_STREQ("waits for a pCPU for 5.0% of its time", verdict.seen);
	EXPECT_EQ(DOCTOR_STANDS_OUT, VCPU(DOCTOR_STARVED, it.delay = is(50 * MS)));
	/* Each is part of what it waited: they are not added. */
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_STARVED, it.delay = it.preempted = is(49 * MS)));
	/* A wait that began before. */
	EXPECT_EQ(DOCTOR_STANDS_OUT, VCPU(DOCTOR_STARVED, it.delay = is(5000 * MS)));
	EXPECT_EQ(1, verdict.value);
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_STARVED, it.delay = no_idea));
	EXPECT_EQ(DOCTOR_STANDS_OUT, VCPU(DOCTOR_STARVED, it.preempted = no_idea;
					  it.delay = is(60 * MS)));
	EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(DOCTOR_STARVED, it.delay = it.preempted = no_idea));
}

TEST(loads_stand_out_that_are_slow_and_take_much)
{
	EXPECT_EQ(DOCTOR_STANDS_OUT, VCPU(DOCTOR_LOAD, it.load_entry = is(50 * MS);
					  it.entries = is(500)));
	EXPECT_STREQ("takes 100 us from load to entry, 5.0% of its time", verdict.seen);
	/* There are just many of them. */
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_LOAD, it.load_entry = is(50 * MS);
				    it.entries = is(501)));
	/* One was slow. */
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_LOAD, it.load_entry = is(49 * MS); it.entries = is(1)));
	EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(DOCTOR_LOAD, it.load_entry = no_idea));
	EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(DOCTOR_LOAD, it.entries = no_idea));
}

TEST(a_vcpu_that_sleeps_without_a_halt_is_blocked)
{
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_BLOCKED, it.blocked = is(49 * MS)));
	EXPECT_EQ(DOCTOR_STANDS_OUT, VCPU(DOCTOR_BLOCKED, it.blocked = is(50 * MS)));
	EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(DOCTOR_BLOCKED, it.blocked = no_idea));
}

TEST(exits_stand_out_by_what_no_other_rule_names)
{
	EXPECT_EQ(DOCTOR_STANDS_OUT, VCPU(DOCTOR_EXITS, it.exit = is(100 * MS);
					  it.reason = "msr"));
	EXPECT_STREQ("exits by msr take 10.0% of its time", verdict.seen);
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_EXITS, it.exit = is(99 * MS)));
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_EXITS, it.exit = is(100 * MS); it.blocked = is(MS)));
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_EXITS, it.exit = is(900 * MS);
				    it.preempted = is(950 * MS)));
	EXPECT_EQ(0, verdict.value);
	EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(DOCTOR_EXITS, it.exit = no_idea));
	EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(DOCTOR_EXITS, it.blocked = no_idea));
	EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(DOCTOR_EXITS, it.preempted = no_idea));
}

TEST(halts_are_no_lost_time)
{
	EXPECT_TRUE(doctor_is_halt("hlt"));
	EXPECT_TRUE(doctor_is_halt("HLT"));
	EXPECT_TRUE(doctor_is_halt("MWAIT_INSTRUCTION"));
	EXPECT_FALSE(doctor_is_halt("npf"));
	EXPECT_FALSE(doctor_is_halt("hl"));
}

TEST(polling_stands_out_that_never_wins)
{
#define POLLS	it.polls = is(1); it.poll = is(50 * MS)
	EXPECT_EQ(DOCTOR_STANDS_OUT, VCPU(DOCTOR_POLL, POLLS; it.waited = is(91);
					  it.polled = is(9)));
	EXPECT_STREQ("polls for 5.0% of its time, which ended 9 of 100 halts", verdict.seen);
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_POLL, POLLS; it.waited = is(90); it.polled = is(10)));
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_POLL, POLLS; it.poll = is(49 * MS);
				    it.waited = is(100)));
	/* It does not poll: that is what it takes to go to sleep. */
	EXPECT_EQ(DOCTOR_WELL, VCPU(DOCTOR_POLL, POLLS; it.polls = is(0); it.waited = is(100)));
	EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(DOCTOR_POLL, it.polls = no_idea));
	EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(DOCTOR_POLL, it.poll = no_idea));
	EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(DOCTOR_POLL, it.polled = no_idea));
	EXPECT_EQ(DOCTOR_UNKNOWN, VCPU(DOCTOR_POLL, it.waited = no_idea));
}

TEST(huge_pages_are_lost_if_there_were_any)
{
	EXPECT_EQ(DOCTOR_STANDS_OUT, VM(DOCTOR_HUGE, it.small = is(10 * MIB);
					it.huge_gone = is(10 * MIB)));
	EXPECT_STREQ("10.0% of mapped memory is by 4 KiB pages; 10.0 MiB of huge pages unmapped",
		     verdict.seen);
	EXPECT_EQ(DOCTOR_WELL, VM(DOCTOR_HUGE, it.small = is(100 * MIB);
				  it.huge_gone = is(8 * MIB)));
	EXPECT_EQ(DOCTOR_WELL, VM(DOCTOR_HUGE, it.small = is(9 * MIB);
				  it.huge_gone = is(100 * MIB)));
	/* Nothing is mapped: nothing is small. */
	EXPECT_EQ(DOCTOR_WELL, VM(DOCTOR_HUGE, it.mapped = is(0)));
	EXPECT_EQ(DOCTOR_UNKNOWN, VM(DOCTOR_HUGE, it.logged.bytes = 10 * MIB));
	EXPECT_EQ(DOCTOR_WELL, VM(DOCTOR_HUGE, it.logged.bytes = 9 * MIB));
	EXPECT_EQ(DOCTOR_UNKNOWN, VM(DOCTOR_HUGE, it.logged.known = false));
	EXPECT_EQ(DOCTOR_UNKNOWN, VM(DOCTOR_HUGE, it.small = no_idea));
	EXPECT_EQ(DOCTOR_UNKNOWN, VM(DOCTOR_HUGE, it.huge_gone = no_idea));
}

TEST(memory_stands_out_that_is_not_mapped_any_more)
{
	EXPECT_EQ(DOCTOR_STANDS_OUT, VM(DOCTOR_UNMAPPED, it.mapped = is(75 * MIB)));
	EXPECT_STREQ("25.0 MiB of 100 MiB are not mapped any more", verdict.seen);
	EXPECT_EQ(DOCTOR_WELL, VM(DOCTOR_UNMAPPED, it.mapped = is(76 * MIB)));
	/* One is read before the other. */
	EXPECT_EQ(DOCTOR_WELL, VM(DOCTOR_UNMAPPED, it.mapped = is(101 * MIB)));
	EXPECT_EQ(DOCTOR_WELL, VM(DOCTOR_UNMAPPED, it.mapped = it.peak = is(0)));
	EXPECT_EQ(DOCTOR_UNKNOWN, VM(DOCTOR_UNMAPPED, it.mapped = no_idea));
	EXPECT_EQ(DOCTOR_UNKNOWN, VM(DOCTOR_UNMAPPED, it.peak = no_idea));
}

TEST(a_log_that_nobody_collects_was_left_on)
{
	EXPECT_EQ(DOCTOR_STANDS_OUT, VM(DOCTOR_LOGGING, it.logged.bytes = 50 * MIB));
	EXPECT_EQ(DOCTOR_WELL, VM(DOCTOR_LOGGING, it.logged.bytes = 49 * MIB));
	EXPECT_EQ(DOCTOR_WELL, VM(DOCTOR_LOGGING, it.logged.bytes = 50 * MIB; it.collects = is(1)));
	EXPECT_EQ(DOCTOR_UNKNOWN, VM(DOCTOR_LOGGING, it.logged.known = false));
	EXPECT_EQ(DOCTOR_UNKNOWN, VM(DOCTOR_LOGGING, it.logged.bytes = 50 * MIB;
				     it.collects = no_idea));
	EXPECT_EQ(DOCTOR_WELL, VM(DOCTOR_LOGGING, it.collects = no_idea));
}

TEST(an_audit_that_failed_stands_out)
{
	EXPECT_EQ(DOCTOR_STANDS_OUT, VM(DOCTOR_AUDIT, it.failures = is(1)));
	EXPECT_EQ(DOCTOR_UNKNOWN, VM(DOCTOR_AUDIT, it.failures = no_idea));
}

static enum doctor_state of_hooks(const struct kvmwatch_hook *hooks, size_t nr)
{
	const struct hooks all = { .hooks = (struct kvmwatch_hook *)hooks, .nr_hooks = nr };

	doctor_judge_hooks(&all, &verdict);
	return verdict.state;
}

TEST(a_hook_is_missed_that_should_be_there)
{
	const struct kvmwatch_hook fine[] = {
		{ .name = "halt", .flags = KVMWATCH_HOOK_ATTACHED, .via = "ftrace" },
		{ .name = "load_cost", .reason = "not asked for: load kvmwatch with load_cost=1" },
		{ .name = "ring_push", .reason = "this KVM has no dirty rings",
		  .flags = KVMWATCH_HOOK_ABSENT },
		{ .name = "exit", .reason = "left out by without=",
		  .flags = KVMWATCH_HOOK_LEFT_OUT },
		{ .name = "entry", .reason = "kvm.ko is not loaded" },
	};
	const struct kvmwatch_hook missed[] = {
		{ .name = "wakeup", .reason = "kvm.ko has no tracepoint kvm_vcpu_wakeup" },
		{ .name = "ring_full", .reason = "tracepoint kvm_dirty_ring_exit: error -12" },
		{ .name = "halt", .flags = KVMWATCH_HOOK_ATTACHED, .via = "dropped" },
		{ .name = "exit", .flags = KVMWATCH_HOOK_ATTACHED, .via = "tracepoint" },
	};
	struct kvmwatch_hook many[100] = { };
	size_t i;

	EXPECT_EQ(DOCTOR_WELL, of_hooks(fine, 5));
	EXPECT_EQ(DOCTOR_STANDS_OUT, of_hooks(missed, 4));
	EXPECT_EQ(3, verdict.value);
	EXPECT_STREQ("3 missing: wakeup, ring_full, halt", verdict.seen);
	for (i = 0; i < 100; i++)
		memset(many[i].name, 'x', sizeof(many[i].name) - 1);
	EXPECT_EQ(DOCTOR_STANDS_OUT, of_hooks(many, 100));
	EXPECT_EQ(100, verdict.value);
}

/* Others see what a needless hook would, but nobody the rings that this KVM does not have. */
TEST(a_statistic_lacks_hooks_that_are_not_there_but_needless_ones)
{
	struct kvmwatch_hook list[] = {
		{ .name = "rmap_zap", .flags = KVMWATCH_HOOK_ATTACHED },
		{ .name = "rmap_zap_all", .flags = KVMWATCH_HOOK_ABSENT | KVMWATCH_HOOK_NEEDLESS },
		{ .name = "ring_push", .flags = KVMWATCH_HOOK_ABSENT },
	};
	const struct hooks all = { .hooks = list, .nr_hooks = 3 };
	struct kvmwatch_stat stat = { .hooks = "rmap_zap,rmap_zap_all" };
	char why[80];

	EXPECT_FALSE(hooks_missing(&all, &stat, why, sizeof(why)));
	strcpy(stat.hooks, "rmap_zap,rmap_zap_all,ring_push");
	EXPECT_TRUE(hooks_missing(&all, &stat, why, sizeof(why)));
	EXPECT_STREQ("hook missing: ring_push", why);
}

/* Each rule has a row that names it and its limit. */
TEST(the_document_has_each_rule_and_its_limit)
{
	FILE *file = fopen("docs/doctor.md", "re");
	char line[512], begin[32], limit[128];
	int rule;

	ASSERT_NE(NULL, file);
	for (rule = 0; rule < DOCTOR_NR; rule++) {
		snprintf(begin, sizeof(begin), "| `%s` |", doctor_limits[rule].name);
		snprintf(limit, sizeof(limit), "| %s |", doctor_limits[rule].text);
		while (fgets(line, sizeof(line), file) && strncmp(line, begin, strlen(begin)))
			;
		EXPECT_NE(NULL, strstr(line, limit)) {
			TH_LOG("no row '%s ... %s'", begin, limit);
		}
	}
	fclose(file);
}

TEST_HARNESS_MAIN
