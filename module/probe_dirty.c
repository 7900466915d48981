// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on dirty logging: marks, and collections of them.
 *
 * KVM calls the marking function for many writes that no log is kept of, so a mark
 * is what happens to a slot whose logging is on. What caused it is known from who
 * called: the callers are few, and each is named once, at its first mark.
 */
#include <linux/kallsyms.h>
#include <linux/srcu.h>

#include <trace/events/kvmwatch.h>

#include "hook.h"
#include "object.h"
#include "slot_hit.h"

/* --- who marks ------------------------------------------------------------- */

#define MAX_SITES	64

/* A place that calls KVM's marking function. Filled once, then only read. */
static struct kvmw_site {
	unsigned long	addr;		/* written first: the entry is taken */
	u8		cause;
	bool		leaving;	/* where KVM has let go of the vCPU: the last put */
	bool		ready;		/* written last */
} sites[MAX_SITES];

static bool starts_with(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (strstarts(name, *list))
			return true;
	return false;
}

/* In the host's page fault handler of either MMU, on any kernel we support. */
static const char *const fault_functions[] = {
	"make_spte", "direct_page_fault", "fast_page_fault", "kvm_tdp_page_fault",
	"kvm_tdp_mmu_", "tdp_mmu_", "__tdp_mmu_", "mmu_set_spte", "set_spte",
	"handle_changed_spte", "__handle_changed_spte", "ept_page_fault",
	"paging32_page_fault", "paging64_page_fault", "ept_fetch", "paging32_fetch",
	"paging64_fetch", "mmu_try_to_unsync_pages", NULL
};

static const char *const pml_functions[] = {
	"vmx_handle_exit", "__vmx_handle_exit", "vmx_flush_pml_buffer",
	"vmx_vcpu_flush_pml_buffer", NULL
};

/* Inside kvm_arch_vcpu_put(), after our hook on it. */
static const char *const leaving_functions[] = {
	"kvm_arch_vcpu_put", "kvm_steal_time_set_preempted", "kvm_xen_update_runstate_guest", NULL
};

/* At most MAX_SITES times ever. Looking up a symbol takes no lock. */
static noinline void site_classify(struct kvmw_site *site, unsigned long addr)
{
	char name[KSYM_SYMBOL_LEN];

	/* The call is before the address that it returns to. */
	sprint_symbol_no_offset(name, addr - 1);
	if (starts_with(name, fault_functions))
		site->cause = KVMW_CAUSE_FAULT;
	else if (starts_with(name, pml_functions))
		site->cause = KVMW_CAUSE_PML;
	else
		site->cause = KVMW_CAUSE_KVM;
	site->leaving = starts_with(name, leaving_functions);
	/* Pairs with site_find(). */
	smp_store_release(&site->ready, true);
}

static const struct kvmw_site site_other = { .cause = KVMW_CAUSE_KVM, .ready = true };

static noinline const struct kvmw_site *site_find(unsigned long addr)
{
	unsigned long found;
	int i;

	for (i = 0; i < MAX_SITES; i++) {
		found = READ_ONCE(sites[i].addr);
		if (!found)
			found = cmpxchg(&sites[i].addr, 0, addr) ?: addr;
		if (found != addr)
			continue;
		/* Two that find it not ready do the same work: it gives the same. */
		if (!smp_load_acquire(&sites[i].ready))
			site_classify(&sites[i], addr);
		return &sites[i];
	}
	return &site_other;
}

static __always_inline const struct kvmw_site *site_of(struct kvmw_cpu *c, unsigned long addr)
{
	const struct kvmw_site *site = c->site;

	if (unlikely(!site || site->addr != addr)) {
		site = site_find(addr);
		c->site = site;
	}
	return site;
}

/* kvm.ko or its vendor module went: other code may be at these addresses. */
void kvmw_dirty_forget_sites(void)
{
	memset(sites, 0, sizeof(sites));
}

/* --- marks ----------------------------------------------------------------- */

static __always_inline struct kvmw_slot *slot_of(struct kvmw_cpu *c, struct kvm *kvm,
						 const struct kvm_memory_slot *kslot, gfn_t gfn)
{
	struct kvmw_slot *slot = kvmw_slot_cached(c, kvm, kslot->as_id, gfn);
	struct kvmw_vm *vm;

	if (likely(slot))
		return slot;
	vm = kvmw_vm_find(kvm);
	if (!vm) {
		kvmw_lost(kvm);
		return NULL;
	}
	slot = kvmw_slot_of(vm, kslot);
	if (!slot) {
		this_cpu_inc(vm->stray->cpu->lost);
		kvmw_rescan();
		return vm->stray;
	}
	if (READ_ONCE(vm->armed))
		c->slot = slot;
	return slot;
}

/* Not in the log yet: two vCPUs that mark a page at the same moment both see so. */
static __always_inline bool is_new(const struct kvm_memory_slot *kslot, gfn_t gfn)
{
	const unsigned long *bitmap = READ_ONCE(kslot->dirty_bitmap);

	return bitmap && !test_bit(gfn - kslot->base_gfn, bitmap);
}

/* mark_page_dirty_in_slot(kvm, kslot, gfn), before KVM marks it */
static __always_inline void on_dirty_mark(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_memory_slot *kslot = (void *)KVMW_ARG2(regs);
	struct kvmw_cpu *c = this_cpu_ptr(&kvmw_cpu);
	struct kvm *kvm = (void *)KVMW_ARG1(regs);
	gfn_t gfn = KVMW_ARG3(regs);
	const struct kvmw_site *site;
	struct kvmw_vcpu *vcpu;
	struct kvmw_slot *slot;

	if (!kslot || !(kslot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return;
	slot = slot_of(c, kvm, kslot, gfn);
	if (!slot)
		return;
	site = site_of(c, caller);
	vcpu = c->vcpu;
	if (unlikely(!vcpu && site->leaving))
		vcpu = c->leaving;
	if (vcpu && vcpu->obj.vm != slot->obj.vm)
		vcpu = NULL;
	if (!vcpu && !KVMW_MARKS_WITHOUT_VCPU)
		return;

	__this_cpu_inc(slot->cpu->marks[site->cause][!vcpu]);
	if (is_new(kslot, gfn))
		__this_cpu_inc(slot->cpu->marks_new);
	if (vcpu)
		kvmw_inc(vcpu, dirty_marks);
	trace_kvmwatch_dirty(slot, vcpu, gfn, site->cause);
}

KVMW_FUNC_HANDLER(dirty_mark, on_dirty_mark);

/* --- collections ----------------------------------------------------------- */

/* KVM's slot by the number that the VMM gave, if it has a log. Under slots_lock. */
static const struct kvm_memory_slot *logged_slot(struct kvm *kvm, u32 number)
{
	const struct kvm_memory_slot *kslot;
	u16 as_id = number >> 16, id = number;

	if (as_id >= KVM_ADDRESS_SPACE_NUM || id >= KVM_USER_MEM_SLOTS)
		return NULL;
	kslot = id_to_memslot(rcu_dereference_raw(kvm->memslots[as_id]), id);
	return kslot && kslot->dirty_bitmap ? kslot : NULL;
}

static void count_collect(const struct kvm *kvm)
{
	struct kvmw_vm *vm = kvmw_vm_find(kvm);

	if (vm)
		WRITE_ONCE(vm->collects, vm->collects + 1);
}

/* kvm_get_dirty_log_protect(kvm, log), under slots_lock; what KVM refuses is none */
static __always_inline void on_log_get(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_dirty_log *log = (void *)KVMW_ARG2(regs);
	struct kvm *kvm = (void *)KVMW_ARG1(regs);

	if (logged_slot(kvm, log->slot))
		count_collect(kvm);
}

/* kvm_clear_dirty_log_protect(kvm, log): whole words, or up to the slot's end */
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
	count_collect(kvm);
}

KVMW_FUNC_HANDLER(log_get, on_log_get);
KVMW_FUNC_HANDLER(log_clear, on_log_clear);
