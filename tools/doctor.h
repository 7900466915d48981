/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What stands out in a VM, by rules with a limit each. A rule looks at numbers of an interval, or
 * at those of now. It says so when it lacks one.
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
 * struct doctor_limit - what a rule is about
 * @name:	the rule's
 * @limit:	from here on it stands out
 * @text:	the same in words, with what else has to hold
 * @more:	the command that shows more, without its VM
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
 * @value:	what the limit is for, unless it is unknown
 * @seen:	a sentence of it: what is seen, or why it is unknown
 */
struct doctor_verdict {
	enum doctor_state state;
	double value;
	char seen[160];
};

/**
 * struct doctor_vcpu - what a vCPU did in the interval
 * @time:	nanoseconds that passed for it, of which are:
 * @preempted:	without the pCPU that the scheduler took from it
 * @delay:	of its thread, runnable without a pCPU
 * @load_entry:	from loads to entries
 * @entries:	how many of those
 * @blocked:	asleep in KVM without a halt
 * @poll:	polling in halts
 * @polled:	halts that ended so
 * @waited:	halts that did not
 * @polls:	whether it has a window to poll in
 * @reason:	the exit reason that took most time, halts left out; NULL: none has come
 * @exit:	that time
 */
struct doctor_vcpu {
	struct maybe time, preempted, delay, load_entry, entries, blocked, poll, polled, waited;
	struct maybe polls, exit;
	const char *reason;
};

/**
 * struct doctor_vm - how a VM is
 * @mapped:	memory that is mapped, in bytes
 * @peak:	most that ever was
 * @small:	what of it is mapped by 4 KiB
 * @huge_gone:	what huge leaves mapped that are no more
 * @logged:	how much is logged
 * @collects:	how often the log was collected in the interval
 * @failures:	audits that failed
 */
struct doctor_vm {
	struct maybe mapped, peak, small, huge_gone;
	struct logged logged;
	struct maybe collects, failures;
};

/* @rule is one of vCPUs, of VMs. */
void doctor_judge_vcpu(enum doctor_rule rule, const struct doctor_vcpu *vcpu,
		       struct doctor_verdict *verdict);
void doctor_judge_vm(enum doctor_rule rule, const struct doctor_vm *vm,
		     struct doctor_verdict *verdict);
void doctor_judge_hooks(const struct hooks *hooks, struct doctor_verdict *verdict);

/* Does a vCPU halt by an exit of this reason? Then what that takes is no loss. */
bool doctor_is_halt(const char *reason);

#endif /* KVMWATCH_DOCTOR_H */
