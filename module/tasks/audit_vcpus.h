/* SPDX-License-Identifier: GPL-2.0 */
/* Audits of what is counted for vCPUs: exits, halts, loads. See audit_vcpus.c. */
#ifndef KVMW_AUDIT_VCPUS_H
#define KVMW_AUDIT_VCPUS_H

#include <linux/types.h>

struct kvmw_vcpu;
struct kvmw_vm;
struct seq_file;

/*
 * Compare what is counted for a VM's vCPUs with what KVM counts. False: something differs; then
 * the statistics that it is about are withdrawn for good. Context: task, house_lock held.
 */
bool kvmw_audit_vcpus(struct kvmw_vm *vm);

/*
 * Compare what a vCPU that is gone had at its end. What comes of it is in vm->ends_compared and
 * vm->ends_refuted. Context: task, house_lock and vm->lock held.
 */
void kvmw_audit_vcpu_last(struct kvmw_vcpu *vcpu);

/* What is compared here, and what not and why, for the file hooks. */
void kvmw_audit_vcpus_describe(struct seq_file *m);

#endif /* KVMW_AUDIT_VCPUS_H */
