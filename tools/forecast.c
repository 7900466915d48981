// SPDX-License-Identifier: GPL-2.0
/* Measure a VM, and forecast its migration. See forecast.h. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ages.h"
#include "cmd.h"
#include "forecast.h"
#include "libkvmwatch.h"
#include "live.h"
#include "log_chunk.h"
#include "marked.h"
#include "memory_sample.h"
#include "migration.h"
#include "monitor.h"
#include "repeat.h"
#include "text.h"

#define PAGE_BYTES	KVMWATCH_PREDICT_PAGE
#define NS_PER_S	1e9

/* What it takes QEMU to find that a page is zero, at some 5 GB/s; more if this machine is slower */
#define ZERO_PAGE_S	(8.0 / 10000000)
#define ZERO_MORE	3.3	/* measured: reading it is not all that there is to do */
#define ZERO_TRIES	16
#define ZERO_PAGES	32	/* in each: to look at the clock takes long, too */

/* Times at which contents are compared: QEMU's window, a pause, and longer ones */
static const unsigned int look_after_ms[] = { 100, 200, 400, 800, 1600, 3200, 6400 };

/* How long --live watches a migration */
#define LIVE_MS		2000

#define NR_LOOKS	(sizeof(look_after_ms) / sizeof(*look_after_ms))

/* The state of a forecast in progress */
struct making {
	int dev;
	const struct forecast_options *options;
	struct forecast *forecast;
	forecast_progress_fn *progress;
	void *progress_arg;
	struct kvmwatch_slot *slots;
	size_t nr_slots;
	struct monitor monitor;
	bool searched, has_monitor;
	struct migration migration;	/* the monitor's last answer */
	__u64 asked_ns;			/* when the monitor was asked first */
	__u64 sampled_ns;	/* when the memory was looked at */
	struct memory_sample sample;	/* the sample of that time */
	struct marked *marked;	/* what was marked during the measurement; NULL: unknown */
	struct ages before;	/* at the beginning of this cycle */
	struct maybe collects;	/* at the last look: collections of the log */
	__u64 part_ns[AGES_MAX_PARTS], part_begin;	/* parts between resets of dirty rings */
	unsigned int nr_parts;
	int err;		/* the first error of reads meanwhile */
};

static void __printf(2, 3)
tell(const struct making *m, const char *format, ...)
{
	char words[FORECAST_WORDS];
	va_list args;

	if (!m->progress)
		return;
	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	m->progress(m->progress_arg, m->forecast->vm, words);
}

/* Keep the first reason. */
static void __printf(2, 3)
why(struct forecast *f, const char *format, ...)
{
	va_list args;

	if (*f->why)
		return;
	va_start(args, format);
	vsnprintf(f->why, sizeof(f->why), format, args);
	va_end(args);
	text_clean(f->why);
}

/* --- what there is to send --------------------------------------------------- */

static int take_stat(const struct making *m, const char *name, struct maybe *number)
{
	const struct kvmwatch_value *value;
	struct kvmwatch_stats *stats;
	int fd, err;

	*number = (struct maybe) {};
	fd = kvmwatch_open_vm(m->dev, m->forecast->vm->info.id);
	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	err = kvmwatch_stats_read(fd, &stats);
	close(fd);
	if (err)
		return err;
	value = kvmwatch_stats_find(stats, name);
	if (value)
		*number = (struct maybe) { true, value->data[0] };
	kvmwatch_stats_free(stats);
	return 0;
}

/* This is a bound: it includes all of huge pages, and not what only the VMM has written. */
static void data_from_mapped(struct forecast *f)
{
	__u64 pages = f->memory / PAGE_BYTES;

	if (f->mapped.known && f->mapped.number / PAGE_BYTES < pages)
		pages = f->mapped.number / PAGE_BYTES;
	f->in.data_pages = pages;
	f->in.zero_pages = f->in.ram_pages - pages;
	if (f->mapped.known)
		f->data = (struct maybe) { true, pages * PAGE_BYTES };
}

/* Find the place of a sampled slot in the guest's memory. */
static __u64 base_of(const struct making *m, const struct memory_slot *slot)
{
	size_t i;

	for (i = 0; i < m->nr_slots; i++) {
		if (m->slots[i].as_id == slot->as_id && m->slots[i].id == slot->id)
			return m->slots[i].base_gfn;
	}
	return 0;
}

static int compare_bases(const void *a, const void *b, void *m)
{
	__u64 x = base_of(m, a), y = base_of(m, b);

	return (x > y) - (x < y);
}

static const struct marked_slot *marked_of(const struct making *m, const struct memory_slot *slot)
{
	const struct marked_slot *marked;
	size_t i;

	for (i = 0; m->marked && i < m->marked->nr_slots; i++) {
		marked = &m->marked->slots[i];
		if (marked->as_id == slot->as_id && marked->id == slot->id &&
		    marked->pages == slot->pages)
			return marked;
	}
	return NULL;
}

/* Of what was marked, part @i of @nr equal ones */
static double marked_in(const struct marked_slot *marked, unsigned int i, unsigned int nr)
{
	double from = (double)i * MARKED_PARTS / nr, to = (double)(i + 1) * MARKED_PARTS / nr;
	double pages = 0;
	unsigned int at;

	for (at = from; at < MARKED_PARTS && at < to; at++)
		pages += (fmin(to, at + 1) - fmax(from, at)) * marked->marked[at];
	return pages;
}

/* A slot without sampled pages is small, such as a BIOS. Take all of it for data. */
static void add_parts(const struct making *m, const struct memory_slot *slot)
{
	const struct marked_slot *marked = marked_of(m, slot);
	struct forecast *f = m->forecast;
	struct kvmwatch_part *part = &f->parts[f->in.nr_parts];
	unsigned int nr = slot->nr_parts ?: 1, i;

	for (i = 0; i < nr; i++, part++) {
		part->pages = slot->pages * (i + 1) / nr - slot->pages * i / nr;
		part->data = slot->nr_parts ?
			     part->pages * (1 - (double)slot->zero[i]) + 0.5 : part->pages;
		if (marked)
			part->dirty = fmin(marked_in(marked, i, nr) + 0.5, part->pages);
	}
	f->in.nr_parts += nr;
}

/* QEMU sends RAM in the order of addresses. Fill its parts in that order. */
static int take_parts(struct making *m, struct memory_sample *sample)
{
	struct forecast *f = m->forecast;
	size_t i;

	if (sample->nr_slots > KVMWATCH_PREDICT_MAX_PARTS / MEMORY_PARTS)
		return 0;
	free(f->parts);
	f->in.nr_parts = 0;
	f->parts = calloc(sample->nr_slots * MEMORY_PARTS + 1, sizeof(*f->parts));
	if (!f->parts)
		return -ENOMEM;
	qsort_r(sample->slots, sample->nr_slots, sizeof(*sample->slots), compare_bases, m);
	f->in.parts = f->parts;
	for (i = 0; i < sample->nr_slots; i++)
		add_parts(m, &sample->slots[i]);
	return 0;
}

/* Count pages that are sent whole; unreadable pages may have data. Returns false if unknown. */
static bool data_of(const struct memory_sample *sample, struct memory_estimate *data)
{
	double variance = 0;
	enum memory_kind kind;

	data->pages = 0;
	for (kind = 0; kind < MEMORY_KINDS; kind++) {
		if (!memory_sent_whole(kind))
			continue;
		if (sample->estimate[kind].pages < 0)
			return false;
		data->pages += sample->estimate[kind].pages;
		variance += pow(sample->estimate[kind].error, 2);
	}
	data->error = sqrt(variance);
	return true;
}

static void take_data(struct forecast *f, const struct memory_estimate *data)
{
	f->in.data_pages = fmin(data->pages, f->in.ram_pages);
	f->in.zero_pages = f->in.ram_pages - f->in.data_pages;
	f->in.data_sd = data->pages >= 1 ? data->error / data->pages : 0;
	f->data = (struct maybe) { true, f->in.data_pages * PAGE_BYTES };
	f->sampled = true;
}

static int take_sample(struct making *m)
{
	struct memory_sample *sample = &m->sample;
	struct forecast *f = m->forecast;
	struct memory_estimate data;
	int err;

	tell(m, "looking at %d pages of its memory", MEMORY_SAMPLE_PAGES);
	memory_sample_free(sample);
	err = memory_sample(f->vm->info.pid, m->slots, m->nr_slots, MEMORY_SAMPLE_PAGES, sample);
	if (!err && sample->found[MEMORY_UNKNOWN] < sample->looked) {
		m->sampled_ns = now_ns();
		if (data_of(sample, &data))
			take_data(f, &data);
		err = take_parts(m, sample);
	} else if (err != -EINTR && err != -ENOMEM && err != -ESRCH)
		why(f, "its memory can't be looked into: %s",
		    *sample->why ? sample->why : strerror(-err));
	return err == -EINTR || err == -ENOMEM || err == -ESRCH ? err : 0;
}

/* --- how fast it is dirtied --------------------------------------------------- */

/* Allocate one more cycle with this many points. Returns NULL without memory. */
static struct kvmwatch_curve_point *new_cycle(struct forecast *f, size_t nr)
{
	size_t n = f->in.nr_cycles, used = 0, i;
	struct kvmwatch_curve_point *points;
	struct kvmwatch_cycle *cycles;

	for (i = 0; i < n; i++)
		used += f->cycles[i].nr;
	points = realloc(f->points, (used + nr) * sizeof(*points));
	if (!points)
		return NULL;
	f->points = points;
	cycles = realloc(f->cycles, (n + 1) * sizeof(*cycles));
	if (!cycles)
		return NULL;
	f->cycles = cycles;
	cycles[n].nr = nr;
	f->in.nr_cycles = n + 1;
	f->in.cycles = cycles;
	for (i = 0; i <= n; i++) {
		cycles[i].points = points;
		points += cycles[i].nr;
	}
	return points - nr;
}

static int add_curve(struct forecast *f, const struct kvmwatch_curve_point *from, size_t nr)
{
	struct kvmwatch_curve_point *points = new_cycle(f, nr);

	if (!points)
		return -ENOMEM;
	memcpy(points, from, nr * sizeof(*points));
	f->window_s = fmax(f->window_s, from[nr - 1].ns / NS_PER_S);
	return 0;
}

/* QEMU resets rings each second, and when they are full. Resets at nearly the same time are one. */
#define PART_MIN_NS	50000000ULL

static void end_part(struct making *m, __u64 now)
{
	if (now < m->part_begin + PART_MIN_NS || m->nr_parts == AGES_MAX_PARTS)
		return;
	m->part_ns[m->nr_parts++] = now - m->part_begin;
	m->part_begin = now;
}

/* Were the rings reset since the last look? */
static int look_at_rings(struct making *m)
{
	struct maybe now;
	int err;

	if (!(m->forecast->vm->info.flags & KVMWATCH_VM_DIRTY_RING))
		return 0;
	err = take_stat(m, "dirty_collects", &now);
	if (!err && now.known && m->collects.known && now.number != m->collects.number)
		end_part(m, now_ns() - MEASURE_TICK_MS * 500000ULL);	/* on average */
	m->collects = now;
	return err;
}

static int begin_cycle(struct making *m)
{
	int err = take_stat(m, "dirty_collects", &m->collects);

	ages_free(&m->before);
	m->nr_parts = 0;
	m->part_begin = now_ns();
	return err ? err : ages_take(m->dev, m->forecast->vm->info.id, &m->before);
}

/* With rings, marks behind the last seen reset belong to the time until the cycle's end. */
static void end_parts(struct making *m, const struct measure_cycle *cycle)
{
	const __u64 ns = cycle->seconds * (__u64)NS_PER_S, end = cycle->begin_ns + ns;

	if (!m->nr_parts)
		m->part_ns[m->nr_parts++] = ns;
	else if (end > m->part_begin)
		end_part(m, end);
}

static int cycle_ended(struct making *m, const struct measure_cycle *cycle)
{
	struct age_curve curve;
	struct ages after;
	int err;

	end_parts(m, cycle);
	err = ages_take(m->dev, m->forecast->vm->info.id, &after);
	if (err)
		return err;
	ages_curve(&m->before, &after, m->part_ns, m->nr_parts, &curve);
	if (curve.unknown)
		why(m->forecast, "what it dirties is unavailable: see kvmwatch hooks");
	else
		err = add_curve(m->forecast, curve.points, curve.nr);
	ages_free(&after);
	return err;
}

static int on_measure(void *arg, enum measure_when when, const struct measure_cycle *cycle)
{
	struct making *m = arg;

	switch (when) {
	case MEASURE_BEGINS:
		tell(m, "QEMU logs it for %u s (%u of %u)", cycle->seconds, cycle->number + 1,
		     cycle->of);
		m->err = begin_cycle(m);
		break;
	case MEASURE_WAITS:
		tell(m, "waiting until QEMU stops logging, in up to %u s", cycle->seconds);
		break;
	case MEASURE_ENDED:
		m->err = cycle_ended(m, cycle);
		break;
	case MEASURE_RUNS:
		m->err = look_at_rings(m);
		break;
	}
	return m->err;
}

/* --- what is dirtied ------------------------------------------------------------ */

/* Set the share of zero pages from a look at @nr of @all dirtied pages. */
static void take_zero_share(struct forecast *f, size_t zero, size_t nr, __u64 all)
{
	double share;

	if (!nr)
		return;
	share = (double)zero / nr;
	f->zero_share = share;
	f->in.dirty_zero = share;
	/* If none of a few pages is zero, few pages are, but not surely none. */
	if (nr < all)
		f->in.dirty_zero_sd = sqrt((share * (1 - share) + 1.0 / nr) / nr);
}

/*
 * Find where the marked pages are, and which share of them is zero. A guest clears memory that it
 * takes into use or out of use. Such a page is dirty, and sent as a few bytes.
 */
static int take_contents(struct making *m)
{
	struct marked *marked = m->marked;
	size_t found[MEMORY_KINDS], zero;
	char words[MONITOR_WHY];
	int err;

	err = memory_contents(m->forecast->vm->info.pid, m->slots, m->nr_slots, marked->chosen,
			      marked->nr_chosen, found, words);
	if (err)
		return err;
	zero = found[MEMORY_ZERO] + found[MEMORY_ABSENT];
	take_zero_share(m->forecast, zero, zero + found[MEMORY_DATA] + found[MEMORY_SWAPPED],
			marked->pages);
	return 0;
}

static int take_marked(struct making *m, int heat)
{
	struct forecast *f = m->forecast;
	int err;

	m->marked = calloc(1, sizeof(*m->marked));
	if (!m->marked)
		return -ENOMEM;
	err = marked_read(heat, m->slots, m->nr_slots, m->marked);
	if (!err && m->marked->nr_chosen) {
		tell(m, "looking at %zu of the pages that it dirties", m->marked->nr_chosen);
		err = take_contents(m);
	}
	if (err) {
		marked_free(m->marked);
		free(m->marked);
		m->marked = NULL;
	}
	if (err == -ESRCH && f->in.nr_cycles)	/* a slot has gone; others see a VM's end */
		return 0;
	return err == -EINTR || err == -ENOMEM ? err : 0;
}

static int take_measure(struct making *m)
{
	struct forecast *f = m->forecast;
	bool ring = f->vm->info.flags & KVMWATCH_VM_DIRTY_RING;
	struct measure_plan plan = {
		.mode = ring ? MEASURE_RING : MEASURE_BITMAP,
		.short_cycles = MEASURE_SHORT_CYCLES, .seconds = m->options->measure_s,
		.fn = on_measure, .arg = m,
	};
	struct measure measure;
	int err;

	if (!m->has_monitor) {
		why(f, "it can't be measured: %s", m->monitor.why);
		return 0;
	}
	err = measure_run(&m->monitor, &plan, &measure);
	ages_free(&m->before);
	if (m->err == -ENOENT)
		return -ESRCH;
	if (m->err == -ENOMEM || err == -ENOMEM)
		return -ENOMEM;
	if (f->in.nr_cycles)
		f->source = ring ? FORECAST_RING : FORECAST_LOG;
	if (err)
		why(f, "it was not measured%s: %s", f->in.nr_cycles ? " to the end" : "",
		    *measure.why ? measure.why : strerror(-err));
	if (measure.log == MEASURE_LOG_STAYS)
		why(f, "it was paused: QEMU goes on logging it until it runs again");
	return err == -EINTR || err == -ESRCH ? err : 0;
}

/*
 * Count pages one by one if their contents are looked at, too. If the module has no more memory for
 * that, which pages are dirtied stays unknown.
 */
static int measure(struct making *m)
{
	int heat = -1, err;

	if (m->forecast->sampled)
		heat = kvmwatch_open_heat_vm(m->dev, m->forecast->vm->info.id);
	err = take_measure(m);
	if (!err && heat >= 0)
		err = take_marked(m, heat);
	if (heat >= 0)
		close(heat);
	return err;
}

/* Estimates may decrease, but the curve of changed pages must not. */
static int add_looks(struct forecast *f, const struct memory_dirtying *dirtying)
{
	struct kvmwatch_curve_point points[MEMORY_MAX_LOOKS];
	const struct memory_look *last;
	__u64 pages = 0;
	size_t i;

	for (i = 0; i < dirtying->nr_looks; i++) {
		if (dirtying->looks[i].dirtied.pages > pages)
			pages = dirtying->looks[i].dirtied.pages;
		points[i] = (struct kvmwatch_curve_point) {
			.ns = dirtying->looks[i].ns, .pages = pages,
		};
	}
	if (!i)
		return 0;
	last = &dirtying->looks[i - 1];
	take_zero_share(f, last->zero, last->changed, dirtying->pages);
	return add_curve(f, points, i);
}

static int take_looks(struct making *m)
{
	struct forecast *f = m->forecast;
	struct memory_dirtying dirtying = {};
	int err;

	tell(m, "comparing %d pages of its memory for %u s", MEMORY_DIRTY_PAGES,
	     look_after_ms[NR_LOOKS - 1] / 1000);
	err = memory_dirtying(f->vm->info.pid, m->slots, m->nr_slots, MEMORY_DIRTY_PAGES,
			      look_after_ms, NR_LOOKS, &dirtying);
	if (err == -EINTR || err == -ENOMEM || err == -ESRCH)
		return err;
	if (err || dirtying.unknown == dirtying.looked) {
		why(f, "its memory can't be looked into: %s",
		    *dirtying.why ? dirtying.why : strerror(-err));
		return 0;
	}
	err = add_looks(f, &dirtying);
	if (f->in.nr_cycles)
		f->source = FORECAST_CONTENTS;
	return err;
}

/* --- whether it grows ----------------------------------------------------------- */

/*
 * Assume that a guest that has more data now than at the first look goes on growing. The same pages
 * show that. Other pages would only tell the amount once more.
 */
static int take_growth(struct making *m)
{
	struct forecast *f = m->forecast;
	double was = f->in.data_pages, error = f->in.data_sd * was, more = 0;
	struct memory_sample sample;
	struct memory_estimate now;
	int err;

	if (!f->sampled)
		return 0;
	tell(m, "looking at %d pages of its memory again", MEMORY_SAMPLE_PAGES);
	err = memory_growth(f->vm->info.pid, m->slots, m->nr_slots, &m->sample, &more);
	if (err == -EINTR || err == -ENOMEM || err == -ESRCH)
		return err;
	f->in.growth = fmax(more / ((now_ns() - m->sampled_ns) / NS_PER_S), 0);
	err = memory_sample(f->vm->info.pid, m->slots, m->nr_slots, MEMORY_SAMPLE_PAGES, &sample);
	if (!err && data_of(&sample, &now)) {
		now.pages = fmax(now.pages + was + more, 0) / 2;
		now.error = hypot(error, now.error) / 2;
		take_data(f, &now);
		err = take_parts(m, &sample);
	}
	memory_sample_free(&sample);
	return err == -EINTR || err == -ENOMEM || err == -ESRCH ? err : 0;
}

/* --- a migration that runs ----------------------------------------------------- */

static int add_cycles(struct forecast *f, const struct live_cycles *cycles)
{
	size_t i, from = 0;
	int err;

	for (i = 0; i < cycles->nr; i++) {
		err = add_curve(f, &cycles->points[from], cycles->ends[i] - from);
		if (err)
			return err;
		from = cycles->ends[i];
	}
	return 0;
}

/*
 * What is left to be sent. In the first pass nobody tells how many of these are zero pages. So the
 * data left are all data without those that were sent.
 */
static void take_left(struct forecast *f, const struct migration *migration)
{
	__u64 left = migration->ram_remaining.number / PAGE_BYTES, data = left;

	if (left > f->in.ram_pages)
		left = f->in.ram_pages;
	if (f->in.live_looks <= 1 && migration->normal.known) {
		data = f->in.data_pages > migration->normal.number ?
		       f->in.data_pages - migration->normal.number : 0;
	}
	f->in.data_pages = data < left ? data : left;
	f->in.zero_pages = f->in.live_looks <= 1 ? left - f->in.data_pages : 0;
	f->in.live_throttle = migration->throttle_percent.known ?
			      fmin(migration->throttle_percent.number / 100.0, 0.99) : 0;
	f->in.nr_parts = 0;
}

/* The age of the log: known in the first pass, in others a guess of live_cycles() */
static __u64 age_of(const struct migration *migration)
{
	__u64 setup = migration->setup_ms.known ? migration->setup_ms.number : 0;

	if (!migration->total_ms.known || migration->syncs.number > 1 ||
	    migration->total_ms.number <= setup)
		return 0;
	return (migration->total_ms.number - setup) * 1000000ULL;
}

static void take_progress(struct forecast *f, const struct migration *migration)
{
	f->elapsed_ms = migration->total_ms;
	f->looks = migration->syncs;
	/* QEMU says 0 in the first pass, when it has no rate yet. */
	if (migration->syncs.number > 1)
		f->vmm_pages_s = migration->dirty_rate;
	f->in.live_looks = migration->syncs.number;
}

/* Does the VM migrate? If not, say why. */
static bool migrates(struct forecast *f, const struct migration *migration)
{
	if (migration->phase == MIGRATION_ACTIVE && migration->total_ms.known &&
	    migration->ram_remaining.known && migration->syncs.known)
		return true;
	if (migration->phase == MIGRATION_DONE)
		why(f, "its migration is done");
	else if (migration->phase == MIGRATION_ACTIVE)
		why(f, "its migration has not begun to send");
	else
		why(f, "it does not migrate");
	return false;
}

static int take_cycles(struct making *m, const struct live *live, __u64 age_ns)
{
	struct live_cycles *cycles = malloc(sizeof(*cycles));
	struct forecast *f = m->forecast;
	int err;

	if (!cycles)
		return -ENOMEM;
	if (age_ns)
		age_ns += live->points[0].ns - m->asked_ns;
	live_cycles(live, age_ns, cycles);
	f->pages_s = cycles->pages_s;
	f->in.live_since = cycles->since_s;
	/* With rings, pages are marked again after each reset. */
	f->in.live_marked = live->ring || cycles->marked > f->in.ram_pages ? 0 : cycles->marked;
	f->in.flags |= KVMWATCH_PREDICT_LIVE;
	err = add_cycles(f, cycles);
	if (f->in.nr_cycles)
		f->source = FORECAST_LIVE;
	free(cycles);
	return err;
}

/* Take the share of zero pages in what was sent meanwhile, unless that was the first pass. */
static void take_sent(struct forecast *f, const struct migration *before,
		      const struct migration *now)
{
	__u64 normal = now->normal.number - before->normal.number;
	__u64 zero = now->zero.number - before->zero.number;

	if (before->syncs.number <= 1 || !before->normal.known || !now->normal.known ||
	    !before->zero.known || !now->zero.known ||
	    now->normal.number < before->normal.number || now->zero.number < before->zero.number)
		return;
	take_zero_share(f, zero, normal + zero, f->in.ram_pages);
}

/* Read how far the migration is. */
static int ask_again(struct making *m)
{
	const struct migration before = m->migration;
	int err = migration_read(&m->monitor, 0, &m->migration);

	if (!err && migrates(m->forecast, &m->migration)) {
		take_sent(m->forecast, &before, &m->migration);
		take_progress(m->forecast, &m->migration);
		take_left(m->forecast, &m->migration);
		return 0;
	}
	if (err)
		why(m->forecast, "%s", m->migration.why);
	return err == -EINTR || err == -ESRCH ? err : -ENODATA;
}

static int look_on(struct making *m, struct live *live)
{
	struct forecast *f = m->forecast;
	__u64 age_ns = age_of(&m->migration);
	int err;

	err = live_watch(m->dev, f->vm->info.id, f->vm->info.flags & KVMWATCH_VM_DIRTY_RING,
			 LIVE_MS, live);
	if (err == -ENODATA)
		why(f, "its log is off, or what it dirties is unavailable: see kvmwatch hooks");
	if (err == -ESTALE)
		why(f, "its slots changed while they were looked at: look again");
	if (!err && m->migration.syncs.number <= 1)
		err = take_growth(m);
	if (!err)
		err = ask_again(m);
	if (!err)
		err = take_cycles(m, live, age_ns);
	return err == -ENODATA || err == -ESTALE ? 0 : err;
}

static int take_live(struct making *m)
{
	struct forecast *f = m->forecast;
	struct live *live;
	int err;

	if (!m->has_monitor) {
		why(f, "nobody tells what is left to be sent: %s", m->monitor.why);
		return 0;
	}
	if (!migrates(f, &m->migration))
		return 0;
	/* After dirty logging, mapped pages tell little. */
	if (m->migration.syncs.number <= 1 && !f->sampled) {
		err = take_sample(m);
		if (err)
			return err;
	}
	tell(m, "looking on for %u s", LIVE_MS / 1000);
	live = malloc(sizeof(*live));
	if (!live)
		return -ENOMEM;
	err = look_on(m, live);
	live_free(live);
	free(live);
	return err;
}

/* --- with which settings ------------------------------------------------------- */

/* Kinds of migration that the library does not model */
static void judge_features(struct forecast *f, const struct migration *migration)
{
	if (*migration->blocked)
		why(f, "it can't be migrated: %s", migration->blocked);
	if (migration->features & MIGRATION_POSTCOPY)
		why(f, "postcopy is on: it ends whatever is dirtied, and how fast is not forecast");
	if (migration->features & (MIGRATION_XBZRLE | MIGRATION_COMPRESS))
		why(f, "QEMU compresses what it sends: bytes are bounds");
	if (migration->features & MIGRATION_AUTO_CONVERGE)
		f->in.flags |= KVMWATCH_PREDICT_AUTO_CONVERGE;
}

static void take_parameters(struct making *m, const struct migration *migration)
{
	struct forecast *f = m->forecast;

	if (!m->options->bandwidth && migration->bandwidth.known) {
		/* 0 is no limit: then the link limits. */
		f->in.bandwidth = migration->bandwidth.number ?: f->in.link;
		f->bandwidth_from = migration->bandwidth_default ? FORECAST_DEFAULT :
								   FORECAST_MONITOR;
		if (!f->in.bandwidth)
			why(f, "QEMU sends without a limit: say with --link how fast the link is");
	}
	if (!m->options->has_downtime && migration->downtime_ms.known) {
		f->in.downtime = migration->downtime_ms.number / 1e3;
		f->downtime_from = migration->downtime_default ? FORECAST_DEFAULT :
								 FORECAST_MONITOR;
		if (!f->in.downtime)
			why(f, "QEMU's downtime-limit is 0: say with --downtime for how long it may pause");
	}
	judge_features(f, migration);
}

static __u64 read_page(const __u64 *page)
{
	const __u64 *end = page + PAGE_BYTES / sizeof(__u64);
	__u64 found = 0;

	for (; page < end; page += 8)
		__asm__ volatile ("orq (%1), %0\n\torq 8(%1), %0\n\torq 16(%1), %0\n\t"
				  "orq 24(%1), %0\n\torq 32(%1), %0\n\torq 40(%1), %0\n\t"
				  "orq 48(%1), %0\n\torq 56(%1), %0"
				  : "+r" (found) : "r" (page) : "memory", "cc");
	return found;
}

static double zero_page_s(void)
{
	static const __u64 page[PAGE_BYTES / sizeof(__u64)];
	__u64 best = ~0ULL, begin, found = 0;
	unsigned int try, i;

	for (try = 0; try < ZERO_TRIES; try++) {
		begin = now_ns();
		for (i = 0; i < ZERO_PAGES; i++)
			found |= read_page(page);
		begin = now_ns() - begin + found;
		if (begin < best)
			best = begin;
	}
	return fmin(fmax(ZERO_MORE * best / NS_PER_S / ZERO_PAGES, ZERO_PAGE_S), 10 * ZERO_PAGE_S);
}

static void set_parameters(struct making *m)
{
	const struct forecast_options *o = m->options;
	struct forecast *f = m->forecast;

	f->in.link = o->link;
	f->in.zero_page = zero_page_s();
	f->in.device = o->device_ms / 1e3;
	f->in.horizon = o->horizon_s;
	f->in.bandwidth = o->bandwidth ?: FORECAST_BANDWIDTH;
	f->bandwidth_from = o->bandwidth ? FORECAST_GIVEN : FORECAST_DEFAULT;
	f->in.downtime = (o->has_downtime ? o->downtime_ms : FORECAST_DOWNTIME_MS) / 1e3;
	f->downtime_from = o->has_downtime ? FORECAST_GIVEN : FORECAST_DEFAULT;
}

/* Do not ask the monitor if nothing is needed of it. */
static int find_monitor(struct making *m)
{
	const struct forecast_options *o = m->options;
	int err;

	if (!o->measure_s && !o->live && o->bandwidth && o->has_downtime && !o->qmp)
		return 0;
	tell(m, "asking QEMU for its parameters");
	m->searched = true;
	err = monitor_find(m->forecast->vm->info.pid, o->qmp, &m->monitor);
	if (err == -EINTR || err == -ESRCH)
		return err;
	m->has_monitor = !err;
	if (err)
		return 0;
	err = migration_read(&m->monitor, 0, &m->migration);
	m->asked_ns = now_ns();
	if (err == -EINTR)
		return err;
	if (err)
		why(m->forecast, "%s", m->migration.why);
	else
		take_parameters(m, &m->migration);
	return 0;
}

/* --- the forecast -------------------------------------------------------------- */

static double or_none(int err, double value)
{
	return err ? KVMWATCH_PREDICT_NONE : value;
}

static int predict(struct forecast *f)
{
	double value;
	int err;

	if (!f->in.bandwidth || !f->in.downtime)
		return 0;
	f->out.size = sizeof(f->out);
	err = kvmwatch_predict(&f->in, &f->out);
	if (err == -ENOMEM)
		return err;
	if (err) {
		why(f, "no forecast: %s", strerror(-err));
		return 0;
	}
	f->has_out = true;
	if (!f->in.nr_cycles)
		return 0;
	err = kvmwatch_predict_downtime(&f->in, 0.95, &value);
	f->downtime_min = or_none(err, value);
	err = kvmwatch_predict_downtime(&f->in, 0.05, &value);
	f->downtime_maybe = or_none(err, value);
	err = kvmwatch_predict_bandwidth(&f->in, 0.95, &value);
	f->bandwidth_min = or_none(err, value);
	return 0;
}

static int collect(struct making *m)
{
	const struct forecast_options *o = m->options;
	struct forecast *f = m->forecast;
	int err;

	err = take_stat(m, "mapped_bytes", &f->mapped);
	if (!err)
		err = kvmwatch_list_slots(m->dev, f->vm->info.id, &m->slots, &m->nr_slots);
	if (err)
		return err == -ENOENT ? -ESRCH : err;
	data_from_mapped(f);
	if (f->vm->info.pid <= 0) {
		why(f, "its VMM is not visible from this pid namespace");
		return 0;
	}
	err = find_monitor(m);
	if (!err && (o->sample || o->live || o->measure_s))
		err = log_chunk_of(f->vm->info.pid, &f->in.chunk);
	/* Read mapped pages before the measurement, as some kernels' KVM unmaps all after it. */
	if (!err && o->sample)
		err = take_sample(m);
	if (!err && o->live)
		err = take_live(m);
	else if (!err && o->measure_s)
		err = measure(m);
	else if (!err && o->sample)
		err = take_looks(m);
	if (!err && !o->live && f->in.nr_cycles)
		err = take_growth(m);
	return err;
}

int forecast_make(int dev, const struct vm *vm, const struct forecast_options *options,
		  forecast_progress_fn *progress, void *arg, struct forecast *forecast)
{
	struct making m = {
		.dev = dev, .options = options, .forecast = forecast, .progress = progress,
		.progress_arg = arg,
	};
	int err;

	memset(forecast, 0, sizeof(*forecast));
	forecast->vm = vm;
	forecast->memory = vm->info.memory;
	forecast->downtime_min = KVMWATCH_PREDICT_NONE;
	forecast->downtime_maybe = KVMWATCH_PREDICT_NONE;
	forecast->bandwidth_min = KVMWATCH_PREDICT_NONE;
	forecast->pages_s = KVMWATCH_PREDICT_NONE;
	forecast->zero_share = KVMWATCH_PREDICT_NONE;
	forecast->in.size = sizeof(forecast->in);
	forecast->in.ram_pages = vm->info.memory / PAGE_BYTES;
	set_parameters(&m);
	err = collect(&m);
	forecast->time_ns = now_ns();
	if (!err)
		err = predict(forecast);
	if (!err && !forecast->in.nr_cycles)
		why(forecast, "nobody knows how fast it dirties pages: --sample, --measure");
	if (m.searched)
		monitor_free(&m.monitor);
	free(m.slots);
	memory_sample_free(&m.sample);
	if (m.marked)
		marked_free(m.marked);
	free(m.marked);
	return err;
}

void forecast_free(struct forecast *forecast)
{
	free(forecast->cycles);
	free(forecast->points);
	free(forecast->parts);
	forecast->parts = NULL;
	forecast->cycles = NULL;
	forecast->points = NULL;
}
