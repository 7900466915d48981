// SPDX-License-Identifier: GPL-2.0
/*
 * What must hold in a hit, whatever KVM does: see hooks/live.h. Nothing is read through a pointer
 * that a record does not know, or that the page tables do not lead back to.
 */
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/srcu.h>

#include "hooks/live.h"
#include "kernel/kvm_mmu.h"
#include "kernel/kvm_slot.h"
#include "kernel/regs.h"
#include "probes/handlers.h"
#include "probes/vcpu_hit.h"
#include "records/table.h"

static const char no_level[] = "an argument is no level of a page table";
static const char no_table[] = "an argument leads to no page table of KVM's";
static const char other_level[] = "the level is not that of the page table";
static const char unaligned[] = "the page's number does not fit its level";
static const char no_change[] = "an argument is no kind of change, or no slot";
static const char no_slot[] = "the page is in none of the VM's slots";
static const char other_slot[] = "the page is not in the slot";
static const char other_cpu[] = "the pCPU is another one";

static bool is_known(const struct kvm *kvm)
{
	return kvmw_vm_find(kvm) && kvmw_vm_type(kvm) != KVMW_TYPE_OPAQUE;
}

static bool has_slot(struct kvm *kvm, unsigned int as_id, gfn_t gfn)
{
	int srcu = srcu_read_lock(&kvm->srcu);
	bool found = kvmw_kslot_of(kvm, as_id, gfn);

	srcu_read_unlock(&kvm->srcu, srcu);
	return found;
}

/* --- page tables -------------------------------------------------------------- */

static const char *check_change(const struct pt_regs *regs, const struct kvmw_sp *sp)
{
	struct kvm *kvm = (void *)KVMW_ARG1(regs);
	int level = (int)KVMW_ARG6(regs);
	gfn_t gfn = KVMW_ARG3(regs);
	unsigned int as_id;

	if (!is_known(kvm))
		return kvmw_live_unknown;
	if (level < PG_LEVEL_4K || level > PT64_ROOT_MAX_LEVEL)
		return no_level;
	if (sp && !kvmw_sp_valid(sp))
		return no_table;
	if (sp && sp->role.level != level)
		return other_level;
	if (gfn & (KVM_PAGES_PER_HPAGE(level) - 1))
		return unaligned;
	as_id = sp ? sp->role.smm : (u32)KVMW_ARG2(regs);
	if (as_id >= KVMW_NR_AS)
		return no_slot;
	/* A leaf that goes may be one of a slot that has gone. */
	if (kvmw_spte_leaf(KVMW_ARG5(regs), level) && !has_slot(kvm, as_id, gfn))
		return no_slot;
	return NULL;
}

const char *kvmw_check_spte_change(const struct pt_regs *regs)
{
	return check_change(regs, NULL);
}

const char *kvmw_check_spte_change_page(const struct pt_regs *regs)
{
	return check_change(regs, (const struct kvmw_sp *)KVMW_ARG2(regs));
}

static const struct kvmw_sp *table_of(const u64 *sptep)
{
	const struct kvmw_sp *sp = virt_addr_valid(sptep) ? kvmw_sp_of(sptep) : NULL;

	return kvmw_sp_valid(sp) && sptep - sp->spt < PTRS_PER_PTE && sptep >= sp->spt ? sp : NULL;
}

static const char *check_add(struct kvm *kvm, const u64 *sptep, gfn_t gfn)
{
	const struct kvmw_sp *sp;

	if (!is_known(kvm))
		return kvmw_live_unknown;
	sp = table_of(sptep);
	if (!sp || sp->role.smm >= KVMW_NR_AS)
		return no_table;
	return has_slot(kvm, sp->role.smm, gfn) ? NULL : no_slot;
}

const char *kvmw_check_rmap_add(const struct pt_regs *regs)
{
	return check_add((void *)KVMW_ARG1(regs), kvmw_rmap_add_entry(regs), KVMW_ARG5(regs));
}

static const char *check_set(const struct pt_regs *regs, bool slot)
{
	const struct kvm_vcpu *kvcpu = (void *)KVMW_ARG1(regs);

	if (!kvmw_vcpu_find(kvcpu))
		return kvmw_live_unknown;
	if (is_noslot_pfn(kvmw_rmap_set_pfn(regs, slot)))	/* emulated MMIO, so no leaf */
		return NULL;
	return check_add(kvcpu->kvm, kvmw_rmap_set_entry(regs, slot),
			 kvmw_rmap_set_gfn(regs, slot));
}

const char *kvmw_check_rmap_set(const struct pt_regs *regs)
{
	return check_set(regs, false);
}

const char *kvmw_check_rmap_set_slot(const struct pt_regs *regs)
{
	return check_set(regs, true);
}

#if KVMW_KVM_IS_RECENT
const char *kvmw_check_rmap_zap(const struct pt_regs *regs)
{
	if (!is_known((void *)KVMW_ARG1(regs)))
		return kvmw_live_unknown;
	return table_of(kvmw_rmap_zap_entry(regs)) ? NULL : no_table;
}
#else
/* Such kernels have no types either: their functions are only believed where tests were run. */
const char *kvmw_check_rmap_zap(const struct pt_regs *regs)
{
	return kvmw_live_unknown;
}
#endif

/* --- dirty logs --------------------------------------------------------------- */

#ifndef KVMW_HOOK_ROW_dirty_mark_vm
/* mark_page_dirty_in_slot(kvm, kslot, gfn) */
const char *kvmw_check_dirty_mark(const struct pt_regs *regs)
{
	const struct kvm_memory_slot *kslot = (void *)KVMW_ARG2(regs);

	if (!kslot || !is_known((void *)KVMW_ARG1(regs)))
		return kvmw_live_unknown;
	return KVMW_ARG3(regs) - kslot->base_gfn < kslot->npages ? NULL : other_slot;
}
#else
const char *kvmw_check_dirty_mark(const struct pt_regs *regs)
{
	return kvmw_live_unknown;
}

const char *kvmw_check_dirty_mark_vm(const struct pt_regs *regs)
{
	return kvmw_live_unknown;
}

const char *kvmw_check_dirty_mark_vcpu(const struct pt_regs *regs)
{
	return kvmw_live_unknown;
}
#endif

#if KVMW_KVM_IS_RECENT
/* kvm_arch_mmu_enable_log_dirty_pt_masked(kvm, kslot, offset, mask) */
const char *kvmw_check_log_word(const struct pt_regs *regs)
{
	const struct kvm_memory_slot *kslot = (void *)KVMW_ARG2(regs);

	if (!is_known((void *)KVMW_ARG1(regs)))
		return kvmw_live_unknown;
	if (!virt_addr_valid(kslot) || KVMW_ARG3(regs) >= kslot->npages)
		return other_slot;
	return NULL;
}

const char *kvmw_check_slot_commit(const struct pt_regs *regs)
{
	u32 change = KVMW_COMMIT_CHANGE(regs);
	unsigned long slot = change == KVM_MR_DELETE ? KVMW_COMMIT_OLD(regs) :
						       KVMW_COMMIT_NEW(regs);

	if (!is_known((void *)KVMW_ARG1(regs)))
		return kvmw_live_unknown;
	return change > KVM_MR_FLAGS_ONLY || !virt_addr_valid(slot) ? no_change : NULL;
}

/* kvm_vcpu_halt(kvcpu): a vCPU halts where it is loaded. */
const char *kvmw_check_halt(const struct pt_regs *regs)
{
	return kvmw_check_vcpu_put(regs);
}
#endif

/* --- vCPUs ---------------------------------------------------------------------- */

/* kvm_arch_vcpu_load(kvcpu, cpu) */
const char *kvmw_check_vcpu_load(const struct pt_regs *regs)
{
	if (!kvmw_vcpu_find((void *)KVMW_ARG1(regs)))
		return kvmw_live_unknown;
	return (u32)KVMW_ARG2(regs) == smp_processor_id() ? NULL : other_cpu;
}

/* kvm_arch_vcpu_put(kvcpu): the load before it noted the pCPU. */
const char *kvmw_check_vcpu_put(const struct pt_regs *regs)
{
	const struct kvm_vcpu *kvcpu = (void *)KVMW_ARG1(regs);

	if (!kvmw_vcpu_find(kvcpu))
		return kvmw_live_unknown;
	return READ_ONCE(kvcpu->cpu) == smp_processor_id() ? NULL : other_cpu;
}
