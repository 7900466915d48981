/* SPDX-License-Identifier: GPL-2.0 */
/* What kvm.ko proves of the functions and events that are hooked. */
#ifndef KVMW_PROOF_H
#define KVMW_PROOF_H

struct module;

/*
 * Judge kvm.ko, and note in each hook what it was found to be worth there. Context: task, attach
 * lock held for write, symbols read.
 */
void kvmw_hooks_prove(const struct module *kvm);

#endif /* KVMW_PROOF_H */
