/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replay KVM's halt polling over recorded halts, with other parameters.
 *
 * The recorded time of a halt that blocked includes its wake-up. So the replay counts a halt that
 * is slightly longer than the window as lost, though polling might have ended it.
 */
#ifndef KVMWATCH_HALT_POLL_H
#define KVMWATCH_HALT_POLL_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

/**
 * struct halt_poll_params - KVM's parameters, of these names in /sys/module/kvm/parameters
 * @max:	halt_poll_ns
 * @grow:	halt_poll_ns_grow
 * @shrink:	halt_poll_ns_shrink
 * @start:	halt_poll_ns_grow_start
 */
struct halt_poll_params {
	__u32 max, grow, shrink, start;
};

/**
 * struct halt - a recorded halt
 * @ns:		its duration
 * @waited:	the vCPU blocked
 * @valid:	KVM judged the wake-up valid
 * @delay:	if it blocked: how long the woken thread was ready before it got a pCPU; -1: unknown
 */
struct halt {
	__u64 ns;
	bool waited, valid;
	__s64 delay;
};

/**
 * struct halt_poll - the result of a replay
 * @window:	the vCPU's window: before the first halt, and on return behind the last
 * @halts:	number of halts
 * @polls:	halts that polled: @won and @lost
 * @won:	halts that ended while polling
 * @lost:	halts that polled and then blocked
 * @polled_ns:	CPU time of all polling
 * @lost_ns:	CPU time of polling in halts that were lost
 * @quicker:	halts that are won, and blocked when they were recorded
 * @quicker_ns:	the sum of their delays: what their wake-ups would have been quicker, at least
 * @delays_unknown: some of these delays are not known
 */
struct halt_poll {
	__u32 window;
	__u64 halts, polls, won, lost, polled_ns, lost_ns, quicker, quicker_ns;
	bool delays_unknown;
};

/* Replay halts of one vCPU, and add the result to @poll. */
void halt_poll_replay(const struct halt_poll_params *params, const struct halt *halts, size_t nr,
		      struct halt_poll *poll);

/*
 * Parse "halt_poll_ns=400000,grow=4", and change the parameters that it names: halt_poll_ns, grow,
 * shrink, grow_start. Returns NULL, or what is wrong with @text.
 */
const char *halt_poll_parse(const char *text, struct halt_poll_params *params);

/* Read KVM's current parameters. Returns 0 or -errno. */
int halt_poll_now(struct halt_poll_params *params);

#endif /* KVMWATCH_HALT_POLL_H */
