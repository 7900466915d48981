// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch huge: with what pages KVM maps the memory of VMs and slots, what the host would allow,
 * and what keeps them small.
 *
 * The module counts leaves, not where they are. So how much of what is mapped small could be huge
 * is a range: at most all that the host would allow and that is not huge, at least what is mapped
 * small beyond what has to be. Where both are the same, it is known.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "backing.h"
#include "cmd.h"
#include "cmd_huge.h"
#include "kvm_huge.h"
#include "options.h"
#include "output.h"
#include "quantity.h"
#include "repeat.h"
#include "sample.h"
#include "select.h"

#define SIZE_4K		4096ULL
#define SIZE_2M		(512 * SIZE_4K)
#define SIZE_1G		(512 * SIZE_2M)

struct huge {
	int dev;
	const struct options *options;
	struct selection selection;
	struct samples before;	/* none yet: first round */
};

/* What keeps pages small, a bit each */
enum {
	BY_LOGGING	= 1 << 0,
	BY_NX		= 1 << 1,
	BY_HOST		= 1 << 2,
	BY_ALIGNMENT	= 1 << 3,
	BY_EDGE		= 1 << 4,
};

/**
 * struct part - a slot, or all slots of a VM
 * @memory:	its size
 * @mapped:	bytes in leaves of 4 KiB, 2 MiB and 1 GiB
 * @backing:	what backs it
 * @least:	bytes that are mapped small and could be huge: not less than this
 * @most:	nor more
 * @by:		what keeps pages small
 * @why:	why a number is not known; "": it is, or kvmwatch hooks says why
 */
struct part {
	__u64 memory;
	struct maybe mapped[3];
	struct backing backing;
	struct maybe least, most;
	unsigned int by;
	char why[BACKING_WHY];
};

enum {
	COL_VM, COL_NAME, COL_GUEST, COL_NAME_TEXT, COL_OBJECT, COL_MEMORY, COL_4K, COL_2M, COL_1G,
	COL_MAY_2M, COL_MAY_1G, COL_SMALL, COL_ABSENT, COL_UNALIGNED, COL_EDGE, COL_LEAST, COL_MOST,
	COL_COULD, COL_BY, COL_NX, COL_SPLITS, COL_COLLAPSES, COL_CAME, COL_GONE, COL_NEW_SPLITS,
	COL_NEW_COLLAPSES, COL_NEW_CAME, COL_NEW_GONE, COL_WHY, COL_WINDOW, COL_TIME, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_VM]	= { "vm",			"VM",		true },
	[COL_NAME]	= { "name",			NULL,		false },
	[COL_GUEST]	= { "guest",			NULL,		false },
	[COL_NAME_TEXT]	= { NULL,			"GUEST",	false, 24 },
	[COL_OBJECT]	= { "object",			"OBJECT",	false },
	[COL_MEMORY]	= { "memory",			"MEMORY",	true },
	[COL_4K]	= { "mapped_4k_bytes",		"4K",		true },
	[COL_2M]	= { "mapped_2m_bytes",		"2M",		true },
	[COL_1G]	= { "mapped_1g_bytes",		"1G",		true },
	[COL_MAY_2M]	= { "may_2m_bytes",		"MAY 2M",	true },
	[COL_MAY_1G]	= { "may_1g_bytes",		"MAY 1G",	true },
	[COL_SMALL]	= { "host_4k_bytes",		NULL,		true },
	[COL_ABSENT]	= { "host_absent_bytes",	NULL,		true },
	[COL_UNALIGNED]	= { "unaligned_bytes",		NULL,		true },
	[COL_EDGE]	= { "edge_bytes",		NULL,		true },
	[COL_LEAST]	= { "could_be_huge_least",	NULL,		true },
	[COL_MOST]	= { "could_be_huge_most",	NULL,		true },
	[COL_COULD]	= { NULL,			"COULD BE HUGE", true },
	[COL_BY]	= { "kept_small_by",		"KEPT SMALL BY", false },
	[COL_NX]	= { "nx_tables",		NULL,		true },
	[COL_SPLITS]	= { "splits",			"SPLITS",	true },
	[COL_COLLAPSES]	= { "collapses",		"COLLAPSES",	true },
	[COL_CAME]	= { "huge_mapped",		NULL,		true },
	[COL_GONE]	= { "huge_unmapped",		"UNMAPPED",	true },
	[COL_NEW_SPLITS] = { "window_splits",		NULL,		true },
	[COL_NEW_COLLAPSES] = { "window_collapses",	NULL,		true },
	[COL_NEW_CAME]	= { "window_huge_mapped",	NULL,		true },
	[COL_NEW_GONE]	= { "window_huge_unmapped",	NULL,		true },
	[COL_WHY]	= { "why",			"UNKNOWN",	false },
	[COL_WINDOW]	= { "window_ns",		NULL,		true },
	[COL_TIME]	= { "time_ns",			NULL,		true },
};

static const char *const levels[] = { "mapped_4k", "mapped_2m", "mapped_1g" };
static const __u64 level_bytes[] = { SIZE_4K, SIZE_2M, SIZE_1G };

/* --- Judge ---------------------------------------------------------------- */

static void note_why(struct part *part, const char *why)
{
	if (!*part->why)
		snprintf(part->why, sizeof(part->why), "%s", why);
}

static void find_mapped(const struct sample *sample, size_t item, struct part *part)
{
	size_t i;

	for (i = 0; i < 3; i++) {
		part->mapped[i] = sample_value(sample, item, levels[i]);
		part->mapped[i].number *= level_bytes[i];
	}
}

/* Each page is taken to be mapped once. If it is not, the range is empty, and nothing is known. */
static void find_range(struct part *part)
{
	const __u64 *bytes = part->backing.bytes;
	__u64 small = part->mapped[0].number;
	__u64 huge = part->mapped[1].number + part->mapped[2].number;
	__u64 may = bytes[BACKING_2M] + bytes[BACKING_1G];
	__u64 must = bytes[BACKING_SMALL] + bytes[BACKING_UNALIGNED] + bytes[BACKING_EDGE];
	__u64 least = small > must ? small - must : 0, most = may > huge ? may - huge : 0;

	if (!part->backing.known || !part->mapped[0].known || !part->mapped[1].known ||
	    !part->mapped[2].known)
		return;
	if (most > small)
		most = small;
	if (huge > may || least > most) {
		note_why(part, "it changed meanwhile, or several page tables map it");
		return;
	}
	part->least = (struct maybe){ true, least };
	part->most = (struct maybe){ true, most };
}

static void find_causes(const struct kvmwatch_slot *slot, struct part *part)
{
	if (slot->flags & KVM_MEM_LOG_DIRTY_PAGES)
		part->by |= BY_LOGGING;
	if (part->backing.known && part->backing.bytes[BACKING_SMALL])
		part->by |= BY_HOST;
	if (!part->backing.aligned)
		part->by |= BY_ALIGNMENT;
	if (part->backing.cut)
		part->by |= BY_EDGE;
}

static void judge_slot(const struct sample *sample, size_t item, const struct kvmwatch_slot *slot,
		       const struct backing *backing, struct part *part)
{
	*part = (struct part){ .memory = slot->npages * SIZE_4K, .backing = *backing };
	if (!backing->known)
		note_why(part, backing->why);
	find_mapped(sample, item, part);
	find_range(part);
	find_causes(slot, part);
}

static void add_range(struct maybe *sum, const struct maybe *more)
{
	sum->known &= more->known;
	sum->number += more->number;
}

/* Memory of the VM is that of address space 0; what its leaves map is of both. */
static void add_slot(struct part *vm, const struct part *slot, unsigned int as_id)
{
	size_t i;

	add_range(&vm->least, &slot->least);
	add_range(&vm->most, &slot->most);
	vm->by |= slot->by;
	note_why(vm, slot->why);
	if (as_id)
		return;
	vm->backing.known &= slot->backing.known;
	for (i = 0; i < BACKING_KINDS; i++)
		vm->backing.bytes[i] += slot->backing.bytes[i];
}

/* --- Show ----------------------------------------------------------------- */

static void show_maybe(struct output *out, size_t column, struct maybe value)
{
	if (value.known)
		output_u64(out, column, value.number, NULL);
	else
		output_unknown(out, column, NULL);
}

static void show_bytes(struct output *out, const struct options *options, size_t column,
		       struct maybe bytes)
{
	struct quantity q = quantity_bytes(bytes.number);
	char text[80];

	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	if (bytes.known)
		output_u64(out, column, bytes.number, options->raw ? NULL : text);
	else
		output_unknown(out, column, NULL);
}

static void show_could(struct output *out, const struct options *options, const struct part *part)
{
	struct quantity least = quantity_bytes(part->least.number);
	struct quantity most = quantity_bytes(part->most.number);
	char text[160];

	show_maybe(out, COL_LEAST, part->least);
	show_maybe(out, COL_MOST, part->most);
	if (!part->least.known || !part->most.known)
		snprintf(text, sizeof(text), "unknown");
	else if (part->least.number == part->most.number)
		return show_bytes(out, options, COL_COULD, part->most);
	else if (options->raw)
		snprintf(text, sizeof(text), "%llu to %llu", part->least.number, part->most.number);
	else
		snprintf(text, sizeof(text), "%s %s to %s %s", least.value, least.unit, most.value,
			 most.unit);
	output_text(out, COL_COULD, text);
}

static void show_causes(struct output *out, unsigned int by)
{
	static const char *const words[] = { "logging", "nx", "host", "alignment", "edge" };
	char text[64] = "";
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!(by & 1U << i))
			continue;
		if (*text)
			strcat(text, ",");
		strcat(text, words[i]);
	}
	output_string_as(out, COL_BY, text, *text ? text : "-");
}

static void show_part(struct output *out, const struct huge *huge, const struct samples *now,
		      const struct vm *vm, const char *object, const struct part *part)
{
	static const struct { size_t column; enum backing_kind kind; } backings[] = {
		{ COL_MAY_2M, BACKING_2M }, { COL_MAY_1G, BACKING_1G },
		{ COL_SMALL, BACKING_SMALL }, { COL_ABSENT, BACKING_ABSENT },
		{ COL_UNALIGNED, BACKING_UNALIGNED }, { COL_EDGE, BACKING_EDGE },
	};
	const struct options *options = huge->options;
	struct maybe bytes = { .known = part->backing.known };
	size_t i;

	output_u64(out, COL_VM, vm->info.id, NULL);
	output_string(out, COL_NAME, vm->info.name);
	output_string(out, COL_GUEST, vm->guest);
	output_text(out, COL_NAME_TEXT, vm->guest ?: vm->info.name);
	output_string(out, COL_OBJECT, object);
	show_bytes(out, options, COL_MEMORY, (struct maybe){ true, part->memory });
	for (i = 0; i < 3; i++)
		show_bytes(out, options, COL_4K + i, part->mapped[i]);
	for (i = 0; i < sizeof(backings) / sizeof(*backings); i++) {
		bytes.number = part->backing.bytes[backings[i].kind];
		show_bytes(out, options, backings[i].column, bytes);
	}
	show_could(out, options, part);
	show_causes(out, part->by);
	if (*part->why)
		output_string(out, COL_WHY, part->why);
	output_u64(out, COL_TIME, now->parts.all->begin_ns, NULL);
}

/* Leaves of 2 MiB and 1 GiB together */
static struct maybe both(struct maybe a, struct maybe b)
{
	return (struct maybe){ a.known && b.known, a.number + b.number };
}

/* An entry that is replaced in place is an affair of the TDP MMU. */
static void show_changes(struct output *out, const struct huge *huge, const struct samples *now,
			 size_t item)
{
	const struct sample *vms = &now->vms, *before = &huge->before.vms;
	const __u64 window = sample_window(vms, before);
	const bool tdp = kvm_has_tdp_mmu();
	long was = -1;

	if (window)
		was = sample_find(before, kvmwatch_all_at(vms->all, item));
	show_maybe(out, COL_SPLITS, tdp ? sample_value(vms, item, "huge_splits") :
		   (struct maybe){ });
	show_maybe(out, COL_COLLAPSES, tdp ? sample_value(vms, item, "huge_collapses") :
		   (struct maybe){ });
	show_maybe(out, COL_CAME, both(sample_value(vms, item, "map_2m"),
				       sample_value(vms, item, "map_1g")));
	show_maybe(out, COL_GONE, both(sample_value(vms, item, "unmap_2m"),
				       sample_value(vms, item, "unmap_1g")));
	if (was < 0)
		return;
	if (tdp) {
		show_maybe(out, COL_NEW_SPLITS,
			   sample_growth(vms, item, before, was, "huge_splits"));
		show_maybe(out, COL_NEW_COLLAPSES,
			   sample_growth(vms, item, before, was, "huge_collapses"));
	}
	show_maybe(out, COL_NEW_CAME, both(sample_growth(vms, item, before, was, "map_2m"),
					   sample_growth(vms, item, before, was, "map_1g")));
	show_maybe(out, COL_NEW_GONE, both(sample_growth(vms, item, before, was, "unmap_2m"),
					   sample_growth(vms, item, before, was, "unmap_1g")));
	output_u64(out, COL_WINDOW, window, NULL);
}

/* By how many tables the workaround for executable huge pages keeps pages small */
static struct maybe find_nx(const struct vm *vm, struct part *part)
{
	const struct maybe on = kvm_nx_is_on();
	struct maybe tables = { };

	if (on.known && !on.number)
		return (struct maybe){ true, 0 };
	tables = kvm_nx_tables(vm->info.name);
	if (!tables.known)
		note_why(part, "KVM's nx_lpage_splits can't be read: whether nx keeps pages small");
	if (tables.known && tables.number)
		part->by |= BY_NX;
	return tables;
}

/**
 * struct family - the slots of a VM
 * @items:	their items in the sample
 * @slots:	they themselves
 * @backings:	what backs them
 * @parts:	what is to be shown of them
 * @nr:		how many
 */
struct family {
	size_t *items;
	struct kvmwatch_slot *slots;
	struct backing *backings;
	struct part *parts;
	size_t nr;
};

static void family_free(struct family *family)
{
	free(family->items);
	free(family->slots);
	free(family->backings);
	free(family->parts);
}

/* Without KVM's own slots. */
static int family_find(const struct sample *sample, __u64 vm, struct family *family)
{
	const struct kvmwatch_slot *slot;
	size_t first, nr, i, item;

	memset(family, 0, sizeof(*family));
	nr = sample_items_of(sample, vm, &first);
	family->items = calloc(nr + 1, sizeof(*family->items));
	family->slots = calloc(nr + 1, sizeof(*family->slots));
	family->backings = calloc(nr + 1, sizeof(*family->backings));
	family->parts = calloc(nr + 1, sizeof(*family->parts));
	if (!family->items || !family->slots || !family->backings || !family->parts)
		return -ENOMEM;
	for (i = first; i < first + nr; i++) {
		item = sample->item_places.all[i].at;
		slot = sample_slot(sample, item);
		if (!slot || slot->flags & KVMWATCH_SLOT_INTERNAL)
			continue;
		family->items[family->nr] = item;
		family->slots[family->nr++] = *slot;
	}
	return 0;
}

static int judge_all(const struct samples *now, const struct vm *vm, struct family *family,
		     struct part *all)
{
	size_t i;
	int err;

	err = family_find(&now->parts, vm->info.id, family);
	if (!err)
		err = backing_look(vm->info.pid, family->slots, family->nr, family->backings);
	if (err)
		return err;
	for (i = 0; i < family->nr; i++) {
		judge_slot(&now->parts, family->items[i], &family->slots[i], &family->backings[i],
			   &family->parts[i]);
		add_slot(all, &family->parts[i], family->slots[i].as_id);
	}
	return 0;
}

/* Returns 1: shown; 0: it has ended; or -errno. */
static int show_vm(struct output *out, const struct huge *huge, const struct samples *now,
		   const struct vm *vm)
{
	struct part all = { .memory = vm->info.memory, .backing.known = true,
			    .least.known = true, .most.known = true };
	long item = sample_vm_item(&now->vms, vm->info.id);
	struct family family;
	struct maybe nx;
	char object[32];
	size_t i;
	int err;

	if (item < 0)
		return 0;
	err = judge_all(now, vm, &family, &all);
	if (!err) {
		find_mapped(&now->vms, item, &all);
		nx = find_nx(vm, &all);
		show_part(out, huge, now, vm, "vm", &all);
		show_maybe(out, COL_NX, nx);
		show_changes(out, huge, now, item);
		output_row(out);
	}
	for (i = 0; !err && i < family.nr; i++) {
		snprintf(object, sizeof(object), "slot%u-%u", family.slots[i].as_id,
			 family.slots[i].id);
		show_part(out, huge, now, vm, object, &family.parts[i]);
		output_row(out);
	}
	family_free(&family);
	return err ?: 1;
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	struct huge *huge = arg;
	struct samples now;
	int code, shown = 0, more = 0;
	size_t i;

	(void)beat;
	code = samples_take(huge->dev, &huge->selection, KVMWATCH_OPEN_NO_HISTOGRAMS,
			    KVMWATCH_KIND_SLOT, KVMWATCH_OPEN_NO_HISTOGRAMS, &now);
	if (code)
		return code;
	output_begin(out, NULL, columns, NR_COLS);
	for (i = 0; i < now.vms.nr_vms && more >= 0; i++) {
		more = show_vm(out, huge, &now, &now.vms.vms[i]);
		shown += more > 0;
	}
	output_end(out);
	samples_free(&huge->before);
	huge->before = now;
	if (more < 0)
		return more == -EINTR ? EXIT_DONE : device_complain(more);
	return shown ? EXIT_DONE : vms_none(&huge->selection, "huge");
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	const struct cmd *const cmds[] = { cmd, &cmd_huge_changes, NULL };
	struct options options;
	struct huge huge = { .options = &options };
	int code;

	if (options_given(cmds, argc, argv, &opt_huge_time))
		return cmd_huge_changes.run(&cmd_huge_changes, argc, argv);
	code = options_parse(cmd, argc, argv, &options);
	if (code >= 0)
		return code;
	huge.dev = device_open();
	if (huge.dev < 0)
		return EXIT_COULD_NOT;
	huge.selection.arg = options.vm;
	code = repeat(&options, show, &huge);
	samples_free(&huge.before);
	selection_free(&huge.selection);
	close(huge.dev);
	return code;
}

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

static const struct opt *const options[] = {
	&opt_vm, OPTS_REPEAT, &opt_huge_time, OPTS_TABLE, &opt_raw, &opt_help, NULL
};

const struct cmd cmd_huge = {
	.name		= "huge",
	.summary	= "huge pages: what is mapped by them, and what keeps pages small",
	.about		=
		"Show for each VM and slot how much memory KVM maps by pages of 4K, 2M and 1G, and how\n"
		"much the host's own pages and the slot would allow it to map by 2M and 1G (MAY).\n"
		"COULD BE HUGE is mapped small although larger pages are allowed. KEPT SMALL BY: dirty\n"
		"logging, nx (KVM's workaround for executable huge pages), small pages of the host, the\n"
		"alignment of the slot, its edge. SPLITS, COLLAPSES and UNMAPPED are huge pages that\n"
		"small ones replaced, that replaced small ones, and all that went, splits included.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
