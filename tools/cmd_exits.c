// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch exits: why vCPUs leave guest mode, how much time that takes, and why KVM_RUN returns to
 * userspace. It compares two reads, the first of which may be a saved one (--diff). Tables show the
 * time between them; JSON and CSV also have counts and times since the beginning.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd.h"
#include "exit_file.h"
#include "exit_names.h"
#include "exit_rows.h"
#include "options.h"
#include "output.h"
#include "libkvmwatch.h"
#include "quantity.h"
#include "repeat.h"
#include "sample.h"
#include "select.h"
#include "text.h"

#define NSEC_PER_SEC	1000000000.0

/**
 * struct look - a VM or a vCPU at one moment
 * @vm:		its VM
 * @vcpu:	the vCPU; NULL: it is the VM
 * @sample:	where its numbers are; NULL: there are none
 * @item:	and where there
 * @saved:	or they are of a look that was saved
 */
struct look {
	const struct vm *vm;
	const struct kvmwatch_vcpu *vcpu;
	const struct sample *sample;
	size_t item;
	struct exit_saved *saved;
};

struct exits_options {
	struct options common;	/* first, as options_parse() knows only that */
	const char *diff;
};

struct exits {
	int dev;
	const struct options *options;
	const char *diff;	/* contents of the file of --diff; NULL: none */
	struct exit_file *file;
	struct selection selection;
	struct samples before;	/* empty in the first round */
};

enum {
	COL_VM, COL_VM_NAME, COL_OBJECT, COL_KIND, COL_REASON, COL_NUMBER, COL_COUNT, COL_WINDOW,
	COL_RATE, COL_SHARE, COL_TIME, COL_WINDOW_COUNT, COL_WINDOW_TIME, COL_TIME_SHARE,
	COL_AVERAGE, COL_MAX, COL_P99, COL_READ, COL_ID, COL_INSTANCE, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_VM]		= { "vm",		NULL,		true, 0, true },
	[COL_VM_NAME]		= { "name",		NULL,		false },
	[COL_OBJECT]		= { "object",		NULL,		false },
	[COL_KIND]		= { "kind",		"TO",		false },
	[COL_REASON]		= { "reason",		"REASON",	false },
	[COL_NUMBER]		= { "number",		NULL,		true, 0, true },
	[COL_COUNT]		= { "count",		NULL,		true },
	[COL_WINDOW]		= { "window_ns",	NULL,		true },
	[COL_RATE]		= { "count_per_second",	"RATE",		true },
	[COL_SHARE]		= { "share",		NULL,		true },
	[COL_TIME]		= { "exit_time_ns",	NULL,		true },
	[COL_WINDOW_COUNT]	= { "window_count",	"COUNT",	true },
	[COL_WINDOW_TIME]	= { "window_time_ns",	"TIME",		true },
	[COL_TIME_SHARE]	= { "time_share",	"SHARE",	true },
	[COL_AVERAGE]		= { "average_ns",	"AVG",		true },
	[COL_MAX]		= { "max_ns",		"MAX",		true },
	[COL_P99]		= { "p99_ns",		"P99",		true },
	[COL_READ]		= { "time_ns",		NULL,		true, 0, true },
	[COL_ID]		= { "id",		NULL,		true, 0, true },
	[COL_INSTANCE]		= { "instance",		NULL,		true, 0, true },
};

/* The kinds of exits, and their statistics. */
static const struct kind {
	const char *name, *total, *reasons, *time, *times, *longest, *lengths;
} kinds[] = {
	{
		"kvm", "exits", "exit_reasons", "exit_time_ns", "exit_reason_times",
		"exit_time_ns_max", "exit_hist"
	},
	{ .name = "user", .total = "user_exits", .reasons = "user_exit_reasons" },
};

/* --- Read ---------------------------------------------------------------- */

static int look_around(struct exits *exits, struct samples *samples)
{
	return samples_take(exits->dev, &exits->selection, 0, KVMWATCH_KIND_VCPU, 0,
			    samples);
}

/* The same object in the earlier read; without numbers if it was not there. */
static struct look look_before(const struct exits *exits, const struct look *now)
{
	const struct sample *sample = now->vcpu ? &exits->before.parts : &exits->before.vms;
	struct look look = *now;
	long was;

	if (exits->file) {
		look.sample = NULL;
		look.saved = exit_file_find(exits->file, now->vm->info.id,
					    now->vcpu ? now->vcpu->id : 0);
		return look;
	}
	was = sample_find(sample, kvmwatch_all_at(now->sample->all, now->item));
	look.sample = was < 0 ? NULL : sample;
	look.item = was < 0 ? 0 : was;
	return look;
}

/* False: the value is unknown, or there is no such statistic. */
static bool find_stat(const struct look *look, const char *name, struct kvmwatch_value *value)
{
	return name && look->sample &&
	       sample_stat(look->sample, look->item, kvmwatch_all_find(look->sample->all, name),
			   value);
}

/* A statistic at both reads. */
struct both {
	struct kvmwatch_value now, was;
	bool known, was_known;
};

static struct both find_both(const struct look *now, const struct look *before, const char *name)
{
	struct both both = { };

	both.known = find_stat(now, name, &both.now);
	if (both.known)
		both.was_known = before->saved ?
			exit_saved_value(before->saved, &both.now, &both.was) :
			find_stat(before, name, &both.was);
	return both;
}

static const struct kvmwatch_value *now_of(const struct both *both)
{
	return both->known ? &both->now : NULL;
}

static const struct kvmwatch_value *was_of(const struct both *both)
{
	return both->was_known ? &both->was : NULL;
}

/* --- Show ---------------------------------------------------------------- */

/* An object and a kind of exits, for which rows are shown. */
struct rows {
	struct output *out;
	const struct look *now;
	const struct kind *kind;
	struct exit_row all;	/* the sum of all reasons */
	__u64 window;		/* 0: the object is new, or its counts began again */
	bool timed, raw;
};

static void show_ns(const struct rows *rows, unsigned int column, __u64 ns)
{
	struct quantity q = quantity_ns(ns);
	char text[80];

	if (rows->raw)
		snprintf(text, sizeof(text), "%llu ns", ns);
	else
		snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	output_u64(rows->out, column, ns, text);
}

static void show_share(const struct rows *rows, unsigned int column, __u64 part, __u64 all)
{
	double share = (double)part / all;
	char text[32];

	if (!all)
		return;
	snprintf(text, sizeof(text), "%.1f%%", share * 100);
	output_real(rows->out, column, share, text);
}

static void show_count(const struct rows *rows, const struct grown *count)
{
	double rate;
	char text[32];

	output_u64(rows->out, COL_COUNT, count->now, NULL);
	output_u64(rows->out, COL_WINDOW_COUNT, count->by, NULL);
	if (!rows->window) {
		output_unknown(rows->out, COL_WINDOW, NULL);
		output_unknown(rows->out, COL_RATE, NULL);
		return;
	}
	rate = count->by / (rows->window / NSEC_PER_SEC);
	snprintf(text, sizeof(text), "%.0f/s", rate);
	output_u64(rows->out, COL_WINDOW, rows->window, NULL);
	output_real(rows->out, COL_RATE, rate, text);
}

static void show_time(const struct rows *rows, const struct grown *ns, const struct grown *count)
{
	show_ns(rows, COL_TIME, ns->now);
	show_ns(rows, COL_WINDOW_TIME, ns->by);
	if (count->by)
		show_ns(rows, COL_AVERAGE, ns->by / count->by);
}

static void show_object(const struct rows *rows)
{
	const struct look *now = rows->now;
	char object[24] = "vm";

	if (now->vcpu)
		snprintf(object, sizeof(object), "vcpu%u", now->vcpu->vcpu_id);
	output_u64(rows->out, COL_VM, now->vm->info.id, NULL);
	output_string(rows->out, COL_VM_NAME, now->vm->info.name);
	output_string(rows->out, COL_OBJECT, object);
	output_string(rows->out, COL_KIND, rows->kind->name);
	output_u64(rows->out, COL_READ, now->sample->all->begin_ns, NULL);
	if (now->vcpu)
		output_u64(rows->out, COL_ID, now->vcpu->id, NULL);
	output_u64(rows->out, COL_INSTANCE, now->sample->all->instance, NULL);
}

static void show_reason(const struct rows *rows, const struct kvmwatch_value *reasons,
			const struct exit_row *row)
{
	const char *name = exit_name(reasons, row->bucket);
	char text[32];

	show_object(rows);
	snprintf(text, sizeof(text), "0x%x", row->bucket);
	output_string(rows->out, COL_REASON, name ? name : text);
	if (row->bucket + 1 < reasons->size)
		output_u64(rows->out, COL_NUMBER, row->bucket, NULL);
	show_count(rows, &row->count);
	show_share(rows, COL_SHARE, row->count.now, rows->all.count.now);
	if (rows->timed) {
		show_time(rows, &row->ns, &row->count);
		show_share(rows, COL_TIME_SHARE, row->ns.by, rows->all.ns.by);
	}
	output_row(rows->out);
}

static void show_reasons(struct rows *rows, const struct look *before)
{
	struct both reasons = find_both(rows->now, before, rows->kind->reasons);
	struct both times = find_both(rows->now, before, rows->kind->times);
	const struct exit_looks looks = {
		now_of(&reasons), was_of(&reasons), now_of(&times), was_of(&times),
	};
	struct exit_row *all;
	size_t nr, i;

	if (!reasons.known)
		return;
	all = calloc(reasons.now.size, sizeof(*all));
	if (!all) {
		output_json(rows->out, NULL);	/* reports that there is no memory */
		return;
	}
	rows->timed = times.known;
	nr = exit_rows_make(&looks, all, &rows->all);
	for (i = 0; i < nr; i++)
		show_reason(rows, &reasons.now, &all[i]);
	free(all);
}

static void show_all(const struct rows *rows, const struct look *before)
{
	const struct kind *kind = rows->kind;
	struct both total = find_both(rows->now, before, kind->total);
	struct both time = find_both(rows->now, before, kind->time);
	struct both lengths = find_both(rows->now, before, kind->lengths);
	struct kvmwatch_value longest;
	struct grown count = { }, ns;
	__u64 p99;

	show_object(rows);
	output_string(rows->out, COL_REASON, "all");
	if (total.known) {
		count = exit_growth(&total.now, was_of(&total), 0);
		show_count(rows, &count);
	} else {
		output_unknown(rows->out, COL_COUNT, NULL);
		output_unknown(rows->out, COL_WINDOW_COUNT, "unknown: see kvmwatch hooks");
	}
	if (!find_stat(rows->now, kind->reasons, &longest))
		output_unknown(rows->out, COL_TIME_SHARE, "reasons unknown: see kvmwatch hooks");
	if (time.known) {
		ns = exit_growth(&time.now, was_of(&time), 0);
		show_time(rows, &ns, &count);
	} else if (kind->time) {
		output_unknown(rows->out, COL_TIME, NULL);
	}
	if (find_stat(rows->now, kind->longest, &longest))
		show_ns(rows, COL_MAX, *longest.data);
	/* A saved read has no histogram of times. */
	p99 = lengths.known && !before->saved ? exit_p99(&lengths.now, was_of(&lengths)) : 0;
	if (p99)
		show_ns(rows, COL_P99, p99);
	output_row(rows->out);
}

static __u64 time_between(const struct look *now, const struct look *before)
{
	__u64 is = now->sample->all->begin_ns, was;

	if (!before->saved)
		return sample_window(now->sample, before->sample);
	was = exit_saved_ns(before->saved);
	return is > was ? is - was : 0;
}

/* There is no rate if counts began again in between. */
static __u64 window_of(const struct look *now, const struct look *before, const struct kind *kind)
{
	struct both total = find_both(now, before, kind->total);

	if (!total.was_known || *total.was.data > *total.now.data)
		return 0;
	return time_between(now, before);
}

static void show_kind(struct output *out, const struct look *now, const struct look *before,
		      const struct kind *kind, bool raw)
{
	struct rows rows = { .out = out, .now = now, .kind = kind, .raw = raw };

	rows.window = window_of(now, before, kind);
	show_reasons(&rows, before);
	show_all(&rows, before);
}

/* With --diff, an object that the file lacks cannot be compared, and is left out. */
static bool show_look(struct output *out, const struct exits *exits, const struct look *now)
{
	struct look before = look_before(exits, now);
	const struct kvmwatch_vm *vm = &now->vm->info;
	char title[128];
	size_t i;

	if (exits->file && !before.saved)
		return false;
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
	return true;
}

/* A VM and its vCPUs. One that was created after the list was made is shown the next time. */
static bool show_vm(struct output *out, const struct exits *exits, const struct samples *samples,
		    const struct vm *vm)
{
	long item = sample_vm_item(&samples->vms, vm->info.id);
	struct look now = { .vm = vm, .sample = &samples->vms, .item = item };
	size_t first, nr, i;
	bool shown;

	if (item < 0)
		return false;
	shown = show_look(out, exits, &now);
	now.sample = &samples->parts;
	nr = sample_items_of(&samples->parts, vm->info.id, &first);
	for (i = first; i < first + nr; i++) {
		now.item = samples->parts.item_places.all[i].at;
		now.vcpu = sample_vcpu(&samples->parts, now.item);
		if (now.vcpu)
			shown |= show_look(out, exits, &now);
	}
	return shown;
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	struct exits *exits = arg;
	struct samples now;
	size_t i, shown = 0;
	int code;

	code = look_around(exits, &now);
	if (code)
		return code;
	if (exits->file && now.vms.nr_vms &&
	    exit_file_instance(exits->file) != now.vms.all->instance) {
		samples_free(&now);
		return complain("exits", "%s was saved before kvmwatch was last loaded",
				exits->diff);
	}
	if (!exits->file && !exits->before.vms.all && now.vms.nr_vms) {
		exits->before = now;
		beat_wait(beat);
		code = look_around(exits, &now);
		if (code)
			return code;
	}

	/* Print the names of the columns in CSV even if there is no VM. */
	if (out->format == OUTPUT_CSV)
		output_begin(out, NULL, columns, NR_COLS);
	for (i = 0; i < now.vms.nr_vms; i++)
		shown += show_vm(out, exits, &now, &now.vms.vms[i]);
	samples_free(&exits->before);
	exits->before = now;
	if (!shown && now.vms.nr_vms && exits->file)
		return complain("exits", "%s has none of these VMs", exits->diff);
	return shown ? EXIT_DONE : vms_none(&exits->selection, "exits");
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct exits_options options = { };
	struct exits exits = { .options = &options.common };
	int code;

	code = options_parse(cmd, argc, argv, &options.common);
	if (code >= 0)
		return code;
	if (options.diff && options.common.count != 1) {
		complain("exits", "--diff compares once; leave out -i and -n");
		return EXIT_USAGE;
	}
	exits.diff = options.diff;
	code = options.diff ? exit_file_read(options.diff, &exits.file) : EXIT_DONE;
	if (code)
		return code;
	exits.dev = device_open();
	if (exits.dev < 0) {
		exit_file_free(exits.file);
		return EXIT_COULD_NOT;
	}
	exits.selection.arg = options.common.vm;
	code = repeat(&options.common, show, &exits);
	samples_free(&exits.before);
	exit_file_free(exits.file);
	selection_free(&exits.selection);
	close(exits.dev);
	return code;
}

static const char *set_diff(struct options *options, const char *arg)
{
	if (!*arg)
		return "give the name of a file";
	((struct exits_options *)options)->diff = arg;
	return NULL;
}

static const struct opt opt_diff = {
	'd', "diff", "FILE", "since the look in FILE, which --json printed", set_diff
};

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

static const struct opt *const options[] = {
	&opt_vm, &opt_diff, OPTS_REPEAT, OPTS_TABLE, &opt_raw, &opt_help, NULL
};

const struct cmd cmd_exits = {
	.name		= "exits",
	.summary	= "why vCPUs leave the guest, and why KVM returns to the VMM",
	.about		=
		"Show the exits of VMs and of their vCPUs by reason: from the guest to KVM by the\n"
		"processor's reason, those that take most time first, and from KVM to the VMM by\n"
		"KVM_EXIT_*. COUNT, RATE, TIME, its SHARE and AVG are over the interval (one second,\n"
		"or -i). TIME is time that vCPUs spent out of the guest: in KVM, in the VMM or off\n"
		"their pCPU. 99 % of the exits are shorter than P99; MAX is the longest so far.\n"
		"To compare with earlier counts: kvmwatch exits --json >FILE, later --diff FILE.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
