/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks that others switch off, and on again. */
#ifndef KVMW_REHOOK_H
#define KVMW_REHOOK_H

/*
 * Check whether attached hooks still work, and whether those switched off work again. Called by
 * audits. Context: task, no lock of ours held.
 */
void kvmw_rehook(void);

#endif /* KVMW_REHOOK_H */
