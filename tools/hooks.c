// SPDX-License-Identifier: GPL-2.0
/* Which hooks and statistics the module has, and why some are not there. */
#include <stdlib.h>
#include <string.h>

#include "hooks.h"
#include "libkvmwatch.h"

int hooks_get(int dev, struct hooks *hooks)
{
	int err;

	memset(hooks, 0, sizeof(*hooks));
	err = kvmwatch_list_hooks(dev, &hooks->hooks, &hooks->nr_hooks);
	if (!err)
		err = kvmwatch_list_stats(dev, &hooks->stats, &hooks->nr_stats);
	if (err)
		hooks_put(hooks);
	return err;
}

void hooks_put(struct hooks *hooks)
{
	free(hooks->hooks);
	free(hooks->stats);
	memset(hooks, 0, sizeof(*hooks));
}

static const struct kvmwatch_hook *find_hook(const struct hooks *hooks, const char *name,
					     size_t len)
{
	size_t i;

	for (i = 0; i < hooks->nr_hooks; i++) {
		if (strlen(hooks->hooks[i].name) == len &&
		    !memcmp(hooks->hooks[i].name, name, len))
			return &hooks->hooks[i];
	}
	return NULL;
}

/* Append @s to what is in @buf; what does not fit is left out. */
static void append(char *buf, size_t size, const char *s, size_t len)
{
	size_t used = strlen(buf);

	if (len >= size - used)
		len = size - used - 1;
	memcpy(buf + used, s, len);
	buf[used + len] = '\0';
}

bool hooks_missing(const struct hooks *hooks, const struct kvmwatch_stat *stat,
		   char *buf, size_t size)
{
	const __u32 sees_all = KVMWATCH_HOOK_ATTACHED | KVMWATCH_HOOK_NEEDLESS;
	const struct kvmwatch_hook *hook;
	static const char left_out[] = "left out by without=";
	const char *name = stat->hooks;
	size_t len;

	*buf = '\0';
	if (stat->flags & KVMWATCH_STAT_LEFT_OUT) {
		append(buf, size, left_out, strlen(left_out));
		return true;
	}
	for (; *name; name += len + (name[len] == ',')) {
		len = strcspn(name, ",");
		hook = find_hook(hooks, name, len);
		if (!len || (hook && hook->flags & sees_all))
			continue;
		if (*buf)
			append(buf, size, ", ", 2);
		else
			append(buf, size, "hook missing: ", 14);
		append(buf, size, name, len);
	}
	return *buf;
}

static bool begins_with(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

bool hook_is_missed(const struct kvmwatch_hook *hook)
{
	if (hook->flags & KVMWATCH_HOOK_ATTACHED)
		return !strcmp(hook->via, "dropped");
	return !(hook->flags & (KVMWATCH_HOOK_ABSENT | KVMWATCH_HOOK_LEFT_OUT)) &&
	       !begins_with(hook->reason, "not asked for") &&
	       !begins_with(hook->reason, "kvm.ko is not loaded");
}

const char *hooks_object(__u32 kind)
{
	switch (kind) {
	case KVMWATCH_KIND_VM:
		return "vm";
	case KVMWATCH_KIND_VCPU:
		return "vcpu";
	case KVMWATCH_KIND_SLOT:
		return "slot";
	default:
		return "?";
	}
}
