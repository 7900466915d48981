// SPDX-License-Identifier: GPL-2.0
/* Kicks: requests for a round of the housekeeper. See kick.h. */
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "kernel/work.h"
#include "records/kick.h"

/* Serialises rounds. Outermost of our locks. */
static DEFINE_MUTEX(house_lock);

static void (*house_round)(void), (*house_after)(void);
static bool rescan_wanted, rescan_later;
bool kvmw_adopted;
bool kvmw_all_found;

static void work_fn(struct work_struct *unused);
static DECLARE_DELAYED_WORK(work, work_fn);

static bool ending;	/* the module is being unloaded: kicks do nothing */

static void kick_fn(struct irq_work *unused)
{
	if (!READ_ONCE(ending))
		mod_delayed_work(kvmw_unbound_wq, &work, 0);
}

/* An irq_work, as a hit may hold a runqueue lock, under which nothing may be woken. */
static DEFINE_IRQ_WORK(kick, kick_fn);

void kvmw_kick(void)
{
	irq_work_queue(&kick);
}

void kvmw_kick_in(unsigned long delay)
{
	queue_delayed_work(kvmw_unbound_wq, &work, delay);
}

void kvmw_kick_instead(unsigned long delay)
{
	mod_delayed_work(kvmw_unbound_wq, &work, delay);
}

void kvmw_house_lock(void)
{
	mutex_lock(&house_lock);
}

void kvmw_house_unlock(void)
{
	mutex_unlock(&house_lock);
}

/* Flushing the work is not enough: that misses a round which a kick queues meanwhile. */
void kvmw_housekeep(void)
{
	mutex_lock(&house_lock);
	house_round();
	mutex_unlock(&house_lock);
}

static void work_fn(struct work_struct *unused)
{
	kvmw_housekeep();
	house_after();
}

/* --- VMs without a record ---------------------------------------------------- */

void kvmw_rescan(void)
{
	WRITE_ONCE(rescan_wanted, true);
	kvmw_kick();
}

void kvmw_rescan_quietly(void)
{
	if (!READ_ONCE(rescan_later))
		WRITE_ONCE(rescan_later, true);
}

/* Only the first of many events without a record kicks. */
void kvmw_rescan_later(void)
{
	if (READ_ONCE(rescan_later))
		return;
	WRITE_ONCE(rescan_later, true);
	kvmw_kick();
}

/* When KVM last created a VM for which the pool had no record, and whether to look for it. */
static unsigned long creation_at;
static bool creation_unseen;

void kvmw_rescan_creation(void)
{
	WRITE_ONCE(creation_at, jiffies);
	WRITE_ONCE(creation_unseen, true);
	kvmw_rescan_later();
}

bool kvmw_rescan_taken(void)
{
	return xchg(&rescan_wanted, false);
}

bool kvmw_rescan_wanted_later(void)
{
	return READ_ONCE(rescan_later);
}

void kvmw_rescan_later_taken(void)
{
	WRITE_ONCE(rescan_later, false);
}

void kvmw_rescan_after_creation(unsigned long calm)
{
	if (!xchg(&creation_unseen, false) || time_after(jiffies, READ_ONCE(creation_at) + calm))
		return;
	WRITE_ONCE(creation_unseen, true);
	WRITE_ONCE(rescan_later, true);
}

/* --- start and end ----------------------------------------------------------- */

void kvmw_kick_init(void (*round)(void), void (*after)(void))
{
	house_round = round;
	house_after = after;
}

void kvmw_kick_end(void)
{
	WRITE_ONCE(ending, true);
	irq_work_sync(&kick);
	cancel_delayed_work_sync(&work);
}

void kvmw_kick_exit(void)
{
	irq_work_sync(&kick);
}
