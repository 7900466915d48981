/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks on functions. Context: task, the attach lock held for write. */
#ifndef KVMW_HOOK_FUNC_H
#define KVMW_HOOK_FUNC_H

#include <linux/types.h>

struct kvmw_hook;

/*
 * Returns 0 or a negative errno with @hook->reason filled in. Rare functions are attached together
 * by kvmw_func_attach_rare(), when all others are.
 */
int kvmw_func_attach(struct kvmw_hook *hook);
void kvmw_func_attach_rare(void);
void kvmw_func_detach_all(void);
/* Does the code at the site of an attached hook lead here now? */
bool kvmw_func_armed(const struct kvmw_hook *hook);
/* Would hooks on functions work, in the way that was asked for? */
bool kvmw_func_works(void);

/* Is the parameter via one that there is? Context: any. */
int kvmw_via_check(void);

#endif /* KVMW_HOOK_FUNC_H */
