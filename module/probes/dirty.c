// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on dirty logging: marks, and collections of the log.
 *
 * KVM calls the marking function for slots without a log, too. Only a call for a slot whose logging
 * is on is a mark. The caller of the function determines the cause of the mark.
 */
#include <linux/bitops.h>
#include <linux/kvm_host.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>

#include "hooks/attach.h"
#include "hooks/handler.h"
#include "kernel/clock.h"
#include "kernel/kvm_functions.h"
#include "kernel/kvm_slot.h"
#include "kernel/regs.h"
#include "probes/caller.h"
#include "probes/handlers.h"
#include "probes/slot_hit.h"
#include "probes/trace.h"
#include "records/clear.h"
#include "records/counts.h"
#include "records/cpu.h"
#include "records/heat.h"
#include "records/kick.h"
#include "records/lost.h"
#include "records/record.h"
#include "records/slot.h"
#include "records/table.h"

/* --- marks ----------------------------------------------------------------- */

static __always_inline struct kvmw_slot *slot_of(struct kvmw_cpu *c, struct kvm *kvm,
						 const struct kvm_memory_slot *kslot, gfn_t gfn)
{
	struct kvmw_slot *slot = c->slot;
	struct kvmw_vm *vm;

	if (kvmw_slot_has(slot, kvm, kslot->as_id, gfn))
		return slot;
	vm = kvmw_vm_find(kvm);
	if (!vm) {
		kvmw_lost(kvm);
		return NULL;
	}
	slot = kvmw_slot_of(vm, kslot);
	if (!slot) {
		kvmw_slot_inc(vm->stray->cpu, lost_events);
		kvmw_rescan();
		return vm->stray;
	}
	if (READ_ONCE(vm->leaves_counted))
		c->slot = slot;
	return slot;
}

static noinline void count_new_unusual(const struct kvmw_clear *clear,
				       struct kvmw_slot_cpu __percpu *hits)
{
	u64 since = READ_ONCE(clear->since);
	unsigned int bucket = since ? kvmw_age_bucket_slow(since) : KVMW_AGE_BUCKETS;

	__this_cpu_inc(hits->marks_new[bucket]);
}

/* Pointers, as kernels built with UBSAN_BOUNDS would check array indices for each mark. */
static __always_inline void count_new(const struct kvmw_clear *clear,
				      struct kvmw_slot_cpu __percpu *hits)
{
	u64 age = kvmw_age_since(kvmw_peek(clear->moment));
	u64 __percpu *cells;

	if (unlikely(age >= kvmw_peek(kvmw_age_limit))) {
		count_new_unusual(clear, hits);
		return;
	}
	cells = hits->marks_new;
	__this_cpu_inc(cells[kvmw_age_bucket(age)]);
}

/* @by_vcpu: @vcpu is one of the slot's VM. */
static __always_inline void count(struct kvmw_slot *slot, struct kvmw_vcpu *vcpu,
				  const bool by_vcpu, const struct kvm_memory_slot *kslot,
				  gfn_t gfn, u8 cause)
{
	const unsigned long *bitmap = READ_ONCE(kslot->dirty_bitmap);
	struct kvmw_slot_cpu __percpu *hits = slot->hits;
	u64 __percpu *cells = hits->marks[!by_vcpu];

	__this_cpu_inc(cells[cause]);
	if (by_vcpu)
		kvmw_inc(vcpu, dirty_marks);
	/*
	 * A mark is new if the log does not have the page yet. Two vCPUs that mark a page at the
	 * same moment both count a new mark.
	 */
	if (unlikely(!bitmap))
		count_new(&slot->obj.vm->clear, hits);
	else if (!test_bit(gfn - kslot->base_gfn, bitmap))
		count_new(&slot->clear, hits);
}

static noinline void mark_unusual(struct kvm *kvm, const struct kvm_memory_slot *kslot, gfn_t gfn,
				  unsigned long caller)
{
	struct kvmw_cpu *c = this_cpu_ptr(&kvmw_cpu);
	struct kvmw_slot *slot = slot_of(c, kvm, kslot, gfn);
	const struct kvmw_caller *who;
	struct kvmw_vcpu *vcpu;
	struct kvmw_heat *heat;
	bool foreign;

	if (!slot)
		return;
	who = kvmw_caller_of(caller);
	vcpu = kvmw_vcpu_loaded();
	if (unlikely(!vcpu && who->leaving))
		vcpu = c->leaving;
	foreign = vcpu && vcpu->obj.vm != slot->obj.vm;
	if (foreign)
		vcpu = NULL;
	if (!vcpu && !kvmw_host_mark_kept(kslot, foreign, kvmw_kvm.marks_alone))
		return;

	count(slot, vcpu, vcpu, kslot, gfn, who->cause);
	heat = READ_ONCE(slot->heat);
	if (heat)
		kvmw_heat_mark(heat, gfn - kslot->base_gfn);
	trace_kvmwatch_dirty(slot, vcpu, gfn, who->cause);
}

/*
 * KVM is about to mark a page, if logging of the slot is on. The fast path is for a vCPU that marks
 * a page of the same slot, from the same caller, as the last mark on this CPU.
 */
static __always_inline void mark(struct kvm *kvm, const struct kvm_memory_slot *kslot, gfn_t gfn,
				 unsigned long caller)
{
	const struct kvmw_caller *who = __this_cpu_read(kvmw_last_caller);
	struct kvmw_vcpu *vcpu = __this_cpu_read(kvmw_cpu.vcpu);
	struct kvmw_slot *slot = __this_cpu_read(kvmw_cpu.slot);

	if (!kslot || !kvmw_logged(kslot))
		return;
	if (likely(kvmw_slot_has(slot, kvm, kslot->as_id, gfn) &&
		   vcpu->obj.vm == slot->obj.vm && who->addr == caller &&
		   !kvmw_peek(slot->heat) && !trace_kvmwatch_dirty_enabled()))
		count(slot, vcpu, true, kslot, gfn, who->cause);
	else
		mark_unusual(kvm, kslot, gfn, caller);
}

#ifndef KVMW_HOOK_ROW_dirty_mark_vm
/* mark_page_dirty_in_slot(kvm, kslot, gfn) */
static __always_inline void on_dirty_mark(const struct pt_regs *regs, unsigned long caller)
{
	mark((void *)KVMW_ARG1(regs), (void *)KVMW_ARG2(regs), KVMW_ARG3(regs), caller);
}
#else
static struct kvm *vm_by_log(const struct kvmw_vcpu *vcpu, const struct kvm_memory_slot *kslot)
{
	u32 subkey = (u32)kslot->as_id << 16 | (u16)kslot->id;
	struct kvmw_object *slot;

	slot = vcpu ? kvmw_find(vcpu->obj.vm, subkey) : NULL;
	if (!slot || READ_ONCE(kvmw_to_slot(slot)->log) != kslot->dirty_bitmap)
		slot = kvmw_find_log(kslot->dirty_bitmap);
	return slot ? (struct kvm *)READ_ONCE(slot->vm->obj.key) : NULL;
}

/*
 * mark_page_dirty_in_slot(kslot, gfn) has no argument that leads to the VM, but the slot's bitmap
 * identifies it. Try first the VM of the vCPU that is, or was last, loaded here.
 */
static __always_inline void on_dirty_mark(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_memory_slot *kslot = (void *)KVMW_ARG1(regs);
	struct kvmw_cpu *c = this_cpu_ptr(&kvmw_cpu);
	struct kvm *kvm;

	if (!kslot || !kvmw_logged(kslot))
		return;
	kvm = vm_by_log(kvmw_vcpu_loaded() ?: c->leaving, kslot);
	if (kvm)
		mark(kvm, kslot, KVMW_ARG2(regs), caller);
	else
		kvmw_lost(NULL);
}

/* mark_page_dirty(kvm, gfn) */
static __always_inline void on_dirty_mark_vm(const struct pt_regs *regs, unsigned long caller)
{
	struct kvm *kvm = (void *)KVMW_ARG1(regs);
	gfn_t gfn = KVMW_ARG2(regs);

	mark(kvm, kvmw_kslot_of(kvm, 0, gfn), gfn, caller);
}

/* kvm_vcpu_mark_page_dirty(vcpu, gfn) */
static __always_inline void on_dirty_mark_vcpu(const struct pt_regs *regs, unsigned long caller)
{
	struct kvm_vcpu *kvcpu = (void *)KVMW_ARG1(regs);
	gfn_t gfn = KVMW_ARG2(regs);

	mark(kvcpu->kvm, kvmw_kslot_of(kvcpu->kvm, kvm_arch_vcpu_memslots_id(kvcpu), gfn), gfn,
	     caller);
}

KVMW_FUNC_HANDLER(dirty_mark_vm, on_dirty_mark_vm);
KVMW_FUNC_HANDLER(dirty_mark_vcpu, on_dirty_mark_vcpu);
#endif

KVMW_FUNC_HANDLER(dirty_mark, on_dirty_mark);

/* --- collections ----------------------------------------------------------- */

/* The slot with the number that a VMM uses in ioctls; NULL: no log. Context: slots_lock held. */
static const struct kvm_memory_slot *logged_slot(struct kvm *kvm, u32 number)
{
	const struct kvm_memory_slot *kslot;
	u16 as_id = number >> 16, id = number;

	if (as_id >= kvmw_nr_as(kvm) || id >= KVM_USER_MEM_SLOTS)
		return NULL;
	kslot = id_to_memslot(rcu_dereference_raw(kvm->memslots[as_id]), id);
	return kslot && kslot->dirty_bitmap ? kslot : NULL;
}

/* Count a collection of @npages pages; @first counts from the slot's first page. */
static void count_collect(const struct kvm *kvm, const struct kvm_memory_slot *kslot,
			  unsigned int how, u64 first, u64 npages)
{
	struct kvmw_vm *vm = kvmw_vm_find(kvm);
	struct kvmw_object *obj;
	struct kvmw_slot *slot;

	if (!vm)
		return;
	WRITE_ONCE(vm->collects, vm->collects + 1);
	obj = kvmw_find(vm, (u32)kslot->as_id << 16 | (u16)kslot->id);
	if (!obj)
		return;
	slot = kvmw_to_slot(obj);
	WRITE_ONCE(slot->collects, slot->collects + 1);
	if (how != KVMW_COLLECT_LOOK)
		kvmw_clear_now(&slot->clear);
	trace_kvmwatch_collect(slot, how, first, npages);
}

/*
 * kvm_get_dirty_log_protect(kvm, log), under slots_lock. Requests that KVM will refuse do not
 * count.
 */
static __always_inline void on_log_get(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_dirty_log *log = (void *)KVMW_ARG2(regs);
	struct kvm *kvm = (void *)KVMW_ARG1(regs);
	const struct kvm_memory_slot *kslot = logged_slot(kvm, log->slot);

	if (!kslot)
		return;
	count_collect(kvm, kslot,
		      kvm->manual_dirty_log_protect ? KVMW_COLLECT_LOOK : KVMW_COLLECT_FETCH, 0,
		      kslot->npages);
}

/* kvm_clear_dirty_log_protect(kvm, log): KVM accepts whole words, or pages up to the slot's end. */
static __always_inline void on_log_clear(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_clear_dirty_log *log = (void *)KVMW_ARG2(regs);
	struct kvm *kvm = (void *)KVMW_ARG1(regs);
	const struct kvm_memory_slot *kslot = logged_slot(kvm, log->slot);
	u64 left;

	if (!kslot || log->first_page % BITS_PER_LONG || log->first_page > kslot->npages)
		return;
	left = kslot->npages - log->first_page;
	if (log->num_pages > left || (log->num_pages < left && log->num_pages % BITS_PER_LONG))
		return;
	count_collect(kvm, kslot, KVMW_COLLECT_CLEAR, log->first_page, log->num_pages);
}

/*
 * kvm_arch_mmu_enable_log_dirty_pt_masked(kvm, kslot, offset, mask): in both ioctls above, KVM has
 * cleared the bits of @mask in the log, and write-protects their pages again. KVM also calls it for
 * dirty rings, which have no log.
 */
static __always_inline void on_log_word(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_memory_slot *kslot = (void *)KVMW_ARG2(regs);
	struct kvm *kvm = (void *)KVMW_ARG1(regs);
	struct kvmw_slot *slot;

	if (!kslot->dirty_bitmap)
		return;
	slot = slot_of(this_cpu_ptr(&kvmw_cpu), kvm, kslot, kslot->base_gfn + KVMW_ARG3(regs));
	if (slot)
		WRITE_ONCE(slot->collected, slot->collected + hweight64(KVMW_ARG4(regs)));
}

KVMW_FUNC_HANDLER(log_get, on_log_get);
KVMW_FUNC_HANDLER(log_clear, on_log_clear);
KVMW_LOCKED_HANDLER(log_word, on_log_word);
