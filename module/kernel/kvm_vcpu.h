/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's vCPUs. */
#ifndef KVMW_KVM_VCPU_H
#define KVMW_KVM_VCPU_H

#include <linux/kvm_host.h>
#include <linux/sched.h>
#include <asm/asm.h>
#include <asm/hypervisor.h>
#include <asm/svm.h>

#include "kernel/facts.h"
#include "kernel/kvm_vm.h"
#include "kernel/version.h"

/* Is the current thread the one that last ran this vCPU? Other threads may use its other ioctls. */
static __always_inline bool kvmw_runs_here(const struct kvm_vcpu *kvcpu)
{
	return READ_ONCE(*(struct pid * const __force *)&kvcpu->pid) == task_pid(current);
}

/* When KVM puts the vCPU of @task: is the task still runnable, or about to sleep? */
static __always_inline bool kvmw_task_runs(const struct task_struct *task)
{
#if KVMW_HAS_TASK___STATE
	return READ_ONCE(task->__state) == TASK_RUNNING;
#else
	return READ_ONCE(task->state) == TASK_RUNNING;
#endif
}

/* --- dirty rings --------------------------------------------------------- */

struct kvm_dirty_ring;

#define KVMW_HAS_RINGS	KVMW_HAS_DIRTY_RINGS
#if KVMW_HAS_RINGS
static __always_inline struct kvm_vcpu *kvmw_ring_owner(struct kvm_dirty_ring *ring)
{
	return container_of(ring, struct kvm_vcpu, dirty_ring);
}
#else	/* no dirty ring events, so no caller */
static __always_inline struct kvm_vcpu *kvmw_ring_owner(struct kvm_dirty_ring *ring)
{
	return NULL;
}
#endif

/* --- exits --------------------------------------------------------------- */

/* On VMX, 5.10 may enter the guest again right after an exit, with an event of the exit only. */
static __always_inline bool kvmw_entries_told(void)
{
	return KVMW_KVM_IS_RECENT || !boot_cpu_has(X86_FEATURE_VMX);
}

/*
 * The VMCB of a vCPU. struct vcpu_svm, which is private to KVM, has the pointer right behind its
 * struct kvm_vcpu; vmcb_check() verifies that.
 */
static __always_inline const struct vmcb *kvmw_vmcb_of(const struct kvm_vcpu *kvcpu)
{
	return *(struct vmcb **)(kvcpu + 1);
}

/*
 * On Hyper-V, KVM may use an enlightened VMCS, which VMREAD cannot read. TDX VMs are recognised by
 * their type.
 */
static inline bool kvmw_vmcs_readable(void)
{
	return !hypervisor_is_type(X86_HYPER_MS_HYPERV);
}

/*
 * Read the exit reason from the VMCS that is current during the kvm_exit event; ~0 if the VMCS of
 * this vCPU is not current or not readable. VMREAD sets the carry flag on failure. STC sets it
 * beforehand, so that an exception of VMREAD (#UD of the CPU or of a hypervisor) reads as failure
 * as well.
 */
static __always_inline u64 kvmw_vmread_reason(const struct kvm_vcpu *kvcpu)
{
	unsigned long reason;
	bool failed;

	if (!kvmw_vmcs_readable())
		return ~0ULL;
	if (IS_ENABLED(CONFIG_KVM_INTEL_TDX) && kvmw_vm_type(kvcpu->kvm) == KVMW_TYPE_OPAQUE)
		return ~0ULL;
	asm volatile("stc\n"
		     "1:	vmread %[field], %[reason]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [reason] "=r" (reason), "=@ccbe" (failed)
		     : [field] "r" (0x4402UL));
	return failed ? ~0ULL : reason;
}

/* --- KVM's own counts ---------------------------------------------------- */

/*
 * Exits of a vCPU as KVM counts them. On SVM KVM counts each exit and has an event of each, even
 * when it enters again at once. On VMX KVM also counts entries that failed, and entries that it
 * skipped because it has to emulate; it has no event of these.
 */
static inline u64 kvmw_kvm_exits(const struct kvm_vcpu *kvcpu)
{
	return READ_ONCE(kvcpu->stat.exits);
}

/* Exits of some reasons. The handlers of these reasons count them, so each of them is an exit. */
static inline u64 kvmw_kvm_some_exits(const struct kvm_vcpu *kvcpu)
{
	return READ_ONCE(kvcpu->stat.irq_exits) + READ_ONCE(kvcpu->stat.io_exits);
}

/*
 * May KVM on SVM count an exit without an entry? Later kernels skip the entry of an SEV-ES guest
 * that has no valid VMSA.
 */
static inline bool kvmw_may_not_enter(const struct kvm_vcpu *kvcpu)
{
#if KVMW_HAS_PROTECTED_STATE
	return READ_ONCE(kvcpu->arch.guest_state_protected);
#else
	return false;
#endif
}

/*
 * May KVM count more exits than there are? 5.10 counts one for each range of the VM's MSR filter
 * that does not have the MSR that a guest reads or writes. A filter is replaced, but never taken
 * away.
 */
static inline bool kvmw_counts_more_exits(const struct kvm_vcpu *kvcpu)
{
#if KVMW_HAS_GENERIC_STATS
	return false;
#elif KVMW_HAS_MSR_FILTER_POINTER
	return rcu_access_pointer(kvcpu->kvm->arch.msr_filter);
#else
	return true;
#endif
}

/* Does KVM count halts that blocked? */
#define KVMW_KVM_COUNTS_WAITS	KVMW_HAS_GENERIC_STATS

/* Halts that blocked; where KVM does not count these, halts in which it tried to poll. */
static inline u64 kvmw_kvm_waits(const struct kvm_vcpu *kvcpu)
{
#if KVMW_KVM_COUNTS_WAITS
	u64 waits = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kvcpu->stat.generic.halt_wait_hist); i++)
		waits += READ_ONCE(kvcpu->stat.generic.halt_wait_hist[i]);
	return waits;
#else
	return READ_ONCE(kvcpu->stat.halt_attempted_poll);
#endif
}

/* Halts that ended while KVM polled. */
static inline u64 kvmw_kvm_polls(const struct kvm_vcpu *kvcpu)
{
#if KVMW_KVM_COUNTS_WAITS
	return READ_ONCE(kvcpu->stat.generic.halt_successful_poll);
#else
	return READ_ONCE(kvcpu->stat.halt_successful_poll);
#endif
}

#endif /* KVMW_KVM_VCPU_H */
