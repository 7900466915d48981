/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The span from an exit to the next entry, and when it begins. selftests/unit/exit_span_test.c
 * plays orders of events that no available processor produces, so this file uses only kernel
 * interfaces that the test also defines.
 */
#ifndef KVMW_EXIT_SPAN_H
#define KVMW_EXIT_SPAN_H

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/types.h>
#endif

/**
 * struct kvmw_exit_span - the current exit of a vCPU
 * @since:	when the vCPU left guest mode; 0: it is in guest mode, or the time is unknown
 * @vmcb_valid:	on SVM: kvmw_vmcb_of() finds the vCPU's VMCB, which has the reason
 * @early:	@since was set before KVM's event of the exit
 * @flags:	both, for one comparison: KVMW_SPAN_USUAL_SVM
 * @cell:	the cell of the exit's reason; see kvmw_exit_cell()
 */
struct kvmw_exit_span {
	u64		since;
	union {
		struct {
			bool	vmcb_valid;
			bool	early;
		};
		u16	flags;
	};
	u8		cell;
};

/* The flags of most exits on SVM: the VMCB is valid, and nothing was early. */
#define KVMW_SPAN_USUAL_SVM	1

/* KVM's event of an exit. Returns whether the span begins here: then the caller sets @since. */
static __always_inline bool kvmw_span_begins(struct kvmw_exit_span *span)
{
	bool begun = false;

	if (unlikely(span->early)) {
		/*
		 * @since is 0 if an entry ended the span meanwhile: then the put belongs to a
		 * failed entry, of which KVM has no exit event, and not to this exit.
		 */
		begun = span->since;
		span->early = false;
	}
	return !begun;
}

/*
 * KVM puts the vCPU, so it is not in guest mode. After a failed entry KVM has no event of the exit;
 * the reason then stays @unknown, a cell.
 */
static __always_inline void kvmw_span_put(struct kvmw_exit_span *span, u64 now, u8 unknown)
{
	if (span->since)
		return;
	span->since = now;
	span->early = true;
	span->cell = unknown;
}

/* KVM's event of an entry. Returns the time of the exit, or 0. */
static __always_inline u64 kvmw_span_ends(struct kvmw_exit_span *span)
{
	u64 since = span->since;

	span->since = 0;
	return since;
}

#endif /* KVMW_EXIT_SPAN_H */
