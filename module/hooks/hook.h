/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hooks: places in kvm.ko where KVM's progress calls a handler of ours.
 *
 * hook_table.h has a row for each. hook.c follows kvm.ko as it comes and goes
 * and attaches the rows; hook_func.c does it for functions, hook_tp.c for
 * tracepoints. The handlers are in probe_*.c.
 *
 * A handler runs inside KVM, under locks we do not know, at times with interrupts
 * off and a runqueue lock held. It always runs with preemption off, which on all
 * kernels we support is also an RCU read-side section. It must not sleep,
 * allocate, print, wake anyone up or take a lock; kvmw_kick() is what it has to
 * make something happen in task context.
 *
 * A handler that KVM calls all the time has a usual way, in which everything is as this
 * CPU remembers it from the last hit and nobody traces. It calls nothing, so the compiler
 * has no registers to save. Whatever else there is, is in a function of its own
 * that is called last, and counts by the same code.
 */
#ifndef KVMW_HOOK_H
#define KVMW_HOOK_H

#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>

#include "clock.h"
#include "compat.h"
#include "hook_table.h"

struct module;
struct seq_file;
struct kvmwatch_hook;

enum kvmw_hook_id {
#define KVMW_HOOK_ID(id, ...) KVMW_HOOK_##id,
	KVMW_HOOKS(KVMW_HOOK_ID, KVMW_HOOK_ID, KVMW_HOOK_ID, KVMW_HOOK_ID)
#undef KVMW_HOOK_ID
	KVMW_NR_HOOKS
};

/* A set of hooks, as a bit mask. */
#define KVMW_HOOK_BIT(id)	BIT_ULL(KVMW_HOOK_##id)
#define KVMW_ALL_HOOKS		GENMASK_ULL(KVMW_NR_HOOKS - 1, 0)

#define KVMW_MAX_TARGETS	4

struct kvmw_hook {
	/* From the table. */
	const char	*name;
	const char	*help;
	const char	*targets[KVMW_MAX_TARGETS];
	void		(*on_ftrace)(unsigned long ip, unsigned long caller,
				     struct ftrace_ops *ops, KVMW_FTRACE_REGS *fregs);
	int		(*on_kprobe)(struct kprobe *kp, struct pt_regs *regs);
	bool		rare;
	int		(*on_entry)(struct kretprobe_instance *ri, struct pt_regs *regs);
	int		(*on_return)(struct kretprobe_instance *ri, struct pt_regs *regs);
	void		*on_tp;		/* a tracepoint row when set */
	int		tp_args;	/* how many arguments the event has */

	/* How it is attached; written under the attach lock. */
	const char	*target;	/* one of targets[]; NULL: not attached */
	const char	*via;
	bool		off;		/* attached, but unreached: see kvmw_hooks_look() */
	char		reason[96];	/* why it is not attached, or off */
	unsigned int	found;		/* index in targets[] of the one that kvm.ko has */
	unsigned long	addr;		/* of the function */
	struct ftrace_ops ops;
	struct kprobe	kp;
	struct kretprobe rp;
	struct tracepoint *tp;
	void		*tp_handler;	/* the one that is registered there */
};

extern struct kvmw_hook kvmw_hooks[KVMW_NR_HOOKS];

/* The hooks that count now. Changes only under the attach lock. */
extern u64 kvmw_hooks_attached;

int kvmw_hooks_init(void);
void kvmw_hooks_exit(void);
u64 kvmw_hook_hits(enum kvmw_hook_id id);
u64 kvmw_hook_misses(enum kvmw_hook_id id);
void kvmw_hook_describe(enum kvmw_hook_id id, struct kvmwatch_hook *out);

/*
 * Look whether all that is attached still works, and whether what was switched off works again.
 * Audits do it. Context: task, no lock of ours held.
 */
void kvmw_hooks_look(void);

#define KVMW_BLIND_SIZE	96

/*
 * Why VMs may run that have no record, in words; "" when each that runs has one, as far as the
 * pool reaches. Context: task.
 */
void kvmw_blind(char buf[KVMW_BLIND_SIZE]);

/* The names of a set of hooks, separated by commas. */
void kvmw_hook_names(u64 hooks, char *buf, size_t size);

/*
 * Reading what KVM keeps needs kvm.ko to stay. A VM that is alive pins it, but
 * whether a VM is alive is what the reader does not know yet.
 */
void kvmw_attach_lock(void);
void kvmw_attach_unlock(void);

/* KVM's own list of VMs and its lock, or NULL while kvm.ko is not attached. */
struct kvmw_kvm_syms {
	struct mutex		*kvm_lock;	/* KVM's, for vm_list */
	struct list_head	*vm_list;
	void			*vm_release;	/* kvm_vm_release() */
	void			*vcpu_release;	/* kvm_vcpu_release() */
	bool			ends_told;	/* no VM can end without a hit, says ftrace */
};

extern struct kvmw_kvm_syms kvmw_kvm;

/*
 * Back ends. attach returns 0 or a negative errno with @hook->reason filled in. Rare
 * functions are attached together by kvmw_func_attach_rare(), when all others are. armed: does
 * the code at an attached hook's site lead here now?
 */
int kvmw_func_attach(struct kvmw_hook *hook);
void kvmw_func_attach_rare(void);
void kvmw_func_detach_all(void);
bool kvmw_func_armed(const struct kvmw_hook *hook);
/* Would hooks on functions work, in the way that was asked for? */
bool kvmw_func_works(void);
int kvmw_tp_attach(struct kvmw_hook *hook, struct module *kvm);
void kvmw_tp_detach(struct kvmw_hook *hook);
bool kvmw_tp_armed(const struct kvmw_hook *hook, const struct module *kvm);

#define KVMW_SWITCHED_OFF	\
	"switched off: look at kernel.ftrace_enabled and /sys/kernel/debug/kprobes/enabled"

/*
 * A hook that was found off, or on again. One that is off stays attached, as it may be switched on.
 * Context: attach_sem held for write.
 */
void kvmw_hook_set_off(struct kvmw_hook *hook, bool off);

/* Is this one to be left out, for a test? Then only its target is missing to look attached. */
bool kvmw_hook_drop(struct kvmw_hook *hook);

unsigned long kvmw_symbol_addr(const char *name);
int kvmw_via_check(void);

/*
 * What another CPU may change meanwhile, to compare it with something, once. With READ_ONCE()
 * the compiler loads it first.
 */
#define kvmw_peek(x)	data_race(x)

/* What each CPU owns; nobody else writes it. */
struct kvmw_vcpu;
struct kvmw_slot;
struct kvmw_site;
struct kvmw_cpu {
	struct kvmw_vcpu	*vcpu;		/* loaded here; NULL: none, or unknown */
	struct kvmw_vcpu	*leaving;	/* last one put here */
	const struct task_struct *leaver;	/* and by whom; only to compare */
	unsigned long		leaver_switches; /* kvmw_switches() of it then */
	struct kvmw_vcpu	*last_vcpu;	/* cache of kvmw_vcpu_find() */
	/* Caches, never NULL, so that a hit need not ask. */
	struct kvmw_slot	*slot;		/* of the last page; or kvmw_no_slot */
	const struct kvmw_site	*site;		/* who called last; or kvmw_site_other */
	u64			hits[KVMW_NR_HOOKS];
};
DECLARE_PER_CPU(struct kvmw_cpu, kvmw_cpu);

/*
 * Define both entry points of a function hook around one handler, which is
 * inlined into each: @handler(regs, caller), where regs holds the arguments and
 * nothing else, and caller is the address that the function will return to.
 *
 * The ftrace callback needs no recursion guard: its ops filters one function of
 * KVM, and no handler calls KVM. RCU is watching wherever KVM's code of ours runs.
 */
#define KVMW_FUNC_HANDLER(id, handler)						\
void notrace kvmw_ftrace_##id(unsigned long ip, unsigned long caller,		\
			      struct ftrace_ops *ops, KVMW_FTRACE_REGS *fregs)	\
{										\
	preempt_disable_notrace();						\
	__this_cpu_inc(kvmw_cpu.hits[KVMW_HOOK_##id]);				\
	handler(kvmw_ftrace_args(fregs), caller);				\
	preempt_enable_notrace();						\
}										\
KVMW_KPROBE_HANDLER(id, handler)

/* The same for a function that KVM calls with preemption off, always. */
#define KVMW_PINNED_HANDLER(id, handler)					\
void notrace kvmw_ftrace_##id(unsigned long ip, unsigned long caller,		\
			      struct ftrace_ops *ops, KVMW_FTRACE_REGS *fregs)	\
{										\
	__this_cpu_inc(kvmw_cpu.hits[KVMW_HOOK_##id]);				\
	handler(kvmw_ftrace_args(fregs), caller);				\
}										\
KVMW_KPROBE_HANDLER(id, handler)

/* Or under a spinlock, with preemption off where spinlocks do that. */
#ifdef CONFIG_PREEMPT_RT
#define KVMW_LOCKED_HANDLER	KVMW_FUNC_HANDLER
#else
#define KVMW_LOCKED_HANDLER	KVMW_PINNED_HANDLER
#endif

#define KVMW_KPROBE_HANDLER(id, handler)					\
int kvmw_kprobe_##id(struct kprobe *kp, struct pt_regs *regs)			\
{										\
	__this_cpu_inc(kvmw_cpu.hits[KVMW_HOOK_##id]);				\
	handler(regs, regs_get_kernel_stack_nth(regs, 0));			\
	return 0;								\
}										\
NOKPROBE_SYMBOL(kvmw_kprobe_##id)

/*
 * The same for a function from its entry to its return: @handler(ns) is called at the
 * return. A vCPU's functions run with preemption off, so that is on the same CPU.
 */
#define KVMW_RET_HANDLER(id, handler)						\
int kvmw_entry_##id(struct kretprobe_instance *ri, struct pt_regs *regs)	\
{										\
	*(u64 *)ri->data = kvmw_now();						\
	return 0;								\
}										\
NOKPROBE_SYMBOL(kvmw_entry_##id);						\
int kvmw_return_##id(struct kretprobe_instance *ri, struct pt_regs *regs)	\
{										\
	__this_cpu_inc(kvmw_cpu.hits[KVMW_HOOK_##id]);				\
	handler(kvmw_elapsed(kvmw_now(), *(u64 *)ri->data));			\
	return 0;								\
}										\
NOKPROBE_SYMBOL(kvmw_return_##id)

/* What the table promises to exist. */
#define KVMW_DECLARE_FUNC(id, ...)						\
void kvmw_ftrace_##id(unsigned long ip, unsigned long caller,			\
		      struct ftrace_ops *ops, KVMW_FTRACE_REGS *fregs);		\
int kvmw_kprobe_##id(struct kprobe *kp, struct pt_regs *regs);
#define KVMW_DECLARE_RET(id, ...)						\
int kvmw_entry_##id(struct kretprobe_instance *ri, struct pt_regs *regs);	\
int kvmw_return_##id(struct kretprobe_instance *ri, struct pt_regs *regs);
#define KVMW_DECLARE_TP(...)
KVMW_HOOKS(KVMW_DECLARE_FUNC, KVMW_DECLARE_FUNC, KVMW_DECLARE_RET, KVMW_DECLARE_TP)
#undef KVMW_DECLARE_FUNC
#undef KVMW_DECLARE_RET
#undef KVMW_DECLARE_TP

void kvmw_tp_wakeup(void *data, __u64 ns, bool waited, bool valid);
void kvmw_tp_halt_poll(void *data, bool grow, unsigned int vcpu_id,
		       unsigned int new, unsigned int old);
KVMW_TP_EXIT(kvmw_tp_exit);
void kvmw_tp_entry(void *data, struct kvm_vcpu *kvcpu);
void kvmw_tp_entry_forced(void *data, struct kvm_vcpu *kvcpu, bool force_immediate_exit);
void kvmw_tp_user_exit(void *data, __u32 reason, int error);
void kvmw_tp_ring_push(void *data, struct kvm_dirty_ring *ring, u32 slot, u64 offset);
void kvmw_tp_ring_full(void *data, struct kvm_vcpu *kvcpu);
void kvmw_tp_ring_reset(void *data, struct kvm_dirty_ring *ring);

#endif /* KVMW_HOOK_H */
