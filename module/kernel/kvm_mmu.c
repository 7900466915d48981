// SPDX-License-Identifier: GPL-2.0
/* KVM's page tables: the VM of a shadow page on 5.10. See kvm_mmu.h. */
#include <linux/kvm_host.h>
#include <linux/mm.h>

#include "kernel/kvm_mmu.h"
#include "kernel/version.h"

#if !KVMW_KVM_IS_RECENT
/*
 * A shadow page is in a hash table inside its struct kvm, so following its chain backwards ends at
 * a list head there. Shadow pages are slab objects, but struct kvm is in vmalloc memory: the first
 * vmalloc address is the head. vmalloc memory starts on a page boundary, so only the page
 * boundaries below the head can be struct kvm.
 */
struct kvm *kvmw_sp_kvm(const struct kvmw_sp *sp, bool (*is_vm)(const struct kvm *kvm))
{
	const size_t size = sizeof_field(struct kvm, arch.mmu_page_hash);
	struct hlist_node **head = sp->hash_link.pprev;
	unsigned long kvm, start;

	while (head && !is_vmalloc_addr(head))
		head = ((struct hlist_node *)head)->pprev;
	if (!head)
		return NULL;
	start = (unsigned long)head - offsetof(struct kvm, arch.mmu_page_hash);
	for (kvm = start & PAGE_MASK; kvm + size > start; kvm -= PAGE_SIZE)
		if (is_vm((struct kvm *)kvm))
			return (struct kvm *)kvm;
	return NULL;
}
#endif
