/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why something happened, as trace events have it: X(name, number, word). The numbers stay as they
 * are, as others have recorded them.
 */
#ifndef KVMW_CAUSES_H
#define KVMW_CAUSES_H

/*
 * Of a leaf that comes or goes:
 *	vcpu		not known, but a vCPU of the VM is loaded here
 *	host		not known, and none is
 *	split		a huge leaf is replaced by leaves: for a fault
 *	fault		a guest access that found no leaf, or not a fitting one
 *	async		the host has fetched a page that a fault has waited for
 *	prefetch	nobody has touched it yet
 *	mm		the host's memory management has changed the page
 *	slot		a slot goes, moves or is replaced
 *	collapse	dirty logging went off: leaves make room for a huge one
 *	split_eager	as split, ahead of faults: for dirty logging
 *	nx		what may be executed in huge pages changes, or is tried again
 *	end		the VM's memory or the VM itself ends
 */
#define KVMW_LEAF_CAUSES(X)							\
	X(VCPU, 0, "vcpu"), X(HOST, 1, "host"), X(SPLIT, 2, "split"),		\
	X(FAULT, 3, "fault"), X(ASYNC, 4, "async"), X(PREFETCH, 5, "prefetch"),	\
	X(MM, 6, "mm"), X(SLOT, 7, "slot"), X(COLLAPSE, 8, "collapse"),		\
	X(SPLIT_EAGER, 9, "split_eager"), X(NX, 10, "nx"), X(END, 11, "end")

#define KVMW_LEAF_ID(name, number, word)	KVMW_LEAF_##name = (number)
enum kvmw_leaf_cause { KVMW_LEAF_CAUSES(KVMW_LEAF_ID) };
#undef KVMW_LEAF_ID

#endif /* KVMW_CAUSES_H */
