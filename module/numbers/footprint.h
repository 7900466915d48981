/* SPDX-License-Identifier: GPL-2.0 */
/* Kernel memory that records take, in bytes. */
#ifndef KVMW_FOOTPRINT_H
#define KVMW_FOOTPRINT_H

#include <linux/types.h>

struct kvmw_vm;

/* One object of a kind; a VM with its vCPUs, slots and heat. */
size_t kvmw_kind_footprint(unsigned int kind);
size_t kvmw_vm_footprint(struct kvmw_vm *vm);

#endif /* KVMW_FOOTPRINT_H */
