// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on second-level page tables: which leaves come, go and split.
 *
 * KVM has two kinds of them. The TDP MMU passes every change of an entry through
 * one function; of the shadow MMU (nested guests, or no EPT/NPT) two functions see
 * leaves come and go. All hold mmu_lock, for read or write.
 */
#include <linux/srcu.h>

#include <trace/events/kvmwatch.h>

#include "hook.h"
#include "object.h"
#include "slot_hit.h"

struct kvmw_slot *kvmw_slot_lookup(struct kvm *kvm, unsigned int as_id, gfn_t gfn)
{
	struct kvmw_vm *vm = kvmw_vm_find(kvm);
	struct kvm_memory_slot *kslot;
	struct kvmw_slot *slot = NULL;
	int srcu;

	if (!vm) {
		kvmw_lost(kvm);
		return NULL;
	}
	/* Being counted, and not yet this far: the count will find this page. */
	if (unlikely(!READ_ONCE(vm->armed)) && gfn >= READ_ONCE(vm->cursor[as_id]))
		return NULL;

	srcu = srcu_read_lock(&kvm->srcu);
	kslot = kvmw_kslot_of(kvm, as_id, gfn);
	if (kslot)
		slot = kvmw_slot_of(vm, kslot);
	srcu_read_unlock(&kvm->srcu, srcu);

	if (!slot) {
		/* The VM's count stays right; those of its slots must be made again. */
		this_cpu_inc(vm->stray->cpu->lost);
		WRITE_ONCE(vm->unsure, true);
		kvmw_rescan();
		return vm->stray;
	}
	/* While being counted, every hit has to come here and ask. */
	if (READ_ONCE(vm->armed))
		this_cpu_write(kvmw_cpu.slot, slot);
	return slot;
}

static __always_inline struct kvmw_slot *slot_at(struct kvm *kvm, unsigned int as_id, gfn_t gfn)
{
	struct kvmw_slot *slot = kvmw_slot_cached(this_cpu_ptr(&kvmw_cpu), kvm, as_id, gfn);

	return likely(slot) ? slot : kvmw_slot_lookup(kvm, as_id, gfn);
}

/*
 * KVM's own counts, which it is about to lower, are at a peak now or below an
 * earlier one. Reading them costs little: KVM writes the same line right after.
 */
static __always_inline void note_peak(struct kvmw_vm *vm, const struct kvm *kvm)
{
	u64 bytes = kvmw_kvm_pages_bytes(kvm), peak = READ_ONCE(vm->mapped_peak);

	while (unlikely(bytes > peak)) {
		u64 found = cmpxchg(&vm->mapped_peak, peak, bytes);

		if (found == peak)
			break;
		peak = found;
	}
}

static __always_inline void leaf_mapped(struct kvmw_slot *slot, gfn_t gfn, int level, u64 leaves)
{
	__this_cpu_add(slot->cpu->map[level - 1], leaves);
	trace_kvmwatch_map(slot, gfn, level, leaves);
}

static __always_inline void leaf_unmapped(struct kvmw_slot *slot, struct kvm *kvm, gfn_t gfn,
					  int level, bool split)
{
	note_peak(slot->obj.vm, kvm);
	__this_cpu_inc(slot->cpu->unmap[level - 1]);
	trace_kvmwatch_unmap(slot, gfn, level, split);
}

/* __handle_changed_spte(kvm, as_id, gfn, old, new, level, ...), before KVM counts it */
static __always_inline void on_spte_change(const struct pt_regs *regs, unsigned long caller)
{
	u64 old = KVMW_ARG4(regs), new = KVMW_ARG5(regs);
	int level = KVMW_ARG6(regs);
	bool was = kvmw_spte_leaf(old, level), is = kvmw_spte_leaf(new, level);
	struct kvm *kvm = (void *)KVMW_ARG1(regs);
	gfn_t gfn = KVMW_ARG3(regs);
	struct kvmw_slot *slot;

	if (was == is || unlikely(level > KVMW_NR_LEVELS))
		return;
	slot = slot_at(kvm, (u32)KVMW_ARG2(regs), gfn);
	if (!slot)
		return;
	if (is) {
		leaf_mapped(slot, gfn, level, 1);
		return;
	}
	/*
	 * A present leaf that becomes a present table was split: KVM made the table
	 * full of leaves before it put it here, and tells nobody of those.
	 */
	leaf_unmapped(slot, kvm, gfn, level, kvmw_spte_present(new));
	if (unlikely(kvmw_spte_present(new) && level > PG_LEVEL_4K)) {
		__this_cpu_inc(slot->cpu->splits);
		leaf_mapped(slot, gfn, level - 1, 512);
	}
}

/* __rmap_add(kvm, cache, slot, sptep, gfn, access) */
static __always_inline void on_rmap_add(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_memory_slot *kslot = (void *)KVMW_ARG3(regs);
	int level = kvmw_sp_of((u64 *)KVMW_ARG4(regs))->role.level;
	struct kvm *kvm = (void *)KVMW_ARG1(regs);
	gfn_t gfn = KVMW_ARG5(regs);
	struct kvmw_slot *slot = slot_at(kvm, kslot->as_id, gfn);

	if (slot && level <= KVMW_NR_LEVELS)
		leaf_mapped(slot, gfn, level, 1);
}

/* mmu_spte_clear_track_bits(kvm, sptep) */
static __always_inline void on_rmap_zap(const struct pt_regs *regs, unsigned long caller)
{
	struct kvm *kvm = (void *)KVMW_ARG1(regs);
	u64 *sptep = (u64 *)KVMW_ARG2(regs);
	const struct kvmw_sp *sp = kvmw_sp_of(sptep);
	gfn_t gfn = kvmw_sp_gfn(sp, sptep);
	struct kvmw_slot *slot;

	if (!kvmw_spte_present(READ_ONCE(*sptep)) || sp->role.level > KVMW_NR_LEVELS)
		return;
	slot = slot_at(kvm, sp->role.smm, gfn);
	if (slot)
		leaf_unmapped(slot, kvm, gfn, sp->role.level, false);
}

KVMW_FUNC_HANDLER(spte_change, on_spte_change);
KVMW_FUNC_HANDLER(rmap_add, on_rmap_add);
KVMW_FUNC_HANDLER(rmap_zap, on_rmap_zap);
