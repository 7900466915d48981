// SPDX-License-Identifier: GPL-2.0
/* The hooks, and how often each was hit. See hook.h. */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/string.h>

#include "hooks/hook.h"

#define FUNC_ROW(id, seldom, what, ...)					\
	[KVMW_HOOK_##id] = {							\
		.name = #id, .help = what, .known = __VA_ARGS__,		\
		.rare = seldom,							\
	},
#define HOT_ROW(id, ...)	FUNC_ROW(id, false, __VA_ARGS__)
#define RARE_ROW(id, ...)	FUNC_ROW(id, true, __VA_ARGS__)
#define RET_ROW(id, ...)	FUNC_ROW(id, false, __VA_ARGS__)
#define TP_ROW(id, what, args, event)					\
	[KVMW_HOOK_##id] = {							\
		.name = #id, .help = what, .known = #event, .tp_args = args, \
	},
struct kvmw_hook kvmw_hooks[KVMW_NR_HOOKS] = {
	KVMW_HOOKS(HOT_ROW, RARE_ROW, RET_ROW, TP_ROW, TP_ROW)
};

u64 kvmw_hooks_attached, kvmw_hooks_needless, kvmw_hooks_left_out;
atomic64_t kvmw_hooks_wrong;
DEFINE_PER_CPU(u64[KVMW_NR_HOOKS], kvmw_hits);

static char *drop = "";
module_param(drop, charp, 0444);
MODULE_PARM_DESC(drop, "for tests of audits: claim to have attached the hook of this name, but don't");

bool kvmw_hook_drop(struct kvmw_hook *hook)
{
	if (strcmp(drop, hook->name))
		return false;
	pr_warn("drop=%s: what depends on it will be wrong\n", drop);
	hook->via = "dropped";
	return true;
}

void kvmw_hook_set_off(struct kvmw_hook *hook, bool off)
{
	hook->off = off;
	strscpy(hook->reason, off ? KVMW_SWITCHED_OFF : "", sizeof(hook->reason));
}

u64 kvmw_hook_hits(enum kvmw_hook_id id)
{
	u64 hits = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		hits += READ_ONCE(per_cpu(kvmw_hits, cpu)[id]);
	return hits;
}

void kvmw_hits_reset(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu(kvmw_hits, cpu), 0, sizeof(kvmw_hits));
}

/* ftrace and tracepoints miss nothing; a kprobe inside another's handler is. */
u64 kvmw_hook_misses(enum kvmw_hook_id id)
{
	const struct kvmw_hook *hook = &kvmw_hooks[id];

	return hook->kp.nmissed + hook->rp.kp.nmissed + hook->rp.nmissed;
}

void kvmw_hook_names(u64 hooks, char *buf, size_t size)
{
	size_t len = 0;
	int i;

	buf[0] = '\0';
	for (i = 0; i < KVMW_NR_HOOKS; i++)
		if (hooks & BIT_ULL(i))
			len += scnprintf(buf + len, size - len, "%s%s", len ? "," : "",
					 kvmw_hooks[i].name);
}
