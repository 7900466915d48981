/* SPDX-License-Identifier: GPL-2.0 */
/* Probes on tracepoints. */
#ifndef KVMW_TRACEPOINT_H
#define KVMW_TRACEPOINT_H

#include <linux/preempt.h>

#include <linux/tracepoint.h>

/*
 * Tracepoints call probes with preemption off, except on 7.2, where they use SRCU instead. This
 * macro came with 6.13, before that.
 */
#ifdef DECLARE_TRACE_SYSCALL
#define KVMW_TP_MAY_PREEMPT	1
#else
#define KVMW_TP_MAY_PREEMPT	0
#endif

static __always_inline void kvmw_tp_enter(void)
{
	if (KVMW_TP_MAY_PREEMPT)
		preempt_disable_notrace();
}

static __always_inline void kvmw_tp_leave(void)
{
	if (KVMW_TP_MAY_PREEMPT)
		preempt_enable_notrace();
}

#endif /* KVMW_TRACEPOINT_H */
