/* SPDX-License-Identifier: GPL-2.0 */
/* When dirty logs were last cleared. */
#ifndef KVMW_CLEAR_H
#define KVMW_CLEAR_H

struct kvmw_clear;

/* KVM has cleared a log, or is about to. Context: hit, under KVM's slots_lock. */
void kvmw_clear_now(struct kvmw_clear *clear);
/* Hits no longer use the TSC: invalidate all moments. Context: task, no lock of ours held. */
void kvmw_moments_lost(void);

#endif /* KVMW_CLEAR_H */
