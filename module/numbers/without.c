// SPDX-License-Identifier: GPL-2.0
/*
 * Leave out hooks and statistics, for a host where each instruction counts.
 *
 * A statistic goes with each hook that it needs, and a hook goes with the last statistic that needs
 * it. So a hook that stays has somebody who reads what it counts.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hooks/hook.h"
#include "numbers/describe.h"
#include "numbers/without.h"

static char *without = "";
module_param(without, charp, 0444);
MODULE_PARM_DESC(without, "hooks and statistics to leave out, separated by commas (default none)");

/* The hook with a name, as a bit; 0: there is none. */
static u64 hook_named(const char *name)
{
	int i;

	for (i = 0; i < KVMW_NR_HOOKS; i++)
		if (!strcmp(kvmw_hooks[i].name, name))
			return BIT_ULL(i);
	return 0;
}

static int leave_out(const char *name, u64 *hooks)
{
	u64 hook = hook_named(name);

	if (hook & KVMW_HOOKS_OF_RECORDS) {
		pr_err("without=%s: nothing works without this hook\n", name);
		return -EINVAL;
	}
	if (!kvmw_stats_leave_out(name, hook) && !hook) {
		pr_err("without=%s: there is no hook or statistic of this name\n", name);
		return -EINVAL;
	}
	*hooks |= hook;
	return 0;
}

static int leave_out_all(char *names, u64 *hooks)
{
	char *name;
	int err;

	while ((name = strsep(&names, ","))) {
		err = leave_out(name, hooks);
		if (err)
			return err;
	}
	return 0;
}

/* Hooks that nobody needs any more, as all statistics that did are left out. */
static u64 unneeded(u64 named)
{
	u64 hooks = named | (kvmw_stats_hooks(true) & ~kvmw_stats_hooks(false));

	hooks &= ~KVMW_HOOKS_OF_RECORDS;
	/* Only audits of marks need this one. */
	if (hooks & KVMW_HOOK_BIT(dirty_mark))
		hooks |= KVMW_HOOK_BIT(log_word);
	return hooks;
}

int kvmw_without_check(void)
{
	u64 named = 0;
	char *names;
	int err;

	if (!*without)
		return 0;
	names = kstrdup(without, GFP_KERNEL);
	if (!names)
		return -ENOMEM;
	err = leave_out_all(names, &named);
	kfree(names);
	if (!err)
		kvmw_hooks_left_out = unneeded(named);
	return err;
}
