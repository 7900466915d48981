/* SPDX-License-Identifier: GPL-2.0 */
/* What audits of dirty marks know of a slot. See tasks/audit_marks.c. */
#ifndef KVMW_LOG_AUDIT_H
#define KVMW_LOG_AUDIT_H

#include <linux/types.h>

/* At the begin of a look, and at its end. */
struct kvmw_log_sums {
	u64	new_marks;
	u64	by_host;	/* marks without a vCPU of the VM */
	u64	collected;
	u64	collects;
	u64	lost;		/* events of the VM that found no record */
};

/* Of a slot whose log is on; a slot has one from its first audit until it goes. */
struct kvmw_log_look {
	u64			life;	/* of which log; 0: there was none */
	u64			set;	/* bits, between first and last */
	unsigned int		vcpus;
	struct kvmw_log_sums	first, last;
};

#endif /* KVMW_LOG_AUDIT_H */
