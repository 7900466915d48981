/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who called: what the place in KVM that a hooked function returns to says about a hit.
 * The places are few, and each is looked up once, by the name of its function.
 */
#ifndef KVMW_SITE_H
#define KVMW_SITE_H

#include "hook.h"
#include "stats.h"

struct kvmw_site {
	unsigned long	addr;		/* written first: the entry is taken */
	u8		cause;		/* of a dirty mark there: KVMW_CAUSE_* */
	bool		leaving;	/* KVM has let go of the vCPU: the last put */
	bool		teller;		/* in one of KVMW_RMAP_TELLERS */
	s8		leaf;		/* why leaves change: KVMW_LEAF_*; -1: it does not tell */
	bool		ready;		/* written last */
};

/* Any other than those looked up; nobody calls from address 0. */
extern const struct kvmw_site kvmw_site_other;

const struct kvmw_site *kvmw_site_find(unsigned long addr);

/* Context: hit. @addr is its caller. */
static __always_inline const struct kvmw_site *kvmw_site_of(struct kvmw_cpu *c, unsigned long addr)
{
	const struct kvmw_site *site = c->site;

	if (unlikely(site->addr != addr)) {
		site = kvmw_site_find(addr);
		c->site = site;
	}
	return site;
}

/* What the caller at @addr, somewhere on the stack, says of leaves that change: see above. */
int kvmw_frame_cause(unsigned long addr);

/* kvm.ko or its vendor module went: other code may be at these addresses. */
void kvmw_forget_sites(void);

#endif /* KVMW_SITE_H */
