// SPDX-License-Identifier: GPL-2.0
/* What each CPU remembers between two hits. See cpu.h. */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>

#include "records/cpu.h"
#include "records/record.h"

DEFINE_PER_CPU(struct kvmw_cpu, kvmw_cpu);

static struct kvmw_vm no_vm;
struct kvmw_slot kvmw_no_slot = { .obj.vm = &no_vm };
struct kvmw_vcpu kvmw_no_vcpu;

/* Replace a hidden record in a CPU's cache by @none. */
static void forget(void *field, void *none)
{
	struct kvmw_object **cached = field, *obj = READ_ONCE(*cached);

	/* Fails if that CPU has stored another record since; hits do not find hidden records. */
	if (obj && !READ_ONCE(obj->key))
		cmpxchg(cached, obj, none);
}

void kvmw_forget_hidden(void)
{
	struct kvmw_cpu *c;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(&kvmw_cpu, cpu);
		forget(&c->vcpu, &kvmw_no_vcpu);
		forget(&c->leaving, NULL);
		forget(&c->last_vcpu, &kvmw_no_vcpu);
		forget(&c->slot, &kvmw_no_slot);
	}
}

void kvmw_forget_slots(void)
{
	struct kvmw_slot *slot;
	int cpu;

	for_each_possible_cpu(cpu) {
		slot = READ_ONCE(per_cpu(kvmw_cpu.slot, cpu));
		cmpxchg(per_cpu_ptr(&kvmw_cpu.slot, cpu), slot, &kvmw_no_slot);
	}
}

void kvmw_cpus_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(kvmw_cpu, cpu) = (struct kvmw_cpu){
			.vcpu = &kvmw_no_vcpu, .last_vcpu = &kvmw_no_vcpu, .slot = &kvmw_no_slot,
		};
}
