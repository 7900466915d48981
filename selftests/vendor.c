// SPDX-License-Identifier: GPL-2.0
/* The vendor of the processor. See vendor.h. */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine.h"
#include "subject.h"
#include "vendor.h"

#define SYS_NPT		"/sys/module/kvm_amd/parameters/npt"
#define SYS_EPT		"/sys/module/kvm_intel/parameters/ept"
#define SYS_PML		"/sys/module/kvm_intel/parameters/pml"
#define SYS_FLEX	"/sys/module/kvm_intel/parameters/flexpriority"

#define CPUID_1_ECX_VMX	0x20

bool vendor_is_intel(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && c & CPUID_1_ECX_VMX;
}

int vendor_load(const char *args)
{
	char command[128];

	if (!machine_is_ours())
		return -EPERM;
	snprintf(command, sizeof(command), "modprobe %s %s",
		 vendor_is_intel() ? "kvm-intel" : "kvm-amd", args);
	return system(command);
}

int vendor_unload(void)
{
	if (!machine_is_ours())
		return -EPERM;
	return system(vendor_is_intel() ? "rmmod kvm_intel" : "rmmod kvm_amd");
}

int vendor_unload_kvm(void)
{
	return vendor_unload() ?: system("rmmod kvm");
}

bool vendor_has_tdp(void)
{
	return sys_is_on(vendor_is_intel() ? SYS_EPT : SYS_NPT);
}

const char *vendor_without_tdp(void)
{
	return vendor_is_intel() ? "ept=0" : "npt=0";
}

bool vendor_has_pml(void)
{
	return sys_is_on(SYS_PML);
}

unsigned int vendor_slots(unsigned int made)
{
	int kvm, nr;

	if (!sys_is_on(SYS_FLEX))
		return made;
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	nr = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MULTI_ADDRESS_SPACE);
	close(kvm);
	return made + (nr > 0 ? nr : 1);
}

const char *const *vendor_ways_to_log(void)
{
	static const char *const intel[] = { "", "pml=0", "eptad=0", NULL };
	static const char *const amd[] = { "", NULL };

	return vendor_is_intel() ? intel : amd;
}
