/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks that somebody switches off and on again. */
#ifndef KVMW_REHOOK_H
#define KVMW_REHOOK_H

/*
 * Check whether attached hooks still work, and whether those that were switched off work again.
 * Audits call this. Context: task, no lock of ours held.
 */
void kvmw_rehook(void);

#endif /* KVMW_REHOOK_H */
