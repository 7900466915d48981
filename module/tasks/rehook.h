/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks that others switch off, and on again. */
#ifndef KVMW_REHOOK_H
#define KVMW_REHOOK_H

/*
 * Look whether all that is attached still works, and whether what was switched off works again.
 * Audits do it. Context: task, no lock of ours held.
 */
void kvmw_rehook(void);

#endif /* KVMW_REHOOK_H */
