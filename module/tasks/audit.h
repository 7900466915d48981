/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Audits: what we have counted of a VM against what KVM has. The three parts are in audit_leaves.c,
 * audit_marks.c and audit_vcpus.c. All of it is done by one at a time, under house_lock.
 */
#ifndef KVMW_AUDIT_H
#define KVMW_AUDIT_H

struct kvmw_vm;

/*
 * Compare with KVM. Returns 1 when it agrees, 0 when it does not: then the VM is about to be
 * counted anew; or -ESRCH when it is gone, -EAGAIN when it is being counted or does too much to be
 * sure, -EOPNOTSUPP when its leaves cannot be counted. Dirty marks and what is counted for vCPUs
 * are compared as well.
 * Context: task, no lock held.
 */
int kvmw_audit(struct kvmw_vm *vm);

/* The last one, of a VM whose vCPUs and slots are all gone. Context: vm->lock held. */
void kvmw_audit_end(struct kvmw_vm *vm);

/* Audits from time to time. */
void kvmw_audits_init(void);
void kvmw_audits_exit(void);

#endif /* KVMW_AUDIT_H */
