/* SPDX-License-Identifier: GPL-2.0 */
/* What each CPU remembers between two hits; nobody else writes it. */
#ifndef KVMW_CPU_H
#define KVMW_CPU_H

#include <linux/percpu.h>
#include <linux/sched.h>

#include "records/record.h"

/*
 * What another CPU may change meanwhile, to compare it with something, once. With READ_ONCE()
 * the compiler loads it first.
 */
#define kvmw_peek(x)	data_race(x)

struct kvmw_cpu {
	struct kvmw_vcpu	*vcpu;		/* loaded here; NULL: none, or unknown */
	struct kvmw_vcpu	*leaving;	/* last one put here */
	const struct task_struct *leaver;	/* and by whom; only to compare */
	unsigned long		leaver_switches; /* kvmw_switches() of it then */
	struct kvmw_vcpu	*last_vcpu;	/* cache of kvmw_vcpu_find() */
	struct kvmw_slot	*slot;		/* of the last page; never NULL: kvmw_no_slot */
};
DECLARE_PER_CPU(struct kvmw_cpu, kvmw_cpu);

/* Of no VM: holds no page. What CPUs remember that have had no other. */
extern struct kvmw_slot kvmw_no_slot;

/*
 * Every CPU as it is before its first hit. Not in the definition: the kernel does not relocate
 * what modules have there. Context: no handler runs.
 */
void kvmw_cpus_init(void);

/* Empty every CPU's cache of hidden records; of slots. Context: task. */
void kvmw_forget_hidden(void);
void kvmw_forget_slots(void);

#endif /* KVMW_CPU_H */
