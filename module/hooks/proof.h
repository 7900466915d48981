/* SPDX-License-Identifier: GPL-2.0 */
/* Does a hook get the arguments that its handler reads? */
#ifndef KVMW_PROOF_H
#define KVMW_PROOF_H

struct kvmw_hook;

/* NULL if so, or the reason why that is not proven. */
const char *kvmw_hook_unproven(const struct kvmw_hook *hook);

#endif /* KVMW_PROOF_H */
