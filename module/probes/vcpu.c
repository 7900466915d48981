// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks on a vCPU's time: loads, puts and halts.
 *
 * All these events come on the vCPU's own thread while no other thread can run it. So a record has
 * one writer at a time, which needs neither locks nor atomic operations.
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
#include "records/vcpu.h"

/* Count the time in the cell of the reason why the vCPU was off its pCPU. */
static __always_inline void count_off(struct kvmw_vcpu *vcpu, u64 ticks)
{
	kvmw_count(vcpu, off_cpu_ns, (u64)vcpu->where - KVMW_VCPU_OFF_CPU, ticks);
	kvmw_fed(vcpu, user_time_ns);
	kvmw_fed(vcpu, wait_time_ns);
	kvmw_fed(vcpu, preempted_time_ns);
	kvmw_fed(vcpu, blocked_time_ns);
}

/* A put on this CPU asks by the time of the load whether these are of the same stretch. */
static void trace_load(const struct kvmw_vcpu *vcpu, u64 off_ns, bool migrated)
{
	__this_cpu_write(kvmw_cpu.traced_load, vcpu->since);
	__this_cpu_write(kvmw_cpu.load_entries, vcpu->stats.load_entry_ns[0]);
	trace_kvmwatch_vcpu_load(vcpu, off_ns, migrated);
}

static __always_inline void loaded(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu, u64 cpu,
				   const bool usual)
{
	bool migrated = false;
	u64 now, off = 0;

	raw_write_seqcount_begin(&vcpu->seq);
	/* Read the clock inside, so that no reader pairs the old state with a later time. */
	now = kvmw_now_of(usual);
	if (usual || vcpu->where >= KVMW_VCPU_OFF_CPU) {
		off = kvmw_ticks(now, vcpu->since);
		count_off(vcpu, off);
		kvmw_hist(vcpu, off_cpu_hist, off);
		kvmw_max(vcpu, off_cpu_ns_max, off);
	} else {
		kvmw_inc(vcpu, loads);
		if (vcpu->where == KVMW_VCPU_UNKNOWN)
			kvmw_vcpu_begin(vcpu, now);
	}
	if (unlikely(vcpu->stats.pcpu[0] != cpu)) {
		migrated = vcpu->where != KVMW_VCPU_UNKNOWN;
		kvmw_add(vcpu, load_migrations, migrated);
		kvmw_set(vcpu, pcpu, cpu);
	}
	vcpu->where = KVMW_VCPU_ON_CPU;
	vcpu->since = now;
	/* How long the thread has waited does not change while it has the vCPU loaded. */
	if (likely(vcpu->delay_pid == task_pid(current)))
		vcpu->delay_seen = kvmw_waited();
	else if (kvmw_runs_here(kvcpu))
		kvmw_delay_from_here(vcpu);
	raw_write_seqcount_end(&vcpu->seq);

	if (!usual)
		trace_load(vcpu, kvmw_ticks_ns(off), migrated);
}

static noinline void load_unusual(const struct kvm_vcpu *kvcpu, u64 cpu)
{
	struct kvmw_cpu *c = this_cpu_ptr(&kvmw_cpu);
	struct kvmw_vcpu *vcpu = kvmw_vcpu_of(c, kvcpu);

	c->vcpu = vcpu ?: &kvmw_no_vcpu;
	if (vcpu)
		loaded(vcpu, kvcpu, cpu, false);
}

/* kvm_arch_vcpu_load(kvcpu, cpu) */
static __always_inline void on_vcpu_load(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_vcpu *kvcpu = (void *)KVMW_ARG1(regs);
	struct kvmw_vcpu *vcpu = __this_cpu_read(kvmw_cpu.last_vcpu);
	u64 cpu = (u32)KVMW_ARG2(regs);

	if (unlikely(!kvmw_vcpu_is(vcpu, kvcpu) || vcpu->where < KVMW_VCPU_OFF_CPU ||
		     !kvmw_clock_is_tsc() || trace_kvmwatch_vcpu_load_enabled())) {
		load_unusual(kvcpu, cpu);
		return;
	}
	__this_cpu_write(kvmw_cpu.vcpu, vcpu);
	loaded(vcpu, kvcpu, cpu, true);
}

/*
 * Why KVM puts the vCPU. A thread that keeps running is on its way to userspace. The scheduler puts
 * the vCPU of a thread that it preempts or that goes to sleep; in a halt both count as waiting, as
 * a halt first polls, when it may be preempted, and then sleeps.
 */
static __always_inline enum kvmw_off why_off(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu,
					     const struct task_struct *task)
{
	enum kvmw_off why;

	if (unlikely(kvcpu->preempted)) {
		kvmw_inc(vcpu, preemptions);
		why = KVMW_OFF_PREEMPTED;
	} else {
		if (likely(kvmw_task_runs(task)))
			return KVMW_OFF_USER;
		why = KVMW_OFF_BLOCKED;
	}
	if (!vcpu->halted)
		return why;
	vcpu->delay_halted = vcpu->delay_seen;
	return KVMW_OFF_WAIT;
}

/*
 * At a put the vCPU is out of guest mode, but KVM's event of the exit may be missing. On SVM up to
 * 6.1 that event comes after preemption is on again, so a fully preemptible kernel may switch
 * before it. On VMX there is no event after a failed entry. In both cases the span of the exit
 * begins at the put.
 */
static __always_inline void count_exit_put(struct kvmw_vcpu *vcpu, u64 now)
{
	u64 since = vcpu->exit_span.since, ticks;

	if (likely(since > vcpu->since)) {
		ticks = kvmw_ticks(now, since);
		kvmw_add(vcpu, exit_put_ns, ticks);
		kvmw_hist(vcpu, exit_put_hist, ticks);
		kvmw_max(vcpu, exit_put_ns_max, ticks);
	} else if (!since && !vcpu->begun) {
		kvmw_span_put(&vcpu->exit_span, now, KVMW_EXIT_REST);
	}
}

/* Of the stretch that ends @now, for the event of the put. Call this before count_exit_put(). */
static void find_latency(const struct kvmw_vcpu *vcpu, u64 now, struct kvmw_latency *latency)
{
	u64 exit = vcpu->exit_span.since, entry = vcpu->stats.load_entry_ns[0];

	*latency = (struct kvmw_latency){ -1, -1 };
	if (vcpu->where != KVMW_VCPU_ON_CPU)
		return;
	if (exit > vcpu->since)
		latency->exit_put_ns = kvmw_ticks_ns(kvmw_ticks(now, exit));
	if (__this_cpu_read(kvmw_cpu.traced_load) != vcpu->since)
		return;
	entry -= __this_cpu_read(kvmw_cpu.load_entries);
	if (entry)
		latency->load_entry_ns = kvmw_ticks_ns(entry);
}

static __always_inline void put(struct kvmw_vcpu *vcpu, const struct kvm_vcpu *kvcpu,
				const struct task_struct *task, const bool usual)
{
	struct kvmw_latency latency;
	enum kvmw_off why;
	u64 now, on = 0;

	raw_write_seqcount_begin(&vcpu->seq);
	now = kvmw_now_of(usual);
	why = why_off(vcpu, kvcpu, task);
	if (!usual)
		find_latency(vcpu, now, &latency);
	if (usual || vcpu->where == KVMW_VCPU_ON_CPU) {
		on = kvmw_ticks(now, vcpu->since);
		kvmw_add(vcpu, on_cpu_ns, on);
		kvmw_hist(vcpu, on_cpu_hist, on);
		kvmw_max(vcpu, on_cpu_ns_max, on);
		count_exit_put(vcpu, now);
	} else {
		kvmw_inc(vcpu, puts);
		if (vcpu->where == KVMW_VCPU_UNKNOWN)
			kvmw_vcpu_begin(vcpu, now);
		if (kvmw_runs_here(kvcpu))
			kvmw_delay_from_here(vcpu);
	}
	vcpu->where = KVMW_VCPU_OFF_CPU + why;
	vcpu->since = now;
	raw_write_seqcount_end(&vcpu->seq);

	if (!usual)
		trace_kvmwatch_vcpu_put(vcpu, kvmw_ticks_ns(on), &latency, kvcpu->preempted);
}

/* Call this after the put is counted: see find_loaded(). */
static __always_inline void leave(struct kvmw_vcpu *vcpu, const struct task_struct *task)
{
	__this_cpu_write(kvmw_cpu.vcpu, &kvmw_no_vcpu);
	__this_cpu_write(kvmw_cpu.leaving, vcpu);
	__this_cpu_write(kvmw_cpu.leaver, task);
	__this_cpu_write(kvmw_cpu.leaver_switches, kvmw_switches(task));
}

static noinline void put_unusual(const struct kvm_vcpu *kvcpu)
{
	struct kvmw_vcpu *vcpu = kvmw_vcpu_of(this_cpu_ptr(&kvmw_cpu), kvcpu);

	if (vcpu)
		put(vcpu, kvcpu, current, false);
	leave(vcpu, current);
}

/* kvm_arch_vcpu_put(kvcpu) */
static __always_inline void on_vcpu_put(const struct pt_regs *regs, unsigned long caller)
{
	const struct kvm_vcpu *kvcpu = (void *)KVMW_ARG1(regs);
	struct kvmw_vcpu *vcpu = __this_cpu_read(kvmw_cpu.last_vcpu);
	const struct task_struct *task = current;

	if (unlikely(!kvmw_vcpu_is(vcpu, kvcpu) || vcpu->where != KVMW_VCPU_ON_CPU ||
		     !kvmw_clock_is_tsc() || trace_kvmwatch_vcpu_put_enabled())) {
		put_unusual(kvcpu);
		return;
	}
	put(vcpu, kvcpu, task, true);
	leave(vcpu, task);
}

/* vcpu_load(), vcpu_put() and the scheduler call these functions with preemption off. */
KVMW_PINNED_HANDLER(vcpu_load, on_vcpu_load);
KVMW_PINNED_HANDLER(vcpu_put, on_vcpu_put);

/* --- cost of loads and puts ------------------------------------------------ */

static __always_inline void count_load(struct kvmw_vcpu *vcpu, u64 ticks)
{
	raw_write_seqcount_begin(&vcpu->seq);
	kvmw_add(vcpu, load_cost_ns, ticks);
	kvmw_hist(vcpu, load_cost_hist, ticks);
	raw_write_seqcount_end(&vcpu->seq);
}

static __always_inline void count_put(struct kvmw_vcpu *vcpu, u64 ticks)
{
	raw_write_seqcount_begin(&vcpu->seq);
	kvmw_add(vcpu, put_cost_ns, ticks);
	kvmw_hist(vcpu, put_cost_hist, ticks);
	raw_write_seqcount_end(&vcpu->seq);
}

static __always_inline void on_load_return(u64 ticks)
{
	struct kvmw_vcpu *vcpu = kvmw_vcpu_loaded();

	if (vcpu)
		count_load(vcpu, ticks);
}

static __always_inline void on_put_return(u64 ticks)
{
	struct kvmw_vcpu *vcpu = __this_cpu_read(kvmw_cpu.leaving);

	if (vcpu)
		count_put(vcpu, ticks);
}

KVMW_RET_HANDLER(load_cost, on_load_return);
KVMW_RET_HANDLER(put_cost, on_put_return);

/*
 * The thunk has read the TSC. Where that is no clock, the stretch begins where the hit of the load
 * or put took the time.
 */
static u64 ticks_since_hit(const struct kvmw_vcpu *vcpu)
{
	return kvmw_ticks(kvmw_now_slow(), vcpu->since);
}

static noinline void load_without_tsc(struct kvmw_vcpu *vcpu)
{
	count_load(vcpu, ticks_since_hit(vcpu));
}

static noinline void put_without_tsc(struct kvmw_vcpu *vcpu)
{
	count_put(vcpu, ticks_since_hit(vcpu));
}

void notrace kvmw_timed_load_cost(u64 since)
{
	u64 ticks = kvmw_ticks(rdtsc(), since);
	struct kvmw_vcpu *vcpu = __this_cpu_read(kvmw_cpu.vcpu);

	kvmw_hit(KVMW_HOOK_load_cost);
	if (unlikely(vcpu == &kvmw_no_vcpu))
		return;
	if (kvmw_clock_is_tsc())
		count_load(vcpu, ticks);
	else
		load_without_tsc(vcpu);
}

void notrace kvmw_timed_put_cost(u64 since)
{
	u64 ticks = kvmw_ticks(rdtsc(), since);
	struct kvmw_vcpu *vcpu = __this_cpu_read(kvmw_cpu.leaving);

	kvmw_hit(KVMW_HOOK_put_cost);
	if (unlikely(!vcpu))
		return;
	if (kvmw_clock_is_tsc())
		count_put(vcpu, ticks);
	else
		put_without_tsc(vcpu);
}

/* --- halts ----------------------------------------------------------------- */

/* kvm_vcpu_halt(kvcpu) polls, then blocks. The event kvm_vcpu_wakeup ends the halt. */
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
 * The events below have no vCPU as argument: it is the one that is loaded here. The cached vCPU may
 * be another one, if a hit of a put was missed because somebody switched ftrace off.
 */
static __always_inline struct kvmw_vcpu *vcpu_here(enum kvmw_hook_id hook)
{
	struct kvmw_vcpu *vcpu = __this_cpu_read(kvmw_cpu.vcpu);

	kvmw_hit(hook);
	if (likely(kvmw_vcpu_loaded_by_current(vcpu)))
		return vcpu;
	kvmw_lost(NULL);
	return NULL;
}

static void set_window(struct kvmw_vcpu *vcpu, unsigned int window)
{
	kvmw_set(vcpu, halt_poll_ns, window);
	kvmw_max(vcpu, halt_poll_ns_max, window);
}

/* If the window differs from that of the last event, KVM has clamped or reset it. */
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

/*
 * How long the thread was ready in its last wait before it got a pCPU: what the wake-up of a halt
 * took that has @blocked. -1: unknown, as nothing of the thread was seen before.
 */
static s64 wakeup_delay(const struct kvmw_vcpu *vcpu, bool blocked)
{
	if (!blocked)
		return 0;
	if (vcpu->delay_pid != task_pid(current) || vcpu->delay_halted == KVMW_NO_DELAY)
		return -1;
	return vcpu->delay_seen - vcpu->delay_halted;
}

static noinline void trace_halt(const struct kvmw_vcpu *vcpu, u64 ticks, bool blocked, bool valid)
{
	trace_kvmwatch_halt(vcpu, kvmw_ticks_ns(ticks), wakeup_delay(vcpu, blocked), blocked,
			    valid);
}

/* @ns is KVM's measure of the halt. Ours starts earlier, ends later, and is monotonic. */
void kvmw_tp_wakeup(void *data, __u64 ns, bool waited, bool valid)
{
	const struct kvm_vcpu *kvcpu;
	struct kvmw_vcpu *vcpu;
	u64 ticks;

	kvmw_tp_enter();
	vcpu = vcpu_here(KVMW_HOOK_wakeup);
	if (vcpu) {
		kvcpu = vcpu->obj.key;	/* vcpu_here() checked that it is loaded here */
		raw_write_seqcount_begin(&vcpu->seq);
		if (vcpu->halted) {
			ticks = kvmw_ticks(kvmw_now(), vcpu->halted_since);
		} else {	/* the halt began before we watched */
			kvmw_inc(vcpu, halts);
			ticks = kvmw_ns_ticks(ns) + 1;	/* at least @ns after rounding */
			vcpu->halts_before += ticks;
		}
		vcpu->halted = false;
		kvmw_add(vcpu, halt_time_ns, ticks);
		kvmw_hist(vcpu, halt_hist, ticks);
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
		if (trace_kvmwatch_halt_enabled())
			trace_halt(vcpu, ticks, waited, valid);
	}
	kvmw_tp_leave();
}
