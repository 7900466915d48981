// SPDX-License-Identifier: GPL-2.0
/* The cause of a change of a leaf. See leaf_cause.h. */
#include <linux/kernel.h>
#include <linux/sched.h>
#include <asm/unwind.h>

#include "probes/caller.h"
#include "probes/causes.h"
#include "probes/leaf_cause.h"

/* Frames to look at: more than lie between the change of a leaf and the function that causes it. */
#define MAX_FRAMES	32

/*
 * The cause of the innermost function that has one, or @unknown. The guessing unwinder is of no use
 * here: it also finds functions that returned long ago.
 */
static unsigned int cause_on_stack(unsigned int unknown)
{
	struct unwind_state state;
	unsigned long addr;
	int i = 0, cause;

	if (IS_ENABLED(CONFIG_UNWINDER_GUESS))
		return unknown;
	for (unwind_start(&state, current, NULL, NULL); !unwind_done(&state) && i < MAX_FRAMES;
	     unwind_next_frame(&state), i++) {
		addr = unwind_get_return_address(&state);
		if (!addr)
			break;
		cause = kvmw_frame_cause(addr);
		if (cause >= 0)
			return cause;
	}
	return unknown;
}

unsigned int kvmw_leaf_cause(int vcpu, bool split)
{
	unsigned int cause;

	cause = cause_on_stack(vcpu < 0 ? KVMW_LEAF_HOST : KVMW_LEAF_VCPU);
	if (split)
		return cause == KVMW_LEAF_SPLIT_EAGER ? cause : KVMW_LEAF_SPLIT;
	return cause;
}
