// SPDX-License-Identifier: GPL-2.0
/*
 * Names of exit reasons. Those of processors are what KVM's own events print, from the
 * kernel's headers; reasons that are younger than Debian 12's headers are added here.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <asm/svm.h>
#include <asm/vmx.h>
#include <linux/kvm.h>	/* vectors, for the names of SVM's exceptions */

#include "exit_names.h"
#include "libkvmwatch.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))

struct name {
	unsigned int reason;
	const char *name;
};

static const struct name svm_names[] = {
	SVM_EXIT_REASONS,
	{ 0xa5, "bus_lock" },
	{ 0xa6, "idle_hlt" },
};

static const struct name vmx_names[] = {
	VMX_EXIT_REASONS,
	{ 76, "SEAMCALL" },
	{ 77, "TDCALL" },
	{ 84, "MSR_READ_IMM" },
	{ 85, "MSR_WRITE_IMM" },
};

/* KVM_EXIT_*, those that x86 has. */
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

static const char *find(const struct name *names, size_t nr, unsigned int reason)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (names[i].reason == reason)
			return names[i].name;
	}
	return NULL;
}

/* Whose reasons they are shows in how many there are: SVM's go beyond 0x400. */
const char *exit_name(const struct kvmwatch_value *value, unsigned int bucket)
{
	bool of_cpu;

	if ((value->flags & KVMWATCH_STATS_TYPE_MASK) != KVMWATCH_STATS_LINEAR_HIST)
		return NULL;
	of_cpu = !strcmp(value->name, "exit_reasons");
	if (!of_cpu && strcmp(value->name, "user_exit_reasons"))
		return NULL;
	if (bucket + 1 == value->size)
		return "other";
	if (!of_cpu)
		return find(user_names, ARRAY_SIZE(user_names), bucket);
	if (value->size > SVM_EXIT_NPF)
		return find(svm_names, ARRAY_SIZE(svm_names), bucket);
	return find(vmx_names, ARRAY_SIZE(vmx_names), bucket);
}
