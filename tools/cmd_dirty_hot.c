// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch dirty --hot: which pages are dirtied most, how many distinct ones in windows of
 * several lengths, and a picture of the guest's memory over time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_dirty.h"
#include "hot.h"
#include "interrupt.h"
#include "libkvmwatch.h"
#include "options.h"
#include "output.h"
#include "repeat.h"
#include "select.h"
#include "text.h"

#define NSEC_PER_SEC	1000000000.0
#define PAGE_BYTES	4096
#define DEFAULT_TIME	5000000000ULL
#define DEFAULT_TOP	20
#define WHAT_IS_A_MARK	\
	"a mark is no write: a page is marked once, until the VMM collects the log"

/**
 * struct hot_options - options of dirty --hot
 * @common:	those of all commands
 * @has_slot:	--slot was given
 * @as_id:	--slot, taken apart
 * @slot:	likewise
 * @time_ns:	--time; 0: the default
 * @top:	--top; 0: the default
 * @windows:	--windows
 * @svg:	--svg; NULL: no picture
 */
struct hot_options {
	struct options common;	/* first, as options_parse() knows only that */
	bool has_slot;
	__u16 as_id, slot;
	__u64 time_ns;
	__u64 top;
	bool windows;
	const char *svg;
};

/* A VM that is watched, and the time of its last read. */
struct watched {
	struct vm vm;
	struct hot hot;
	__u64 look_ns;
};

struct hots {
	const struct hot_options *options;
	struct watched *all;
	size_t nr;
	__u64 begin_ns, end_ns;
	struct hot_map map;
};

/* --- waiting ------------------------------------------------------------- */

/* A picture shows one VM. */
static int look_for_map(struct hots *hots)
{
	struct hot *hot = &hots->all[0].hot;
	int err = hot_look(hot);

	return err ? err : hot_map_add(&hots->map, hot,
				       (now_ns() - hots->begin_ns) / NSEC_PER_SEC);
}

static int wait_and_look(struct hots *hots)
{
	__u64 time = hots->options->time_ns, steps = 1, i;
	int err = 0;

	hots->begin_ns = now_ns();
	if (hots->options->svg) {
		steps = time / 125000000;
		steps = steps > HOT_MAP_COLUMNS ? HOT_MAP_COLUMNS : steps ? steps : 1;
	}
	for (i = 1; i <= steps && !interrupted() && !err; i++) {
		interrupt_sleep_until(hots->begin_ns + time / steps * i);
		if (hots->options->svg)
			err = look_for_map(hots);
	}
	for (i = 0; i < hots->nr && !err; i++) {
		hots->all[i].look_ns = now_ns();
		err = hot_look(&hots->all[i].hot);
	}
	hots->end_ns = now_ns();
	return err;
}

/* --- opening ------------------------------------------------------------- */

static int complain_open(const struct vm *vm, const struct hot_options *options, int err)
{
	switch (err) {
	case -ENOSPC:
		return complain(vm->info.name,
				"to count its pages takes more memory than the module's parameter heat_mb allows, which is 2 MiB per GiB of guest; raise it, or choose a slot");
	case -ENOTTY:
		return complain(KVMWATCH_DEVICE,
				"the module cannot count pages; install one of this version");
	case -ENOENT:
		if (options->has_slot)
			return complain(vm->info.name, "it has no slot %u:%u", options->as_id,
					options->slot);
		return complain(vm->info.name, "this VM has ended");
	default:
		return device_complain(err);
	}
}

static int open_one(int dev, const struct hot_options *options, struct watched *w)
{
	int fd, err;

	if (options->has_slot)
		fd = kvmwatch_open_heat_slot(dev, w->vm.info.id, options->as_id, options->slot);
	else
		fd = kvmwatch_open_heat_vm(dev, w->vm.info.id);
	if (fd < 0)
		return fd;
	err = hot_begin(&w->hot, fd);
	return err;
}

/*
 * A VM that --vm has named must be there, with that slot. Others may have ended, or lack the slot.
 */
static int open_all(struct hots *hots, int dev, const struct vm *vms, size_t nr)
{
	bool named = hots->options->common.vm;
	int err, last = 0;
	size_t i;

	for (i = 0; i < nr; i++) {
		hots->all[hots->nr].vm = vms[i];
		err = open_one(dev, hots->options, &hots->all[hots->nr]);
		if (err && (err != -ENOENT || named))
			return complain_open(&vms[i], hots->options, err);
		if (err)
			last = err;
		else
			hots->nr++;
	}
	if (!hots->nr && last)
		return complain_open(&vms[nr - 1], hots->options, last);
	return EXIT_DONE;
}

/* --- the table of pages -------------------------------------------------- */

enum {
	COL_VM, COL_NAME, COL_PID, COL_GFN, COL_REL_GFN, COL_AS_ID, COL_SLOT,
	COL_COUNT, COL_TIME, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_VM]	= { "vm",	"VM",		true, 0, true },
	[COL_NAME]	= { "name",	NULL,		false },
	[COL_PID]	= { "pid",	"PID",		true, 0, true },
	[COL_GFN]	= { "gfn",	"GFN",		true, 0, true },
	[COL_REL_GFN]	= { "rel_gfn",	"REL_GFN",	true, 0, true },
	[COL_AS_ID]	= { "as_id",	NULL,		true, 0, true },
	[COL_SLOT]	= { "slot",	"SLOT",		true, 0, true },
	[COL_COUNT]	= { "count",	"COUNT",	true },
	[COL_TIME]	= { "time_ns",	NULL,		true, 0, true },
};

static void show_vm(struct output *out, const struct vm *vm)
{
	output_u64(out, COL_VM, vm->info.id, NULL);
	output_string(out, COL_NAME, vm->info.name);
	if (vm->info.pid)
		output_u64(out, COL_PID, vm->info.pid, NULL);
	else
		output_unknown(out, COL_PID, NULL);
}

static void show_hex(struct output *out, size_t column, __u64 number)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", number);
	output_u64(out, column, number, text);
}

static void show_page(struct output *out, const struct watched *w, const struct hot_page *page)
{
	const struct kvmwatch_heat_slot *slot = w->hot.last->slots[page->slot];
	char text[24];

	show_vm(out, &w->vm);
	show_hex(out, COL_GFN, slot->base_gfn + page->rel_gfn);
	show_hex(out, COL_REL_GFN, page->rel_gfn);
	snprintf(text, sizeof(text), "%u:%u", slot->as_id, slot->id);
	output_u64(out, COL_AS_ID, slot->as_id, NULL);
	output_u64(out, COL_SLOT, slot->id, text);
	output_u64(out, COL_COUNT, page->count, NULL);
	output_u64(out, COL_TIME, w->look_ns, NULL);
	output_row(out);
}

/* Remarks about the numbers in a table. */
static void make_note(const struct watched *w, char *note, size_t size)
{
	const struct kvmwatch_heat_header *now = w->hot.last->head, *then = w->hot.first->head;
	__u64 uncovered = now->uncovered - then->uncovered;
	char more[80] = "";

	if (uncovered)
		snprintf(more, sizeof(more), "; without %llu marks in slots that came meanwhile",
			 uncovered);
	snprintf(note, size, "log collected %llu times%s%s (%s)", now->collects - then->collects,
		 more, now->flags & KVMWATCH_HEAT_ENDED ? "; the VM has ended" : "",
		 WHAT_IS_A_MARK);
}

static int show_pages(struct output *out, const struct hots *hots, const struct watched *w)
{
	struct quantity q = quantity_ns(hots->end_ns - hots->begin_ns);
	char title[512], note[320];
	struct hot_hottest hottest;
	size_t i;
	int err;

	err = hot_find(&w->hot, hots->options->top, &hottest);
	if (err)
		return err;
	make_note(w, note, sizeof(note));
	snprintf(title, sizeof(title), "VM %llu: name %s: %llu marks of %zu pages in %s %s; %s",
		 w->vm.info.id, w->vm.info.name, hot_all_marks(&w->hot), hottest.marked, q.value,
		 q.unit, note);
	output_begin(out, title, columns, NR_COLS);
	for (i = 0; i < hottest.nr; i++)
		show_page(out, w, &hottest.pages[i]);
	if (!hot_any_logged(&w->hot)) {
		show_vm(out, &w->vm);
		output_unknown(out, COL_COUNT, "unknown: dirty logging is off");
		output_u64(out, COL_TIME, w->look_ns, NULL);
		output_row(out);
	}
	output_end(out);
	free(hottest.pages);
	return 0;
}

/* --- the table of windows ------------------------------------------------ */

enum {
	WIN_VM, WIN_NAME, WIN_AS_ID, WIN_SLOT, WIN_LENGTH, WIN_WINDOWS, WIN_PAGES, WIN_RATE,
	WIN_TIME, NR_WINS
};

static const struct output_column window_columns[NR_WINS] = {
	[WIN_VM]	= { "vm",		NULL,		true, 0, true },
	[WIN_NAME]	= { "name",		NULL,		false },
	[WIN_AS_ID]	= { "as_id",		NULL,		true, 0, true },
	[WIN_SLOT]	= { "slot",		"SLOT",		true, 0, true },
	[WIN_LENGTH]	= { "window_ns",	"WINDOW",	true },
	[WIN_WINDOWS]	= { "windows",		"WINDOWS",	true },
	[WIN_PAGES]	= { "pages",		"PAGES",	true },
	[WIN_RATE]	= { "bytes_per_second",	"RATE",		true },
	[WIN_TIME]	= { "time_ns",		NULL,		true, 0, true },
};

static void show_slot(struct output *out, const struct watched *w, size_t slot)
{
	const struct kvmwatch_heat_slot *it;
	char text[32];

	if (slot == HOT_ALL) {
		output_unknown(out, WIN_AS_ID, NULL);
		output_unknown(out, WIN_SLOT, "logged");
		return;
	}
	it = w->hot.last->slots[slot];
	snprintf(text, sizeof(text), "%u:%u", it->as_id, it->id);
	output_u64(out, WIN_AS_ID, it->as_id, NULL);
	output_u64(out, WIN_SLOT, it->id, text);
}

static void show_window(struct output *out, const struct watched *w, size_t slot,
			unsigned int window)
{
	__u64 ns = w->hot.last->head->window_ns << window, windows;
	struct quantity q = quantity_ns(ns);
	double pages, rate;
	char text[64];
	int err;

	err = hot_mean(&w->hot, slot, window, &pages, &windows);
	output_u64(out, WIN_VM, w->vm.info.id, NULL);
	output_string(out, WIN_NAME, w->vm.info.name);
	show_slot(out, w, slot);
	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	output_u64(out, WIN_LENGTH, ns, text);
	if (!err) {
		rate = pages * PAGE_BYTES / (ns / NSEC_PER_SEC);
		output_u64(out, WIN_WINDOWS, windows, NULL);
		snprintf(text, sizeof(text), "%.1f", pages);
		output_real(out, WIN_PAGES, pages, text);
		q = quantity_bytes(rate + 0.5);
		snprintf(text, sizeof(text), "%s %s/s", q.value, q.unit);
		output_real(out, WIN_RATE, rate, text);
	} else {
		output_unknown(out, WIN_WINDOWS, NULL);
		output_unknown(out, WIN_PAGES, err == -ENOENT ? "unknown: dirty logging is off" :
			       "unknown: none has ended yet");
		output_unknown(out, WIN_RATE, NULL);
	}
	output_u64(out, WIN_TIME, w->look_ns, NULL);
	output_row(out);
}

/* One row for all logged slots together, then one for each. */
static void show_windows(struct output *out, const struct watched *w)
{
	const struct kvmwatch_heat *heat = w->hot.last;
	char text[512], note[320];
	unsigned int window;
	size_t i;

	make_note(w, note, sizeof(note));
	snprintf(text, sizeof(text),
		 "VM %llu: name %s: distinct pages marked in a window, on average; %s",
		 w->vm.info.id, w->vm.info.name, note);
	output_begin(out, text, window_columns, NR_WINS);
	for (window = 0; window < heat->head->nr_windows; window++)
		show_window(out, w, HOT_ALL, window);
	for (i = 0; i < heat->nr; i++) {
		if (!w->hot.logged[i])
			continue;
		for (window = 0; window < heat->head->nr_windows; window++)
			show_window(out, w, i, window);
	}
	output_end(out);
}

/* --- all of it ----------------------------------------------------------- */

static int show(const struct hots *hots)
{
	struct output out;
	size_t i;
	int err, code;

	code = options_output(&hots->options->common, &out);
	if (code)
		return code;
	err = 0;
	for (i = 0; i < hots->nr && !err; i++) {
		if (hots->options->windows)
			show_windows(&out, &hots->all[i]);
		else
			err = show_pages(&out, hots, &hots->all[i]);
	}
	if (err)
		return device_complain(err);
	err = output_flush(&out);
	return err ? complain_output(err) : EXIT_DONE;
}

static int watch(struct hots *hots)
{
	int err = wait_and_look(hots);

	return err ? device_complain(err) : show(hots);
}

static int watch_and_draw(struct hots *hots)
{
	struct hot_plot *plot;
	char title[128];
	int code, drawn;

	if (hots->nr != 1)
		return complain(hots->options->svg,
				"a picture is of one VM; choose one with --vm");
	code = hot_plot_begin(hots->options->svg, &plot);
	if (code)
		return code;
	code = watch(hots);
	snprintf(title, sizeof(title), "VM %llu: name %s: dirty marks", hots->all[0].vm.info.id,
		 hots->all[0].vm.info.name);
	drawn = hot_plot_end(plot, code ? NULL : &hots->map, title);
	hot_map_free(&hots->map);
	return code ? code : drawn;
}

static int watch_vms(int dev, const struct hot_options *options, struct selection *selection)
{
	struct hots hots = { .options = options };
	struct vm *vms;
	size_t nr, i;
	int code;

	code = vms_get(dev, selection, &vms, &nr);
	if (code)
		return code;
	hots.all = calloc(nr + 1, sizeof(*hots.all));
	if (!hots.all)
		code = device_complain(-ENOMEM);
	else if (!nr)
		code = vms_none(selection, "dirty");
	else
		code = open_all(&hots, dev, vms, nr);
	interrupt_catch(false);
	if (!code && hots.nr)
		code = options->svg ? watch_and_draw(&hots) : watch(&hots);
	for (i = 0; i < hots.nr; i++)
		hot_end(&hots.all[i].hot);
	free(hots.all);
	vms_put(vms, nr);
	return code;
}

static const struct output_columns page_table[] = { OUTPUT_COLUMNS(columns), { } };
static const struct output_columns window_table[] = { OUTPUT_COLUMNS(window_columns), { } };

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct hot_options options = { };
	struct selection selection = { };
	int code, dev;

	code = options_parse(cmd, argc, argv, &options.common);
	if (code >= 0)
		return code;
	if (options.windows && options.top) {
		complain(cmd->name, "--windows shows no pages; leave out --top or --windows");
		return EXIT_USAGE;
	}
	if (!options_check_columns(&options.common, options.windows ? window_table : page_table))
		return EXIT_USAGE;
	if (!options.time_ns)
		options.time_ns = DEFAULT_TIME;
	if (!options.top)
		options.top = DEFAULT_TOP;
	dev = device_open();
	if (dev < 0)
		return EXIT_COULD_NOT;
	selection.arg = options.common.vm;
	code = watch_vms(dev, &options, &selection);
	selection_free(&selection);
	close(dev);
	return code;
}

/* --- options ------------------------------------------------------------- */

static struct hot_options *of(struct options *options)
{
	return (struct hot_options *)options;
}

/* Abbreviations of the option lead to the live view of "kvmwatch dirty", not here. */
static const char *set_hot(struct options *options, const char *arg)
{
	(void)arg;
	return options->cmd == &cmd_dirty_hot ? NULL : "write it in full";
}

static const char *set_slot(struct options *options, const char *arg)
{
	if (!text_parse_slot(arg, &of(options)->as_id, &of(options)->slot))
		return TEXT_SLOT_HELP;
	of(options)->has_slot = true;
	return NULL;
}

static const char *set_time(struct options *options, const char *arg)
{
	if (!text_parse_seconds(arg, &of(options)->time_ns))
		return TEXT_SECONDS_HELP;
	return NULL;
}

static const char *set_top(struct options *options, const char *arg)
{
	if (!text_parse_u64(arg, &of(options)->top) || !of(options)->top)
		return "give a number, 1 or more";
	return NULL;
}

static const char *set_windows(struct options *options, const char *arg)
{
	(void)arg;
	of(options)->windows = true;
	return NULL;
}

static const char *set_svg(struct options *options, const char *arg)
{
	if (!*arg)
		return "give the name of a file";
	of(options)->svg = arg;
	return NULL;
}

const struct opt opt_hot = {
	'H', "hot", NULL, "pages by how often they are marked, see kvmwatch dirty --hot --help",
	set_hot
};

static const struct opt opt_slot = {
	'S', "slot", "SLOT", "only this slot: its number, or <address space>:<number>", set_slot
};

static const struct opt opt_time = {
	't', "time", "SECONDS", "count so long, or until interrupted; without it, 5 seconds",
	set_time
};

static const struct opt opt_top = {
	'T', "top", "COUNT", "show so many pages of a VM; without it, 20", set_top
};

static const struct opt opt_windows = {
	'w', "windows", NULL, "instead, distinct pages by the length of a window", set_windows
};

static const struct opt opt_svg = {
	'g', "svg", "FILE", "also draw the VM's memory over time, with gnuplot", set_svg
};

static const struct output_columns tables[] = {
	OUTPUT_COLUMNS(columns), OUTPUT_COLUMNS(window_columns), { }
};

static const struct opt *const options[] = {
	&opt_vm, &opt_slot, &opt_time, &opt_top, &opt_windows, &opt_svg, OPTS_TABLE,
	&opt_hot, &opt_help, NULL
};

const struct cmd cmd_dirty_hot = {
	.name		= "dirty --hot",
	.summary	= "pages that are dirtied most",
	.about		=
		"Have the module count how often each page is marked dirty, for some time, and show\n"
		"those that were most often. A mark is no write: a page is marked once, until the VMM\n"
		"collects the log; COUNT is in how many collections it was, or more if KVM took its\n"
		"mapping away meanwhile. With --windows: how many distinct pages are marked in a\n"
		"window of time, on average over all windows that ended; of windows shorter than\n"
		"the time between two collections that says less than is written. KVM marks pages\n"
		"only while the VMM has dirty logging on. Counting takes 2 MiB of kernel memory per\n"
		"GiB of guest, until the command ends.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
