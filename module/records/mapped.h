/* SPDX-License-Identifier: GPL-2.0 */
/* Is it known what a VM has mapped? */
#ifndef KVMW_MAPPED_H
#define KVMW_MAPPED_H

#include <linux/types.h>

struct kvmw_vm;

/*
 * Can the leaves of VMs of this type not be counted? Such a VM is never armed, and its cursor stays
 * at 0, so its hits count nothing. Context: any.
 */
bool kvmw_vm_opaque(unsigned long type);

/* Have all its leaves been counted, and has no audit disproved the count? Context: any. */
bool kvmw_mapped_known(const struct kvmw_vm *vm);

#endif /* KVMW_MAPPED_H */
