// SPDX-License-Identifier: GPL-2.0
/* Who called. See site.h. */
#include <linux/kallsyms.h>
#include <linux/string.h>

#include "site.h"

#define MAX_SITES	64

static struct kvmw_site sites[MAX_SITES];

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
	site->teller = starts_with(name, teller_functions);
	/* Pairs with kvmw_site_find(). */
	smp_store_release(&site->ready, true);
}

const struct kvmw_site kvmw_site_other = { .cause = KVMW_CAUSE_KVM, .ready = true };

const struct kvmw_site *kvmw_site_find(unsigned long addr)
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
	return &kvmw_site_other;
}

void kvmw_forget_sites(void)
{
	memset(sites, 0, sizeof(sites));
}
