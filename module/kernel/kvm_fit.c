// SPDX-License-Identifier: GPL-2.0
/* Compare kvm.ko with the headers that kvmwatch was built with. See kvm_fit.h. */
#include <linux/kernel.h>
#include <linux/kvm_host.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "kernel/facts.h"
#include "kernel/kvm_fit.h"
#include "kernel/symbols.h"

/*
 * KVM has descriptors of its statistics, with their offsets in struct kvm and struct kvm_vcpu. In a
 * kvm.ko that was built from other sources some of these offsets most likely differ.
 */
#if KVMW_HAS_STATS_DESCRIBED
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
