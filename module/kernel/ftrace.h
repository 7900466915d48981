/* SPDX-License-Identifier: GPL-2.0 */
/* Callbacks of ftrace. */
#ifndef KVMW_FTRACE_H
#define KVMW_FTRACE_H

#include <linux/ftrace.h>
#include <linux/ptrace.h>

#include "kernel/version.h"

/* Flags with which a callback gets the arguments and nothing dearer. */
#if !KVMW_SINCE(5, 11)
#define KVMW_FTRACE_FLAGS	(FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_RECURSION_SAFE)
#define KVMW_FTRACE_REGS	struct pt_regs

static __always_inline const struct pt_regs *kvmw_ftrace_args(KVMW_FTRACE_REGS *fregs)
{
	return fregs;
}

/* ftrace_free_filter() is not for modules there. Context: ops not registered. */
static inline void kvmw_ftrace_free_filter(struct ftrace_ops *ops)
{
	ftrace_set_filter(ops, NULL, 0, 1);
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

static inline void kvmw_ftrace_free_filter(struct ftrace_ops *ops)
{
	ftrace_free_filter(ops);
}
#endif

/* What a callback gets. */
#define KVMW_FTRACE_ARGS	unsigned long ip, unsigned long caller,		\
				struct ftrace_ops *ops, KVMW_FTRACE_REGS *fregs

/*
 * What to tell ftrace_set_filter_ip() of a function. The site may lie behind an ENDBR64, and
 * ftrace looks it up, but asked for the symbol it may come up with a weak function that
 * was left without one, further on, and never patch anything. Four bytes on is exact:
 * within the site's instruction, or its first byte. 5.10 has no ENDBR64, and takes the site only.
 */
static inline unsigned long kvmw_ftrace_ip(unsigned long function)
{
	return function + (KVMW_SINCE(6, 1) ? 4 : 0);
}

#endif /* KVMW_FTRACE_H */
