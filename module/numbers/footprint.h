/* SPDX-License-Identifier: GPL-2.0 */
/* What records take of the kernel's memory, in bytes. */
#ifndef KVMW_FOOTPRINT_H
#define KVMW_FOOTPRINT_H

#include <linux/types.h>

struct kvmw_vm;

/* One object of a kind; a VM and all that it has. */
size_t kvmw_kind_footprint(unsigned int kind);
size_t kvmw_vm_footprint(struct kvmw_vm *vm);

#endif /* KVMW_FOOTPRINT_H */
