// SPDX-License-Identifier: GPL-2.0
/* Checks of a hook's first hits. See live.h. */
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/ftrace.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
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
		atomic64_or(BIT_ULL(hook - kvmw_hooks), &kvmw_hooks_wrong);
		atomic_set(&hook->unchecked, 0);
	} else if (atomic_dec_return(&hook->unchecked)) {
		return;
	}
	tell_settled();
}

/* Returns whether all hits until now were right. */
static __always_inline bool look_at(struct kvmw_hook *hook, const struct pt_regs *regs)
{
	if (atomic_read(&hook->unchecked) > 0)
		check_hit(hook, regs);
	return !READ_ONCE(hook->wrong);
}

/* Of two callbacks ftrace calls that first which was registered last: this one. */
static void notrace live_hit(KVMW_FTRACE_ARGS)
{
	struct kvmw_hook *hook = container_of(ops, struct kvmw_hook, live_ops);

	preempt_disable_notrace();
	look_at(hook, kvmw_ftrace_args(fregs));
	preempt_enable_notrace();
}

static int live_kprobe(struct kprobe *kp, struct pt_regs *regs)
{
	struct kvmw_hook *hook = container_of(kp, struct kvmw_hook, kp);

	return look_at(hook, regs) ? hook->on.kprobe(kp, regs) : 0;
}

NOKPROBE_SYMBOL(live_kprobe);

static void notrace live_rare(KVMW_FTRACE_ARGS)
{
	struct kvmw_hook *hook = kvmw_func_rare(ip);

	preempt_disable_notrace();
	if (look_at(hook, kvmw_ftrace_args(fregs)))
		hook->on.ftrace(ip, caller, ops, fregs);
	preempt_enable_notrace();
}

/* In place of the handlers of a hook without a second callback, which they call. */
static const struct kvmw_handlers live_handlers = {
	.ftrace = live_rare, .kprobe = live_kprobe,
};

static bool has_callback(const struct kvmw_hook *hook)
{
	return !hook->rare && kvmw_func_by_ftrace(hook);
}

static int attach_callback(struct kvmw_hook *hook)
{
	hook->live_ops.func = live_hit;
	hook->live_ops.flags = KVMW_FTRACE_FLAGS;
	if (!ftrace_set_filter_ip(&hook->live_ops, kvmw_ftrace_ip(hook->addr), 0, 0) &&
	    !register_ftrace_function(&hook->live_ops))
		return 0;
	kvmw_ftrace_free_filter(&hook->live_ops);
	memset(&hook->live_ops, 0, sizeof(hook->live_ops));
	return -EIO;
}

void kvmw_live_arm(struct kvmw_hook *hook)
{
	atomic_set(&hook->unchecked, LIVE_HITS);
	hook->looked_at = hook->untried && hook->on.check;
	hook->hit_by = hook->looked_at ? &live_handlers : &hook->on;
}

void kvmw_live_attach(struct kvmw_hook *hook)
{
	if (!hook->looked_at)
		return;
	if (!hook->target || !strcmp(hook->via, "dropped"))
		hook->looked_at = false;
	else if (has_callback(hook) && attach_callback(hook))
		hook->looked_at = false;
}

static void take_away(struct kvmw_hook *hook)
{
	hook->looked_at = false;
	if (!has_callback(hook)) {
		kvmw_func_divert(hook, &hook->on);
		return;
	}
	unregister_ftrace_function(&hook->live_ops);
	kvmw_ftrace_free_filter(&hook->live_ops);
	memset(&hook->live_ops, 0, sizeof(hook->live_ops));
}

void kvmw_live_detach_all(void)
{
	struct kvmw_hook *hook;

	for (hook = kvmw_hooks; hook < kvmw_hooks + KVMW_NR_HOOKS; hook++) {
		if (hook->looked_at)
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
		if (!hook->looked_at || atomic_read(&hook->unchecked) > 0)
			continue;
		take_away(hook);
		if (hook->wrong) {
			kvmw_func_stop(hook);
			found->wrong |= BIT_ULL(i);
		} else {
			found->right |= BIT_ULL(i);
		}
	}
}
