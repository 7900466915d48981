/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From an exit to the next entry: when that begins. selftests/unit/exit_span_test.c has events
 * come in orders that no processor here makes, so this uses of the kernel only what is given its
 * meaning there, too.
 */
#ifndef KVMW_EXIT_SPAN_H
#define KVMW_EXIT_SPAN_H

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/types.h>
#endif

/**
 * struct kvmw_exit_span - of a vCPU
 * @since:	when it left guest mode; 0: it is there, or that is unknown
 * @early:	@since is from before KVM's event of the exit
 * @cell:	of its reason; see kvmw_exit_cell()
 */
struct kvmw_exit_span {
	u64	since;
	bool	early;
	u8	cell;
};

/* KVM's event of an exit. Returns whether that is the beginning: then @since is to be set. */
static __always_inline bool kvmw_span_begins(struct kvmw_exit_span *span)
{
	bool begun = false;

	if (unlikely(span->early)) {
		/* Not of this exit after another entry: KVM has no event of one that failed. */
		begun = span->since;
		span->early = false;
	}
	return !begun;
}

/*
 * The vCPU is put, and so not in guest mode. If the event of that exit does not come, as that of
 * an entry that failed, its reason is @unknown, a cell.
 */
static __always_inline void kvmw_span_put(struct kvmw_exit_span *span, u64 now, u8 unknown)
{
	if (span->since)
		return;
	span->since = now;
	span->early = true;
	span->cell = unknown;
}

/* KVM's event of an entry. Returns when the exit was, or 0. */
static __always_inline u64 kvmw_span_ends(struct kvmw_exit_span *span)
{
	u64 since = span->since;

	span->since = 0;
	return since;
}

#endif /* KVMW_EXIT_SPAN_H */
