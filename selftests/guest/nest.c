// SPDX-License-Identifier: GPL-2.0
/* Nested guests, by AMD's SVM. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "guest/parts.h"
#include "guest/vmcb.h"

__u64 nest_gpa(const struct guest *g, unsigned int page)
{
	return g->nest->gpa + page * GUEST_PAGE;
}

static void *nest_page(const struct guest *g, unsigned int page)
{
	return (char *)g->nest->host + page * GUEST_PAGE;
}

/* The entry of @gpa in the table at @table, of level 0 to 3. */
static __u64 *nest_entry(const struct guest *g, __u64 table, unsigned int level, __u64 gpa)
{
	__u64 *entries = nest_page(g, (table - g->nest->gpa) / GUEST_PAGE);

	return entries + (gpa >> (12 + 9 * level) & 511);
}

/* The entry of @gpa, found from the root, at level 0, or 1 if @huge. */
static __u64 *nest_find(struct guest *g, __u64 gpa, bool huge)
{
	__u64 table = nest_gpa(g, ROOT_PAGE), *entry;
	unsigned int level;

	for (level = 3;; level--) {
		entry = nest_entry(g, table, level, gpa);
		if (level == huge || (*entry & PTE_USER_HUGE) == PTE_USER_HUGE)
			return entry;
		if (!*entry) {
			if (g->nest_pages == GUEST_NEST_PAGES)
				return NULL;
			*entry = nest_gpa(g, g->nest_pages++) | PTE_USER;
		}
		table = *entry & ~0xfffULL;
	}
}

int guest_nest_map(struct guest *g, __u64 at, __u64 gpa, __u64 pages, bool huge)
{
	__u64 step = huge ? SZ_2M : GUEST_PAGE, size = pages * GUEST_PAGE, done, *entry;

	if (!g->nest || at % step || gpa % step || size % step)
		return -EINVAL;
	for (done = 0; done < size; done += step) {
		entry = nest_find(g, at + done, huge);
		if (!entry)
			return -ENOSPC;
		if (!*entry)
			*entry = (gpa + done) | (huge ? PTE_USER_HUGE : PTE_USER);
	}
	return 0;
}

__u64 guest_nest_entry(struct guest *g, __u64 at, bool huge)
{
	const char *entry = (char *)nest_find(g, at, huge);

	return entry ? g->nest->gpa + (entry - (char *)g->nest->host) : 0;
}

/* Does KVM tell guests that they have nested paging? */
static bool offers_npt(const struct guest *g)
{
	unsigned int i;

	for (i = 0; i < g->cpuid->nent; i++)
		if (g->cpuid->entries[i].function == 0x8000000a)
			return g->cpuid->entries[i].edx & 1;
	return false;
}

/* The nested guest starts in the state of its host, but with the tables between. */
static void fill_vmcb(struct guest *g, unsigned int vcpu)
{
	const struct vmcb_segment code = { CODE_SEL, 0xa9b, 0xffffffff, 0 };
	const struct vmcb_segment data = { DATA_SEL, 0xc93, 0xffffffff, 0 };
	struct vmcb *vmcb = nest_page(g, VMCB_PAGE + vcpu);

	memset(vmcb, 0, sizeof(*vmcb));
	vmcb->intercepts[2] = INTERCEPT_EXCEPTIONS;
	vmcb->intercepts[3] = INTERCEPT_INTR | INTERCEPT_SHUTDOWN;
	vmcb->intercepts[4] = INTERCEPT_VMRUN | INTERCEPT_VMMCALL;
	vmcb->asid = 1;
	vmcb->interrupt_control = INTERRUPTS_MASKED;
	vmcb->cs = code;
	vmcb->ds = data;
	vmcb->es = data;
	vmcb->ss = data;
	vmcb->gdtr = (struct vmcb_segment){ .limit = 3 * 8 - 1, .base = page_gpa(TABLE_PAGE) };
	vmcb->efer = 0x1500;		/* SVME, LMA, LME */
	vmcb->cr4 = 0x20;
	vmcb->cr3 = page_gpa(PML4_PAGE);
	vmcb->cr0 = 0x80000033;
	vmcb->dr7 = 0x400;
	vmcb->dr6 = 0xffff0ff0;
	vmcb->rflags = 0x2;
	vmcb->rsp = page_gpa(VCPU_PAGE + vcpu + 1);
	vmcb->pat = 0x0007040600070406ULL;
	if (offers_npt(g)) {
		vmcb->nested_control = 1;
		vmcb->nested_cr3 = nest_gpa(g, ROOT_PAGE);
	} else {
		vmcb->cr3 = nest_gpa(g, ROOT_PAGE);
	}
}

int guest_nest(struct guest *g, unsigned int id, __u64 gpa)
{
	unsigned int i;
	int err;

	if (!g->nested || g->nest)
		return -EINVAL;
	err = guest_slot_add(g, id, gpa, GUEST_NEST_PAGES, GUEST_MEM_4K, 0);
	err = err ? err : guest_slot_populate(g, id);
	if (err)
		return err;
	g->nest = get_slot(g, id);
	g->nest_pages = ROOT_PAGE + 1;
	for (i = 0; !err && i < g->nr_vcpus; i++) {
		fill_vmcb(g, i);
		err = guest_set_msr(g, i, MSR_VM_HSAVE_PA, nest_gpa(g, HSAVE_PAGE + i));
	}
	return err ? err : guest_nest_map(g, 0, 0, GUEST_SLOT0_PAGES, false);
}
