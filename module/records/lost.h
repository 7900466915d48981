/* SPDX-License-Identifier: GPL-2.0 */
/* Events that found no record. */
#ifndef KVMW_LOST_H
#define KVMW_LOST_H

#include <linux/types.h>

struct kvm;
struct kvm_vcpu;

/* An event found no record. @kvm: whose it is, as far as is known. Context: hit. */
void kvmw_lost(const struct kvm *kvm);
/* The same of an event of a vCPU that no record was found of. */
void kvmw_lost_of(const struct kvm_vcpu *kvcpu);
/* So many of VMs that have no record */
u64 kvmw_lost_unknown(void);

#endif /* KVMW_LOST_H */
