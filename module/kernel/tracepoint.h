/* SPDX-License-Identifier: GPL-2.0 */
/* Probes on tracepoints. */
#ifndef KVMW_TRACEPOINT_H
#define KVMW_TRACEPOINT_H

#include <linux/preempt.h>

#include "kernel/version.h"

/* Tracepoints call probes with preemption off, except on 7.2, where they use SRCU instead. */
static __always_inline void kvmw_tp_enter(void)
{
	if (KVMW_SINCE(6, 13))
		preempt_disable_notrace();
}

static __always_inline void kvmw_tp_leave(void)
{
	if (KVMW_SINCE(6, 13))
		preempt_enable_notrace();
}

#endif /* KVMW_TRACEPOINT_H */
