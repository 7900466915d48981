/* SPDX-License-Identifier: GPL-2.0 */
/* What audits of dirty marks remember of a slot. See tasks/audit_marks.c. */
#ifndef KVMW_LOG_AUDIT_H
#define KVMW_LOG_AUDIT_H

#include <linux/types.h>

/* Sums at the beginning and at the end of an audit's count of the log. */
struct kvmw_log_sums {
	u64	new_marks;
	u64	by_host;	/* marks without a vCPU of the VM */
	u64	collected;
	u64	collects;
	u64	lost;		/* events of the VM that found no record */
};

/* The last audit of a slot. A slot has one from its first audit until its record is freed. */
struct kvmw_log_sample {
	u64			life;	/* log_life of the audited log; 0: there was none */
	u64			set;	/* bits set, counted between first and last */
	unsigned int		vcpus;
	struct kvmw_log_sums	first, last;
};

#endif /* KVMW_LOG_AUDIT_H */
