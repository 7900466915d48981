/* SPDX-License-Identifier: GPL-2.0 */
/* The types of the kvm.ko that runs, as it has them itself (BTF). */
#ifndef KVMW_KVM_TYPES_H
#define KVMW_KVM_TYPES_H

#include "proof/btf.h"

#define KVMW_UNTYPED_SIZE	96

/*
 * Read them, to be forgotten in either case. NULL: @why says why they are not to be had, in words.
 * Context: task, attach lock held for write.
 */
const struct kvmw_btf *kvmw_types_read(char why[KVMW_UNTYPED_SIZE]);
void kvmw_types_forget(void);

#endif /* KVMW_KVM_TYPES_H */
