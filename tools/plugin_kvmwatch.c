// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for libtraceevent: text that trace-cmd report adds to kvmwatch's events. The events' own
 * formats have names for all numbers that stand for something, so every tool shows these. A format
 * cannot compute: the address of a page in its VMM, the last page of a leaf or slot, sizes and
 * times in suitable units. The plugin adds these in brackets, and leaves the event's own text as it
 * is, for people who search for it.
 */
#include <stdbool.h>

#include <event-parse.h>
#include <trace-seq.h>

#include "plugin_kvmwatch.h"
#include "quantity.h"

#define SYSTEM		"kvmwatch"
#define PAGE_BYTES	4096.0
#define PAGE_BITS	12
#define LEVEL_BITS	9	/* a leaf of a level has 512 of the level below */
#define LEVELS		3

struct record {
	struct trace_seq *s;
	struct tep_event *event;
	struct tep_record *record;
};

/*
 * Returns false, and prints nothing, if the field is missing, as in another version of the module.
 */
static bool get(const struct record *r, const char *name, unsigned long long *value)
{
	return !tep_get_field_val(r->s, r->event, name, r->record, value, 0);
}

static void say_pages(const struct record *r, unsigned long long gfn, unsigned long long npages)
{
	struct quantity q = quantity_bytes(npages * PAGE_BYTES);

	trace_seq_printf(r->s, " [%s %s", q.value, q.unit);
	if (npages)
		trace_seq_printf(r->s, ", to gfn 0x%llx", gfn + npages - 1);
	trace_seq_puts(r->s, "]");
}

static void add_slot(const struct record *r)
{
	unsigned long long gfn, npages;

	if (get(r, "base_gfn", &gfn) && get(r, "npages", &npages))
		say_pages(r, gfn, npages);
}

/* An unmap is always of one leaf, and has no field for it. */
static void add_leaf(const struct record *r)
{
	unsigned long long gfn, level, leaves;

	if (!get(r, "leaves", &leaves))
		leaves = 1;
	if (get(r, "gfn", &gfn) && get(r, "level", &level) && level >= 1 && level <= LEVELS)
		say_pages(r, gfn, leaves << (level - 1) * LEVEL_BITS);
}

static void add_page(const struct record *r)
{
	unsigned long long rel_gfn, address;

	if (get(r, "rel_gfn", &rel_gfn) && get(r, "userspace_addr", &address))
		trace_seq_printf(r->s, " [page at 0x%llx]", address + (rel_gfn << PAGE_BITS));
}

static void add_time(const struct record *r, const char *field)
{
	unsigned long long ns;
	struct quantity q;

	if (!get(r, field, &ns))
		return;
	q = quantity_ns(ns);
	trace_seq_printf(r->s, " [%s %s]", q.value, q.unit);
}

static void add_off(const struct record *r)
{
	add_time(r, "off_ns");
}

static void add_on(const struct record *r)
{
	add_time(r, "on_ns");
}

static void add_halt(const struct record *r)
{
	add_time(r, "ns");
}

static void add_windows(const struct record *r)
{
	unsigned long long old, new;
	struct quantity from, to;

	if (!get(r, "old", &old) || !get(r, "new", &new))
		return;
	from = quantity_ns(old);
	to = quantity_ns(new);
	trace_seq_printf(r->s, " [%s %s -> %s %s]", from.value, from.unit, to.value, to.unit);
}

static const struct addition {
	const char *event;
	void (*add)(const struct record *r);
} additions[] = {
	{ "kvmwatch_slot", add_slot },
	{ "kvmwatch_map", add_leaf },
	{ "kvmwatch_unmap", add_leaf },
	{ "kvmwatch_dirty", add_page },
	{ "kvmwatch_vcpu_load", add_off },
	{ "kvmwatch_vcpu_put", add_on },
	{ "kvmwatch_halt", add_halt },
	{ "kvmwatch_halt_poll", add_windows },
};

#define END	(additions + sizeof(additions) / sizeof(*additions))

/* Print the event's own text first, as it is printed without the plugin. */
static int print(struct trace_seq *s, struct tep_record *record, struct tep_event *event,
		 void *context)
{
	const struct addition *addition = context;
	const struct record r = { s, event, record };

	event->flags |= TEP_EVENT_FL_NOHANDLE;
	tep_print_event(event->tep, s, record, "%s", TEP_PRINT_INFO);
	event->flags &= ~TEP_EVENT_FL_NOHANDLE;
	addition->add(&r);
	return 0;
}

int TEP_PLUGIN_LOADER(struct tep_handle *tep)
{
	const struct addition *addition;

	for (addition = additions; addition < END; addition++)
		tep_register_event_handler(tep, -1, SYSTEM, addition->event, print,
					   (void *)addition);
	return 0;
}

void TEP_PLUGIN_UNLOADER(struct tep_handle *tep)
{
	const struct addition *addition;

	for (addition = additions; addition < END; addition++)
		tep_unregister_event_handler(tep, -1, SYSTEM, addition->event, print,
					     (void *)addition);
}
