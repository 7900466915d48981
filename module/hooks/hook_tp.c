// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on tracepoints of kvm.ko.
 *
 * Tracepoints take any function as a handler, and events changed their arguments
 * between kernels, also within a stable series. kvm.ko carries the number of
 * arguments of each event for BPF's use; a row attaches only when it agrees.
 */
#include <linux/errno.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <asm/text-patching.h>

#include "hooks/hook.h"
#include "hooks/hook_tp.h"

static struct tracepoint *find_tracepoint(struct module *kvm, const char *name)
{
	struct tracepoint *tp;
	unsigned int i;

	for (i = 0; i < kvm->num_tracepoints; i++) {
		tp = tracepoint_ptr_deref(&kvm->tracepoints_ptrs[i]);
		if (!strcmp(tp->name, name))
			return tp;
	}
	return NULL;
}

/* Number of arguments of an event as kvm.ko was built, or -1: it does not say. */
static int tracepoint_args(struct module *kvm, const struct tracepoint *tp)
{
#ifdef CONFIG_BPF_EVENTS
	unsigned int i;

	for (i = 0; i < kvm->num_bpf_raw_events; i++)
		if (kvm->bpf_raw_events[i].tp == tp)
			return kvm->bpf_raw_events[i].num_args;
#endif
	return -1;
}

/* The handler whose type is that of the event, or NULL. */
static void *handler_for(const struct kvmw_hook *hook, int args)
{
	if (args == hook->tp_args)
		return hook->on.tp;
	return args == hook->tp_args + 1 ? hook->on.tp_more : NULL;
}

int kvmw_tp_attach(struct kvmw_hook *hook, struct module *kvm)
{
	struct tracepoint *tp = find_tracepoint(kvm, hook->symbol);
	void *handler;
	int args, err;

	if (!tp) {
		snprintf(hook->reason, sizeof(hook->reason), "kvm.ko has no tracepoint %s",
			 hook->symbol);
		return -ENOENT;
	}
	args = tracepoint_args(kvm, tp);
	handler = handler_for(hook, args);
	if (!handler) {
		snprintf(hook->reason, sizeof(hook->reason),
			 "tracepoint %s has %d arguments, expected %d",
			 hook->symbol, args, hook->tp_args);
		return -EPROTO;
	}
	if (kvmw_hook_drop(hook)) {
		hook->target = hook->symbol;
		return 0;
	}
	err = tracepoint_probe_register(tp, handler, hook);
	if (err) {
		snprintf(hook->reason, sizeof(hook->reason), "tracepoint %s: error %d",
			 hook->symbol, err);
		return err;
	}
	hook->tp = tp;
	hook->tp_handler = handler;
	hook->target = hook->symbol;
	hook->via = "tracepoint";
	return 0;
}

#ifdef CONFIG_JUMP_LABEL
/* The branch that a tracepoint is: a jump when it is on. */
static bool is_jump(const struct jump_entry *site)
{
	u8 code = READ_ONCE(*(const u8 *)jump_entry_code(site));

	return code == JMP32_INSN_OPCODE || code == JMP8_INSN_OPCODE;
}

/* Sites in kvm.ko. Those of kvm_exit and kvm_entry are in the vendor's module. */
static bool sites_armed(const struct static_key *key, const struct module *kvm)
{
	const struct jump_entry *site = kvm->jump_entries;
	const struct jump_entry *end = site + kvm->num_jump_entries;

	for (; site < end; site++)
		if (jump_entry_key(site) == key && !jump_entry_is_init(site) && !is_jump(site))
			return false;
	return true;
}
#else	/* each site reads the key */
static bool sites_armed(const struct static_key *key, const struct module *kvm)
{
	return true;
}
#endif

bool kvmw_tp_armed(const struct kvmw_hook *hook, const struct module *kvm)
{
	return static_key_enabled(&hook->tp->key) &&
	       sites_armed((const struct static_key *)&hook->tp->key, kvm);
}

/* The caller owes tracepoint_synchronize_unregister(). */
void kvmw_tp_detach(struct kvmw_hook *hook)
{
	if (hook->tp)
		tracepoint_probe_unregister(hook->tp, hook->tp_handler, hook);
	hook->tp = NULL;
	hook->off = false;
	hook->target = NULL;
	hook->via = NULL;
}
