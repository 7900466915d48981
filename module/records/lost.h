/* SPDX-License-Identifier: GPL-2.0 */
/* Events that found no record. */
#ifndef KVMW_LOST_H
#define KVMW_LOST_H

#include <linux/types.h>

struct kvm;
struct kvm_vcpu;

/* An event found no record. @kvm: its VM, or NULL if unknown. Context: hit. */
void kvmw_lost(const struct kvm *kvm);
/* The same for an event of a vCPU without a record. */
void kvmw_lost_of(const struct kvm_vcpu *kvcpu);
/* Number of events of VMs without a record. */
u64 kvmw_lost_unknown(void);

#endif /* KVMW_LOST_H */
