/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Handlers of hooks.
 *
 * A handler runs inside KVM, under locks we do not know, at times with interrupts
 * off and a runqueue lock held. It always runs with preemption off, which on all
 * kernels we support is also an RCU read-side section. It must not sleep,
 * allocate, print, wake anyone up or take a lock; kvmw_kick() is what it has to
 * make something happen in task context.
 *
 * A handler that KVM calls all the time has a usual way, in which everything is as this
 * CPU remembers it from the last hit and nobody traces. It calls nothing, so the compiler
 * has no registers to save. Whatever else there is, is in a function of its own
 * that is called last, and counts by the same code.
 */
#ifndef KVMW_HANDLER_H
#define KVMW_HANDLER_H

#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>

#include "hooks/hook.h"
#include "kernel/clock.h"
#include "kernel/ftrace.h"

/* Count a hit. Context: hit. */
static __always_inline void kvmw_hit(enum kvmw_hook_id id)
{
	__this_cpu_inc(kvmw_hits[id]);
}

/*
 * Define both entry points of a function hook around one handler, which is
 * inlined into each: @handler(regs, caller), where regs holds the arguments and
 * nothing else, and caller is the address that the function will return to.
 *
 * The ftrace callback needs no recursion guard: its ops filters one function of
 * KVM, and no handler calls KVM. RCU is watching wherever KVM's code of ours runs.
 */
#define KVMW_FUNC_HANDLER(id, handler)	KVMW_FUNC_FORM(id, id, handler)

/* @name: of the entry points, where a hook has several handlers. */
#define KVMW_FUNC_FORM(id, name, handler)					\
void notrace kvmw_ftrace_##name(KVMW_FTRACE_ARGS)				\
{										\
	preempt_disable_notrace();						\
	kvmw_hit(KVMW_HOOK_##id);						\
	handler(kvmw_ftrace_args(fregs), caller);				\
	preempt_enable_notrace();						\
}										\
KVMW_KPROBE_HANDLER(id, name, handler)

/* The same for a function that KVM calls with preemption off, always. */
#define KVMW_PINNED_HANDLER(id, handler)	KVMW_PINNED_FORM(id, id, handler)

#define KVMW_PINNED_FORM(id, name, handler)					\
void notrace kvmw_ftrace_##name(KVMW_FTRACE_ARGS)				\
{										\
	kvmw_hit(KVMW_HOOK_##id);						\
	handler(kvmw_ftrace_args(fregs), caller);				\
}										\
KVMW_KPROBE_HANDLER(id, name, handler)

/* Or under a spinlock, with preemption off where spinlocks do that. */
#ifdef CONFIG_PREEMPT_RT
#define KVMW_LOCKED_FORM	KVMW_FUNC_FORM
#else
#define KVMW_LOCKED_FORM	KVMW_PINNED_FORM
#endif
#define KVMW_LOCKED_HANDLER(id, handler)	KVMW_LOCKED_FORM(id, id, handler)

#define KVMW_KPROBE_HANDLER(id, name, handler)					\
int kvmw_kprobe_##name(struct kprobe *kp, struct pt_regs *regs)			\
{										\
	kvmw_hit(KVMW_HOOK_##id);						\
	handler(regs, regs_get_kernel_stack_nth(regs, 0));			\
	return 0;								\
}										\
NOKPROBE_SYMBOL(kvmw_kprobe_##name)

/*
 * The same for a function from its entry to its return: @handler(ticks) is called at the
 * return. A vCPU's functions run with preemption off, so that is on the same CPU. A thunk in
 * direct.S calls kvmw_timed_<id>() instead, which is written out.
 */
#define KVMW_RET_HANDLER(id, handler)						\
int kvmw_entry_##id(struct kretprobe_instance *ri, struct pt_regs *regs)	\
{										\
	*(u64 *)ri->data = kvmw_now();						\
	return 0;								\
}										\
NOKPROBE_SYMBOL(kvmw_entry_##id);						\
int kvmw_return_##id(struct kretprobe_instance *ri, struct pt_regs *regs)	\
{										\
	kvmw_hit(KVMW_HOOK_##id);						\
	handler(kvmw_ticks(kvmw_now(), *(u64 *)ri->data));			\
	return 0;								\
}										\
NOKPROBE_SYMBOL(kvmw_return_##id)

#endif /* KVMW_HANDLER_H */
