// SPDX-License-Identifier: GPL-2.0
/*
 * Handle hooks that somebody switches off and on again. Withdraw their statistics for all current
 * VMs. If the hooks are those on which records depend, end all records and start over, as VMs may
 * have ended unseen.
 */
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mutex.h>

#include "hooks/attach.h"
#include "hooks/hook.h"
#include "records/kick.h"
#include "records/list.h"
#include "records/record.h"
#include "records/table.h"
#include "tasks/rehook.h"

static void tell(u64 hooks, const char *what)
{
	char names[256];

	if (!hooks)
		return;
	kvmw_hook_names(hooks, names, sizeof(names));
	pr_warn("hooks %s %s\n", names, what);
}

static void mark_missed(u64 hooks)
{
	struct kvmw_object *obj;

	mutex_lock(&kvmw_lock);
	kvmw_absorb_locked();
	list_for_each_entry(obj, &kvmw_vms, node)
		WRITE_ONCE(obj->vm->missed, obj->vm->missed | hooks);
	mutex_unlock(&kvmw_lock);
}

void kvmw_rehook_settle(void)
{
	u64 wrong = kvmw_hooks_settle();

	if (wrong)
		mark_missed(wrong);
}

static void forget_all(void)
{
	struct kvmw_object *obj;

	mark_missed(KVMW_ALL_HOOKS);
	mutex_lock(&kvmw_lock);
	list_for_each_entry(obj, &kvmw_vms, node)
		kvmw_hide(obj);
	mutex_unlock(&kvmw_lock);
	kvmw_housekeep();
}

static void start_over(void)
{
	kvmw_hooks_detach();
	forget_all();
	kvmw_hooks_attach();
	kvmw_housekeep();	/* adopts the VMs */
}

/* Attach if nothing is attached because hooks were switched off, and they work now. */
static void try_again(void)
{
	if (!kvmw_hooks_try())
		return;
	pr_warn("hooks work again: VMs are watched from now on\n");
	kvmw_housekeep();	/* adopts the VMs */
}

static void check_hooks(void)
{
	struct kvmw_hook_changes changes;

	try_again();
	kvmw_hooks_changes(&changes);
	tell(changes.lost, "are switched off: what depends on them is unavailable");
	tell(changes.back, "work again, and have missed events");
	if (changes.records) {
		start_over();
		return;
	}
	/* Mark the current VMs first, so that no reader takes an incomplete number for complete. */
	if (changes.back)
		mark_missed(changes.back);
	kvmw_hooks_set_off(changes.lost, true);
	kvmw_hooks_set_off(changes.back, false);
	if (changes.lost)
		mark_missed(changes.lost);
}

void kvmw_rehook(void)
{
	static DEFINE_MUTEX(check_lock);

	mutex_lock(&check_lock);
	check_hooks();
	mutex_unlock(&check_lock);
}
