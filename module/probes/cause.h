/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why a leaf came or went: which of KVM's functions wanted it, found on the stack. That is
 * looked for while somebody traces leaves, and costs nothing else.
 */
#ifndef KVMW_CAUSE_H
#define KVMW_CAUSE_H

#include <linux/types.h>

/* Numbers in trace events: they stay as they are. */
enum kvmw_leaf_cause {
	KVMW_LEAF_VCPU,		/* not known, but a vCPU of the VM is loaded here */
	KVMW_LEAF_HOST,		/* not known, and none is */
	KVMW_LEAF_SPLIT,	/* a huge leaf is replaced by leaves: for a fault */
	KVMW_LEAF_FAULT,	/* a guest access that found no leaf, or not a fitting one */
	KVMW_LEAF_ASYNC,	/* the host has fetched a page that a fault has waited for */
	KVMW_LEAF_PREFETCH,	/* nobody has touched it yet */
	KVMW_LEAF_MM,		/* the host's memory management has changed the page */
	KVMW_LEAF_SLOT,		/* a slot goes, moves or is replaced */
	KVMW_LEAF_COLLAPSE,	/* dirty logging went off: leaves make room for a huge one */
	KVMW_LEAF_SPLIT_EAGER,	/* as SPLIT, ahead of faults: for dirty logging */
	KVMW_LEAF_NX,		/* what may be executed in huge pages changes, or is tried again */
	KVMW_LEAF_END,		/* the VM's memory or the VM itself ends */
};

/* @split: a huge leaf is replaced by leaves. @vcpu: of the VM, loaded here; -1: none */
unsigned int kvmw_leaf_cause(int vcpu, bool split);

#endif /* KVMW_CAUSE_H */
