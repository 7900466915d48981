/* SPDX-License-Identifier: GPL-2.0 */
/* Is it known what a VM has mapped? */
#ifndef KVMW_MAPPED_H
#define KVMW_MAPPED_H

#include <linux/types.h>

struct kvmw_vm;

/*
 * Is a VM of this type one whose leaves cannot be counted? Then it is never armed, and its hits
 * count nothing, as none is below a cursor that stays at 0. Context: any.
 */
bool kvmw_vm_opaque(unsigned long type);

/* Are all of its leaves counted, and no count found wrong? Context: any. */
bool kvmw_mapped_known(const struct kvmw_vm *vm);

#endif /* KVMW_MAPPED_H */
