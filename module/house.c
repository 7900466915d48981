// SPDX-License-Identifier: GPL-2.0
/* The housekeeper. See house.h. */
#include <linux/compiler.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/wait.h>
#include <uapi/linux/kvmwatch.h>

#include "exports/debugfs.h"
#include "house.h"
#include "numbers/snapshot.h"
#include "records/alloc.h"
#include "records/counts.h"
#include "records/cpu.h"
#include "records/kick.h"
#include "records/list.h"
#include "records/pool.h"
#include "records/record.h"
#include "records/table.h"
#include "tasks/adopt.h"
#include "tasks/audit.h"
#include "tasks/audit_vcpus.h"

/* --- births ---------------------------------------------------------------- */

/*
 * Make the directories in debugfs that are missing. A VM comes before its vCPUs and slots. Returns
 * true if some are still missing, as those of a predecessor are there; the next round tries again.
 */
static bool make_dirs(void)
{
	struct kvmw_object *obj, *next;
	bool missing = false;

	list_for_each_entry_safe(obj, next, &kvmw_todo, todo) {
		if (!kvmw_shown(obj))
			continue;
		if (kvmw_debugfs_add(obj))
			list_del_init(&obj->todo);
		else
			missing = true;
	}
	return missing;
}

/* --- deaths ---------------------------------------------------------------- */

static void hide_children(struct kvmw_vm *vm)
{
	struct kvmw_object *obj;

	mutex_lock(&vm->lock);
	list_for_each_entry(obj, &vm->vcpus, node)
		kvmw_hide(obj);
	list_for_each_entry(obj, &vm->slots, node)
		kvmw_hide(obj);
	mutex_unlock(&vm->lock);
}

/* What a gone vCPU or slot counted stays in the numbers of its VM. Under house_lock. */
static void fold(struct kvmw_object *obj)
{
	static struct kvmw_vcpu_stats last;	/* too large for the stack */
	struct kvmw_vm *vm = obj->vm;
	s64 mapped[KVMW_NR_LEVELS];
	struct kvmw_slot_cpu sum;
	int i;

	mutex_lock(&vm->lock);
	if (obj->kind == KVMWATCH_KIND_VCPU) {
		kvmw_audit_vcpu_last(kvmw_to_vcpu(obj));
		kvmw_vcpu_snapshot(kvmw_to_vcpu(obj), &last);
		kvmw_vcpu_stats_add(vm->gone_vcpus, &last);
	} else {
		kvmw_slot_cpu_sum(kvmw_to_slot(obj)->cpu, &sum);
		kvmw_slot_cpu_add(&vm->gone_slots, &sum);
		kvmw_slot_mapped(kvmw_to_slot(obj), mapped);
		for (i = 0; i < KVMW_NR_LEVELS; i++)
			vm->gone_mapped[i] += mapped[i];
	}
	list_del_init(&obj->node);
	mutex_unlock(&vm->lock);
}

/*
 * All that is hidden, taken off its hash chain, with what a hidden VM still had.
 * Readers may find it on the lists a while longer.
 */
static struct llist_node *collect_dead(void)
{
	struct llist_node *list = NULL, *part, *tail;
	struct kvmw_object *obj;

	mutex_lock(&kvmw_lock);
	while ((part = kvmw_take_dead())) {
		kvmw_absorb_locked();	/* after: who is dead by now has been newborn before */
		llist_for_each_entry(obj, part, dead) {
			tail = &obj->dead;
			kvmw_unhash(obj);
			if (obj->kind == KVMWATCH_KIND_VM)
				hide_children(obj->vm);
		}
		tail->next = list;
		list = part;
	}
	mutex_unlock(&kvmw_lock);
	return list;
}

static void unlist(struct llist_node *list)
{
	struct kvmw_object *obj;

	mutex_lock(&kvmw_lock);
	llist_for_each_entry(obj, list, dead) {
		list_del_init(&obj->todo);
		hash_del(&obj->by_id);
		if (obj->kind != KVMWATCH_KIND_VM)
			fold(obj);
	}
	llist_for_each_entry(obj, list, dead) {
		if (obj->kind != KVMWATCH_KIND_VM)
			continue;
		list_del_init(&obj->node);
		mutex_lock(&obj->vm->lock);
		kvmw_audit_end(obj->vm);
		mutex_unlock(&obj->vm->lock);
	}
	mutex_unlock(&kvmw_lock);
}

/*
 * A directory goes with all below it, so a VM's last. No lock may be held: it waits
 * for readers of the files, and they take them.
 */
static void remove_dirs(struct llist_node *list, bool of_vms)
{
	struct kvmw_object *obj;
	bool is_vm;

	llist_for_each_entry(obj, list, dead) {
		is_vm = obj->kind == KVMWATCH_KIND_VM;
		if (is_vm == of_vms)
			kvmw_debugfs_remove(obj);
	}
}

/*
 * Free the hidden. A hit can have found one before it was hidden, use it until it
 * ends, and leave it in its CPU's cache. After the first grace period all such hits
 * have ended and no cache gains one any more, so the caches can be cleared; after
 * the second, hits that looked into a cache before that have ended too.
 *
 * Only the housekeeper comes here, so the dead are ours while no lock is held.
 */
static void bury(void)
{
	struct llist_node *list = collect_dead();
	struct kvmw_object *obj, *next;

	if (!list)
		return;
	synchronize_rcu();
	kvmw_forget_hidden();
	synchronize_rcu();
	unlist(list);
	remove_dirs(list, false);
	remove_dirs(list, true);
	llist_for_each_entry_safe(obj, next, list, dead)
		kvmw_put(obj);
}

/* --- VMs that there is no record of ------------------------------------------ */

/*
 * Rounds that look for VMs because of events without a record. Whoever can open /dev/kvm can cause
 * such events without end, by creations that fail. So rounds that find nothing come less and
 * less often, down to one in LATER_MAX; when they find something, or after a calm, soon again.
 */
#define LATER_MIN	msecs_to_jiffies(20)
#define LATER_MAX	HZ
#define LATER_CALM	(10 * HZ)

/* Under house_lock. */
static struct {
	bool		due;		/* at @at */
	unsigned long	at, wait;	/* in jiffies */
} later;

/* After how many jiffies such a round is due; 0: now, or none is wanted. */
static unsigned long later_in(void)
{
	if (!kvmw_rescan_wanted_later())
		return 0;
	if (!later.due) {
		if (time_after(jiffies, later.at + LATER_CALM))
			later.wait = LATER_MIN;
		later.wait = clamp_t(unsigned long, later.wait, LATER_MIN, LATER_MAX);
		later.at = jiffies + later.wait;
		later.due = true;
	}
	return time_before(jiffies, later.at) ? later.at - jiffies : 0;
}

static void look_for_vms(void)
{
	bool wanted = kvmw_rescan_taken(), found;
	bool due = kvmw_rescan_wanted_later() && !later_in();

	if (!wanted && !due)
		return;
	if (due) {	/* before we look: what comes meanwhile may be too late for us */
		later.due = false;
		kvmw_rescan_later_taken();
	}
	found = kvmw_adopt_all();
	if (!due)
		return;
	later.wait = found ? LATER_MIN : 2 * later.wait;
	/*
	 * A creation takes its time until KVM lists the VM, and an idle VM causes no event that
	 * would have it looked for again. So rounds go on for a while after a creation that
	 * found no record.
	 */
	kvmw_rescan_after_creation(LATER_CALM);
}

/* --- rounds ---------------------------------------------------------------- */

void kvmw_house_round(void)
{
	unsigned long delay;

	bury();
	kvmw_pools_fill();
	look_for_vms();
	mutex_lock(&kvmw_lock);
	kvmw_absorb_locked();
	if (kvmw_show_all())	/* a VM is being created: look again soon */
		kvmw_kick_instead(msecs_to_jiffies(20));
	if (make_dirs())	/* no memory, or one of that name is on its way out */
		kvmw_kick_in(HZ / 2);
	delay = later_in();
	if (kvmw_rescan_wanted_later())
		kvmw_kick_in(delay);
	mutex_unlock(&kvmw_lock);
}

/* The hooks are gone: nothing is born any more. */
void kvmw_house_exit(void)
{
	struct kvmw_object *obj;

	kvmw_kick_end();
	mutex_lock(&kvmw_lock);
	kvmw_absorb_locked();
	list_for_each_entry(obj, &kvmw_vms, node)
		kvmw_hide(obj);
	mutex_unlock(&kvmw_lock);
	bury();
	kvmw_kick_exit();	/* hiding kicks */
	kvmw_pool_exit();
	kvmw_alloc_exit();
}
