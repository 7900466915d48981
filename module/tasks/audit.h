/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Audits compare our counts of a VM with what KVM has. The three parts are in audit_leaves.c,
 * audit_marks.c and audit_vcpus.c. house_lock serialises audits.
 */
#ifndef KVMW_AUDIT_H
#define KVMW_AUDIT_H

struct kvmw_vm;

/*
 * Compare leaves, dirty marks and the counts of vCPUs with KVM. Returns 0 if any of them differs;
 * if leaves differ, the VM is recounted. Otherwise returns 1 if leaves agree, -ESRCH if the VM is
 * gone, -EAGAIN if its leaves are being counted or change too fast to be sure, or -EOPNOTSUPP if
 * they cannot be counted. Context: task, no lock held.
 */
int kvmw_audit(struct kvmw_vm *vm);

/* The last audit of a VM whose vCPUs and slots are gone. Context: vm->lock held. */
void kvmw_audit_end(struct kvmw_vm *vm);

/* Start and stop the periodic audits. */
void kvmw_audits_init(void);
void kvmw_audits_exit(void);

#endif /* KVMW_AUDIT_H */
