/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vendor of the processor, and KVM's vendor modules with their settings.
 */
#ifndef SELFTESTS_VENDOR_H
#define SELFTESTS_VENDOR_H

#include <stdbool.h>

/* Is it Intel's, with VMX and EPT? Else it is AMD's, with SVM and NPT. */
bool vendor_is_intel(void);

/*
 * Load the vendor's module with arguments, and kvm.ko if it is not loaded; unload the vendor's
 * module. Results are those of system().
 */
int vendor_load(const char *args);
int vendor_unload(void);
/* Unload both of KVM's modules. */
int vendor_unload_kvm(void);

/* Does KVM use second-level page tables? And the module argument that makes it use none. */
bool vendor_has_tdp(void);
const char *vendor_without_tdp(void);

/*
 * Does the processor log for KVM which pages it wrote to? Then a write to a page that is mapped
 * writable is no fault, and KVM marks the page after the vCPU has left the guest.
 */
bool vendor_has_pml(void);

/*
 * Number of slots of a VM with vCPUs and KVM's APICs, after the VMM has created @made. If the
 * processor handles the guest's accesses to its APIC, KVM adds one slot in each address space.
 */
unsigned int vendor_slots(unsigned int made);

/*
 * Module arguments that make KVM find dirty pages in different ways. The set of dirty pages is the
 * same with each. "" is the first, NULL ends the list.
 */
const char *const *vendor_ways_to_log(void);

#endif /* SELFTESTS_VENDOR_H */
