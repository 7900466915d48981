// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch vcpu: where vCPUs spend their time, interval by interval. All numbers are about the time
 * between two reads; the first read shows nothing.
 *
 * The shortest and the longest stretch come from trace events, and are those of all parts of
 * stretches in the interval. Without the right to trace they are those of stretches that ended in
 * it, and come from a histogram like the quantiles: then they are bounds, exact to a factor of two.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "repeat.h"
#include "sample.h"
#include "stretches.h"
#include "text.h"
#include "view.h"

#define BUFFER_KB	4096	/* of the kernel's buffer for each pCPU, without --buffer */

struct vcpu_options {
	struct view_options view;	/* first, as options_parse() knows only that */
	enum how { EXACT_IF_ALLOWED, EXACT, COUNTED } how;
};

struct vcpus {
	int dev;
	const struct options *options;
	const struct vcpu_options *special;
	struct stretches *stretches;
	bool begun;		/* the first read was made */
	int code;		/* an error between two reads */
	__u64 intervals;	/* number of intervals shown */
	struct selection selection;
	struct sample before;	/* empty in the first round */
};

enum {
	COL_VM, COL_NAME, COL_VCPU, COL_ID, COL_TID, COL_PCPU, COL_WINDOW, COL_ON, COL_SHARE,
	COL_LOADS, COL_MIN, COL_P50, COL_P99, COL_MAX, COL_OFF, COL_DELAY, COL_HALT, COL_MOVES,
	COL_PREEMPTIONS, COL_EXITS, COL_EXACT, COL_TIME, COL_GUEST, COL_KVM, COL_POLL, COL_WAIT,
	COL_PREEMPTED, COL_BLOCKED, COL_USER, COL_LOAD_ENTRY, COL_EXIT_PUT, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_VM]	= { "vm",		"VM",		true, 0, true },
	[COL_NAME]	= { "name",		NULL,		false },
	[COL_VCPU]	= { "vcpu_id",		"VCPU",		true, 0, true },
	[COL_ID]	= { "id",		NULL,		true, 0, true },
	[COL_TID]	= { "tid",		"TID",		true, 0, true },
	[COL_PCPU]	= { "pcpu",		"PCPU",		true, 0, true },
	[COL_WINDOW]	= { "window_ns",	NULL,		true },
	[COL_ON]	= { "on_cpu_ns",	"ON CPU",	true },
	[COL_SHARE]	= { "on_cpu_share",	"SHARE",	true },
	[COL_LOADS]	= { "loads",		"LOADS",	true },
	[COL_MIN]	= { "on_min_ns",	"MIN",		true },
	[COL_P50]	= { "on_p50_ns",	"P50",		true },
	[COL_P99]	= { "on_p99_ns",	"P99",		true },
	[COL_MAX]	= { "on_max_ns",	"MAX",		true },
	[COL_OFF]	= { "off_cpu_ns",	"OFF CPU",	true },
	[COL_DELAY]	= { "run_delay_ns",	"DELAY",	true },
	[COL_HALT]	= { "halt_time_ns",	"HALTED",	true },
	[COL_MOVES]	= { "load_migrations",	"MOVED",	true },
	[COL_PREEMPTIONS] = { "preemptions",	"PREEMPTED",	true },
	[COL_EXITS]	= { "exits",		"EXITS",	true },
	[COL_EXACT]	= { "exact",		NULL,		false },
	[COL_TIME]	= { "time_ns",		NULL,		true, 0, true },
	[COL_GUEST]	= { "guest_time_ns",	"GUEST",	true },
	[COL_KVM]	= { "kvm_time_ns",	"KVM",		true },
	[COL_POLL]	= { "poll_time_ns",	NULL,		true },
	[COL_WAIT]	= { "wait_time_ns",	NULL,		true },
	[COL_PREEMPTED]	= { "preempted_time_ns", NULL,		true },
	[COL_BLOCKED]	= { "blocked_time_ns",	NULL,		true },
	[COL_USER]	= { "user_time_ns",	"VMM",		true },
	[COL_LOAD_ENTRY] = { "load_entry_ns",	NULL,		true },
	[COL_EXIT_PUT]	= { "exit_put_ns",	NULL,		true },
};

/* Counts and times that are shown unchanged. */
static const struct {
	int column;
	const char *stat;
	bool ns;
} growths[] = {
	{ COL_LOADS, "loads", false },
	{ COL_OFF, "off_cpu_ns", true },
	{ COL_DELAY, "run_delay_ns", true },
	{ COL_HALT, "halt_time_ns", true },
	{ COL_MOVES, "load_migrations", false },
	{ COL_PREEMPTIONS, "preemptions", false },
	{ COL_EXITS, "exits", false },
	{ COL_GUEST, "guest_time_ns", true },
	{ COL_KVM, "kvm_time_ns", true },
	{ COL_POLL, "poll_time_ns", true },
	{ COL_WAIT, "wait_time_ns", true },
	{ COL_PREEMPTED, "preempted_time_ns", true },
	{ COL_BLOCKED, "blocked_time_ns", true },
	{ COL_USER, "user_time_ns", true },
	{ COL_LOAD_ENTRY, "load_entry_ns", true },
	{ COL_EXIT_PUT, "exit_put_ns", true },
};

static void show_ns(struct output *out, int column, __u64 ns, bool raw)
{
	struct quantity q = quantity_ns(ns);
	char text[80];

	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	output_u64(out, column, ns, raw ? NULL : text);
}

static void show_on(struct output *out, struct maybe on, __u64 window, bool raw)
{
	char text[32];
	double share;

	if (!on.known) {
		output_unknown(out, COL_ON, "-");
		output_unknown(out, COL_SHARE, "-");
		return;
	}
	share = (double)on.number / window;
	snprintf(text, sizeof(text), "%.1f%%", share * 100);
	show_ns(out, COL_ON, on.number, raw);
	output_real(out, COL_SHARE, share, text);
}

/* A bound from a histogram; unknown if no stretch ended, or if the bound is beyond all buckets. */
static void show_bound(struct output *out, int column, const struct kvmwatch_value *stretches,
		       double part, bool first, bool raw)
{
	unsigned int bucket;
	__u64 from, to;

	if (kvmwatch_quantile(stretches, part, &bucket)) {
		output_unknown(out, column, "-");
		return;
	}
	kvmwatch_bucket_range(stretches, bucket, &from, &to);
	if (!first && to == ~0ULL)
		output_unknown(out, column, "long");
	else
		show_ns(out, column, first ? from : to, raw);
}

/* Stretches from events. For a vCPU without events: whether it was on a pCPU. */
static void show_exact(struct output *out, const struct vcpus *vcpus,
		       const struct kvmwatch_all_item *it, struct maybe on, bool raw)
{
	struct stretch_bounds bounds;
	int err = stretches_bounds(vcpus->stretches, it->vm, it->number, &bounds);

	if (!err && !bounds.nr && on.known && on.number) {
		bounds.min = bounds.window;
		bounds.max = bounds.window;
		bounds.nr = 1;
	}
	if (err || !bounds.nr) {
		output_unknown(out, COL_MIN, err ? "lost" : "-");
		output_unknown(out, COL_MAX, err ? "lost" : "-");
		return;
	}
	show_ns(out, COL_MIN, bounds.min, raw);
	show_ns(out, COL_MAX, bounds.max, raw);
}

/* Stretches on a pCPU that ended in the interval. */
static void show_stretches(struct output *out, const struct vcpus *vcpus,
			   const struct sample *now, size_t item, long was, bool raw)
{
	const struct sample *before = &vcpus->before;
	int stat = kvmwatch_all_find(now->all, "on_cpu_hist");
	const __u64 *new = kvmwatch_all_value(now->all, item, stat);
	const __u64 *old = kvmwatch_all_value(before->all, was,
					      kvmwatch_all_find(before->all, "on_cpu_hist"));
	struct kvmwatch_value ended;
	__u64 buckets[65] = { };
	unsigned int i;

	memset(&ended, 0, sizeof(ended));
	if (new && old) {
		ended = now->all->stats[stat];
		for (i = 0; i < ended.size; i++)
			buckets[i] = new[i] >= old[i] ? new[i] - old[i] : 0;
	}
	ended.data = buckets;
	show_bound(out, COL_P50, &ended, 0.5, false, raw);
	show_bound(out, COL_P99, &ended, 0.99, false, raw);
	if (vcpus->stretches)
		return;
	show_bound(out, COL_MIN, &ended, 0, true, raw);
	show_bound(out, COL_MAX, &ended, 1, false, raw);
}

static void show_growths(struct output *out, const struct sample *now, size_t item,
			 const struct sample *before, long was, bool raw)
{
	struct maybe growth;
	size_t i;

	for (i = 0; i < sizeof(growths) / sizeof(*growths); i++) {
		growth = sample_growth(now, item, before, was, growths[i].stat);
		if (!growth.known)
			output_unknown(out, growths[i].column, "-");
		else if (growths[i].ns)
			show_ns(out, growths[i].column, growth.number, raw);
		else
			output_u64(out, growths[i].column, growth.number, NULL);
	}
}

/* Is this vCPU to be shown, by --vcpu? */
static bool is_chosen(const struct vcpus *vcpus, const struct kvmwatch_all_item *it)
{
	return !vcpus->special->view.has_vcpu || vcpus->special->view.vcpu == it->number;
}

/* A vCPU that was not there before cannot be compared. It is shown the next time. */
static bool show_vcpu(struct output *out, const struct vcpus *vcpus, const struct sample *now,
		      size_t item)
{
	const struct kvmwatch_all_item *it = kvmwatch_all_at(now->all, item);
	const struct kvmwatch_vcpu *vcpu = sample_vcpu(now, item);
	const struct vm *vm = sample_vm(now, item);
	long was = sample_find(&vcpus->before, it);
	__u64 window = sample_window(now, &vcpus->before);
	bool raw = vcpus->options->raw;
	struct maybe pcpu, on;

	if (!vm || was < 0 || !window || !is_chosen(vcpus, it))
		return false;
	output_u64(out, COL_TIME, now->all->begin_ns, NULL);
	output_u64(out, COL_VM, it->vm, NULL);
	output_string(out, COL_NAME, vm->info.name);
	output_u64(out, COL_VCPU, it->number, NULL);
	output_u64(out, COL_ID, it->id, NULL);
	if (vcpu && vcpu->tid > 0)
		output_u64(out, COL_TID, vcpu->tid, NULL);
	else
		output_unknown(out, COL_TID, "-");
	pcpu = sample_value(now, item, "pcpu");
	if (pcpu.known)
		output_u64(out, COL_PCPU, pcpu.number, NULL);
	else
		output_unknown(out, COL_PCPU, "-");
	output_u64(out, COL_WINDOW, window, NULL);
	on = sample_growth(now, item, &vcpus->before, was, "on_cpu_ns");
	show_on(out, on, window, raw);
	show_stretches(out, vcpus, now, item, was, raw);
	if (vcpus->stretches)
		show_exact(out, vcpus, it, on, raw);
	show_growths(out, now, item, &vcpus->before, was, raw);
	output_bool(out, COL_EXACT, vcpus->stretches, NULL);
	output_row(out);
	return true;
}

/* --- the interval ---------------------------------------------------------------- */

static int complain_events(int err)
{
	return complain("vcpu", "can't read events: %s", strerror(-err));
}

static bool read_events(void *arg)
{
	struct vcpus *vcpus = arg;
	int err = stretches_read(vcpus->stretches);

	if (err)
		vcpus->code = complain_events(err);
	return err || interrupted();
}

/* Are events to be used? If not, print what that means. */
static bool choose_how(const struct vcpu_options *options)
{
	if (options->how != EXACT_IF_ALLOWED)
		return options->how == EXACT;
	if (stream_allowed())
		return true;
	complain("vcpu", "no right to trace, so MIN and MAX are bounds; see --counters");
	return false;
}

/* Even root may be refused tracing, by a kernel that is locked down. */
static int go_on_without(const struct vcpus *vcpus, int code)
{
	if (vcpus->special->how == EXACT)
		return code;
	interrupt_release();
	complain("vcpu", "no events, so MIN and MAX are bounds; see --counters");
	return EXIT_DONE;
}

/* Switch on the events of the VMs that were found. */
static int begin_exact(struct vcpus *vcpus, struct beat *beat)
{
	char *filter = NULL;
	int code;

	if (vcpus->selection.arg) {
		filter = view_filter_vms(&vcpus->selection);
		if (!filter)
			return complain("vcpu", "no memory");
	}
	interrupt_catch(true);
	code = stretches_open(filter, vcpus->special->view.buffer_kb ?: BUFFER_KB,
			      &vcpus->stretches);
	free(filter);
	if (code)
		return go_on_without(vcpus, code);
	beat->idle = read_events;
	beat->idle_arg = vcpus;
	return EXIT_DONE;
}

/* Read the numbers that end an interval and begin the next one. */
static int look(struct vcpus *vcpus, struct sample *sample)
{
	int code, err;

	code = sample_take(vcpus->dev, &vcpus->selection, KVMWATCH_KIND_VCPU, 0, sample);
	if (code || !vcpus->stretches)
		return code;
	err = stretches_next(vcpus->stretches, sample->all->begin_ns);
	if (!err)
		return EXIT_DONE;
	sample_free(sample);
	return complain_events(err);
}

static int show_vcpus(struct output *out, struct vcpus *vcpus, const struct sample *now)
{
	size_t i, shown = 0;

	output_begin(out, NULL, columns, NR_COLS);
	for (i = 0; i < now->all->nr; i++)
		shown += show_vcpu(out, vcpus, now, i);
	output_end(out);
	return shown || now->nr_vms ? EXIT_DONE : vms_none(&vcpus->selection, "vcpu");
}

/*
 * Make the first read, which later ones are compared with. Switch on events even if there is no
 * vCPU yet, so that numbers of vCPUs to come are exact, too.
 */
static int begin(struct vcpus *vcpus, struct beat *beat)
{
	bool waits = vcpus->options->count != 1;
	int code;

	code = look(vcpus, &vcpus->before);
	if (code || !choose_how(vcpus->special) || (!vcpus->before.all->nr && !waits))
		return code;
	code = begin_exact(vcpus, beat);
	if (code)
		return code;
	sample_free(&vcpus->before);
	return look(vcpus, &vcpus->before);
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	struct vcpus *vcpus = arg;
	struct sample now;
	int code = EXIT_DONE;

	if (!vcpus->begun) {
		vcpus->begun = true;
		code = begin(vcpus, beat);
		if (!code && vcpus->before.all->nr)
			beat_wait(beat);
	}
	if (code || beat->stopped)
		return code;
	code = look(vcpus, &now);
	if (code)
		return code;
	code = show_vcpus(out, vcpus, &now);
	vcpus->intervals++;
	sample_free(&vcpus->before);
	vcpus->before = now;
	return code;
}

/* Print a summary, as live views do at their end. */
static void sum_up(const struct vcpus *vcpus, __u64 ns)
{
	fprintf(stderr, "kvmwatch: vcpu: %llu intervals in %.1f s, %llu events lost\n",
		vcpus->intervals, ns / 1e9, stretches_lost(vcpus->stretches));
}

/* End after as many whole intervals as --time asks for. */
static void end_in_time(struct vcpu_options *options)
{
	struct options *common = &options->view.common;
	__u64 count;

	if (!options->view.time_ns)
		return;
	count = (options->view.time_ns + common->interval_ns - 1) / common->interval_ns;
	if (!common->counted || common->count > count)
		common->count = count;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct vcpu_options options = { };
	struct vcpus vcpus = { .options = &options.view.common, .special = &options };
	__u64 begin = now_ns();
	int code;

	code = options_parse(cmd, argc, argv, &options.view.common);
	if (code >= 0)
		return code;
	if (options.how == COUNTED && options.view.buffer_kb) {
		complain("vcpu", "--counters traces no events, so there is no --buffer");
		return EXIT_USAGE;
	}
	end_in_time(&options);
	vcpus.dev = device_open();
	if (vcpus.dev < 0)
		return EXIT_COULD_NOT;
	vcpus.selection.arg = options.view.common.vm;
	code = repeat(&options.view.common, show, &vcpus);
	if (!code)
		code = vcpus.code;
	if (vcpus.stretches && options.view.common.count != 1)
		sum_up(&vcpus, now_ns() - begin);
	stretches_close(vcpus.stretches);
	sample_free(&vcpus.before);
	selection_free(&vcpus.selection);
	close(vcpus.dev);
	return code;
}

static const char *set_how(struct options *options, enum how how)
{
	struct vcpu_options *o = (struct vcpu_options *)options;

	if (o->how != EXACT_IF_ALLOWED && o->how != how)
		return "choose one of --exact and --counters";
	o->how = how;
	return NULL;
}

static const char *set_exact(struct options *options, const char *arg)
{
	(void)arg;
	return set_how(options, EXACT);
}

static const char *set_counters(struct options *options, const char *arg)
{
	(void)arg;
	return set_how(options, COUNTED);
}

static const struct opt opt_exact = {
	'x', "exact", NULL, "MIN and MAX exactly, or not at all", set_exact
};

static const struct opt opt_counters = {
	'C', "counters", NULL, "without trace events: MIN and MAX are bounds", set_counters
};

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

static const struct opt *const options[] = {
	&opt_vm, &opt_vcpu, OPTS_REPEAT, &opt_time, &opt_vcpu_buffer, &opt_exact,
	&opt_counters,
	OPTS_TABLE, &opt_raw, &opt_help, NULL
};

const struct cmd cmd_vcpu = {
	.name		= "vcpu",
	.summary	= "where vCPUs spend their time, per interval",
	.about		=
		"Show for each vCPU and interval (one second, or -i) how long it was on a pCPU, how\n"
		"often it was loaded there, and the shortest and longest of these stretches, cut to\n"
		"the interval. These two come from trace events; without the right to trace, or with\n"
		"--counters, they are bounds, of stretches that ended. Half of the stretches are at\n"
		"most P50 long. DELAY is time in which the vCPU could run but had no pCPU, HALTED time\n"
		"in halts, polling included, GUEST time in guest mode, KVM time on a pCPU in KVM\n"
		"itself, VMM time off its pCPU in the VMM.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
