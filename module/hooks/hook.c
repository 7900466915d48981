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
/* kvm.ko, or NULL. Under attach_sem. */
static struct module *kvm_module;
/* Why nothing is attached. Under attach_sem. */
static char why_nothing[KVMW_BLIND_SIZE];
/* Nothing is attached as hooks are switched off, which may change. Under attach_sem. */
static bool waiting;

#define KVM_IS_AWAY	"kvm.ko is not loaded"
#define KVM_IS_BUILT_IN	"KVM is built into this kernel; kvmwatch needs kvm.ko"

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

	strscpy(why_nothing, reason, sizeof(why_nothing));
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
		if (kvmw_hooks[i].on_tp && kvmw_hooks[i].target)
			kvmw_tp_detach(&kvmw_hooks[i]);
	kvmw_func_detach_all();
	tracepoint_synchronize_unregister();

	cpus_init();
	memset(&kvmw_kvm, 0, sizeof(kvmw_kvm));
	kvmw_forget_sites();
	WRITE_ONCE(kvmw_adopted, false);
	set_reason_all(reason);
}

/* By what was found when each was attached: it may be another way by now. */
static bool any_switched_off(void)
{
	int i;

	for (i = 0; i < KVMW_NR_HOOKS; i++)
		if (!strcmp(kvmw_hooks[i].reason, KVMW_SWITCHED_OFF))
			return true;
	return false;
}

/* Why what is attached is of no use, or NULL: it is. */
static const char *useless(u64 attached)
{
	static char reason[96];	/* under attach_sem */
	char missing[80];

	if (!kvmw_kvm.kvm_lock || !kvmw_kvm.vm_list)
		return "kvm.ko has no kvm_lock and vm_list (CONFIG_KALLSYMS_ALL?)";
	if (!(mandatory & ~attached))
		return NULL;
	if (any_switched_off())
		return KVMW_SWITCHED_OFF;
	kvmw_hook_names(mandatory & ~attached, missing, sizeof(missing));
	snprintf(reason, sizeof(reason), "nothing works without %s", missing);
	return reason;
}

/* Hooks that count. */
static u64 working(void)
{
	u64 attached = 0;
	int i;

	for (i = 0; i < KVMW_NR_HOOKS; i++)
		if (kvmw_hooks[i].target && !kvmw_hooks[i].off)
			attached |= BIT_ULL(i);
	return attached;
}

/* Nothing is attached before, and no record of a VM is left. */
static void attach_all(struct module *kvm)
{
	const char *unfit = kvmw_kvm_unfit();
	u64 attached;
	int i;

	waiting = false;
	if (unfit) {
		pr_warn("nothing is watched: %s\n", unfit);
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
	attached = working();
	unfit = useless(attached);
	if (unfit) {
		waiting = any_switched_off();
		pr_warn("nothing is watched: %s\n", unfit);
		detach_all(unfit);
		return;
	}
	kvmw_kvm.ends_told = !strcmp(kvmw_hooks[KVMW_HOOK_vm_destroy].via, "ftrace");
	WRITE_ONCE(kvmw_hooks_attached, attached);
	kvmw_rescan();
}

static int on_module(struct notifier_block *nb, unsigned long state, void *data)
{
	struct module *mod = ((struct tp_module *)data)->mod;

	if (strcmp(mod->name, "kvm"))
		return NOTIFY_DONE;

	down_write(&attach_sem);
	if (state == MODULE_STATE_COMING) {
		kvm_module = mod;
		/* It may be there already, and have VMs. */
		WRITE_ONCE(kvmw_all_found, mod->state == MODULE_STATE_COMING);
		attach_all(mod);
	} else if (state == MODULE_STATE_GOING) {
		kvm_module = NULL;
		waiting = false;
		detach_all(KVM_IS_AWAY);
	}
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

/* --- hooks that others switch off ------------------------------------------- */

/*
 * Of a hook on the entry of a function, life and death of VMs, vCPUs and slots depend, and what
 * they have mapped, so that after a gap nothing that was known can be trusted: all records go, and
 * VMs are found as at insmod, under new ids. The others only feed statistics: these are
 * withdrawn, and stay so for VMs that lived in the gap.
 */
static bool matters_to_records(const struct kvmw_hook *hook)
{
	return hook->on_ftrace;
}

static bool is_off(const struct kvmw_hook *hook)
{
	if (hook->tp)
		return !kvmw_tp_armed(hook, kvm_module);
	return !kvmw_func_armed(hook);
}

/* What has changed since the last look. */
struct changes {
	u64	lost, back;
	bool	anew;		/* records are concerned */
};

static void find_changes(struct changes *changes)
{
	struct kvmw_hook *hook;
	bool off;
	int i;

	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		hook = &kvmw_hooks[i];
		if (!hook->target)
			continue;
		off = is_off(hook);
		if (off == hook->off)
			continue;
		if (off)
			changes->lost |= BIT_ULL(i);
		else
			changes->back |= BIT_ULL(i);
		changes->anew |= matters_to_records(hook);
	}
}

static void tell(u64 hooks, const char *what)
{
	char names[256];

	if (!hooks)
		return;
	kvmw_hook_names(hooks, names, sizeof(names));
	pr_warn("hooks %s %s\n", names, what);
}

void kvmw_hook_set_off(struct kvmw_hook *hook, bool off)
{
	hook->off = off;
	strscpy(hook->reason, off ? KVMW_SWITCHED_OFF : "", sizeof(hook->reason));
}

static void set_off(u64 hooks, bool off)
{
	struct kvmw_hook *hook;
	int i;

	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		hook = &kvmw_hooks[i];
		if (!(hooks & BIT_ULL(i)) || !hook->target)
			continue;
		kvmw_hook_set_off(hook, off);
	}
	WRITE_ONCE(kvmw_hooks_attached, working());
}

static void begin_anew(void)
{
	down_write(&attach_sem);
	if (kvm_module)
		detach_all(KVMW_SWITCHED_OFF);
	WRITE_ONCE(kvmw_all_found, false);
	up_write(&attach_sem);
	kvmw_forget_all();
	down_write(&attach_sem);
	if (kvm_module)
		attach_all(kvm_module);
	up_write(&attach_sem);
	kvmw_housekeep();	/* finds the VMs */
}

/* Attach what could not be attached before, if it can be now. */
static void try_again(void)
{
	bool attached = false;

	down_write(&attach_sem);
	if (waiting && kvmw_func_works()) {
		WRITE_ONCE(kvmw_all_found, false);
		attach_all(kvm_module);
		attached = kvmw_hooks_attached;
	}
	up_write(&attach_sem);
	if (!attached)
		return;
	pr_warn("hooks work again: VMs are watched from now on\n");
	kvmw_housekeep();	/* finds them */
}

void kvmw_hooks_look(void)
{
	static DEFINE_MUTEX(look_lock);
	struct changes changes = {};

	mutex_lock(&look_lock);
	try_again();
	down_write(&attach_sem);
	find_changes(&changes);
	up_write(&attach_sem);
	tell(changes.lost, "are switched off: what depends on them is unavailable");
	tell(changes.back, "work again, and have missed events");
	if (changes.anew) {
		begin_anew();
		goto out;
	}
	/* Nobody is to take for whole what was not seen: first those that live are marked. */
	if (changes.back)
		kvmw_mark_missed(changes.back);
	down_write(&attach_sem);
	set_off(changes.lost, true);
	set_off(changes.back, false);
	up_write(&attach_sem);
	if (changes.lost)
		kvmw_mark_missed(changes.lost);
out:
	mutex_unlock(&look_lock);
}

void kvmw_blind(char buf[KVMW_BLIND_SIZE])
{
	buf[0] = '\0';
	kvmw_attach_lock();
	if (!kvmw_hooks_attached && (kvm_module || IS_BUILTIN(CONFIG_KVM)))
		strscpy(buf, why_nothing, KVMW_BLIND_SIZE);
	/* The kernel tells of no tracepoints in a module that taints it. */
	else if (!kvm_module && kvmw_symbol_addr("kvm_init"))
		strscpy(buf, "the kernel does not tell of kvm.ko, as that was loaded by force",
			KVMW_BLIND_SIZE);
	else if (kvm_module && !READ_ONCE(kvmw_all_found))
		strscpy(buf, "VMs are still being looked for", KVMW_BLIND_SIZE);
	kvmw_attach_unlock();
}

int kvmw_hooks_init(void)
{
	int err;

	BUILD_BUG_ON(KVMW_NR_HOOKS > KVMW_NEED_FIRST);

	cpus_init();
	if (IS_BUILTIN(CONFIG_KVM))
		pr_warn("nothing is watched: " KVM_IS_BUILT_IN "\n");
	set_reason_all(IS_BUILTIN(CONFIG_KVM) ? KVM_IS_BUILT_IN : KVM_IS_AWAY);
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
	if (hook->target && !hook->off) {
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
