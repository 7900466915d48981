// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch list: the VMs of this host, how much of their memory is mapped, and how fast they dirty
 * it. A rate needs two reads, an interval apart. The second is made only if a VM has dirty logging
 * on, as there is no rate for others.
 */
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "logged.h"
#include "options.h"
#include "output.h"
#include "repeat.h"
#include "sample.h"
#include "select.h"
#include "text.h"

#define PAGE_BYTES	4096
#define NSEC_PER_SEC	1000000000.0

struct list {
	int dev;
	const struct options *options;
	struct selection selection;
	struct sample before;	/* empty in the first round */
};

enum {
	COL_ID, COL_NAME, COL_PID, COL_GUEST, COL_COMM, COL_UUID, COL_UNIT,
	COL_USER_UNIT, COL_VCPUS, COL_SLOTS, COL_MEMORY, COL_MAPPED, COL_SHARE, COL_FOOTPRINT,
	COL_LOGGING, COL_LOGGED, COL_RING, COL_PAGES, COL_MARKS, COL_WINDOW,
	COL_RATE, COL_MARK_RATE, COL_REASON, COL_TIME, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_ID]	= { "id",			"ID",		true, 0, true },
	[COL_NAME]	= { "name",			"NAME",		false },
	[COL_PID]	= { "pid",			"PID",		true, 0, true },
	[COL_GUEST]	= { "guest",			"GUEST",	false, 40 },
	[COL_COMM]	= { "comm",			NULL,		false },
	[COL_UUID]	= { "uuid",			NULL,		false },
	[COL_UNIT]	= { "unit",			NULL,		false },
	[COL_USER_UNIT]	= { "user_unit",		NULL,		false },
	[COL_VCPUS]	= { "vcpus",			"VCPUS",	true },
	[COL_SLOTS]	= { "slots",			NULL,		true },
	[COL_MEMORY]	= { "memory",			"MEMORY",	true },
	[COL_MAPPED]	= { "mapped_bytes",		"MAPPED",	true },
	[COL_SHARE]	= { "mapped_share",		"SHARE",	true },
	[COL_FOOTPRINT]	= { "footprint",		NULL,		true },
	[COL_LOGGING]	= { "dirty_logging",		NULL,		false },
	[COL_LOGGED]	= { "dirty_logged_bytes",	"DIRTY LOG",	false },
	[COL_RING]	= { "dirty_ring",		NULL,		false },
	[COL_PAGES]	= { "dirty_pages",		NULL,		true },
	[COL_MARKS]	= { "dirty_marks",		NULL,		true },
	[COL_WINDOW]	= { "dirty_window_ns",		NULL,		true },
	[COL_RATE]	= { "dirty_pages_per_second",	"DIRTY RATE",	false },
	[COL_MARK_RATE]	= { "dirty_marks_per_second",	NULL,		true },
	[COL_REASON]	= { "dirty_unknown",		NULL,		false },
	[COL_TIME]	= { "time_ns",			NULL,		true, 0, true },
};

/* A VM in one read; @item -1: it is not in it. */
struct look {
	const struct sample *sample;
	const struct vm *vm;
	long item;
};

static struct look find_look(const struct sample *sample, __u64 id)
{
	struct look look = { .sample = sample, .item = -1 };

	if (sample->all)
		look.item = sample_vm_item(sample, id);
	if (look.item >= 0)
		look.vm = sample_vm(sample, look.item);
	if (!look.vm)
		look.item = -1;
	return look;
}

static struct maybe value_of(const struct look *look, const char *name)
{
	return sample_value(look->sample, look->item, name);
}

static bool some_is_logging(const struct sample *sample)
{
	size_t i;

	for (i = 0; i < sample->nr_vms; i++) {
		if (sample->vms[i].info.flags & KVMWATCH_VM_DIRTY_LOG)
			return true;
	}
	return false;
}

/**
 * struct rate - how fast a VM dirties what is logged of it
 * @unknown:	why it is not known; NULL: it is
 * @ns:		over how long
 * @pages:	how many became dirty; unknown with rings
 * @marks:	how many marks KVM made
 */
struct rate {
	const char *unknown;
	__u64 ns;
	struct maybe pages, marks;
};

static struct rate rate_of(const struct look *now, const struct look *before,
			   const struct logged *logged)
{
	const struct logged was = logged_of(before->sample, before->item);
	struct rate rate = { .ns = sample_window(now->sample, before->sample) };
	const char *stat = logged_stat(logged);

	rate.unknown = logged_no_rate(logged, &was);
	if (!rate.unknown && !rate.ns)
		rate.unknown = "dirty logging has just begun";
	if (!rate.unknown && !value_of(now, stat).known)
		rate.unknown = logged->ring ? "dirty_marks is unavailable" :
					      "dirty_marks_new is unavailable";
	if (rate.unknown)
		return rate;
	rate.marks = sample_growth(now->sample, now->item, before->sample, before->item,
				   "dirty_marks");
	if (!logged->ring)
		rate.pages = sample_growth(now->sample, now->item, before->sample, before->item,
					   stat);
	if (!(logged->ring ? rate.marks : rate.pages).known)
		rate.unknown = "the count was restarted";
	return rate;
}

/* "2.00 MiB/s over 1 s, in 16.0 MiB"; with rings, "512 marks/s over 1 s". */
static void rate_text(const struct rate *rate, const struct logged *logged, bool raw, char *buf,
		      size_t size)
{
	struct quantity all = quantity_bytes(logged->bytes), q;
	double seconds = rate->ns / NSEC_PER_SEC;
	char in[80] = "";

	if (!logged_all(logged) && raw)
		snprintf(in, sizeof(in), ", in %llu bytes", logged->bytes);
	else if (!logged_all(logged))
		snprintf(in, sizeof(in), ", in %s %s", all.value, all.unit);
	if (rate->unknown) {
		snprintf(buf, size, "unknown: %s", rate->unknown);
	} else if (raw) {
		snprintf(buf, size, "%llu %s in %llu ns%s",
			 logged->ring ? rate->marks.number : rate->pages.number,
			 logged->ring ? "marks" : "pages", rate->ns, in);
	} else if (logged->ring) {
		snprintf(buf, size, "%.0f marks/s over %.3g s%s", rate->marks.number / seconds,
			 seconds, in);
	} else {
		q = quantity_bytes(rate->pages.number / seconds * PAGE_BYTES);
		snprintf(buf, size, "%s %s/s over %.3g s%s", q.value, q.unit, seconds, in);
	}
}

static void show_growth(struct output *out, size_t number, size_t per_second, struct maybe growth,
			__u64 ns, const char *text)
{
	if (growth.known) {
		output_u64(out, number, growth.number, NULL);
		output_real(out, per_second, growth.number / (ns / NSEC_PER_SEC), text);
	} else {
		output_unknown(out, number, NULL);
		output_unknown(out, per_second, text);
	}
}

static void show_rate(struct output *out, const struct options *options,
		      const struct look *now, const struct look *before,
		      const struct logged *logged)
{
	struct rate rate = rate_of(now, before, logged);
	char text[160];

	rate_text(&rate, logged, options->raw, text, sizeof(text));
	show_growth(out, COL_PAGES, COL_RATE, rate.pages, rate.ns, text);
	show_growth(out, COL_MARKS, COL_MARK_RATE, rate.marks, rate.ns, NULL);
	if (rate.unknown) {
		output_unknown(out, COL_WINDOW, NULL);
		output_string(out, COL_REASON, rate.unknown);
	} else {
		output_u64(out, COL_WINDOW, rate.ns, NULL);
	}
}

static void show_logged(struct output *out, const struct logged *logged)
{
	const char *word = logged_word(logged);
	char text[80];

	logged_text(logged, text, sizeof(text));
	if (word) {
		output_string(out, COL_LOGGING, word);
		output_u64(out, COL_LOGGED, logged->bytes, text);
	} else {
		output_unknown(out, COL_LOGGING, NULL);
		output_unknown(out, COL_LOGGED, text);
	}
	output_bool(out, COL_RING, logged->ring, NULL);
}

static void show_bytes(struct output *out, const struct options *options, size_t column,
		       __u64 bytes)
{
	struct quantity q = quantity_bytes(bytes);
	char text[80];

	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	output_u64(out, column, bytes, options->raw ? NULL : text);
}

static void show_mapped(struct output *out, const struct options *options,
			const struct look *look)
{
	struct maybe mapped = value_of(look, "mapped_bytes");
	__u64 memory = look->vm->info.memory;
	double share;
	char text[32];

	if (!mapped.known) {
		output_unknown(out, COL_MAPPED, NULL);
		output_unknown(out, COL_SHARE, NULL);
		return;
	}
	show_bytes(out, options, COL_MAPPED, mapped.number);
	if (!memory) {
		output_unknown(out, COL_SHARE, NULL);
		return;
	}
	share = (double)mapped.number / memory;
	snprintf(text, sizeof(text), "%.*f%%", options->raw ? 6 : 1, share * 100);
	output_real(out, COL_SHARE, share, text);
}

static void show_names(struct output *out, const struct vm *vm)
{
	char text[sizeof(vm->info.comm) + 2];

	if (vm->info.pid > 0)
		output_s64(out, COL_PID, vm->info.pid);
	else
		output_unknown(out, COL_PID, NULL);
	output_string(out, COL_COMM, vm->info.comm);
	output_string(out, COL_UUID, vm->uuid);
	output_string(out, COL_UNIT, vm->unit);
	output_string(out, COL_USER_UNIT, vm->user_unit);
	snprintf(text, sizeof(text), "[%s]", vm->info.comm);
	output_string_as(out, COL_GUEST, vm->guest, vm->guest ?: text);
}

static void show_vm(struct output *out, const struct options *options,
		    const struct look *now, const struct look *before)
{
	const struct logged logged = logged_of(now->sample, now->item);
	const struct kvmwatch_vm *info = &now->vm->info;

	output_u64(out, COL_ID, info->id, NULL);
	output_string(out, COL_NAME, info->name);
	show_names(out, now->vm);
	output_u64(out, COL_VCPUS, info->vcpus, NULL);
	output_u64(out, COL_SLOTS, info->slots, NULL);
	show_bytes(out, options, COL_MEMORY, info->memory);
	show_mapped(out, options, now);
	output_u64(out, COL_FOOTPRINT, info->footprint, NULL);
	show_logged(out, &logged);
	show_rate(out, options, now, before, &logged);
	output_u64(out, COL_TIME, now->sample->all->begin_ns, NULL);
	output_row(out);
}

static int look_around(struct list *list, struct sample *sample)
{
	return sample_take(list->dev, &list->selection, KVMWATCH_KIND_VM,
			   KVMWATCH_OPEN_NO_HISTOGRAMS, sample);
}

static size_t show_vms(struct output *out, const struct list *list, const struct sample *sample)
{
	struct look now, before;
	size_t i, shown = 0;
	__u64 id;

	output_begin(out, NULL, columns, NR_COLS);
	for (i = 0; i < sample->nr_vms; i++) {
		id = sample->vms[i].info.id;
		now = find_look(sample, id);
		before = find_look(&list->before, id);
		if (now.item < 0)
			continue;
		show_vm(out, list->options, &now, &before);
		shown++;
	}
	output_end(out);
	return shown;
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	struct list *list = arg;
	struct sample now;
	size_t shown;
	int code;

	code = look_around(list, &now);
	if (code)
		return code;
	if (!list->before.all && some_is_logging(&now)) {
		list->before = now;
		beat_wait(beat);
		code = look_around(list, &now);
		if (code)
			return code;
	}
	shown = show_vms(out, list, &now);
	sample_free(&list->before);
	list->before = now;
	return shown ? EXIT_DONE : vms_none(&list->selection, "list");
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options;
	struct list list = { .options = &options };
	int code;

	code = options_parse(cmd, argc, argv, &options);
	if (code >= 0)
		return code;
	list.dev = device_open();
	if (list.dev < 0)
		return EXIT_COULD_NOT;
	list.selection.arg = options.vm;
	code = repeat(&options, show, &list);
	sample_free(&list.before);
	selection_free(&list.selection);
	close(list.dev);
	return code;
}

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

static const struct opt *const options[] = {
	&opt_vm, OPTS_REPEAT, OPTS_TABLE, &opt_raw, &opt_help, NULL
};

const struct cmd cmd_list = {
	.name		= "list",
	.summary	= "VMs, with mapped memory and dirty rate",
	.about		=
		"List the VMs of this host. GUEST is the name that the VMM was given, or [program].\n"
		"MAPPED is what the second-level page tables map now, SHARE its part of MEMORY.\n"
		"DIRTY LOG is how much of the memory the VMM has dirty logging on for, DIRTY RATE what\n"
		"became dirty in that part, over the interval (one second, or -i). With dirty rings\n"
		"(ring) it is a rate of marks. Memory without dirty logging has no rate.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
