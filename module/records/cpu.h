/* SPDX-License-Identifier: GPL-2.0 */
/* What each CPU remembers between two hits; nobody else writes it. */
#ifndef KVMW_CPU_H
#define KVMW_CPU_H

#include <linux/percpu.h>
#include <linux/sched.h>

#include "records/record.h"

/*
 * Read a member that another CPU may change, to compare it once. With READ_ONCE() the compiler
 * would spend an instruction on a load.
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

/* Belongs to no VM and holds no page: what a CPU remembers before its first slot. */
extern struct kvmw_slot kvmw_no_slot;

/*
 * Reset every CPU to the state before its first hit. An initializer would not do: the kernel does
 * not relocate pointers in a module's per-CPU data. Context: no handler runs.
 */
void kvmw_cpus_init(void);

/* Clear hidden records, or all slots, from every CPU's cache. Context: task. */
void kvmw_forget_hidden(void);
void kvmw_forget_slots(void);

#endif /* KVMW_CPU_H */
