/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Make a VMM switch dirty logging on for some seconds, with calc-dirty-rate, so that kvmwatch has
 * marks to count.
 *
 * This slows the guest down: while logging is on, the first write to each page is a fault, and KVM
 * splits huge pages; on 6.1 KVM unmaps everything when logging ends. So commands do this only if
 * the user asks for it. QEMU has no command that ends a measurement early: after a signal, wait for
 * the end of the running cycle, and start no other.
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
 * struct measure_cycle - one measurement by the VMM
 * @number:	index, from 0
 * @of:		number of cycles in the plan
 * @seconds:	its length
 * @begin_ns:	just before the command was sent, by CLOCK_MONOTONIC
 * @asked_ns:	when the VMM had accepted it; logging begins soon after
 * @end_ns:	when the VMM first reported that it had ended; 0: not yet
 * @mib_s:	the dirty rate that the VMM reported, in MiB per second
 */
struct measure_cycle {
	unsigned int number, of;
	unsigned int seconds;
	__u64 begin_ns, asked_ns, end_ns;
	struct maybe mib_s;
};

enum measure_when {
	MEASURE_BEGINS,		/* before the command is sent: logging is off */
	MEASURE_RUNS,		/* logging is on; every MEASURE_TICK_MS */
	MEASURE_WAITS,		/* the same after a signal, while waiting for the end */
	MEASURE_ENDED,		/* logging is off again */
};

#define MEASURE_TICK_MS		50

/*
 * How much longer than twice its length a cycle may take. QEMU starts over if vCPUs are added or
 * removed meanwhile, and the VMM may be busy. Tests set less.
 */
extern unsigned int measure_slack_ms;

/*
 * Called at the moments of enum measure_when, to read statistics. At MEASURE_BEGINS measure_run()
 * holds the monitor, so be short. Return other than 0 to stop as after a signal; at MEASURE_WAITS,
 * to stop waiting for the end.
 */
typedef int measure_fn(void *arg, enum measure_when when, const struct measure_cycle *cycle);

/**
 * struct measure_plan - what to measure
 * @mode:	MEASURE_RING if the VM has KVMWATCH_VM_DIRTY_RING
 * @short_cycles: number of cycles of a second; usually MEASURE_SHORT_CYCLES
 * @seconds:	length of the long cycle that follows; 0: none
 * @fn:		see measure_fn; may be NULL
 * @arg:	first argument of @fn
 */
struct measure_plan {
	enum measure_mode mode;
	unsigned int short_cycles;
	unsigned int seconds;
	measure_fn *fn;
	void *arg;
};

/* Dirty logging when measure_run() returns, as far as it knows */
enum measure_log {
	MEASURE_LOG_OFF,	/* off, unless somebody else switched it on */
	MEASURE_LOG_ON,		/* on; the VMM will switch it off */
	MEASURE_LOG_STAYS,	/* on until the VM runs again: it was paused meanwhile */
	MEASURE_LOG_UNSEEN,	/* unknown: the end of the cycle was not seen */
};

/**
 * struct measure - the result of measure_run()
 * @cycles:	cycles that ended while the VM ran and did not migrate
 * @nr:		number of @cycles
 * @log:	state of dirty logging
 * @left_ms:	with MEASURE_LOG_ON: an upper bound of how long logging stays on
 * @why:	after an error: the reason, for a message
 */
struct measure {
	struct measure_cycle cycles[MEASURE_MAX_CYCLES];
	unsigned int nr;
	enum measure_log log;
	unsigned int left_ms;
	char why[MONITOR_WHY];
};

/**
 * measure_run() - run a plan
 * @monitor: the way to the VMM. Connects briefly, and not while a cycle runs
 * @plan: the plan
 * @measure: filled
 *
 * Takes little more than the sum of the cycles; if the VMM is slow to end a cycle, at most as long
 * again plus half a minute.
 *
 * Return: 0; otherwise @measure has the cycles that ended before:
 *  -EINVAL: no valid plan;
 *  -EBUSY: the VM is paused, migrates or is being measured, or somebody holds the monitor;
 *  -EOPNOTSUPP: this VMM cannot measure;
 *  -ESRCH: the VM has ended;
 *  -EINTR: a signal came, or @fn said so;
 *  -ETIMEDOUT: a cycle did not end;
 *  or as qmp_call().
 */
int measure_run(const struct monitor *monitor, const struct measure_plan *plan,
		struct measure *measure);

#endif /* KVMWATCH_MEASURE_H */
