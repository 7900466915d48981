/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kicks: requests for a round of the housekeeper, the work item that does whatever needs task
 * context. See house.c.
 */
#ifndef KVMW_KICK_H
#define KVMW_KICK_H

#include <linux/jiffies.h>
#include <linux/types.h>

/* Make the housekeeper run. Context: any, even under a runqueue lock. */
void kvmw_kick(void);
/*
 * Make it run after @delay jiffies. If a round is queued already, kvmw_kick_in() leaves its time
 * alone and kvmw_kick_instead() replaces it.
 */
void kvmw_kick_in(unsigned long delay);
void kvmw_kick_instead(unsigned long delay);

/* Run a round in this task; wait for a running one first. Context: task, no lock of ours held. */
void kvmw_housekeep(void);

/* Keep the housekeeper out. Context: task, no other lock of ours held. */
void kvmw_house_lock(void);
void kvmw_house_unlock(void);

/* --- VMs without a record ---------------------------------------------------- */

/*
 * Make the housekeeper also look for VMs without a record. kvmw_rescan_later() delays that, as KVM
 * may still be creating the VM, and limits how often it happens, as there may be no such VM.
 */
void kvmw_rescan(void);
void kvmw_rescan_later(void);
/* kvmw_rescan_later() without a kick */
void kvmw_rescan_quietly(void);
/* A VM is being created without a record: look until its creation must have ended. Context: hit. */
void kvmw_rescan_creation(void);

/*
 * For the housekeeper: is a search requested, now or later? kvmw_rescan_taken() and
 * kvmw_rescan_later_taken() clear the request.
 */
bool kvmw_rescan_taken(void);
bool kvmw_rescan_wanted_later(void);
void kvmw_rescan_later_taken(void);
/* If a creation found no record within the last @calm jiffies, request another search. */
void kvmw_rescan_after_creation(unsigned long calm);

/* The VMs that ran when the hooks were attached have records. */
extern bool kvmw_adopted;
/* The last search for VMs had memory for a record of each. */
extern bool kvmw_all_found;

/* --- start and end ----------------------------------------------------------- */

/* The work item calls @round, then @after; kvmw_housekeep() calls only @round. */
void kvmw_kick_init(void (*round)(void), void (*after)(void));
/*
 * Wait for running kicks, cancel the round that they queued, and make later kicks do nothing.
 * Context: the hooks are detached, so only the last round of the housekeeper still kicks.
 */
void kvmw_kick_end(void);
/* Wait for the last kick. Context: nothing kicks any more. */
void kvmw_kick_exit(void);

#endif /* KVMW_KICK_H */
