/* SPDX-License-Identifier: GPL-2.0 */
/* What kvm.ko proves of the functions and events that are hooked. */
#ifndef KVMW_PROOF_H
#define KVMW_PROOF_H

#include "hooks/hook.h"

struct module;

void kvmw_proof_init(const struct kvmw_handlers *handlers, const struct kvmw_form_handlers *forms);

/*
 * Judge kvm.ko, and note in each hook what it was found to be worth there. Context: task, attach
 * lock held for write, symbols read.
 */
void kvmw_hooks_prove(const struct module *kvm);

#endif /* KVMW_PROOF_H */
