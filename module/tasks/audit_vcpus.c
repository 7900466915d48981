// SPDX-License-Identifier: GPL-2.0
/*
 * Audits of vCPUs: exits, halts and loads that hits have counted against what KVM counts.
 *
 * Each of our counts is paired with another, which grows when ours does:
 *
 *	exits	KVM's exits on SVM. On VMX KVM also counts entries that it did not make or that
 *		failed, without an event, and 5.10 counts some exits that it traces not at all. So
 *		there it is the exits that KVM counts one by one for their reason, for interrupts
 *		and I/O: ours are not fewer.
 *	waits	the halts in KVM's histogram of waits. 5.10 has none: there all our halts are not
 *		fewer than those that KVM tried to poll in.
 *	polls	the halts that KVM counts as a poll that succeeded: ours are not fewer, as we also
 *		count those that neither polled nor waited.
 *	loads	KVM counts none: our own count of puts.
 *
 * In a vCPU that stands still the difference between the two is always the same, or where ours
 * are only not fewer it never grows. In one that runs KVM may have counted an event and we not
 * yet, or the other way round: one event, as one thread runs a vCPU. Hence each look gives bounds
 * for the difference, and the bounds of all looks must have something in common. A vCPU stands
 * still if nobody has its mutex, which KVM_RUN takes.
 *
 * No lock keeps the vCPU from running while its counts are read. Ours are read before and after
 * the others. When they are the same, the others were read in a moment in which ours were that.
 *
 * A vCPU that we saw come had a difference of 0 then. For any other the first look is compared
 * with nothing.
 *
 * Whoever may write to KVM's files in debugfs can set its counts to 0. What KVM has counted since
 * then is not more than we have since the last look: such a count is believed, and compared with
 * from then on. Events that we miss never look like that.
 */
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <asm/cpufeature.h>

#include "hook.h"
#include "object.h"
#include "vcpu_audit.h"

/* vCPUs that are looked at while kvm_lock is held. */
#define AT_A_TIME	8

/* How often one that runs is looked at before it counts as too busy. */
#define LOOK_TRIES	16

/* How much the other count tells about ours. */
enum tells {
	TELLS_NOTHING,
	TELLS_LEAST,	/* ours are not fewer */
	TELLS_ALL,	/* ours are as many */
};

static const struct pair {
	const char	*name;
	u64		hooks;
	u64		need;		/* of the statistics that are wrong if it is: KVMW_NEED_* */
	bool		kvms;		/* the other count is KVM's, so it can be set to 0 */
} pairs[KVMW_NR_PAIRS] = {
	[KVMW_PAIR_EXITS] = {
		"exits", KVMW_HOOK_BIT(exit), KVMW_NEED_EXITED, true
	},
	[KVMW_PAIR_WAITS] = {
		KVMW_KVM_COUNTS_WAITS ? "halts that wait" : "halts",
		KVMW_HOOK_BIT(wakeup), KVMW_NEED_WOKEN, true
	},
	[KVMW_PAIR_POLLS] = {
		"halts that poll", KVMW_HOOK_BIT(wakeup), KVMW_NEED_WOKEN, true
	},
	[KVMW_PAIR_LOADS] = {
		"loads", KVMW_HOOK_BIT(vcpu_load) | KVMW_HOOK_BIT(vcpu_put), KVMW_NEED_PAIRED, false
	},
};

/* Does KVM count each exit, and nothing else? NULL: of a usual vCPU. */
static bool exits_counted(const struct kvm_vcpu *kvcpu)
{
	return boot_cpu_has(X86_FEATURE_SVM) && !(kvcpu && kvmw_may_not_enter(kvcpu));
}

static enum tells tells(enum kvmw_pair pair, const struct kvm_vcpu *kvcpu)
{
	switch (pair) {
	case KVMW_PAIR_EXITS:
		return exits_counted(kvcpu) ? TELLS_ALL : TELLS_LEAST;
	case KVMW_PAIR_WAITS:
		return KVMW_KVM_COUNTS_WAITS ? TELLS_ALL : TELLS_LEAST;
	case KVMW_PAIR_POLLS:
		return TELLS_LEAST;
	default:
		return TELLS_ALL;
	}
}

/* What can be compared now: all that it needs was there all the time. Context: any. */
static void note_tells(const struct kvmw_vm *vm, const struct kvm_vcpu *kvcpu,
		       u8 note[KVMW_NR_PAIRS])
{
	u64 hooks = READ_ONCE(kvmw_hooks_attached) & ~READ_ONCE(vm->missed);
	int i;

	for (i = 0; i < KVMW_NR_PAIRS; i++) {
		note[i] = TELLS_NOTHING;
		if (!(pairs[i].hooks & ~hooks) && !(READ_ONCE(vm->refuted) & pairs[i].need))
			note[i] = tells(i, kvcpu);
	}
}

/* --- a look ----------------------------------------------------------------- */

struct look {
	struct kvmw_vcpu	*vcpu;
	bool			still;		/* it did not run */
	u8			tells[KVMW_NR_PAIRS];
	u64			ours[KVMW_NR_PAIRS];
	u64			others[KVMW_NR_PAIRS];
};

#define OURS(vcpu, stat)	READ_ONCE((vcpu)->stats.stat[0])

static void read_ours(const struct kvmw_vcpu *vcpu, u64 ours[KVMW_NR_PAIRS])
{
	ours[KVMW_PAIR_EXITS] = OURS(vcpu, exits);
	ours[KVMW_PAIR_WAITS] = OURS(vcpu, wakeups_wait);
	ours[KVMW_PAIR_POLLS] = OURS(vcpu, wakeups_poll);
	if (!KVMW_KVM_COUNTS_WAITS)
		ours[KVMW_PAIR_WAITS] += ours[KVMW_PAIR_POLLS];
	ours[KVMW_PAIR_LOADS] = OURS(vcpu, loads);
}

static void read_others(const struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu,
			u64 others[KVMW_NR_PAIRS])
{
	others[KVMW_PAIR_EXITS] = exits_counted(kvcpu) ? kvmw_kvm_exits(kvcpu) :
							 kvmw_kvm_some_exits(kvcpu);
	others[KVMW_PAIR_WAITS] = kvmw_kvm_waits(kvcpu);
	others[KVMW_PAIR_POLLS] = kvmw_kvm_polls(kvcpu);
	others[KVMW_PAIR_LOADS] = OURS(vcpu, puts);
}

static bool is_in_use(const struct kvm_vcpu *kvcpu)
{
	return mutex_is_locked((struct mutex *)&kvcpu->mutex);
}

/*
 * A KVM_RUN that is not over when the mutex is looked at last is seen there. One that is over by
 * then, and began after the first time, has been counted when ours are read again. False: they
 * changed each time. Context: the VM is pinned.
 */
static bool look_at(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu, struct look *look)
{
	u64 before[KVMW_NR_PAIRS];
	int tries;

	look->vcpu = vcpu;
	for (tries = 0; tries < LOOK_TRIES; tries++) {
		read_ours(vcpu, before);
		smp_rmb();	/* in this order, as one thread counts in another */
		look->still = !is_in_use(kvcpu);
		smp_rmb();
		read_others(vcpu, kvcpu, look->others);
		smp_rmb();
		look->still &= !is_in_use(kvcpu);
		smp_rmb();
		read_ours(vcpu, look->ours);
		if (!memcmp(before, look->ours, sizeof(before)))
			return true;
	}
	return false;
}

/* --- what comes of it ------------------------------------------------------- */

enum verdict { FIRST, SAME, TOO_FEW, TOO_MANY, RESET };

/* Is what KVM has counted not more than what we have since the last look, within @slack? */
static bool was_reset(const struct kvmw_pair_bounds *known, u64 ours, u64 other, s64 slack)
{
	return (s64)other <= (s64)(ours - known->ours) + slack;
}

static enum verdict compare(const struct kvmw_vcpu *vcpu, const struct look *look, int i,
			    const struct kvmw_pair_bounds *now)
{
	const struct kvmw_pair_bounds *known = &vcpu->audit.pairs[i];

	if (!known->known)
		return FIRST;
	if (now->low > known->high)
		return TOO_FEW;
	if (now->high >= known->low)
		return SAME;
	if (pairs[i].kvms && was_reset(known, now->ours, look->others[i], !look->still))
		return RESET;
	return TOO_MANY;
}

static void report(const struct kvmw_vcpu *vcpu, const struct look *look, int i, s64 diff)
{
	pr_warn_ratelimited("VM %llu (%s) vCPU %u: audit failed: %s: %llu counted, %lld expected\n",
			    vcpu->obj.vm->obj.id, vcpu->obj.vm->name, vcpu->vcpu_id,
			    pairs[i].name, look->ours[i], (s64)look->others[i] - diff);
}

static enum verdict judge_pair(struct kvmw_vcpu *vcpu, const struct look *look, int i)
{
	s64 diff = look->others[i] - look->ours[i], slack = !look->still;
	struct kvmw_pair_bounds now = { diff - slack, diff + slack, look->ours[i], true };
	struct kvmw_pair_bounds *known = &vcpu->audit.pairs[i];
	enum verdict verdict = compare(vcpu, look, i, &now);

	switch (verdict) {
	case SAME:
		now.low = max(now.low, known->low);
		now.high = min(now.high, known->high);
		break;
	case TOO_FEW:
		report(vcpu, look, i, known->high);
		break;
	case TOO_MANY:
		report(vcpu, look, i, known->low);
		break;
	default:
		break;
	}
	if (look->tells[i] == TELLS_LEAST)
		now.low = S64_MIN;
	*known = now;
	return verdict;
}

/* Returns what is refuted: KVMW_NEED_*. */
static u64 judge(struct kvmw_vcpu *vcpu, const struct look *look, bool *compared)
{
	enum verdict verdict;
	u64 refuted = 0;
	int i;

	for (i = 0; i < KVMW_NR_PAIRS; i++) {
		if (look->tells[i] == TELLS_NOTHING)
			continue;
		verdict = judge_pair(vcpu, look, i);
		*compared |= verdict != FIRST && verdict != RESET;
		if (verdict == TOO_FEW || verdict == TOO_MANY)
			refuted |= pairs[i].need;
	}
	return refuted;
}

/* --- audits ----------------------------------------------------------------- */

/* Fill looks at some of the vCPUs. Returns how many, or -ESRCH. */
static int look_at_some(struct kvmw_vm *vm, struct kvmw_object **vcpus, int nr, struct look *looks)
{
	const struct kvm_vcpu *kvcpu;
	int i, filled = 0;

	if (!kvmw_pin(vm))
		return -ESRCH;
	for (i = 0; i < nr; i++) {
		/* It was created, so KVM has it as long as its VM. */
		kvcpu = READ_ONCE(vcpus[i]->key);
		if (!kvcpu)
			continue;
		note_tells(vm, kvcpu, looks[filled].tells);
		filled += look_at(kvmw_to_vcpu(vcpus[i]), kvcpu, &looks[filled]);
	}
	kvmw_unpin();
	return filled;
}

bool kvmw_vcpus_audit(struct kvmw_vm *vm)
{
	struct look looks[AT_A_TIME];
	struct kvmw_object **vcpus;
	bool compared = false;
	u64 refuted = 0;
	int nr, i, j, n;

	nr = kvmw_get_children(vm, KVMWATCH_KIND_VCPU, &vcpus);
	if (nr < 0)
		return true;
	for (i = 0; i < nr; i += AT_A_TIME) {
		n = look_at_some(vm, vcpus + i, min(nr - i, AT_A_TIME), looks);
		for (j = 0; j < n; j++)
			refuted |= judge(looks[j].vcpu, &looks[j], &compared);
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

/* --- from birth to death ---------------------------------------------------- */

void kvmw_vcpu_audit_begin(struct kvmw_vcpu *vcpu)
{
	int i;

	/* While hooks are being attached, others may miss what it does. */
	if (!READ_ONCE(kvmw_hooks_attached))
		return;
	for (i = 0; i < KVMW_NR_PAIRS; i++)
		vcpu->audit.pairs[i].known = true;
}

void kvmw_vcpu_audit_end(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu)
{
	/* While they are being removed, too; and its creation may have failed. */
	if (!READ_ONCE(kvmw_hooks_attached) || !READ_ONCE(vcpu->created))
		return;
	note_tells(vcpu->obj.vm, kvcpu, vcpu->audit.tells);
	read_others(vcpu, kvcpu, vcpu->audit.others);
}

void kvmw_vcpu_audit_last(struct kvmw_vcpu *vcpu)
{
	struct kvmw_vm *vm = vcpu->obj.vm;
	struct look look = { .still = true };
	u64 refuted;

	lockdep_assert_held(&vm->lock);
	memcpy(look.tells, vcpu->audit.tells, sizeof(look.tells));
	memcpy(look.others, vcpu->audit.others, sizeof(look.others));
	read_ours(vcpu, look.ours);
	refuted = judge(vcpu, &look, &vm->ends_compared);
	vm->ends_refuted |= refuted;
	WRITE_ONCE(vm->refuted, vm->refuted | refuted);
}

/* --- what there is ---------------------------------------------------------- */

void kvmw_vcpu_audit_describe(struct seq_file *m)
{
	static const char *const words[] = {
		[TELLS_NOTHING] = "unavailable", [TELLS_LEAST] = "at least", [TELLS_ALL] = "each",
	};
	u64 hooks = READ_ONCE(kvmw_hooks_attached);
	enum tells it;
	int i;

	seq_puts(m, "# audits of vCPUs:");
	for (i = 0; i < KVMW_NR_PAIRS; i++) {
		it = pairs[i].hooks & ~hooks ? TELLS_NOTHING : tells(i, NULL);
		seq_printf(m, "%s %s (%s)", i ? "," : "", pairs[i].name, words[it]);
	}
	seq_putc(m, '\n');
}
