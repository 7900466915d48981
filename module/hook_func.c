// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on the entry of functions: through ftrace, or through kprobes.
 *
 * The kernel offers modules no look-up of symbols. A kprobe has one: asked for a
 * symbol, it resolves the address before it looks at what is there. A disabled
 * probe on a function changes nothing and tells the address of the ftrace site;
 * one on data is refused, and the address is known all the same.
 */
#include <linux/moduleparam.h>
#include <linux/string.h>

#include "hook.h"

static char *via = "auto";
module_param(via, charp, 0444);
MODULE_PARM_DESC(via, "how to hook functions: auto (default), ftrace or kprobe");

/* An address inside kvm.ko, or 0. The name must match to the letter. */
unsigned long kvmw_symbol_addr(const char *name)
{
	char symbol[KSYM_NAME_LEN];
	struct kprobe kp = { .symbol_name = symbol, .flags = KPROBE_FLAG_DISABLED };

	snprintf(symbol, sizeof(symbol), "kvm:%s", name);
	if (!register_kprobe(&kp))
		unregister_kprobe(&kp);
	return (unsigned long)kp.addr;
}

static int attach_ftrace(struct kvmw_hook *hook)
{
	int err;

	memset(&hook->ops, 0, sizeof(hook->ops));
	hook->ops.func = hook->on_ftrace;
	/* PERMANENT: nobody may switch it off behind a counter's back. */
	hook->ops.flags = KVMW_FTRACE_FLAGS | FTRACE_OPS_FL_PERMANENT;
	err = ftrace_set_filter_ip(&hook->ops, hook->addr, 0, 0);
	if (err)
		return err;
	err = register_ftrace_function(&hook->ops);
	if (err)
		ftrace_free_filter(&hook->ops);
	else
		hook->via = "ftrace";
	return err;
}

static int attach_kprobe(struct kvmw_hook *hook)
{
	int err;

	memset(&hook->kp, 0, sizeof(hook->kp));
	hook->kp.addr = (kprobe_opcode_t *)hook->addr;
	hook->kp.pre_handler = hook->on_kprobe;
	err = register_kprobe(&hook->kp);
	if (!err)
		hook->via = "kprobe";
	return err;
}

static int attach_via(struct kvmw_hook *hook)
{
	int err;

	if (!strcmp(via, "kprobe"))
		return attach_kprobe(hook);
	err = attach_ftrace(hook);
	if (err && !strcmp(via, "auto"))
		err = attach_kprobe(hook);
	return err;
}

int kvmw_func_attach(struct kvmw_hook *hook)
{
	const char *const *target;
	int err;

	for (target = hook->targets; *target; target++) {
		hook->addr = kvmw_symbol_addr(*target);
		if (hook->addr)
			break;
	}
	if (!*target) {
		snprintf(hook->reason, sizeof(hook->reason), "kvm.ko has no function %s",
			 hook->targets[0]);
		return -ENOENT;
	}
	err = attach_via(hook);
	if (err) {
		snprintf(hook->reason, sizeof(hook->reason), "%s: via=%s failed with error %d",
			 *target, via, err);
		return err;
	}
	hook->target = *target;
	return 0;
}

/* On return no handler of this hook runs any more, nor will. */
void kvmw_func_detach(struct kvmw_hook *hook)
{
	if (!strcmp(hook->via, "ftrace")) {
		unregister_ftrace_function(&hook->ops);
		ftrace_free_filter(&hook->ops);
	} else {
		unregister_kprobe(&hook->kp);
	}
	hook->target = NULL;
	hook->via = NULL;
}

int kvmw_via_check(void)
{
	if (!strcmp(via, "auto") || !strcmp(via, "ftrace") || !strcmp(via, "kprobe"))
		return 0;
	pr_err("via=%s: must be auto, ftrace or kprobe\n", via);
	return -EINVAL;
}
