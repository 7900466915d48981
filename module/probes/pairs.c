// SPDX-License-Identifier: GPL-2.0
/* Pairs of counts of a vCPU. See pairs.h. */
#include <linux/compiler.h>
#include <linux/kvm_host.h>
#include <asm/cpufeature.h>

#include "hooks/hook.h"
#include "kernel/kvm_vcpu.h"
#include "probes/pairs.h"
#include "records/needs.h"
#include "records/record.h"
#include "records/vcpu.h"

/* A halt is counted for the vCPU that is loaded here, which the hooks on load and put determine. */
#define PLACE		(KVMW_HOOK_BIT(vcpu_load) | KVMW_HOOK_BIT(vcpu_put))

const struct kvmw_pair_row kvmw_pairs[KVMW_NR_PAIRS] = {
	[KVMW_PAIR_EXITS] = {
		"exits", KVMW_HOOK_BIT(exit), KVMW_NEED_EXITED, true
	},
	[KVMW_PAIR_WAITS] = {
		KVMW_KVM_COUNTS_WAITS ? "halts that wait" : "halts",
		KVMW_HOOK_BIT(wakeup) | PLACE, KVMW_NEED_WOKEN, true
	},
	[KVMW_PAIR_POLLS] = {
		"halts that poll", KVMW_HOOK_BIT(wakeup) | PLACE, KVMW_NEED_WOKEN, true
	},
	[KVMW_PAIR_LOADS] = {
		"loads", PLACE, KVMW_NEED_PAIRED, false
	},
};

/* Does KVM count exactly the exits? @kvcpu NULL: of an ordinary vCPU. */
static bool exits_counted(const struct kvm_vcpu *kvcpu)
{
	if (!boot_cpu_has(X86_FEATURE_SVM))
		return false;
	return !kvcpu || !(kvmw_may_not_enter(kvcpu) || kvmw_counts_more_exits(kvcpu));
}

enum kvmw_tells kvmw_pair_tells(enum kvmw_pair pair, const struct kvm_vcpu *kvcpu)
{
	switch (pair) {
	case KVMW_PAIR_EXITS:
		return exits_counted(kvcpu) ? KVMW_TELLS_ALL : KVMW_TELLS_LEAST;
	case KVMW_PAIR_WAITS:
		return KVMW_KVM_COUNTS_WAITS ? KVMW_TELLS_ALL : KVMW_TELLS_LEAST;
	case KVMW_PAIR_POLLS:
		return KVMW_TELLS_LEAST;
	default:
		return KVMW_TELLS_ALL;
	}
}

void kvmw_pairs_tell(const struct kvmw_vm *vm, const struct kvm_vcpu *kvcpu,
		     u8 note[KVMW_NR_PAIRS])
{
	u64 hooks = kvmw_hooks_counting() & ~READ_ONCE(vm->missed);
	int i;

	for (i = 0; i < KVMW_NR_PAIRS; i++) {
		note[i] = KVMW_TELLS_NOTHING;
		if (!(kvmw_pairs[i].hooks & ~hooks) &&
		    !(READ_ONCE(vm->refuted) & kvmw_pairs[i].need))
			note[i] = kvmw_pair_tells(i, kvcpu);
	}
}

#define OURS(vcpu, stat)	READ_ONCE((vcpu)->stats.stat[0])

void kvmw_pairs_ours(const struct kvmw_vcpu *vcpu, u64 ours[KVMW_NR_PAIRS])
{
	ours[KVMW_PAIR_EXITS] = kvmw_vcpu_exits(&vcpu->stats);
	ours[KVMW_PAIR_WAITS] = OURS(vcpu, wakeups_wait);
	ours[KVMW_PAIR_POLLS] = OURS(vcpu, wakeups_poll);
	if (!KVMW_KVM_COUNTS_WAITS)
		ours[KVMW_PAIR_WAITS] += ours[KVMW_PAIR_POLLS];
	ours[KVMW_PAIR_LOADS] = kvmw_vcpu_loads(&vcpu->stats);
}

void kvmw_pairs_others(const struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu,
		       u64 others[KVMW_NR_PAIRS])
{
	others[KVMW_PAIR_EXITS] = exits_counted(kvcpu) ? kvmw_kvm_exits(kvcpu) :
							 kvmw_kvm_some_exits(kvcpu);
	others[KVMW_PAIR_WAITS] = kvmw_kvm_waits(kvcpu);
	others[KVMW_PAIR_POLLS] = kvmw_kvm_polls(kvcpu);
	others[KVMW_PAIR_LOADS] = kvmw_vcpu_puts(&vcpu->stats);
}

void kvmw_pairs_begin(struct kvmw_vcpu *vcpu)
{
	int i;

	/* While hooks are being attached, others may miss events of the vCPU. */
	if (!READ_ONCE(kvmw_hooks_attached))
		return;
	for (i = 0; i < KVMW_NR_PAIRS; i++)
		vcpu->audit.pairs[i].known = true;
}

void kvmw_pairs_end(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu)
{
	/* The same while they are being detached. And skip a vCPU whose creation failed. */
	if (!READ_ONCE(kvmw_hooks_attached) || !READ_ONCE(vcpu->created))
		return;
	kvmw_pairs_tell(vcpu->obj.vm, kvcpu, vcpu->audit.tells);
	kvmw_pairs_others(vcpu, kvcpu, vcpu->audit.others);
}
