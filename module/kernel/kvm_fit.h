/* SPDX-License-Identifier: GPL-2.0 */
/* Is kvm.ko of the sources that we were built with? */
#ifndef KVMW_KVM_FIT_H
#define KVMW_KVM_FIT_H

/* NULL if so, or the reason why its structures may differ. Context: kvm.ko stays. */
const char *kvmw_kvm_unfit(void);

#endif /* KVMW_KVM_FIT_H */
