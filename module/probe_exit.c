// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on exits: from guest mode to KVM and back, and from KVM to userspace.
 *
 * The events of both come on the vCPU's own thread while no other can run it, so its
 * record has one writer, also for the return to userspace, which comes when the vCPU
 * has been put already.
 */
#include <linux/errno.h>
#include <asm/cpufeature.h>

#include "hook.h"
#include "object.h"
#include "vcpu_hit.h"

#define ISA_VMX		1	/* KVM_ISA_VMX; else SVM */

/* --- exit reasons ---------------------------------------------------------- */

/* A VMCB was not where we thought: no reason can be trusted. */
static bool vmcb_invalid;

const char *kvmw_no_reasons(void)
{
	if (boot_cpu_has(X86_FEATURE_SVM))
		return READ_ONCE(vmcb_invalid) ? "KVM has the VMCB of a vCPU elsewhere" : NULL;
	if (!boot_cpu_has(X86_FEATURE_VMX))
		return "the processor has neither SVM nor VMX";
	return kvmw_vmcs_readable() ? NULL : "the VMCS of some guests cannot be read";
}

/* A page that a CPU would run: VMRUN refuses a VMCB that does not intercept VMRUN. */
static noinline bool vmcb_check(struct kvmw_vcpu *vcpu, const struct vmcb *vmcb)
{
	const u32 *intercepts = (const u32 *)&vmcb->control;

	if (PAGE_ALIGNED(vmcb) && virt_addr_valid(vmcb) &&
	    intercepts[INTERCEPT_VMRUN / 32] & BIT(INTERCEPT_VMRUN % 32))
		vcpu->vmcb_valid = true;
	else
		WRITE_ONCE(vmcb_invalid, true);
	return vcpu->vmcb_valid;
}

static __always_inline u64 svm_reason(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu)
{
	const struct vmcb *vmcb = kvmw_vmcb_of(kvcpu);

	if (unlikely(!vcpu->vmcb_valid) && !vmcb_check(vcpu, vmcb))
		return ~0ULL;
	return vmcb->control.exit_code;
}

/* Bits above the basic reason say that the entry failed, and the like. */
static __always_inline u64 vmx_reason(u64 reason)
{
	return reason == ~0ULL ? reason : (u16)reason;
}

/* --- exits from guest mode ------------------------------------------------- */

KVMW_TP_EXIT(kvmw_tp_exit)
{
	struct kvmw_vcpu *vcpu;
	struct kvmw_cpu *c;
	u64 why;

	kvmw_tp_enter();
	c = this_cpu_ptr(&kvmw_cpu);
	c->hits[KVMW_HOOK_exit]++;
	vcpu = kvmw_vcpu_here(c, kvcpu);
	if (likely(vcpu)) {
		why = isa == ISA_VMX ? vmx_reason(KVMW_EXIT_VMX_REASON) : svm_reason(vcpu, kvcpu);
		raw_write_seqcount_begin(&vcpu->seq);
		kvmw_inc(vcpu, exits);
		kvmw_cell(vcpu, exit_reasons, kvmw_exit_cell(why));
		vcpu->exit_since = kvmw_now();
		raw_write_seqcount_end(&vcpu->seq);
	}
	kvmw_tp_leave();
}

/* Whatever arguments follow, the first is the vCPU. */
void kvmw_tp_entry(void *data, struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu;
	struct kvmw_cpu *c;

	kvmw_tp_enter();
	c = this_cpu_ptr(&kvmw_cpu);
	c->hits[KVMW_HOOK_entry]++;
	vcpu = kvmw_vcpu_here(c, kvcpu);
	if (likely(vcpu)) {
		raw_write_seqcount_begin(&vcpu->seq);
		if (likely(vcpu->exit_since))
			kvmw_add(vcpu, exit_time_ns,
				 kvmw_elapsed(kvmw_now(), vcpu->exit_since));
		vcpu->exit_since = 0;
		raw_write_seqcount_end(&vcpu->seq);
	}
	kvmw_tp_leave();
}

/* --- exits to userspace ---------------------------------------------------- */

/* What kvm_run says of a run that a signal ended may be older than that. */
static __always_inline unsigned int user_cell(u32 reason, int error)
{
	if (error == -EINTR)
		return KVM_EXIT_INTR;
	return min_t(u32, reason, KVMW_USER_EXIT_REST);
}

void kvmw_tp_user_exit(void *data, __u32 reason, int error)
{
	struct kvmw_vcpu *vcpu;
	struct kvmw_cpu *c;

	kvmw_tp_enter();
	c = this_cpu_ptr(&kvmw_cpu);
	c->hits[KVMW_HOOK_user_exit]++;
	vcpu = kvmw_vcpu_left(c);
	if (likely(vcpu)) {
		raw_write_seqcount_begin(&vcpu->seq);
		kvmw_inc(vcpu, user_exits);
		kvmw_cell(vcpu, user_exit_reasons, user_cell(reason, error));
		raw_write_seqcount_end(&vcpu->seq);
	} else {
		kvmw_lost(NULL);
	}
	kvmw_tp_leave();
}
