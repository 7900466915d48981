// SPDX-License-Identifier: GPL-2.0
/*
 * Names of buckets. See bucket_names.h. The names of exit reasons are those that KVM's own trace
 * events print. They come from the kernel's headers; this file adds those that the oldest supported
 * kernel lacks.
 */
#include <linux/kernel.h>
#include <linux/kvm_host.h>
#include <asm/cpufeature.h>
#include <uapi/asm/svm.h>
#include <uapi/asm/vmx.h>
#include <uapi/linux/kvmwatch.h>

#include "numbers/bucket_names.h"

struct name {
	u64		bucket;		/* 64 bits, as SVM has the reason -1 */
	const char	*name;
};

static const struct name svm_names[] = {
	SVM_EXIT_REASONS,
	{ 0xa5, "bus_lock" },
	{ 0xa6, "idle_hlt" },
};

static const struct name vmx_names[] = {
	VMX_EXIT_REASONS,
	{ 74, "BUS_LOCK" },
	{ 75, "NOTIFY" },
	{ 76, "SEAMCALL" },
	{ 77, "TDCALL" },
	{ 84, "MSR_READ_IMM" },
	{ 85, "MSR_WRITE_IMM" },
};

/* KVM_EXIT_* of x86. */
static const struct name user_names[] = {
	{ 0, "UNKNOWN" },
	{ 1, "EXCEPTION" },
	{ 2, "IO" },
	{ 3, "HYPERCALL" },
	{ 4, "DEBUG" },
	{ 5, "HLT" },
	{ 6, "MMIO" },
	{ 7, "IRQ_WINDOW_OPEN" },
	{ 8, "SHUTDOWN" },
	{ 9, "FAIL_ENTRY" },
	{ 10, "INTR" },
	{ 11, "SET_TPR" },
	{ 12, "TPR_ACCESS" },
	{ 16, "NMI" },
	{ 17, "INTERNAL_ERROR" },
	{ 24, "SYSTEM_EVENT" },
	{ 26, "IOAPIC_EOI" },
	{ 27, "HYPERV" },
	{ 29, "X86_RDMSR" },
	{ 30, "X86_WRMSR" },
	{ 31, "DIRTY_RING_FULL" },
	{ 32, "AP_RESET_HOLD" },
	{ 33, "X86_BUS_LOCK" },
	{ 34, "XEN" },
	{ 37, "NOTIFY" },
	{ 39, "MEMORY_FAULT" },
	{ 40, "TDX" },
};

static const char *find(const struct name *names, size_t nr, unsigned int bucket)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (names[i].bucket == bucket)
			return names[i].name;
	return NULL;
}

u32 kvmw_vendor(void)
{
	return boot_cpu_has(X86_FEATURE_SVM) ? KVMWATCH_VENDOR_SVM : KVMWATCH_VENDOR_VMX;
}

const char *kvmw_bucket_name(unsigned int buckets, unsigned int bucket, unsigned int nr)
{
	if (bucket + 1 == nr)
		return "other";
	if (buckets == KVMWATCH_BUCKETS_USER_EXIT)
		return find(user_names, ARRAY_SIZE(user_names), bucket);
	if (kvmw_vendor() == KVMWATCH_VENDOR_SVM)
		return find(svm_names, ARRAY_SIZE(svm_names), bucket);
	return find(vmx_names, ARRAY_SIZE(vmx_names), bucket);
}
