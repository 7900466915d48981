// SPDX-License-Identifier: GPL-2.0
/* Read what a VM's memory holds, from outside. See memory_sample.h. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory_job.h"
#include "repeat.h"

/* The square of a normally distributed value exceeds this once in a hundred. */
#define ONE_IN_A_HUNDRED	6.63

static void take_nothing(struct memory_job *job, struct memory_seen *page, const __u64 *contents)
{
	(void)job;
	(void)page;
	(void)contents;
}

static void sample_work(void *arg, const bool *over)
{
	struct memory_job *job = arg;
	__u64 when;

	job->err = memory_open_process(job);
	if (!job->err)
		job->err = memory_look_at_all(job, over, &when, take_nothing);
}

/*
 * The standard error of a share that is estimated from one page of each part of the memory.
 * Neighbouring parts are alike, so the difference between two of them shows how far one page may be
 * off. That errs on the high side. A kind that was never seen may still be there: the error is at
 * least what one page stands for.
 */
struct memory_estimate memory_estimate_share(const struct memory_job *job, memory_counts_fn counts,
					     int what)
{
	struct memory_estimate all = { };
	double differing = 0;
	size_t i, found = 0;

	for (i = 0; i < job->nr; i++) {
		found += counts(&job->pages[i], what);
		if (i % 2)
			differing += counts(&job->pages[i], what) !=
				     counts(&job->pages[i - 1], what);
	}
	all.pages = (double)found / job->nr * job->total;
	if (job->nr < job->total)
		all.error = job->total * sqrt(differing + 1) / job->nr;
	return all;
}

static bool is_kind(const struct memory_seen *page, int kind)
{
	return page->kind == (enum memory_kind)kind;
}

static bool has_private(const struct memory_job *job)
{
	size_t i;

	for (i = 0; i < job->nr_ranges; i++) {
		if (job->ranges[i].private)
			return true;
	}
	return false;
}

/* @pages are the sample's pages of one slot: evenly spread, sorted by address. */
static void find_parts(struct memory_slot *slot, const struct memory_seen *pages)
{
	size_t i, from, to;
	unsigned int part;

	slot->nr_parts = slot->looked < MEMORY_PARTS ? slot->looked : MEMORY_PARTS;
	for (part = 0; part < slot->nr_parts; part++) {
		from = slot->looked * part / slot->nr_parts;
		to = slot->looked * (part + 1) / slot->nr_parts;
		for (i = from; i < to; i++)
			slot->zero[part] += pages[i].kind == MEMORY_ZERO ||
					    pages[i].kind == MEMORY_ABSENT;
		slot->zero[part] /= to - from;
	}
}

/* A slot's pages are adjacent in the sample, unless its memory lies between that of others. */
static void find_all_parts(struct memory_job *job)
{
	struct memory_slot *slot;
	size_t i, from = 0;

	for (i = 1; i <= job->nr; i++) {
		slot = &job->slots[job->ranges[job->pages[from].range].slot];
		if (i < job->nr && slot == &job->slots[job->ranges[job->pages[i].range].slot])
			continue;
		if (i - from == slot->looked)
			find_parts(slot, &job->pages[from]);
		from = i;
	}
}

static int sum_up(struct memory_job *job, struct memory_sample *sample)
{
	struct memory_slot *slot;
	enum memory_kind kind;
	size_t i;

	sample->taken = malloc(job->nr * sizeof(*sample->taken));
	if (!sample->taken)
		return -ENOMEM;
	sample->pages = job->total;
	sample->looked = job->nr;
	sample->encrypted = job->encrypted || has_private(job);
	for (i = 0; i < job->nr; i++) {
		kind = job->pages[i].kind;
		slot = &job->slots[job->ranges[job->pages[i].range].slot];
		sample->taken[i] = (struct memory_page) { job->pages[i].address, kind };
		sample->found[kind]++;
		slot->found[kind]++;
		slot->looked++;
	}
	find_all_parts(job);
	for (kind = 0; kind < MEMORY_KINDS; kind++)
		sample->estimate[kind] = memory_estimate_share(job, is_kind, kind);
	sample->slots = job->slots;
	sample->nr_slots = job->nr_slots;
	job->slots = NULL;
	return 0;
}

int memory_sample(int pid, const struct kvmwatch_slot *slots, size_t nr_slots, size_t nr,
		  struct memory_sample *sample)
{
	const __u64 begin = now_ns();
	struct memory_job *job;
	int err;

	memset(sample, 0, sizeof(*sample));
	err = memory_job_new(pid, slots, nr_slots, NULL, nr, &job, sample->why);
	if (!err)
		err = memory_job_do(job, sample_work, MEMORY_PATIENCE_MS, sample->why);
	if (err)
		return err;
	err = job->err;
	snprintf(sample->why, sizeof(sample->why), "%s", job->why);
	if (!err)
		err = sum_up(job, sample);
	sample->ns = now_ns() - begin;
	memory_job_free(job);
	return err;
}

int memory_contents(int pid, const struct kvmwatch_slot *slots, size_t nr_slots,
		    const __u64 *addresses, size_t nr, size_t found[MEMORY_KINDS],
		    char why[MONITOR_WHY])
{
	struct memory_job *job;
	size_t i;
	int err;

	memset(found, 0, MEMORY_KINDS * sizeof(*found));
	err = memory_job_new(pid, slots, nr_slots, addresses, nr, &job, why);
	if (!err)
		err = memory_job_do(job, sample_work, MEMORY_PATIENCE_MS, why);
	if (err)
		return err;
	err = job->err;
	snprintf(why, MONITOR_WHY, "%s", job->why);
	for (i = 0; !err && i < job->nr; i++)
		found[job->pages[i].kind]++;
	memory_job_free(job);
	return err;
}

bool memory_sent_whole(enum memory_kind kind)
{
	return kind != MEMORY_ZERO && kind != MEMORY_ABSENT;
}

/* Both are sorted by address. Some pages of the sample may be in no slot any more. */
static double growth_of(const struct memory_job *job, const struct memory_sample *sample)
{
	const struct memory_seen *page = job->pages, *end = job->pages + job->nr;
	double more = 0, less = 0;
	size_t i;

	for (i = 0; i < sample->looked && page < end; i++) {
		if (page->address != sample->taken[i].address)
			continue;
		if (page->kind != MEMORY_UNKNOWN && sample->taken[i].kind != MEMORY_UNKNOWN) {
			more += memory_sent_whole(page->kind) &&
				!memory_sent_whole(sample->taken[i].kind);
			less += !memory_sent_whole(page->kind) &&
				memory_sent_whole(sample->taken[i].kind);
		}
		page++;
	}
	if ((more - less) * (more - less) <= ONE_IN_A_HUNDRED * (more + less))
		return 0;
	return (more - less) / sample->looked * sample->pages;
}

int memory_growth(int pid, const struct kvmwatch_slot *slots, size_t nr_slots,
		  const struct memory_sample *sample, double *growth)
{
	__u64 *addresses = malloc(sample->looked * sizeof(*addresses));
	char why[MONITOR_WHY];
	struct memory_job *job;
	size_t i;
	int err;

	if (!addresses)
		return -ENOMEM;
	for (i = 0; i < sample->looked; i++)
		addresses[i] = sample->taken[i].address;
	err = memory_job_new(pid, slots, nr_slots, addresses, sample->looked, &job, why);
	free(addresses);
	if (!err)
		err = memory_job_do(job, sample_work, MEMORY_PATIENCE_MS, why);
	if (err)
		return err;
	err = job->err;
	if (!err)
		*growth = growth_of(job, sample);
	memory_job_free(job);
	return err;
}

void memory_sample_free(struct memory_sample *sample)
{
	free(sample->slots);
	free(sample->taken);
	memset(sample, 0, sizeof(*sample));
}
