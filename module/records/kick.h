/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How others make the housekeeper run. That is the work item that does what needs task context: see
 * house.c.
 */
#ifndef KVMW_KICK_H
#define KVMW_KICK_H

#include <linux/jiffies.h>
#include <linux/types.h>

/* Have the housekeeper run; safe everywhere, also under a runqueue lock. */
void kvmw_kick(void);
/* The same after @delay jiffies, unless it is queued; kvmw_kick_instead() replaces that. */
void kvmw_kick_in(unsigned long delay);
void kvmw_kick_instead(unsigned long delay);

/* Run a round here, after one that may be running. Context: task, no lock of ours held. */
void kvmw_housekeep(void);

/* Keep the housekeeper out. Context: task, no other lock of ours held. */
void kvmw_house_lock(void);
void kvmw_house_unlock(void);

/* --- VMs without a record ---------------------------------------------------- */

/*
 * Have the housekeeper also look for VMs without a record. kvmw_rescan_later(): not at once, as the
 * VM may still be being created, and not often, as there may be none.
 */
void kvmw_rescan(void);
void kvmw_rescan_later(void);
/* The same without a kick */
void kvmw_rescan_quietly(void);
/* Look again until a creation that found no record must have ended. Context: hit. */
void kvmw_rescan_creation(void);

/* For the housekeeper: is a round wanted, now or later? Clears the request. */
bool kvmw_rescan_taken(void);
bool kvmw_rescan_wanted_later(void);
void kvmw_rescan_later_taken(void);
/* If a creation found no record within the last @calm jiffies, look once more later. */
void kvmw_rescan_after_creation(unsigned long calm);

/* The VMs that ran when we attached have been found. */
extern bool kvmw_adopted;
/* The last round that looked for VMs had memory for all of them. */
extern bool kvmw_all_found;

/* --- start and end ----------------------------------------------------------- */

/* @round: what the housekeeper does. @after: what follows, but for kvmw_housekeep(). */
void kvmw_kick_init(void (*round)(void), void (*after)(void));
/*
 * Wait for running kicks, cancel what they queued, and let later ones queue nothing. Context: the
 * hooks are gone, so only the housekeeper's last round kicks.
 */
void kvmw_kick_end(void);
/* Nobody kicks any more. */
void kvmw_kick_exit(void);

#endif /* KVMW_KICK_H */
