// SPDX-License-Identifier: GPL-2.0
/* The callers of hooked functions. See caller.h. */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/string.h>

#include "kernel/kvm_functions.h"
#include "probes/caller.h"
#include "probes/causes.h"
#include "records/counts.h"

#define CALLER_BITS	6
#define FRAME_BITS	9

DEFINE_PER_CPU(const struct kvmw_caller *, kvmw_last_caller);

/* Callers of hooked functions, and other functions on the stack of a hit. */
static struct kvmw_caller callers[1 << CALLER_BITS];
static struct kvmw_caller frames[1 << FRAME_BITS];

static bool starts_with(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strstarts(name, *list))
			return true;
	return false;
}

static const char *const fault_callers[] = { KVMW_FAULT_CALLERS, NULL };
static const char *const pml_callers[] = { KVMW_PML_CALLERS, NULL };
static const char *const put_callers[] = { KVMW_PUT_CALLERS, NULL };
static const char *const rmap_tellers[] = { KVMW_RMAP_TELLERS, NULL };

#define LEAF_FUNCTION(function, why)	{ function, KVMW_LEAF_##why },

static const struct {
	const char *name;
	s8 cause;
} leaf_functions[] = { KVMW_LEAF_FUNCTIONS(LEAF_FUNCTION) };

/* @name may have a suffix of the compiler such as .isra.0, then a blank and the module's name. */
static s8 leaf_cause_of(const char *name)
{
	size_t length = strcspn(name, ". ");
	const char *known;
	int i;

	for (i = 0; i < ARRAY_SIZE(leaf_functions); i++) {
		known = leaf_functions[i].name;
		if (!strncmp(name, known, length) && !known[length])
			return leaf_functions[i].cause;
	}
	return -1;
}

/* @name as above. The addresses of other modules may get other code without kvmwatch's notice. */
static bool is_kvms(const char *name)
{
	return strstr(name, " [kvm]") || strstr(name, " [kvm_intel]") || strstr(name, " [kvm_amd]");
}

/* Classify a new entry of a table. The symbol look-up takes no lock. */
static noinline void caller_classify(struct kvmw_caller *caller, unsigned long addr)
{
	char name[KSYM_SYMBOL_LEN];

	/* The return address may be the first byte behind the caller: look up the call itself. */
	sprint_symbol_no_offset(name, addr - 1);
	if (starts_with(name, fault_callers))
		caller->cause = KVMW_CAUSE_FAULT;
	else if (starts_with(name, pml_callers))
		caller->cause = KVMW_CAUSE_PML;
	else
		caller->cause = KVMW_CAUSE_KVM;
	caller->leaving = starts_with(name, put_callers);
	caller->teller = starts_with(name, rmap_tellers);
	caller->leaf = leaf_cause_of(name);
	caller->kvms = is_kvms(name);
	/* Pairs with kvmw_caller_find(). */
	smp_store_release(&caller->ready, true);
}

const struct kvmw_caller kvmw_caller_other = { .cause = KVMW_CAUSE_KVM, .leaf = -1, .ready = true };

/* NULL: @table has no room. */
static __always_inline struct kvmw_caller *find(struct kvmw_caller *table, unsigned int bits,
						unsigned long addr)
{
	unsigned int first = hash_long(addr, bits), i;
	struct kvmw_caller *caller;
	unsigned long found;

	for (i = 0; i < 1U << bits; i++) {
		caller = &table[(first + i) & ((1U << bits) - 1)];
		found = READ_ONCE(caller->addr);
		if (!found)
			found = cmpxchg(&caller->addr, 0, addr) ?: addr;
		if (found != addr)
			continue;
		/* If two CPUs classify it at once, both write the same. */
		if (!smp_load_acquire(&caller->ready))
			caller_classify(caller, addr);
		return caller;
	}
	return NULL;
}

const struct kvmw_caller *kvmw_caller_find(unsigned long addr)
{
	return find(callers, CALLER_BITS, addr) ?: &kvmw_caller_other;
}

struct kvmw_caller *kvmw_frame_find(unsigned long addr)
{
	return find(frames, FRAME_BITS, addr);
}

void kvmw_forget_callers(void)
{
	memset(callers, 0, sizeof(callers));
	memset(frames, 0, sizeof(frames));
}

void kvmw_callers_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(kvmw_last_caller, cpu) = &kvmw_caller_other;
}
