// SPDX-License-Identifier: GPL-2.0
/* All numbers of this host, in Prometheus's formats. See export.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "exit_names.h"
#include "export.h"
#include "hooks.h"
#include "libkvmwatch.h"
#include "repeat.h"
#include "sample.h"

#ifndef KVMWATCH_VERSION
#define KVMWATCH_VERSION "unversioned"
#endif

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof(*(a)))
#define MODULE_DIR	"/sys/module/kvmwatch/"
#define NANO		(-9)
/* vCPUs and slots beyond this number are left out, beginning with those of the newest VMs. */
#define MAX_OBJECTS	16384
/* Bounds of exported buckets: 2^first to 2^last of the statistic's unit, in steps. */
#define BOUND_STEP	2
#define NS_FIRST	10
#define NS_LAST		34

/* A VM that is exported, and its label. */
struct exported {
	const struct vm *vm;
	const char *label;
};

/* An object, whose numbers are item @item of the sample of its kind. */
struct object {
	const struct exported *vm;
	size_t item;
	__u32 number;
};

/* All objects of one kind. */
struct objects {
	__u32 kind;
	struct sample sample;
	struct object *all;
	size_t nr, omitted;
};

/**
 * struct look - what there was at one moment
 * @why:	why there is nothing to see; empty: there is
 * @info:	of the module; @has_info: it answered
 * @hooks:	its hooks and statistics; none if it did not answer
 * @vms:	VMs to export, by id
 * @nr_vms:	how many
 * @omitted:	how many more there are
 * @kinds:	VMs, vCPUs and slots
 */
struct look {
	char why[256];
	struct kvmwatch_info info;
	bool has_info;
	struct hooks hooks;
	struct exported *vms;
	size_t nr_vms, omitted;
	struct objects kinds[3];
};

static const __u32 kinds[] = { KVMWATCH_KIND_VM, KVMWATCH_KIND_VCPU, KVMWATCH_KIND_SLOT };

int exporter_init(struct exporter *exporter, const struct export_options *options)
{
	memset(exporter, 0, sizeof(*exporter));
	exporter->options = options;
	exporter->seen = calloc(export_nr_rows, sizeof(*exporter->seen));
	return exporter->seen ? 0 : -ENOMEM;
}

void exporter_free(struct exporter *exporter)
{
	size_t i;

	for (i = 0; exporter->seen && i < export_nr_rows; i++)
		free(exporter->seen[i]);
	free(exporter->seen);
	export_names_free(&exporter->names);
	selection_free(&exporter->selection);
}

/* --- looking --------------------------------------------------------------- */

static bool is_wanted(const struct exporter *exporter, __u32 kind)
{
	switch (kind) {
	case KVMWATCH_KIND_VCPU:
		return !exporter->options->no_vcpus;
	case KVMWATCH_KIND_SLOT:
		return exporter->options->groups & EXPORT_SLOTS;
	default:
		return true;
	}
}

static __u32 flags_of(const struct exporter *exporter, __u32 kind)
{
	if (kind == KVMWATCH_KIND_VM)
		return 0;
	if (kind == KVMWATCH_KIND_VCPU && exporter->options->groups & EXPORT_HISTOGRAMS)
		return 0;
	return KVMWATCH_OPEN_NO_HISTOGRAMS;
}

static int take_samples(struct exporter *exporter, int dev, struct look *look)
{
	struct objects *objects;
	int code = EXIT_DONE;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds) && !code; i++) {
		objects = &look->kinds[i];
		objects->kind = kinds[i];
		if (!is_wanted(exporter, kinds[i]))
			continue;
		if (kinds[i] == KVMWATCH_KIND_VM)
			code = sample_take(dev, &exporter->selection, kinds[i],
					   flags_of(exporter, kinds[i]), &objects->sample);
		else
			code = sample_take_kind(dev, &exporter->selection, kinds[i],
						flags_of(exporter, kinds[i]), &objects->sample);
	}
	return code;
}

/* Read everything. Messages of complain() go to @why. */
static void take_all(struct exporter *exporter, struct look *look)
{
	int dev, err;

	complain_into(look->why, sizeof(look->why));
	dev = device_open();
	if (dev >= 0) {
		look->has_info = !kvmwatch_device_info(dev, &look->info);
		err = hooks_get(dev, &look->hooks);
		if (err)
			device_complain(err);
		else
			take_samples(exporter, dev, look);
		close(dev);
	}
	complain_into(NULL, 0);
}

static int compare_vms(const void *a, const void *b)
{
	const struct vm *const *x = a, *const *y = b;

	return ((*x)->info.id > (*y)->info.id) - ((*x)->info.id < (*y)->info.id);
}

/* Choose the oldest VMs, so that a VM that was exported once stays. */
static int choose_vms(struct exporter *exporter, struct look *look)
{
	const struct sample *sample = &look->kinds[0].sample;
	const struct vm **vms = calloc(sample->nr_vms + 1, sizeof(*vms));
	size_t i, nr = 0;
	int err;

	if (!vms)
		return -ENOMEM;
	for (i = 0; i < sample->nr_vms; i++) {
		if (sample_vm_item(sample, sample->vms[i].info.id) >= 0)
			vms[nr++] = &sample->vms[i];
	}
	qsort(vms, nr, sizeof(*vms), compare_vms);
	if (nr > exporter->options->max_vms) {
		look->omitted = nr - exporter->options->max_vms;
		nr = exporter->options->max_vms;
	}
	look->vms = calloc(nr + 1, sizeof(*look->vms));
	err = look->vms ? export_names_update(&exporter->names, look->info.instance, vms, nr) :
			  -ENOMEM;
	for (i = 0; i < nr && !err; i++) {
		look->vms[i].vm = vms[i];
		look->vms[i].label = exporter->names.all[i]->label;
	}
	look->nr_vms = err ? 0 : nr;
	free(vms);
	return err;
}

static int compare_exported(const void *a, const void *b)
{
	const struct exported *x = a, *y = b;

	return (x->vm->info.id > y->vm->info.id) - (x->vm->info.id < y->vm->info.id);
}

static const struct exported *find_exported(const struct look *look, __u64 id)
{
	const struct vm vm = { .info.id = id };
	const struct exported key = { .vm = &vm };

	return bsearch(&key, look->vms, look->nr_vms, sizeof(key), compare_exported);
}

static int compare_objects(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	if (x->vm != y->vm)
		return x->vm < y->vm ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* All objects of a VM are exported, or none. */
static void omit_some(struct objects *objects)
{
	size_t nr = objects->nr;

	if (nr <= MAX_OBJECTS)
		return;
	for (nr = MAX_OBJECTS; nr && objects->all[nr].vm == objects->all[nr - 1].vm; nr--)
		;
	objects->omitted = objects->nr - nr;
	objects->nr = nr;
}

static int choose_objects(const struct look *look, struct objects *objects)
{
	const struct kvmwatch_all_item *it;
	const struct exported *vm;
	size_t i;

	if (!objects->sample.all)
		return 0;
	objects->all = calloc(objects->sample.all->nr + 1, sizeof(*objects->all));
	if (!objects->all)
		return -ENOMEM;
	for (i = 0; i < objects->sample.all->nr; i++) {
		it = kvmwatch_all_at(objects->sample.all, i);
		vm = it->flags & KVMWATCH_ITEM_ENDED ? NULL : find_exported(look, it->vm);
		if (!vm)
			continue;
		objects->all[objects->nr++] = (struct object) {
			.vm = vm, .item = i, .number = it->number
		};
	}
	qsort(objects->all, objects->nr, sizeof(*objects->all), compare_objects);
	if (objects->kind != KVMWATCH_KIND_VM)
		omit_some(objects);
	return 0;
}

static int choose(struct exporter *exporter, struct look *look)
{
	size_t i;
	int err;

	err = choose_vms(exporter, look);
	for (i = 0; i < ARRAY_SIZE(kinds) && !err; i++)
		err = choose_objects(look, &look->kinds[i]);
	return err;
}

static void look_free(struct look *look)
{
	size_t i;

	hooks_put(&look->hooks);
	free(look->vms);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		sample_free(&look->kinds[i].sample);
		free(look->kinds[i].all);
	}
}

/* --- the exporter and the module ------------------------------------------- */

/* Read a line of a file in sysfs; false: there is none. */
static bool read_line(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, line, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return *line;
}

static void write_build(struct exposition *e)
{
	expose_family(e, "exporter_build", EXPOSE_INFO, "version of this program");
	expose_sample(e, "");
	expose_label(e, "version", KVMWATCH_VERSION);
	expose_u64(e, 1);
}

static void write_up(struct exposition *e, const struct look *look)
{
	expose_family(e, "up", EXPOSE_GAUGE,
		      "1: the module watches the VMs of this host, and could be read");
	expose_sample(e, "");
	expose_u64(e, !*look->why);
	if (!*look->why)
		return;
	expose_family(e, "down", EXPOSE_INFO, "why kvmwatch_up is 0");
	expose_sample(e, "");
	expose_foreign(e, "reason", look->why);
	expose_u64(e, 1);
}

static void write_module(struct exposition *e, const struct look *look)
{
	char line[64], abi[16], load[20];

	if (!look->has_info)
		return;
	expose_family(e, "module", EXPOSE_INFO, "the kernel module that is loaded");
	expose_sample(e, "");
	if (read_line(MODULE_DIR "version", line, sizeof(line)))
		expose_foreign(e, "version", line);
	snprintf(abi, sizeof(abi), "%u", look->info.abi);
	expose_label(e, "abi", abi);
	if (read_line(MODULE_DIR "parameters/via", line, sizeof(line)))
		expose_foreign(e, "via", line);
	snprintf(load, sizeof(load), "%llx", look->info.instance);
	expose_label(e, "load", load);
	expose_u64(e, 1);
}

static bool is_attached(const struct kvmwatch_hook *hook)
{
	return hook->flags & KVMWATCH_HOOK_ATTACHED;
}

static void write_attached(struct exposition *e, const struct hooks *hooks)
{
	const struct kvmwatch_hook *hook;
	size_t i;

	expose_family(e, "hook_attached", EXPOSE_GAUGE,
		      "1: the hook is in its place in KVM; 0: it is not, for that reason");
	for (i = 0; i < hooks->nr_hooks; i++) {
		hook = &hooks->hooks[i];
		expose_sample(e, "");
		expose_foreign(e, "hook", hook->name);
		if (!is_attached(hook))
			expose_foreign(e, "reason", *hook->reason ? hook->reason : "unknown");
		expose_u64(e, is_attached(hook));
	}
}

/* Some hooks need not be there: hook_is_missed() knows which. */
static void write_ok(struct exposition *e, const struct hooks *hooks)
{
	const struct kvmwatch_hook *hook;
	const char *reason;
	size_t i;

	expose_family(e, "hook_ok", EXPOSE_GAUGE,
		      "0: what the hook would count is unknown or wrong, for that reason");
	for (i = 0; i < hooks->nr_hooks; i++) {
		hook = &hooks->hooks[i];
		reason = is_attached(hook) ? hook->via : hook->reason;
		expose_sample(e, "");
		expose_foreign(e, "hook", hook->name);
		if (hook_is_missed(hook))
			expose_foreign(e, "reason", *reason ? reason : "unknown");
		expose_u64(e, !hook_is_missed(hook));
	}
}

static void write_hits(struct exposition *e, const struct hooks *hooks, bool misses)
{
	size_t i;

	expose_family(e, misses ? "hook_misses" : "hook_hits", EXPOSE_COUNTER,
		      misses ? "times it was reached but could not be handled" :
			       "times it was reached since it was attached");
	for (i = 0; i < hooks->nr_hooks; i++) {
		if (!is_attached(&hooks->hooks[i]))
			continue;
		expose_sample(e, "");
		expose_foreign(e, "hook", hooks->hooks[i].name);
		expose_u64(e, misses ? hooks->hooks[i].misses : hooks->hooks[i].hits);
	}
}

static void write_available(struct exposition *e, const struct hooks *hooks)
{
	size_t i;

	expose_family(e, "statistic_available", EXPOSE_GAUGE,
		      "1: this kernel has it; 0: it is unknown for each object");
	for (i = 0; i < hooks->nr_stats; i++) {
		expose_sample(e, "");
		expose_label(e, "object", hooks_object(hooks->stats[i].kind));
		expose_foreign(e, "statistic", hooks->stats[i].name);
		expose_u64(e, !!(hooks->stats[i].flags & KVMWATCH_STAT_AVAILABLE));
	}
}

static void write_omitted(struct exposition *e, const struct look *look)
{
	static const struct {
		const char *name, *help;
	} families[] = {
		{ "vms_omitted", "VMs that are not exported, as there are more than --max-vms" },
		{ "vcpus_omitted", "vCPUs that are not exported, as there are too many" },
		{ "slots_omitted", "slots that are not exported, as there are too many" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!look->kinds[i].sample.all)
			continue;
		expose_family(e, families[i].name, EXPOSE_GAUGE, families[i].help);
		expose_sample(e, "");
		expose_u64(e, i ? look->kinds[i].omitted : look->omitted);
	}
}

static void write_times(struct exposition *e, const struct look *look, const char *name,
			const char *help, __u64 (*of)(const struct kvmwatch_all *all))
{
	const struct kvmwatch_all *all;
	size_t i;

	expose_family(e, name, EXPOSE_GAUGE, help);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		all = look->kinds[i].sample.all;
		if (!all)
			continue;
		expose_sample(e, "");
		expose_label(e, "object", hooks_object(kinds[i]));
		expose_scaled(e, of(all), NANO);
	}
}

static __u64 began(const struct kvmwatch_all *all)
{
	return all->begin_ns;
}

static __u64 took(const struct kvmwatch_all *all)
{
	return all->end_ns - all->begin_ns;
}

/* --- VMs as they are listed ------------------------------------------------ */

/* A label without a value is left out. */
static void put_if(struct exposition *e, const char *name, const char *value)
{
	if (value && *value)
		expose_foreign(e, name, value);
}

static void write_vm_info(struct exposition *e, const struct look *look)
{
	const struct vm *vm;
	char number[24];
	size_t i;

	expose_family(e, "vm", EXPOSE_INFO, "a VM, and how else it is called");
	for (i = 0; i < look->nr_vms; i++) {
		vm = look->vms[i].vm;
		expose_sample(e, "");
		expose_label(e, "vm", look->vms[i].label);
		snprintf(number, sizeof(number), "%llu", vm->info.id);
		expose_label(e, "id", number);
		put_if(e, "name", vm->info.name);
		put_if(e, "guest", vm->guest);
		put_if(e, "uuid", vm->uuid);
		if (vm->info.pid > 0) {
			snprintf(number, sizeof(number), "%d", vm->info.pid);
			expose_label(e, "pid", number);
		}
		put_if(e, "vmm", vm->info.comm);
		put_if(e, "unit", vm->unit);
		expose_u64(e, 1);
	}
}

static __u64 memory_of(const struct kvmwatch_vm *vm)
{
	return vm->memory;
}

static __u64 footprint_of(const struct kvmwatch_vm *vm)
{
	return vm->footprint;
}

static void write_listed(struct exposition *e, const struct look *look, const char *name,
			 const char *help, __u64 (*of)(const struct kvmwatch_vm *vm))
{
	size_t i;

	expose_family(e, name, EXPOSE_GAUGE, help);
	for (i = 0; i < look->nr_vms; i++) {
		expose_sample(e, "");
		expose_label(e, "vm", look->vms[i].label);
		expose_u64(e, of(&look->vms[i].vm->info));
	}
}

/* --- statistics ------------------------------------------------------------ */

/* State while statistic number @stat of all objects of a kind is written. */
struct writing {
	struct exposition *e;
	struct exporter *exporter;
	const struct objects *objects;
	const struct kvmwatch_value *value;
	const struct export_row *row;	/* NULL: the object lacks it */
	int stat;
};

static void begin_sample(const struct writing *w, const struct object *object, const char *suffix)
{
	char number[24];

	expose_sample(w->e, suffix);
	expose_label(w->e, "vm", object->vm->label);
	if (w->objects->kind == KVMWATCH_KIND_VM)
		return;
	if (w->objects->kind == KVMWATCH_KIND_SLOT)
		snprintf(number, sizeof(number), "%u:%u", object->number >> 16,
			 object->number & 0xffff);
	else
		snprintf(number, sizeof(number), "%u", object->number);
	expose_label(w->e, hooks_object(w->objects->kind), number);
}

static const __u64 *data_of(const struct writing *w, const struct object *object)
{
	return kvmwatch_all_value(w->objects->sample.all, object->item, w->stat);
}

static int exponent_of(const struct kvmwatch_value *value)
{
	return (value->flags & KVMWATCH_STATS_UNIT_MASK) == KVMWATCH_STATS_SECONDS ?
		value->exponent : 0;
}

static void write_numbers(const struct writing *w)
{
	const struct object *object;
	const __u64 *data;
	size_t i;

	for (i = 0; i < w->objects->nr; i++) {
		object = &w->objects->all[i];
		data = data_of(w, object);
		if (!data)
			continue;
		begin_sample(w, object, "");
		if (w->row && w->row->label)
			expose_label(w->e, w->row->label, w->row->value);
		expose_scaled(w->e, *data, exponent_of(w->value));
	}
}

/*
 * Bucket number k has the values below 2^k units, so 2^k - 1 is an exact upper bound. There is no
 * sum, as the module's totals of these times also have the stretch that still goes on, which is in
 * no bucket.
 */
static void write_histogram(const struct writing *w, const struct object *object,
			    const __u64 *data)
{
	bool ns = exponent_of(w->value) == NANO;
	unsigned int first = ns ? NS_FIRST : 0, last = ns ? NS_LAST : w->value->size - 1;
	__u64 count = 0;
	unsigned int i;

	for (i = 0; i < w->value->size; i++) {
		count += data[i];
		if (i + 1 == w->value->size || i < first || i > last || (i - first) % BOUND_STEP)
			continue;
		begin_sample(w, object, "_bucket");
		expose_bound(w->e, (1ULL << i) - 1, exponent_of(w->value));
		expose_u64(w->e, count);
	}
	begin_sample(w, object, "_bucket");
	expose_label(w->e, "le", "+Inf");
	expose_u64(w->e, count);
	/* OpenMetrics allows a count only with a sum; the older format always has a count. */
	if (w->e->format == EXPOSE_OPENMETRICS)
		return;
	begin_sample(w, object, "_count");
	expose_u64(w->e, count);
}

static void write_histograms(const struct writing *w)
{
	const __u64 *data;
	size_t i;

	if (w->value->size > 64)
		return;
	for (i = 0; i < w->objects->nr; i++) {
		data = data_of(w, &w->objects->all[i]);
		if (data)
			write_histogram(w, &w->objects->all[i], data);
	}
}

/* The reasons that have occurred on this host since the exporter began; NULL: no memory. */
static bool *update_seen(const struct writing *w)
{
	bool **seen = &w->exporter->seen[w->row - export_rows];
	const __u64 *data;
	unsigned int b;
	size_t i;

	if (!*seen)
		*seen = calloc(1 << 16, sizeof(**seen));	/* value->size has 16 bits */
	for (i = 0; *seen && i < w->objects->nr; i++) {
		data = data_of(w, &w->objects->all[i]);
		for (b = 0; data && b < w->value->size; b++)
			(*seen)[b] |= data[b];
	}
	return *seen;
}

static void write_reason(const struct writing *w, const struct object *object, unsigned int bucket,
			 __u64 count)
{
	const char *name = exit_name(w->value, bucket);
	char number[16];

	if (!name) {
		snprintf(number, sizeof(number), "%u", bucket);
		name = number;
	}
	begin_sample(w, object, "");
	expose_label(w->e, "reason", name);
	expose_scaled(w->e, count, exponent_of(w->value));
}

/* The number is known, but not the reasons. */
static void write_unknown_reason(const struct writing *w, const struct object *object)
{
	const struct kvmwatch_all *all = w->objects->sample.all;
	const __u64 *data;

	data = kvmwatch_all_value(all, object->item, kvmwatch_all_find(all, w->row->sum));
	if (!data)
		return;
	begin_sample(w, object, "");
	expose_label(w->e, "reason", "unknown");
	expose_scaled(w->e, *data, exponent_of(w->value));
}

static void write_reasons(const struct writing *w)
{
	const bool *seen = update_seen(w);
	const __u64 *data;
	unsigned int b;
	size_t i;

	if (!seen)
		w->e->err = -ENOMEM;
	for (i = 0; seen && i < w->objects->nr; i++) {
		data = data_of(w, &w->objects->all[i]);
		if (!data)
			write_unknown_reason(w, &w->objects->all[i]);
		for (b = 0; data && b < w->value->size; b++) {
			if (seen[b])
				write_reason(w, &w->objects->all[i], b, data[b]);
		}
	}
}

static void write_statistic(const struct writing *w)
{
	switch (w->value->flags & KVMWATCH_STATS_TYPE_MASK) {
	case KVMWATCH_STATS_LOG_HIST:
		write_histograms(w);
		break;
	case KVMWATCH_STATS_LINEAR_HIST:
		if (w->row)
			write_reasons(w);
		break;
	default:
		write_numbers(w);
		break;
	}
}

/* The module's sentence about a statistic. */
static const char *help_of(const struct look *look, __u32 kind, const char *stat)
{
	size_t i;

	for (i = 0; i < look->hooks.nr_stats; i++) {
		if (look->hooks.stats[i].kind == kind && !strcmp(look->hooks.stats[i].name, stat))
			return look->hooks.stats[i].help;
	}
	return stat;
}

static unsigned int groups_of(const struct exporter *exporter)
{
	return exporter->options->groups | (exporter->options->no_vcpus ? EXPORT_SUMS : 0);
}

static void write_row(struct writing *w, const struct look *look, const char **family)
{
	const struct kvmwatch_all *all = w->objects->sample.all;
	const struct export_row *row = w->row;

	if (!row->family || (row->group && !(row->group & groups_of(w->exporter))))
		return;
	w->stat = kvmwatch_all_find(all, row->stat);
	if (w->stat < 0)
		return;
	w->value = &all->stats[w->stat];
	if (!*family || strcmp(*family, row->family))
		expose_family(w->e, row->family, export_type(w->value),
			      row->help ? row->help : help_of(look, row->kind, row->stat));
	*family = row->family;
	write_statistic(w);
}

static bool is_family(const char *name)
{
	size_t i;

	for (i = 0; i < export_nr_rows; i++) {
		if (export_rows[i].family && !strcmp(export_rows[i].family, name))
			return true;
	}
	return false;
}

/* Write statistics that a newer module has in addition. */
static void write_others(struct writing *w, const struct look *look)
{
	const struct kvmwatch_all *all = w->objects->sample.all;
	char name[EXPORT_MAX_NAME];
	size_t i;

	w->row = NULL;
	for (i = 0; i < all->nr_stats; i++) {
		w->value = &all->stats[i];
		w->stat = i;
		if (export_find_row(w->objects->kind, w->value->name))
			continue;
		export_make_name(name, w->objects->kind, w->value);
		if (is_family(name))
			continue;
		expose_family(w->e, name, export_type(w->value),
			      help_of(look, w->objects->kind, w->value->name));
		write_statistic(w);
	}
}

static void write_objects(struct exposition *e, struct exporter *exporter, const struct look *look,
			  const struct objects *objects)
{
	struct writing w = { .e = e, .exporter = exporter, .objects = objects };
	const char *family = NULL;
	size_t i;

	if (!objects->sample.all)
		return;
	for (i = 0; i < export_nr_rows; i++) {
		w.row = &export_rows[i];
		if (w.row->kind == objects->kind)
			write_row(&w, look, &family);
	}
	write_others(&w, look);
}

static void write_vms(struct exposition *e, struct exporter *exporter, const struct look *look)
{
	size_t i;

	write_omitted(e, look);
	write_times(e, look, "read_at_seconds",
		    "the host's monotonic clock before it read the first object of a kind", began);
	write_times(e, look, "read_seconds",
		    "time between reading the first object of a kind and the last one", took);
	write_vm_info(e, look);
	write_listed(e, look, "vm_memory_bytes", "memory in the slots that the VMM made",
		     memory_of);
	write_listed(e, look, "vm_footprint_bytes", "kernel memory that kvmwatch spends on the VM",
		     footprint_of);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		write_objects(e, exporter, look, &look->kinds[i]);
}

const char *export_error(int err)
{
	if (err == -EFBIG)
		return "it is longer than 256 MiB; lower --max-vms";
	return strerror(-err);
}

int exporter_write(struct exporter *exporter, struct exposition *e)
{
	__u64 begin = now_ns();
	struct look look = { };
	int err = 0;

	take_all(exporter, &look);
	if (!*look.why)
		err = choose(exporter, &look);
	write_build(e);
	write_up(e, &look);
	write_module(e, &look);
	write_attached(e, &look.hooks);
	write_ok(e, &look.hooks);
	write_hits(e, &look.hooks, false);
	write_hits(e, &look.hooks, true);
	write_available(e, &look.hooks);
	if (!*look.why && !err)
		write_vms(e, exporter, &look);
	expose_family(e, "scrape_duration_seconds", EXPOSE_GAUGE,
		      "time that it took to read and write all this");
	expose_sample(e, "");
	expose_scaled(e, now_ns() - begin, NANO);
	expose_end(e);
	look_free(&look);
	return err ? err : e->err;
}
