/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What others ask of the housekeeper, a work item that does whatever takes task context: see
 * house.c.
 */
#ifndef KVMW_KICK_H
#define KVMW_KICK_H

#include <linux/jiffies.h>
#include <linux/types.h>

/* Have the housekeeper run; safe everywhere, also under a runqueue lock. */
void kvmw_kick(void);
/* The same after so many jiffies, unless it is to run already; instead: whenever that is. */
void kvmw_kick_in(unsigned long delay);
void kvmw_kick_instead(unsigned long delay);

/* A round of our own, behind the one that may be going on. Context: task, no lock of ours held. */
void kvmw_housekeep(void);

/* Keep the housekeeper out. Context: task, no other lock of ours held. */
void kvmw_house_lock(void);
void kvmw_house_unlock(void);

/* --- VMs that there is no record of ------------------------------------------ */

/*
 * Also look for VMs we have no record of. later: not at once, as it may be one that is being
 * created, and not often, as there may be none.
 */
void kvmw_rescan(void);
void kvmw_rescan_later(void);
/* The same without a kick */
void kvmw_rescan_quietly(void);
/* Look for a VM that is being created, until its creation must have ended. Context: hit. */
void kvmw_rescan_creation(void);

/* For the housekeeper: is a round wanted, at once or later? Takes the wish. */
bool kvmw_rescan_taken(void);
bool kvmw_rescan_wanted_later(void);
void kvmw_rescan_later_taken(void);
/* A creation found no record, not longer ago than @calm: then look later, once more. */
void kvmw_rescan_after_creation(unsigned long calm);

/* The VMs that ran when we attached have been found. */
extern bool kvmw_adopted;
/* The last round that looked for VMs had memory for all of them. */
extern bool kvmw_all_found;

/* --- start and end ----------------------------------------------------------- */

/* @round is what the housekeeper does; @after: behind it, unless it was of our own. */
void kvmw_kick_init(void (*round)(void), void (*after)(void));
/*
 * The hooks are gone: nobody but the housekeeper's own last round kicks. Those who did before are
 * waited for, and what they queued is cancelled. Those after it queue nothing.
 */
void kvmw_kick_end(void);
/* Nobody kicks any more. */
void kvmw_kick_exit(void);

#endif /* KVMW_KICK_H */
