/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Callers: what the function that a hooked function returns to says about a hit. There are few, and
 * each is looked up once, by its name.
 */
#ifndef KVMW_CALLER_H
#define KVMW_CALLER_H

#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/types.h>

struct kvmw_caller {
	unsigned long	addr;		/* written first: the entry is taken */
	u8		cause;		/* of a dirty mark there: KVMW_CAUSE_* */
	bool		leaving;	/* KVM has let go of the vCPU: the last put */
	bool		teller;		/* in one of KVMW_RMAP_TELLERS */
	s8		leaf;		/* why leaves change: KVMW_LEAF_*; -1: it does not tell */
	bool		ready;		/* written last */
};

/* Any other than those looked up; nobody calls from address 0. */
extern const struct kvmw_caller kvmw_caller_other;

const struct kvmw_caller *kvmw_caller_find(unsigned long addr);

/* The one that each CPU had last, never NULL. */
DECLARE_PER_CPU(const struct kvmw_caller *, kvmw_last_caller);

/* Context: hit. @addr is its caller. */
static __always_inline const struct kvmw_caller *kvmw_caller_of(unsigned long addr)
{
	const struct kvmw_caller *caller = __this_cpu_read(kvmw_last_caller);

	if (unlikely(caller->addr != addr)) {
		caller = kvmw_caller_find(addr);
		__this_cpu_write(kvmw_last_caller, caller);
	}
	return caller;
}

/* What the caller at @addr, somewhere on the stack, says of leaves that change: see above. */
int kvmw_frame_cause(unsigned long addr);

/*
 * kvm.ko or its vendor module went: other code may be at these addresses. Context: no VM is left,
 * or no handler runs; so nobody looks up a caller.
 */
void kvmw_forget_callers(void);
/* Every CPU as it is before its first hit. Context: no handler runs. */
void kvmw_callers_init(void);

#endif /* KVMW_CALLER_H */
