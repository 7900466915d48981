/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks on tracepoints. Context: task, the attach lock held for write. */
#ifndef KVMW_HOOK_TP_H
#define KVMW_HOOK_TP_H

#include <linux/types.h>

struct kvmw_hook;
struct module;

/* Returns 0 or a negative errno with @hook->reason filled in. */
int kvmw_tp_attach(struct kvmw_hook *hook, struct module *kvm);
/* The caller owes tracepoint_synchronize_unregister(). */
void kvmw_tp_detach(struct kvmw_hook *hook);
/* Is the event enabled, and are its sites in kvm.ko patched? */
bool kvmw_tp_armed(const struct kvmw_hook *hook, const struct module *kvm);

#endif /* KVMW_HOOK_TP_H */
