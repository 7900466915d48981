// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch stat: all statistics of VMs, their vCPUs and their slots. An object that ends while this
 * reads it is left out, as if it had ended before. A statistic that the module knows but the object
 * lacks is shown as unknown in tables, and left out of JSON and CSV.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>
#include <linux/kvm.h>

#include "cmd.h"
#include "hooks.h"
#include "options.h"
#include "output.h"
#include "libkvmwatch.h"
#include "repeat.h"
#include "sample.h"
#include "select.h"
#include "text.h"
#include "unit.h"

#define PAGE_BYTES	4096

struct stat_options {
	struct options options;
	bool skip_zero;
};

struct stat {
	int dev;
	const struct stat_options *options;
	struct selection selection;
	struct hooks hooks;
	struct sample vms, vcpus, slots;
	struct object *objects;	/* all of them, VM by VM */
	size_t nr_objects;
};

/**
 * struct object - a VM, vCPU or slot, and where its numbers are
 * @vm:		id of the VM that it is or belongs to
 * @kind:	KVMWATCH_KIND_*
 * @vcpu:	it, if it is one
 * @slot:	it, if it is one
 * @sample:	the numbers of all of its kind
 * @item:	its place there
 */
struct object {
	__u64 vm;
	__u32 kind;
	const struct kvmwatch_vcpu *vcpu;
	const struct kvmwatch_slot *slot;
	const struct sample *sample;
	size_t item;
};

/**
 * struct family - a VM with all that belongs to it
 * @vm:		the VM
 * @objects:	first itself, then its vCPUs, then its slots
 * @nr:		how many
 */
struct family {
	const struct vm *vm;
	const struct object *objects;
	size_t nr;
};

enum { COL_VM, COL_VM_NAME, COL_OBJECT, COL_STAT, COL_VALUE, COL_UNIT, COL_TIME, NR_COLS };

static const struct output_column columns[NR_COLS] = {
	[COL_VM]	= { "vm",	NULL,		false, 0, true },
	[COL_VM_NAME]	= { "name",	NULL,		false },
	[COL_OBJECT]	= { "object",	NULL,		false },
	[COL_STAT]	= { "stat",	"STATISTIC",	false },
	[COL_VALUE]	= { "value",	"VALUE",	true },
	[COL_UNIT]	= { NULL,	"UNIT",		false },
	[COL_TIME]	= { "time_ns",	NULL,		true },
};

/* Addresses and masks, which tables show in hexadecimal. */
static const char *const hex_stats[] = { "base_gfn", "userspace_addr", "flags", NULL };

static bool is_histogram(const struct kvmwatch_value *value)
{
	__u32 type = value->flags & KVMWATCH_STATS_TYPE_MASK;

	return type == KVMWATCH_STATS_LINEAR_HIST || type == KVMWATCH_STATS_LOG_HIST;
}

/* --- Read ---------------------------------------------------------------- */

/* The objects of one VM follow each other: the VM, its vCPUs, its slots. */
static int compare_families(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	if (x->vm != y->vm)
		return x->vm < y->vm ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

/* Objects of a kind are in the module's order. */
static int compare_objects(const void *a, const void *b)
{
	const struct object *x = a, *y = b;
	int order = compare_families(a, b);

	return order ? order : (x->item > y->item) - (x->item < y->item);
}

/* False: the object was created after the list of its kind was made. It is shown the next time. */
static bool identify(struct object *object)
{
	switch (object->kind) {
	case KVMWATCH_KIND_VCPU:
		object->vcpu = sample_vcpu(object->sample, object->item);
		return object->vcpu;
	case KVMWATCH_KIND_SLOT:
		object->slot = sample_slot(object->sample, object->item);
		return object->slot;
	default:
		return !(kvmwatch_all_at(object->sample->all, object->item)->flags &
			 KVMWATCH_ITEM_ENDED);
	}
}

static void add_objects(struct stat *stat, __u32 kind, const struct sample *sample)
{
	struct object *object;
	size_t i;

	for (i = 0; i < sample->all->nr; i++) {
		object = &stat->objects[stat->nr_objects];
		object->vm = kvmwatch_all_at(sample->all, i)->vm;
		object->kind = kind;
		object->sample = sample;
		object->item = i;
		stat->nr_objects += identify(object);
	}
}

static int sort_objects(struct stat *stat)
{
	/* One more than there are items, for the one that is tried last. */
	stat->objects = calloc(stat->vms.all->nr + stat->vcpus.all->nr + stat->slots.all->nr + 1,
			       sizeof(*stat->objects));
	if (!stat->objects)
		return device_complain(-ENOMEM);
	add_objects(stat, KVMWATCH_KIND_VM, &stat->vms);
	add_objects(stat, KVMWATCH_KIND_VCPU, &stat->vcpus);
	add_objects(stat, KVMWATCH_KIND_SLOT, &stat->slots);
	qsort(stat->objects, stat->nr_objects, sizeof(*stat->objects), compare_objects);
	return EXIT_DONE;
}

static int look_around(struct stat *stat)
{
	int code;

	code = sample_take(stat->dev, &stat->selection, KVMWATCH_KIND_VM, 0, &stat->vms);
	if (!code)
		code = sample_take_kind(stat->dev, &stat->selection, KVMWATCH_KIND_VCPU, 0,
					&stat->vcpus);
	if (!code)
		code = sample_take_kind(stat->dev, &stat->selection, KVMWATCH_KIND_SLOT, 0,
					&stat->slots);
	return code ? code : sort_objects(stat);
}

static void forget(struct stat *stat)
{
	free(stat->objects);
	stat->objects = NULL;
	stat->nr_objects = 0;
	sample_free(&stat->vms);
	sample_free(&stat->vcpus);
	sample_free(&stat->slots);
}

/* false: the VM has ended. */
static bool family_get(const struct stat *stat, const struct vm *vm, struct family *family)
{
	const struct object *end = stat->objects + stat->nr_objects;
	const struct object key = { .vm = vm->info.id, .kind = KVMWATCH_KIND_VM };

	family->vm = vm;
	family->nr = 0;
	family->objects = bsearch(&key, stat->objects, stat->nr_objects, sizeof(key),
				  compare_families);
	if (!family->objects)
		return false;
	while (&family->objects[family->nr] < end && family->objects[family->nr].vm == key.vm)
		family->nr++;
	return true;
}

/* --- JSON ---------------------------------------------------------------- */

static struct json_object *value_json(const struct kvmwatch_value *value)
{
	struct json_object *array;
	unsigned int i;

	if (!is_histogram(value))
		return json_object_new_uint64(*value->data);
	array = json_object_new_array();
	for (i = 0; i < value->size; i++)
		output_json_append(array, json_object_new_uint64(value->data[i]));
	return array;
}

static struct json_object *stats_json(const struct object *object)
{
	struct json_object *json = json_object_new_object();
	struct kvmwatch_value value;
	size_t i;

	for (i = 0; i < object->sample->all->nr_stats; i++) {
		if (sample_stat(object->sample, object->item, i, &value))
			output_json_add(json, value.name, value_json(&value));
	}
	return json;
}

static struct json_object *pid_json(__s32 pid)
{
	return pid > 0 ? json_object_new_int64(pid) : NULL;
}

static struct json_object *vcpu_json(const struct object *object)
{
	struct json_object *json = json_object_new_object();

	output_json_add(json, "id", json_object_new_uint64(object->vcpu->id));
	output_json_add(json, "vcpu_id", json_object_new_uint64(object->vcpu->vcpu_id));
	output_json_add(json, "tid", pid_json(object->vcpu->tid));
	output_json_add(json, "stats", stats_json(object));
	return json;
}

static struct json_object *slot_json(const struct object *object)
{
	struct json_object *json = json_object_new_object();

	output_json_add(json, "as_id", json_object_new_uint64(object->slot->as_id));
	output_json_add(json, "id", json_object_new_uint64(object->slot->id));
	output_json_add(json, "stats", stats_json(object));
	return json;
}

static void show_json(struct output *out, const struct family *family)
{
	const struct kvmwatch_vm *info = &family->vm->info;
	struct json_object *json = json_object_new_object();
	struct json_object *vcpus = json_object_new_array();
	struct json_object *slots = json_object_new_array();
	const struct object *object;
	size_t i;

	for (i = 1; i < family->nr; i++) {
		object = &family->objects[i];
		if (object->kind == KVMWATCH_KIND_VCPU)
			output_json_append(vcpus, vcpu_json(object));
		else
			output_json_append(slots, slot_json(object));
	}
	output_json_add(json, "id", json_object_new_uint64(info->id));
	output_json_add(json, "name", output_json_string(info->name));
	output_json_add(json, "pid", pid_json(info->pid));
	output_json_add(json, "guest", output_json_string(family->vm->guest));
	output_json_add(json, "uuid", output_json_string(family->vm->uuid));
	output_json_add(json, "unit", output_json_string(family->vm->unit));
	output_json_add(json, "user_unit", output_json_string(family->vm->user_unit));
	output_json_add(json, "stats", stats_json(&family->objects[0]));
	output_json_add(json, "vcpus", vcpus);
	output_json_add(json, "slots", slots);
	output_json_add(json, "time_ns", json_object_new_uint64(now_ns()));
	output_json(out, json);
}

/* --- Tables and CSV ------------------------------------------------------ */

/* The names of the object's directory in debugfs. */
static void object_name(const struct object *object, char *buf, size_t size)
{
	switch (object->kind) {
	case KVMWATCH_KIND_VCPU:
		snprintf(buf, size, "vcpu%u", object->vcpu->vcpu_id);
		break;
	case KVMWATCH_KIND_SLOT:
		snprintf(buf, size, "slot%u-%u", object->slot->as_id, object->slot->id);
		break;
	default:
		snprintf(buf, size, "vm");
		break;
	}
}

/* A pid or tid. 0 means that the number is not visible in this pid namespace. */
static const char *pid_text(__s32 pid, char *buf, size_t size)
{
	if (pid <= 0)
		return "unknown";
	snprintf(buf, size, "%d", pid);
	return buf;
}

static void vm_title(const struct vm *vm, char *buf, size_t size)
{
	const char *unit = vm->user_unit ? vm->user_unit : vm->unit;
	char *shown = unit ? unit_unescape(unit) : NULL;
	char pid[16];

	snprintf(buf, size, "VM %llu: name %s, pid %s, %s %.96s%s%s%s%.96s", vm->info.id,
		 vm->info.name, pid_text(vm->info.pid, pid, sizeof(pid)),
		 vm->guest ? "guest" : "program", vm->guest ? vm->guest : vm->info.comm,
		 vm->uuid ? ", UUID " : "", vm->uuid ? vm->uuid : "",
		 shown ? ", unit " : "", shown ? shown : "");
	free(shown);
}

static void title(const struct vm *vm, const struct object *object, char *buf, size_t size)
{
	const struct kvmwatch_slot *slot = object->slot;
	struct quantity q;
	char pid[16];

	switch (object->kind) {
	case KVMWATCH_KIND_VCPU:
		snprintf(buf, size, "VM %llu vCPU %u: id %llu, tid %s", vm->info.id,
			 object->vcpu->vcpu_id, object->vcpu->id,
			 pid_text(object->vcpu->tid, pid, sizeof(pid)));
		break;
	case KVMWATCH_KIND_SLOT:
		q = quantity_bytes(slot->npages * PAGE_BYTES);
		snprintf(buf, size, "VM %llu slot %u in address space %u%s: %s %s at 0x%llx",
			 vm->info.id, slot->id, slot->as_id,
			 slot->flags & KVMWATCH_SLOT_INTERNAL ? ", KVM's own" : "",
			 q.value, q.unit, slot->base_gfn * PAGE_BYTES);
		break;
	default:
		vm_title(vm, buf, size);
		break;
	}
	text_clean(buf);	/* the text may end within a character */
}

static bool is_hex(const char *name)
{
	const char *const *hex;

	for (hex = hex_stats; *hex; hex++) {
		if (!strcmp(*hex, name))
			return true;
	}
	return false;
}

/* The number of values in a histogram, and its buckets. */
static void show_histogram(struct output *out, const struct kvmwatch_value *value, bool raw)
{
	char *text, *list;
	__u64 total = 0;
	char number[32];
	unsigned int i;

	if (out->format == OUTPUT_CSV) {
		list = text_bucket_list(value);
		output_string(out, COL_VALUE, list);
		free(list);
		return;
	}
	for (i = 0; i < value->size; i++)
		total += value->data[i];
	snprintf(number, sizeof(number), "%llu", total);
	text = text_buckets(value, raw);
	output_text(out, COL_VALUE, number);
	output_text(out, COL_UNIT, text);
	free(text);
}

static void show_value(struct output *out, const struct kvmwatch_value *value, bool raw)
{
	struct quantity q;

	if (is_histogram(value)) {
		show_histogram(out, value, raw);
		return;
	}
	q = quantity_of(value, *value->data, raw);
	if (!raw && is_hex(value->name))
		snprintf(q.value, sizeof(q.value), "0x%llx", *value->data);
	output_u64(out, COL_VALUE, *value->data, q.value);
	output_text(out, COL_UNIT, q.unit);
}

/* Why an object lacks a statistic, as far as this is known here. */
static const char *why_missing(const struct hooks *hooks, const struct kvmwatch_stat *stat,
			       const struct object *object, char *buf, size_t size)
{
	if (hooks_missing(hooks, stat, buf, size))
		return buf;
	if (object->kind == KVMWATCH_KIND_SLOT && !strncmp(stat->name, "dirty_", 6) &&
	    !(object->slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return "dirty logging is off";
	return "the module can't tell for this one now";
}

/* Tables show missing statistics, so that nobody takes them for 0. */
static void show_missing(struct output *out, const struct hooks *hooks,
			 const struct object *object)
{
	const struct kvmwatch_all *all = object->sample->all;
	const struct kvmwatch_stat *stat;
	char reason[160];

	for (stat = hooks->stats; stat < hooks->stats + hooks->nr_stats; stat++) {
		if (stat->kind != object->kind ||
		    kvmwatch_all_value(all, object->item, kvmwatch_all_find(all, stat->name)))
			continue;
		output_string(out, COL_STAT, stat->name);
		output_unknown(out, COL_VALUE, NULL);
		output_text(out, COL_UNIT,
			    why_missing(hooks, stat, object, reason, sizeof(reason)));
		output_row(out);
	}
}

static bool is_zero(const struct kvmwatch_value *value)
{
	unsigned int i;

	for (i = 0; i < value->size; i++) {
		if (value->data[i])
			return false;
	}
	return true;
}

static void show_object(struct output *out, const struct stat *stat, const struct vm *vm,
			const struct object *object)
{
	struct kvmwatch_value value;
	char head[512], name[32];
	size_t i;

	title(vm, object, head, sizeof(head));
	object_name(object, name, sizeof(name));
	output_begin(out, head, columns, NR_COLS);
	for (i = 0; i < object->sample->all->nr_stats; i++) {
		if (!sample_stat(object->sample, object->item, i, &value))
			continue;
		if (stat->options->skip_zero && is_zero(&value))
			continue;
		output_u64(out, COL_VM, vm->info.id, NULL);
		output_string(out, COL_VM_NAME, vm->info.name);
		output_string(out, COL_OBJECT, name);
		output_string(out, COL_STAT, value.name);
		show_value(out, &value, stat->options->options.raw);
		output_u64(out, COL_TIME, object->sample->all->begin_ns, NULL);
		output_row(out);
	}
	if (out->format == OUTPUT_TEXT)
		show_missing(out, &stat->hooks, object);
	output_end(out);
}

static void show_family(struct output *out, const struct stat *stat, const struct family *family)
{
	size_t i;

	if (out->format == OUTPUT_JSON) {
		show_json(out, family);
		return;
	}
	for (i = 0; i < family->nr; i++)
		show_object(out, stat, family->vm, &family->objects[i]);
}

/* Returns the number of VMs shown. */
static size_t show_families(struct output *out, const struct stat *stat)
{
	struct family family;
	size_t i, shown = 0;

	for (i = 0; i < stat->vms.nr_vms; i++) {
		if (!family_get(stat, &stat->vms.vms[i], &family))
			continue;
		show_family(out, stat, &family);
		shown++;
	}
	return shown;
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	struct stat *stat = arg;
	int code, err;

	(void)beat;
	code = look_around(stat);
	if (code) {
		forget(stat);
		return code;
	}
	err = hooks_get(stat->dev, &stat->hooks);
	if (err) {
		forget(stat);
		return device_complain(err);
	}

	/* Print the names of the columns in CSV even if there is no VM. */
	if (out->format == OUTPUT_CSV)
		output_begin(out, NULL, columns, NR_COLS);
	if (!show_families(out, stat))
		code = vms_none(&stat->selection, "stat");
	hooks_put(&stat->hooks);
	forget(stat);
	return code;
}

static const char *set_skip_zero(struct options *options, const char *arg)
{
	(void)arg;
	((struct stat_options *)options)->skip_zero = true;
	return NULL;
}

static const struct opt opt_skip_zero = {
	'z', "skip-zero", NULL, "leave statistics that are 0 out of the tables", set_skip_zero
};

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct stat_options options = { };
	struct stat stat = { .options = &options };
	int code;

	code = options_parse(cmd, argc, argv, &options.options);
	if (code >= 0)
		return code;
	/* In JSON and CSV, a missing value is unknown, not 0. */
	if (options.skip_zero && options.options.format != OUTPUT_TEXT) {
		complain("stat", "--skip-zero is for tables: --json and --csv have all");
		return EXIT_USAGE;
	}
	if ((options.options.choice.columns || options.options.choice.sort) &&
	    options.options.format == OUTPUT_JSON) {
		complain("stat", "--columns and --sort are for lines: --json has objects");
		return EXIT_USAGE;
	}
	stat.dev = device_open();
	if (stat.dev < 0)
		return EXIT_COULD_NOT;
	stat.selection.arg = options.options.vm;
	code = repeat(&options.options, show, &stat);
	selection_free(&stat.selection);
	close(stat.dev);
	return code;
}

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

static const struct opt *const options[] = {
	&opt_vm, OPTS_REPEAT, &opt_skip_zero, OPTS_TABLE, &opt_raw,
	&opt_help, NULL
};

const struct cmd cmd_stat = {
	.name		= "stat",
	.summary	= "all statistics of VMs, their vCPUs and slots",
	.about		=
		"Show all statistics of the VMs, of their vCPUs and of their memory slots. VALUE\n"
		"of a histogram is how many values it has; the buckets that are not empty follow.\n"
		"--json prints a line for each VM, --csv one for each statistic.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
