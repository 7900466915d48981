// SPDX-License-Identifier: GPL-2.0
/* What differs between kernels: the parts that need more than a line. See compat.h. */
#include <linux/uaccess.h>

#include "hook.h"
#include "object.h"

/* --- arguments of hooked functions ----------------------------------------- */

/*
 * Handlers read the registers of a function whose prototype they only believe to know. If
 * a public header has it, the compiler compares. The others were read in KVM's source.
 */
#define PUBLIC(id, function, ...)						\
	case KVMW_HOOK_##id:							\
		return __builtin_types_compatible_p(typeof(function), __VA_ARGS__)

static bool is_proven(unsigned int id)
{
	switch (id) {
	PUBLIC(vm_init, kvm_arch_init_vm, int (struct kvm *, unsigned long));
	PUBLIC(vm_free, kvm_arch_free_vm, void (struct kvm *));
	PUBLIC(vcpu_create, kvm_arch_vcpu_create, int (struct kvm_vcpu *));
	PUBLIC(vcpu_created, kvm_arch_vcpu_postcreate, void (struct kvm_vcpu *));
	PUBLIC(vcpu_destroy, kvm_arch_vcpu_destroy, void (struct kvm_vcpu *));
	PUBLIC(vcpu_load, kvm_arch_vcpu_load, void (struct kvm_vcpu *, int));
	PUBLIC(vcpu_put, kvm_arch_vcpu_put, void (struct kvm_vcpu *));
	PUBLIC(log_word, kvm_arch_mmu_enable_log_dirty_pt_masked,
	       void (struct kvm *, struct kvm_memory_slot *, gfn_t, unsigned long));
#if KVMW_SINCE(6, 1)
	PUBLIC(slot_commit, kvm_arch_commit_memory_region,
	       void (struct kvm *, struct kvm_memory_slot *, const struct kvm_memory_slot *,
		     enum kvm_mr_change));
	PUBLIC(dirty_mark, mark_page_dirty_in_slot,
	       void (struct kvm *, const struct kvm_memory_slot *, gfn_t));
	PUBLIC(halt, kvm_vcpu_halt, void (struct kvm_vcpu *));
#else
	PUBLIC(slot_commit, kvm_arch_commit_memory_region,
	       void (struct kvm *, const struct kvm_userspace_memory_region *,
		     struct kvm_memory_slot *, const struct kvm_memory_slot *,
		     enum kvm_mr_change));
	PUBLIC(dirty_mark, mark_page_dirty_in_slot, void (struct kvm_memory_slot *, gfn_t));
	PUBLIC(dirty_mark_vm, mark_page_dirty, void (struct kvm *, gfn_t));
	PUBLIC(dirty_mark_vcpu, kvm_vcpu_mark_page_dirty, void (struct kvm_vcpu *, gfn_t));
	PUBLIC(halt, kvm_vcpu_block, void (struct kvm_vcpu *));
#endif
	case KVMW_HOOK_vm_destroy:	/* has had this one argument ever since there are VMs */
	case KVMW_HOOK_load_cost:	/* nobody looks at their arguments */
	case KVMW_HOOK_put_cost:
		return true;
	case KVMW_HOOK_exit:		/* these events are private to KVM */
	case KVMW_HOOK_entry:
		return KVMW_KNOWN_KERNEL;
	}
	/* Arguments of the other tracepoints are compared in hook_tp.c. */
	return KVMW_KNOWN_KERNEL || kvmw_hooks[id].on_tp;
}

const char *kvmw_hook_unproven(unsigned int id)
{
	if (is_proven(id))
		return NULL;
	return "its arguments are known on Linux " KVMW_KNOWN_KERNELS " only";
}

/* --- kvm.ko and the headers we were built with ----------------------------- */

/*
 * KVM describes its own statistics, with offsets in its structures. Those of a kvm.ko that
 * was built from other sources than ours most likely differ. NULL: they are the same.
 */
#if KVMW_SINCE(6, 1)
struct kvm_description {	/* as in the files of KVM_GET_STATS_FD */
	u32	flags;
	s16	exponent;
	u16	size;
	u32	offset;
	u32	bucket_size;
	char	name[48];
};

#define MAX_DESCRIPTIONS	64

static bool is_at(const char *table, const char *name, u32 offset)
{
	const struct kvm_description *from = (void *)kvmw_symbol_addr(table);
	struct kvm_description it;
	int i;

	for (i = 0; from && i < MAX_DESCRIPTIONS; i++, from++) {
		if (copy_from_kernel_nofault(&it, from, sizeof(it)))
			return false;
		if (!strncmp(it.name, name, sizeof(it.name)))
			return it.offset == offset;
	}
	return false;
}

static bool layout_agrees(void)
{
	return is_at("kvm_vm_stats_desc", "pages_1g", offsetof(struct kvm_vm_stat, pages_1g)) &&
	       is_at("kvm_vcpu_stats_desc", "guest_mode",
		     offsetof(struct kvm_vcpu_stat, guest_mode));
}
#else
static bool is_at(const char *name, int offset)
{
	const struct kvm_stats_debugfs_item *from = (void *)kvmw_symbol_addr("debugfs_entries");
	struct kvm_stats_debugfs_item it;
	char found[32];

	for (; from; from++) {
		if (copy_from_kernel_nofault(&it, from, sizeof(it)) || !it.name ||
		    copy_from_kernel_nofault(found, it.name, strlen(name) + 1))
			return false;
		if (!memcmp(found, name, strlen(name) + 1))
			return it.offset == offset;
	}
	return false;
}

static bool layout_agrees(void)
{
	return is_at("nx_largepages_splitted", offsetof(struct kvm, stat.nx_lpage_splits)) &&
	       is_at("halt_poll_fail_ns", offsetof(struct kvm_vcpu, stat.halt_poll_fail_ns));
}
#endif

const char *kvmw_kvm_unfit(void)
{
	if (!layout_agrees())
		return "kvm.ko is not of the kernel headers that kvmwatch was built with";
	return NULL;
}

/* --- shadow pages ---------------------------------------------------------- */

#if !KVMW_SINCE(6, 1)
/*
 * A shadow page is in a hash table inside its struct kvm. Its chain leads back to the
 * head there: unlike pages, which are from the heap, that is in vmalloc memory, where it
 * starts on a page boundary.
 */
struct kvm *kvmw_sp_kvm(const struct kvmw_sp *sp)
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
		if (kvmw_vm_find((struct kvm *)kvm))
			return (struct kvm *)kvm;
	return NULL;
}
#endif
