// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on exits: from guest mode to KVM and back, and from KVM to userspace.
 *
 * The events of both come on the vCPU's own thread while no other can run it, so its
 * record has one writer, also for the return to userspace, which comes when the vCPU
 * has been put already.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/seqlock.h>
#include <asm/cpufeature.h>
#include <asm/svm.h>

#include "hooks/handler.h"
#include "kernel/clock.h"
#include "kernel/kvm_vcpu.h"
#include "kernel/tracepoint.h"
#include "probes/exit.h"
#include "probes/handlers.h"
#include "probes/vcpu_hit.h"
#include "records/counts.h"
#include "records/cpu.h"
#include "records/exit_span.h"
#include "records/lost.h"
#include "records/record.h"
#include "records/table.h"

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

/* What is above the basic reason says that the entry failed, and the like. */
static __always_inline u64 vmx_reason(u64 reason)
{
	return reason == ~0ULL ? reason : (u16)reason;
}

/* @vmx: what VMX has for a reason. The VMCB was seen to be valid. */
static __always_inline u64 reason_of(const struct kvm_vcpu *kvcpu, u32 isa, u64 vmx)
{
	return isa == ISA_VMX ? vmx_reason(vmx) : kvmw_vmcb_of(kvcpu)->control.exit_code;
}

/* --- exits from guest mode ------------------------------------------------- */

/* It is loaded here, and nothing about it has to be found out. */
static __always_inline bool is_usual(const struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu)
{
	return likely(vcpu && kvmw_peek(vcpu->obj.key) == kvcpu && kvmw_clock_is_tsc());
}

static __always_inline void count_exit(struct kvmw_vcpu *vcpu, u64 why, const bool usual)
{
	raw_write_seqcount_begin(&vcpu->seq);
	kvmw_inc(vcpu, exits);
	kvmw_cell(vcpu, exit_reasons, kvmw_exit_cell(why));
	if (kvmw_span_begins(&vcpu->exit_span))
		vcpu->exit_span.since = kvmw_now_of(usual);
	raw_write_seqcount_end(&vcpu->seq);
}

static noinline void exit_unusual(const struct kvm_vcpu *kvcpu, u32 isa, u64 vmx)
{
	struct kvmw_vcpu *vcpu = kvmw_vcpu_here(this_cpu_ptr(&kvmw_cpu), kvcpu);

	if (!vcpu)
		return;
	if (isa == ISA_VMX || vcpu->vmcb_valid || vmcb_check(vcpu, kvmw_vmcb_of(kvcpu)))
		count_exit(vcpu, reason_of(kvcpu, isa, vmx), false);
	else
		count_exit(vcpu, ~0ULL, false);
}

notrace KVMW_TP_EXIT(kvmw_tp_exit)
{
	struct kvmw_vcpu *vcpu;
	u64 vmx;

	kvmw_tp_enter();
	vmx = isa == ISA_VMX ? KVMW_EXIT_VMX_REASON : 0;
	kvmw_hit(KVMW_HOOK_exit);
	vcpu = __this_cpu_read(kvmw_cpu.vcpu);
	if (is_usual(vcpu, kvcpu) && likely(isa == ISA_VMX || vcpu->vmcb_valid))
		count_exit(vcpu, reason_of(kvcpu, isa, vmx), true);
	else
		exit_unusual(kvcpu, isa, vmx);
	kvmw_tp_leave();
}

static __always_inline void count_entry(struct kvmw_vcpu *vcpu, const bool usual)
{
	u64 since;

	raw_write_seqcount_begin(&vcpu->seq);
	since = kvmw_span_ends(&vcpu->exit_span);
	if (likely(since))
		kvmw_add(vcpu, exit_time_ns, kvmw_elapsed(kvmw_now_of(usual), since));
	raw_write_seqcount_end(&vcpu->seq);
}

static noinline void entry_unusual(const struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu = kvmw_vcpu_here(this_cpu_ptr(&kvmw_cpu), kvcpu);

	if (vcpu)
		count_entry(vcpu, false);
}

static __always_inline void on_entry(const struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu;

	kvmw_tp_enter();
	kvmw_hit(KVMW_HOOK_entry);
	vcpu = __this_cpu_read(kvmw_cpu.vcpu);
	if (is_usual(vcpu, kvcpu))
		count_entry(vcpu, true);
	else
		entry_unusual(kvcpu);
	kvmw_tp_leave();
}

void notrace kvmw_tp_entry(void *data, struct kvm_vcpu *kvcpu)
{
	on_entry(kvcpu);
}

/* Since Linux 6.9, and in later builds of 6.1, the event also says whether an exit is forced. */
void notrace kvmw_tp_entry_more(void *data, struct kvm_vcpu *kvcpu, bool force_immediate_exit)
{
	on_entry(kvcpu);
}

/* --- exits to userspace ---------------------------------------------------- */

/* What kvm_run says of a run that a signal ended may be older than that. */
static __always_inline unsigned int user_cell(u32 reason, int error)
{
	if (error == -EINTR)
		return KVM_EXIT_INTR;
	return min_t(u32, reason, KVMW_USER_EXIT_REST);
}

static __always_inline void count_user_exit(struct kvmw_vcpu *vcpu, u32 reason, int error)
{
	raw_write_seqcount_begin(&vcpu->seq);
	kvmw_inc(vcpu, user_exits);
	kvmw_cell(vcpu, user_exit_reasons, user_cell(reason, error));
	raw_write_seqcount_end(&vcpu->seq);
}

static noinline void user_exit_unusual(u32 reason, int error)
{
	struct kvmw_vcpu *vcpu = kvmw_vcpu_put_by_current();

	if (vcpu)
		count_user_exit(vcpu, reason, error);
	else
		kvmw_lost(NULL);
}

void notrace kvmw_tp_user_exit(void *data, __u32 reason, int error)
{
	struct kvmw_vcpu *vcpu;

	kvmw_tp_enter();
	kvmw_hit(KVMW_HOOK_user_exit);
	vcpu = kvmw_vcpu_left(this_cpu_ptr(&kvmw_cpu));
	if (likely(vcpu))
		count_user_exit(vcpu, reason, error);
	else
		user_exit_unusual(reason, error);
	kvmw_tp_leave();
}
