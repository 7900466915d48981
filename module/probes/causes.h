/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Causes in trace events: X(name, number, word). The numbers must not change, as recorded traces
 * have them.
 */
#ifndef KVMW_CAUSES_H
#define KVMW_CAUSES_H

/*
 * Why a leaf became present or stopped being present:
 *	vcpu		unknown; a vCPU of the VM is loaded on this pCPU
 *	host		unknown; no vCPU of the VM is loaded on this pCPU
 *	split		KVM splits a huge leaf, for a fault
 *	fault		a guest access found no leaf, or an unsuitable one
 *	async		an asynchronous page fault completed
 *	prefetch	KVM maps a page that no access has needed yet
 *	mm		the host's memory management changes the page
 *	slot		KVM deletes, moves or replaces a slot
 *	collapse	dirty logging ended: leaves make room for a huge one
 *	split_eager	KVM splits a huge leaf ahead of faults, for dirty logging
 *	nx		KVM applies nx_huge_pages, or recovers huge leaves that it split
 *	end		the VM or its memory ends
 */
#define KVMW_LEAF_CAUSES(X)							\
	X(VCPU, 0, "vcpu"), X(HOST, 1, "host"), X(SPLIT, 2, "split"),		\
	X(FAULT, 3, "fault"), X(ASYNC, 4, "async"), X(PREFETCH, 5, "prefetch"),	\
	X(MM, 6, "mm"), X(SLOT, 7, "slot"), X(COLLAPSE, 8, "collapse"),		\
	X(SPLIT_EAGER, 9, "split_eager"), X(NX, 10, "nx"), X(END, 11, "end")

#define KVMW_LEAF_ID(name, number, word)	KVMW_LEAF_##name = (number)
enum kvmw_leaf_cause { KVMW_LEAF_CAUSES(KVMW_LEAF_ID) };
#undef KVMW_LEAF_ID

/* Their names, in the order of their numbers: KVMW_LEAF_CAUSES(KVMW_LEAF_WORD) */
#define KVMW_LEAF_WORD(name, number, word)	word

#endif /* KVMW_CAUSES_H */
