/* SPDX-License-Identifier: GPL-2.0 */
/* The handlers of hook_table.h, which the files of this folder define. */
#ifndef KVMW_HANDLERS_H
#define KVMW_HANDLERS_H

#include <linux/kvm_host.h>
#include <linux/types.h>

#include "hooks/handler.h"
#include "hooks/hook_table.h"
#include "kernel/ftrace.h"
#include "kernel/kvm_vcpu.h"

#define KVMW_DECLARE_FUNC(id, ...)						\
void kvmw_ftrace_##id(KVMW_FTRACE_ARGS);					\
int kvmw_kprobe_##id(struct kprobe *kp, struct pt_regs *regs);
/* The check of a rare hook is weak: most have none, and then NULL is in its row. */
#define KVMW_DECLARE_RARE(id, ...)						\
KVMW_DECLARE_FUNC(id)								\
const char *__weak kvmw_check_##id(const struct pt_regs *regs);
#define KVMW_DECLARE_HOT(id, ...)						\
KVMW_DECLARE_FUNC(id)								\
void kvmw_direct_##id(void);							\
const char *kvmw_check_##id(const struct pt_regs *regs);
#define KVMW_DECLARE_RET(id, ...)						\
int kvmw_entry_##id(struct kretprobe_instance *ri, struct pt_regs *regs);	\
int kvmw_return_##id(struct kretprobe_instance *ri, struct pt_regs *regs);	\
void kvmw_direct_##id(void);							\
void kvmw_timed_##id(u64 since);
#define KVMW_DECLARE_TP(...)
KVMW_HOOKS(KVMW_DECLARE_HOT, KVMW_DECLARE_RARE, KVMW_DECLARE_RET, KVMW_DECLARE_TP,
	   KVMW_DECLARE_TP)
KVMW_DECLARE_RARE(vm_event)
KVMW_DECLARE_HOT(spte_change_page)
KVMW_DECLARE_HOT(rmap_set)
KVMW_DECLARE_HOT(rmap_set_slot)

#undef KVMW_DECLARE_HOT
#undef KVMW_DECLARE_RARE
#undef KVMW_DECLARE_FUNC
#undef KVMW_DECLARE_RET
#undef KVMW_DECLARE_TP

void kvmw_tp_wakeup(void *data, __u64 ns, bool waited, bool valid);
void kvmw_tp_halt_poll(void *data, bool grow, unsigned int vcpu_id,
		       unsigned int new, unsigned int old);
void kvmw_tp_exit(void *data, struct kvm_vcpu *kvcpu, u32 isa);
void kvmw_tp_exit_more(void *data, unsigned int reason, struct kvm_vcpu *kvcpu, u32 isa);
void kvmw_tp_entry(void *data, struct kvm_vcpu *kvcpu);
void kvmw_tp_entry_more(void *data, struct kvm_vcpu *kvcpu, bool force_immediate_exit);
void kvmw_tp_user_exit(void *data, __u32 reason, int error);
void kvmw_tp_ring_push(void *data, struct kvm_dirty_ring *ring, u32 slot, u64 offset);
void kvmw_tp_ring_full(void *data, struct kvm_vcpu *kvcpu);
void kvmw_tp_ring_reset(void *data, struct kvm_dirty_ring *ring);

#endif /* KVMW_HANDLERS_H */
