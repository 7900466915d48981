// SPDX-License-Identifier: GPL-2.0
/* How fast a VM dirties its memory. See forecast_making.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forecast_making.h"
#include "libkvmwatch.h"
#include "measure.h"
#include "repeat.h"

/* Times at which contents are compared: QEMU's window, a pause, and longer ones */
static const unsigned int look_after_ms[] = { 100, 200, 400, 800, 1600, 3200, 6400 };

#define NR_LOOKS	(sizeof(look_after_ms) / sizeof(*look_after_ms))

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

int forecast_add_curve(struct forecast *f, const struct kvmwatch_curve_point *from, size_t nr)
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
	err = making_take_stat(m, "dirty_collects", &now);
	if (!err && now.known && m->collects.known && now.number != m->collects.number)
		end_part(m, now_ns() - MEASURE_TICK_MS * 500000ULL);	/* on average */
	m->collects = now;
	return err;
}

static int begin_cycle(struct making *m)
{
	int err = making_take_stat(m, "dirty_collects", &m->collects);

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
		forecast_why(m->forecast, "what it dirties is unavailable: see kvmwatch hooks");
	else
		err = forecast_add_curve(m->forecast, curve.points, curve.nr);
	ages_free(&after);
	return err;
}

static int on_measure(void *arg, enum measure_when when, const struct measure_cycle *cycle)
{
	struct making *m = arg;

	switch (when) {
	case MEASURE_BEGINS:
		making_tell(m, "QEMU logs it for %u s (%u of %u)", cycle->seconds,
			    cycle->number + 1, cycle->of);
		m->err = begin_cycle(m);
		break;
	case MEASURE_WAITS:
		making_tell(m, "waiting until QEMU stops logging, in up to %u s", cycle->seconds);
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

void forecast_zero_share(struct forecast *f, size_t zero, size_t nr, __u64 all)
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
	forecast_zero_share(m->forecast, zero, zero + found[MEMORY_DATA] + found[MEMORY_SWAPPED],
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
		making_tell(m, "looking at %zu of the pages that it dirties", m->marked->nr_chosen);
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
		forecast_why(f, "it can't be measured: %s", m->monitor.why);
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
		forecast_why(f, "it was not measured%s: %s", f->in.nr_cycles ? " to the end" : "",
			     *measure.why ? measure.why : strerror(-err));
	if (measure.log == MEASURE_LOG_STAYS)
		forecast_why(f, "it was paused: QEMU goes on logging it until it runs again");
	return err == -EINTR || err == -ESRCH ? err : 0;
}

int making_measure(struct making *m)
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
	forecast_zero_share(f, last->zero, last->changed, dirtying->pages);
	return forecast_add_curve(f, points, i);
}

int making_compare(struct making *m)
{
	struct forecast *f = m->forecast;
	struct memory_dirtying dirtying = {};
	int err;

	making_tell(m, "comparing %d pages of its memory for %u s", MEMORY_DIRTY_PAGES,
		    look_after_ms[NR_LOOKS - 1] / 1000);
	err = memory_dirtying(f->vm->info.pid, m->slots, m->nr_slots, MEMORY_DIRTY_PAGES,
			      look_after_ms, NR_LOOKS, &dirtying);
	if (err == -EINTR || err == -ENOMEM || err == -ESRCH)
		return err;
	if (err || dirtying.unknown == dirtying.looked) {
		forecast_why(f, "its memory can't be looked into: %s",
			     *dirtying.why ? dirtying.why : strerror(-err));
		return 0;
	}
	err = add_looks(f, &dirtying);
	if (f->in.nr_cycles)
		f->source = FORECAST_CONTENTS;
	return err;
}
