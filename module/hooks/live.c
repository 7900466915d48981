// SPDX-License-Identifier: GPL-2.0
/* Checks of a hook's first hits. See live.h. */
#include <linux/atomic.h>
#include <linux/ftrace.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/string.h>

#include "hooks/hook.h"
#include "hooks/hook_func.h"
#include "hooks/live.h"
#include "kernel/ftrace.h"

#define LIVE_HITS	64

const char *const kvmw_live_unknown = "unknown";

static void (*tell_settled)(void);

void kvmw_live_init(void (*settled)(void))
{
	tell_settled = settled;
}

static void check_hit(struct kvmw_hook *hook, const struct pt_regs *regs)
{
	const char *wrong = hook->on.check(regs);

	if (wrong == kvmw_live_unknown)
		return;
	if (wrong) {
		WRITE_ONCE(hook->wrong, wrong);
		atomic_set(&hook->unchecked, 0);
	} else if (atomic_dec_return(&hook->unchecked)) {
		return;
	}
	tell_settled();
}

static void notrace live_hit(KVMW_FTRACE_ARGS)
{
	struct kvmw_hook *hook = container_of(ops, struct kvmw_hook, live_ops);

	preempt_disable_notrace();
	if (atomic_read(&hook->unchecked) > 0)
		check_hit(hook, kvmw_ftrace_args(fregs));
	preempt_enable_notrace();
}

void kvmw_live_attach(struct kvmw_hook *hook)
{
	if (!hook->untried || !hook->on.check || !kvmw_func_by_ftrace(hook))
		return;
	atomic_set(&hook->unchecked, LIVE_HITS);
	hook->live_ops.func = live_hit;
	hook->live_ops.flags = KVMW_FTRACE_FLAGS;
	if (!ftrace_set_filter_ip(&hook->live_ops, kvmw_ftrace_ip(hook->addr), 0, 0) &&
	    !register_ftrace_function(&hook->live_ops))
		return;
	kvmw_ftrace_free_filter(&hook->live_ops);
	memset(&hook->live_ops, 0, sizeof(hook->live_ops));
}

static void take_away(struct kvmw_hook *hook)
{
	unregister_ftrace_function(&hook->live_ops);
	kvmw_ftrace_free_filter(&hook->live_ops);
	memset(&hook->live_ops, 0, sizeof(hook->live_ops));
}

void kvmw_live_detach_all(void)
{
	struct kvmw_hook *hook;

	for (hook = kvmw_hooks; hook < kvmw_hooks + KVMW_NR_HOOKS; hook++) {
		if (hook->live_ops.func)
			take_away(hook);
		hook->wrong = NULL;
		hook->live = false;
	}
}

void kvmw_live_settle(struct kvmw_live_found *found)
{
	struct kvmw_hook *hook;
	int i;

	memset(found, 0, sizeof(*found));
	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		hook = &kvmw_hooks[i];
		if (!hook->live_ops.func || atomic_read(&hook->unchecked) > 0)
			continue;
		take_away(hook);
		if (hook->wrong)
			found->wrong |= BIT_ULL(i);
		else
			found->right |= BIT_ULL(i);
	}
}
