// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on exits: from guest mode to KVM and back, and from KVM to userspace.
 *
 * All these events come on the vCPU's own thread while no other thread can run it, so its record
 * has one writer. That includes the exit to userspace, although KVM has put the vCPU by then.
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

/* --- exit reasons ---------------------------------------------------------- */

/* kvmw_vmcb_of() did not find the VMCB of a vCPU: no reason can be trusted. */
static bool vmcb_invalid;

const char *kvmw_no_reasons(void)
{
	if (boot_cpu_has(X86_FEATURE_SVM))
		return READ_ONCE(vmcb_invalid) ? "KVM has the VMCB of a vCPU elsewhere" : NULL;
	if (!boot_cpu_has(X86_FEATURE_VMX))
		return "the processor has neither SVM nor VMX";
	return kvmw_vmcs_readable() ? NULL : "the VMCS of some guests cannot be read";
}

/* VMRUN refuses a VMCB that does not intercept VMRUN, so a page without that is no VMCB. */
static noinline bool vmcb_check(struct kvmw_vcpu *vcpu, const struct vmcb *vmcb)
{
	const u32 *intercepts = (const u32 *)&vmcb->control;

	if (PAGE_ALIGNED(vmcb) && virt_addr_valid(vmcb) &&
	    intercepts[INTERCEPT_VMRUN / 32] & BIT(INTERCEPT_VMRUN % 32))
		vcpu->exit_span.vmcb_valid = true;
	else
		WRITE_ONCE(vmcb_invalid, true);
	return vcpu->exit_span.vmcb_valid;
}

/* Keep the basic reason. The bits above are flags, such as that of a failed entry. */
static __always_inline u64 vmx_reason(u64 reason)
{
	return reason == ~0ULL ? reason : (u16)reason;
}

static __always_inline bool is_svm(void)
{
	return cpu_feature_enabled(X86_FEATURE_SVM);
}

/* --- exits from guest mode ------------------------------------------------- */

/* The fast path is for a vCPU that is loaded here, while the clock is the TSC. */
static __always_inline bool is_usual(const struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu)
{
	return kvmw_vcpu_is(vcpu, kvcpu) && kvmw_clock_is_tsc();
}

/*
 * The event of an exit from before the vCPU's time was accounted, see count_exit_put(): the vCPU
 * has been out of guest mode since @begun, so the span of the exit begins there. While no load or
 * put was seen, or where entries have no event, it may have been in guest mode since.
 */
static __always_inline void exit_before_begin(struct kvmw_vcpu *vcpu)
{
	if (!vcpu->begun || vcpu->where == KVMW_VCPU_UNKNOWN || !kvmw_entries_told())
		return;
	vcpu->exit_span.since = vcpu->begun;
	vcpu->begun = 0;
}

/* @usual: nothing was early, and the clock is the TSC. */
static __always_inline void count_exit(struct kvmw_vcpu *vcpu, u64 why, const bool usual)
{
	u64 cell = kvmw_exit_cell(why);

	/* Keep compilers from computing the address in each branch of kvmw_exit_cell(). */
	OPTIMIZER_HIDE_VAR(cell);
	raw_write_seqcount_begin(&vcpu->seq);
	kvmw_cell(vcpu, exit_reasons, cell);
	vcpu->exit_span.cell = cell;
	if (!usual && vcpu->exit_span.early)
		exit_before_begin(vcpu);
	if (usual || kvmw_span_begins(&vcpu->exit_span))
		vcpu->exit_span.since = kvmw_now_of(usual);
	raw_write_seqcount_end(&vcpu->seq);
}

/* VMX's reason of an exit, which the event only has on some kernels. */
#define TOLD_NOTHING	(~0U)

static __always_inline u64 reason_on_vmx(const struct kvm_vcpu *kvcpu, unsigned int told)
{
	return vmx_reason(told == TOLD_NOTHING ? kvmw_vmread_reason(kvcpu) : told);
}

static __always_inline void count_unusual(const struct kvm_vcpu *kvcpu, unsigned int told)
{
	struct kvmw_vcpu *vcpu = kvmw_vcpu_here(this_cpu_ptr(&kvmw_cpu), kvcpu);

	if (!vcpu)
		return;
	if (!is_svm())
		count_exit(vcpu, reason_on_vmx(kvcpu, told), false);
	else if (vcpu->exit_span.vmcb_valid || vmcb_check(vcpu, kvmw_vmcb_of(kvcpu)))
		count_exit(vcpu, kvmw_vmcb_of(kvcpu)->control.exit_code, false);
	else
		count_exit(vcpu, ~0ULL, false);
}

/* False: the exit is not counted, as it is not a usual one. */
static __always_inline bool count_usual(const struct kvm_vcpu *kvcpu, unsigned int told)
{
	struct kvmw_vcpu *vcpu = __this_cpu_read(kvmw_cpu.vcpu);

	if (!is_usual(vcpu, kvcpu))
		return false;
	if (is_svm() && likely(vcpu->exit_span.flags == KVMW_SPAN_USUAL_SVM))
		count_exit(vcpu, kvmw_vmcb_of(kvcpu)->control.exit_code, true);
	else if (!is_svm() && likely(!vcpu->exit_span.early))
		count_exit(vcpu, reason_on_vmx(kvcpu, told), true);
	else
		return false;
	return true;
}

/* These have the arguments of the event, so that their callers do not move them. */
static noinline __noclone void exit_unusual(void *data, struct kvm_vcpu *kvcpu, u32 isa)
{
	count_unusual(kvcpu, TOLD_NOTHING);
}

static noinline __noclone void exit_unusual_more(void *data, unsigned int reason,
						 struct kvm_vcpu *kvcpu, u32 isa)
{
	count_unusual(kvcpu, reason);
}

notrace void kvmw_tp_exit(void *data, struct kvm_vcpu *kvcpu, u32 isa)
{
	kvmw_tp_enter();
	kvmw_hit(KVMW_HOOK_exit);
	if (!count_usual(kvcpu, TOLD_NOTHING))
		exit_unusual(data, kvcpu, isa);
	kvmw_tp_leave();
}

notrace void kvmw_tp_exit_more(void *data, unsigned int reason, struct kvm_vcpu *kvcpu, u32 isa)
{
	kvmw_tp_enter();
	kvmw_hit(KVMW_HOOK_exit);
	if (!count_usual(kvcpu, reason))
		exit_unusual_more(data, reason, kvcpu, isa);
	kvmw_tp_leave();
}

/* The exit ended after @ticks. */
static __always_inline void count_exit_time(struct kvmw_vcpu *vcpu, u64 ticks)
{
	kvmw_count(vcpu, exit_reason_times, vcpu->exit_span.cell, ticks);
	kvmw_hist(vcpu, exit_hist, ticks);
	kvmw_max(vcpu, exit_time_ns_max, ticks);
}

/*
 * The first entry since the vCPU was loaded. @since, the time of the exit, is 0 at the first entry
 * of all, and at an entry after another one that failed.
 */
static __always_inline void count_first_entry(struct kvmw_vcpu *vcpu, u64 since, u64 now)
{
	u64 ticks;

	if (likely(since)) {
		count_exit_time(vcpu, kvmw_ticks(now, since));
	} else {
		if (!vcpu->begun)
			return;
		vcpu->before_entry += kvmw_ticks(now, vcpu->begun);
		vcpu->begun = 0;
		if (vcpu->where != KVMW_VCPU_ON_CPU)
			return;
	}
	ticks = kvmw_ticks(now, vcpu->since);
	kvmw_add(vcpu, load_entry_ns, ticks);
	kvmw_hist(vcpu, load_entry_hist, ticks);
	kvmw_max(vcpu, load_entry_ns_max, ticks);
}

static __always_inline void count_entry(struct kvmw_vcpu *vcpu, const bool usual)
{
	u64 since, now;

	raw_write_seqcount_begin(&vcpu->seq);
	since = kvmw_span_ends(&vcpu->exit_span);
	now = kvmw_now_of(usual);
	/*
	 * @begun is 0 behind an exit since the last load: an entry before that exit has ended it,
	 * or exit_before_begin(). While no load or put was seen, nobody uses it.
	 */
	if (likely(since > vcpu->since))
		count_exit_time(vcpu, kvmw_ticks(now, since));
	else
		count_first_entry(vcpu, since, now);
	raw_write_seqcount_end(&vcpu->seq);
}

/* Has its arguments in the order of the event, so that the caller does not move them. */
static noinline __noclone void entry_unusual(void *data, const struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu = kvmw_vcpu_here(this_cpu_ptr(&kvmw_cpu), kvcpu);

	if (vcpu)
		count_entry(vcpu, false);
}

static __always_inline void on_entry(void *data, const struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu;

	kvmw_tp_enter();
	kvmw_hit(KVMW_HOOK_entry);
	vcpu = __this_cpu_read(kvmw_cpu.vcpu);
	if (is_usual(vcpu, kvcpu))
		count_entry(vcpu, true);
	else
		entry_unusual(data, kvcpu);
	kvmw_tp_leave();
}

void notrace kvmw_tp_entry(void *data, struct kvm_vcpu *kvcpu)
{
	on_entry(data, kvcpu);
}

/* Since Linux 6.9, and in later builds of 6.1, the event has a third argument. */
void notrace kvmw_tp_entry_more(void *data, struct kvm_vcpu *kvcpu, bool force_immediate_exit)
{
	on_entry(data, kvcpu);
}

/* --- exits to userspace ---------------------------------------------------- */

/* If a signal ended KVM_RUN, the reason in struct kvm_run may be that of an earlier exit. */
static __always_inline u64 user_cell(u32 reason, int error)
{
	if (error == -EINTR)
		reason = KVM_EXIT_INTR;
	else if (unlikely(reason > KVMW_USER_EXIT_REST))
		reason = KVMW_USER_EXIT_REST;
	else
		return reason;
	OPTIMIZER_HIDE_VAR(reason);	/* as in kvmw_exit_cell() */
	return reason;
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
	vcpu = kvmw_vcpu_left();
	if (likely(vcpu))
		count_user_exit(vcpu, reason, error);
	else
		user_exit_unusual(reason, error);
	kvmw_tp_leave();
}
