/* SPDX-License-Identifier: GPL-2.0 */
/* What each CPU remembers between two hits. */
#ifndef KVMW_CPU_H
#define KVMW_CPU_H

#include <linux/percpu.h>
#include <linux/sched.h>

#include "records/record.h"

/*
 * Read a member that another CPU may change, for a single comparison. READ_ONCE() would keep the
 * compiler from comparing with memory directly, and cost a separate load.
 */
#define kvmw_peek(x)	data_race(x)

struct kvmw_cpu {
	struct kvmw_vcpu	*vcpu;		/* loaded here; never NULL: kvmw_no_vcpu */
	struct kvmw_vcpu	*leaving;	/* the last one put here; NULL: none, or unknown */
	const struct task_struct *leaver;	/* the task that put it; only to compare */
	unsigned long		leaver_switches; /* kvmw_switches() of that task then */
	struct kvmw_vcpu	*last_vcpu;	/* cache of kvmw_vcpu_find(); never NULL, too */
	struct kvmw_slot	*slot;		/* of the last page; never NULL: kvmw_no_slot */
	u64			traced_load;	/* when a load was traced here */
	u64			load_entries;	/* load_entry_ns of the vCPU then, in ticks */
};
DECLARE_PER_CPU(struct kvmw_cpu, kvmw_cpu);

/*
 * In a CPU's caches before its first hit, and where none is known: a vCPU of no VM, which is no
 * vCPU of KVM's, and a slot of no VM, which contains no page.
 */
extern struct kvmw_vcpu kvmw_no_vcpu;
extern struct kvmw_slot kvmw_no_slot;

/* The vCPU that is loaded here; NULL: none, or unknown. Context: preemption off. */
static __always_inline struct kvmw_vcpu *kvmw_vcpu_loaded(void)
{
	struct kvmw_vcpu *vcpu = __this_cpu_read(kvmw_cpu.vcpu);

	return vcpu == &kvmw_no_vcpu ? NULL : vcpu;
}

/*
 * Reset every CPU to the state before its first hit. A static initializer does not work, as the
 * kernel does not relocate pointers in a module's per-CPU data. Context: no handler runs.
 */
void kvmw_cpus_init(void);

/* Remove hidden records, or all slots, from the caches of all CPUs. Context: task. */
void kvmw_forget_hidden(void);
void kvmw_forget_slots(void);

#endif /* KVMW_CPU_H */
