// SPDX-License-Identifier: GPL-2.0
/* System management mode. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "guest/parts.h"

int guest_smm(struct guest *g)
{
	const struct blob blob = smm_blob();
	char *smram;
	int err;

	if (vm_ioctl(g, KVM_CHECK_EXTENSION, (void *)KVM_CAP_X86_SMM) <= 0)
		return -EOPNOTSUPP;
	err = add_slot(g, GUEST_SMM_SLOT(0), SMRAM_BASE, SMRAM_PAGES, GUEST_MEM_4K, 0);
	if (err)
		return err;
	smram = guest_slot_host(g, GUEST_SMM_SLOT(0));
	memcpy(smram + SMM_ENTRY, blob.start, blob.end - blob.start);
	return 0;
}

int guest_smi(struct guest *g, unsigned int vcpu, __u64 gpa, unsigned int pages)
{
	char *smram = guest_slot_host(g, GUEST_SMM_SLOT(0));
	struct vcpu *v = get_vcpu(g, vcpu);
	struct smm_mail *mail;
	__u32 done;
	int err;

	if (!smram || !v || (gpa + pages * GUEST_PAGE) >> 32)
		return -EINVAL;
	mail = (void *)(smram + SMM_MAIL);
	mail->gpa = gpa;
	mail->pages = pages;
	done = mail->done;
	err = vcpu_ioctl(v, KVM_SMI, NULL);
	err = err ? err : guest_run(g, vcpu, work_cpuid(1));
	if (err)
		return err;
	return __atomic_load_n(&mail->done, __ATOMIC_ACQUIRE) == done + 1 ? 0 : -EPROTO;
}
