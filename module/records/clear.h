/* SPDX-License-Identifier: GPL-2.0 */
/* When logs were last clear. */
#ifndef KVMW_CLEAR_H
#define KVMW_CLEAR_H

struct kvmw_clear;

/* A log is clear now, or is about to be. Context: hit, under KVM's slots_lock. */
void kvmw_clear_now(struct kvmw_clear *clear);
/* No moment is by the TSC any more. Context: task, no lock of ours held. */
void kvmw_moments_lost(void);

#endif /* KVMW_CLEAR_H */
