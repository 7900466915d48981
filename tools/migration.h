/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VMM's report about migrating a VM: its settings, and the progress of a running migration. This
 * only reads.
 */
#ifndef KVMWATCH_MIGRATION_H
#define KVMWATCH_MIGRATION_H

#include <stdbool.h>

#include "monitor.h"
#include "qmp.h"
#include "sample.h"

/* QEMU's defaults */
#define MIGRATION_BANDWIDTH	(128ULL << 20)	/* bytes a second; 32 MiB/s before 5.2 */
#define MIGRATION_DOWNTIME_MS	300

/* Features of the running migration, or of the next one */
#define MIGRATION_AUTO_CONVERGE	0x1	/* vCPUs are throttled */
#define MIGRATION_POSTCOPY	0x2
#define MIGRATION_XBZRLE	0x4
#define MIGRATION_COMPRESS	0x8
#define MIGRATION_MULTIFD	0x10

enum migration_phase {
	MIGRATION_UNKNOWN,	/* a status that is not known here */
	MIGRATION_NONE,		/* none was begun, or the last one was cancelled or failed */
	MIGRATION_ACTIVE,	/* it begins, runs or ends */
	MIGRATION_DONE,		/* completed: the VM is elsewhere, unless it was a snapshot */
};

/**
 * struct migration - the VMM's report about migrating
 * @version:		of QEMU; all 0: not known (through virsh)
 * @status:		of the VM: "running", "paused", ...; "": not known
 * @running:		its vCPUs run
 * @phase:		of its migration
 * @phase_status:	the phase in the VMM's own word; "": there was no migration
 * @bandwidth:		limit in bytes a second; 0: none
 * @bandwidth_default:	@bandwidth is the default of this QEMU: perhaps nobody has set it
 * @downtime_ms:	limit of the pause
 * @downtime_default:	@downtime_ms is the default of this QEMU
 * @features:		MIGRATION_*
 * @features_known:	@features is valid
 * @blocked:		why the VM cannot be migrated; "": no reason is known
 * @total_ms:		time since the migration began
 * @setup_ms:		time that the setup took
 * @expected_ms:	the pause that the VMM would expect if it stopped the VM now
 * @pause_ms:		the actual pause of a completed migration
 * @ram_total:		bytes
 * @ram_remaining:	bytes
 * @ram_transferred:	bytes
 * @page_bytes:		size of a page in what follows
 * @normal:		pages sent whole
 * @zero:		pages sent as zero
 * @dirty_rate:		pages a second, of the last round
 * @syncs:		how often the VMM has collected the dirty log
 * @throttle_percent:	how much vCPUs are throttled
 * @mbps:		megabits a second; negative: unknown
 * @why:		after an error: the reason, for a message
 *
 * Members from @total_ms on are unknown before a migration has begun.
 */
struct migration {
	struct qmp_version version;
	char status[32];
	bool running;
	enum migration_phase phase;
	char phase_status[32];
	struct maybe bandwidth;
	bool bandwidth_default;
	struct maybe downtime_ms;
	bool downtime_default;
	unsigned int features;
	bool features_known;
	char blocked[MONITOR_WHY];

	struct maybe total_ms, setup_ms, expected_ms, pause_ms;
	struct maybe ram_total, ram_remaining, ram_transferred;
	struct maybe page_bytes, normal, zero, dirty_rate, syncs;
	struct maybe throttle_percent;
	double mbps;

	char why[MONITOR_WHY];
};

/**
 * migration_read() - ask the VMM
 * @monitor: the way to it, which is taken for a moment
 * @flags: QMP_*
 * @migration: filled; all unknown but @why when this fails
 *
 * A VMM that is about to end a migration may say total-time 0 at "completed": ask again.
 *
 * Return: 0, or -errno as monitor_connect(), qmp_call() or virsh_run(); -ENOENT: there is no
 * way; -ESRCH: the VM has ended.
 */
int migration_read(const struct monitor *monitor, unsigned int flags,
		   struct migration *migration);

/* --- for measure.c --------------------------------------------------------- */

/* Ask only for the state of the VM and of a running migration, not for settings. */
int migration_ask_state(struct qmp *qmp, struct migration *migration);
/* Ask the same through virsh. If this fails with -EREMOTEIO, @answer has its message. */
int migration_virsh_state(const struct monitor *monitor, unsigned int flags,
			  struct migration *migration, struct virsh_answer *answer);

#endif /* KVMWATCH_MIGRATION_H */
