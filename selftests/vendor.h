/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vendor of the processor, and KVM's vendor modules with their settings.
 */
#ifndef SELFTESTS_VENDOR_H
#define SELFTESTS_VENDOR_H

#include <stdbool.h>

/* Intel's, with VMX and EPT; else AMD's, with SVM and NPT. */
bool vendor_is_intel(void);

/*
 * Load the vendor's module, and kvm.ko with it if that is not there, with arguments of its
 * own; unload it. As system().
 */
int vendor_load(const char *args);
int vendor_unload(void);
/* Unload both of KVM's modules. */
int vendor_unload_kvm(void);

/* Does KVM use a second level of page tables? And the argument that says not to. */
bool vendor_has_tdp(void);
const char *vendor_without_tdp(void);

/*
 * Does the processor log for KVM which pages it wrote to? Then a write to a page that is
 * mapped writable is no fault, and KVM marks it when the vCPU has left the guest.
 */
bool vendor_has_pml(void);

/*
 * How many slots a VM with vCPUs and KVM's APICs has for which the VMM has made so many: KVM makes
 * one for itself in each address space, when the guest's accesses to its APIC are left to the
 * processor.
 */
unsigned int vendor_slots(unsigned int made);

/*
 * Arguments with which dirty pages are found in another way, each as the exact same set of
 * them; "" is the first, NULL the last.
 */
const char *const *vendor_ways_to_log(void);

#endif /* SELFTESTS_VENDOR_H */
