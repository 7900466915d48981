// SPDX-License-Identifier: GPL-2.0
/*
 * Attaches the hooks of hook_table.h to kvm.ko, and lets go of it in time.
 *
 * The tracepoint code tells us when kvm.ko comes and goes, also that it is there
 * already, and hands us its struct module, which nothing else would. All hooks
 * are attached before kvm.ko can create a VM, and are gone before its text is.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/rwsem.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <uapi/linux/kvmwatch.h>

#include "hooks/attach.h"
#include "hooks/hook.h"
#include "hooks/hook_func.h"
#include "hooks/hook_tp.h"
#include "hooks/live.h"
#include "hooks/proof.h"
#include "kernel/kvm_fit.h"
#include "kernel/kvm_functions.h"
#include "kernel/symbols.h"

static const u64 mandatory = KVMW_HOOKS_MANDATORY;

struct kvmw_kvm_syms kvmw_kvm;

static const struct kvmw_attach_events *events;
static DECLARE_RWSEM(attach_sem);
/* kvm.ko, or NULL. Under attach_sem. */
static struct module *kvm_module;
/* Why nothing is attached. Under attach_sem. */
static char why_nothing[KVMW_BLIND_SIZE];
/* How often hooks were attached. Under attach_sem. */
static unsigned int attaches;
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
	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		kvmw_hooks[i].symbol = NULL;
		strscpy(kvmw_hooks[i].reason, reason, sizeof(kvmw_hooks[i].reason));
	}
}

/* Nothing is attached. */
static void watch_nothing(const char *why)
{
	pr_warn("nothing is watched: %s\n", why);
	set_reason_all(why);
}

static void resolve_kvm(void)
{
	kvmw_kvm.kvm_lock = (struct mutex *)kvmw_symbol_addr(KVMW_SYM_LOCK);
	kvmw_kvm.vm_list = (struct list_head *)kvmw_symbol_addr(KVMW_SYM_VM_LIST);
	kvmw_kvm.vm_release = (void *)kvmw_symbol_addr(KVMW_SYM_VM_RELEASE);
	kvmw_kvm.vcpu_release = (void *)kvmw_symbol_addr(KVMW_SYM_VCPU_RELEASE);
}

/* On return no handler runs any more, nor will until the next attach. */
static void let_go(void)
{
	int i;

	WRITE_ONCE(kvmw_hooks_attached, 0);
	WRITE_ONCE(kvmw_hooks_needless, 0);
	for (i = 0; i < KVMW_NR_HOOKS; i++)
		if (kvmw_hooks[i].tp_args && kvmw_hooks[i].target)
			kvmw_tp_detach(&kvmw_hooks[i]);
	kvmw_live_detach_all();
	kvmw_func_detach_all();
	tracepoint_synchronize_unregister();

	atomic64_set(&kvmw_hooks_wrong, 0);
	kvmw_hits_reset();
	memset(&kvmw_kvm, 0, sizeof(kvmw_kvm));
	events->detached();
}

static void detach_all(const char *reason)
{
	let_go();
	set_reason_all(reason);
}

/* Nothing is attached, for want of some: these have reasons of their own. */
static void give_up(const char *reason)
{
	int i;

	strscpy(why_nothing, reason, sizeof(why_nothing));
	for (i = 0; i < KVMW_NR_HOOKS; i++)
		if (!kvmw_hooks[i].reason[0])
			strscpy(kvmw_hooks[i].reason, reason, sizeof(kvmw_hooks[i].reason));
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
	static char reason[KVMW_WHY_SIZE];	/* under attach_sem */
	char missing[80];
	int i;

	if (!kvmw_kvm.kvm_lock || !kvmw_kvm.vm_list)
		return "kvm.ko has no kvm_lock and vm_list (CONFIG_KALLSYMS_ALL?)";
	if (!(mandatory & ~attached))
		return NULL;
	if (any_switched_off())
		return KVMW_SWITCHED_OFF;
	kvmw_hook_names(mandatory & ~attached, missing, sizeof(missing));
	i = __ffs64(mandatory & ~attached);
	snprintf(reason, sizeof(reason), "nothing works without %s: %s", missing,
		 kvmw_hooks[i].reason);
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

/* Could the hook be attached, and does the parameter without leave it out? */
static bool is_left_out(enum kvmw_hook_id id)
{
	return kvmw_hooks_left_out & BIT_ULL(id) && kvmw_hooks[id].trust >= KVMW_TESTED;
}

static void attach_func(struct kvmw_hook *hook)
{
	kvmw_live_arm(hook);
	kvmw_func_attach(hook);
}

static void attach_one(enum kvmw_hook_id id, struct module *kvm)
{
	struct kvmw_hook *hook = &kvmw_hooks[id];

	if (hook->trust < KVMW_TESTED)
		return;
	if (is_left_out(id))
		strscpy(hook->reason, "left out by without=", sizeof(hook->reason));
	else if (hook->tp_args)
		kvmw_tp_attach(hook, kvm);
	else
		attach_func(hook);
}

/* Does a hit come before the VM is off KVM's list, and for each VM? Kprobes may miss one. */
static bool tells_ends(const struct kvmw_hook *vm_destroy)
{
	return !strcmp(vm_destroy->via, "ftrace") &&
	       !strcmp(vm_destroy->symbol, KVMW_SYM_DESTROY);
}

static void attach_resolved(struct module *kvm)
{
	const char *unfit = kvmw_kvm_unfit();
	u64 attached;
	int i;

	if (unfit) {
		watch_nothing(unfit);
		return;
	}
	resolve_kvm();
	kvmw_hooks_prove(kvm);
	for (i = 0; i < KVMW_NR_HOOKS; i++)
		if (kvmw_hooks[i].rare)
			attach_one(i, kvm);
	kvmw_func_attach_rare();
	for (i = 0; i < KVMW_NR_HOOKS; i++)
		if (!kvmw_hooks[i].rare)
			attach_one(i, kvm);
	for (i = 0; i < KVMW_NR_HOOKS; i++)
		kvmw_live_attach(&kvmw_hooks[i]);
	attached = working();
	unfit = useless(attached);
	if (unfit) {
		waiting = any_switched_off();
		pr_warn("nothing is watched: %s\n", unfit);
		let_go();
		give_up(unfit);
		return;
	}
	/* Since the same release as this function */
	kvmw_kvm.marks_alone = kvmw_symbol_addr(KVMW_SYM_MARKS_ALONE);
	kvmw_kvm.ends_told = tells_ends(&kvmw_hooks[KVMW_HOOK_vm_destroy]);
	/* From now on VMs have records, and hits are counted. */
	WRITE_ONCE(kvmw_hooks_attached, attached);
	events->attached();
}

/* Nothing is attached before, and no record of a VM is left. */
static void attach_all(struct module *kvm)
{
	waiting = false;
	attaches++;
	if (kvmw_symbols_read(kvm)) {
		watch_nothing("no memory");
		return;
	}
	attach_resolved(kvm);
	kvmw_symbols_forget();
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
		events->coming(mod->state == MODULE_STATE_COMING);
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
	const char *name = ((struct module *)data)->name;

	if (state == MODULE_STATE_GOING &&
	    (!strcmp(name, "kvm_intel") || !strcmp(name, "kvm_amd")))
		events->vendor_gone();
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
	return hook->on.ftrace;
}

static bool is_off(const struct kvmw_hook *hook)
{
	if (hook->wrong)	/* that switches it off for good: see note_live() */
		return hook->off;
	if (hook->tp)
		return !kvmw_tp_armed(hook, kvm_module);
	return !kvmw_func_armed(hook);
}

void kvmw_hooks_changes(struct kvmw_hook_changes *changes)
{
	struct kvmw_hook *hook;
	bool off;
	int i;

	memset(changes, 0, sizeof(*changes));
	down_write(&attach_sem);
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
		changes->records |= matters_to_records(hook);
	}
	up_write(&attach_sem);
}

void kvmw_hooks_set_off(u64 hooks, bool off)
{
	struct kvmw_hook *hook;
	int i;

	down_write(&attach_sem);
	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		hook = &kvmw_hooks[i];
		if (!(hooks & BIT_ULL(i)) || !hook->target)
			continue;
		kvmw_hook_set_off(hook, off);
	}
	WRITE_ONCE(kvmw_hooks_attached, working());
	up_write(&attach_sem);
}

static void note_live(const struct kvmw_live_found *found)
{
	struct kvmw_hook *hook;
	int i;

	for (i = 0; i < KVMW_NR_HOOKS; i++) {
		hook = &kvmw_hooks[i];
		if (found->right & BIT_ULL(i))
			hook->live = true;
		if (!(found->wrong & BIT_ULL(i)))
			continue;
		hook->off = true;
		snprintf(hook->reason, sizeof(hook->reason),
			 "%s was called with what it cannot be called with: %s", hook->symbol,
			 hook->wrong);
		pr_warn("%s is not counted: %s\n", hook->name, hook->reason);
	}
	WRITE_ONCE(kvmw_hooks_attached, working());
}

/* Readers wait only while the result is written down: to take callbacks away takes long. */
u64 kvmw_hooks_settle(void)
{
	struct kvmw_live_found found;
	unsigned int judged;

	down_read(&attach_sem);
	judged = attaches;
	kvmw_live_settle(&found);
	up_read(&attach_sem);
	if (!found.right && !found.wrong)
		return 0;
	down_write(&attach_sem);
	if (judged == attaches)	/* else they were attached again, and are judged again */
		note_live(&found);
	else
		found.wrong = 0;
	up_write(&attach_sem);
	return found.wrong;
}

void kvmw_hooks_detach(void)
{
	down_write(&attach_sem);
	if (kvm_module)
		detach_all(KVMW_SWITCHED_OFF);
	events->coming(false);
	up_write(&attach_sem);
}

void kvmw_hooks_attach(void)
{
	down_write(&attach_sem);
	if (kvm_module)
		attach_all(kvm_module);
	up_write(&attach_sem);
}

bool kvmw_hooks_try(void)
{
	bool attached = false;

	down_write(&attach_sem);
	if (waiting && kvmw_func_works()) {
		events->coming(false);
		attach_all(kvm_module);
		attached = kvmw_hooks_attached;
	}
	up_write(&attach_sem);
	return attached;
}

/* --- for readers ----------------------------------------------------------- */

bool kvmw_hooks_blind(char buf[KVMW_BLIND_SIZE])
{
	buf[0] = '\0';
	if (!kvmw_hooks_attached && (kvm_module || IS_BUILTIN(CONFIG_KVM)))
		strscpy(buf, why_nothing, KVMW_BLIND_SIZE);
	/* The kernel tells of no tracepoints in a module that taints it. */
	else if (!kvm_module && kvmw_symbol_is_loaded(KVMW_SYM_ANY))
		strscpy(buf, "the kernel does not tell of kvm.ko, as that was loaded by force",
			KVMW_BLIND_SIZE);
	return kvm_module;
}

void kvmw_hook_describe(enum kvmw_hook_id id, struct kvmwatch_hook *out)
{
	const struct kvmw_hook *hook = &kvmw_hooks[id];

	memset(out, 0, sizeof(*out));
	strscpy(out->name, hook->name, sizeof(out->name));
	kvmw_attach_lock();
	strscpy(out->target, hook->symbol ?: hook->known, sizeof(out->target));
	if (hook->target && !hook->off) {
		out->flags = KVMWATCH_HOOK_ATTACHED | (hook->trust == KVMW_PROVEN ?
			     KVMWATCH_HOOK_PROVEN : KVMWATCH_HOOK_TESTED);
		snprintf(out->by, sizeof(out->by), "%s%s", hook->by, hook->live ? "+live" : "");
		out->hits = kvmw_hook_hits(id);
		out->misses = kvmw_hook_misses(id);
		strscpy(out->via, hook->via, sizeof(out->via));
		kvmw_func_not_direct(hook, out->why, sizeof(out->why));
	} else {
		if (kvmw_hooks_attached && hook->trust == KVMW_ABSENT)
			out->flags = KVMWATCH_HOOK_ABSENT;
		if (kvmw_hooks_needless & BIT_ULL(id))
			out->flags |= KVMWATCH_HOOK_NEEDLESS;
		if (kvmw_hooks_attached && is_left_out(id))
			out->flags = KVMWATCH_HOOK_LEFT_OUT;
		strscpy(out->reason, hook->reason, sizeof(out->reason));
		strscpy(out->why, hook->reason, sizeof(out->why));
	}
	kvmw_attach_unlock();
}

/* --- start and end --------------------------------------------------------- */

int kvmw_hooks_init(const struct kvmw_handlers *handlers, const struct kvmw_form_handlers *forms,
		    const struct kvmw_attach_events *ours)
{
	int err;

	kvmw_proof_init(handlers, forms);
	kvmw_live_init(ours->settled);
	events = ours;
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
