// SPDX-License-Identifier: GPL-2.0
/*
 * Audits of vCPUs. They compare the exits, halts and loads that hits counted with other counts,
 * mostly KVM's own.
 *
 * Each of our counts is paired with another, which grows when ours does: see probes/pairs.h.
 *
 * While a vCPU stands still, the difference of a pair is constant; if the other count is only a
 * lower bound of ours, the difference never grows. While the vCPU runs, one of the two sides may be
 * ahead of the other by one event, as one thread runs a vCPU. So each sample gives bounds of the
 * difference, and the bounds of all samples must overlap. A vCPU stands still if nobody holds its
 * mutex, which KVM_RUN takes.
 *
 * No lock keeps the vCPU from running while its counts are read. So ours are read before and after
 * the others. If both results are equal, ours had these values when the others were read.
 *
 * If a hook saw the creation of a vCPU, the difference was 0 then. For any other vCPU the first
 * sample is compared with nothing.
 *
 * A writer of KVM's debugfs files can reset KVM's counts to 0. Since then KVM cannot have counted
 * more than we have since the last sample. An audit accepts such a count, and compares with it from
 * then on. Events that hits miss never look like that.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kvm_host.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <uapi/linux/kvmwatch.h>

#include "hooks/hook.h"
#include "probes/pairs.h"
#include "records/list.h"
#include "records/pin.h"
#include "records/record.h"
#include "tasks/audit_vcpus.h"

/* Number of vCPUs to sample in one section of kvm_lock. */
#define AT_A_TIME	8

/* Number of tries before a running vCPU counts as too busy. */
#define SAMPLE_TRIES	16

/* --- samples ---------------------------------------------------------------- */

struct sample {
	struct kvmw_vcpu	*vcpu;
	bool			still;		/* the vCPU did not run */
	u8			tells[KVMW_NR_PAIRS];
	u64			ours[KVMW_NR_PAIRS];
	u64			others[KVMW_NR_PAIRS];
};

static bool is_in_use(const struct kvm_vcpu *kvcpu)
{
	return mutex_is_locked((struct mutex *)&kvcpu->mutex);
}

/*
 * Why sample->still is right: if a KVM_RUN still runs, the second check finds the mutex locked. If
 * a KVM_RUN began after the first check and ended before the second, our counts have changed, and
 * the sample is taken again. Returns false if they changed at each try. Context: the VM is pinned.
 */
static bool sample_vcpu(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu, struct sample *sample)
{
	u64 before[KVMW_NR_PAIRS];
	int tries;

	sample->vcpu = vcpu;
	for (tries = 0; tries < SAMPLE_TRIES; tries++) {
		kvmw_pairs_ours(vcpu, before);
		smp_rmb();	/* in this order: the vCPU's thread writes meanwhile */
		sample->still = !is_in_use(kvcpu);
		smp_rmb();	/* likewise */
		kvmw_pairs_others(vcpu, kvcpu, sample->others);
		smp_rmb();	/* likewise */
		sample->still &= !is_in_use(kvcpu);
		smp_rmb();	/* likewise */
		kvmw_pairs_ours(vcpu, sample->ours);
		if (!memcmp(before, sample->ours, sizeof(before)))
			return true;
	}
	return false;
}

/* --- verdicts ---------------------------------------------------------------- */

enum verdict { FIRST, SAME, TOO_FEW, TOO_MANY, RESET };

/* True if KVM's whole count is at most what we counted since the last sample, within @slack. */
static bool was_reset(const struct kvmw_pair_bounds *known, u64 ours, u64 other, s64 slack)
{
	return (s64)other <= (s64)(ours - known->ours) + slack;
}

static enum verdict compare(const struct kvmw_vcpu *vcpu, const struct sample *sample, int i,
			    const struct kvmw_pair_bounds *now)
{
	const struct kvmw_pair_bounds *known = &vcpu->audit.pairs[i];

	if (!known->known)
		return FIRST;
	if (now->low > known->high)
		return TOO_FEW;
	if (sample->tells[i] == KVMW_TELLS_LEAST)
		return SAME;
	if (now->high >= known->low)
		return SAME;
	if (kvmw_pairs[i].kvms && was_reset(known, now->ours, sample->others[i], !sample->still))
		return RESET;
	return TOO_MANY;
}

static void report(const struct kvmw_vcpu *vcpu, const struct sample *sample, int i, s64 diff)
{
	pr_warn_ratelimited("VM %llu (%s) vCPU %u: audit failed: %s: %llu counted, %lld expected\n",
			    vcpu->obj.vm->obj.id, vcpu->obj.vm->name, vcpu->vcpu_id,
			    kvmw_pairs[i].name, sample->ours[i], (s64)sample->others[i] - diff);
}

static enum verdict judge_pair(struct kvmw_vcpu *vcpu, const struct sample *sample, int i)
{
	s64 diff = sample->others[i] - sample->ours[i], slack = !sample->still;
	struct kvmw_pair_bounds now = { diff - slack, diff + slack, sample->ours[i], true };
	struct kvmw_pair_bounds *known = &vcpu->audit.pairs[i];
	enum verdict verdict = compare(vcpu, sample, i, &now);

	switch (verdict) {
	case SAME:
		now.low = max(now.low, known->low);
		now.high = min(now.high, known->high);
		break;
	case TOO_FEW:
		report(vcpu, sample, i, known->high);
		break;
	case TOO_MANY:
		report(vcpu, sample, i, known->low);
		break;
	default:
		break;
	}
	if (sample->tells[i] == KVMW_TELLS_LEAST)
		now.low = S64_MIN;
	*known = now;
	return verdict;
}

/* Returns the needs that are refuted: KVMW_NEED_*. */
static u64 judge(struct kvmw_vcpu *vcpu, const struct sample *sample, bool *compared)
{
	enum verdict verdict;
	u64 refuted = 0;
	int i;

	for (i = 0; i < KVMW_NR_PAIRS; i++) {
		if (sample->tells[i] == KVMW_TELLS_NOTHING)
			continue;
		verdict = judge_pair(vcpu, sample, i);
		*compared |= verdict != FIRST && verdict != RESET;
		if (verdict == TOO_FEW || verdict == TOO_MANY)
			refuted |= kvmw_pairs[i].need;
	}
	return refuted;
}

/* --- audits ----------------------------------------------------------------- */

/* Sample some of the vCPUs. Returns how many, or -ESRCH. */
static int sample_some(struct kvmw_vm *vm, struct kvmw_object **vcpus, int nr,
		       struct sample *samples)
{
	const struct kvm_vcpu *kvcpu;
	int i, filled = 0;

	if (!kvmw_pin(vm))
		return -ESRCH;
	for (i = 0; i < nr; i++) {
		/* Its creation succeeded, so KVM frees it only with the VM, which is pinned. */
		kvcpu = READ_ONCE(vcpus[i]->key);
		if (!kvcpu)
			continue;
		if (!sample_vcpu(kvmw_to_vcpu(vcpus[i]), kvcpu, &samples[filled]))
			continue;
		/* What ceases to be exact meanwhile is taken for a bound. */
		kvmw_pairs_tell(vm, kvcpu, samples[filled].tells);
		filled++;
	}
	kvmw_unpin();
	return filled;
}

bool kvmw_audit_vcpus(struct kvmw_vm *vm)
{
	struct sample samples[AT_A_TIME];
	struct kvmw_object **vcpus;
	bool compared = false;
	u64 refuted = 0;
	int nr, i, j, n;

	nr = kvmw_get_children(vm, KVMWATCH_KIND_VCPU, &vcpus);
	if (nr < 0)
		return true;
	for (i = 0; i < nr; i += AT_A_TIME) {
		n = sample_some(vm, vcpus + i, min(nr - i, AT_A_TIME), samples);
		for (j = 0; j < n; j++)
			refuted |= judge(samples[j].vcpu, &samples[j], &compared);
		cond_resched();
	}
	kvmw_put_all(vcpus, nr);
	if (!compared)
		return true;
	mutex_lock(&vm->lock);
	vm->audits++;
	vm->audit_failures += !!refuted;
	WRITE_ONCE(vm->refuted, vm->refuted | refuted);
	mutex_unlock(&vm->lock);
	return !refuted;
}

/* --- at the end -------------------------------------------------------------- */

void kvmw_audit_vcpu_last(struct kvmw_vcpu *vcpu)
{
	struct kvmw_vm *vm = vcpu->obj.vm;
	struct sample sample = { .still = true };
	u64 refuted;

	lockdep_assert_held(&vm->lock);
	memcpy(sample.tells, vcpu->audit.tells, sizeof(sample.tells));
	memcpy(sample.others, vcpu->audit.others, sizeof(sample.others));
	kvmw_pairs_ours(vcpu, sample.ours);
	refuted = judge(vcpu, &sample, &vm->ends_compared);
	vm->ends_refuted |= refuted;
	WRITE_ONCE(vm->refuted, vm->refuted | refuted);
}

/* --- the file hooks ---------------------------------------------------------- */

void kvmw_audit_vcpus_describe(struct seq_file *m)
{
	static const char *const words[] = {
		[KVMW_TELLS_NOTHING] = "unavailable",
		[KVMW_TELLS_LEAST] = "at least",
		[KVMW_TELLS_ALL] = "each",
	};
	u64 hooks = kvmw_hooks_counting();
	enum kvmw_tells it;
	int i;

	seq_puts(m, "# audits of vCPUs:");
	for (i = 0; i < KVMW_NR_PAIRS; i++) {
		it = kvmw_pairs[i].hooks & ~hooks ? KVMW_TELLS_NOTHING : kvmw_pair_tells(i, NULL);
		seq_printf(m, "%s %s (%s)", i ? "," : "", kvmw_pairs[i].name, words[it]);
	}
	seq_putc(m, '\n');
}
