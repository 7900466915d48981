// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch exits: why vCPUs leave guest mode, and why KVM_RUN returns to userspace.
 *
 * A rate needs two looks. Counts are of the second one, from the start on; rates are
 * over the time between the two.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "exit_names.h"
#include "options.h"
#include "output.h"
#include "libkvmwatch.h"
#include "repeat.h"
#include "sample.h"
#include "select.h"
#include "text.h"

#define NSEC_PER_SEC	1000000000.0

/**
 * struct looks - all at one moment
 * @vms:	the VMs, with their numbers
 * @vcpus:	those of vCPUs
 */
struct looks {
	struct sample vms, vcpus;
};

/**
 * struct look - a VM or a vCPU at one moment
 * @vm:		its VM
 * @vcpu:	the vCPU; NULL: it is the VM
 * @sample:	where its numbers are; NULL: there are none
 * @item:	and where there
 */
struct look {
	const struct vm *vm;
	const struct kvmwatch_vcpu *vcpu;
	const struct sample *sample;
	size_t item;
};

struct exits {
	int dev;
	const struct options *options;
	struct selection selection;
	struct looks before;	/* none yet: first round */
};

enum {
	COL_VM, COL_VM_NAME, COL_OBJECT, COL_KIND, COL_REASON, COL_NUMBER, COL_COUNT, COL_WINDOW,
	COL_RATE, COL_SHARE, COL_TIME, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_VM]	= { "vm",		NULL,		true },
	[COL_VM_NAME]	= { "name",		NULL,		false },
	[COL_OBJECT]	= { "object",		NULL,		false },
	[COL_KIND]	= { "kind",		"TO",		false },
	[COL_REASON]	= { "reason",		"REASON",	false },
	[COL_NUMBER]	= { "number",		NULL,		true },
	[COL_COUNT]	= { "count",		"COUNT",	true },
	[COL_WINDOW]	= { "window_ns",	NULL,		true },
	[COL_RATE]	= { "per_second",	"RATE",		true },
	[COL_SHARE]	= { "share",		"SHARE",	true },
	[COL_TIME]	= { "time_ns",		"TIME",		true },
};

/* Exits by where they lead: what there is of each. */
static const struct kind {
	const char *name, *total, *reasons, *time;
} kinds[] = {
	{ "kvm", "exits", "exit_reasons", "exit_time_ns" },
	{ "user", "user_exits", "user_exit_reasons", NULL },
};

/* --- Read ---------------------------------------------------------------- */

static void looks_free(struct looks *looks)
{
	sample_free(&looks->vms);
	sample_free(&looks->vcpus);
}

/* Returns an exit code; only with EXIT_DONE is there anything in @looks. */
static int look_around(struct exits *exits, struct looks *looks)
{
	int code;

	memset(looks, 0, sizeof(*looks));
	code = sample_take(exits->dev, &exits->selection, KVMWATCH_KIND_VM, 0, &looks->vms);
	if (code)
		return code;
	code = sample_take_kind(exits->dev, &exits->selection, KVMWATCH_KIND_VCPU, 0,
				&looks->vcpus);
	if (code)
		looks_free(looks);
	return code;
}

/* The same object before, if it was there. */
static struct look look_before(const struct looks *before, const struct look *now)
{
	const struct sample *sample = now->vcpu ? &before->vcpus : &before->vms;
	struct look look = *now;
	long was = sample_find(sample, kvmwatch_all_at(now->sample->all, now->item));

	look.sample = was < 0 ? NULL : sample;
	look.item = was < 0 ? 0 : was;
	return look;
}

static bool find_stat(const struct look *look, const char *name, struct kvmwatch_value *value)
{
	return sample_stat(look->sample, look->item, kvmwatch_all_find(look->sample->all, name),
			   value);
}

/* --- Show ---------------------------------------------------------------- */

/* A number of a statistic now and before, where that is known, in a window of time. */
struct count {
	__u64 now, before;
	__u64 window;		/* 0: nothing is known of before */
};

static struct count count_of(const struct look *now, const struct look *before,
			     const struct kvmwatch_value *value, unsigned int bucket)
{
	struct count count = { .now = value->data[bucket] };
	struct kvmwatch_value was;

	if (!before->sample || !find_stat(before, value->name, &was) || bucket >= was.size)
		return count;
	count.before = was.data[bucket];
	if (count.before <= count.now)
		count.window = sample_window(now->sample, before->sample);
	return count;
}

static void show_rate(struct output *out, const struct count *count)
{
	double rate;
	char text[32];

	if (!count->window) {
		output_unknown(out, COL_WINDOW, NULL);
		output_unknown(out, COL_RATE, NULL);
		return;
	}
	rate = (count->now - count->before) / (count->window / NSEC_PER_SEC);
	snprintf(text, sizeof(text), "%.0f/s", rate);
	output_u64(out, COL_WINDOW, count->window, NULL);
	output_real(out, COL_RATE, rate, text);
}

static void show_object(struct output *out, const struct look *look, const struct kind *kind)
{
	char object[24] = "vm";

	if (look->vcpu)
		snprintf(object, sizeof(object), "vcpu%u", look->vcpu->vcpu_id);
	output_u64(out, COL_VM, look->vm->info.id, NULL);
	output_string(out, COL_VM_NAME, look->vm->info.name);
	output_string(out, COL_OBJECT, object);
	output_string(out, COL_KIND, kind->name);
}

static void show_reason(struct output *out, const struct look *now, const struct look *before,
			const struct kind *kind, const struct kvmwatch_value *reasons,
			unsigned int bucket, __u64 total)
{
	struct count count = count_of(now, before, reasons, bucket);
	const char *name = exit_name(reasons, bucket);
	double share = (double)count.now / total;
	char text[32];

	show_object(out, now, kind);
	snprintf(text, sizeof(text), "0x%x", bucket);
	output_string(out, COL_REASON, name ? name : text);
	if (bucket + 1 < reasons->size)
		output_u64(out, COL_NUMBER, bucket, NULL);
	output_u64(out, COL_COUNT, count.now, NULL);
	show_rate(out, &count);
	snprintf(text, sizeof(text), "%.1f%%", share * 100);
	output_real(out, COL_SHARE, share, text);
	output_row(out);
}

/* Most first: the highest count below the one shown last, and equal ones by number. */
static void show_reasons(struct output *out, const struct look *now, const struct look *before,
			 const struct kind *kind, const struct kvmwatch_value *reasons)
{
	__u64 total = 0, last = ~0ULL, next;
	unsigned int i;

	for (i = 0; i < reasons->size; i++)
		total += reasons->data[i];
	for (; last; last = next) {
		next = 0;
		for (i = 0; i < reasons->size; i++) {
			if (reasons->data[i] == last)
				show_reason(out, now, before, kind, reasons, i, total);
			else if (reasons->data[i] < last && reasons->data[i] > next)
				next = reasons->data[i];
		}
	}
}

static void show_time(struct output *out, const struct look *now, const struct kind *kind,
		      bool raw)
{
	struct kvmwatch_value time;
	struct quantity q;
	char text[80];

	if (!kind->time)
		return;
	if (!find_stat(now, kind->time, &time)) {
		output_unknown(out, COL_TIME, NULL);
		return;
	}
	q = quantity_of(&time, *time.data, raw);
	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	output_u64(out, COL_TIME, *time.data, text);
}

static void show_kind(struct output *out, const struct look *now, const struct look *before,
		      const struct kind *kind, bool raw)
{
	struct kvmwatch_value total, reasons;
	bool has_reasons = find_stat(now, kind->reasons, &reasons);
	struct count count;

	if (has_reasons)
		show_reasons(out, now, before, kind, &reasons);
	show_object(out, now, kind);
	output_string(out, COL_REASON, "all");
	if (find_stat(now, kind->total, &total)) {
		count = count_of(now, before, &total, 0);
		output_u64(out, COL_COUNT, count.now, NULL);
		show_rate(out, &count);
	} else {
		output_unknown(out, COL_COUNT, "unknown: see kvmwatch hooks");
	}
	if (!has_reasons)
		output_unknown(out, COL_SHARE, "reasons unknown: see kvmwatch hooks");
	show_time(out, now, kind, raw);
	output_row(out);
}

static void show_look(struct output *out, const struct exits *exits, const struct look *now)
{
	struct look before = look_before(&exits->before, now);
	const struct kvmwatch_vm *vm = &now->vm->info;
	char title[128];
	size_t i;

	if (now->vcpu)
		snprintf(title, sizeof(title), "VM %llu vCPU %u: id %llu", vm->id,
			 now->vcpu->vcpu_id, now->vcpu->id);
	else
		snprintf(title, sizeof(title), "VM %llu: name %s", vm->id, vm->name);
	text_clean(title);
	output_begin(out, title, columns, NR_COLS);
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		show_kind(out, now, &before, &kinds[i], exits->options->raw);
	output_end(out);
}

/* A VM and its vCPUs. One that came after the list of them was made, waits for the next look. */
static bool show_vm(struct output *out, const struct exits *exits, const struct looks *looks,
		    const struct vm *vm)
{
	long item = sample_vm_item(&looks->vms, vm->info.id);
	struct look now = { .vm = vm, .sample = &looks->vms, .item = item };
	size_t first, nr, i;

	if (item < 0)
		return false;
	show_look(out, exits, &now);
	now.sample = &looks->vcpus;
	nr = sample_items_of(&looks->vcpus, vm->info.id, &first);
	for (i = first; i < first + nr; i++) {
		now.item = looks->vcpus.item_places.all[i].at;
		now.vcpu = sample_vcpu(&looks->vcpus, now.item);
		if (now.vcpu)
			show_look(out, exits, &now);
	}
	return true;
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	struct exits *exits = arg;
	struct looks now;
	size_t i, shown = 0;
	int code;

	code = look_around(exits, &now);
	if (code)
		return code;
	if (!exits->before.vms.all && now.vms.nr_vms) {
		exits->before = now;
		beat_wait(beat);
		code = look_around(exits, &now);
		if (code)
			return code;
	}

	/* Names the columns in CSV even if there is no VM. */
	if (out->format == OUTPUT_CSV)
		output_begin(out, NULL, columns, NR_COLS);
	for (i = 0; i < now.vms.nr_vms; i++)
		shown += show_vm(out, exits, &now, &now.vms.vms[i]);
	looks_free(&exits->before);
	exits->before = now;
	return shown ? EXIT_DONE : vms_none(&exits->selection, "exits");
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options;
	struct exits exits = { .options = &options };
	int code;

	code = options_parse(cmd, argc, argv, &options);
	if (code >= 0)
		return code;
	exits.dev = device_open();
	if (exits.dev < 0)
		return EXIT_COULD_NOT;
	exits.selection.arg = options.vm;
	code = repeat(&options, show, &exits);
	looks_free(&exits.before);
	selection_free(&exits.selection);
	close(exits.dev);
	return code;
}

static const struct opt *const options[] = {
	&opt_vm, &opt_interval, &opt_count, &opt_json, &opt_csv, &opt_raw, &opt_help, NULL
};

const struct cmd cmd_exits = {
	.name		= "exits",
	.summary	= "why vCPUs leave the guest, and why KVM returns to the VMM",
	.about		=
		"Show the exits of VMs and of their vCPUs by reason: from the guest to KVM by the\n"
		"processor's reason, and from KVM to the VMM by KVM_EXIT_*. COUNT is from the start\n"
		"on, RATE over the interval (one second, or -i), TIME what vCPUs spent out of the\n"
		"guest, be it in KVM, in the VMM or off their pCPU.",
	.options	= options,
	.run		= run,
};
