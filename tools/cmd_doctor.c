// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch doctor: what stands out in VMs and on this host, by the rules of doctor.h.
 *
 * It takes two samples. Some rules judge the time between them, others the second sample. A VM or
 * vCPU that is not in both is left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "doctor.h"
#include "exit_names.h"
#include "exit_rows.h"
#include "options.h"
#include "output.h"
#include "repeat.h"
#include "sample.h"
#include "select.h"

struct doctor {
	int dev;
	const struct options *options;
	struct selection selection;
	struct samples before;	/* none yet: first round */
	size_t found, unknown;	/* rules that stand out, or could not be judged */
};

enum {
	COL_VM, COL_NAME, COL_GUEST, COL_NAME_TEXT, COL_OBJECT, COL_RULE, COL_STATE, COL_VALUE,
	COL_SEEN, COL_LIMIT, COL_LIMIT_TEXT, COL_MORE, COL_OTHERS, COL_WINDOW, COL_TIME, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_VM]	= { "vm",		"VM",		true },
	[COL_NAME]	= { "name",		NULL,		false },
	[COL_GUEST]	= { "guest",		NULL,		false },
	[COL_NAME_TEXT]	= { NULL,		"GUEST",	false, 24 },
	[COL_OBJECT]	= { "object",		"OBJECT",	false },
	[COL_RULE]	= { "rule",		"RULE",		false },
	[COL_STATE]	= { "state",		NULL,		false },
	[COL_VALUE]	= { "value",		NULL,		true },
	[COL_SEEN]	= { "seen",		"WHAT",		false },
	[COL_LIMIT]	= { "limit",		NULL,		true },
	[COL_LIMIT_TEXT] = { NULL,		"LIMIT",	false },
	[COL_MORE]	= { "more",		"SHOWS MORE",	false },
	[COL_OTHERS]	= { "others",		NULL,		true },
	[COL_WINDOW]	= { "window_ns",	NULL,		true },
	[COL_TIME]	= { "time_ns",		NULL,		true },
};

/* --- Sample --------------------------------------------------------------- */

static int look_around(struct doctor *doctor, struct samples *samples)
{
	return samples_take(doctor->dev, &doctor->selection, KVMWATCH_OPEN_NO_HISTOGRAMS,
			    KVMWATCH_KIND_VCPU, 0, samples);
}

/* A vCPU in both samples. */
struct pair {
	const struct sample *now, *before;
	size_t item;
	long was;
};

static struct maybe grown(const struct pair *p, const char *name)
{
	return sample_growth(p->now, p->item, p->before, p->was, name);
}

static struct maybe sum_of(struct maybe a, struct maybe b)
{
	return (struct maybe){ a.known && b.known, a.number + b.number };
}

static bool find_both(const struct pair *p, const char *name, struct kvmwatch_value *now,
		      struct kvmwatch_value *was)
{
	return sample_stat(p->now, p->item, kvmwatch_all_find(p->now->all, name), now) &&
	       sample_stat(p->before, p->was, kvmwatch_all_find(p->before->all, name), was);
}

/* Number of values in a histogram */
static struct maybe counted(const struct pair *p, const char *name)
{
	struct kvmwatch_value now, was;
	struct maybe sum = { };
	unsigned int i;

	sum.known = find_both(p, name, &now, &was);
	for (i = 0; sum.known && i < now.size; i++)
		sum.number += exit_growth(&now, &was, i).by;
	return sum;
}

/*
 * Skip a reason without an exit in the interval: its time grows because the VMM has stopped the
 * vCPU, or has nothing for it to do.
 */
static void find_exits(const struct pair *p, struct doctor_vcpu *vcpu)
{
	struct kvmwatch_value reasons, reasons_was, times, times_was;
	__u64 ns;
	unsigned int i;

	vcpu->exit.known = find_both(p, "exit_reasons", &reasons, &reasons_was) &&
			   find_both(p, "exit_reason_times", &times, &times_was);
	if (!vcpu->exit.known)
		return;
	for (i = 0; i < reasons.size && i < times.size; i++) {
		const char *name = exit_name(&reasons, i) ?: "a reason without a name";

		ns = exit_growth(&times, &times_was, i).by;
		if (!exit_growth(&reasons, &reasons_was, i).by || doctor_is_halt(name) ||
		    ns <= vcpu->exit.number)
			continue;
		vcpu->exit.number = ns;
		vcpu->reason = name;
	}
}

/* Has the vCPU a polling window, or had it one before? */
static struct maybe find_polls(const struct pair *p)
{
	static const char *const changes[] = {
		"halt_poll_grow", "halt_poll_shrink", "halt_poll_silent"
	};
	struct maybe sum = sum_of(sample_value(p->now, p->item, "halt_poll_ns"),
				  sample_value(p->before, p->was, "halt_poll_ns"));
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++)
		sum = sum_of(sum, grown(p, changes[i]));
	return sum;
}

/* A vCPU that never left guest mode sleeps until another one of its guest starts it. */
static struct maybe find_blocked(const struct pair *p)
{
	struct maybe blocked = grown(p, "blocked_time_ns");
	struct maybe exits = sample_value(p->now, p->item, "exits");

	if (exits.known && !exits.number)
		blocked.number = 0;
	return blocked;
}

static void look_at_vcpu(const struct pair *p, struct doctor_vcpu *vcpu)
{
	*vcpu = (struct doctor_vcpu){
		.time = sum_of(grown(p, "on_cpu_ns"), grown(p, "off_cpu_ns")),
		.preempted = grown(p, "preempted_time_ns"),
		.delay = grown(p, "run_delay_ns"),
		.load_entry = grown(p, "load_entry_ns"),
		.entries = counted(p, "load_entry_hist"),
		.blocked = find_blocked(p),
		.poll = grown(p, "poll_time_ns"),
		.polled = grown(p, "wakeups_poll"),
		.waited = grown(p, "wakeups_wait"),
		.polls = find_polls(p),
	};
	find_exits(p, vcpu);
}

static struct maybe bytes_of(const struct sample *sample, size_t item, const char *name, __u64 each)
{
	struct maybe leaves = sample_value(sample, item, name);

	leaves.number *= each;
	return leaves;
}

static void look_at_vm(const struct pair *p, struct doctor_vm *vm)
{
	*vm = (struct doctor_vm){
		.mapped = sample_value(p->now, p->item, "mapped_bytes"),
		.peak = sample_value(p->now, p->item, "mapped_bytes_peak"),
		.small = bytes_of(p->now, p->item, "mapped_4k", 4096),
		.huge_gone = sum_of(bytes_of(p->now, p->item, "unmap_2m", 2ULL << 20),
				    bytes_of(p->now, p->item, "unmap_1g", 1ULL << 30)),
		.logged = logged_of(p->now, p->item),
		.collects = grown(p, "dirty_collects"),
		.failures = sample_value(p->now, p->item, "audit_failures"),
	};
}

/* --- Show ----------------------------------------------------------------- */

/**
 * struct worst - the vCPU of a VM that is shown
 * @verdict:	its verdict
 * @vcpu:	its number
 * @nr:		number of vCPUs that were judged
 * @found:	number of those that stand out
 */
struct worst {
	struct doctor_verdict verdict;
	__u32 vcpu;
	size_t nr, found;
};

static void weigh(struct worst *worst, const struct doctor_verdict *verdict, __u32 vcpu)
{
	const struct doctor_verdict *was = &worst->verdict;

	worst->found += verdict->state == DOCTOR_STANDS_OUT;
	if (worst->nr++ && (verdict->state < was->state ||
			    (verdict->state == was->state && verdict->value <= was->value)))
		return;
	worst->verdict = *verdict;
	worst->vcpu = vcpu;
}

static void show_vm_of(struct output *out, const struct vm *vm)
{
	const char *guest = vm->guest ?: *vm->info.name ? vm->info.name : NULL;

	output_u64(out, COL_VM, vm->info.id, NULL);
	output_string(out, COL_NAME, vm->info.name);
	output_string(out, COL_GUEST, vm->guest);
	output_text(out, COL_NAME_TEXT, guest);
}

static void show_more(struct output *out, const struct doctor_limit *limit, const struct vm *vm)
{
	char command[64];

	if (vm)
		snprintf(command, sizeof(command), "kvmwatch %s -p id:%llu", limit->more,
			 vm->info.id);
	else
		snprintf(command, sizeof(command), "kvmwatch %s", limit->more);
	output_string(out, COL_MORE, command);
}

static void show_verdict(struct output *out, struct doctor *doctor, enum doctor_rule rule,
			 const struct doctor_verdict *verdict, const struct vm *vm,
			 const char *object, const struct sample *now)
{
	static const char *const states[] = {
		[DOCTOR_WELL] = "well", [DOCTOR_UNKNOWN] = "unknown",
		[DOCTOR_STANDS_OUT] = "stands out",
	};
	const struct doctor_limit *limit = &doctor_limits[rule];

	doctor->found += verdict->state == DOCTOR_STANDS_OUT;
	doctor->unknown += verdict->state == DOCTOR_UNKNOWN;
	if (vm)
		show_vm_of(out, vm);
	output_string(out, COL_OBJECT, object);
	output_string(out, COL_RULE, limit->name);
	output_string(out, COL_STATE, states[verdict->state]);
	if (verdict->state == DOCTOR_UNKNOWN)
		output_unknown(out, COL_VALUE, NULL);
	else
		output_real(out, COL_VALUE, verdict->value, NULL);
	output_real(out, COL_LIMIT, limit->limit, NULL);
	output_string(out, COL_SEEN, verdict->seen);
	output_text(out, COL_LIMIT_TEXT, limit->text);
	show_more(out, limit, vm);
	output_u64(out, COL_WINDOW, sample_window(now, &doctor->before.vms), NULL);
	output_u64(out, COL_TIME, now->all->begin_ns, NULL);
}

/* Tables have only verdicts that stand out or are unknown; JSON and CSV have all. */
static void end_row(struct output *out, enum doctor_state state)
{
	if (out->format == OUTPUT_TEXT && state == DOCTOR_WELL)
		output_drop(out);
	else
		output_row(out);
}

static void show_worst(struct output *out, struct doctor *doctor, enum doctor_rule rule,
		       struct worst *worst, const struct vm *vm, const struct sample *now)
{
	size_t others = worst->found ? worst->found - 1 : 0, used = strlen(worst->verdict.seen);
	char object[24];

	if (!worst->nr)
		return;
	snprintf(object, sizeof(object), "vcpu%u", worst->vcpu);
	if (others)
		snprintf(worst->verdict.seen + used, sizeof(worst->verdict.seen) - used,
			 "; so do %zu others", others);
	show_verdict(out, doctor, rule, &worst->verdict, vm, object, now);
	output_u64(out, COL_OTHERS, others, NULL);
	end_row(out, worst->verdict.state);
}

static void show_vcpus(struct output *out, struct doctor *doctor, const struct samples *now,
		       const struct vm *vm)
{
	struct pair p = { .now = &now->parts, .before = &doctor->before.parts };
	struct worst worst[DOCTOR_VCPU_RULES] = { };
	const struct kvmwatch_all_item *it;
	struct doctor_verdict verdict;
	struct doctor_vcpu vcpu;
	size_t first, nr, i;
	int rule;

	nr = sample_items_of(&now->parts, vm->info.id, &first);
	for (i = first; i < first + nr; i++) {
		p.item = now->parts.item_places.all[i].at;
		it = kvmwatch_all_at(now->parts.all, p.item);
		p.was = sample_find(p.before, it);
		if (p.was < 0)
			continue;
		look_at_vcpu(&p, &vcpu);
		for (rule = 0; rule < DOCTOR_VCPU_RULES; rule++) {
			doctor_judge_vcpu(rule, &vcpu, &verdict);
			weigh(&worst[rule], &verdict, it->number);
		}
	}
	for (rule = 0; rule < DOCTOR_VCPU_RULES; rule++)
		show_worst(out, doctor, rule, &worst[rule], vm, &now->vms);
}

/* Returns whether it is in both samples. */
static bool show_vm(struct output *out, struct doctor *doctor, const struct samples *now,
		    const struct vm *vm)
{
	struct pair p = { .now = &now->vms, .before = &doctor->before.vms };
	long item = sample_vm_item(&now->vms, vm->info.id);
	struct doctor_verdict verdict;
	struct doctor_vm numbers;
	int rule;

	if (item < 0)
		return false;
	p.item = item;
	p.was = sample_find(p.before, kvmwatch_all_at(now->vms.all, item));
	if (p.was < 0 || !sample_window(p.now, p.before))
		return false;
	show_vcpus(out, doctor, now, vm);
	look_at_vm(&p, &numbers);
	for (rule = DOCTOR_VCPU_RULES; rule < DOCTOR_VM_RULES; rule++) {
		doctor_judge_vm(rule, &numbers, &verdict);
		show_verdict(out, doctor, rule, &verdict, vm, "vm", &now->vms);
		end_row(out, verdict.state);
	}
	return true;
}

static void show_host(struct output *out, struct doctor *doctor, const struct hooks *hooks,
		      const struct sample *now)
{
	struct doctor_verdict verdict;

	doctor_judge_hooks(hooks, &verdict);
	show_verdict(out, doctor, DOCTOR_HOOKS, &verdict, NULL, "host", now);
	end_row(out, verdict.state);
}

static int show_all(struct output *out, struct doctor *doctor, const struct samples *now)
{
	__u64 window = sample_window(&now->vms, &doctor->before.vms);
	size_t i, shown = 0;
	struct hooks hooks;
	char sum[128];
	int err;

	err = hooks_get(doctor->dev, &hooks);
	if (err)
		return device_complain(err);
	doctor->found = 0;
	doctor->unknown = 0;
	output_begin(out, NULL, columns, NR_COLS);
	for (i = 0; i < now->vms.nr_vms; i++)
		shown += show_vm(out, doctor, now, &now->vms.vms[i]);
	show_host(out, doctor, &hooks, &now->vms);
	hooks_put(&hooks);
	output_end(out);
	snprintf(sum, sizeof(sum), "VMs: %zu, for %.1f s; what stands out: %zu, unknown: %zu",
		 shown, window / 1e9, doctor->found, doctor->unknown);
	output_below(out, sum);
	if (!shown && !now->vms.nr_vms)
		return vms_none(&doctor->selection, "doctor");
	return EXIT_DONE;
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	struct doctor *doctor = arg;
	struct samples now;
	int code;

	if (!doctor->before.vms.all) {
		code = look_around(doctor, &doctor->before);
		if (code)
			return code;
		if (doctor->before.vms.nr_vms)
			beat_wait(beat);
	}
	code = look_around(doctor, &now);
	if (code)
		return code;
	code = show_all(out, doctor, &now);
	samples_free(&doctor->before);
	doctor->before = now;
	return code;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options;
	struct doctor doctor = { .options = &options };
	int code;

	code = options_parse(cmd, argc, argv, &options);
	if (code >= 0)
		return code;
	doctor.dev = device_open();
	if (doctor.dev < 0)
		return EXIT_COULD_NOT;
	doctor.selection.arg = options.vm;
	code = repeat(&options, show, &doctor);
	samples_free(&doctor.before);
	selection_free(&doctor.selection);
	close(doctor.dev);
	if (code)
		return code;
	if (doctor.found)
		return EXIT_DOES_NOT;
	return doctor.unknown ? EXIT_UNCERTAIN : EXIT_DONE;
}

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

static const struct opt *const options[] = {
	&opt_vm, OPTS_REPEAT, OPTS_TABLE, &opt_help, NULL
};

const struct cmd cmd_doctor = {
	.name		= "doctor",
	.summary	= "what stands out in a VM or on this host, and what shows more of it",
	.about		=
		"Judge VMs by rules with a limit each, over an interval (one second, or -i): vCPUs that\n"
		"wait for a pCPU, load slowly, sleep in KVM, lose time by exits, or poll in vain; huge\n"
		"pages that were lost, memory that is not mapped any more, a dirty log that nobody\n"
		"collects, failed audits, missing hooks. Of each VM and rule the worst vCPU is shown,\n"
		"with the number, its limit and the command that shows more. What is unknown is not\n"
		"judged.\n"
		"Exit status: 0 nothing stands out, 3 something does, 4 not all is known.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
