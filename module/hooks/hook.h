/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hooks: places in kvm.ko where KVM's progress calls a handler of ours.
 *
 * hook_table.h has a row for each. attach.c follows kvm.ko as it comes and goes
 * and attaches the rows; hook_func.c does it for functions, hook_tp.c for
 * tracepoints. What a handler may do, and how it is written, is in handler.h.
 */
#ifndef KVMW_HOOK_H
#define KVMW_HOOK_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/types.h>

#include "hooks/hook_table.h"
#include "kernel/ftrace.h"
#include "kernel/kvm_functions.h"
#include "kernel/kvm_vcpu.h"
#include "proof/judge.h"

struct kvmw_hook;
struct tracepoint;

enum kvmw_hook_id {
#define KVMW_HOOK_ID(id, ...) KVMW_HOOK_##id,
	KVMW_HOOKS(KVMW_HOOK_ID, KVMW_HOOK_ID, KVMW_HOOK_ID, KVMW_HOOK_ID, KVMW_HOOK_ID)
#undef KVMW_HOOK_ID
	KVMW_NR_HOOKS
};

/* A set of hooks, as a bit mask. */
#define KVMW_HOOK_BIT(id)	BIT_ULL(KVMW_HOOK_##id)
#define KVMW_ALL_HOOKS		GENMASK_ULL(KVMW_NR_HOOKS - 1, 0)

/* The handlers of a row, by how it is hooked; NULL: it is never hooked in that way. */
struct kvmw_handlers {
	void	(*ftrace)(unsigned long ip, unsigned long caller, struct ftrace_ops *ops,
			  KVMW_FTRACE_REGS *fregs);
	/*
	 * Called by the function's entry itself; not by C. A function makes only one such call. So
	 * the thunk that times a function also calls the callback of the hook on its entry.
	 */
	void	(*direct)(void);
	int	(*kprobe)(struct kprobe *kp, struct pt_regs *regs);
	int	(*entry)(struct kretprobe_instance *ri, struct pt_regs *regs);
	int	(*ret)(struct kretprobe_instance *ri, struct pt_regs *regs);
	/* What is wrong with a hit: see live.h. NULL: nobody can tell. */
	const char *(*check)(const struct pt_regs *regs);
	void	*tp;
	void	*tp_more;	/* where the event has one argument more */
};

/* Handlers of a row for another form of proof/rules.h than KVMW_FORMS has. */
struct kvmw_form_handlers {
	enum kvmw_hook_id	id;
	const char		*form;
	struct kvmw_handlers	on;
};

struct kvmw_hook {
	/* From the table. */
	const char	*name;
	const char	*help;
	const char	*known;		/* what is hooked, as the newest kernels call it */
	bool		rare;
	int		tp_args;	/* how many arguments the event has; 0: a function */

	struct kvmw_handlers on;	/* from probes/ */

	/* What kvm.ko proves, and how it is attached; written under the attach lock. */
	enum kvmw_trust	trust;
	const char	*by;		/* what proves it */
	const char	*symbol;	/* of kvm.ko; NULL: it has none of those that are known */
	const char	*target;	/* the symbol when it is attached, or NULL */
	const char	*via;
	bool		off;		/* attached, but unreached or wrong: see attach.h, live.h */
	char		reason[KVMW_WHY_SIZE];	/* why it is not attached, or off */
	unsigned long	thunk;		/* that its function calls, via=direct; 0: none */
	int		direct_err;	/* why it is attached in another way than via=direct */
	unsigned long	addr;		/* of the function */
	const struct kvmw_handlers *hit_by;	/* by kprobe, or as a rare one, at first: live.h */
	struct ftrace_ops ops;
	struct ftrace_ops live_ops;	/* looks at the first hits: see live.h */
	bool		untried;	/* the tests were not run on such a kernel */
	bool		looked_at;	/* the first hits are */
	bool		live;		/* the first hits were right */
	atomic_t	unchecked;	/* so many hits are still to be looked at */
	const char	*wrong;		/* with one of them; NULL: nothing */
	struct kprobe	kp;
	struct kretprobe rp;
	struct tracepoint *tp;
	void		*tp_handler;	/* the one that is registered there */
};

extern struct kvmw_hook kvmw_hooks[KVMW_NR_HOOKS];

/*
 * The hooks that count now; and those that this kvm.ko needs not, as others count it all. Changes
 * only under the attach lock.
 */
extern u64 kvmw_hooks_attached, kvmw_hooks_needless;

/* Those of them that a hit has shown to be wrong: see live.h. Set in a hit, ahead of counting. */
extern atomic64_t kvmw_hooks_wrong;

/* The hooks whose counts are right now. */
static inline u64 kvmw_hooks_counting(void)
{
	return READ_ONCE(kvmw_hooks_attached) & ~(u64)atomic64_read(&kvmw_hooks_wrong);
}

/* Those that the parameter without leaves out. Set before hooks are attached; constant then. */
extern u64 kvmw_hooks_left_out;

/*
 * Records depend on these. Without the first six no object can be told from another, and nothing is
 * attached. Without slot_commit a record would keep the place that its slot once had.
 */
#define KVMW_HOOKS_MANDATORY	(KVMW_HOOK_BIT(vm_init) | KVMW_HOOK_BIT(vm_destroy) |	\
				 KVMW_HOOK_BIT(vm_free) | KVMW_HOOK_BIT(vcpu_create) |	\
				 KVMW_HOOK_BIT(vcpu_created) | KVMW_HOOK_BIT(vcpu_destroy))
#define KVMW_HOOKS_OF_RECORDS	(KVMW_HOOKS_MANDATORY | KVMW_HOOK_BIT(slot_commit))

/* How often each was hit. Each CPU writes its own. */
DECLARE_PER_CPU(u64[KVMW_NR_HOOKS], kvmw_hits);

u64 kvmw_hook_hits(enum kvmw_hook_id id);
u64 kvmw_hook_misses(enum kvmw_hook_id id);
/* Context: no handler runs. */
void kvmw_hits_reset(void);

/* The names of a set of hooks, separated by commas. */
void kvmw_hook_names(u64 hooks, char *buf, size_t size);

#define KVMW_SWITCHED_OFF	\
	"switched off: look at kernel.ftrace_enabled and /sys/kernel/debug/kprobes/enabled"

/*
 * A hook that was found off, or on again. One that is off stays attached, as it may be switched on.
 * Context: the attach lock held for write.
 */
void kvmw_hook_set_off(struct kvmw_hook *hook, bool off);

/* Does the parameter drop name it? Then it looks attached as soon as its target is set. */
bool kvmw_hook_drop(struct kvmw_hook *hook);

#endif /* KVMW_HOOK_H */
