// SPDX-License-Identifier: GPL-2.0
/* The cause of a change of a leaf. See leaf_cause.h. */
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <asm/unwind.h>

#include "probes/caller.h"
#include "probes/causes.h"
#include "probes/leaf_cause.h"

/* Frames to look at: more than lie between the change of a leaf and the function that causes it. */
#define MAX_FRAMES	32

#ifdef CONFIG_UNWINDER_ORC
/*
 * The kernel's unwinder takes some 500 instructions a frame. But a function of KVM's that has no
 * frame pointer has a frame of constant size: the next return address is always so many bytes, a
 * step, above its own. So the unwinder has to find each step only once.
 */

/* Where the return address is that the unwinder has reached. */
static const unsigned long *place_of(const struct unwind_state *state)
{
	return (const unsigned long *)state->sp - 1;
}

/* The unwinder went from @from, which is at @frame, to @to: remember how far that is. */
static void learn_step(struct kvmw_caller *frame, const struct unwind_state *from,
		       const struct unwind_state *to)
{
	struct unwind_state again = *from;

	if (!frame->kvms || frame->step || from->regs || to->regs)
		return;
	/* A tracer of returns may have put an address of its own there. */
	if (READ_ONCE_NOCHECK(*place_of(from)) != frame->addr)
		return;
	/* Does the way to the next frame depend on a frame pointer? */
	again.bp = 0;
	unwind_next_frame(&again);
	if (!unwind_error(&again) && !unwind_done(&again) && again.sp == to->sp)
		WRITE_ONCE(frame->step, to->sp - from->sp);
}

/* By steps alone, from @place on. -1: they lead to no cause. */
static int cause_by_steps(const unsigned long *place)
{
	const struct kvmw_caller *frame;
	unsigned int i, step;

	if (!object_is_on_stack(place))
		return -1;
	for (i = 0; i < MAX_FRAMES; i++) {
		frame = kvmw_frame_find(READ_ONCE_NOCHECK(*place));
		if (!frame || frame->leaf >= 0)
			return frame ? frame->leaf : -1;
		step = READ_ONCE(frame->step);
		if (!step)
			return -1;
		place += step / sizeof(*place);
	}
	return -1;
}
#else
static const unsigned long *place_of(const struct unwind_state *state)
{
	return NULL;
}

static void learn_step(struct kvmw_caller *frame, const struct unwind_state *from,
		       const struct unwind_state *to)
{
}

static int cause_by_steps(const unsigned long *place)
{
	return -1;
}
#endif

/*
 * By the kernel's unwinder, which begins with this function; -1: none. The steps from @place on are
 * learnt. The guessing unwinder is of no use here: it also finds functions that returned long ago.
 */
static int cause_by_unwinder(const unsigned long *place)
{
	struct unwind_state state, before;
	struct kvmw_caller *frame;
	bool reached = false;
	unsigned long addr;
	int i;

	if (IS_ENABLED(CONFIG_UNWINDER_GUESS))
		return -1;
	unwind_start(&state, current, NULL, NULL);
	for (i = 0; i < MAX_FRAMES && !unwind_done(&state); i++) {
		addr = unwind_get_return_address(&state);
		if (!addr)
			break;
		frame = kvmw_frame_find(addr);
		if (frame && frame->leaf >= 0)
			return frame->leaf;
		reached |= place_of(&state) == place;
		before = state;
		unwind_next_frame(&state);
		if (frame && reached)
			learn_step(frame, &before, &state);
	}
	return -1;
}

/* The cause of the innermost function that has one; -1: none. */
static int cause_on_stack(const struct pt_regs *regs)
{
	const unsigned long *place = (const unsigned long *)regs->sp;
	int cause = cause_by_steps(place);

	return cause < 0 ? cause_by_unwinder(place) : cause;
}

unsigned int kvmw_leaf_cause(const struct pt_regs *regs, int vcpu, bool split)
{
	int cause = cause_on_stack(regs);

	if (split)
		return cause == KVMW_LEAF_SPLIT_EAGER ? cause : KVMW_LEAF_SPLIT;
	if (cause < 0)
		return vcpu < 0 ? KVMW_LEAF_HOST : KVMW_LEAF_VCPU;
	return cause;
}
