/* SPDX-License-Identifier: GPL-2.0 */
/* KVM's vCPUs. */
#ifndef KVMW_KVM_VCPU_H
#define KVMW_KVM_VCPU_H

#include <linux/kvm_host.h>
#include <linux/sched.h>
#include <asm/asm.h>
#include <asm/hypervisor.h>
#include <asm/svm.h>

#include "kernel/kvm_vm.h"
#include "kernel/version.h"

/* Is the current thread the one that runs this vCPU, and not in some other ioctl of it? */
static __always_inline bool kvmw_runs_here(const struct kvm_vcpu *kvcpu)
{
	return READ_ONCE(*(struct pid * const __force *)&kvcpu->pid) == task_pid(current);
}

/* Does it go on running, when its vCPU is put? Else it is about to sleep. */
static __always_inline bool kvmw_task_runs(const struct task_struct *task)
{
#if KVMW_SINCE(5, 14)
	return READ_ONCE(task->__state) == TASK_RUNNING;
#else
	return READ_ONCE(task->state) == TASK_RUNNING;
#endif
}

/* --- dirty rings --------------------------------------------------------- */

struct kvm_dirty_ring;

#if KVMW_SINCE(6, 1)
#define KVMW_HAS_RINGS	1
static __always_inline struct kvm_vcpu *kvmw_ring_owner(struct kvm_dirty_ring *ring)
{
	return container_of(ring, struct kvm_vcpu, dirty_ring);
}
#else	/* no events either, so nobody asks */
#define KVMW_HAS_RINGS	0
static __always_inline struct kvm_vcpu *kvmw_ring_owner(struct kvm_dirty_ring *ring)
{
	return NULL;
}
#endif

/* --- exits --------------------------------------------------------------- */

/*
 * kvm_exit has lost its first argument, the reason. Which of the two kvm.ko has is
 * checked by the number of arguments.
 */
#if !KVMW_SINCE(6, 1)
#define KVMW_EXIT_ARGS		3
#define KVMW_TP_EXIT(name)	\
	void name(void *data, unsigned int reason, struct kvm_vcpu *kvcpu, u32 isa)
#define KVMW_CALL_EXIT(name)	name(data, reason, kvcpu, isa)
#define KVMW_EXIT_VMX_REASON	reason
#else
#define KVMW_EXIT_ARGS		2
#define KVMW_TP_EXIT(name)	void name(void *data, struct kvm_vcpu *kvcpu, u32 isa)
#define KVMW_CALL_EXIT(name)	name(data, kvcpu, isa)
#define KVMW_EXIT_VMX_REASON	kvmw_vmread_reason(kvcpu)
#endif

/* On VMX, 5.10 may enter again right after an exit, and only tell of the latter. */
static __always_inline bool kvmw_entries_told(void)
{
	return KVMW_SINCE(6, 1) || !boot_cpu_has(X86_FEATURE_VMX);
}

/* Where struct vcpu_svm, private to KVM, has its VMCB; see vmcb_valid(). */
static __always_inline const struct vmcb *kvmw_vmcb_of(const struct kvm_vcpu *kvcpu)
{
	return *(struct vmcb **)(kvcpu + 1);
}

/* Guests whose VMCS the CPU does not have: nested on Hyper-V. TDX's are told by the VM's type. */
static inline bool kvmw_vmcs_readable(void)
{
	return !hypervisor_is_type(X86_HYPER_MS_HYPERV);
}

/*
 * The VMCS of the exit is current where the event comes from. ~0: it is not, or another's is. The
 * carry flag says that VMREAD failed. It is set before, so that it also says so when the CPU, or a
 * hypervisor below, does not know the instruction.
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
 * Exits of a vCPU. On SVM KVM counts each, and has an event of each, also where it enters again at
 * once. On VMX it also counts entries that were refused or that it did not try, as what the guest
 * wants has to be emulated, and has no event of these.
 */
static inline u64 kvmw_kvm_exits(const struct kvm_vcpu *kvcpu)
{
	return READ_ONCE(kvcpu->stat.exits);
}

/* Those of some reasons, which are counted where the reason is handled: each is an exit. */
static inline u64 kvmw_kvm_some_exits(const struct kvm_vcpu *kvcpu)
{
	return READ_ONCE(kvcpu->stat.irq_exits) + READ_ONCE(kvcpu->stat.io_exits);
}

/*
 * May KVM on SVM count an exit without having entered? The guest of an SEV-ES VM keeps its state
 * itself, and later kernels ask whether there is any.
 */
static inline bool kvmw_may_not_enter(const struct kvm_vcpu *kvcpu)
{
#if KVMW_SINCE(6, 1)
	return READ_ONCE(kvcpu->arch.guest_state_protected);
#else
	return false;
#endif
}

/* Does KVM count halts that blocked? */
#define KVMW_KVM_COUNTS_WAITS	KVMW_SINCE(6, 1)

/* If it does, these; else halts in which it polled, whatever came of it. */
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
