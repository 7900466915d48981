/* SPDX-License-Identifier: GPL-2.0 */
/* Which hooks and statistics the module has, and why some are not there. */
#ifndef KVMWATCH_HOOKS_H
#define KVMWATCH_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/kvmwatch.h>

struct hooks {
	struct kvmwatch_hook *hooks;
	size_t nr_hooks;
	struct kvmwatch_stat *stats;
	size_t nr_stats;
};

/* Read hooks and statistics from the module. Returns 0 or -errno. */
int hooks_get(int dev, struct hooks *hooks);
void hooks_put(struct hooks *hooks);

/*
 * Write into @buf which hooks a statistic lacks ("hook missing: vcpu_load"), or that the module
 * parameter without leaves it out. Returns false if it lacks none: then the statistic is available,
 * or unavailable for another reason.
 */
bool hooks_missing(const struct hooks *hooks, const struct kvmwatch_stat *stat,
		   char *buf, size_t size);

/*
 * Is this hook missing though it should be attached? A hook that nobody asked for, that "without"
 * left out, or that this KVM does not need, is not missing; none is while kvm.ko is not loaded. A
 * hook that "drop" left out is missing.
 */
bool hook_is_missed(const struct kvmwatch_hook *hook);

/* "vm", "vcpu" or "slot". */
const char *hooks_object(__u32 kind);

#endif /* KVMWATCH_HOOKS_H */
