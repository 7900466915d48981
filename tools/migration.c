// SPDX-License-Identifier: GPL-2.0
/* A VMM's report about migrating a VM. See migration.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "migration.h"
#include "text.h"
#include "virsh.h"

#define OLD_BANDWIDTH	(32ULL << 20)
#define MIB		1048576ULL
/* libvirt's "no limit" in MiB/s; QEMU is told, and says, so many MiB */
#define VIRSH_NO_LIMIT	8796093022207ULL

static void forget(struct migration *migration)
{
	memset(migration, 0, sizeof(*migration));
	migration->mbps = -1;
}

static void copy_word(char *to, size_t size, const char *word)
{
	snprintf(to, size, "%.*s", (int)size - 1, word ? word : "");
	text_clean(to);
}

/* --- QMP ------------------------------------------------------------------- */

static const char *const active[] = {
	"setup", "wait-unplug", "active", "pre-switchover", "device", "cancelling", "failing",
	"postcopy-device", "postcopy-active", "postcopy-paused", "postcopy-recover",
	"postcopy-recover-setup", "colo", NULL
};

static const char *const none[] = { "", "none", "cancelled", "failed", NULL };

static bool is_among(const char *word, const char *const *words)
{
	for (; *words; words++) {
		if (!strcmp(word, *words))
			return true;
	}
	return false;
}

static enum migration_phase phase_of(const char *status)
{
	if (is_among(status, active))
		return MIGRATION_ACTIVE;
	if (is_among(status, none))
		return MIGRATION_NONE;
	return strcmp(status, "completed") ? MIGRATION_UNKNOWN : MIGRATION_DONE;
}

static void take_status(struct migration *migration, struct json_object *answer)
{
	migration->running = qmp_true(answer, "running");
	copy_word(migration->status, sizeof(migration->status), qmp_string(answer, "status"));
}

static void take_blocked(struct migration *migration, struct json_object *answer)
{
	struct json_object *reasons = qmp_find(answer, "blocked-reasons"), *reason;

	if (!json_object_is_type(reasons, json_type_array) || !json_object_array_length(reasons))
		return;
	reason = json_object_array_get_idx(reasons, 0);
	if (json_object_is_type(reason, json_type_string))
		copy_word(migration->blocked, sizeof(migration->blocked),
			  json_object_get_string(reason));
	if (!*migration->blocked)
		copy_word(migration->blocked, sizeof(migration->blocked), "no reason given");
}

static void take_migration(struct migration *migration, struct json_object *answer)
{
	copy_word(migration->phase_status, sizeof(migration->phase_status),
		  qmp_string(answer, "status"));
	migration->phase = phase_of(migration->phase_status);
	take_blocked(migration, answer);
	migration->total_ms = qmp_number(answer, "total-time");
	migration->setup_ms = qmp_number(answer, "setup-time");
	migration->expected_ms = qmp_number(answer, "expected-downtime");
	migration->pause_ms = qmp_number(answer, "downtime");
	migration->ram_total = qmp_number(answer, "ram/total");
	migration->ram_remaining = qmp_number(answer, "ram/remaining");
	migration->ram_transferred = qmp_number(answer, "ram/transferred");
	migration->page_bytes = qmp_number(answer, "ram/page-size");
	migration->normal = qmp_number(answer, "ram/normal");
	migration->zero = qmp_number(answer, "ram/duplicate");
	migration->dirty_rate = qmp_number(answer, "ram/dirty-pages-rate");
	migration->syncs = qmp_number(answer, "ram/dirty-sync-count");
	migration->throttle_percent = qmp_number(answer, "cpu-throttle-percentage");
	migration->mbps = qmp_double(answer, "ram/mbps");
}

static bool bandwidth_is_default(const struct migration *migration)
{
	const struct qmp_version *version = &migration->version;
	bool old = version->major < 5 || (version->major == 5 && version->minor < 2);

	return migration->bandwidth.known &&
	       migration->bandwidth.number == (old ? OLD_BANDWIDTH : MIGRATION_BANDWIDTH);
}

static void take_parameters(struct migration *migration, struct json_object *answer)
{
	migration->bandwidth = qmp_number(answer, "max-bandwidth");
	if (migration->bandwidth.number >= VIRSH_NO_LIMIT * MIB)
		migration->bandwidth.number = 0;
	migration->bandwidth_default = bandwidth_is_default(migration);
	migration->downtime_ms = qmp_number(answer, "downtime-limit");
	migration->downtime_default = migration->downtime_ms.known &&
				      migration->downtime_ms.number == MIGRATION_DOWNTIME_MS;
}

static const struct {
	const char *name;
	unsigned int feature;
} capabilities[] = {
	{ "auto-converge",	MIGRATION_AUTO_CONVERGE },
	{ "postcopy-ram",	MIGRATION_POSTCOPY },
	{ "xbzrle",		MIGRATION_XBZRLE },
	{ "compress",		MIGRATION_COMPRESS },
	{ "multifd",		MIGRATION_MULTIFD },
};

static void take_capability(struct migration *migration, struct json_object *capability)
{
	const char *name = qmp_string(capability, "capability");
	size_t i;

	if (!name || !qmp_true(capability, "state"))
		return;
	for (i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++) {
		if (!strcmp(name, capabilities[i].name))
			migration->features |= capabilities[i].feature;
	}
}

static void take_capabilities(struct migration *migration, struct json_object *answer)
{
	size_t i, nr;

	if (!json_object_is_type(answer, json_type_array))
		return;
	nr = json_object_array_length(answer);
	for (i = 0; i < nr; i++)
		take_capability(migration, json_object_array_get_idx(answer, i));
	migration->features_known = true;
}

static const struct {
	const char *command;
	void (*take)(struct migration *migration, struct json_object *answer);
} queries[] = {
	{ "query-status",			take_status },
	{ "query-migrate",			take_migration },
	{ "query-migrate-parameters",		take_parameters },
	{ "query-migrate-capabilities",		take_capabilities },
};

/* Ask the first @nr of these. A command that this VMM lacks leaves its values unknown. */
static int ask(struct qmp *qmp, size_t nr, struct migration *migration)
{
	struct json_object *answer;
	size_t i;
	int err;

	migration->version = *qmp_version(qmp);
	for (i = 0; i < nr; i++) {
		err = qmp_call(qmp, queries[i].command, NULL, &answer);
		if (err == -EOPNOTSUPP)
			continue;
		if (err)
			return err;
		queries[i].take(migration, answer);
		json_object_put(answer);
	}
	return 0;
}

int migration_ask_state(struct qmp *qmp, struct migration *migration)
{
	forget(migration);
	return ask(qmp, 2, migration);
}

static int read_qmp(const struct monitor *monitor, unsigned int flags,
		    struct migration *migration)
{
	struct qmp *qmp;
	int err;

	err = monitor_connect(monitor, flags, &qmp);
	if (err)
		return err;
	err = ask(qmp, sizeof(queries) / sizeof(*queries), migration);
	qmp_close(qmp);
	return err;
}

/* --- virsh ----------------------------------------------------------------- */

static int run(const struct monitor *monitor, unsigned int flags, const char *command,
	       const char *option, struct virsh_answer *answer)
{
	const char *const args[] = { command, "--domain", monitor->domain, option, NULL };

	return virsh_run(args, flags & QMP_DESPITE_SIGNALS ? VIRSH_DESPITE_SIGNALS : 0, answer);
}

static struct maybe first_number(struct virsh_answer *answer)
{
	struct maybe number = { };

	answer->text[strcspn(answer->text, " \t\r\n")] = '\0';
	number.known = text_parse_u64(answer->text, &number.number);
	return number;
}

static void take_domstate(struct migration *migration, struct virsh_answer *answer)
{
	answer->text[strcspn(answer->text, "\r\n")] = '\0';
	copy_word(migration->status, sizeof(migration->status), answer->text);
	migration->running = !strcmp(migration->status, "running");
}

/* Is this a job of libvirt's that uses QEMU's migration? See virDomainJobOperation. */
static bool job_migrates(const struct virsh_answer *answer)
{
	struct maybe operation = virsh_number(answer, "operation");

	if (!operation.known)
		return true;
	switch (operation.number) {
	case 1:		/* start */
	case 7:		/* revert to a snapshot */
	case 9:		/* backup */
	case 10:	/* delete a snapshot */
		return false;
	default:
		return true;
	}
}

static void take_jobinfo(struct migration *migration, const struct virsh_answer *answer)
{
	struct maybe type = virsh_number(answer, "Job type"), bytes_s;

	if (!type.known)
		return;
	if (!type.number || !job_migrates(answer)) {
		migration->phase = MIGRATION_NONE;
		return;
	}
	migration->phase = MIGRATION_ACTIVE;
	copy_word(migration->phase_status, sizeof(migration->phase_status), "active");
	migration->total_ms = virsh_number(answer, "time_elapsed");
	migration->setup_ms = virsh_number(answer, "setup_time");
	migration->expected_ms = virsh_number(answer, "downtime");
	migration->ram_total = virsh_number(answer, "memory_total");
	migration->ram_remaining = virsh_number(answer, "memory_remaining");
	migration->ram_transferred = virsh_number(answer, "memory_processed");
	migration->page_bytes = virsh_number(answer, "memory_page_size");
	migration->normal = virsh_number(answer, "memory_normal");
	migration->zero = virsh_number(answer, "memory_constant");
	migration->dirty_rate = virsh_number(answer, "memory_dirty_rate");
	migration->syncs = virsh_number(answer, "memory_iteration");
	migration->throttle_percent = virsh_number(answer, "auto_converge_throttle");
	bytes_s = virsh_number(answer, "memory_bps");
	if (bytes_s.known)
		migration->mbps = bytes_s.number * 8 / 1e6;
}

static void take_limits(const struct monitor *monitor, unsigned int flags,
			struct migration *migration)
{
	struct virsh_answer answer;
	struct maybe mib_s;

	if (!run(monitor, flags, "migrate-getmaxdowntime", NULL, &answer)) {
		migration->downtime_ms = first_number(&answer);
		migration->downtime_default = migration->downtime_ms.number ==
					      MIGRATION_DOWNTIME_MS;
	}
	if (run(monitor, flags, "migrate-getspeed", NULL, &answer))
		return;
	mib_s = first_number(&answer);
	if (!mib_s.known)
		return;
	migration->bandwidth_default = mib_s.number >= VIRSH_NO_LIMIT;
	migration->bandwidth.known = true;
	migration->bandwidth.number = migration->bandwidth_default ? 0 : mib_s.number * MIB;
}

int migration_virsh_state(const struct monitor *monitor, unsigned int flags,
			  struct migration *migration, struct virsh_answer *answer)
{
	int err;

	forget(migration);
	err = run(monitor, flags, "domstate", NULL, answer);
	if (err)
		return err;
	take_domstate(migration, answer);
	err = run(monitor, flags, "domjobinfo", "--rawstats", answer);
	if (!err)
		take_jobinfo(migration, answer);
	return err == -EOPNOTSUPP ? 0 : err;
}

static int read_virsh(const struct monitor *monitor, unsigned int flags,
		      struct migration *migration)
{
	struct virsh_answer answer;
	int err;

	err = migration_virsh_state(monitor, flags, migration, &answer);
	if (!err)
		take_limits(monitor, flags, migration);
	else if (err == -EREMOTEIO)
		copy_word(migration->why, sizeof(migration->why), answer.words);
	return err;
}

/* --- either ---------------------------------------------------------------- */

int migration_read(const struct monitor *monitor, unsigned int flags,
		   struct migration *migration)
{
	char why[MONITOR_WHY] = "";
	int err = -ENOENT;

	forget(migration);
	if (monitor->way == MONITOR_QMP)
		err = read_qmp(monitor, flags, migration);
	else if (monitor->way == MONITOR_VIRSH)
		err = read_virsh(monitor, flags, migration);
	else
		copy_word(why, sizeof(why), monitor->why);
	if (!err)
		return 0;
	if (*migration->why)
		copy_word(why, sizeof(why), migration->why);
	forget(migration);
	if (monitor->way != MONITOR_NONE && monitor_is_gone(monitor))
		err = -ESRCH;
	copy_word(migration->why, sizeof(migration->why),
		  err == -ESRCH ? "the VM has ended" : *why ? why : qmp_strerror(err));
	return err;
}
