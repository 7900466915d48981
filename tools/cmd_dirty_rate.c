// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch dirty --rate: how fast pages are dirtied, by VM, slot and vCPU, interval by interval.
 * Pages per second are pages that were not in the log yet, as a migration has to send those. vCPUs,
 * and VMs with dirty rings, which do not remember earlier pages, have only marks per second. If
 * logging is off, KVM marks nothing, and the rate is unknown, not 0.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_dirty.h"
#include "logged.h"
#include "options.h"
#include "output.h"
#include "repeat.h"
#include "sample.h"
#include "text.h"

#define PAGE_BYTES	4096

/* The kinds of objects with rates, in the order of a VM's rows. */
static const __u32 kinds[] = { KVMWATCH_KIND_VM, KVMWATCH_KIND_SLOT, KVMWATCH_KIND_VCPU };

#define NR_KINDS	(sizeof(kinds) / sizeof(*kinds))

struct rates {
	int dev;
	const struct options *options;
	struct selection selection;
	struct sample before[NR_KINDS];	/* empty in the first round */
};

enum {
	COL_VM, COL_NAME, COL_OF, COL_AS, COL_SLOT, COL_VCPU, COL_WINDOW, COL_MARKS,
	COL_NEW, COL_PAGES, COL_BYTES, COL_MARK_RATE, COL_LOGGED, COL_REASON,
	COL_TIME, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_VM]	= { "vm",		"VM",		true, 0, true },
	[COL_NAME]	= { "name",		"NAME",		false },
	[COL_OF]	= { "of",		"OF",		false },
	[COL_AS]	= { "as_id",		NULL,		true, 0, true },
	[COL_SLOT]	= { "slot",		NULL,		true, 0, true },
	[COL_VCPU]	= { "vcpu_id",		NULL,		true, 0, true },
	[COL_WINDOW]	= { "window_ns",	NULL,		true },
	[COL_MARKS]	= { "marks",		"MARKS",	true },
	[COL_NEW]	= { "marks_new",	"NEW",		true },
	[COL_PAGES]	= { "pages_per_second",	"PAGES/S",	true },
	[COL_BYTES]	= { "bytes_per_second",	"PER SECOND",	true },
	[COL_MARK_RATE]	= { "marks_per_second",	"MARKS/S",	true },
	[COL_LOGGED]	= { "logged_bytes",	"LOGGED",	false },
	[COL_REASON]	= { "unknown",		NULL,		false },
	[COL_TIME]	= { "time_ns",		NULL,		true, 0, true },
};

/* The object: "VM", "slot 0:1", "vCPU 0". */
static void show_what(struct output *out, __u32 kind, const struct kvmwatch_all_item *it)
{
	const char *word = "vm";
	char text[48] = "VM";

	if (kind == KVMWATCH_KIND_SLOT) {
		word = "slot";
		snprintf(text, sizeof(text), "slot %u:%u", it->number >> 16, it->number & 0xffff);
		output_u64(out, COL_AS, it->number >> 16, NULL);
		output_u64(out, COL_SLOT, it->number & 0xffff, NULL);
	} else if (kind == KVMWATCH_KIND_VCPU) {
		word = "vcpu";
		snprintf(text, sizeof(text), "vCPU %u", it->number);
		output_u64(out, COL_VCPU, it->number, NULL);
	}
	output_string_as(out, COL_OF, word, text);
}

/* The text for a number that is unknown. */
static const char *nothing(const struct logged *logged)
{
	return logged->known && !logged_any(logged) ? "off" : "-";
}

/* If a number grew although nothing is logged now, logging was on before. */
static void show_count(struct output *out, int column, struct maybe count,
		       const struct logged *logged)
{
	if (count.known && (count.number || logged_any(logged)))
		output_u64(out, column, count.number, NULL);
	else
		output_unknown(out, column, nothing(logged));
}

/**
 * struct one - a VM, slot or vCPU in an interval
 * @now:	the numbers of all of its kind, and @item its place there
 * @before:	likewise, and @was
 * @window:	nanoseconds between the two
 * @logged:	what is logged of it, or of its VM
 * @unknown:	why it has no rate; NULL: it has
 */
struct one {
	const struct sample *now, *before;
	size_t item;
	long was;
	__u64 window;
	struct logged logged;
	const char *unknown;
};

static struct maybe growth_of(const struct one *one, const char *stat)
{
	return sample_growth(one->now, one->item, one->before, one->was, stat);
}

static void show_rate(struct output *out, const struct one *one, int column, struct maybe growth,
		      bool raw)
{
	double speed = growth.number * 1e9 / one->window;
	char text[40];

	if (one->unknown || !growth.known) {
		output_unknown(out, column, nothing(&one->logged));
		return;
	}
	snprintf(text, sizeof(text), "%.0f", speed);
	output_real(out, column, speed, raw ? NULL : text);
}

static void show_bytes(struct output *out, const struct one *one, struct maybe pages, bool raw)
{
	__u64 bytes = pages.number * 1e9 / one->window * PAGE_BYTES;
	struct quantity q = quantity_bytes(bytes);
	char text[80];

	if (one->unknown || !pages.known) {
		show_rate(out, one, COL_BYTES, pages, raw);
		return;
	}
	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	output_u64(out, COL_BYTES, bytes, raw ? NULL : text);
}

static void show_logged(struct output *out, const struct one *one)
{
	char text[80];

	logged_text(&one->logged, text, sizeof(text));
	if (one->logged.known)
		output_u64(out, COL_LOGGED, one->logged.bytes, text);
	else
		output_unknown(out, COL_LOGGED, text);
	if (one->unknown)
		output_string(out, COL_REASON, one->unknown);
}

/* What is logged of the slot, or else of the VM, in both samples. */
static void find_logged(struct one *one, const struct sample *vms, const struct sample *vms_before,
			__u64 vm)
{
	struct logged before;

	if (one->now->all->kind == KVMWATCH_KIND_SLOT) {
		one->logged = logged_of(one->now, one->item);
		before = logged_of(one->before, one->was);
	} else {
		one->logged = logged_of(vms, sample_vm_item(vms, vm));
		before = logged_of(vms_before, sample_vm_item(vms_before, vm));
	}
	one->unknown = logged_no_rate(&one->logged, &before);
}

/* An object that was not there before cannot be compared. It is shown the next time. */
static void show_one(struct output *out, const struct rates *rates, const struct sample *now,
		     size_t kind, size_t item)
{
	const struct kvmwatch_all_item *it = kvmwatch_all_at(now[kind].all, item);
	const struct vm *vm = sample_vm(&now[kind], item);
	struct one one = { .now = &now[kind], .before = &rates->before[kind], .item = item };
	bool raw = rates->options->raw;
	struct maybe marks, new;

	one.was = sample_find(one.before, it);
	one.window = sample_window(one.now, one.before);
	if (!vm || one.was < 0 || !one.window)
		return;
	find_logged(&one, &now[0], &rates->before[0], it->vm);
	output_u64(out, COL_TIME, now[kind].all->begin_ns, NULL);
	output_u64(out, COL_VM, it->vm, NULL);
	output_string(out, COL_NAME, vm->info.name);
	show_what(out, kinds[kind], it);
	output_u64(out, COL_WINDOW, one.window, NULL);
	marks = growth_of(&one, "dirty_marks");
	new = growth_of(&one, "dirty_marks_new");
	show_count(out, COL_MARKS, marks, &one.logged);
	show_count(out, COL_NEW, new, &one.logged);
	show_rate(out, &one, COL_PAGES, new, raw);
	show_bytes(out, &one, new, raw);
	show_rate(out, &one, COL_MARK_RATE, marks, raw);
	show_logged(out, &one);
	output_row(out);
}

static void show_vm(struct output *out, const struct rates *rates, const struct sample *now,
		    __u64 vm)
{
	size_t kind, first, nr, i;

	for (kind = 0; kind < NR_KINDS; kind++) {
		nr = sample_items_of(&now[kind], vm, &first);
		for (i = first; i < first + nr; i++)
			show_one(out, rates, now, kind, now[kind].item_places.all[i].at);
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
		show_vm(out, rates, now, kvmwatch_all_at(now[0].all, i)->vm);
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

/* Abbreviations of the option lead to the live view of "kvmwatch dirty", not here. */
static const char *set_rate(struct options *options, const char *arg)
{
	(void)arg;
	return options->cmd == &cmd_dirty_rate ? NULL : "write it in full";
}

const struct opt opt_rate = {
	'R', "rate", NULL, "how fast pages are dirtied, see kvmwatch dirty --rate --help", set_rate
};

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

static const struct opt *const options[] = {
	&opt_vm, OPTS_REPEAT, OPTS_TABLE, &opt_raw, &opt_rate, &opt_help,
	NULL
};

const struct cmd cmd_dirty_rate = {
	.name		= "dirty --rate",
	.summary	= "how fast pages are dirtied, per interval",
	.about		=
		"Show for each VM, its slots and its vCPUs how many pages were marked dirty in each\n"
		"interval (one second, or -i): MARKS, and those of them that were not in the log yet\n"
		"(NEW), which PAGES/S and PER SECOND are of. vCPUs, and VMs with dirty rings, have\n"
		"MARKS/S only. A mark is no write: a page is marked once, until the VMM collects the\n"
		"log. LOGGED is the memory that a rate covers: nobody knows what becomes dirty in the\n"
		"other memory. Where dirty logging is off the rate is unknown (off).",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
