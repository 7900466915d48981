// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on second-level page tables: leaves that become present, stop being present or are split.
 *
 * KVM has two MMUs. In the TDP MMU one function handles every change of an entry. In the shadow MMU
 * (nested guests, no EPT or NPT, or 5.10) one function adds leaves and another clears them. Their
 * callers hold mmu_lock, for read or write.
 */
#include <linux/atomic.h>
#include <linux/kvm_host.h>
#include <linux/minmax.h>
#include <linux/percpu.h>

#include "hooks/handler.h"
#include "kernel/kvm_functions.h"
#include "kernel/kvm_mmu.h"
#include "kernel/regs.h"
#include "probes/caller.h"
#include "probes/handlers.h"
#include "probes/slot_hit.h"
#include "probes/trace.h"
#include "records/counts.h"
#include "records/lost.h"
#include "records/record.h"
#include "records/table.h"

static __always_inline struct kvmw_slot *slot_at(struct kvm *kvm, unsigned int as_id, gfn_t gfn)
{
	struct kvmw_slot *slot = __this_cpu_read(kvmw_cpu.slot);

	return kvmw_slot_has(slot, kvm, as_id, gfn) ? slot : kvmw_slot_lookup(kvm, as_id, gfn);
}

/*
 * Pages mapped before the change that KVM is about to make. Reading KVM's own counts is cheap, as
 * KVM writes the same cache line right after. Where KVM has no counts, mmu_lock is exclusive, so
 * its holder most likely has our cache line.
 */
static __always_inline u64 mapped_before(const struct kvmw_vm *vm, const struct kvm *kvm)
{
#if KVMW_KVM_COUNTS_LEAVES
	const s64 leaves[KVMW_NR_LEVELS] = {
		kvmw_kvm_pages(kvm, 1), kvmw_kvm_pages(kvm, 2), kvmw_kvm_pages(kvm, 3),
	};

	return kvmw_mapped_pages(leaves);
#else
	return vm->mapped_now;
#endif
}

/* Called before an unmap: only there the number of mapped pages can be at a peak. */
static noinline void raise_peak(struct kvmw_vm *vm, u64 pages)
{
	u64 peak = READ_ONCE(vm->mapped_peak), found;

	for (; pages > peak; peak = found) {
		found = cmpxchg(&vm->mapped_peak, peak, pages);
		if (found == peak)
			break;
	}
}

static __always_inline void count_map(struct kvmw_slot *slot, int level, u64 leaves)
{
	__this_cpu_add(slot->hits->map[level - 1], leaves);
	if (!KVMW_KVM_COUNTS_LEAVES)
		slot->obj.vm->mapped_now += leaves * KVMW_LEVEL_PAGES(level);
}

static __always_inline void count_unmap(struct kvmw_slot *slot, int level)
{
	__this_cpu_inc(slot->hits->unmap[level - 1]);
	if (!KVMW_KVM_COUNTS_LEAVES)
		slot->obj.vm->mapped_now -= KVMW_LEVEL_PAGES(level);
}

/* @split: the leaves replace a huge leaf. @regs: of the hooked function */
static __always_inline void leaf_mapped(struct kvmw_slot *slot, gfn_t gfn, int level, u64 leaves,
					bool split, const struct pt_regs *regs)
{
	count_map(slot, level, leaves);
	trace_kvmwatch_map(slot, gfn, level, leaves, split, regs);
}

static __always_inline void leaf_unmapped(struct kvmw_slot *slot, gfn_t gfn, int level, bool split,
					  const struct pt_regs *regs)
{
	count_unmap(slot, level);
	trace_kvmwatch_unmap(slot, gfn, level, split, regs);
}

/*
 * Number of leaves that a hit counts, out of @leaves adjacent ones from @gfn on: all of them, or
 * while tasks/count.c counts the VM, those that begin below the cursor.
 */
static u64 leaves_below(const struct kvmw_vm *vm, unsigned int as_id, gfn_t gfn, int level,
			u64 leaves)
{
	const unsigned int shift = KVM_HPAGE_GFN_SHIFT(level);
	gfn_t cursor;

	if (likely(READ_ONCE(vm->leaves_counted)))
		return leaves;
	cursor = READ_ONCE(vm->cursor[as_id]);
	if (cursor <= gfn)
		return 0;
	return min(leaves, ((cursor - gfn - 1) >> shift) + 1);
}

/*
 * A huge leaf that replaces a table, as when logging ends (KVM 6.13 and later). Some KVM counts it
 * before the same task removes what the table maps. Until then that counts twice, and is no peak.
 * slot->merged is the last such leaf, until it goes: its first page and its level. While it is
 * there, small leaves in its place are those of its table.
 *
 * That errs in rare cases, by the pages of one such leaf. Small leaves may be of another root's
 * table, or the huge leaf may go before its installer has noted it: then the peak is too low by
 * those that go before another leaf does. Two tasks may replace tables of one slot at a time: then
 * it is too high.
 */
static u64 huge_leaf(gfn_t gfn, int level)
{
	return gfn | level;
}

static bool is_of_merged(const struct kvmw_slot *slot, gfn_t gfn, int level)
{
	u64 merged = READ_ONCE(slot->merged);
	int above = merged % KVMW_LEVEL_PAGES(PG_LEVEL_2M);

	return above > level && !((merged ^ gfn) >> KVM_HPAGE_GFN_SHIFT(above));
}

/*
 * __handle_changed_spte(kvm, as_id or sp, gfn, old, new, level, ...), before KVM counts it. Here
 * @regs is where ftrace passes it, so that the caller does not move it.
 */
static noinline __noclone void spte_change_unusual(unsigned long ip, unsigned long caller,
						   bool of_page,
						   const struct pt_regs *regs)
{
	unsigned int as_id = kvmw_spte_change_as(regs, of_page);
	u64 old = KVMW_ARG4(regs), new = KVMW_ARG5(regs);
	struct kvm *kvm = (void *)KVMW_ARG1(regs);
	gfn_t gfn = KVMW_ARG3(regs);
	int level = KVMW_ARG6(regs);
	bool was = kvmw_spte_leaf(old, level), is = kvmw_spte_leaf(new, level);
	struct kvmw_slot *slot;

	if (was == is || unlikely(level > KVMW_NR_LEVELS))
		return;
	slot = slot_at(kvm, as_id, gfn);
	if (!slot)
		return;
	if (is) {
		if (kvmw_spte_present(old)) {	/* and no leaf, so a table */
			kvmw_slot_inc(slot->hits, huge_collapses);
			WRITE_ONCE(slot->merged, huge_leaf(gfn, level));
		}
		leaf_mapped(slot, gfn, level, 1, false, regs);
		return;
	}
	/*
	 * If a table replaces the leaf, KVM has split the leaf. KVM fills the table with leaves
	 * before it installs it, and calls no hooked function for these.
	 */
	if (!is_of_merged(slot, gfn, level))
		raise_peak(slot->obj.vm, mapped_before(slot->obj.vm, kvm));
	if (level > PG_LEVEL_4K && READ_ONCE(slot->merged) == huge_leaf(gfn, level))
		WRITE_ONCE(slot->merged, 0);
	leaf_unmapped(slot, gfn, level, kvmw_spte_present(new), regs);
	if (unlikely(kvmw_spte_present(new) && level > PG_LEVEL_4K)) {
		kvmw_slot_inc(slot->hits, huge_splits);
		leaf_mapped(slot, gfn, level - 1,
			    leaves_below(slot->obj.vm, as_id, gfn, level - 1, 512), true, regs);
	}
}

/* The fast path is for a 4K leaf in the same slot as the last one on this CPU. */
static __always_inline void spte_change(const struct pt_regs *regs, bool of_page)
{
	u64 old = KVMW_ARG4(regs), new = KVMW_ARG5(regs);
	struct kvm *kvm = (void *)KVMW_ARG1(regs);
	struct kvmw_slot *slot;
	u64 pages;

	if (unlikely((int)KVMW_ARG6(regs) != PG_LEVEL_4K))
		goto unusual;
	if (!kvmw_spte_differ(old, new))
		return;
	slot = __this_cpu_read(kvmw_cpu.slot);
	if (!kvmw_slot_has(slot, kvm, kvmw_spte_change_as(regs, of_page), KVMW_ARG3(regs)))
		goto unusual;
	if (kvmw_spte_present(new)) {
		if (trace_kvmwatch_map_enabled())
			goto unusual;
		count_map(slot, PG_LEVEL_4K, 1);
		return;
	}
	pages = mapped_before(slot->obj.vm, kvm);
	if (unlikely(pages > kvmw_peek(slot->obj.vm->mapped_peak) ||
		     trace_kvmwatch_unmap_enabled()))
		goto unusual;
	count_unmap(slot, PG_LEVEL_4K);
	return;
unusual:
	spte_change_unusual(0, 0, of_page, regs);
}

static __always_inline void on_spte_change(const struct pt_regs *regs, unsigned long caller)
{
	spte_change(regs, false);
}

/* The same, with the page table page in place of the address space */
static __always_inline void on_spte_change_page(const struct pt_regs *regs, unsigned long caller)
{
	spte_change(regs, true);
}

static __always_inline void count_add(const struct kvmw_leaf *leaf, const struct pt_regs *regs)
{
	struct kvmw_slot *slot;

	if (unlikely(leaf->level > KVMW_NR_LEVELS))
		return;
	slot = slot_at(leaf->kvm, leaf->as_id, leaf->gfn);
	if (slot)
		leaf_mapped(slot, leaf->gfn, leaf->level, 1, false, regs);
}

/* A leaf of a shadow page table becomes present: by __rmap_add(), or by mmu_set_spte(). */
static __always_inline void on_rmap_add(const struct pt_regs *regs, unsigned long caller)
{
	struct kvmw_leaf leaf;

	kvmw_rmap_add_leaf(regs, &leaf);
	count_add(&leaf, regs);
}

static __always_inline void on_rmap_set(const struct pt_regs *regs, unsigned long caller)
{
	struct kvmw_leaf leaf;

	if (kvmw_rmap_set_leaf(regs, false, &leaf))
		count_add(&leaf, regs);
}

static __always_inline void on_rmap_set_slot(const struct pt_regs *regs, unsigned long caller)
{
	struct kvmw_leaf leaf;

	if (kvmw_rmap_set_leaf(regs, true, &leaf))
		count_add(&leaf, regs);
}

static __always_inline void count_zap(const struct kvmw_leaf *leaf, const struct pt_regs *regs)
{
	struct kvmw_slot *slot;

	if (unlikely(!leaf->kvm)) {
		kvmw_lost(NULL);
		return;
	}
	if (unlikely(leaf->level > KVMW_NR_LEVELS))
		return;
	slot = slot_at(leaf->kvm, leaf->as_id, leaf->gfn);
	if (!slot)
		return;
	raise_peak(slot->obj.vm, mapped_before(slot->obj.vm, leaf->kvm));
	leaf_unmapped(slot, leaf->gfn, leaf->level, false, regs);
}

/*
 * The hook on one of KVMW_RMAP_TELLERS tells on_rmap_zap() whether the leaves that the function
 * clears are accounted for. The flag is in the VM's record, as only the holder of mmu_lock writes
 * and reads it. A per-CPU flag would be wrong: between the two hooks, a PREEMPT_RT kernel may run
 * the holder of another VM's lock on this CPU (preempt_test).
 */
static void tell_zaps(const struct kvm *kvm, bool counted)
{
	struct kvmw_vm *vm = kvmw_vm_find(kvm);

	if (vm)
		vm->zaps_counted = counted;
}

static bool zaps_counted(const struct kvm *kvm)
{
	const struct kvmw_vm *vm = kvm ? kvmw_vm_find(kvm) : NULL;

	return vm && vm->zaps_counted;
}

static bool __maybe_unused is_known(const struct kvm *kvm)
{
	return kvmw_vm_find(kvm);
}

/*
 * mmu_spte_clear_track_bits([kvm,] sptep). Some functions call it for another purpose than an
 * unmap, or contain an inlined copy of it. The hook on their entry counts instead: see tell_zaps().
 */
static __always_inline void on_rmap_zap(const struct pt_regs *regs, unsigned long caller)
{
	struct kvmw_leaf leaf;

	if (!kvmw_rmap_zap_leaf(regs, &leaf, is_known))
		return;
	if (kvmw_caller_of(caller)->teller && zaps_counted(leaf.kvm))
		return;
	count_zap(&leaf, regs);
}

KVMW_LOCKED_HANDLER(spte_change, on_spte_change);
KVMW_LOCKED_FORM(spte_change, spte_change_page, on_spte_change_page);
KVMW_LOCKED_HANDLER(rmap_add, on_rmap_add);
KVMW_LOCKED_FORM(rmap_add, rmap_set, on_rmap_set);
KVMW_LOCKED_FORM(rmap_add, rmap_set_slot, on_rmap_set_slot);
KVMW_LOCKED_HANDLER(rmap_zap, on_rmap_zap);

#ifdef KVMW_HOOK_ROW_rmap_repoint
/*
 * kvm_set_pte_rmapp(kvm, rmap, slot, gfn, level, pte) clears each leaf of the page and, unless the
 * new page is writable, sets it again without calling a hooked function. Such a leaf stays mapped.
 */
static __always_inline void on_rmap_repoint(const struct pt_regs *regs, unsigned long caller)
{
	tell_zaps((struct kvm *)KVMW_ARG1(regs), !pte_write(*(pte_t *)KVMW_ARG6(regs)));
}

KVMW_LOCKED_HANDLER(rmap_repoint, on_rmap_repoint);
#endif

#ifdef KVMW_HOOK_ROW_rmap_zap_all
/*
 * kvm_zap_all_rmap_sptes(kvm, rmap) calls mmu_spte_clear_track_bits() for a map with a single leaf.
 * The compiler inlines that function for chains of leaves, so count those here.
 */
static __always_inline void on_rmap_zap_all(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvmw_rmap_desc *desc = kvmw_rmap_chunks((void *)KVMW_ARG2(regs));
	struct kvm *kvm = (struct kvm *)KVMW_ARG1(regs);
	struct kvmw_leaf leaf;
	unsigned int i;

	tell_zaps(kvm, desc);
	for (; desc; desc = desc->more) {
		for (i = 0; i < kvmw_rmap_desc_count(desc); i++) {
			const struct kvmw_sp *sp = kvmw_sp_of(desc->sptes[i]);

			if (!kvmw_spte_present(READ_ONCE(*desc->sptes[i])))
				continue;
			kvmw_leaf_at(&leaf, kvm, sp, kvmw_sp_gfn(sp, desc->sptes[i]));
			count_zap(&leaf, regs);
		}
	}
}

KVMW_LOCKED_HANDLER(rmap_zap_all, on_rmap_zap_all);
#endif
