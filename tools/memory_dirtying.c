// SPDX-License-Identifier: GPL-2.0
/* Watch a VM's memory for changes, from outside. See memory_sample.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "memory_job.h"
#include "patience.h"
#include "repeat.h"

#define NSEC_PER_MSEC	1000000ULL
#define MAX_MS		60000

static void take_first(struct memory_job *job, struct memory_seen *page, const __u64 *contents)
{
	page->hash = memory_hash(job, contents);
}

static void take_again(struct memory_job *job, struct memory_seen *page, const __u64 *contents)
{
	if (page->first == MEMORY_ZERO || page->first == MEMORY_ABSENT)
		page->changed |= page->kind != MEMORY_ZERO;
	else if (page->first == MEMORY_DATA)
		page->changed |= memory_hash(job, contents) != page->hash;
}

/* Are the page's contents at the first look known? */
static bool was_known(const struct memory_seen *page)
{
	return page->first == MEMORY_ZERO || page->first == MEMORY_DATA ||
	       page->first == MEMORY_ABSENT;
}

/*
 * Is it known whether the page changed? A page that has been swapped out since may have changed
 * before. A page that was absent at first and is in swap now has changed.
 */
static bool is_known(const struct memory_seen *page)
{
	if (!was_known(page))
		return false;
	if (page->changed)
		return true;
	return page->kind == MEMORY_ZERO || page->kind == MEMORY_DATA ||
	       (page->kind == MEMORY_ABSENT && page->first != MEMORY_DATA);
}

static bool has_changed(const struct memory_seen *page, int unused)
{
	(void)unused;
	return page->changed;
}

static void note_look(struct memory_job *job, struct memory_look *look, __u64 ns)
{
	size_t i;

	for (i = 0; i < job->nr; i++) {
		if (job->pages[i].first == MEMORY_ABSENT && job->pages[i].kind == MEMORY_SWAPPED)
			job->pages[i].changed = true;
		look->looked += is_known(&job->pages[i]);
		look->changed += job->pages[i].changed;
		look->zero += job->pages[i].changed && job->pages[i].kind == MEMORY_ZERO;
	}
	look->ns = ns;
	if (look->looked)
		look->dirtied = memory_estimate_share(job, has_changed, 0);
	else
		look->dirtied = (struct memory_estimate) { -1, -1 };
}

static void note_first(struct memory_job *job)
{
	struct memory_seen *page;

	for (page = job->pages; page < job->pages + job->nr; page++) {
		page->first = page->kind;
		job->dirtying.unknown += !was_known(page);
	}
}

/* Sleep in short pieces, and stop when nobody waits for the job any more. */
static void wait_until(__u64 until, const bool *over)
{
	struct timespec ts = { .tv_nsec = 10 * NSEC_PER_MSEC };
	__u64 now;

	for (now = now_ns(); now < until && !patience_over(over); now = now_ns()) {
		if (until - now < 10 * NSEC_PER_MSEC)
			ts.tv_nsec = until - now;
		nanosleep(&ts, NULL);
	}
}

static void dirtying_work(void *arg, const bool *over)
{
	struct memory_job *job = arg;
	struct memory_dirtying *dirtying = &job->dirtying;
	const size_t nr_looks = dirtying->nr_looks;
	__u64 begin, first, when;
	size_t i;

	dirtying->nr_looks = 0;
	job->err = memory_open_process(job);
	begin = now_ns();
	if (!job->err)
		job->err = memory_look_at_all(job, over, &first, take_first);
	if (!job->err)
		note_first(job);
	for (i = 0; !job->err && i < nr_looks; i++) {
		wait_until(begin + job->after_ms[i] * NSEC_PER_MSEC, over);
		job->err = memory_look_at_all(job, over, &when, take_again);
		if (!job->err)
			note_look(job, &dirtying->looks[dirtying->nr_looks++], when - first);
	}
}

static bool are_times(const unsigned int *after_ms, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (after_ms[i] > MAX_MS || after_ms[i] <= (i ? after_ms[i - 1] : 0))
			return false;
	}
	return nr && nr <= MEMORY_MAX_LOOKS;
}

int memory_dirtying(int pid, const struct kvmwatch_slot *slots, size_t nr_slots, size_t nr,
		    const unsigned int *after_ms, size_t nr_looks,
		    struct memory_dirtying *dirtying)
{
	struct memory_job *job;
	int err;

	memset(dirtying, 0, sizeof(*dirtying));
	if (!are_times(after_ms, nr_looks)) {
		snprintf(dirtying->why, sizeof(dirtying->why),
			 "no such times: up to %u, increasing, of at most %u s", MEMORY_MAX_LOOKS,
			 MAX_MS / 1000);
		return -EINVAL;
	}
	err = memory_job_new(pid, slots, nr_slots, NULL, nr, &job, dirtying->why);
	if (err)
		return err;
	memcpy(job->after_ms, after_ms, nr_looks * sizeof(*after_ms));
	job->dirtying.nr_looks = nr_looks;
	err = memory_job_do(job, dirtying_work, after_ms[nr_looks - 1] + MEMORY_PATIENCE_MS,
			    dirtying->why);
	if (err)
		return err;
	*dirtying = job->dirtying;
	dirtying->pages = job->total;
	dirtying->looked = job->nr;
	snprintf(dirtying->why, sizeof(dirtying->why), "%s", job->why);
	err = job->err;
	memory_job_free(job);
	return err;
}
