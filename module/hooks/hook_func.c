// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on the entry of functions, through ftrace or through kprobes, and on functions
 * from entry to return, through kretprobes.
 */
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/ftrace.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

/* For its opcodes. It needs the headers above. */
#include <asm/text-patching.h>

#include "hooks/canary.h"
#include "hooks/hook.h"
#include "hooks/hook_func.h"
#include "kernel/ftrace.h"
#include "kernel/symbols.h"

static char *via = "auto";
module_param(via, charp, 0444);
MODULE_PARM_DESC(via, "how to hook functions: auto (default), ftrace, direct or kprobe");

/* --- the canary ------------------------------------------------------------ */

/*
 * A function of ours, hooked as KVM's are. A patched site may lead only to somebody else's hook of
 * that function. But sysctl kernel.ftrace_enabled and debugfs' kprobes/enabled switch off all hooks
 * of a kind. So if a call of the canary reaches its hook, the others of that kind work too.
 */
static struct ftrace_ops canary_ops;
static struct kprobe canary_kp;
static bool ftrace_sang, kprobe_sang;

static void notrace canary_ftrace(KVMW_FTRACE_ARGS)
{
	WRITE_ONCE(ftrace_sang, true);
}

static int canary_kprobe(struct kprobe *kp, struct pt_regs *regs)
{
	WRITE_ONCE(kprobe_sang, true);
	return 0;
}

NOKPROBE_SYMBOL(canary_kprobe);

/* --- ftrace ---------------------------------------------------------------- */

/*
 * Shared by all rare functions and the canary, as registering takes the kernel 7 million
 * instructions for each ops. A hit looks up its function by the address.
 */
static struct ftrace_ops rare_ops;
static bool rare_registered;

/*
 * The rare functions, those that are called more often first. Constant while rare_ops is there, but
 * for who gets the hits.
 */
static struct {
	unsigned long addr;
	struct kvmw_hook *hook;
	ftrace_func_t hit;
} rare[KVMW_NR_HOOKS];
static unsigned int nr_rare;

/* The site is the function's first instruction, or the one behind an ENDBR64. */
#define SITE_MAX_OFFSET	4

static void notrace rare_hit(KVMW_FTRACE_ARGS)
{
	ftrace_func_t hit;
	unsigned int i;

	for (i = 0; i < nr_rare; i++) {
		if (ip - rare[i].addr <= SITE_MAX_OFFSET) {
			hit = READ_ONCE(rare[i].hit);
			hit(ip, caller, ops, fregs);
			return;
		}
	}
	WRITE_ONCE(ftrace_sang, true);	/* all that is left is the canary */
}

/* hook_table.h has what begins and ends objects first, and the rest behind that. */
static void list_rare(void)
{
	struct kvmw_hook *hook = kvmw_hooks + KVMW_NR_HOOKS;

	nr_rare = 0;
	while (hook-- > kvmw_hooks) {
		if (!hook->rare || !hook->target || strcmp(hook->via, "ftrace"))
			continue;
		rare[nr_rare].addr = hook->addr;
		rare[nr_rare].hook = hook;
		rare[nr_rare++].hit = hook->hit_by->ftrace;
	}
}

struct kvmw_hook *kvmw_func_rare(unsigned long ip)
{
	unsigned int i = 0;

	while (ip - rare[i].addr > SITE_MAX_OFFSET)
		i++;
	return rare[i].hook;
}

void kvmw_func_divert(struct kvmw_hook *hook, const struct kvmw_handlers *to)
{
	unsigned int i;

	if (!strcmp(hook->via, "kprobe"))
		WRITE_ONCE(hook->kp.pre_handler, to->kprobe);
	for (i = 0; i < nr_rare; i++)
		if (rare[i].hook == hook)
			WRITE_ONCE(rare[i].hit, to->ftrace);
}

static int ops_register(struct ftrace_ops *ops)
{
	int err;

	/*
	 * PERMANENT: nobody may switch it off behind a counter's back. Such are refused with EBUSY
	 * while ftrace is off.
	 */
	ops->flags = KVMW_FTRACE_FLAGS | FTRACE_OPS_FL_PERMANENT;
	err = register_ftrace_function(ops);
	if (err)
		kvmw_ftrace_free_filter(ops);
	return err == -EBUSY ? -ESHUTDOWN : err;
}

static void ops_unregister(struct ftrace_ops *ops)
{
	unregister_ftrace_function(ops);
	kvmw_ftrace_free_filter(ops);
	memset(ops, 0, sizeof(*ops));
}

static bool is_call(const void *site)
{
	return READ_ONCE(*(const u8 *)site) == CALL_INSN_OPCODE;
}

/* Registered is not working: does the function begin with a call now? */
static bool is_patched(unsigned long addr)
{
	return is_call((void *)addr) || is_call((void *)addr + SITE_MAX_OFFSET);
}

static int filter_canary(struct ftrace_ops *ops)
{
	unsigned long addr = (unsigned long)kvmw_canary;

	/* objtool wants no address in code to point behind an ENDBR64. */
	OPTIMIZER_HIDE_VAR(addr);
	return ftrace_set_filter_ip(ops, kvmw_ftrace_ip(addr), 0, 0);
}

/* The canary is one of the rare functions, or before these are hooked has an ops of its own. */
static bool ftrace_works(void)
{
	if (!rare_registered && !canary_ops.func) {
		canary_ops.func = canary_ftrace;
		if (filter_canary(&canary_ops) || ops_register(&canary_ops)) {
			memset(&canary_ops, 0, sizeof(canary_ops));
			return false;
		}
	}
	WRITE_ONCE(ftrace_sang, false);
	kvmw_canary();
	return READ_ONCE(ftrace_sang);
}

static int attach_ftrace(struct kvmw_hook *hook)
{
	int err;

	if (hook->rare) {
		err = ftrace_set_filter_ip(&rare_ops, kvmw_ftrace_ip(hook->addr), 0, 0);
		/* An ops without a filter would get every function there is. */
		if (!err)
			rare_ops.func = rare_hit;
		return err;
	}
	if (!ftrace_works())
		return -ESHUTDOWN;
	hook->ops.func = hook->on.ftrace;
	err = ftrace_set_filter_ip(&hook->ops, kvmw_ftrace_ip(hook->addr), 0, 0);
	if (err)
		return err;
	err = ops_register(&hook->ops);
	if (err || is_patched(hook->addr))
		return err;
	ops_unregister(&hook->ops);
	return ftrace_works() ? -ENXIO : -ESHUTDOWN;
}

/* --- direct calls ---------------------------------------------------------- */

static bool wants_direct(void)
{
	return !strcmp(via, "direct");
}

/* Measure the time inside functions? By direct calls also if nobody has said. */
#define NOT_SAID	-1
static int load_cost = NOT_SAID;
module_param(load_cost, bint, 0444);
MODULE_PARM_DESC(load_cost, "measure KVM's load and put functions (default: if via=direct can)");

/* Has @hook the function of @timer, which is to be timed? */
static bool may_time(const struct kvmw_hook *timer, const struct kvmw_hook *hook)
{
	return timer->on.ret && timer->on.direct && timer->trust >= KVMW_TESTED &&
	       !(kvmw_hooks_left_out & BIT_ULL(timer - kvmw_hooks)) &&
	       !strcmp(timer->symbol, hook->symbol);
}

/*
 * A thunk that also times calls KVM's function itself. Only tests can show that the function has no
 * arguments on the stack, whatever its types say, and that it does not sleep.
 */
static unsigned long thunk_of(const struct kvmw_hook *hook)
{
	const struct kvmw_hook *timer;

	if (load_cost && !hook->untried)
		for (timer = kvmw_hooks; timer < kvmw_hooks + KVMW_NR_HOOKS; timer++)
			if (may_time(timer, hook))
				return (unsigned long)timer->on.direct;
	return (unsigned long)hook->on.direct;
}

static bool timed_directly(const struct kvmw_hook *timer)
{
	const struct kvmw_hook *hook;

	for (hook = kvmw_hooks; hook < kvmw_hooks + KVMW_NR_HOOKS; hook++)
		if (hook->thunk && hook->thunk == (unsigned long)timer->on.direct)
			return true;
	return false;
}

/*
 * Tasks leave a thunk without sleeping. Those of load and put run with preemption off: in
 * vcpu_load() and vcpu_put(), and in the scheduler, also when a task goes to sleep. So KVM's
 * function that such a thunk calls has returned to it after a grace period of RCU.
 */
static void detach_direct(struct kvmw_hook *hook)
{
	kvmw_direct_unregister(&hook->ops, hook->thunk);
	synchronize_rcu_tasks();
	synchronize_rcu();
	kvmw_ftrace_free_filter(&hook->ops);
	memset(&hook->ops, 0, sizeof(hook->ops));
	hook->thunk = 0;
}

/* A property of the kernel, that the first direct call shows. */
#define LOSES_CALLS	(-ENOTRECOVERABLE)
static bool calls_get_lost;

/*
 * The kernel makes no direct calls PERMANENT, but refuses to switch ftrace off while any ops is:
 * rare_ops.
 */
static int attach_direct(struct kvmw_hook *hook)
{
	const unsigned long thunk = thunk_of(hook);
	int err;

	if (!thunk)
		return -EOPNOTSUPP;
	if (calls_get_lost)
		return LOSES_CALLS;
	if (!rare_registered || !ftrace_works())
		return -ESHUTDOWN;
	err = ftrace_set_filter_ip(&hook->ops, kvmw_ftrace_ip(hook->addr), 0, 0);
	if (err)
		return err;
	err = kvmw_direct_register(&hook->ops, thunk);
	if (err) {
		kvmw_ftrace_free_filter(&hook->ops);
		return err;
	}
	hook->thunk = thunk;
	if (kvmw_direct_survives(&hook->ops))
		return 0;
	detach_direct(hook);
	calls_get_lost = true;
	return LOSES_CALLS;
}

void kvmw_func_not_direct(const struct kvmw_hook *hook, char *buf, size_t size)
{
	switch (hook->direct_err) {
	case 0:
		*buf = '\0';
		break;
	case -EOPNOTSUPP:
	case -ENODEV:
		strscpy(buf, "not direct: this kernel has no direct calls", size);
		break;
	case LOSES_CALLS:
		strscpy(buf, "not direct: this kernel loses such calls beside a tracer", size);
		break;
	case -EBUSY:
		strscpy(buf, "not direct: somebody else's call is there", size);
		break;
	default:
		snprintf(buf, size, "not direct: error %d", hook->direct_err);
	}
}

/* --- kprobes --------------------------------------------------------------- */

static bool kprobes_work(void)
{
	if (!canary_kp.pre_handler) {
		canary_kp.addr = (kprobe_opcode_t *)kvmw_canary;
		canary_kp.pre_handler = canary_kprobe;
		if (register_kprobe(&canary_kp)) {
			memset(&canary_kp, 0, sizeof(canary_kp));
			return false;
		}
	}
	WRITE_ONCE(kprobe_sang, false);
	kvmw_canary();
	return READ_ONCE(kprobe_sang);
}

/*
 * One that sits on a site of ftrace's shares it. Any other has the code to itself: a breakpoint,
 * or the jump that the kernel makes of it later.
 */
static bool kprobe_armed(struct kprobe *kp)
{
	u8 code = READ_ONCE(*(const u8 *)kp->addr);

	if (kprobe_disabled(kp))
		return false;
	if (kp->flags & KPROBE_FLAG_FTRACE)
		return code == CALL_INSN_OPCODE && kprobes_work();
	return code == INT3_INSN_OPCODE || code == JMP32_INSN_OPCODE;
}

static int attach_kprobe(struct kvmw_hook *hook)
{
	int err;

	memset(&hook->kp, 0, sizeof(hook->kp));
	hook->kp.addr = (kprobe_opcode_t *)hook->addr;
	hook->kp.pre_handler = hook->hit_by->kprobe;
	err = register_kprobe(&hook->kp);
	if (!err)
		kvmw_hook_set_off(hook, !kprobe_armed(&hook->kp));
	return err;
}

/* --- returns --------------------------------------------------------------- */

static void attached(struct kvmw_hook *hook, const char *how)
{
	hook->via = how;
	hook->target = hook->symbol;
}

static int attach_ret(struct kvmw_hook *hook)
{
	int err;

	if (timed_directly(hook)) {
		attached(hook, "direct");
		return 0;
	}
	if (load_cost <= 0) {
		strscpy(hook->reason, "not asked for: load kvmwatch with load_cost=1",
			sizeof(hook->reason));
		return -ENOENT;
	}
	memset(&hook->rp, 0, sizeof(hook->rp));
	hook->rp.kp.addr = (kprobe_opcode_t *)hook->addr;
	hook->rp.entry_handler = hook->on.entry;
	hook->rp.handler = hook->on.ret;
	hook->rp.data_size = sizeof(u64);
	err = register_kretprobe(&hook->rp);
	if (err) {
		snprintf(hook->reason, sizeof(hook->reason), "%s: kretprobe: error %d",
			 hook->symbol, err);
		return err;
	}
	attached(hook, "kretprobe");
	kvmw_hook_set_off(hook, !kprobe_armed(&hook->rp.kp));
	return 0;
}

/* --- any of them ----------------------------------------------------------- */

bool kvmw_func_by_ftrace(const struct kvmw_hook *hook)
{
	return !strcmp(hook->via, "ftrace") || !strcmp(hook->via, "direct");
}

bool kvmw_func_armed(const struct kvmw_hook *hook)
{
	if (kvmw_func_by_ftrace(hook))
		return is_patched(hook->addr) && ftrace_works();
	if (!strcmp(hook->via, "kprobe"))
		return kprobe_armed((struct kprobe *)&hook->kp);
	if (!strcmp(hook->via, "kretprobe"))
		return kprobe_armed((struct kprobe *)&hook->rp.kp);
	return true;	/* dropped, on purpose */
}

bool kvmw_func_works(void)
{
	if (strcmp(via, "kprobe") && ftrace_works())
		return true;
	return strcmp(via, "ftrace") && kprobes_work();
}

/* Judged by the error, as hooks may work again by now. */
static bool was_off(int err)
{
	return err == -ESHUTDOWN;
}

static int failed(struct kvmw_hook *hook, int err)
{
	if (was_off(err))
		strscpy(hook->reason, KVMW_SWITCHED_OFF, sizeof(hook->reason));
	else
		snprintf(hook->reason, sizeof(hook->reason), "%s: via=%s: error %d",
			 hook->symbol, via, err);
	return err;
}

int kvmw_func_attach(struct kvmw_hook *hook)
{
	int err;

	hook->addr = kvmw_symbol_addr(hook->symbol);
	if (kvmw_hook_drop(hook)) {
		hook->target = hook->symbol;
		return 0;
	}
	if (hook->on.ret)
		return attach_ret(hook);
	if (wants_direct() && !hook->rare) {
		hook->direct_err = attach_direct(hook);
		if (!hook->direct_err) {
			attached(hook, "direct");
			return 0;
		}
	}
	if (strcmp(via, "kprobe")) {
		err = attach_ftrace(hook);
		if (!err) {
			attached(hook, "ftrace");
			return 0;
		}
		if (strcmp(via, "auto"))
			return failed(hook, err);
	}
	err = attach_kprobe(hook);
	if (err)
		return failed(hook, err);
	attached(hook, "kprobe");
	return 0;
}

void kvmw_func_attach_rare(void)
{
	struct kvmw_hook *hook;
	bool works;
	int err;

	if (!rare_ops.func)
		return;
	list_rare();
	err = filter_canary(&rare_ops);
	if (err)
		kvmw_ftrace_free_filter(&rare_ops);
	else
		err = ops_register(&rare_ops);
	if (err)
		memset(&rare_ops, 0, sizeof(rare_ops));
	rare_registered = !err;
	works = !err && ftrace_works();
	for (hook = kvmw_hooks; hook < kvmw_hooks + KVMW_NR_HOOKS; hook++) {
		if (!hook->rare || !hook->target || strcmp(hook->via, "ftrace"))
			continue;
		if (!err) {
			kvmw_hook_set_off(hook, !works || !is_patched(hook->addr));
			continue;
		}
		hook->target = NULL;
		if (strcmp(via, "auto"))
			failed(hook, err);
		else if (attach_kprobe(hook))
			failed(hook, err);
		else
			attached(hook, "kprobe");
	}
}

static void notrace ignore_ftrace(KVMW_FTRACE_ARGS)
{
}

static int ignore_kprobe(struct kprobe *kp, struct pt_regs *regs)
{
	return 0;
}

NOKPROBE_SYMBOL(ignore_kprobe);

void kvmw_func_stop(struct kvmw_hook *hook)
{
	static const struct kvmw_handlers ignore = {
		.ftrace = ignore_ftrace, .kprobe = ignore_kprobe,
	};

	/* Direct calls go on: their ops is the kernel's, and nobody reads what they count. */
	if (!strcmp(hook->via, "direct"))
		return;
	if (hook->ops.func)
		ops_unregister(&hook->ops);
	else
		kvmw_func_divert(hook, &ignore);
}

/* On return no handler of a function runs any more, nor will. */
void kvmw_func_detach_all(void)
{
	struct kprobe *kprobes[KVMW_NR_HOOKS + 1];
	struct kvmw_hook *hook;
	int nr = 0;

	for (hook = kvmw_hooks; hook < kvmw_hooks + KVMW_NR_HOOKS; hook++) {
		if (!hook->target || hook->tp_args)
			continue;
		if (!strcmp(hook->via, "kretprobe"))
			unregister_kretprobe(&hook->rp);
		else if (!strcmp(hook->via, "kprobe"))
			kprobes[nr++] = &hook->kp;
		else if (hook->thunk)
			detach_direct(hook);
		else if (!hook->rare && hook->ops.func)
			ops_unregister(&hook->ops);
		hook->target = NULL;
		hook->via = NULL;
		hook->off = false;
		hook->direct_err = 0;
	}
	if (rare_ops.func)
		ops_unregister(&rare_ops);
	rare_registered = false;
	if (canary_ops.func)
		ops_unregister(&canary_ops);
	if (canary_kp.pre_handler)
		kprobes[nr++] = &canary_kp;
	if (nr)
		unregister_kprobes(kprobes, nr);
	memset(&canary_kp, 0, sizeof(canary_kp));
}

int kvmw_via_check(void)
{
	if (!strcmp(via, "auto") || !strcmp(via, "ftrace") || !strcmp(via, "kprobe") ||
	    wants_direct())
		return 0;
	pr_err("via=%s: must be auto, ftrace, direct or kprobe\n", via);
	return -EINVAL;
}
