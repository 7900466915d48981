/* SPDX-License-Identifier: GPL-2.0 */
/* Is the number of mapped pages of a VM known? */
#ifndef KVMW_MAPPED_H
#define KVMW_MAPPED_H

#include <linux/types.h>

struct kvmw_vm;

/*
 * True for types of VMs whose leaves kvmwatch cannot count. In such a VM, @leaves_counted is never
 * set and the cursor stays at 0, so its hits count nothing. Context: any.
 */
bool kvmw_vm_opaque(unsigned long type);

/* Are all hooks there that see leaves come and go? Context: any. */
bool kvmw_leaves_hooked(void);

/*
 * True if all leaves of a VM are counted, hooks see them, and no audit disproved the count.
 * Context: any.
 */
bool kvmw_mapped_known(const struct kvmw_vm *vm);

#endif /* KVMW_MAPPED_H */
