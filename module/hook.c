// SPDX-License-Identifier: GPL-2.0
/*
 * Attaches the hooks of hook_table.h to kvm.ko, and lets go of it in time.
 *
 * The tracepoint code tells us when kvm.ko comes and goes, also that it is there
 * already, and hands us its struct module, which nothing else would. All hooks
 * are attached before kvm.ko can create a VM, and are gone before its text is.
 */
#include <linux/module.h>
#include <linux/rwsem.h>
#include <linux/tracepoint.h>
#include <uapi/linux/kvmwatch.h>

#include "hook.h"
#include "object.h"
#include "site.h"

#define KVMW_FUNC_ROW(id, seldom, what, ...)					\
	[KVMW_HOOK_##id] = {							\
		.name = #id, .help = what, .targets = { __VA_ARGS__ },		\
		.rare = seldom,							\
		.on_ftrace = kvmw_ftrace_##id, .on_kprobe = kvmw_kprobe_##id,	\
	},
#define KVMW_HOT_ROW(id, ...)	KVMW_FUNC_ROW(id, false, __VA_ARGS__)
#define KVMW_RARE_ROW(id, ...)	KVMW_FUNC_ROW(id, true, __VA_ARGS__)
#define KVMW_RET_ROW(id, what, ...)						\
	[KVMW_HOOK_##id] = {							\
		.name = #id, .help = what, .targets = { __VA_ARGS__ },		\
		.on_entry = kvmw_entry_##id, .on_return = kvmw_return_##id,	\
	},
#define KVMW_TP_ROW(id, what, args, event)					\
	[KVMW_HOOK_##id] = {							\
		.name = #id, .help = what, .targets = { #event },		\
		.on_tp = kvmw_tp_##id, .tp_args = args,				\
	},
struct kvmw_hook kvmw_hooks[KVMW_NR_HOOKS] = {
	KVMW_HOOKS(KVMW_HOT_ROW, KVMW_RARE_ROW, KVMW_RET_ROW, KVMW_TP_ROW)
};

/* Without these no object can be told from another: nothing is attached. */
static const u64 mandatory = KVMW_HOOK_BIT(vm_init) | KVMW_HOOK_BIT(vm_destroy) |
			     KVMW_HOOK_BIT(vm_free) | KVMW_HOOK_BIT(vcpu_create) |
			     KVMW_HOOK_BIT(vcpu_created) | KVMW_HOOK_BIT(vcpu_destroy);

DEFINE_PER_CPU(struct kvmw_cpu, kvmw_cpu);
u64 kvmw_hooks_attached;
struct kvmw_kvm_syms kvmw_kvm;

static DECLARE_RWSEM(attach_sem);

void kvmw_attach_lock(void)
{
	down_read(&attach_sem);
}

void kvmw_attach_unlock(void)
{
	up_read(&attach_sem);
}

static void set_reason_all(const char *reason)
{
	int i;

	for (i = 0; i < KVMW_NR_HOOKS; i++)
		strscpy(kvmw_hooks[i].reason, reason, sizeof(kvmw_hooks[i].reason));
}

static void resolve_kvm(void)
{
	kvmw_kvm.kvm_lock = (struct mutex *)kvmw_symbol_addr("kvm_lock");
	kvmw_kvm.vm_list = (struct list_head *)kvmw_symbol_addr("vm_list");
	kvmw_kvm.vm_release = (void *)kvmw_symbol_addr("kvm_vm_release");
	kvmw_kvm.vcpu_release = (void *)kvmw_symbol_addr("kvm_vcpu_release");
}

/*
 * Every CPU as it is before its first hit. Not in the definition: the kernel does not relocate
 * what modules have there.
 */
static void cpus_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(kvmw_cpu, cpu) = (struct kvmw_cpu){
			.slot = &kvmw_no_slot,
			.site = &kvmw_site_other,
		};
}

/* On return no handler runs any more, nor will until the next attach. */
static void detach_all(const char *reason)
{
	int i;

	WRITE_ONCE(kvmw_hooks_attached, 0);
	for (i = 0; i < KVMW_NR_HOOKS; i++)
		if (kvmw_hooks[i].tp)
			kvmw_tp_detach(&kvmw_hooks[i]);
	kvmw_func_detach_all();
	tracepoint_synchronize_unregister();

	cpus_init();
	memset(&kvmw_kvm, 0, sizeof(kvmw_kvm));
	kvmw_forget_sites();
	WRITE_ONCE(kvmw_adopted, false);
	set_reason_all(reason);
}

static void attach_all(struct module *kvm)
{
	const char *unfit = kvmw_kvm_unfit();
	u64 attached = 0;
	int i;

	if (unfit) {
		pr_warn("%s: nothing is attached\n", unfit);
		set_reason_all(unfit);
		return;
	}
	resolve_kvm();
	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		struct kvmw_hook *hook = &kvmw_hooks[i];

		hook->reason[0] = '\0';
		if (hook->on_tp)
			kvmw_tp_attach(hook, kvm);
		else
			kvmw_func_attach(hook);
	}
	kvmw_func_attach_rare();
	for (i = 0; i < KVMW_NR_HOOKS; i++)
		if (kvmw_hooks[i].target)
			attached |= BIT_ULL(i);
	WRITE_ONCE(kvmw_hooks_attached, attached);

	if (!kvmw_kvm.kvm_lock || !kvmw_kvm.vm_list) {
		detach_all("kvm.ko has no kvm_lock and vm_list (CONFIG_KALLSYMS_ALL?)");
		return;
	}
	if ((attached & mandatory) != mandatory) {
		char reason[96], missing[80];

		kvmw_hook_names(mandatory & ~attached, missing, sizeof(missing));
		snprintf(reason, sizeof(reason), "nothing works without %s", missing);
		detach_all(reason);
		return;
	}
	kvmw_rescan();
}

static int on_module(struct notifier_block *nb, unsigned long state, void *data)
{
	struct module *mod = ((struct tp_module *)data)->mod;

	if (strcmp(mod->name, "kvm"))
		return NOTIFY_DONE;

	down_write(&attach_sem);
	if (state == MODULE_STATE_COMING)
		attach_all(mod);
	else if (state == MODULE_STATE_GOING)
		detach_all("kvm.ko is not loaded");
	up_write(&attach_sem);
	return NOTIFY_OK;
}

static struct notifier_block module_notifier = { .notifier_call = on_module };

/* A vendor module has no tracepoints, but calls what is hooked. No VM is left by then. */
static int on_vendor_module(struct notifier_block *nb, unsigned long state, void *data)
{
	if (state == MODULE_STATE_GOING && strstarts(((struct module *)data)->name, "kvm"))
		kvmw_forget_sites();
	return NOTIFY_OK;
}

static struct notifier_block vendor_notifier = { .notifier_call = on_vendor_module };

int kvmw_hooks_init(void)
{
	int err;

	BUILD_BUG_ON(KVMW_NR_HOOKS > KVMW_NEED_FIRST);

	cpus_init();
	set_reason_all(IS_BUILTIN(CONFIG_KVM) ?
		       "KVM is built into this kernel; kvmwatch needs kvm.ko" :
		       "kvm.ko is not loaded");
	err = register_module_notifier(&vendor_notifier);
	if (err)
		return err;
	err = register_tracepoint_module_notifier(&module_notifier);
	if (err)
		unregister_module_notifier(&vendor_notifier);
	return err;
}

void kvmw_hooks_exit(void)
{
	/* Tells us that kvm.ko is going, which detaches everything. */
	unregister_tracepoint_module_notifier(&module_notifier);
	unregister_module_notifier(&vendor_notifier);
}

u64 kvmw_hook_hits(enum kvmw_hook_id id)
{
	u64 hits = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		hits += READ_ONCE(per_cpu_ptr(&kvmw_cpu, cpu)->hits[id]);
	return hits;
}

/* ftrace and tracepoints miss nothing; a kprobe inside another's handler is. */
u64 kvmw_hook_misses(enum kvmw_hook_id id)
{
	const struct kvmw_hook *hook = &kvmw_hooks[id];

	return hook->kp.nmissed + hook->rp.kp.nmissed + hook->rp.nmissed;
}

void kvmw_hook_describe(enum kvmw_hook_id id, struct kvmwatch_hook *out)
{
	const struct kvmw_hook *hook = &kvmw_hooks[id];

	memset(out, 0, sizeof(*out));
	strscpy(out->name, hook->name, sizeof(out->name));
	kvmw_attach_lock();
	strscpy(out->target, hook->target ?: hook->targets[0], sizeof(out->target));
	if (hook->target) {
		out->flags = KVMWATCH_HOOK_ATTACHED;
		out->hits = kvmw_hook_hits(id);
		out->misses = kvmw_hook_misses(id);
		strscpy(out->via, hook->via, sizeof(out->via));
	} else {
		strscpy(out->reason, hook->reason, sizeof(out->reason));
	}
	kvmw_attach_unlock();
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
