// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch haltpoll --what-if: what other parameters of halt polling would have cost and saved.
 *
 * It records each halt of the VMs for some time. Then it replays KVM's algorithm over the halts of
 * each vCPU: with KVM's current parameters, and with those that the user gives, or with many.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "cmd_what_if.h"
#include "halt_poll.h"
#include "hooks.h"
#include "interrupt.h"
#include "output.h"
#include "quantity.h"
#include "recording.h"
#include "sample.h"
#include "stream.h"
#include "view.h"

#define DEFAULT_TIME_NS	10000000000ULL
#define BUFFER_KB	4096	/* an event takes 64 bytes */
/* Of all vCPUs; they take 160 MB. */
#define MAX_HALTS	10000000
#define TEXT(number)	TEXT_OF(number)
#define TEXT_OF(number)	#number
#define SWEEP		"sweep"

struct what_if_options {
	struct view_options view;	/* first: options_parse() knows only its first part */
	const char *spec;
};

/* The halts of a vCPU, and its window at the start of the recording */
struct track {
	__u64 vm, vcpu;
	__u32 window;
	bool unknown;		/* the window is unknown, so the results are */
	struct halt *halts;
	size_t nr, room;
};

struct record {
	const struct what_if_options *options;
	struct view_choice choice;
	struct recording recording;
	struct track *tracks;
	size_t nr, room;
	size_t nr_halts;
	struct halt_poll_params now, asked;
};

enum {
	FIELD_VM, FIELD_VCPU, FIELD_NS, FIELD_WAITED, FIELD_VALID, FIELD_DELAY, NR_FIELDS
};

static const char *const events[] = { "kvmwatch_halt", NULL };

static const char *const fields[NR_FIELDS] = {
	[FIELD_VM] = "vm", [FIELD_VCPU] = "vcpu", [FIELD_NS] = "ns", [FIELD_WAITED] = "waited",
	[FIELD_VALID] = "valid", [FIELD_DELAY] = "delay",
};

enum {
	COL_VM, COL_NAME, COL_SETTINGS, COL_MAX, COL_GROW, COL_SHRINK, COL_START, COL_HALTS,
	COL_POLLS, COL_WON, COL_LOST, COL_POLLED, COL_VAIN, COL_SHARE, COL_QUICKER, COL_QUICKER_NS,
	COL_PICTURE, COL_WHY, COL_WINDOW, COL_TIME, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_VM]	= { "vm",		"VM",		true },
	[COL_NAME]	= { "name",		NULL,		false },
	[COL_SETTINGS]	= { "settings",		"SETTINGS",	false },
	[COL_MAX]	= { "halt_poll_ns",	"HALT_POLL_NS",	true },
	[COL_GROW]	= { "grow",		"GROW",		true },
	[COL_SHRINK]	= { "shrink",		"SHRINK",	true },
	[COL_START]	= { "grow_start",	"START",	true },
	[COL_HALTS]	= { "halts",		"HALTS",	true },
	[COL_POLLS]	= { "polls",		"POLLS",	true },
	[COL_WON]	= { "won",		"WON",		true },
	[COL_LOST]	= { "lost",		"LOST",		true },
	[COL_POLLED]	= { "polled_ns",	"POLLED",	true },
	[COL_VAIN]	= { "lost_ns",		"IN VAIN",	true },
	[COL_SHARE]	= { "cpu_share",	"CPU",		true },
	[COL_QUICKER]	= { "quicker",		"QUICKER",	true },
	[COL_QUICKER_NS] = { "quicker_ns",	"BY",		true },
	[COL_PICTURE]	= { NULL,		"WON, CPU",	false },
	[COL_WHY]	= { "why",		NULL,		false },
	[COL_WINDOW]	= { "window_ns",	NULL,		true },
	[COL_TIME]	= { "time_ns",		NULL,		true },
};

/* --- Record --------------------------------------------------------------- */

static struct track *find_or_add(struct record *r, __u64 vm, __u64 vcpu)
{
	size_t room = r->room ? 2 * r->room : 16, i;
	struct track *more;

	for (i = 0; i < r->nr; i++) {
		if (r->tracks[i].vm == vm && r->tracks[i].vcpu == vcpu)
			return &r->tracks[i];
	}
	if (r->nr == r->room) {
		more = realloc(r->tracks, room * sizeof(*more));
		if (!more)
			return NULL;
		r->tracks = more;
		r->room = room;
	}
	r->tracks[r->nr] = (struct track){ .vm = vm, .vcpu = vcpu };
	return &r->tracks[r->nr++];
}

static int add_halt(struct record *r, const struct happening *h)
{
	struct track *track = find_or_add(r, h->values[FIELD_VM], h->values[FIELD_VCPU]);
	struct halt *more;
	size_t room;

	if (!track)
		return -ENOMEM;
	if (r->nr_halts == MAX_HALTS)
		return -E2BIG;
	if (track->nr == track->room) {
		room = track->room ? 2 * track->room : 256;
		more = realloc(track->halts, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		track->halts = more;
		track->room = room;
	}
	track->halts[track->nr++] = (struct halt){
		.ns = h->values[FIELD_NS], .waited = h->values[FIELD_WAITED],
		.valid = h->values[FIELD_VALID],
		.delay = h->has & 1U << FIELD_DELAY ? (__s64)h->values[FIELD_DELAY] : -1,
	};
	r->nr_halts++;
	return 0;
}

static void happens(const struct happening *h, void *arg)
{
	struct record *r = arg;

	if (!r->recording.err)
		r->recording.err = add_halt(r, h);
}

/* Read the current windows of vCPUs. A vCPU that comes later starts without one. */
static int find_windows(struct record *r, int dev)
{
	struct selection selection = { };
	struct kvmwatch_all_item *it;
	struct sample sample;
	struct track *track;
	struct maybe window;
	size_t i;
	int code;

	code = sample_take_kind(dev, &selection, KVMWATCH_KIND_VCPU, KVMWATCH_OPEN_NO_HISTOGRAMS,
				&sample);
	if (code)
		return code;
	for (i = 0; i < sample.all->nr && !code; i++) {
		it = (struct kvmwatch_all_item *)kvmwatch_all_at(sample.all, i);
		window = sample_value(&sample, i, "halt_poll_ns");
		if (window.known && !window.number)
			continue;
		track = find_or_add(r, it->vm, it->number);
		if (!track) {
			code = device_complain(-ENOMEM);
			break;
		}
		track->window = window.number;
		track->unknown = !window.known;
	}
	sample_free(&sample);
	return code;
}

/* Does the module see halts? */
static int sees_halts(int dev)
{
	static const char name[] = "wakeups_wait";
	const struct kvmwatch_stat *stat;
	struct hooks hooks;
	char why[160];
	int err = hooks_get(dev, &hooks), code = EXIT_DONE;
	size_t i;

	if (err)
		return device_complain(err);
	for (i = 0; i < hooks.nr_stats; i++) {
		stat = &hooks.stats[i];
		if (stat->kind == KVMWATCH_KIND_VCPU && !strcmp(stat->name, name) &&
		    hooks_missing(&hooks, stat, why, sizeof(why)))
			code = complain("haltpoll", "%s; kvmwatch hooks says why", why);
	}
	hooks_put(&hooks);
	return code;
}

static int watch(struct record *r)
{
	r->recording.who = "haltpoll";
	r->recording.happens = happens;
	r->recording.arg = r;
	r->recording.too_much = "more than " TEXT(MAX_HALTS) " halts";
	return recording_make(&r->recording, r->options->view.time_ns ?: DEFAULT_TIME_NS);
}

static int record(struct record *r)
{
	const struct stream_spec spec = {
		.events = events, .fields = fields, .nr_fields = NR_FIELDS,
		.filter = *r->choice.filter ? r->choice.filter : NULL,
		.buffer_kb = r->options->view.buffer_kb ?: BUFFER_KB,
	};
	int code, dev = device_open();

	if (dev < 0)
		return EXIT_COULD_NOT;
	code = sees_halts(dev);
	if (!code)
		code = find_windows(r, dev);
	close(dev);
	if (code)
		return code;
	interrupt_catch(true);
	code = stream_open(&spec, &r->recording.stream);
	if (code)
		return code;
	code = watch(r);
	stream_close(r->recording.stream);
	return code;
}

static const char window_unknown[] =
	"the window at the start is unknown; kvmwatch hooks says why of halt_poll_ns";

/* --- Replay --------------------------------------------------------------- */

static struct halt_poll replay(const struct record *r, __u64 vm,
			       const struct halt_poll_params *params)
{
	struct halt_poll sum = { };
	const struct track *track;

	for (track = r->tracks; track < r->tracks + r->nr; track++) {
		if (track->vm != vm)
			continue;
		sum.window = track->window;
		halt_poll_replay(params, track->halts, track->nr, &sum);
	}
	return sum;
}

/* Are results unknown, because the window at the start is? */
static bool is_unknown(const struct record *r, __u64 vm)
{
	const struct track *track;

	for (track = r->tracks; track < r->tracks + r->nr; track++) {
		if (track->vm == vm && track->unknown && track->nr)
			return true;
	}
	return false;
}

static void begin_row(struct output *out, const struct record *r, const struct vm *vm,
		      const char *settings)
{
	output_u64(out, COL_VM, vm->info.id, NULL);
	output_string(out, COL_NAME, vm->info.name);
	output_string(out, COL_SETTINGS, settings);
	output_u64(out, COL_WINDOW, r->recording.ns, NULL);
	output_u64(out, COL_TIME, r->recording.begin, NULL);
}

static void show_ns(struct output *out, int column, __u64 ns, bool raw)
{
	struct quantity q = quantity_ns(ns);
	char text[80];

	snprintf(text, sizeof(text), "%s %s", q.value, q.unit);
	output_u64(out, column, ns, raw ? NULL : text);
}

/* Draw @part, 0 to 1, as a bar of at most @width. */
static void draw_bar(char *bar, size_t width, double part, char with)
{
	size_t length = part < 1 ? part * width + 0.5 : width;

	memset(bar, '.', width);
	memset(bar, with, length);
	bar[width] = '\0';
}

/* Draw the part of halts that were won, and the part of a pCPU that polling took. */
static void show_picture(struct output *out, const struct halt_poll *poll, double share)
{
	char won[11], cpu[11], text[32];

	draw_bar(won, 10, poll->halts ? (double)poll->won / poll->halts : 0, '#');
	draw_bar(cpu, 10, share, '=');
	snprintf(text, sizeof(text), "%s %s", won, cpu);
	output_text(out, COL_PICTURE, text);
}

static void show_poll(struct output *out, const struct record *r, const struct halt_poll *poll)
{
	bool raw = r->options->view.common.raw;
	double share = (double)poll->polled_ns / r->recording.ns;
	char text[32];

	output_u64(out, COL_POLLS, poll->polls, NULL);
	output_u64(out, COL_WON, poll->won, NULL);
	output_u64(out, COL_LOST, poll->lost, NULL);
	show_ns(out, COL_POLLED, poll->polled_ns, raw);
	show_ns(out, COL_VAIN, poll->lost_ns, raw);
	snprintf(text, sizeof(text), "%.1f%%", share * 100);
	output_real(out, COL_SHARE, share, text);
	output_u64(out, COL_QUICKER, poll->quicker, NULL);
	if (poll->delays_unknown)
		output_unknown(out, COL_QUICKER_NS, NULL);
	else
		show_ns(out, COL_QUICKER_NS, poll->quicker_ns, raw);
	show_picture(out, poll, share);
}

static void show_nothing(struct output *out)
{
	static const int unknown[] = {
		COL_POLLS, COL_WON, COL_LOST, COL_POLLED, COL_VAIN, COL_SHARE, COL_QUICKER,
		COL_QUICKER_NS,
	};
	size_t i;

	for (i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		output_unknown(out, unknown[i], NULL);
	output_string(out, COL_WHY, window_unknown);
}

static void show_replay(struct output *out, const struct record *r, const struct vm *vm,
			const char *settings, const struct halt_poll_params *params)
{
	const struct halt_poll poll = replay(r, vm->info.id, params);

	begin_row(out, r, vm, settings);
	output_u64(out, COL_MAX, params->max, NULL);
	output_u64(out, COL_GROW, params->grow, NULL);
	output_u64(out, COL_SHRINK, params->shrink, NULL);
	output_u64(out, COL_START, params->start, NULL);
	output_u64(out, COL_HALTS, poll.halts, NULL);
	if (is_unknown(r, vm->info.id))
		show_nothing(out);
	else
		show_poll(out, r, &poll);
	output_row(out);
}

/* Show what KVM did. Events do not tell which polls were lost. */
static void show_recorded(struct output *out, const struct record *r, const struct vm *vm)
{
	const struct track *track;
	__u64 halts = 0, won = 0;
	size_t i;

	for (track = r->tracks; track < r->tracks + r->nr; track++) {
		for (i = 0; track->vm == vm->info.id && i < track->nr; i++) {
			halts++;
			won += !track->halts[i].waited;
		}
	}
	begin_row(out, r, vm, "recorded");
	output_u64(out, COL_HALTS, halts, NULL);
	output_u64(out, COL_WON, won, NULL);
	output_row(out);
}

/* --- the sweep ------------------------------------------------------------ */

struct tried {
	struct halt_poll_params params;
	__u64 won, polled_ns;
};

static int compare(const void *x, const void *y)
{
	const struct tried *a = x, *b = y;

	if (a->polled_ns != b->polled_ns)
		return a->polled_ns < b->polled_ns ? -1 : 1;
	return (a->won < b->won) - (a->won > b->won);
}

/* Show settings for which no other setting wins as much with less polling. */
static void show_sweep(struct output *out, const struct record *r, const struct vm *vm)
{
	static const __u32 maxima[] = {
		0, 12500, 25000, 50000, 100000, 200000, 400000, 800000, 1600000, 3200000
	};
	static const __u32 grows[] = { 1, 2, 4 }, shrinks[] = { 0, 1, 2 };
	static const __u32 starts[] = { 10000, 50000, 200000 };
	enum { NR = 10 * 3 * 3 * 3 };
	struct tried all[NR];
	struct halt_poll poll;
	__u64 most = 0;
	size_t i;

	for (i = 0; i < NR; i++) {
		all[i].params = (struct halt_poll_params){
			.max = maxima[i / 27], .grow = grows[i / 9 % 3],
			.shrink = shrinks[i / 3 % 3], .start = starts[i % 3],
		};
		poll = replay(r, vm->info.id, &all[i].params);
		all[i].won = poll.won;
		all[i].polled_ns = poll.polled_ns;
	}
	if (is_unknown(r, vm->info.id))
		return;
	qsort(all, NR, sizeof(*all), compare);
	for (i = 0; i < NR; i++) {
		if (i && all[i].won <= most)
			continue;
		most = all[i].won;
		show_replay(out, r, vm, SWEEP, &all[i].params);
	}
}

/* --- Show ----------------------------------------------------------------- */

static int show(const struct record *r)
{
	const struct view_choice *choice = &r->choice;
	bool sweep = !strcmp(r->options->spec, SWEEP);
	bool unknown = false;
	struct output out;
	size_t i;
	int err;

	err = options_output(&r->options->view.common, &out);
	if (err)
		return err;
	output_begin(&out, NULL, columns, NR_COLS);
	for (i = 0; i < choice->nr; i++) {
		unknown |= is_unknown(r, choice->vms[i].info.id);
		show_recorded(&out, r, &choice->vms[i]);
		show_replay(&out, r, &choice->vms[i], "now", &r->now);
		if (sweep)
			show_sweep(&out, r, &choice->vms[i]);
		else
			show_replay(&out, r, &choice->vms[i], "what-if", &r->asked);
	}
	output_end(&out);
	if (unknown)
		output_below(&out, window_unknown);
	err = output_flush(&out);
	return err ? complain_output(err) : EXIT_DONE;
}

static int run_choice(struct record *r)
{
	struct selection none = { };
	int code = view_choose(&r->options->view, &r->choice);

	if (code)
		return code;
	if (!r->choice.nr)
		return vms_none(&none, "haltpoll");
	code = record(r);
	return code ?: show(r);
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct what_if_options options = { };
	struct record r = { .options = &options };
	const char *wrong;
	size_t i;
	int code, err;

	code = options_parse(cmd, argc, argv, &options.view.common);
	if (code >= 0)
		return code;
	err = halt_poll_now(&r.now);
	if (err)
		return complain("haltpoll", "can't read KVM's parameters: %s", strerror(-err));
	r.asked = r.now;
	wrong = strcmp(options.spec, SWEEP) ? halt_poll_parse(options.spec, &r.asked) : NULL;
	if (wrong) {
		complain("haltpoll", "--what-if %s: %s", options.spec, wrong);
		return EXIT_USAGE;
	}
	code = run_choice(&r);
	view_choice_free(&r.choice);
	for (i = 0; i < r.nr; i++)
		free(r.tracks[i].halts);
	free(r.tracks);
	return code;
}

/* An abbreviation of the option leads to the live view, not here. */
static const char *set_what_if(struct options *options, const char *arg)
{
	if (options->cmd != &cmd_what_if)
		return "write it in full";
	/* "--what-if --help" asks for help. */
	if (!strcmp(arg, "--help") || !strcmp(arg, "-h"))
		return opt_help.set(options, NULL);
	((struct what_if_options *)options)->spec = arg;
	return NULL;
}

const struct opt opt_what_if = {
	'W', "what-if", "SETTINGS", "other settings, see kvmwatch haltpoll --what-if --help",
	set_what_if
};

static const char *set_record_time(struct options *options, const char *arg)
{
	return opt_time.set(options, arg);
}

static const struct opt opt_record_time = {
	't', "time", "SECONDS", "record for this time; without it, 10 seconds", set_record_time
};

static const struct opt *const options[] = {
	&opt_vm, &opt_vcpu, &opt_record_time, &opt_vcpu_buffer, OPTS_TABLE, &opt_raw,
	&opt_what_if, &opt_help, NULL
};

static const struct output_columns tables[] = { OUTPUT_COLUMNS(columns), { } };

const struct cmd cmd_what_if = {
	.name		= "haltpoll --what-if",
	.summary	= "halts with other settings of halt polling",
	.about		=
		"Record the halts of VMs for some time, and replay KVM's algorithm over them: with the\n"
		"settings that KVM has now, and with SETTINGS: halt_poll_ns=N,grow=N,shrink=N,\n"
		"grow_start=N (KVM's for those left out). \"sweep\" tries many, and shows those that no\n"
		"other matches for less CPU. WON: halts that ended while polling; LOST: halts that polled\n"
		"and then waited; POLLED: time of all polling; IN VAIN: that of lost halts; CPU: POLLED as\n"
		"a part of one pCPU. QUICKER: halts that waited, and would be won; BY: the time that their\n"
		"threads waited for a pCPU. The picture shows WON as a part of all halts, and CPU.",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
