/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A function of ours, hooked as KVM's are, which tells whether hooks of a kind work: see
 * hook_func.c.
 */
#ifndef KVMW_CANARY_H
#define KVMW_CANARY_H

void kvmw_canary(void);

#endif /* KVMW_CANARY_H */
