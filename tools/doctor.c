// SPDX-License-Identifier: GPL-2.0
/* The rules of kvmwatch doctor. See doctor.h. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "doctor.h"
#include "quantity.h"

/* Loads are slow from this mean time on. Quick ones take much time only if there are many. */
#define SLOW_LOAD_NS	100000
/* Polling is in vain if it wins fewer than one of so many halts. */
#define WINS_OF		10

const struct doctor_limit doctor_limits[DOCTOR_NR] = {
	[DOCTOR_STARVED]	= { "starved", 0.05, "5%", "vcpu" },
	[DOCTOR_LOAD]		= { "load", 0.05, "5%, and 100 us a load", "stat" },
	[DOCTOR_BLOCKED]	= { "blocked", 0.05, "5%", "stat" },
	[DOCTOR_EXITS]		= { "exits", 0.10, "10%", "exits" },
	[DOCTOR_POLL]		= { "poll", 0.05, "5%, and wins below 10%", "haltpoll" },
	[DOCTOR_HUGE]		= { "huge", 0.10, "10%, as much unmapped", "huge" },
	[DOCTOR_UNMAPPED]	= { "unmapped", 0.25, "25% of its peak", "pages" },
	[DOCTOR_LOGGING]	= { "logging", 0.50, "50%, not collected", "collects" },
	[DOCTOR_AUDIT]		= { "audit", 1, "1", "audit" },
	[DOCTOR_HOOKS]		= { "hooks", 1, "1", "hooks" },
};

static void not_known(struct doctor_verdict *verdict)
{
	verdict->state = DOCTOR_UNKNOWN;
	snprintf(verdict->seen, sizeof(verdict->seen), "unknown: see kvmwatch hooks");
}

/* Returns whether the limit is reached. */
static bool weigh(struct doctor_verdict *verdict, enum doctor_rule rule, double value)
{
	verdict->value = value;
	return value >= doctor_limits[rule].limit;
}

static void stands_out_if(struct doctor_verdict *verdict, bool it_does)
{
	verdict->state = it_does ? DOCTOR_STANDS_OUT : DOCTOR_WELL;
}

#define see(verdict, ...)	snprintf((verdict)->seen, sizeof((verdict)->seen), __VA_ARGS__)

/* --- rules of vCPUs -------------------------------------------------------- */

static bool weigh_part(struct doctor_verdict *verdict, enum doctor_rule rule, __u64 part,
		       __u64 whole)
{
	return weigh(verdict, rule, part < whole ? (double)part / whole : 1);
}

/*
 * Run delay includes waits after wake-ups, but grows only when a wait ends. The time preempted
 * includes a wait that goes on.
 */
static void judge_starved(const struct doctor_vcpu *vcpu, struct doctor_verdict *verdict)
{
	__u64 ns = vcpu->preempted.known ? vcpu->preempted.number : 0;

	if (!vcpu->preempted.known && !vcpu->delay.known)
		return not_known(verdict);
	if (vcpu->delay.known && vcpu->delay.number > ns)
		ns = vcpu->delay.number;
	stands_out_if(verdict, weigh_part(verdict, DOCTOR_STARVED, ns, vcpu->time.number));
	see(verdict, "waits for a pCPU for %.1f%% of its time", verdict->value * 100);
}

static void judge_load(const struct doctor_vcpu *vcpu, struct doctor_verdict *verdict)
{
	__u64 loads = vcpu->entries.number, average = 0;
	struct quantity q;
	bool much;

	if (!vcpu->load_entry.known || !vcpu->entries.known)
		return not_known(verdict);
	if (loads)
		average = vcpu->load_entry.number / loads;
	q = quantity_ns(average);
	much = weigh_part(verdict, DOCTOR_LOAD, vcpu->load_entry.number, vcpu->time.number);
	stands_out_if(verdict, much && average >= SLOW_LOAD_NS);
	see(verdict, "takes %s %s from load to entry, %.1f%% of its time", q.value, q.unit,
	    verdict->value * 100);
}

static void judge_blocked(const struct doctor_vcpu *vcpu, struct doctor_verdict *verdict)
{
	if (!vcpu->blocked.known)
		return not_known(verdict);
	stands_out_if(verdict, weigh_part(verdict, DOCTOR_BLOCKED, vcpu->blocked.number,
					  vcpu->time.number));
	see(verdict, "sleeps in KVM without a halt for %.1f%% of its time",
	    verdict->value * 100);
}

/* Leave out waits for a pCPU or for memory within exits: other rules name them. */
static void judge_exits(const struct doctor_vcpu *vcpu, struct doctor_verdict *verdict)
{
	__u64 others = vcpu->preempted.number + vcpu->blocked.number, ns = vcpu->exit.number;

	if (!vcpu->exit.known || !vcpu->preempted.known || !vcpu->blocked.known)
		return not_known(verdict);
	ns = ns > others ? ns - others : 0;
	stands_out_if(verdict, weigh_part(verdict, DOCTOR_EXITS, ns, vcpu->time.number));
	see(verdict, "exits by %s take %.1f%% of its time",
	    vcpu->reason ? vcpu->reason : "any reason but halts", verdict->value * 100);
}

static void judge_poll(const struct doctor_vcpu *vcpu, struct doctor_verdict *verdict)
{
	__u64 halts = vcpu->polled.number + vcpu->waited.number;
	bool much;

	if (!vcpu->poll.known || !vcpu->polled.known || !vcpu->waited.known || !vcpu->polls.known)
		return not_known(verdict);
	/* Without a window, this time is only what it takes to go to sleep. */
	much = weigh_part(verdict, DOCTOR_POLL, vcpu->polls.number ? vcpu->poll.number : 0,
			  vcpu->time.number);
	stands_out_if(verdict, much && vcpu->polled.number * WINS_OF < halts);
	see(verdict, "polls for %.1f%% of its time, which ended %llu of %llu halts",
	    verdict->value * 100, vcpu->polled.number, halts);
}

void doctor_judge_vcpu(enum doctor_rule rule, const struct doctor_vcpu *vcpu,
		       struct doctor_verdict *verdict)
{
	static void (*const judge[])(const struct doctor_vcpu *, struct doctor_verdict *) = {
		[DOCTOR_STARVED] = judge_starved, [DOCTOR_LOAD] = judge_load,
		[DOCTOR_BLOCKED] = judge_blocked, [DOCTOR_EXITS] = judge_exits,
		[DOCTOR_POLL] = judge_poll,
	};

	memset(verdict, 0, sizeof(*verdict));
	if (!vcpu->time.known || !vcpu->time.number)
		not_known(verdict);
	else
		judge[rule](vcpu, verdict);
}

bool doctor_is_halt(const char *reason)
{
	static const char *const halts[] = {
		"hlt", "idle_hlt", "mwait", "mwait_cond", "mwait_instruction",
	};
	size_t i;

	for (i = 0; i < sizeof(halts) / sizeof(*halts); i++) {
		if (!strcasecmp(reason, halts[i]))
			return true;
	}
	return false;
}

/* --- rules of VMs ---------------------------------------------------------- */

static double share(__u64 part, __u64 whole)
{
	return whole ? (double)part / whole : 0;
}

/*
 * Memory that was never mapped by huge pages has lost none. Memory with dirty logging needs small
 * pages.
 */
static void judge_huge(const struct doctor_vm *vm, struct doctor_verdict *verdict)
{
	double limit = doctor_limits[DOCTOR_HUGE].limit;
	struct quantity gone;
	bool much;

	if (!vm->mapped.known || !vm->small.known || !vm->huge_gone.known)
		return not_known(verdict);
	if (!vm->logged.known)
		return not_known(verdict);
	if (share(vm->logged.bytes, vm->logged.memory) >= limit) {
		verdict->state = DOCTOR_UNKNOWN;
		see(verdict, "unknown: dirty logging needs pages of 4 KiB");
		return;
	}
	gone = quantity_bytes(vm->huge_gone.number);
	much = weigh(verdict, DOCTOR_HUGE, share(vm->small.number, vm->mapped.number));
	stands_out_if(verdict, much && share(vm->huge_gone.number, vm->mapped.number) >= limit);
	see(verdict, "%.1f%% of mapped memory is by 4 KiB pages; %s %s of huge pages unmapped",
	    verdict->value * 100, gone.value, gone.unit);
}

static void judge_unmapped(const struct doctor_vm *vm, struct doctor_verdict *verdict)
{
	struct quantity lost, peak;
	__u64 bytes;

	if (!vm->mapped.known || !vm->peak.known)
		return not_known(verdict);
	bytes = vm->peak.number > vm->mapped.number ? vm->peak.number - vm->mapped.number : 0;
	lost = quantity_bytes(bytes);
	peak = quantity_bytes(vm->peak.number);
	stands_out_if(verdict, weigh(verdict, DOCTOR_UNMAPPED, share(bytes, vm->peak.number)));
	see(verdict, "%s %s of %s %s are not mapped any more", lost.value, lost.unit, peak.value,
	    peak.unit);
}

static void judge_logging(const struct doctor_vm *vm, struct doctor_verdict *verdict)
{
	struct quantity q = quantity_bytes(vm->logged.bytes);
	bool much;

	if (!vm->logged.known)
		return not_known(verdict);
	much = weigh(verdict, DOCTOR_LOGGING, share(vm->logged.bytes, vm->logged.memory));
	if (much && !vm->collects.known)
		return not_known(verdict);
	stands_out_if(verdict, much && !vm->collects.number);
	see(verdict, "%s %s are logged; the log was collected %llu times", q.value, q.unit,
	    vm->collects.number);
}

static void judge_audit(const struct doctor_vm *vm, struct doctor_verdict *verdict)
{
	if (!vm->failures.known)
		return not_known(verdict);
	stands_out_if(verdict, weigh(verdict, DOCTOR_AUDIT, vm->failures.number));
	see(verdict, "%llu failed; wrong statistics are withdrawn",
	    vm->failures.number);
}

void doctor_judge_vm(enum doctor_rule rule, const struct doctor_vm *vm,
		     struct doctor_verdict *verdict)
{
	static void (*const judge[])(const struct doctor_vm *, struct doctor_verdict *) = {
		[DOCTOR_HUGE] = judge_huge, [DOCTOR_UNMAPPED] = judge_unmapped,
		[DOCTOR_LOGGING] = judge_logging, [DOCTOR_AUDIT] = judge_audit,
	};

	memset(verdict, 0, sizeof(*verdict));
	judge[rule](vm, verdict);
}

/* --- rules of the host ----------------------------------------------------- */

void doctor_judge_hooks(const struct hooks *hooks, struct doctor_verdict *verdict)
{
	size_t i, missing = 0;
	char names[96] = "";

	memset(verdict, 0, sizeof(*verdict));
	for (i = 0; i < hooks->nr_hooks; i++) {
		if (!hook_is_missed(&hooks->hooks[i]))
			continue;
		missing++;
		if (strlen(names) + strlen(hooks->hooks[i].name) + 3 < sizeof(names)) {
			strcat(names, *names ? ", " : ": ");
			strcat(names, hooks->hooks[i].name);
		}
	}
	stands_out_if(verdict, weigh(verdict, DOCTOR_HOOKS, missing));
	see(verdict, "%zu missing%s", missing, names);
}
