// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch exits: why vCPUs leave guest mode, and why KVM_RUN returns to userspace.
 *
 * A rate needs two looks. Counts are of the second one, from the start on; rates are
 * over the time between the two.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "exit_names.h"
#include "options.h"
#include "output.h"
#include "libkvmwatch.h"
#include "repeat.h"
#include "select.h"
#include "text.h"

#define NSEC_PER_SEC	1000000000.0

/**
 * struct look - a VM or a vCPU at one moment
 * @vm:		its VM
 * @name:	its VM's name
 * @vcpu:	kvmwatch's id of the vCPU; 0: it is the VM
 * @vcpu_id:	the VMM's number of the vCPU
 * @ns:		when it was read
 * @stats:	what its stats fd said
 */
struct look {
	__u64 vm;
	char name[KVMWATCH_NAME_SIZE];
	__u64 vcpu;
	__u32 vcpu_id;
	__u64 ns;
	struct kvmwatch_stats *stats;
};

struct looks {
	struct look *looks;
	size_t nr;
};

struct exits {
	int dev;
	const struct options *options;
	struct selection selection;
	struct looks before;	/* none yet: first round */
};

enum {
	COL_VM, COL_VM_NAME, COL_OBJECT, COL_KIND, COL_REASON, COL_NUMBER, COL_COUNT, COL_WINDOW,
	COL_RATE, COL_SHARE, COL_TIME, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_VM]	= { "vm",		NULL,		true },
	[COL_VM_NAME]	= { "name",		NULL,		false },
	[COL_OBJECT]	= { "object",		NULL,		false },
	[COL_KIND]	= { "kind",		"TO",		false },
	[COL_REASON]	= { "reason",		"REASON",	false },
	[COL_NUMBER]	= { "number",		NULL,		true },
	[COL_COUNT]	= { "count",		"COUNT",	true },
	[COL_WINDOW]	= { "window_ns",	NULL,		true },
	[COL_RATE]	= { "per_second",	"RATE",		true },
	[COL_SHARE]	= { "share",		"SHARE",	true },
	[COL_TIME]	= { "time_ns",		"TIME",		true },
};

/* Exits by where they lead: what there is of each. */
static const struct kind {
	const char *name, *total, *reasons, *time;
} kinds[] = {
	{ "kvm", "exits", "exit_reasons", "exit_time_ns" },
	{ "user", "user_exits", "user_exit_reasons", NULL },
};

/* --- Read ---------------------------------------------------------------- */

static void looks_free(struct looks *looks)
{
	size_t i;

	for (i = 0; i < looks->nr; i++)
		kvmwatch_stats_free(looks->looks[i].stats);
	free(looks->looks);
	memset(looks, 0, sizeof(*looks));
}

/* Take over a stats fd, or the -errno that it became. What has ended is left out. */
static int add_look(struct looks *looks, const struct vm *vm, const struct kvmwatch_vcpu *vcpu,
		    int fd)
{
	struct look look = { .vm = vm->info.id }, *more;
	int err;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = kvmwatch_stats_read(fd, &look.stats);
	look.ns = now_ns();
	close(fd);
	if (err)
		return err;
	more = realloc(looks->looks, (looks->nr + 1) * sizeof(look));
	if (!more) {
		kvmwatch_stats_free(look.stats);
		return -ENOMEM;
	}
	memcpy(look.name, vm->info.name, sizeof(look.name));
	if (vcpu) {
		look.vcpu = vcpu->id;
		look.vcpu_id = vcpu->vcpu_id;
	}
	looks->looks = more;
	looks->looks[looks->nr++] = look;
	return 0;
}

static int look_at(int dev, const struct vm *vm, struct looks *looks)
{
	struct kvmwatch_vcpu *vcpus;
	size_t nr, i;
	int err;

	err = kvmwatch_list_vcpus(dev, vm->info.id, &vcpus, &nr);
	if (err)
		return err == -ENOENT ? 0 : err;
	err = add_look(looks, vm, NULL, kvmwatch_open_vm(dev, vm->info.id));
	for (i = 0; i < nr && !err; i++)
		err = add_look(looks, vm, &vcpus[i], kvmwatch_open_vcpu(dev, vcpus[i].id));
	free(vcpus);
	return err;
}

/* Returns an exit code; only with EXIT_DONE is there anything in @looks. */
static int look_around(struct exits *exits, struct looks *looks)
{
	size_t i, nr;
	struct vm *vms;
	int code, err = 0;

	memset(looks, 0, sizeof(*looks));
	code = vms_get(exits->dev, &exits->selection, &vms, &nr);
	if (code)
		return code;
	for (i = 0; i < nr && !err; i++)
		err = look_at(exits->dev, &vms[i], looks);
	vms_put(vms, nr);
	if (!err)
		return EXIT_DONE;
	looks_free(looks);
	return device_complain(err);
}

static const struct look *find_look(const struct looks *looks, const struct look *of)
{
	size_t i;

	for (i = 0; i < looks->nr; i++) {
		if (looks->looks[i].vm == of->vm && looks->looks[i].vcpu == of->vcpu)
			return &looks->looks[i];
	}
	return NULL;
}

/* --- Show ---------------------------------------------------------------- */

/* A number of a statistic now and before; @before is NULL where that is not known. */
struct count {
	__u64 now;
	const __u64 *before;
};

static struct count count_of(const struct look *now, const struct look *before,
			     const struct kvmwatch_value *value, unsigned int bucket)
{
	const struct kvmwatch_value *was = NULL;
	struct count count = { .now = value->data[bucket] };

	if (before && before->ns < now->ns)
		was = kvmwatch_stats_find(before->stats, value->name);
	if (was && bucket < was->size && was->data[bucket] <= count.now)
		count.before = &was->data[bucket];
	return count;
}

static void show_rate(struct output *out, const struct count *count, const struct look *now,
		      const struct look *before)
{
	double rate;
	char text[32];
	__u64 ns;

	if (!count->before) {
		output_unknown(out, COL_WINDOW, NULL);
		output_unknown(out, COL_RATE, NULL);
		return;
	}
	ns = now->ns - before->ns;
	rate = (count->now - *count->before) / (ns / NSEC_PER_SEC);
	snprintf(text, sizeof(text), "%.0f/s", rate);
	output_u64(out, COL_WINDOW, ns, NULL);
	output_real(out, COL_RATE, rate, text);
}

static void show_object(struct output *out, const struct look *look, const struct kind *kind)
{
	char object[24] = "vm";

	if (look->vcpu)
		snprintf(object, sizeof(object), "vcpu%u", look->vcpu_id);
	output_u64(out, COL_VM, look->vm, NULL);
	output_string(out, COL_VM_NAME, look->name);
	output_string(out, COL_OBJECT, object);
	output_string(out, COL_KIND, kind->name);
}

static void show_reason(struct output *out, const struct look *now, const struct look *before,
			const struct kind *kind, const struct kvmwatch_value *reasons,
			unsigned int bucket, __u64 total)
{
	struct count count = count_of(now, before, reasons, bucket);
	const char *name = exit_name(reasons, bucket);
	double share = (double)count.now / total;
	char text[32];

	show_object(out, now, kind);
	snprintf(text, sizeof(text), "0x%x", bucket);
	output_string(out, COL_REASON, name ? name : text);
	if (bucket + 1 < reasons->size)
		output_u64(out, COL_NUMBER, bucket, NULL);
	output_u64(out, COL_COUNT, count.now, NULL);
	show_rate(out, &count, now, before);
	snprintf(text, sizeof(text), "%.1f%%", share * 100);
	output_real(out, COL_SHARE, share, text);
	output_row(out);
}

/* Most first: the highest count below the one shown last, and equal ones by number. */
static void show_reasons(struct output *out, const struct look *now, const struct look *before,
			 const struct kind *kind, const struct kvmwatch_value *reasons)
{
	__u64 total = 0, last = ~0ULL, next;
	unsigned int i;

	for (i = 0; i < reasons->size; i++)
		total += reasons->data[i];
	for (; last; last = next) {
		next = 0;
		for (i = 0; i < reasons->size; i++) {
			if (reasons->data[i] == last)
				show_reason(out, now, before, kind, reasons, i, total);
			else if (reasons->data[i] < last && reasons->data[i] > next)
				next = reasons->data[i];
		}
	}
}

static void show_time(struct output *out, const struct look *now, const struct kind *kind,
		      bool raw)
{
	const struct kvmwatch_value *time;
	struct quantity q;
	char text[80];

	if (!kind->time)
		return;
	time = kvmwatch_stats_find(now->stats, kind->time);
	if (!time) {
		output_unknown(out, COL_TIME, NULL);
		return;
	}
	q = quantity_of(time, *time->data, raw);
	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	output_u64(out, COL_TIME, *time->data, text);
}

static void show_kind(struct output *out, const struct look *now, const struct look *before,
		      const struct kind *kind, bool raw)
{
	const struct kvmwatch_value *total = kvmwatch_stats_find(now->stats, kind->total);
	const struct kvmwatch_value *reasons = kvmwatch_stats_find(now->stats, kind->reasons);
	struct count count;

	if (reasons)
		show_reasons(out, now, before, kind, reasons);
	show_object(out, now, kind);
	output_string(out, COL_REASON, "all");
	if (total) {
		count = count_of(now, before, total, 0);
		output_u64(out, COL_COUNT, count.now, NULL);
		show_rate(out, &count, now, before);
	} else {
		output_unknown(out, COL_COUNT, "unknown: see kvmwatch hooks");
	}
	if (!reasons)
		output_unknown(out, COL_SHARE, "reasons unknown: see kvmwatch hooks");
	show_time(out, now, kind, raw);
	output_row(out);
}

static void show_look(struct output *out, const struct look *now, const struct look *before,
		      bool raw)
{
	char title[128];
	size_t i;

	if (now->vcpu)
		snprintf(title, sizeof(title), "VM %llu vCPU %u: id %llu", now->vm, now->vcpu_id,
			 now->vcpu);
	else
		snprintf(title, sizeof(title), "VM %llu: name %s", now->vm, now->name);
	text_clean(title);
	output_begin(out, title, columns, NR_COLS);
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		show_kind(out, now, before, &kinds[i], raw);
	output_end(out);
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	struct exits *exits = arg;
	struct looks now;
	size_t i, shown;
	int code;

	code = look_around(exits, &now);
	if (code)
		return code;
	if (!exits->before.looks && now.nr) {
		exits->before = now;
		beat_wait(beat);
		code = look_around(exits, &now);
		if (code)
			return code;
	}

	/* Names the columns in CSV even if there is no VM. */
	if (out->format == OUTPUT_CSV)
		output_begin(out, NULL, columns, NR_COLS);
	for (i = 0; i < now.nr; i++)
		show_look(out, &now.looks[i], find_look(&exits->before, &now.looks[i]),
			  exits->options->raw);
	shown = now.nr;
	looks_free(&exits->before);
	exits->before = now;
	return shown ? EXIT_DONE : vms_none(&exits->selection, "exits");
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct options options;
	struct exits exits = { .options = &options };
	int code;

	code = options_parse(cmd, argc, argv, &options);
	if (code >= 0)
		return code;
	exits.dev = device_open();
	if (exits.dev < 0)
		return EXIT_COULD_NOT;
	exits.selection.arg = options.vm;
	code = repeat(&options, show, &exits);
	looks_free(&exits.before);
	selection_free(&exits.selection);
	close(exits.dev);
	return code;
}

static const struct opt *const options[] = {
	&opt_vm, &opt_interval, &opt_count, &opt_json, &opt_csv, &opt_raw, &opt_help, NULL
};

const struct cmd cmd_exits = {
	.name		= "exits",
	.summary	= "why vCPUs leave the guest, and why KVM returns to the VMM",
	.about		=
		"Show the exits of VMs and of their vCPUs by reason: from the guest to KVM by the\n"
		"processor's reason, and from KVM to the VMM by KVM_EXIT_*. COUNT is from the start\n"
		"on, RATE over the interval (one second, or -i), TIME what vCPUs spent out of the\n"
		"guest, be it in KVM, in the VMM or off their pCPU.",
	.options	= options,
	.run		= run,
};
