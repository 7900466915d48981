// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on what a vCPU does with its time: loaded on a pCPU, put from it, halted.
 *
 * All of it happens on the vCPU's own thread while no other can run it, so a record
 * has one writer at a time, and writes need neither lock nor atomic.
 */
#include <linux/compiler.h>
#include <linux/kvm_host.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/seqlock.h>

#include "hooks/handler.h"
#include "kernel/clock.h"
#include "kernel/kvm_vcpu.h"
#include "kernel/regs.h"
#include "kernel/tracepoint.h"
#include "probes/handlers.h"
#include "probes/trace.h"
#include "probes/vcpu_hit.h"
#include "records/counts.h"
#include "records/cpu.h"
#include "records/exit_span.h"
#include "records/lost.h"
#include "records/record.h"

/*
 * How long the thread has waited on runqueues in its life: what KVM's steal time goes by.
 * It grows when the thread gets a pCPU, which is before KVM loads the vCPU.
 */
static __always_inline u64 waited(void)
{
	return current->sched_info.run_delay;
}

static __always_inline void loaded(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu, u64 cpu,
				   const bool usual)
{
	bool migrated = false;
	u64 now, off_ns = 0;

	raw_write_seqcount_begin(&vcpu->seq);
	/* In here, so that nobody reads what was, at a later time than this. */
	now = kvmw_now_of(usual);
	kvmw_inc(vcpu, loads);
	if (likely(vcpu->where == KVMW_VCPU_OFF_CPU)) {
		off_ns = kvmw_elapsed(now, vcpu->since);
		kvmw_add(vcpu, off_cpu_ns, off_ns);
		kvmw_hist(vcpu, off_cpu_hist, off_ns);
		kvmw_max(vcpu, off_cpu_ns_max, off_ns);
	}
	if (unlikely(vcpu->stats.pcpu[0] != cpu)) {
		migrated = vcpu->where != KVMW_VCPU_UNKNOWN;
		kvmw_add(vcpu, load_migrations, migrated);
		kvmw_set(vcpu, pcpu, cpu);
	}
	vcpu->where = KVMW_VCPU_ON_CPU;
	vcpu->since = now;
	if (kvmw_runs_here(kvcpu)) {
		if (vcpu->delay_pid == task_pid(current))
			kvmw_add(vcpu, run_delay_ns, waited() - vcpu->delay_base);
		vcpu->tid = current->pid;
	}
	raw_write_seqcount_end(&vcpu->seq);

	if (!usual)
		trace_kvmwatch_vcpu_load(vcpu, off_ns, migrated);
}

static noinline void load_unusual(const struct kvm_vcpu *kvcpu, u64 cpu)
{
	struct kvmw_cpu *c = this_cpu_ptr(&kvmw_cpu);
	struct kvmw_vcpu *vcpu = kvmw_vcpu_of(c, kvcpu);

	c->vcpu = vcpu;
	if (vcpu)
		loaded(vcpu, kvcpu, cpu, false);
}

/* kvm_arch_vcpu_load(kvcpu, cpu) */
static __always_inline void on_vcpu_load(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_vcpu *kvcpu = (void *)KVMW_ARG1(regs);
	struct kvmw_cpu *c = this_cpu_ptr(&kvmw_cpu);
	struct kvmw_vcpu *vcpu = kvmw_vcpu_cached(c, kvcpu);
	u64 cpu = (u32)KVMW_ARG2(regs);

	if (unlikely(!vcpu || !kvmw_clock_is_tsc() || trace_kvmwatch_vcpu_load_enabled())) {
		load_unusual(kvcpu, cpu);
		return;
	}
	c->vcpu = vcpu;
	loaded(vcpu, kvcpu, cpu, true);
}

/*
 * A vCPU that is preempted is not in guest mode. Where KVM's event of the exit comes when
 * preemption is on again (SVM up to 6.1), a fully preemptible kernel switches before it, and
 * the time that the others take would not be counted.
 */
static __always_inline void preempted(struct kvmw_vcpu *vcpu, u64 now)
{
	kvmw_inc(vcpu, preemptions);
	if (vcpu->stats.exits[0])
		kvmw_span_preempted(&vcpu->exit_span, now);
}

static __always_inline void put(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu,
				const bool usual)
{
	u64 now, on_ns = 0;

	raw_write_seqcount_begin(&vcpu->seq);
	now = kvmw_now_of(usual);
	kvmw_inc(vcpu, puts);
	if (kvcpu->preempted)
		preempted(vcpu, now);
	if (likely(vcpu->where == KVMW_VCPU_ON_CPU)) {
		on_ns = kvmw_elapsed(now, vcpu->since);
		kvmw_add(vcpu, on_cpu_ns, on_ns);
		kvmw_hist(vcpu, on_cpu_hist, on_ns);
		kvmw_max(vcpu, on_cpu_ns_max, on_ns);
	}
	vcpu->where = KVMW_VCPU_OFF_CPU;
	vcpu->since = now;
	if (kvmw_runs_here(kvcpu)) {
		vcpu->delay_pid = task_pid(current);
		vcpu->delay_base = waited();
	}
	raw_write_seqcount_end(&vcpu->seq);

	if (!usual)
		trace_kvmwatch_vcpu_put(vcpu, on_ns, kvcpu->preempted);
}

/* After the put is counted: see find_loaded(). */
static __always_inline void leave(struct kvmw_cpu *c, struct kvmw_vcpu *vcpu)
{
	c->vcpu = NULL;
	c->leaving = vcpu;
	c->leaver = current;
	c->leaver_switches = kvmw_switches(current);
}

static noinline void put_unusual(const struct kvm_vcpu *kvcpu)
{
	struct kvmw_cpu *c = this_cpu_ptr(&kvmw_cpu);
	struct kvmw_vcpu *vcpu = kvmw_vcpu_of(c, kvcpu);

	if (vcpu)
		put(vcpu, kvcpu, false);
	leave(c, vcpu);
}

/* kvm_arch_vcpu_put(kvcpu) */
static __always_inline void on_vcpu_put(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_vcpu *kvcpu = (void *)KVMW_ARG1(regs);
	struct kvmw_cpu *c = this_cpu_ptr(&kvmw_cpu);
	struct kvmw_vcpu *vcpu = kvmw_vcpu_cached(c, kvcpu);

	if (unlikely(!vcpu || !kvmw_clock_is_tsc() || trace_kvmwatch_vcpu_put_enabled())) {
		put_unusual(kvcpu);
		return;
	}
	put(vcpu, kvcpu, true);
	leave(c, vcpu);
}

/* A vCPU is loaded and put by get_cpu(), and by the scheduler. */
KVMW_PINNED_HANDLER(vcpu_load, on_vcpu_load);
KVMW_PINNED_HANDLER(vcpu_put, on_vcpu_put);

/* --- what loading and putting cost ----------------------------------------- */

static __always_inline void on_load_return(u64 ns)
{
	struct kvmw_vcpu *vcpu = this_cpu_read(kvmw_cpu.vcpu);

	if (!vcpu)
		return;
	raw_write_seqcount_begin(&vcpu->seq);
	kvmw_add(vcpu, load_cost_ns, ns);
	kvmw_hist(vcpu, load_cost_hist, ns);
	raw_write_seqcount_end(&vcpu->seq);
}

static __always_inline void on_put_return(u64 ns)
{
	struct kvmw_vcpu *vcpu = this_cpu_read(kvmw_cpu.leaving);

	if (!vcpu)
		return;
	raw_write_seqcount_begin(&vcpu->seq);
	kvmw_add(vcpu, put_cost_ns, ns);
	kvmw_hist(vcpu, put_cost_hist, ns);
	raw_write_seqcount_end(&vcpu->seq);
}

KVMW_RET_HANDLER(load_cost, on_load_return);
KVMW_RET_HANDLER(put_cost, on_put_return);

/* --- halts ----------------------------------------------------------------- */

/* kvm_vcpu_halt(kvcpu): polls, then blocks; the wakeup event ends it. */
static __always_inline void on_halt(const struct pt_regs *regs, unsigned long caller)
{
	struct kvmw_cpu *c = this_cpu_ptr(&kvmw_cpu);
	struct kvmw_vcpu *vcpu = kvmw_vcpu_of(c, (void *)KVMW_ARG1(regs));

	if (!vcpu)
		return;
	raw_write_seqcount_begin(&vcpu->seq);
	kvmw_inc(vcpu, halts);
	vcpu->halted = true;
	vcpu->halted_since = kvmw_now();
	raw_write_seqcount_end(&vcpu->seq);
}

KVMW_FUNC_HANDLER(halt, on_halt);

/*
 * The events below do not say whose they are: of the vCPU that is loaded here. If the hook of a
 * put was missed, because somebody has switched ftrace off, that is not the one we remember.
 */
static __always_inline struct kvmw_vcpu *vcpu_here(enum kvmw_hook_id hook)
{
	struct kvmw_cpu *c = this_cpu_ptr(&kvmw_cpu);
	struct kvmw_vcpu *vcpu = c->vcpu;

	kvmw_hit(hook);
	if (likely(vcpu && kvmw_vcpu_loaded_by_current(vcpu)))
		return vcpu;
	kvmw_lost(NULL);
	return NULL;
}

static void set_window(struct kvmw_vcpu *vcpu, unsigned int window)
{
	kvmw_set(vcpu, halt_poll_ns, window);
	kvmw_max(vcpu, halt_poll_ns_max, window);
}

/* The window is not what the last event left: KVM clamped or reset it. */
static void check_silent(struct kvmw_vcpu *vcpu, unsigned int window)
{
	u64 known = vcpu->stats.halt_poll_ns[0];

	if (window == known)
		return;
	kvmw_inc(vcpu, halt_poll_silent);
	set_window(vcpu, window);
	trace_kvmwatch_halt_poll(vcpu, window ? KVMW_POLL_CLAMP : KVMW_POLL_RESET, known, window);
}

void kvmw_tp_halt_poll(void *data, bool grow, unsigned int vcpu_id, unsigned int new,
		       unsigned int old)
{
	struct kvmw_vcpu *vcpu;

	kvmw_tp_enter();
	vcpu = vcpu_here(KVMW_HOOK_halt_poll);
	if (vcpu) {
		raw_write_seqcount_begin(&vcpu->seq);
		check_silent(vcpu, old);
		if (grow)
			kvmw_inc(vcpu, halt_poll_grow);
		else
			kvmw_inc(vcpu, halt_poll_shrink);
		set_window(vcpu, new);
		raw_write_seqcount_end(&vcpu->seq);
		trace_kvmwatch_halt_poll(vcpu, grow ? KVMW_POLL_GROW : KVMW_POLL_SHRINK, old, new);
	}
	kvmw_tp_leave();
}

/* @ns is KVM's own measure; ours also covers the way in and out, and never steps back. */
void kvmw_tp_wakeup(void *data, __u64 ns, bool waited, bool valid)
{
	const struct kvm_vcpu *kvcpu;
	struct kvmw_vcpu *vcpu;

	kvmw_tp_enter();
	vcpu = vcpu_here(KVMW_HOOK_wakeup);
	if (vcpu) {
		kvcpu = vcpu->obj.key;	/* loaded here, says vcpu_here() */
		raw_write_seqcount_begin(&vcpu->seq);
		if (vcpu->halted)
			ns = kvmw_elapsed(kvmw_now(), vcpu->halted_since);
		else		/* began before we watched */
			kvmw_inc(vcpu, halts);
		vcpu->halted = false;
		kvmw_add(vcpu, halt_time_ns, ns);
		kvmw_hist(vcpu, halt_hist, ns);
		if (waited)
			kvmw_inc(vcpu, wakeups_wait);
		else
			kvmw_inc(vcpu, wakeups_poll);
		if (valid)
			kvmw_inc(vcpu, wakeups_valid);
		else
			kvmw_inc(vcpu, wakeups_invalid);
		check_silent(vcpu, READ_ONCE(kvcpu->halt_poll_ns));
		raw_write_seqcount_end(&vcpu->seq);
		trace_kvmwatch_halt(vcpu, ns, waited, valid);
	}
	kvmw_tp_leave();
}
