// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch dirty --rate: how fast pages are dirtied, of each VM, its slots and its vCPUs,
 * interval by interval.
 *
 * A rate is of pages that were not in the log yet, as those have to be sent; of a vCPU, and
 * with dirty rings, which remember nothing, of marks. Where logging is off, KVM marks
 * nothing, and the rate is unknown, not 0.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "cmd.h"
#include "cmd_dirty.h"
#include "options.h"
#include "output.h"
#include "repeat.h"
#include "sample.h"
#include "text.h"

#define PAGE_BYTES	4096

/* What there are rates of, in the order of a VM's rows. */
static const __u32 kinds[] = { KVMWATCH_KIND_VM, KVMWATCH_KIND_SLOT, KVMWATCH_KIND_VCPU };

#define NR_KINDS	(sizeof(kinds) / sizeof(*kinds))

struct rates {
	int dev;
	const struct options *options;
	struct selection selection;
	struct sample before[NR_KINDS];	/* empty: first round */
};

enum {
	COL_VM, COL_NAME, COL_KIND, COL_OF, COL_AS, COL_SLOT, COL_VCPU, COL_WINDOW, COL_MARKS,
	COL_NEW, COL_PAGES, COL_BYTES, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_VM]	= { "vm",		"VM",		true },
	[COL_NAME]	= { "name",		"NAME",		false },
	[COL_KIND]	= { "of",		NULL,		false },
	[COL_OF]	= { NULL,		"OF",		false },
	[COL_AS]	= { "as_id",		NULL,		true },
	[COL_SLOT]	= { "slot",		NULL,		true },
	[COL_VCPU]	= { "vcpu_id",		NULL,		true },
	[COL_WINDOW]	= { "window_ns",	NULL,		true },
	[COL_MARKS]	= { "marks",		"MARKS",	true },
	[COL_NEW]	= { "marks_new",	"NEW",		true },
	[COL_PAGES]	= { "pages_per_s",	"PAGES/S",	true },
	[COL_BYTES]	= { "bytes_per_s",	"PER SECOND",	true },
};

/* Which one it is: "VM", "slot 0:1", "vCPU 0". */
static void show_what(struct output *out, __u32 kind, const struct kvmwatch_all_item *it)
{
	char text[48] = "VM";

	output_string(out, COL_KIND, kind == KVMWATCH_KIND_VM ? "vm" :
				     kind == KVMWATCH_KIND_SLOT ? "slot" : "vcpu");
	if (kind == KVMWATCH_KIND_SLOT) {
		snprintf(text, sizeof(text), "slot %u:%u", it->number >> 16, it->number & 0xffff);
		output_u64(out, COL_AS, it->number >> 16, NULL);
		output_u64(out, COL_SLOT, it->number & 0xffff, NULL);
	} else if (kind == KVMWATCH_KIND_VCPU) {
		snprintf(text, sizeof(text), "vCPU %u", it->number);
		output_u64(out, COL_VCPU, it->number, NULL);
	}
	output_text(out, COL_OF, text);
}

static bool is_logged(const struct sample *sample, size_t item, __u32 kind, const struct vm *vm)
{
	const struct kvmwatch_slot *slot;

	if (kind != KVMWATCH_KIND_SLOT)
		return vm->info.flags & KVMWATCH_VM_DIRTY_LOG;
	slot = sample_slot(sample, item);
	return slot && slot->flags & KVM_MEM_LOG_DIRTY_PAGES;
}

static void show_count(struct output *out, int column, struct maybe count, bool logged)
{
	if (logged && count.known)
		output_u64(out, column, count.number, NULL);
	else
		output_unknown(out, column, logged ? "-" : "off");
}

static void show_speed(struct output *out, struct maybe pages, __u64 window, bool logged, bool raw)
{
	struct quantity q;
	char text[80];
	__u64 bytes;
	double speed;

	if (!logged || !pages.known) {
		output_unknown(out, COL_PAGES, logged ? "-" : "off");
		output_unknown(out, COL_BYTES, logged ? "-" : "off");
		return;
	}
	speed = pages.number * 1e9 / window;
	snprintf(text, sizeof(text), "%.0f", speed);
	output_real(out, COL_PAGES, speed, raw ? NULL : text);
	bytes = speed * PAGE_BYTES;
	q = quantity_bytes(bytes);
	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	output_u64(out, COL_BYTES, bytes, raw ? NULL : text);
}

/* One that was not there before has nothing to be compared with, and waits. */
static void show_one(struct output *out, const struct rates *rates, const struct sample *now,
		     size_t kind, size_t item)
{
	const struct kvmwatch_all_item *it = kvmwatch_all_item(now->all, item);
	const struct sample *before = &rates->before[kind];
	const struct vm *vm = sample_vm(now, item);
	long was = sample_find(before, it);
	__u64 window = sample_window(now, before);
	struct maybe marks, new;
	bool logged;

	if (!vm || was < 0 || !window)
		return;
	logged = is_logged(now, item, kinds[kind], vm);
	output_u64(out, COL_VM, it->vm, NULL);
	output_string(out, COL_NAME, vm->info.name);
	show_what(out, kinds[kind], it);
	output_u64(out, COL_WINDOW, window, NULL);
	marks = sample_growth(now, item, before, was, "dirty_marks");
	new = sample_growth(now, item, before, was, "dirty_marks_new");
	show_count(out, COL_MARKS, marks, logged);
	show_count(out, COL_NEW, new, logged);
	show_speed(out, new.known ? new : marks, window, logged, rates->options->raw);
	output_row(out);
}

static void show_vm(struct output *out, const struct rates *rates, const struct sample *now,
		    __u64 vm)
{
	size_t kind, i;

	for (kind = 0; kind < NR_KINDS; kind++) {
		for (i = 0; i < now[kind].all->nr; i++) {
			if (kvmwatch_all_item(now[kind].all, i)->vm == vm)
				show_one(out, rates, &now[kind], kind, i);
		}
	}
}

static void free_all(struct sample *samples)
{
	size_t kind;

	for (kind = 0; kind < NR_KINDS; kind++)
		sample_free(&samples[kind]);
}

static int look(struct rates *rates, struct sample *samples)
{
	size_t kind;
	int code;

	memset(samples, 0, NR_KINDS * sizeof(*samples));
	for (kind = 0; kind < NR_KINDS; kind++) {
		code = sample_take(rates->dev, &rates->selection, kinds[kind],
				   KVMWATCH_OPEN_NO_HISTOGRAMS, &samples[kind]);
		if (code) {
			free_all(samples);
			return code;
		}
	}
	return EXIT_DONE;
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	struct rates *rates = arg;
	struct sample now[NR_KINDS];
	size_t i;
	int code;

	if (!rates->before[0].all) {
		code = look(rates, rates->before);
		if (code)
			return code;
		if (rates->before[0].all->nr)
			beat_wait(beat);
	}
	code = look(rates, now);
	if (code)
		return code;
	output_begin(out, NULL, columns, NR_COLS);
	for (i = 0; i < now[0].all->nr; i++)
		show_vm(out, rates, now, kvmwatch_all_item(now[0].all, i)->vm);
	output_end(out);
	code = now[0].nr_vms ? EXIT_DONE : vms_none(&rates->selection, "dirty");
	free_all(rates->before);
	memcpy(rates->before, now, sizeof(now));
	return code;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options = { };
	struct rates rates = { .options = &options };
	int code;

	code = options_parse(cmd, argc, argv, &options);
	if (code >= 0)
		return code;
	rates.dev = device_open();
	if (rates.dev < 0)
		return EXIT_COULD_NOT;
	rates.selection.arg = options.vm;
	code = repeat(&options, show, &rates);
	free_all(rates.before);
	selection_free(&rates.selection);
	close(rates.dev);
	return code;
}

/* An abbreviation that only the live view understands has not led here. */
static const char *set_rate(struct options *options, const char *arg)
{
	(void)arg;
	return options->cmd == &cmd_rate ? NULL : "write it in full";
}

const struct opt opt_rate = {
	'R', "rate", NULL, "how fast pages are dirtied, see kvmwatch dirty --rate --help", set_rate
};

static const struct opt *const options[] = {
	&opt_vm, &opt_interval, &opt_count, &opt_json, &opt_csv, &opt_raw, &opt_rate, &opt_help,
	NULL
};

const struct cmd cmd_rate = {
	.name		= "dirty --rate",
	.summary	= "how fast pages are dirtied, per interval",
	.about		=
		"Show for each VM, its slots and its vCPUs how many pages were marked dirty in each\n"
		"interval (one second, or -i): MARKS, and those of them that were not in the log yet\n"
		"(NEW), which is what the rate is of. A mark is no write: a page is marked once, until\n"
		"the VMM collects the log. Where dirty logging is off the rate is unknown (off).",
	.options	= options,
	.run		= run,
};
