/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Callers of hooked functions: their names classify hits. There are few callers, and each is looked
 * up once.
 */
#ifndef KVMW_CALLER_H
#define KVMW_CALLER_H

#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/types.h>

struct kvmw_caller {
	unsigned long	addr;		/* return address; written first: the entry is in use */
	u8		cause;		/* of a dirty mark of this caller: KVMW_CAUSE_* */
	bool		leaving;	/* inside kvm_arch_vcpu_put(), after its hook */
	bool		teller;		/* one of KVMW_RMAP_TELLERS */
	s8		leaf;		/* why leaves change: KVMW_LEAF_*; -1: unknown */
	bool		kvms;		/* a function of kvm.ko or its vendor module */
	bool		ready;		/* written last */
	u16		step;		/* see leaf_cause.c; 0: unknown */
};

/* Any caller for which the table has no room; its address 0 matches no caller. */
extern const struct kvmw_caller kvmw_caller_other;

const struct kvmw_caller *kvmw_caller_find(unsigned long addr);

/* The last caller on each CPU; never NULL. */
DECLARE_PER_CPU(const struct kvmw_caller *, kvmw_last_caller);

/* The caller with return address @addr. Context: hit. */
static __always_inline const struct kvmw_caller *kvmw_caller_of(unsigned long addr)
{
	const struct kvmw_caller *caller = __this_cpu_read(kvmw_last_caller);

	if (unlikely(caller->addr != addr)) {
		caller = kvmw_caller_find(addr);
		__this_cpu_write(kvmw_last_caller, caller);
	}
	return caller;
}

/* The function with return address @addr, anywhere on the stack; NULL: there is no room. */
struct kvmw_caller *kvmw_frame_find(unsigned long addr);

/*
 * Forget all callers: kvm.ko or its vendor module was unloaded, and other code may get these
 * addresses. Context: no VM is left, or no handler runs; so nobody looks up a caller.
 */
void kvmw_forget_callers(void);
/* Reset every CPU to the state before its first hit. Context: no handler runs. */
void kvmw_callers_init(void);

#endif /* KVMW_CALLER_H */
