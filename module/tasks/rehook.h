/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks that somebody switches off and on again. */
#ifndef KVMW_REHOOK_H
#define KVMW_REHOOK_H

/*
 * Check whether attached hooks still work, and whether those that were switched off work again.
 * Audits call this. Context: task, no lock of ours held.
 */
void kvmw_rehook(void);

/*
 * Refuse hooks whose first hits were wrong, and withdraw their statistics for all current VMs.
 * Context: task, no lock of ours held; by one task at a time.
 */
void kvmw_rehook_settle(void);

#endif /* KVMW_REHOOK_H */
