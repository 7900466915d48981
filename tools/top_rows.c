// SPDX-License-Identifier: GPL-2.0
/* What kvmwatch top shows. See top_rows.h. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logged.h"
#include "text.h"
#include "top_rows.h"

#define PAGE_BYTES	4096
#define NSEC_PER_SEC	1000000000.0

/* --- cells ------------------------------------------------------------------ */

static void unknown(struct top_cell *cell)
{
	snprintf(cell->text, sizeof(cell->text), "-");
}

static void set_number(struct top_cell *cell, double number)
{
	cell->known = true;
	cell->number = number;
}

static void set_count(struct top_cell *cell, __u64 count)
{
	set_number(cell, count);
	cell->whole = true;
	snprintf(cell->text, sizeof(cell->text), "%llu", count);
}

static void set_bytes(struct top_cell *cell, __u64 bytes)
{
	struct quantity q = quantity_bytes(bytes);

	set_number(cell, bytes);
	cell->whole = true;
	snprintf(cell->text, sizeof(cell->text), "%s %s", q.value, q.unit);
}

static void set_share(struct top_cell *cell, double share)
{
	set_number(cell, share);
	cell->share = share < 0 ? 0 : share > 1 ? 1 : share;
	snprintf(cell->text, sizeof(cell->text), "%.1f%%", share * 100);
}

/* Cleaned again, as it may end within a letter. */
static void set_string(struct top_cell *cell, const char *string)
{
	cell->string = string;
	snprintf(cell->text, sizeof(cell->text), "%s", string);
	text_clean(cell->text);
}

/* Counts per second. */
static void set_rate(struct top_cell *cell, struct maybe growth, __u64 window)
{
	double rate;

	if (!growth.known || !window) {
		unknown(cell);
		return;
	}
	rate = growth.number / (window / NSEC_PER_SEC);
	set_number(cell, rate);
	snprintf(cell->text, sizeof(cell->text), "%.0f", rate);
}

/* Part of the window that something took. */
static void set_part(struct top_cell *cell, struct maybe ns, __u64 window)
{
	if (ns.known && window)
		set_share(cell, (double)ns.number / window);
	else
		unknown(cell);
}

/* --- columns ------------------------------------------------------------------ */

#define FILL(name)	static void name(struct top_cell *cell, const struct sample *now,	\
					 size_t item, const struct sample *before, long was,	\
					 __u64 window)
#define UNUSED()	((void)item, (void)before, (void)was, (void)window)
#define GROWTH(stat)	sample_growth(now, item, before, was, stat)

FILL(fill_vm_id)
{
	UNUSED();
	set_count(cell, kvmwatch_all_at(now->all, item)->vm);
}

FILL(fill_name)
{
	const struct vm *vm = sample_vm(now, item);

	UNUSED();
	cell->known = true;
	set_string(cell, vm->info.name);
}

FILL(fill_guest)
{
	const struct vm *vm = sample_vm(now, item);

	UNUSED();
	cell->known = vm->guest;
	if (vm->guest)
		set_string(cell, vm->guest);
	else
		snprintf(cell->text, sizeof(cell->text), "[%s]", vm->info.comm);
}

FILL(fill_pid)
{
	const struct vm *vm = sample_vm(now, item);

	UNUSED();
	if (vm->info.pid > 0)
		set_count(cell, vm->info.pid);
	else
		unknown(cell);
}

FILL(fill_vcpus)
{
	UNUSED();
	set_count(cell, sample_vm(now, item)->info.vcpus);
}

FILL(fill_memory)
{
	UNUSED();
	set_bytes(cell, sample_vm(now, item)->info.memory);
}

/* Of a VM by its slots, of a slot by its size. */
static __u64 memory_of(const struct sample *now, size_t item)
{
	const struct kvmwatch_slot *slot;

	if (now->all->kind == KVMWATCH_KIND_VM)
		return sample_vm(now, item)->info.memory;
	slot = sample_slot(now, item);
	return slot ? slot->npages * PAGE_BYTES : 0;
}

FILL(fill_mapped)
{
	struct maybe mapped = sample_value(now, item, "mapped_bytes");

	UNUSED();
	if (mapped.known)
		set_bytes(cell, mapped.number);
	else
		unknown(cell);
}

FILL(fill_mapped_share)
{
	struct maybe mapped = sample_value(now, item, "mapped_bytes");
	__u64 memory = memory_of(now, item);

	UNUSED();
	if (mapped.known && memory)
		set_share(cell, (double)mapped.number / memory);
	else
		unknown(cell);
}

/* At most four letters: "999", "9.9k", "99k". */
static void short_number(double number, char *buf, size_t size)
{
	static const char units[] = " kMGT";
	const char *unit = units;

	while (number >= 999.5 && unit[1]) {
		number /= 1000;
		unit++;
	}
	snprintf(buf, size, "%.*f%.*s", *unit != ' ' && number < 9.95 ? 1 : 0, number,
		 *unit != ' ', unit);
}

/* " (12%)": the part of the memory that a rate covers; nothing if that is all. */
static void covered(const struct logged *logged, char *buf, size_t size)
{
	unsigned int percent = logged->memory ? 100.0 * logged->bytes / logged->memory : 0;

	if (logged_all(logged))
		*buf = '\0';
	else if (!percent)
		snprintf(buf, size, " (<1%%)");
	else
		snprintf(buf, size, " (%u%%)", percent);
}

/* Of pages; with rings, of marks, which is another unit. Nothing of what is not logged is 0. */
FILL(fill_dirty)
{
	const struct logged logged = logged_of(now, item), old = logged_of(before, was);
	struct maybe growth = GROWTH(logged_stat(&logged));
	struct quantity q;
	char part[16], number[16];
	double rate;

	if (logged.known && !logged_any(&logged)) {
		snprintf(cell->text, sizeof(cell->text), "log off");
		return;
	}
	if (logged_no_rate(&logged, &old) || !growth.known || !window) {
		unknown(cell);
		return;
	}
	rate = growth.number / (window / NSEC_PER_SEC);
	set_number(cell, rate);
	cell->apart = logged.ring;
	covered(&logged, part, sizeof(part));
	if (logged.ring) {
		short_number(rate, number, sizeof(number));
		snprintf(cell->text, sizeof(cell->text), "%s marks/s%s", number, part);
	} else {
		q = quantity_bytes(rate * PAGE_BYTES);
		snprintf(cell->text, sizeof(cell->text), "%s %s/s%s", q.value, q.unit, part);
	}
}

FILL(fill_marks)
{
	const struct logged logged = logged_of(now, item), old = logged_of(before, was);
	struct maybe growth = GROWTH("dirty_marks");

	growth.known &= !logged_no_rate(&logged, &old);
	set_rate(cell, growth, window);
}

FILL(fill_logged)
{
	const struct logged logged = logged_of(now, item);

	UNUSED();
	if (logged.known)
		set_bytes(cell, logged.bytes);
	else
		unknown(cell);
}

FILL(fill_dirty_now)
{
	struct maybe pages = sample_value(now, item, "dirty_pages");

	UNUSED();
	if (pages.known)
		set_count(cell, pages.number);
	else
		unknown(cell);
}

/* A VM may be on as many pCPUs as it has vCPUs: 100 % is one of them. */
FILL(fill_cpu)
{
	set_part(cell, GROWTH("on_cpu_ns"), window);
}

FILL(fill_delay)
{
	set_part(cell, GROWTH("run_delay_ns"), window);
}

/* From loads to entries, and from exits to puts */
FILL(fill_latency)
{
	struct maybe load = GROWTH("load_entry_ns"), put = GROWTH("exit_put_ns");

	load.known &= put.known;
	load.number += put.number;
	set_part(cell, load, window);
}

/* Of all vCPUs' time. */
FILL(fill_halt)
{
	__u64 vcpus = 1;

	if (now->all->kind == KVMWATCH_KIND_VM)
		vcpus = sample_vm(now, item)->info.vcpus;
	set_part(cell, GROWTH("halt_time_ns"), window * vcpus);
}

FILL(fill_exits)
{
	set_rate(cell, GROWTH("exits"), window);
}

FILL(fill_user_exits)
{
	set_rate(cell, GROWTH("user_exits"), window);
}

FILL(fill_moves)
{
	set_rate(cell, GROWTH("load_migrations"), window);
}

FILL(fill_preemptions)
{
	set_rate(cell, GROWTH("preemptions"), window);
}

FILL(fill_number)
{
	UNUSED();
	set_count(cell, kvmwatch_all_at(now->all, item)->number);
}

FILL(fill_tid)
{
	const struct kvmwatch_vcpu *vcpu = sample_vcpu(now, item);

	UNUSED();
	if (vcpu && vcpu->tid > 0)
		set_count(cell, vcpu->tid);
	else
		unknown(cell);
}

FILL(fill_pcpu)
{
	struct maybe pcpu = sample_value(now, item, "pcpu");

	UNUSED();
	if (pcpu.known)
		set_count(cell, pcpu.number);
	else
		unknown(cell);
}

FILL(fill_window)
{
	struct maybe ns = sample_value(now, item, "halt_poll_ns");
	struct quantity q = quantity_ns(ns.number);

	UNUSED();
	if (!ns.known) {
		unknown(cell);
		return;
	}
	set_number(cell, ns.number);
	snprintf(cell->text, sizeof(cell->text), "%s %s", q.value, q.unit);
}

FILL(fill_slot)
{
	__u32 number = kvmwatch_all_at(now->all, item)->number;

	UNUSED();
	set_number(cell, number);
	snprintf(cell->text, sizeof(cell->text), "%u:%u", number >> 16, number & 0xffff);
}

FILL(fill_address)
{
	const struct kvmwatch_slot *slot = sample_slot(now, item);

	UNUSED();
	if (!slot) {
		unknown(cell);
		return;
	}
	set_number(cell, slot->base_gfn);
	snprintf(cell->text, sizeof(cell->text), "0x%llx", slot->base_gfn * PAGE_BYTES);
}

FILL(fill_size)
{
	UNUSED();
	set_bytes(cell, memory_of(now, item));
}

static const struct top_column vm_columns[] = {
	{ { "id", "ID", true, 4, true }, false, fill_vm_id },
	{ { "name", "NAME", false, 11, false }, false, fill_name },
	{ { "cpu_share", "CPU", true, 7, false }, false, fill_cpu },
	{ { "mapped_bytes", "MAPPED", true, 9, false }, false, fill_mapped },
	{ { "mapped_share", "OF MEMORY", true, 12, false }, true, fill_mapped_share },
	{ { "halted_share", "HALTED", true, 12, false }, true, fill_halt },
	{ { "dirty_pages_per_second", "DIRTY", true, 18, false }, false, fill_dirty },
	{ { "exits_per_second", "EXITS", true, 7, false }, false, fill_exits },
	{ { "guest", "GUEST", false, 16, false }, false, fill_guest },
	{ { "run_delay_share", "DELAY", true, 7, false }, false, fill_delay },
	{ { "user_exits_per_second", "TO VMM", true, 7, false }, false, fill_user_exits },
	{ { "memory", "MEMORY", true, 9, false }, false, fill_memory },
	{ { "vcpus", "VCPUS", true, 5, false }, false, fill_vcpus },
	{ { "pid", "PID", true, 8, true }, false, fill_pid },
	{ { "load_migrations_per_second", "MOVED", true, 6, false }, false, fill_moves },
	{ { "dirty_logged_bytes", "LOGGED", true, 9, false }, false, fill_logged },
	{ { "dirty_marks_per_second", "MARKS", true, 9, false }, false, fill_marks },
	{ { "load_put_share", "LOAD+PUT", true, 8, false }, false, fill_latency },
};

static const struct top_column vcpu_columns[] = {
	{ { NULL, "VCPU", true, 4, true }, false, fill_number },
	{ { NULL, "TID", true, 8, true }, false, fill_tid },
	{ { NULL, "PCPU", true, 4, true }, false, fill_pcpu },
	{ { NULL, "CPU", true, 7, false }, false, fill_cpu },
	{ { NULL, "DELAY", true, 7, false }, false, fill_delay },
	{ { NULL, "HALTED", true, 15, false }, true, fill_halt },
	{ { NULL, "EXITS", true, 7, false }, false, fill_exits },
	{ { NULL, "TO VMM", true, 7, false }, false, fill_user_exits },
	{ { NULL, "MOVED", true, 6, false }, false, fill_moves },
	{ { NULL, "PREEMPTED", true, 9, false }, false, fill_preemptions },
	{ { NULL, "POLLS FOR", true, 9, false }, false, fill_window },
	{ { NULL, "LOAD+PUT", true, 8, false }, false, fill_latency },
};

static const struct top_column slot_columns[] = {
	{ { NULL, "SLOT", true, 7, true }, false, fill_slot },
	{ { NULL, "ADDRESS", true, 14, true }, false, fill_address },
	{ { NULL, "SIZE", true, 9, false }, false, fill_size },
	{ { NULL, "MAPPED", true, 9, false }, false, fill_mapped },
	{ { NULL, "OF SIZE", true, 15, false }, true, fill_mapped_share },
	{ { NULL, "DIRTY", true, 18, false }, false, fill_dirty },
	{ { NULL, "MARKED NOW", true, 10, false }, false, fill_dirty_now },
};

static const struct output_column look_columns[TOP_LOOK_NR] = {
	[TOP_LOOK_TIME]		= { "time_ns",		NULL,	true, 0, true },
	[TOP_LOOK_WINDOW]	= { "window_ns",	NULL,	true },
};

const struct output_columns top_tables[] = {
	[TOP_TABLE_LOOK]	= OUTPUT_COLUMNS(look_columns),
	[TOP_TABLE_VMS]		= OUTPUT_COLUMNS(vm_columns),
	{ }
};

#define NR(columns)	(sizeof(columns) / sizeof(*(columns)))

const struct top_column *top_columns(enum top_view view, size_t *nr)
{
	static_assert(NR(vm_columns) <= TOP_MAX_COLUMNS, "too many columns");

	switch (view) {
	case TOP_VCPUS:
		*nr = NR(vcpu_columns);
		return vcpu_columns;
	case TOP_SLOTS:
		*nr = NR(slot_columns);
		return slot_columns;
	default:
		*nr = NR(vm_columns);
		return vm_columns;
	}
}

__u32 top_kind(enum top_view view)
{
	static const __u32 kinds[] = {
		[TOP_VMS] = KVMWATCH_KIND_VM,
		[TOP_VCPUS] = KVMWATCH_KIND_VCPU,
		[TOP_SLOTS] = KVMWATCH_KIND_SLOT,
	};

	return kinds[view];
}

/* --- rows --------------------------------------------------------------------- */

struct top_row *top_rows(enum top_view view, const struct sample *now,
			 const struct sample *before, __u64 vm, size_t *nr)
{
	const struct top_column *columns;
	__u64 window = sample_window(now, before);
	struct top_row *rows, *row;
	size_t i, j, nr_columns;
	long was;

	*nr = 0;
	rows = calloc(now->all->nr + 1, sizeof(*rows));
	if (!rows)
		return NULL;
	columns = top_columns(view, &nr_columns);
	for (i = 0; i < now->all->nr; i++) {
		row = &rows[*nr];
		row->item = *kvmwatch_all_at(now->all, i);
		if (!sample_vm(now, i) || (view != TOP_VMS && row->item.vm != vm) ||
		    row->item.flags & KVMWATCH_ITEM_ENDED)
			continue;
		was = sample_find(before, &row->item);
		for (j = 0; j < nr_columns; j++)
			columns[j].fill(&row->cells[j], now, i, before, was, window);
		(*nr)++;
	}
	return rows;
}

struct order {
	size_t column;
	bool text, least_first, reverse;
};

static int compare_rows(const struct top_row *a, const struct top_row *b,
			const struct order *order)
{
	const struct top_cell *x = &a->cells[order->column], *y = &b->cells[order->column];
	int result;

	if (order->text) {
		result = strcmp(x->string ? x->string : x->text, y->string ? y->string : y->text);
	} else {
		if (x->known != y->known)
			return x->known ? -1 : 1;
		result = (x->number < y->number) - (x->number > y->number);
		if (order->least_first)
			result = -result;
	}
	return order->reverse ? -result : result;
}

static int compare(const void *a, const void *b, void *order)
{
	const struct top_row *x = a, *y = b;
	int result = compare_rows(x, y, order);

	/* Equal ones stay where they are from one look to the next. */
	if (!result)
		result = (x->item.vm > y->item.vm) - (x->item.vm < y->item.vm);
	if (!result)
		result = (x->item.number > y->item.number) - (x->item.number < y->item.number);
	return result;
}

void top_sort(struct top_row *rows, size_t nr, enum top_view view, size_t column, bool reverse)
{
	size_t nr_columns;
	const struct top_column *columns = top_columns(view, &nr_columns);
	struct order order = {
		column, !columns[column].column.right, columns[column].column.least_first, reverse
	};

	qsort_r(rows, nr, sizeof(*rows), compare, &order);
}
