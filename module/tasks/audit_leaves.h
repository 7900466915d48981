/* SPDX-License-Identifier: GPL-2.0 */
/* Audits of mapped pages. See audit_leaves.c. */
#ifndef KVMW_AUDIT_LEAVES_H
#define KVMW_AUDIT_LEAVES_H

struct kvmw_vm;

/*
 * Compare leaves, and count the audit. Returns 1 or 0 (they agree, they differ), -ESRCH or -EAGAIN
 * as kvmw_audit() does. Context: task, house_lock held.
 */
int kvmw_audit_leaves(struct kvmw_vm *vm);

/* The last audit of a VM, after KVM has freed it and all its slots. Context: vm->lock held. */
void kvmw_audit_leaves_end(struct kvmw_vm *vm);

#endif /* KVMW_AUDIT_LEAVES_H */
