/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events, for trace-cmd, perf and the like. Only files of this folder emit them. Every event
 * has the kvmwatch id of the VM, the pid of its VMM, and the id of the vCPU on which it happened
 * (-1: on none).
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvmwatch

#if !defined(_TRACE_KVMWATCH_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KVMWATCH_H

#include <linux/tracepoint.h>

#ifndef KVMW_TRACE_ONCE
#define KVMW_TRACE_ONCE
#include "probes/causes.h"
#include "probes/leaf_cause.h"
#include "records/cpu.h"
#include "records/record.h"

/* KVM has no event when it resets the window to 0 or clamps it to the limit. */
enum { KVMW_POLL_SHRINK, KVMW_POLL_GROW, KVMW_POLL_RESET, KVMW_POLL_CLAMP };

/* Of a stretch on a pCPU, in nanoseconds; -1: there is none, or it is unknown. */
struct kvmw_latency {
	s64	load_entry_ns;	/* from the load to the first entry to guest mode */
	s64	exit_put_ns;	/* from the last exit to the put */
};

enum { KVMW_COLLECT_FETCH, KVMW_COLLECT_LOOK, KVMW_COLLECT_CLEAR };

/* The id of the vCPU that is loaded on this pCPU, or -1 if that is none of @vm. */
static inline int kvmw_trace_vcpu(const struct kvmw_vm *vm)
{
	const struct kvmw_vcpu *vcpu = this_cpu_read(kvmw_cpu.vcpu);

	return vcpu->obj.vm == vm ? (int)vcpu->vcpu_id : -1;
}
#endif

#define KVMW_SHOW_LEVEL(level)							\
	__print_symbolic(level, { 1, "4k" }, { 2, "2m" }, { 3, "1g" })
#define KVMW_SHOW_NAME(name, number, word)	{ number, word }
#define KVMW_SHOW_LEAF(cause)							\
	__print_symbolic(cause, KVMW_LEAF_CAUSES(KVMW_SHOW_NAME))
/* KVM_MEM_* of the newest kernel; other flags are printed as a number. */
#define KVMW_SHOW_SLOT_FLAGS(flags)						\
	((flags) ? __print_flags(flags, "|", { 1, "log" }, { 2, "readonly" },	\
				 { 4, "guest_memfd" }) : "none")

#define KVMW_WHO_FIELDS		__field(u64, vm) __field(s32, pid) __field(s32, vcpu)
#define KVMW_WHO_ASSIGN(of, n)							\
	do {									\
		__entry->vm = (of)->obj.id;					\
		__entry->pid = (of)->tgid;					\
		__entry->vcpu = (n);						\
	} while (0)
#define KVMW_WHO_FORMAT		"vm %llu pid %d vcpu %d "
#define KVMW_WHO_ARGS		__entry->vm, __entry->pid, __entry->vcpu

DECLARE_EVENT_CLASS(kvmwatch_vm,
	TP_PROTO(const struct kvmw_vm *vm),
	TP_ARGS(vm),
	TP_STRUCT__entry(KVMW_WHO_FIELDS),
	TP_fast_assign(KVMW_WHO_ASSIGN(vm, kvmw_trace_vcpu(vm));),
	TP_printk("vm %llu pid %d vcpu %d", KVMW_WHO_ARGS)
);

DEFINE_EVENT(kvmwatch_vm, kvmwatch_vm_create,
	TP_PROTO(const struct kvmw_vm *vm), TP_ARGS(vm));
DEFINE_EVENT(kvmwatch_vm, kvmwatch_vm_destroy,
	TP_PROTO(const struct kvmw_vm *vm), TP_ARGS(vm));
DEFINE_EVENT(kvmwatch_vm, kvmwatch_vm_free,
	TP_PROTO(const struct kvmw_vm *vm), TP_ARGS(vm));

TRACE_EVENT(kvmwatch_slot,
	TP_PROTO(const struct kvmw_slot *slot, unsigned int change),
	TP_ARGS(slot, change),
	TP_STRUCT__entry(
		KVMW_WHO_FIELDS
		__field(u64, base_gfn)
		__field(u64, npages)
		__field(u64, userspace_addr)
		__field(u32, flags)
		__field(u32, change)
		__field(u16, as_id)
		__field(u16, slot)
	),
	TP_fast_assign(
		KVMW_WHO_ASSIGN(slot->obj.vm, kvmw_trace_vcpu(slot->obj.vm));
		__entry->base_gfn = slot->base_gfn;
		__entry->npages = slot->npages;
		__entry->userspace_addr = slot->userspace_addr;
		__entry->flags = slot->flags;
		__entry->change = change;
		__entry->as_id = slot->obj.subkey >> 16;
		__entry->slot = slot->obj.subkey;
	),
	TP_printk(KVMW_WHO_FORMAT
		  "slot %u:%u %s base_gfn 0x%llx npages %llu userspace_addr 0x%llx flags %s",
		  KVMW_WHO_ARGS, __entry->as_id, __entry->slot,
		  __print_symbolic(__entry->change, { 0, "create" }, { 1, "delete" },
				   { 2, "move" }, { 3, "flags" }),
		  __entry->base_gfn, __entry->npages, __entry->userspace_addr,
		  KVMW_SHOW_SLOT_FLAGS(__entry->flags))
);

TRACE_EVENT(kvmwatch_map,
	TP_PROTO(const struct kvmw_slot *slot, u64 gfn, int level, u64 leaves, bool split,
		 const struct pt_regs *regs),
	TP_ARGS(slot, gfn, level, leaves, split, regs),
	TP_STRUCT__entry(
		KVMW_WHO_FIELDS
		__field(u64, gfn)
		__field(u32, leaves)
		__field(u16, as_id)
		__field(u16, slot)
		__field(u8, level)
		__field(u8, cause)
	),
	TP_fast_assign(
		KVMW_WHO_ASSIGN(slot->obj.vm, kvmw_trace_vcpu(slot->obj.vm));
		__entry->gfn = gfn;
		__entry->leaves = leaves;
		__entry->as_id = slot->obj.subkey >> 16;
		__entry->slot = slot->obj.subkey;
		__entry->level = level;
		__entry->cause = kvmw_leaf_cause(regs, __entry->vcpu, split);
	),
	TP_printk(KVMW_WHO_FORMAT "slot %u:%u gfn 0x%llx level %s leaves %u cause %s",
		  KVMW_WHO_ARGS, __entry->as_id, __entry->slot, __entry->gfn,
		  KVMW_SHOW_LEVEL(__entry->level), __entry->leaves,
		  KVMW_SHOW_LEAF(__entry->cause))
);

TRACE_EVENT(kvmwatch_unmap,
	TP_PROTO(const struct kvmw_slot *slot, u64 gfn, int level, bool split,
		 const struct pt_regs *regs),
	TP_ARGS(slot, gfn, level, split, regs),
	TP_STRUCT__entry(
		KVMW_WHO_FIELDS
		__field(u64, gfn)
		__field(u16, as_id)
		__field(u16, slot)
		__field(u8, level)
		__field(u8, cause)
	),
	TP_fast_assign(
		KVMW_WHO_ASSIGN(slot->obj.vm, kvmw_trace_vcpu(slot->obj.vm));
		__entry->gfn = gfn;
		__entry->as_id = slot->obj.subkey >> 16;
		__entry->slot = slot->obj.subkey;
		__entry->level = level;
		__entry->cause = kvmw_leaf_cause(regs, __entry->vcpu, split);
	),
	TP_printk(KVMW_WHO_FORMAT "slot %u:%u gfn 0x%llx level %s cause %s",
		  KVMW_WHO_ARGS, __entry->as_id, __entry->slot, __entry->gfn,
		  KVMW_SHOW_LEVEL(__entry->level), KVMW_SHOW_LEAF(__entry->cause))
);

TRACE_EVENT(kvmwatch_dirty,
	TP_PROTO(const struct kvmw_slot *slot, const struct kvmw_vcpu *vcpu, u64 gfn,
		 unsigned int cause),
	TP_ARGS(slot, vcpu, gfn, cause),
	TP_STRUCT__entry(
		KVMW_WHO_FIELDS
		__field(u64, gfn)
		__field(u64, rel_gfn)
		__field(u64, npages)
		__field(u64, userspace_addr)
		__field(u16, as_id)
		__field(u16, slot)
		__field(u8, cause)
	),
	TP_fast_assign(
		KVMW_WHO_ASSIGN(slot->obj.vm, vcpu ? (int)vcpu->vcpu_id : -1);
		__entry->gfn = gfn;
		__entry->rel_gfn = gfn - slot->base_gfn;
		__entry->npages = slot->npages;
		__entry->userspace_addr = slot->userspace_addr;
		__entry->as_id = slot->obj.subkey >> 16;
		__entry->slot = slot->obj.subkey;
		__entry->cause = cause;
	),
	TP_printk(KVMW_WHO_FORMAT
		  "slot %u:%u gfn 0x%llx rel_gfn 0x%llx npages %llu userspace_addr 0x%llx cause %s",
		  KVMW_WHO_ARGS, __entry->as_id, __entry->slot, __entry->gfn, __entry->rel_gfn,
		  __entry->npages, __entry->userspace_addr,
		  __print_symbolic(__entry->cause, { 0, "fault" }, { 1, "pml" }, { 2, "kvm" }))
);

/* The VMM fetches and clears a slot's dirty log, looks at it, or clears a part of it. */
TRACE_EVENT(kvmwatch_collect,
	TP_PROTO(const struct kvmw_slot *slot, unsigned int how, u64 first, u64 npages),
	TP_ARGS(slot, how, first, npages),
	TP_STRUCT__entry(
		KVMW_WHO_FIELDS
		__field(u64, first)
		__field(u64, npages)
		__field(u16, as_id)
		__field(u16, slot)
		__field(u8, how)
	),
	TP_fast_assign(
		KVMW_WHO_ASSIGN(slot->obj.vm, kvmw_trace_vcpu(slot->obj.vm));
		__entry->first = first;
		__entry->npages = npages;
		__entry->as_id = slot->obj.subkey >> 16;
		__entry->slot = slot->obj.subkey;
		__entry->how = how;
	),
	TP_printk(KVMW_WHO_FORMAT "slot %u:%u %s first 0x%llx npages %llu", KVMW_WHO_ARGS,
		  __entry->as_id, __entry->slot,
		  __print_symbolic(__entry->how, { 0, "fetch" }, { 1, "look" }, { 2, "clear" }),
		  __entry->first, __entry->npages)
);

TRACE_EVENT(kvmwatch_vcpu_load,
	TP_PROTO(const struct kvmw_vcpu *vcpu, u64 off_ns, bool migrated),
	TP_ARGS(vcpu, off_ns, migrated),
	TP_STRUCT__entry(
		KVMW_WHO_FIELDS
		__field(u64, off_ns)
		__field(u32, pcpu)
		__field(u8, migrated)
	),
	TP_fast_assign(
		KVMW_WHO_ASSIGN(vcpu->obj.vm, vcpu->vcpu_id);
		__entry->off_ns = off_ns;
		__entry->pcpu = vcpu->stats.pcpu[0];
		__entry->migrated = migrated;
	),
	TP_printk(KVMW_WHO_FORMAT "pcpu %u off_ns %llu%s", KVMW_WHO_ARGS, __entry->pcpu,
		  __entry->off_ns, __entry->migrated ? " migrated" : "")
);

TRACE_EVENT(kvmwatch_vcpu_put,
	TP_PROTO(const struct kvmw_vcpu *vcpu, u64 on_ns, const struct kvmw_latency *latency,
		 bool preempted),
	TP_ARGS(vcpu, on_ns, latency, preempted),
	TP_STRUCT__entry(
		KVMW_WHO_FIELDS
		__field(u64, on_ns)
		__field(s64, load_entry_ns)
		__field(s64, exit_put_ns)
		__field(u32, pcpu)
		__field(u8, preempted)
	),
	TP_fast_assign(
		KVMW_WHO_ASSIGN(vcpu->obj.vm, vcpu->vcpu_id);
		__entry->on_ns = on_ns;
		__entry->load_entry_ns = latency->load_entry_ns;
		__entry->exit_put_ns = latency->exit_put_ns;
		__entry->pcpu = vcpu->stats.pcpu[0];
		__entry->preempted = preempted;
	),
	TP_printk(KVMW_WHO_FORMAT "pcpu %u on_ns %llu load_entry_ns %lld exit_put_ns %lld%s",
		  KVMW_WHO_ARGS, __entry->pcpu, __entry->on_ns, __entry->load_entry_ns,
		  __entry->exit_put_ns, __entry->preempted ? " preempted" : "")
);

TRACE_EVENT(kvmwatch_halt,
	TP_PROTO(const struct kvmw_vcpu *vcpu, u64 ns, s64 delay, bool waited, bool valid),
	TP_ARGS(vcpu, ns, delay, waited, valid),
	TP_STRUCT__entry(
		KVMW_WHO_FIELDS
		__field(u64, ns)
		__field(s64, delay)
		__field(u8, waited)
		__field(u8, valid)
	),
	TP_fast_assign(
		KVMW_WHO_ASSIGN(vcpu->obj.vm, vcpu->vcpu_id);
		__entry->ns = ns;
		__entry->delay = delay;
		__entry->waited = waited;
		__entry->valid = valid;
	),
	TP_printk(KVMW_WHO_FORMAT "ns %llu %s %s delay %lld", KVMW_WHO_ARGS, __entry->ns,
		  __entry->waited ? "wait" : "poll", __entry->valid ? "valid" : "invalid",
		  __entry->delay)
);

TRACE_EVENT(kvmwatch_halt_poll,
	TP_PROTO(const struct kvmw_vcpu *vcpu, unsigned int type, u64 old, u64 new),
	TP_ARGS(vcpu, type, old, new),
	TP_STRUCT__entry(
		KVMW_WHO_FIELDS
		__field(u64, old)
		__field(u64, new)
		__field(u8, type)
	),
	TP_fast_assign(
		KVMW_WHO_ASSIGN(vcpu->obj.vm, vcpu->vcpu_id);
		__entry->old = old;
		__entry->new = new;
		__entry->type = type;
	),
	TP_printk(KVMW_WHO_FORMAT "%s old %llu new %llu", KVMW_WHO_ARGS,
		  __print_symbolic(__entry->type, { 0, "shrink" }, { 1, "grow" },
				   { 2, "reset" }, { 3, "clamp" }),
		  __entry->old, __entry->new)
);

#endif /* _TRACE_KVMWATCH_H */

/* This part must be outside of the guard. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH probes
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
