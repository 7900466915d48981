/* SPDX-License-Identifier: GPL-2.0 */
/* Audits of vCPUs: their exits, halts and loads. See audit_vcpus.c. */
#ifndef KVMW_AUDIT_VCPUS_H
#define KVMW_AUDIT_VCPUS_H

#include <linux/types.h>

struct kvmw_vcpu;
struct kvmw_vm;
struct seq_file;

/*
 * Compare our counts of a VM's vCPUs with KVM's. False: one differs, and the statistics that depend
 * on it are withdrawn for good. Context: task, house_lock held.
 */
bool kvmw_audit_vcpus(struct kvmw_vm *vm);

/*
 * Compare the last counts of a gone vCPU. The results are added to vm->ends_compared and
 * vm->ends_refuted. Context: task, house_lock and vm->lock held.
 */
void kvmw_audit_vcpu_last(struct kvmw_vcpu *vcpu);

/* Print for the file hooks which counts audits compare, and how closely. */
void kvmw_audit_vcpus_describe(struct seq_file *m);

#endif /* KVMW_AUDIT_VCPUS_H */
