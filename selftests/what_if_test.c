// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch haltpoll --what-if: what it makes of recorded halts is what KVM makes of halts, by KVM's
 * own counts of polls and of those that won.
 *
 * One run is compared with another, so halts have to be as long again: in the VM whose clock counts
 * instructions. That has one CPU, and some 30 times a second something else runs on it, which ends
 * a poll. Such a halt waits, though it is within the window: "now" counts it as won, and as one
 * that would have been quicker. By that number KVM's count is corrected.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "guest.h"
#include "machine.h"
#include "oracle.h"
#include "slow.h"
#include "watch.h"

#define PARAMETERS	"/sys/module/kvm/parameters/halt_poll_ns"
#define MS		1000000ULL
#define CYCLES		10
#define SHORT_HALTS	30
#define LONG_HALTS	6

struct settings {
	const char *max, *grow, *shrink, *start;
};

/* A row of the tool, of one VM. */
struct row {
	unsigned long long halts, polls, won, quicker;
};

struct counts {
	__u64 halts, polls, won;
};

static int put(const struct settings *s)
{
	int err = machine_put(PARAMETERS, s->max);

	err = err ?: machine_put(PARAMETERS "_grow", s->grow);
	err = err ?: machine_put(PARAMETERS "_shrink", s->shrink);
	return err ?: machine_put(PARAMETERS "_grow_start", s->start);
}

/* Short halts, which are worth a poll, and long ones, which are not. */
static int halt(struct guest *g)
{
	int i, err = 0;

	for (i = 0; i < CYCLES && !err; i++) {
		err = guest_run(g, 0, work_halt(SHORT_HALTS, GUEST_WAKE_LAPIC, 2 * MS));
		err = err ?: guest_run(g, 0, work_halt(LONG_HALTS, GUEST_WAKE_LAPIC, 20 * MS));
	}
	return err;
}

/* --- the tool ------------------------------------------------------------- */

static FILE *tool_output;

/* Start it, and wait until it records: only then has it switched the event on. */
static pid_t start_tool(__u64 vm, const char *what_if)
{
	char command[256];
	int pipes[2];
	pid_t pid;

	if (pipe(pipes))
		return -1;
	snprintf(command, sizeof(command), "id:%llu", vm);
	pid = fork();
	if (!pid) {
		dup2(pipes[1], 1);
		close(pipes[0]);
		execlp("kvmwatch", "kvmwatch", "haltpoll", "--what-if", what_if, "--csv", "-t",
		       "100000", "-p", command, NULL);
		_exit(127);
	}
	close(pipes[1]);
	tool_output = fdopen(pipes[0], "re");
	return WATCH_EVENTUALLY(watch_is_viewed("kvmwatch_halt")) ? pid : -1;
}

/* A number of a line, counted from 0. */
static unsigned long long field(const char *line, int nr)
{
	while (nr-- && line)
		line = strchr(line, ',') ? strchr(line, ',') + 1 : NULL;
	return line ? strtoull(line, NULL, 10) : ~0ULL;
}

static int end_tool(pid_t pid, struct row *now, struct row *what_if)
{
	char line[512];
	int status;

	kill(pid, SIGINT);
	while (fgets(line, sizeof(line), tool_output)) {
		struct row row = {
			field(line, 7), field(line, 8), field(line, 9), field(line, 14)
		};

		if (strstr(line, ",now,"))
			*now = row;
		if (strstr(line, ",what-if,"))
			*what_if = row;
	}
	fclose(tool_output);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -EIO;
	return WEXITSTATUS(status);
}

/* --- compare -------------------------------------------------------------- */

static __u64 kvms(const struct oracle *kvm, const char *name)
{
	__u64 value;

	return oracle_number(kvm, name, &value) ? ~0ULL : value;
}

/* Within 2 %, and one or two are no more than that. */
static bool is_near(const char *what, __u64 ours, __u64 theirs)
{
	__u64 slack = theirs / 50 + 2;

	printf("# %s: %llu, by KVM %llu\n", what, ours, theirs);
	return ours + slack >= theirs && ours <= theirs + slack;
}

/* A guest of its own, as 5.10 has the limit from when a VM was made. */
static int run(const struct settings *s, const char *asked, struct row *now, struct row *what_if,
	       struct counts *kvm)
{
	struct oracle oracle = { };
	struct kvmwatch_vm vm;
	struct guest *g;
	int err = put(s);
	pid_t pid = -1;

	if (err)
		return err;
	g = guest_new(1, 0);
	if (!g)
		return -errno;
	/* It runs in this thread: while two of them are runnable, KVM does not poll. */
	err = watch_find(g, &vm);
	err = err ?: oracle_of_vcpu(&oracle, g, 0);
	if (!err) {
		pid = start_tool(vm.id, asked);
		err = pid < 0 ? -ETIMEDOUT : 0;
	}
	if (!err) {
		kvm->halts = watch_vcpu_stat(g, 0, "halts");
		kvm->polls = kvms(&oracle, "halt_attempted_poll");
		kvm->won = kvms(&oracle, "halt_successful_poll");
		err = halt(g);
		kvm->halts = watch_vcpu_stat(g, 0, "halts") - kvm->halts;
		kvm->polls = kvms(&oracle, "halt_attempted_poll") - kvm->polls;
		kvm->won = kvms(&oracle, "halt_successful_poll") - kvm->won;
		err = err ?: end_tool(pid, now, what_if);
	}
	oracle_close(&oracle);
	guest_free(g);
	return err;
}

FIXTURE(settings)
{
};

FIXTURE_VARIANT(settings)
{
	struct settings is;
	const char *asked;
};

/* As KVM comes, with a limit that the short halts are below: the emulator is slow. */
FIXTURE_VARIANT_ADD(settings, reset) {
	.is = { "8000000", "2", "0", "10000" },
	.asked = "halt_poll_ns=8000000,grow=2,shrink=0,grow_start=10000",
};

FIXTURE_VARIANT_ADD(settings, shrink) {
	.is = { "8000000", "2", "2", "1000000" },
	.asked = "halt_poll_ns=8000000,grow=2,shrink=2,grow_start=1000000",
};

FIXTURE_VARIANT_ADD(settings, stays) {
	.is = { "8000000", "1", "1", "500000" },
	.asked = "halt_poll_ns=8000000,grow=1,shrink=1,grow_start=500000",
};

FIXTURE_SETUP(settings)
{
	NEEDS_MACHINE(FROM_SETUP, "it changes KVM's parameters");
	if (!getenv("vm_clock"))
		SKIP(FROM_SETUP, "halts are as long again only where instructions are counted");
}

FIXTURE_TEARDOWN(settings)
{
	machine_put_back();
}

/* The same halts, once by KVM and once by the tool. */
TEST_F(settings, of_now_give_what_kvm_did)
{
	struct row now = { }, what_if = { };
	struct counts kvm;

	ASSERT_EQ(0, run(&variant->is, variant->asked, &now, &what_if, &kvm));
	ASSERT_EQ(kvm.halts, now.halts);
	ASSERT_LE(CYCLES * (SHORT_HALTS + LONG_HALTS) * 9 / 10, now.halts);
	EXPECT_TRUE(is_near("polls", now.polls, kvm.polls));
	EXPECT_TRUE(is_near("won", now.won, kvm.won + now.quicker));
	EXPECT_GE(kvm.won / 8, now.quicker);
	EXPECT_LT(0, kvm.polls);
	/* What is asked for is what is. */
	EXPECT_EQ(now.polls, what_if.polls);
	EXPECT_EQ(now.won, what_if.won);
}

/* Halts without any polling, and then others with it. */
TEST_F(settings, that_are_asked_for_give_what_kvm_does_with_them)
{
	const struct settings off = { "0", "2", "0", "10000" };
	struct row now, what_if = { };
	struct counts kvm;

	ASSERT_EQ(0, run(&off, variant->asked, &now, &what_if, &kvm));
	EXPECT_EQ(0, kvm.polls);
	EXPECT_EQ(0, now.polls);
	ASSERT_EQ(0, run(&variant->is, variant->asked, &now, &(struct row){ }, &kvm));
	EXPECT_TRUE(is_near("polls", what_if.polls, kvm.polls));
	EXPECT_TRUE(is_near("won", what_if.won, kvm.won + now.quicker));
}

TEST_HARNESS_MAIN
