/* SPDX-License-Identifier: GPL-2.0 */
/* Hooks on functions. Context: task, the attach lock held for write. */
#ifndef KVMW_HOOK_FUNC_H
#define KVMW_HOOK_FUNC_H

#include <linux/types.h>

struct kvmw_handlers;
struct kvmw_hook;

/*
 * Returns 0 or a negative errno with @hook->reason filled in. Rare functions come first, and are
 * attached together by kvmw_func_attach_rare() before the others come.
 */
int kvmw_func_attach(struct kvmw_hook *hook);
void kvmw_func_attach_rare(void);
void kvmw_func_detach_all(void);
/* Does ftrace patch the site of an attached hook? */
bool kvmw_func_by_ftrace(const struct kvmw_hook *hook);
/* Write why an attached hook is not direct, although via=direct asks for it; or nothing. */
void kvmw_func_not_direct(const struct kvmw_hook *hook, char *buf, size_t size);
/* Is the site of an attached hook patched, and do hooks of its kind work? */
bool kvmw_func_armed(const struct kvmw_hook *hook);
/* Do hooks of the kind that the parameter via allows work now? */
bool kvmw_func_works(void);

/*
 * Let hits of a hook that is attached by kprobe, or is a rare one, go to other handlers than its
 * own. Those run until all are detached.
 */
void kvmw_func_divert(struct kvmw_hook *hook, const struct kvmw_handlers *to);
/* Let an attached hook have no hits any more; it is as if it were switched off. */
void kvmw_func_stop(struct kvmw_hook *hook);
/* The rare hook that a hit by ftrace is of. Context: hit. */
struct kvmw_hook *kvmw_func_rare(unsigned long ip);

/* 0, or -EINVAL: the parameter via is invalid. Context: any. */
int kvmw_via_check(void);

#endif /* KVMW_HOOK_FUNC_H */
