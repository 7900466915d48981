/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Audits compare what we have counted of a VM with what KVM has. The three parts are in
 * audit_leaves.c, audit_marks.c and audit_vcpus.c. One task at a time does it, under house_lock.
 */
#ifndef KVMW_AUDIT_H
#define KVMW_AUDIT_H

struct kvmw_vm;

/*
 * Compare with KVM. Returns 1: leaves agree; 0: they differ, and the VM will be recounted; -ESRCH:
 * the VM is gone; -EAGAIN: it is being counted, or changes too fast to be sure; -EOPNOTSUPP: its
 * leaves cannot be counted. Also compares dirty marks and the counts of vCPUs. Context: task, no
 * lock held.
 */
int kvmw_audit(struct kvmw_vm *vm);

/* The last audit of a VM whose vCPUs and slots are gone. Context: vm->lock held. */
void kvmw_audit_end(struct kvmw_vm *vm);

/* Start and stop the periodic audits. */
void kvmw_audits_init(void);
void kvmw_audits_exit(void);

#endif /* KVMW_AUDIT_H */
