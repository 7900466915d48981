// SPDX-License-Identifier: GPL-2.0
/* Measuring with calc-dirty-rate, with a played QEMU and a played virsh. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "interrupt.h"
#include "measure.h"
#include "migration.h"
#include "played.h"
#include "qmp.h"
#include "repeat.h"

/**
 * struct qemu - what a played QEMU is like
 * @status:	of the VM, an answer to query-status
 * @migrate:	answer to query-migrate
 * @dirty:	answer to query-dirty-rate while it measures, if not the usual one
 * @refusal:	of calc-dirty-rate
 * @status_later: @status after calc-dirty-rate
 * @migrate_later: likewise
 * @held:	so many clients after calc-dirty-rate are not greeted
 * @seconds:	of the last calc-dirty-rate
 * @until:	when that ends, by now_ns()
 * @started:	how many there were
 * @modes:	of each, the first letter behind "dirty-"
 */
struct qemu {
	const char *status, *migrate, *dirty, *refusal;
	const char *status_later, *migrate_later;
	int held;
	int seconds;
	__u64 until;
	unsigned int started;
	char modes[16];
};

#define RUNNING		"{'running': true, 'singlestep': false, 'status': 'running'}"
#define PAUSED		"{'running': false, 'singlestep': false, 'status': 'paused'}"
#define MEASURED	"{'status': 'measured', 'dirty-rate': 42, 'start-time': 1, 'calc-time': 1}"
#define MEASURING	"{'status': 'measuring', 'start-time': 1, 'calc-time': 1}"

FIXTURE(measure) {
	struct played played;
	struct qemu qemu;
	struct monitor monitor;
	struct measure measure;
	struct measure_plan plan;
};

static void begin(struct qemu *qemu, int fd, const char *line)
{
	const char *seconds = strstr(line, "\"calc-time\":"), *mode = strstr(line, "\"dirty-");

	if (qemu->refusal) {
		played_refuse(fd, line, "GenericError", qemu->refusal);
		return;
	}
	if (!seconds || !mode || qemu->until > now_ns())
		abort();
	qemu->seconds = atoi(seconds + strlen("\"calc-time\":"));
	qemu->until = now_ns() + qemu->seconds * 1000000000ULL;
	qemu->modes[qemu->started++] = mode[strlen("\"dirty-")];
	if (qemu->status_later)
		qemu->status = qemu->status_later;
	if (qemu->migrate_later)
		qemu->migrate = qemu->migrate_later;
	played_return(fd, line, "{}");
}

static void answer(struct qemu *qemu, int fd, const char *line)
{
	bool measuring = qemu->until > now_ns();

	if (played_is(line, "query-status"))
		played_return(fd, line, qemu->status);
	else if (played_is(line, "query-migrate"))
		played_return(fd, line, qemu->migrate);
	else if (played_is(line, "query-dirty-rate") && qemu->dirty)
		played_return(fd, line, qemu->dirty);
	else if (played_is(line, "query-dirty-rate") && !qemu->started)
		played_return(fd, line, "{'status': 'unstarted', 'calc-time': 0}");
	else if (played_is(line, "query-dirty-rate"))
		played_return(fd, line, measuring ? MEASURING : MEASURED);
	else if (played_is(line, "calc-dirty-rate"))
		begin(qemu, fd, line);
	else
		played_refuse(fd, line, "CommandNotFound", "what is that");
}

static void be_qemu(struct played *played, int fd)
{
	struct qemu *qemu = played->arg;
	char line[1024];

	if (qemu->started && qemu->held) {
		qemu->held--;
		while (played_hear(fd, line, sizeof(line)))
			;
		return;
	}
	if (!played_greet(fd))
		return;
	while (played_hear(fd, line, sizeof(line)))
		answer(qemu, fd, line);
}

FIXTURE_SETUP(measure)
{
	self->qemu.status = RUNNING;
	self->qemu.migrate = "{}";
	self->plan.short_cycles = 1;
	measure_slack_ms = 3000;
	played_bind(&self->played);
	self->played.arg = &self->qemu;
	played_listen(&self->played, 8);
	played_serve(&self->played, be_qemu);
	ASSERT_EQ(0, monitor_find(getpid(), self->played.path, &self->monitor));
}

FIXTURE_TEARDOWN(measure)
{
	monitor_free(&self->monitor);
	played_stop(&self->played);
}

static bool why_has(const char *why, const char *text)
{
	if (strstr(why, text))
		return true;
	TH_LOG("why: %s", why);
	return false;
}

/* --- cycles ---------------------------------------------------------------- */

/**
 * struct seen - what the callback was told
 * @text:	a letter for each moment; of those that repeat one
 * @held:	the monitor had a client in the middle of a cycle
 * @played:	the monitor
 * @stop_at:	the letter at which to stop; 0: none
 */
struct seen {
	char text[64];
	bool held;
	struct played *played;
	char stop_at;
};

static int see(void *arg, enum measure_when when, const struct measure_cycle *cycle)
{
	static const char letters[] = {
		[MEASURE_BEGINS] = 'b', [MEASURE_RUNS] = 'r', [MEASURE_WAITS] = 'w',
		[MEASURE_ENDED] = 'e',
	};
	struct seen *seen = arg;
	size_t len = strlen(seen->text);
	const __u64 due = cycle->begin_ns + cycle->seconds * 1000000000ULL;

	/*
	 * Near its end, measure asks for the result. Just after its begin, the first connection may
	 * still be closing.
	 */
	if (when == MEASURE_RUNS && now_ns() < due && now_ns() > due - 500000000ULL)
		seen->held |= __atomic_load_n(&seen->played->serving, __ATOMIC_RELAXED);
	if (!len || seen->text[len - 1] != letters[when])
		seen->text[len] = letters[when];
	return letters[when] == seen->stop_at;
}

TEST_F(measure, has_short_cycles_and_a_long_one)
{
	struct seen seen = { .played = &self->played };
	const struct measure_cycle *cycles = self->measure.cycles;
	unsigned int i;

	self->plan = (struct measure_plan) { MEASURE_BITMAP, 2, 2, see, &seen };
	ASSERT_EQ(0, measure_run(&self->monitor, &self->plan, &self->measure))
		TH_LOG("%s", self->measure.why);
	EXPECT_EQ(3, self->measure.nr);
	EXPECT_EQ(3, self->qemu.started);
	EXPECT_STREQ("bbb", self->qemu.modes);
	EXPECT_STREQ("brebrebre", seen.text);
	EXPECT_EQ(2, self->qemu.seconds);
	EXPECT_FALSE(seen.held);
	EXPECT_EQ(MEASURE_LOG_OFF, self->measure.log);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(i, cycles[i].number);
		EXPECT_EQ(3, cycles[i].of);
		EXPECT_EQ(i < 2 ? 1 : 2, cycles[i].seconds);
		EXPECT_LE(cycles[i].begin_ns, cycles[i].asked_ns);
		EXPECT_LE(cycles[i].begin_ns + cycles[i].seconds * 1000000000ULL, cycles[i].end_ns);
		EXPECT_TRUE(cycles[i].mib_s.known);
		EXPECT_EQ(42, cycles[i].mib_s.number);
	}
}

TEST_F(measure, of_a_vm_with_rings_asks_for_rings)
{
	self->plan.mode = MEASURE_RING;
	EXPECT_EQ(0, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_STREQ("r", self->qemu.modes);
}

TEST_F(measure, plans_that_are_not_possible_are_refused)
{
	static const struct measure_plan plans[] = {
		{ .short_cycles = 0, .seconds = 0 }, { .short_cycles = 1, .seconds = 61 },
		{ .short_cycles = 16, .seconds = 1 }, { .short_cycles = ~0U, .seconds = 1 },
		{ .short_cycles = 3, .seconds = ~0U },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(plans); i++)
		EXPECT_EQ(-EINVAL, measure_run(&self->monitor, &plans[i], &self->measure));
	EXPECT_EQ(0, self->qemu.started);
}

/* --- VMs that are not to be measured --------------------------------------- */

/* Refused with -EBUSY, for this reason, and no measurement was begun. */
static bool refuses(struct unit_measure *self, const char *why)
{
	struct seen seen = { .played = &self->played };
	int err;

	self->plan.fn = see;
	self->plan.arg = &seen;
	err = measure_run(&self->monitor, &self->plan, &self->measure);
	if (err != -EBUSY || self->qemu.started || *seen.text ||
	    self->measure.log != MEASURE_LOG_OFF) {
		TH_LOG("%d, %u started, '%s'", err, self->qemu.started, seen.text);
		return false;
	}
	return why_has(self->measure.why, why);
}

TEST_F(measure, of_a_vm_that_does_not_run_is_refused)
{
	self->qemu.status = PAUSED;
	EXPECT_TRUE(refuses(self, "it is paused"));
	self->qemu.status = "{'running': false, 'status': 'postmigrate'}";
	EXPECT_TRUE(refuses(self, "it is postmigrate"));
	self->qemu.status = "{'running': 1, 'status': 'running'}";
	EXPECT_TRUE(refuses(self, "does not run"));
	self->qemu.status = "{}";
	EXPECT_TRUE(refuses(self, "does not say"));
}

TEST_F(measure, of_a_vm_that_migrates_is_refused)
{
	static const char *const active[] = {
		"setup", "active", "pre-switchover", "device", "cancelling", "wait-unplug",
		"postcopy-active", "postcopy-paused", "postcopy-recover", "colo", "new-thing"
	};
	char text[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(active); i++) {
		snprintf(text, sizeof(text), "{'status': '%s'}", active[i]);
		self->qemu.migrate = text;
		EXPECT_TRUE(refuses(self, active[i]));
	}
}

TEST_F(measure, of_a_vm_that_has_migrated_or_failed_to_is_done)
{
	static const char *const over[] = { "none", "cancelled", "failed", "completed" };
	char text[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(over); i++) {
		snprintf(text, sizeof(text), "{'status': '%s'}", over[i]);
		self->qemu.migrate = text;
		EXPECT_EQ(0, measure_run(&self->monitor, &self->plan, &self->measure));
	}
	EXPECT_EQ(ARRAY_SIZE(over), self->qemu.started);
}

TEST_F(measure, of_a_vm_that_is_being_measured_is_refused)
{
	self->qemu.dirty = MEASURING;
	EXPECT_TRUE(refuses(self, "somebody else"));
}

TEST_F(measure, that_qemu_refuses_is_told_in_its_words)
{
	self->qemu.refusal = "mode dirty-bitmap is not enabled, use other method instead.";
	EXPECT_EQ(-EOPNOTSUPP, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_TRUE(why_has(self->measure.why, "mode dirty-bitmap is not enabled"));
	EXPECT_EQ(MEASURE_LOG_OFF, self->measure.log);
}

/* --- what happens meanwhile ------------------------------------------------ */

TEST_F(measure, of_a_vm_that_is_paused_meanwhile_leaves_it_logged)
{
	self->qemu.status_later = PAUSED;
	EXPECT_EQ(-EBUSY, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_EQ(MEASURE_LOG_STAYS, self->measure.log);
	EXPECT_EQ(0, self->measure.nr);
}

TEST_F(measure, of_a_vm_that_migrates_meanwhile_does_not_count)
{
	self->qemu.migrate_later = "{'status': 'active'}";
	self->plan.short_cycles = 3;
	EXPECT_EQ(-EBUSY, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_EQ(MEASURE_LOG_OFF, self->measure.log);
	EXPECT_EQ(0, self->measure.nr);
	EXPECT_EQ(1, self->qemu.started);
}

TEST_F(measure, goes_on_when_somebody_held_the_monitor_at_the_end)
{
	self->qemu.held = 2;
	EXPECT_EQ(0, measure_run(&self->monitor, &self->plan, &self->measure))
		TH_LOG("%s", self->measure.why);
	EXPECT_EQ(1, self->measure.nr);
}

TEST_F(measure, ends_when_somebody_goes_on_holding_the_monitor)
{
	self->qemu.held = 1000;
	EXPECT_EQ(-EBUSY, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_EQ(MEASURE_LOG_UNSEEN, self->measure.log);
	EXPECT_EQ(0, self->measure.nr);
	EXPECT_TRUE(why_has(self->measure.why, "not known"));
}

/* QEMU says without end that it measures. */
static int go_on_measuring(void *arg, enum measure_when when, const struct measure_cycle *cycle)
{
	struct qemu *qemu = arg;

	(void)cycle;
	if (when == MEASURE_RUNS)
		qemu->dirty = MEASURING;
	return 0;
}

TEST_F(measure, that_does_not_end_times_out)
{
	self->plan.fn = go_on_measuring;
	self->plan.arg = &self->qemu;
	EXPECT_EQ(-ETIMEDOUT, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_EQ(MEASURE_LOG_UNSEEN, self->measure.log);
	EXPECT_TRUE(why_has(self->measure.why, "does not end"));
}

static int end_vmm(void *arg, enum measure_when when, const struct measure_cycle *cycle)
{
	struct played_vmm *vmm = arg;

	(void)cycle;
	if (when == MEASURE_RUNS && vmm->pid) {
		played_vmm_stop(vmm);
		vmm->pid = 0;
	}
	return 0;
}

TEST_F(measure, of_a_vm_that_ends_ends_too)
{
	static const char *const argv[] = { "qemu-played", NULL };
	struct played_vmm vmm;

	played_vmm_start(&vmm, NULL, NULL, -1, argv);
	monitor_free(&self->monitor);
	ASSERT_EQ(0, monitor_find(vmm.pid, self->played.path, &self->monitor));
	self->plan.fn = end_vmm;
	self->plan.arg = &vmm;
	EXPECT_EQ(-ESRCH, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_EQ(MEASURE_LOG_OFF, self->measure.log);
	EXPECT_TRUE(why_has(self->measure.why, "has ended"));
}

/* --- signals --------------------------------------------------------------- */

static int raise_signal(void *arg, enum measure_when when, const struct measure_cycle *cycle)
{
	struct seen *seen = arg;

	if (when == MEASURE_RUNS && !interrupted())
		kill(getpid(), SIGTERM);
	return see(seen, when, cycle);
}

/* A cycle cannot be cut short, so measure waits for its end, and begins no other. */
TEST_F(measure, that_a_signal_ends_waits_for_the_cycle)
{
	struct seen seen = { .played = &self->played };

	interrupt_catch(false);
	self->plan = (struct measure_plan) { MEASURE_BITMAP, 3, 0, raise_signal, &seen };
	EXPECT_EQ(-EINTR, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_EQ(1, self->qemu.started);
	EXPECT_EQ(1, self->measure.nr);
	EXPECT_EQ(MEASURE_LOG_OFF, self->measure.log);
	EXPECT_STREQ("brwe", seen.text);
}

TEST_F(measure, need_not_be_waited_for)
{
	struct seen seen = { .played = &self->played, .stop_at = 'w' };

	interrupt_catch(false);
	self->plan = (struct measure_plan) { MEASURE_BITMAP, 0, 30, raise_signal, &seen };
	EXPECT_EQ(-EINTR, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_EQ(MEASURE_LOG_ON, self->measure.log);
	EXPECT_LT(0, self->measure.left_ms);
	EXPECT_GE(30001, self->measure.left_ms);
	EXPECT_EQ(0, self->measure.nr);
}

/* The callback's result works like a signal, also before the first cycle. */
TEST_F(measure, may_be_stopped_by_its_caller)
{
	struct seen seen = { .played = &self->played, .stop_at = 'b' };

	self->plan.fn = see;
	self->plan.arg = &seen;
	EXPECT_EQ(-EINTR, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_EQ(0, self->qemu.started);
	EXPECT_EQ(MEASURE_LOG_OFF, self->measure.log);
	memset(seen.text, 0, sizeof(seen.text));
	seen.stop_at = 'e';
	self->plan.short_cycles = 2;
	EXPECT_EQ(-EINTR, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_EQ(1, self->measure.nr);
}

TEST_F(measure, does_not_begin_after_a_signal)
{
	interrupt_catch(false);
	kill(getpid(), SIGTERM);
	EXPECT_EQ(-EINTR, measure_run(&self->monitor, &self->plan, &self->measure));
	EXPECT_EQ(0, self->qemu.started);
}

/* --- virsh ----------------------------------------------------------------- */

#define UUID	"5ab2ae10-6c52-4b1b-8d2e-aa4b0e3cfd10"

/* Each call is written to "calls". "state" has the answer to domstats, "job" that to domjobinfo. */
static const char script[] =
	"#!/bin/bash\ncd ${0%/*}; shift 3; echo \"$*\" >>calls\n"
	"case $1 in\ndomstate) cat running;;\ndomjobinfo) cat job;;\n"
	"domdirtyrate-calc) echo started; echo 2 >state;;\n"
	"domstats) echo Domain: x; echo \"  dirtyrate.calc_status=$(cat state)\"\n"
	"echo '  dirtyrate.megabytes_per_second=17';;\n"
	"migrate-getspeed) cat speed;;\nmigrate-getmaxdowntime) echo 500;;\nesac\n";

static void put(const struct played *played, const char *name, const char *text)
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", played->dir, name);
	file = fopen(path, "w");
	fputs(text, file);
	fclose(file);
	chmod(path, 0755);
}

static void be_virsh(struct unit_measure *self)
{
	char *path;

	put(&self->played, "virsh", script);
	put(&self->played, "running", "running\n\n");
	put(&self->played, "job", "Job type: 0\n");
	put(&self->played, "state", "0\n");
	put(&self->played, "speed", "8796093022207\n\n");
	if (asprintf(&path, "%s:%s", self->played.dir, getenv("PATH")) < 0)
		abort();
	setenv("PATH", path, 1);
	free(path);
	self->monitor.way = MONITOR_VIRSH;
	strcpy(self->monitor.domain, UUID);
}

static bool was_called(const struct played *played, const char *call)
{
	char path[96], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/calls", played->dir);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		found |= !strncmp(line, call, strlen(call));
	if (file)
		fclose(file);
	return found;
}

TEST_F(measure, through_virsh_takes_its_own_commands)
{
	be_virsh(self);
	self->plan.mode = MEASURE_RING;
	ASSERT_EQ(0, measure_run(&self->monitor, &self->plan, &self->measure))
		TH_LOG("%s", self->measure.why);
	EXPECT_EQ(1, self->measure.nr);
	EXPECT_EQ(17, self->measure.cycles[0].mib_s.number);
	EXPECT_TRUE(was_called(&self->played,
			       "domdirtyrate-calc --domain " UUID
			       " --seconds 1 --mode dirty-ring\n"));
	EXPECT_TRUE(was_called(&self->played, "domstats --dirtyrate " UUID "\n"));
	EXPECT_FALSE(was_called(&self->played, "qemu-monitor-command"));
}

TEST_F(measure, through_virsh_refuses_likewise)
{
	be_virsh(self);
	put(&self->played, "running", "paused\n");
	EXPECT_TRUE(refuses(self, "it is paused"));
	put(&self->played, "running", "running\n");
	put(&self->played, "job", "Job type: 2\noperation: 5\n");
	EXPECT_TRUE(refuses(self, "migrates"));
	put(&self->played, "job", "Job type: 2\noperation: 9\n");
	put(&self->played, "state", "1\n");
	EXPECT_TRUE(refuses(self, "somebody else"));
	EXPECT_FALSE(was_called(&self->played, "domdirtyrate-calc"));
}

TEST_F(measure, through_virsh_reads_limits_and_a_job)
{
	struct migration migration;

	be_virsh(self);
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &migration));
	EXPECT_TRUE(migration.running);
	EXPECT_EQ(MIGRATION_NONE, migration.phase);
	EXPECT_TRUE(migration.bandwidth.known);
	EXPECT_EQ(0, migration.bandwidth.number);
	EXPECT_TRUE(migration.bandwidth_default);
	EXPECT_EQ(500, migration.downtime_ms.number);
	EXPECT_FALSE(migration.downtime_default);
	EXPECT_FALSE(migration.features_known);
	EXPECT_FALSE(migration.ram_total.known);
	put(&self->played, "speed", "16\n");
	put(&self->played, "job",
	    "Job type: 2\n\noperation: 5\ntime_elapsed: 900\nmemory_total: 4096\n"
	    "memory_remaining: 7\nmemory_bps: 1000000\nmemory_iteration: 3\n");
	ASSERT_EQ(0, migration_read(&self->monitor, 0, &migration));
	EXPECT_EQ(MIGRATION_ACTIVE, migration.phase);
	EXPECT_EQ(16 << 20, migration.bandwidth.number);
	EXPECT_FALSE(migration.bandwidth_default);
	EXPECT_EQ(900, migration.total_ms.number);
	EXPECT_EQ(7, migration.ram_remaining.number);
	EXPECT_EQ(3, migration.syncs.number);
	EXPECT_TRUE(migration.mbps == 8);
	EXPECT_FALSE(migration.dirty_rate.known);
}

TEST_HARNESS_MAIN
