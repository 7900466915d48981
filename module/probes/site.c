// SPDX-License-Identifier: GPL-2.0
/* Who called. See site.h. */
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/string.h>

#include "cause.h"
#include "site.h"

#define SITE_BITS	6
#define FRAME_BITS	9

/* Who called a hooked function, and who else was on the stack there. */
static struct kvmw_site sites[1 << SITE_BITS];
static struct kvmw_site frames[1 << FRAME_BITS];

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

static const char *const teller_functions[] = { KVMW_RMAP_TELLERS, NULL };

/*
 * Functions that have leaves changed, on any kernel we support. Some are there only where
 * the compiler has not put them into others, which are there as well.
 */
static const struct {
	const char *name;
	s8 cause;
} movers[] = {
	{ "kvm_mmu_page_fault",			KVMW_LEAF_FAULT },
	{ "kvm_arch_async_page_ready",		KVMW_LEAF_ASYNC },
	{ "__direct_pte_prefetch",		KVMW_LEAF_PREFETCH },
	{ "direct_pte_prefetch_many",		KVMW_LEAF_PREFETCH },
	{ "kvm_mmu_prefetch_sptes",		KVMW_LEAF_PREFETCH },
	{ "ept_prefetch_gpte",			KVMW_LEAF_PREFETCH },
	{ "paging32_prefetch_gpte",		KVMW_LEAF_PREFETCH },
	{ "paging64_prefetch_gpte",		KVMW_LEAF_PREFETCH },
	{ "kvm_arch_vcpu_pre_fault_memory",	KVMW_LEAF_PREFETCH },
	{ "kvm_mmu_notifier_invalidate_range_start", KVMW_LEAF_MM },
	{ "kvm_mmu_notifier_change_pte",	KVMW_LEAF_MM },
	{ "kvm_set_memslot",			KVMW_LEAF_SLOT },
	{ "kvm_mmu_zap_collapsible_sptes",	KVMW_LEAF_COLLAPSE },
	{ "kvm_mmu_recover_huge_pages",		KVMW_LEAF_COLLAPSE },
	{ "kvm_mmu_slot_try_split_huge_pages",	KVMW_LEAF_SPLIT_EAGER },
	{ "kvm_mmu_try_split_huge_pages",	KVMW_LEAF_SPLIT_EAGER },
	{ "set_nx_huge_pages",			KVMW_LEAF_NX },
	{ "kvm_nx_lpage_recovery_worker",	KVMW_LEAF_NX },
	{ "kvm_nx_huge_page_recovery_worker",	KVMW_LEAF_NX },
	{ "kvm_mmu_zap_all",			KVMW_LEAF_END },
	{ "kvm_arch_flush_shadow_all",		KVMW_LEAF_END },
	{ "kvm_mmu_notifier_release",		KVMW_LEAF_END },
	{ "kvm_destroy_vm",			KVMW_LEAF_END },
};

/* Behind the name come the module's, and perhaps what the compiler has put there: .isra.0 */
static s8 leaf_cause_of(const char *name)
{
	size_t length = strcspn(name, ". ");
	int i;

	for (i = 0; i < ARRAY_SIZE(movers); i++)
		if (!strncmp(name, movers[i].name, length) && !movers[i].name[length])
			return movers[i].cause;
	return -1;
}

/* As often as there is room for sites. Looking up a symbol takes no lock. */
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
	site->teller = starts_with(name, teller_functions);
	site->leaf = leaf_cause_of(name);
	/* Pairs with kvmw_site_find(). */
	smp_store_release(&site->ready, true);
}

const struct kvmw_site kvmw_site_other = { .cause = KVMW_CAUSE_KVM, .leaf = -1, .ready = true };

static __always_inline const struct kvmw_site *find(struct kvmw_site *table, unsigned int bits,
						    unsigned long addr)
{
	unsigned int first = hash_long(addr, bits), i;
	struct kvmw_site *site;
	unsigned long found;

	for (i = 0; i < 1U << bits; i++) {
		site = &table[(first + i) & ((1U << bits) - 1)];
		found = READ_ONCE(site->addr);
		if (!found)
			found = cmpxchg(&site->addr, 0, addr) ?: addr;
		if (found != addr)
			continue;
		/* Two that find it not ready do the same work: it gives the same. */
		if (!smp_load_acquire(&site->ready))
			site_classify(site, addr);
		return site;
	}
	return &kvmw_site_other;
}

const struct kvmw_site *kvmw_site_find(unsigned long addr)
{
	return find(sites, SITE_BITS, addr);
}

int kvmw_frame_cause(unsigned long addr)
{
	return find(frames, FRAME_BITS, addr)->leaf;
}

void kvmw_forget_sites(void)
{
	memset(sites, 0, sizeof(sites));
	memset(frames, 0, sizeof(frames));
}
