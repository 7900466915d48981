/* SPDX-License-Identifier: GPL-2.0 */
/* Callbacks of ftrace. */
#ifndef KVMW_FTRACE_H
#define KVMW_FTRACE_H

#include <linux/errno.h>
#include <linux/ftrace.h>
#include <linux/linkage.h>
#include <linux/ptrace.h>

#include "kernel/facts.h"
#include "kernel/version.h"

/* The cheapest flags with which ftrace passes a function's arguments to a callback. */
#if !KVMW_HAS_FTRACE_REGS
#define KVMW_FTRACE_FLAGS	(FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_RECURSION_SAFE)
#define KVMW_FTRACE_REGS	struct pt_regs

static __always_inline const struct pt_regs *kvmw_ftrace_args(KVMW_FTRACE_REGS *fregs)
{
	return fregs;
}
#else
#define KVMW_FTRACE_FLAGS	0
#define KVMW_FTRACE_REGS	struct ftrace_regs

#ifndef arch_ftrace_regs
#define arch_ftrace_regs(fregs)	(fregs)
#endif

static __always_inline const struct pt_regs *kvmw_ftrace_args(KVMW_FTRACE_REGS *fregs)
{
	return &arch_ftrace_regs(fregs)->regs;
}
#endif

/* Context: ops not registered. */
static inline void kvmw_ftrace_free_filter(struct ftrace_ops *ops)
{
#if KVMW_HAS_FTRACE_FREE_FILTER
	ftrace_free_filter(ops);
#else
	ftrace_set_filter(ops, NULL, 0, 1);
#endif
}

/*
 * Direct calls: the entry of a function calls a thunk of ours, with nothing of ftrace's between.
 * The filter of @ops has the function. All that an entry calls on these kernels is in direct.S.
 */
#define KVMW_DIRECT	\
	(KVMW_KVM_IS_RECENT && (KVMW_HAS_DIRECT_OPS || KVMW_HAS_DIRECT_MULTI))

static inline int kvmw_direct_register(struct ftrace_ops *ops, unsigned long thunk)
{
#if !KVMW_DIRECT
	return -EOPNOTSUPP;
#elif KVMW_HAS_DIRECT_OPS
	return register_ftrace_direct(ops, thunk);
#else
	return register_ftrace_direct_multi(ops, thunk);
#endif
}

/* A task may still be in the thunk on return. */
static inline void kvmw_direct_unregister(struct ftrace_ops *ops, unsigned long thunk)
{
#if !KVMW_DIRECT
#elif KVMW_HAS_DIRECT_OPS
	unregister_ftrace_direct(ops, thunk, false);
#else
	unregister_ftrace_direct_multi(ops, thunk);
#endif
}

/*
 * Does a direct call survive another user of ftrace at its function? Then its entry calls ftrace,
 * which goes on to the thunk only for an ops that wants all registers. From 6.4 on Linux registers
 * without that flag, so the call is lost. 6.8 has it again, and so have late releases of 6.6 and
 * 6.7.
 *
 * Context: @ops is registered.
 */
static inline bool kvmw_direct_survives(const struct ftrace_ops *ops)
{
	return ops->flags & FTRACE_OPS_FL_SAVE_REGS;
}

/* Parameters of a callback. */
#define KVMW_FTRACE_ARGS	unsigned long ip, unsigned long caller,		\
				struct ftrace_ops *ops, KVMW_FTRACE_REGS *fregs

/*
 * The address of a function to pass to ftrace_set_filter_ip(). The patch site may follow an
 * ENDBR64. ftrace looks up the site from the address of the symbol, but the symbol's range may
 * extend over a discarded weak function behind it, and then ftrace may find no site to patch. Four
 * bytes past the symbol is exact: that is the first byte of the site's instruction, or within it.
 * Kernels that know no ENDBR64 accept only the site itself.
 */
#ifdef ASM_ENDBR
#define KVMW_SITE_INSIDE	4
#else
#define KVMW_SITE_INSIDE	0
#endif

static inline unsigned long kvmw_ftrace_ip(unsigned long function)
{
	return function + KVMW_SITE_INSIDE;
}

#endif /* KVMW_FTRACE_H */
