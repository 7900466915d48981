// SPDX-License-Identifier: GPL-2.0
/* The handler of each row of hook_table.h. See rows.h. */
#include <linux/kvm_host.h>
#include <linux/tracepoint.h>
#include <trace/events/kvm.h>

#include "hooks/hook.h"
#include "hooks/hook_table.h"
#include "kernel/kvm_vcpu.h"
#include "probes/handlers.h"
#include "probes/rows.h"

#define HANDLERS(id)								\
	{ .ftrace = kvmw_ftrace_##id, .kprobe = kvmw_kprobe_##id, .check = kvmw_check_##id }
#define FUNC_ROW(id, ...)							\
	[KVMW_HOOK_##id] = HANDLERS(id),
#if KVMW_DIRECT
#define DIRECT(id)	.direct = kvmw_direct_##id,
#else
#define DIRECT(id)
#endif
#define HOT_HANDLERS(id)							\
	{ .ftrace = kvmw_ftrace_##id, .kprobe = kvmw_kprobe_##id, DIRECT(id)	\
	  .check = kvmw_check_##id }
#define HOT_ROW(id, ...)							\
	[KVMW_HOOK_##id] = HOT_HANDLERS(id),
#define RET_ROW(id, ...)							\
	[KVMW_HOOK_##id] = { .entry = kvmw_entry_##id, .ret = kvmw_return_##id, DIRECT(id) },
#define TP_ROW(id, ...)								\
	[KVMW_HOOK_##id] = { .tp = kvmw_tp_##id },
#define MORE_ROW(id, ...)							\
	[KVMW_HOOK_##id] = { .tp = kvmw_tp_##id, .tp_more = kvmw_tp_##id##_more },

const struct kvmw_handlers kvmw_handlers[KVMW_NR_HOOKS] = {
	KVMW_HOOKS(HOT_ROW, FUNC_ROW, RET_ROW, TP_ROW, MORE_ROW)
};

const struct kvmw_form_handlers kvmw_form_handlers[] = {
	{ KVMW_HOOK_vm_init, "event", HANDLERS(vm_event) },
	{ KVMW_HOOK_spte_change, "page", HOT_HANDLERS(spte_change_page) },
	{ KVMW_HOOK_rmap_add, "set", HANDLERS(rmap_set) },
	{ KVMW_HOOK_rmap_add, "set_slot", HANDLERS(rmap_set_slot) },
	{ .form = NULL }
};

/*
 * The compiler compares the prototypes of handlers with the kernel's trace events. kvm_exit and
 * kvm_entry are private to KVM.
 */
static inline void check_prototypes(void)
{
	check_trace_callback_type_kvm_vcpu_wakeup(kvmw_tp_wakeup);
	check_trace_callback_type_kvm_halt_poll_ns(kvmw_tp_halt_poll);
	check_trace_callback_type_kvm_userspace_exit(kvmw_tp_user_exit);
#if KVMW_HAS_RINGS
	check_trace_callback_type_kvm_dirty_ring_push(kvmw_tp_ring_push);
	check_trace_callback_type_kvm_dirty_ring_exit(kvmw_tp_ring_full);
	check_trace_callback_type_kvm_dirty_ring_reset(kvmw_tp_ring_reset);
#endif
}
