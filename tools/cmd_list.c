// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch list: the VMs of this host, how much of their memory is mapped, and how
 * fast they dirty it.
 *
 * A rate needs two looks. The second one is taken, an interval later, only when
 * some VM has dirty logging on; for the others there is no rate to be had.
 */
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
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
	struct sample before;	/* empty: first round */
};

enum {
	COL_ID, COL_NAME, COL_PID, COL_GUEST, COL_COMM, COL_GUEST_OR_COMM, COL_VCPUS, COL_SLOTS,
	COL_MEMORY, COL_MAPPED, COL_SHARE, COL_FOOTPRINT, COL_LOGGING, COL_PAGES, COL_WINDOW,
	COL_RATE, COL_REASON, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_ID]	= { "id",			"ID",		true },
	[COL_NAME]	= { "name",			"NAME",		false },
	[COL_PID]	= { "pid",			"PID",		true },
	[COL_GUEST]	= { "guest",			NULL,		false },
	[COL_COMM]	= { "comm",			NULL,		false },
	[COL_GUEST_OR_COMM] = { NULL,			"GUEST",	false },
	[COL_VCPUS]	= { "vcpus",			"VCPUS",	true },
	[COL_SLOTS]	= { "slots",			NULL,		true },
	[COL_MEMORY]	= { "memory",			"MEMORY",	true },
	[COL_MAPPED]	= { "mapped_bytes",		"MAPPED",	true },
	[COL_SHARE]	= { "mapped_share",		"SHARE",	true },
	[COL_FOOTPRINT]	= { "footprint",		NULL,		true },
	[COL_LOGGING]	= { "dirty_logging",		"DIRTY LOG",	false },
	[COL_PAGES]	= { "dirty_pages",		NULL,		true },
	[COL_WINDOW]	= { "dirty_window_ns",		NULL,		true },
	[COL_RATE]	= { "dirty_pages_per_second",	"DIRTY RATE",	false },
	[COL_REASON]	= { "dirty_unknown",		NULL,		false },
};

/* A VM at one moment: none, if @item is -1. */
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

static bool is_logging(const struct vm *vm)
{
	return vm->info.flags & KVMWATCH_VM_DIRTY_LOG;
}

static bool some_is_logging(const struct sample *sample)
{
	size_t i;

	for (i = 0; i < sample->nr_vms; i++) {
		if (is_logging(&sample->vms[i]))
			return true;
	}
	return false;
}

/* Why there is no rate; NULL: there is one, of *@pages in *@ns. */
static const char *why_no_rate(const struct look *now, const struct look *before, __u64 *pages,
			       __u64 *ns)
{
	struct maybe dirtied, was = { };

	if (!is_logging(now->vm))
		return "dirty logging is off";
	dirtied = value_of(now, "dirty_marks_new");
	if (!dirtied.known)
		return "dirty_marks_new is unavailable";
	*ns = sample_window(now->sample, before->sample);
	if (before->item >= 0 && is_logging(before->vm))
		was = value_of(before, "dirty_marks_new");
	if (!was.known || !*ns)
		return "dirty logging has just begun";
	if (dirtied.number < was.number)
		return "the count began anew";
	*pages = dirtied.number - was.number;
	return NULL;
}

static void show_rate(struct output *out, const struct options *options,
		      const struct look *now, const struct look *before)
{
	double pages_per_second;
	const char *reason;
	struct quantity q;
	__u64 pages, ns;
	char text[80];

	reason = why_no_rate(now, before, &pages, &ns);
	if (reason) {
		snprintf(text, sizeof(text), "unknown: %s", reason);
		output_unknown(out, COL_PAGES, NULL);
		output_unknown(out, COL_WINDOW, NULL);
		output_unknown(out, COL_RATE, text);
		output_string(out, COL_REASON, reason);
		return;
	}
	pages_per_second = pages / (ns / NSEC_PER_SEC);
	if (options->raw) {
		snprintf(text, sizeof(text), "%llu pages in %llu ns",
			 pages, ns);
	} else {
		q = quantity_bytes(pages_per_second * PAGE_BYTES);
		snprintf(text, sizeof(text), "%s %s/s over %.3g s", q.value, q.unit,
			 ns / NSEC_PER_SEC);
	}
	output_u64(out, COL_PAGES, pages, NULL);
	output_u64(out, COL_WINDOW, ns, NULL);
	output_real(out, COL_RATE, pages_per_second, text);
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
	if (vm->guest) {
		output_string(out, COL_GUEST, vm->guest);
		output_text(out, COL_GUEST_OR_COMM, vm->guest);
	} else {
		snprintf(text, sizeof(text), "[%s]", vm->info.comm);
		output_unknown(out, COL_GUEST, NULL);
		output_text(out, COL_GUEST_OR_COMM, text);
	}
}

static void show_vm(struct output *out, const struct options *options,
		    const struct look *now, const struct look *before)
{
	const struct kvmwatch_vm *info = &now->vm->info;

	output_u64(out, COL_ID, info->id, NULL);
	output_string(out, COL_NAME, info->name);
	show_names(out, now->vm);
	output_u64(out, COL_VCPUS, info->vcpus, NULL);
	output_u64(out, COL_SLOTS, info->slots, NULL);
	show_bytes(out, options, COL_MEMORY, info->memory);
	show_mapped(out, options, now);
	output_u64(out, COL_FOOTPRINT, info->footprint, NULL);
	output_bool(out, COL_LOGGING, is_logging(now->vm), is_logging(now->vm) ? "on" : "off");
	show_rate(out, options, now, before);
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

static const struct opt *const options[] = {
	&opt_vm, &opt_interval, &opt_count, &opt_json, &opt_csv, &opt_raw, &opt_help, NULL
};

const struct cmd cmd_list = {
	.name		= "list",
	.summary	= "VMs, with mapped memory and dirty rate",
	.about		=
		"List the VMs of this host. GUEST is the name that the VMM was given, or [program].\n"
		"MAPPED is what the second-level page tables map now, SHARE its part of MEMORY.\n"
		"DIRTY RATE counts pages that became dirty, over the interval (one second, or -i);\n"
		"only while the VMM has dirty logging on is there anything to count.",
	.options	= options,
	.run		= run,
};
