/* SPDX-License-Identifier: GPL-2.0 */
/* Compare kvm.ko with the headers that kvmwatch was built with. */
#ifndef KVMW_KVM_FIT_H
#define KVMW_KVM_FIT_H

/* NULL if they match, else why KVM's structures may differ. Context: kvm.ko cannot be unloaded. */
const char *kvmw_kvm_unfit(void);

#endif /* KVMW_KVM_FIT_H */
