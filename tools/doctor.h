/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rules of kvmwatch doctor. Each compares one number of a vCPU, a VM or the host with a limit.
 * Without a number that it needs, the verdict is "unknown".
 */
#ifndef KVMWATCH_DOCTOR_H
#define KVMWATCH_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "hooks.h"
#include "logged.h"
#include "sample.h"

enum doctor_rule {
	/* of each vCPU */
	DOCTOR_STARVED, DOCTOR_LOAD, DOCTOR_BLOCKED, DOCTOR_EXITS, DOCTOR_POLL,
	/* of each VM */
	DOCTOR_HUGE, DOCTOR_UNMAPPED, DOCTOR_LOGGING, DOCTOR_AUDIT,
	/* of the host */
	DOCTOR_HOOKS,
	DOCTOR_NR
};

#define DOCTOR_VCPU_RULES	DOCTOR_HUGE
#define DOCTOR_VM_RULES		DOCTOR_HOOKS

/**
 * struct doctor_limit - a rule
 * @name:	its name
 * @limit:	the lowest value that stands out
 * @text:	the limit in words, with further conditions
 * @more:	the command that shows more, without its option --vm
 */
struct doctor_limit {
	const char *name;
	double limit;
	const char *text;
	const char *more;
};

extern const struct doctor_limit doctor_limits[DOCTOR_NR];

enum doctor_state { DOCTOR_WELL, DOCTOR_UNKNOWN, DOCTOR_STANDS_OUT };

/**
 * struct doctor_verdict - what a rule says
 * @state:	whether it stands out
 * @value:	the number that the rule compares; 0 if unknown
 * @seen:	what the rule saw, in words, or why that is unknown
 */
struct doctor_verdict {
	enum doctor_state state;
	double value;
	char seen[160];
};

/**
 * struct doctor_vcpu - numbers of a vCPU over the interval; times in nanoseconds
 * @time:	how long the vCPU existed in the interval
 * @preempted:	time preempted, without a pCPU
 * @delay:	run delay of its thread
 * @load_entry:	time from loads to the entries behind them
 * @entries:	number of these entries
 * @blocked:	time asleep in KVM without a halt
 * @poll:	time polling in halts
 * @polled:	halts that ended while polling
 * @waited:	halts that ended after blocking
 * @polls:	not 0 if the vCPU had a polling window
 * @reason:	the exit reason that took most time, halts left out; NULL: no exit came
 * @exit:	the time of that reason
 */
struct doctor_vcpu {
	struct maybe time, preempted, delay, load_entry, entries, blocked, poll, polled, waited;
	struct maybe polls, exit;
	const char *reason;
};

/**
 * struct doctor_vm - numbers of a VM; sizes in bytes
 * @mapped:	mapped memory
 * @peak:	the highest value of @mapped so far
 * @small:	the part of @mapped in 4 KiB pages
 * @huge_gone:	memory of all huge leaves that were unmapped so far
 * @logged:	memory with dirty logging
 * @collects:	collections of the dirty log in the interval
 * @failures:	audits that failed so far
 */
struct doctor_vm {
	struct maybe mapped, peak, small, huge_gone;
	struct logged logged;
	struct maybe collects, failures;
};

/* Judge a vCPU or a VM by one rule of its kind, or the hooks. All fill @verdict. */
void doctor_judge_vcpu(enum doctor_rule rule, const struct doctor_vcpu *vcpu,
		       struct doctor_verdict *verdict);
void doctor_judge_vm(enum doctor_rule rule, const struct doctor_vm *vm,
		     struct doctor_verdict *verdict);
void doctor_judge_hooks(const struct hooks *hooks, struct doctor_verdict *verdict);

/* Is this the exit reason of a halt? The time of such exits is not lost. */
bool doctor_is_halt(const char *reason);

#endif /* KVMWATCH_DOCTOR_H */
