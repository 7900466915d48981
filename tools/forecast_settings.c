// SPDX-License-Identifier: GPL-2.0
/* With which settings a VM would migrate. See forecast_making.h. */
#include <errno.h>
#include <math.h>

#include "forecast_making.h"
#include "repeat.h"

/* What it takes QEMU to find that a page is zero, at some 5 GB/s; more if this machine is slower */
#define ZERO_PAGE_S	(8.0 / 10000000)
#define ZERO_MORE	3.0	/* measured: reading it is not all that there is to do */
#define ZERO_TRIES	16
#define ZERO_PAGES	32	/* in each: to look at the clock takes long, too */

/* Kinds of migration that the library does not model */
static void judge_features(struct forecast *f, const struct migration *migration)
{
	if (*migration->blocked)
		forecast_why(f, "it can't be migrated: %s", migration->blocked);
	if (migration->features & MIGRATION_POSTCOPY)
		forecast_why(f,
			     "postcopy is on: it ends whatever is dirtied, and how fast is not forecast");
	if (migration->features & (MIGRATION_XBZRLE | MIGRATION_COMPRESS))
		forecast_why(f, "QEMU compresses what it sends: bytes are bounds");
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
			forecast_why(f,
				     "QEMU sends without a limit: say with --link how fast the link is");
	}
	if (!m->options->has_downtime && migration->downtime_ms.known) {
		f->in.downtime = migration->downtime_ms.number / 1e3;
		f->downtime_from = migration->downtime_default ? FORECAST_DEFAULT :
								 FORECAST_MONITOR;
		if (!f->in.downtime)
			forecast_why(f,
				     "QEMU's downtime-limit is 0: say with --downtime for how long it may pause");
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

void making_set_parameters(struct making *m)
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

int making_find_monitor(struct making *m)
{
	const struct forecast_options *o = m->options;
	int err;

	if (!o->measure_s && !o->live && o->bandwidth && o->has_downtime && !o->qmp)
		return 0;
	making_tell(m, "asking QEMU for its parameters");
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
		forecast_why(m->forecast, "%s", m->migration.why);
	else
		take_parameters(m, &m->migration);
	return 0;
}
