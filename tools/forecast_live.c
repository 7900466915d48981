// SPDX-License-Identifier: GPL-2.0
/* Forecast how a migration ends that runs already. See forecast_making.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "forecast_making.h"
#include "live.h"

/* How long --live watches a migration */
#define LIVE_MS		2000

static int add_cycles(struct forecast *f, const struct live_cycles *cycles)
{
	size_t i, from = 0;
	int err;

	for (i = 0; i < cycles->nr; i++) {
		err = forecast_add_curve(f, &cycles->points[from], cycles->ends[i] - from);
		if (err)
			return err;
		from = cycles->ends[i];
	}
	return 0;
}

/*
 * Take from QEMU how much it still has to send. In the first pass QEMU does not say how many of
 * these pages are zero. So subtract the data pages that it has sent from all data pages.
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
		forecast_why(f, "its migration is done");
	else if (migration->phase == MIGRATION_ACTIVE)
		forecast_why(f, "QEMU has not sent any page yet");
	else
		forecast_why(f, "it does not migrate");
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
	forecast_zero_share(f, zero, normal + zero, f->in.ram_pages);
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
		forecast_why(m->forecast, "%s", m->migration.why);
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
		forecast_why(f,
			     "its log is off, or what it dirties is unavailable: see kvmwatch hooks");
	if (err == -ESTALE)
		forecast_why(f, "its slots changed while they were looked at: look again");
	if (!err && m->migration.syncs.number <= 1)
		err = making_grow(m);
	if (!err)
		err = ask_again(m);
	if (!err)
		err = take_cycles(m, live, age_ns);
	return err == -ENODATA || err == -ESTALE ? 0 : err;
}

int making_live(struct making *m)
{
	struct forecast *f = m->forecast;
	struct live *live;
	int err;

	if (!m->has_monitor) {
		forecast_why(f, "nobody tells what is left to be sent: %s", m->monitor.why);
		return 0;
	}
	if (!migrates(f, &m->migration))
		return 0;
	/* After dirty logging, mapped pages tell little. */
	if (m->migration.syncs.number <= 1 && !f->sampled) {
		err = making_sample(m);
		if (err)
			return err;
	}
	making_tell(m, "looking on for %u s", LIVE_MS / 1000);
	live = malloc(sizeof(*live));
	if (!live)
		return -ENOMEM;
	err = look_on(m, live);
	live_free(live);
	free(live);
	return err;
}
