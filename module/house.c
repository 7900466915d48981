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
#include "hooks/attach.h"
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
#include "tasks/rehook.h"

/* --- births ---------------------------------------------------------------- */

/*
 * Make missing debugfs directories. The list has a VM before its vCPUs and slots. Returns true if
 * some are still missing, as a dead predecessor has the name; the next round tries again.
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

/* Add the counts of a gone vCPU or slot to its VM, which keeps them. Under house_lock. */
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
 * Take all hidden records off their hash chains, and hide the children of hidden VMs. Readers may
 * find these records on the lists until unlist().
 */
static struct llist_node *collect_dead(void)
{
	struct llist_node *list = NULL, *part, *tail;
	struct kvmw_object *obj;

	mutex_lock(&kvmw_lock);
	while ((part = kvmw_take_dead())) {
		kvmw_absorb_locked();	/* after it, so that each dead record is on the lists */
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
 * Removing a directory removes everything below it, so VMs come last. The caller holds no lock:
 * removal waits for readers of the files, and they take our locks.
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
 * Free hidden records. A hit may have found a record before it was hidden, use it until the hit
 * ends, and leave it in its CPU's cache. After the first grace period all such hits have ended and
 * no hit puts a hidden record into a cache any more, so the caches can be cleared. After the second
 * one, hits that read a cache before it was cleared have ended, too.
 *
 * Only the housekeeper calls this, so it owns the dead records without a lock.
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

/* --- VMs without a record ---------------------------------------------------- */

/*
 * Searches for VMs after events without a record. Any user of /dev/kvm can cause such events
 * endlessly, with creations that fail. So each search that finds nothing doubles the delay before
 * the next, up to LATER_MAX. A search that finds a VM, and LATER_CALM without a search, reset it.
 */
#define LATER_MIN	msecs_to_jiffies(20)
#define LATER_MAX	HZ
#define LATER_CALM	(10 * HZ)

/* Under house_lock. */
static struct {
	bool		due;		/* at @at */
	unsigned long	at, wait;	/* in jiffies */
} later;

/* Jiffies until such a search is due; 0: it is due now, or none is requested. */
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
	if (due) {	/* clear the request first: the search may miss a VM that comes meanwhile */
		later.due = false;
		kvmw_rescan_later_taken();
	}
	found = kvmw_adopt_all();
	if (!due)
		return;
	later.wait = found ? LATER_MIN : 2 * later.wait;
	/*
	 * KVM lists a VM only at the end of its creation, and an idle VM has no events that request
	 * another search. So searches go on for a while after a creation that found no record.
	 */
	kvmw_rescan_after_creation(LATER_CALM);
}

/* --- rounds ---------------------------------------------------------------- */

void kvmw_house_round(void)
{
	unsigned long delay;

	kvmw_rehook_settle();
	bury();
	kvmw_pools_fill();
	look_for_vms();
	mutex_lock(&kvmw_lock);
	kvmw_absorb_locked();
	if (kvmw_show_all())	/* KVM is still creating a VM */
		kvmw_kick_instead(msecs_to_jiffies(20));
	if (make_dirs())	/* no memory, or a dead predecessor still has the name */
		kvmw_kick_in(HZ / 2);
	delay = later_in();
	if (kvmw_rescan_wanted_later())
		kvmw_kick_in(delay);
	mutex_unlock(&kvmw_lock);
}

/* Context: the hooks are detached, so no record is published any more. */
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
