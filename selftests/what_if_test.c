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

/*
 * In each cycle some halts are short, which are worth a poll, and some are long: of the same vCPU,
 * or of another.
 */
struct pattern {
	unsigned int cycles, shorts, longs;
	__u64 short_ns, long_ns;
	bool of_two;
};

static int halt_all(struct guest *g, const struct pattern *p)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < p->cycles && !err; i++) {
		err = guest_run(g, 0, work_halt(p->shorts, GUEST_WAKE_LAPIC, p->short_ns));
		err = err ?: guest_run(g, p->of_two, work_halt(p->longs, GUEST_WAKE_LAPIC,
							       p->long_ns));
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

/* Of all vCPUs together: 5.10 has no other. */
static __u64 kvms(struct guest *g, const char *name)
{
	__u64 value;

	return oracle_debugfs(guest_name(g), name, &value) ? ~0ULL : value;
}

static struct counts count(struct guest *g)
{
	return (struct counts){
		.halts = watch_vm_stat(g, "halts"),
		.polls = kvms(g, "halt_attempted_poll"),
		.won = kvms(g, "halt_successful_poll"),
	};
}

/* Within 2 %, and one or two are no more than that. */
static bool is_near(const char *what, __u64 ours, __u64 theirs)
{
	__u64 slack = theirs / 50 + 2;

	printf("# %s: %llu, by KVM %llu\n", what, ours, theirs);
	return ours + slack >= theirs && ours <= theirs + slack;
}

/* A guest of its own, as 5.10 has the limit from when a VM was made. */
static int run(const struct settings *s, const struct pattern *halts, const char *asked,
	       struct row *now, struct row *what_if, struct counts *kvm)
{
	struct kvmwatch_vm vm;
	struct counts before;
	struct guest *g;
	int err = put(s);
	pid_t pid;

	if (err)
		return err;
	g = guest_new(1 + halts->of_two, 0);
	if (!g)
		return -errno;
	/* It runs in this thread: while two of them are runnable, KVM does not poll. */
	err = watch_find(g, &vm);
	if (!err) {
		pid = start_tool(vm.id, asked);
		err = pid < 0 ? -ETIMEDOUT : 0;
	}
	if (!err) {
		before = count(g);
		err = halt_all(g, halts);
		*kvm = count(g);
		kvm->halts -= before.halts;
		kvm->polls -= before.polls;
		kvm->won -= before.won;
		err = err ?: end_tool(pid, now, what_if);
	}
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
	struct pattern halts;
};

/*
 * 3 ms lies between two windows, whether they double from 10 us (2.56 ms, 5.12 ms) or from 1 ms. A
 * halt as long as a window would be won or not by microseconds.
 */
#define SHORT_AND_LONG	{ 10, 30, 6, 3 * MS, 20 * MS }
/* What KVM comes with */
#define USUAL		{ "200000", "2", "0", "10000" }
#define ASKED_USUAL	"halt_poll_ns=200000,grow=2,shrink=0,grow_start=10000"

/* As KVM comes, with a limit that the short halts are below: the emulator is slow. */
FIXTURE_VARIANT_ADD(settings, reset) {
	.is = { "8000000", "2", "0", "10000" },
	.asked = "halt_poll_ns=8000000,grow=2,shrink=0,grow_start=10000",
	.halts = SHORT_AND_LONG,
};

FIXTURE_VARIANT_ADD(settings, shrink) {
	.is = { "8000000", "2", "2", "1000000" },
	.asked = "halt_poll_ns=8000000,grow=2,shrink=2,grow_start=1000000",
	.halts = SHORT_AND_LONG,
};

FIXTURE_VARIANT_ADD(settings, stays) {
	.is = { "8000000", "1", "1", "500000" },
	.asked = "halt_poll_ns=8000000,grow=1,shrink=1,grow_start=500000",
	.halts = SHORT_AND_LONG,
};

/* Usual settings, and bursts of halts that are worth a poll */
FIXTURE_VARIANT_ADD(settings, bursts) {
	.is = USUAL, .asked = ASKED_USUAL, .halts = { 40, 10, 1, 120000, 20 * MS },
};

/* The same from two vCPUs in turn, each with a window of its own */
FIXTURE_VARIANT_ADD(settings, two_vcpus) {
	.is = USUAL, .asked = ASKED_USUAL, .halts = { 100, 4, 1, 120000, 400000, true },
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

	ASSERT_EQ(0, run(&variant->is, &variant->halts, variant->asked, &now, &what_if, &kvm));
	ASSERT_EQ(kvm.halts, now.halts);
	ASSERT_LE(variant->halts.cycles * (variant->halts.shorts + variant->halts.longs) * 9 / 10,
		  now.halts);
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

	ASSERT_EQ(0, run(&off, &variant->halts, variant->asked, &now, &what_if, &kvm));
	EXPECT_EQ(0, kvm.polls);
	EXPECT_EQ(0, now.polls);
	ASSERT_EQ(0, run(&variant->is, &variant->halts, variant->asked, &now, &(struct row){ },
			 &kvm));
	EXPECT_TRUE(is_near("polls", what_if.polls, kvm.polls));
	EXPECT_TRUE(is_near("won", what_if.won, kvm.won + now.quicker));
}

TEST_HARNESS_MAIN
