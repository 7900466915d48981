/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Have a VMM log what its VM dirties for some seconds, with calc-dirty-rate, so that kvmwatch has
 * marks to count.
 *
 * This changes what the VM does: while it is logged the first write to each page is a fault, and
 * KVM splits huge pages; on 6.1 KVM unmaps everything when it ends. So nobody calls this
 * without having said so. QEMU has no command that ends a measurement early: who is interrupted
 * waits for the end of the cycle that runs, and no other begins.
 */
#ifndef KVMWATCH_MEASURE_H
#define KVMWATCH_MEASURE_H

#include "monitor.h"
#include "sample.h"

/* Which lengths QEMU takes */
#define MEASURE_MIN_SECONDS	1
#define MEASURE_MAX_SECONDS	60

#define MEASURE_SHORT_CYCLES	3
#define MEASURE_MAX_CYCLES	16

enum measure_mode {
	MEASURE_BITMAP,		/* dirty-bitmap */
	MEASURE_RING,		/* dirty-ring: the VM has dirty rings */
};

/**
 * struct measure_cycle - one time that the VM is logged
 * @number:	from 0
 * @of:		how many there will be
 * @seconds:	how long
 * @begin_ns:	just before the VMM was asked, by CLOCK_MONOTONIC
 * @asked_ns:	when it had agreed; logging begins soon after
 * @end_ns:	when it was seen that it had ended; 0: not yet
 * @mib_s:	the dirty rate in the VMM's own words, MiB a second
 */
struct measure_cycle {
	unsigned int number, of;
	unsigned int seconds;
	__u64 begin_ns, asked_ns, end_ns;
	struct maybe mib_s;
};

enum measure_when {
	MEASURE_BEGINS,		/* the VMM is asked next: nothing is logged yet */
	MEASURE_RUNS,		/* the VM is logged; every MEASURE_TICK_MS */
	MEASURE_WAITS,		/* the same after a signal: only the end is waited for */
	MEASURE_ENDED,		/* logging is off again */
};

#define MEASURE_TICK_MS		50

/*
 * How much longer than twice its length a cycle may take. It takes as long again when vCPUs come or
 * go meanwhile, and the VMM may be busy. Tests have less time.
 */
extern unsigned int measure_slack_ms;

/*
 * What is to be read at such a moment is read here. At MEASURE_BEGINS the monitor is held, so this
 * is to be short. Not 0: as if a signal had come; at MEASURE_WAITS: do not wait for the end.
 */
typedef int measure_fn(void *arg, enum measure_when when, const struct measure_cycle *cycle);

/**
 * struct measure_plan - what to measure
 * @mode:	as KVMWATCH_VM_DIRTY_RING says
 * @short_cycles: how many of a second; usually MEASURE_SHORT_CYCLES
 * @seconds:	length of the long one that follows; 0: none follows
 * @fn:		called at such moments; may be NULL
 * @arg:	its first argument
 */
struct measure_plan {
	enum measure_mode mode;
	unsigned int short_cycles;
	unsigned int seconds;
	measure_fn *fn;
	void *arg;
};

/* Whether the VMM logs, as far as measure_run() knows when it returns */
enum measure_log {
	MEASURE_LOG_OFF,	/* no, for all that was asked of it */
	MEASURE_LOG_ON,		/* yes, and it will stop by itself */
	MEASURE_LOG_STAYS,	/* yes, until the VM runs again: it was paused meanwhile */
	MEASURE_LOG_UNSEEN,	/* its end was not seen */
};

/**
 * struct measure - what came of it
 * @cycles:	those that ended while the VM ran and did not migrate
 * @nr:		how many
 * @log:	what remains
 * @left_ms:	of MEASURE_LOG_ON: for how long it will go on, and a little more
 * @why:	when it failed: why, for a message
 */
struct measure {
	struct measure_cycle cycles[MEASURE_MAX_CYCLES];
	unsigned int nr;
	enum measure_log log;
	unsigned int left_ms;
	char why[MONITOR_WHY];
};

/**
 * measure_run() - measure
 * @monitor: the way to the VMM; it is taken for moments, and left alone while a cycle runs
 * @plan: what
 * @measure: filled
 *
 * Takes the sum of the cycles and little more; if the VMM is slow to end a cycle, at most as long
 * again and half a minute.
 *
 * Return: 0; with what ended before in @measure otherwise:
 *  -EINVAL: such a plan is not possible;
 *  -EBUSY: the VM is paused, migrates or is being measured, or somebody holds the monitor;
 *  -EOPNOTSUPP: this VMM can't;
 *  -ESRCH: the VM has ended;
 *  -EINTR: a signal came, or @fn said so;
 *  -ETIMEDOUT: a cycle did not end;
 *  or as qmp_call().
 */
int measure_run(const struct monitor *monitor, const struct measure_plan *plan,
		struct measure *measure);

#endif /* KVMWATCH_MEASURE_H */
