// SPDX-License-Identifier: GPL-2.0
/* Have a VMM log its VM's dirty pages for some seconds. See measure.h. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "cmd.h"
#include "interrupt.h"
#include "measure.h"
#include "migration.h"
#include "qmp.h"
#include "repeat.h"
#include "virsh.h"

#define NSEC_PER_SEC	1000000000ULL
#define NSEC_PER_MSEC	1000000ULL

unsigned int measure_slack_ms = 30000;

enum dirty_status { NOT_STARTED, MEASURING, MEASURED };

/**
 * struct run - a measurement that runs
 * @monitor:	the way to the VMM
 * @plan:	what to measure
 * @measure:	what came of it
 * @cycle:	the one that runs
 * @stopping:	no other begins
 */
struct run {
	const struct monitor *monitor;
	const struct measure_plan *plan;
	struct measure *measure;
	struct measure_cycle cycle;
	bool stopping;
};

/**
 * struct state - what the VMM says at one moment
 * @status:	of the measurement
 * @mib_s:	its result
 * @migration:	the VM's state
 */
struct state {
	enum dirty_status status;
	struct maybe mib_s;
	struct migration migration;
};

static int __printf(3, 4) fail(struct run *run, int err, const char *why, ...)
{
	va_list args;

	va_start(args, why);
	vsnprintf(run->measure->why, sizeof(run->measure->why), why, args);
	va_end(args);
	return err;
}

static unsigned int qmp_flags(const struct run *run)
{
	return run->stopping ? QMP_DESPITE_SIGNALS : 0;
}

static unsigned int virsh_flags(const struct run *run)
{
	return run->stopping ? VIRSH_DESPITE_SIGNALS : 0;
}

static const char *mode_word(const struct run *run)
{
	return run->plan->mode == MEASURE_RING ? "dirty-ring" : "dirty-bitmap";
}

static void call(struct run *run, enum measure_when when)
{
	if (run->plan->fn && run->plan->fn(run->plan->arg, when, &run->cycle))
		run->stopping = true;
}

/* After a signal, calls ignore signals, so that the end of the cycle is still seen. */
static bool is_stopping(struct run *run)
{
	run->stopping |= interrupted();
	return run->stopping;
}

/* --- through QMP ----------------------------------------------------------- */

static int qmp_dirty_rate(struct qmp *qmp, struct state *state)
{
	struct json_object *answer;
	const char *status;
	int err;

	err = qmp_call(qmp, "query-dirty-rate", NULL, &answer);
	if (err)
		return err;
	status = qmp_string(answer, "status");
	state->mib_s = qmp_number(answer, "dirty-rate");
	if (!status)
		err = -EBADMSG;
	else if (!strcmp(status, "measured"))
		state->status = MEASURED;
	else
		state->status = strcmp(status, "measuring") ? NOT_STARTED : MEASURING;
	json_object_put(answer);
	return err;
}

static int qmp_state(struct qmp *qmp, struct state *state)
{
	int err = migration_ask_state(qmp, &state->migration);

	return err ? err : qmp_dirty_rate(qmp, state);
}

/* This ignores signals, as it must be known whether the VMM has begun. */
static int qmp_start(struct run *run, struct qmp *qmp)
{
	struct json_object *arguments = json_object_new_object();

	if (!arguments)
		return -ENOMEM;
	json_object_object_add(arguments, "calc-time", json_object_new_int(run->cycle.seconds));
	json_object_object_add(arguments, "mode", json_object_new_string(mode_word(run)));
	qmp_ignore_signals(qmp);
	return qmp_call(qmp, "calc-dirty-rate", arguments, NULL);
}

static int fail_qmp(struct run *run, const struct qmp *qmp, int err)
{
	switch (err) {
	case -EREMOTEIO:
		return fail(run, -EOPNOTSUPP, "the VMM refuses to measure: %s", qmp_words(qmp));
	case -EOPNOTSUPP:
		return fail(run, err, "this VMM can't measure; QEMU can since 6.2");
	default:
		return fail(run, err, "%s", qmp_strerror(err));
	}
}

/* --- through virsh --------------------------------------------------------- */

static int virsh_dirty_rate(struct run *run, struct state *state, struct virsh_answer *answer)
{
	const char *const args[] = { "domstats", "--dirtyrate", run->monitor->domain, NULL };
	struct maybe status;
	int err;

	err = virsh_run(args, virsh_flags(run), answer);
	if (err)
		return err;
	status = virsh_number(answer, "dirtyrate.calc_status");
	if (!status.known)
		return -EOPNOTSUPP;
	state->status = status.number == 2 ? MEASURED : status.number ? MEASURING : NOT_STARTED;
	state->mib_s = virsh_number(answer, "dirtyrate.megabytes_per_second");
	return 0;
}

static int virsh_state(struct run *run, struct state *state, struct virsh_answer *answer)
{
	int err = migration_virsh_state(run->monitor, qmp_flags(run), &state->migration, answer);

	return err ? err : virsh_dirty_rate(run, state, answer);
}

static int virsh_start(struct run *run, struct virsh_answer *answer)
{
	char seconds[16];
	const char *const args[] = {
		"domdirtyrate-calc", "--domain", run->monitor->domain, "--seconds", seconds,
		"--mode", mode_word(run), NULL
	};

	snprintf(seconds, sizeof(seconds), "%u", run->cycle.seconds);
	return virsh_run(args, VIRSH_DESPITE_SIGNALS, answer);
}

static int fail_virsh(struct run *run, const struct virsh_answer *answer, int err)
{
	switch (err) {
	case -EREMOTEIO:
		return fail(run, -EOPNOTSUPP, "libvirt refuses to measure: %s", answer->words);
	case -EOPNOTSUPP:
		return fail(run, err, "this libvirt can't measure; it can since 8.1");
	case -ENOENT:
		return fail(run, err, "there is no virsh here any more");
	default:
		return fail(run, err, "virsh: %s", qmp_strerror(err));
	}
}

/* --- cycles ---------------------------------------------------------------- */

/* A VM that is paused would stay logged until it runs again, so refuse it. */
static int refuse(struct run *run, const struct migration *migration)
{
	if (!*migration->status)
		return fail(run, -EBUSY, "the VMM does not say whether the VM runs");
	if (!migration->running)
		return fail(run, -EBUSY, "the VM does not run (it is %s)", migration->status);
	if (migration->phase == MIGRATION_ACTIVE)
		return fail(run, -EBUSY, "the VM migrates (%s)", migration->phase_status);
	if (migration->phase == MIGRATION_UNKNOWN && *migration->phase_status)
		return fail(run, -EBUSY, "whether the VM migrates is not known (%s)",
			    migration->phase_status);
	return 0;
}

/* May a cycle begin? If so, call the callback. */
static int prepare(struct run *run, const struct state *state)
{
	int err = refuse(run, &state->migration);

	if (err)
		return err;
	if (state->status == MEASURING)
		return fail(run, -EBUSY, "somebody else has it measured just now");
	call(run, MEASURE_BEGINS);
	if (is_stopping(run))
		return fail(run, -EINTR, "interrupted");
	run->cycle.begin_ns = now_ns();
	return 0;
}

/* Close the connection at the end, so that others may use the monitor while the VM is logged. */
static int begin_qmp(struct run *run)
{
	struct state state = { };
	struct qmp *qmp;
	int err;

	err = monitor_connect(run->monitor, 0, &qmp);
	if (err)
		return fail(run, err, "%s", qmp_strerror(err));
	err = qmp_state(qmp, &state);
	if (err) {
		fail_qmp(run, qmp, err);
	} else {
		err = prepare(run, &state);
		if (!err)
			err = qmp_start(run, qmp);
		if (err && run->cycle.begin_ns)
			err = fail_qmp(run, qmp, err);
	}
	qmp_close(qmp);
	return err;
}

static int begin_virsh(struct run *run)
{
	struct virsh_answer answer;
	struct state state = { };
	int err;

	err = virsh_state(run, &state, &answer);
	if (err)
		return fail_virsh(run, &answer, err);
	err = prepare(run, &state);
	if (err)
		return err;
	err = virsh_start(run, &answer);
	return err ? fail_virsh(run, &answer, err) : 0;
}

/* If the request was cut short, it is unknown whether the VMM has begun. */
static void note_unseen(struct run *run, int err)
{
	if (!run->cycle.begin_ns)
		return;
	switch (err) {
	case -EOPNOTSUPP:
	case -ENOMEM:
		return;
	default:
		run->measure->log = MEASURE_LOG_UNSEEN;
	}
}

static int begin(struct run *run)
{
	int err = run->monitor->way == MONITOR_VIRSH ? begin_virsh(run) : begin_qmp(run);

	run->cycle.asked_ns = now_ns();
	if (!err)
		run->measure->log = MEASURE_LOG_ON;
	else
		note_unseen(run, err);
	return err;
}

/* Returns 0 and the VMM's state. Its error messages are of no use here. */
static int look(struct run *run, struct state *state)
{
	struct virsh_answer answer;
	struct qmp *qmp;
	int err;

	if (run->monitor->way == MONITOR_VIRSH)
		return virsh_state(run, state, &answer);
	err = monitor_connect(run->monitor, qmp_flags(run), &qmp);
	if (err)
		return err;
	err = qmp_state(qmp, state);
	qmp_close(qmp);
	return err;
}

/* A cycle in which the VM was paused or migrated says nothing about the running VM. */
static int end(struct run *run, const struct state *state)
{
	struct measure *measure = run->measure;
	int err;

	run->cycle.end_ns = now_ns();
	run->cycle.mib_s = state->mib_s;
	measure->log = MEASURE_LOG_OFF;
	err = refuse(run, &state->migration);
	if (err && !state->migration.running)
		measure->log = MEASURE_LOG_STAYS;
	if (err)
		return err;
	measure->cycles[measure->nr++] = run->cycle;
	call(run, MEASURE_ENDED);
	return 0;
}

static __u64 should_end(const struct run *run)
{
	return run->cycle.begin_ns + run->cycle.seconds * NSEC_PER_SEC;
}

/* Give up. @err is the reason why the end was not seen. */
static int leave(struct run *run, int err)
{
	const __u64 now = now_ns(), until = should_end(run);

	if (until > now) {
		run->measure->log = MEASURE_LOG_ON;
		run->measure->left_ms = (until - now) / NSEC_PER_MSEC + 1;
	} else {
		run->measure->log = MEASURE_LOG_UNSEEN;
	}
	if (err == -EINTR)
		return fail(run, err, "interrupted");
	if (!err)
		return fail(run, -ETIMEDOUT, "the VMM does not end the measurement");
	return fail(run, err, "whether the measurement has ended is not known: %s",
		    qmp_strerror(err));
}

/* Wait for one tick. False: stop waiting. */
static bool tick(struct run *run)
{
	const bool waiting = is_stopping(run);
	const struct measure_plan *plan = run->plan;

	if (waiting && plan->fn && plan->fn(plan->arg, MEASURE_WAITS, &run->cycle))
		return false;
	if (!waiting)
		call(run, MEASURE_RUNS);
	poll(NULL, 0, MEASURE_TICK_MS);	/* a signal ends it */
	return true;
}

/*
 * Another client may hold the monitor, or the VMM may be busy: then ask again. Only the end of the
 * VMM's process ends the wait.
 */
static int wait_for_end(struct run *run)
{
	const __u64 due = should_end(run);
	const __u64 deadline = due + run->cycle.seconds * NSEC_PER_SEC +
			       measure_slack_ms * NSEC_PER_MSEC;
	struct state state = { };
	int err = 0;

	while (now_ns() < deadline) {
		if (monitor_is_gone(run->monitor)) {
			run->measure->log = MEASURE_LOG_OFF;
			return fail(run, -ESRCH, "the VM has ended");
		}
		if (now_ns() >= due) {
			err = look(run, &state);
			if (!err && state.status == MEASURED)
				return end(run, &state);
		}
		if (!tick(run))
			return leave(run, -EINTR);
	}
	return leave(run, err);
}

static int run_cycle(struct run *run, unsigned int number, unsigned int of)
{
	const struct measure_plan *plan = run->plan;
	int err;

	memset(&run->cycle, 0, sizeof(run->cycle));
	run->cycle.number = number;
	run->cycle.of = of;
	run->cycle.seconds = number < plan->short_cycles ? MEASURE_MIN_SECONDS : plan->seconds;
	err = begin(run);
	if (!err)
		return wait_for_end(run);
	if (!monitor_is_gone(run->monitor))
		return err;
	run->measure->log = MEASURE_LOG_OFF;
	return fail(run, -ESRCH, "the VM has ended");
}

static bool is_possible(const struct measure_plan *plan)
{
	const unsigned int of = plan->short_cycles + !!plan->seconds;

	return plan->seconds <= MEASURE_MAX_SECONDS && of &&
	       plan->short_cycles < MEASURE_MAX_CYCLES && of <= MEASURE_MAX_CYCLES;
}

int measure_run(const struct monitor *monitor, const struct measure_plan *plan,
		struct measure *measure)
{
	struct run run = { .monitor = monitor, .plan = plan, .measure = measure };
	const unsigned int of = plan->short_cycles + !!plan->seconds;
	unsigned int number;
	int err = 0;

	memset(measure, 0, sizeof(*measure));
	if (!is_possible(plan))
		return fail(&run, -EINVAL, "a measurement takes %u to %u seconds",
			    MEASURE_MIN_SECONDS, MEASURE_MAX_SECONDS);
	if (monitor->way == MONITOR_NONE)
		return fail(&run, -ENOENT, "%s", monitor->why);
	for (number = 0; number < of && !err; number++) {
		err = is_stopping(&run) ? fail(&run, -EINTR, "interrupted") :
					  run_cycle(&run, number, of);
	}
	return err;
}
