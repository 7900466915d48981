/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checks of a hook's first hits. Files prove where arguments are, not that a level or a page's
 * number means what it meant. So on kernels that the tests were not run on, the first hits of each
 * function whose arguments can be checked are looked at: of hot functions by a second callback of
 * ftrace, of others in place of their handlers. When enough were seen it goes, and leaves nothing
 * behind that costs.
 *
 * A hit is looked at before it is counted. From the first one that is wrong on, what depends on the
 * hook is unavailable (kvmw_hooks_wrong): no reader gets a number with that hit in it.
 */
#ifndef KVMW_LIVE_H
#define KVMW_LIVE_H

#include "hooks/hook.h"

/*
 * A check returns what is wrong with a hit, NULL if nothing is, or this one: it cannot tell, as the
 * VM or vCPU has no record. Context: hit.
 */
extern const char *const kvmw_live_unknown;

/* @settled is called when a hook has been judged. Context: hit. */
void kvmw_live_init(void (*settled)(void));

/*
 * Before a hook is attached: have its hits looked at; and behind that: those that take a second
 * callback. No VM has a record until both are done, so that no hit is counted unseen.
 * Context: attach lock held for write.
 */
void kvmw_live_arm(struct kvmw_hook *hook);
void kvmw_live_attach(struct kvmw_hook *hook);
void kvmw_live_detach_all(void);

/*
 * Take the callbacks away from hooks that have been judged; returns those whose hits were right and
 * wrong. Context: attach lock held for reading, by one task at a time.
 */
struct kvmw_live_found {
	u64	right, wrong;
};

void kvmw_live_settle(struct kvmw_live_found *found);

#endif /* KVMW_LIVE_H */
