// SPDX-License-Identifier: GPL-2.0
/* A migration that is played page by page. See played_migration.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dice.h"
#include "played_migration.h"

#define DATA_BYTES	4104	/* of a page on the wire */
#define ZERO_BYTES	9
#define PAGE_BYTES	4096
#define DELAY		0.1	/* BUFFER_DELAY: a window of the rate limit */
#define MOST_WAIT	0.05	/* MAX_WAIT of ram_save_iterate() */

/* --- the guest --------------------------------------------------------------- */

static double even(struct played_guest *guest)
{
	return (double)(roll_of(&guest->seed) >> 11) / 0x1p53;
}

void played_boot(struct played_guest *guest, unsigned int base, unsigned int data)
{
	unsigned int i;

	guest->now = even(guest) * 100;
	guest->has_data = calloc(guest->pages, sizeof(bool));
	guest->logged = calloc(guest->pages, sizeof(bool));
	guest->ever = calloc(guest->pages, sizeof(bool));
	for (i = 0; i < data && base + i < guest->pages; i++)
		guest->has_data[base + i] = true;
	for (i = 0; i < guest->nr_workers; i++) {
		guest->owed[i] = even(guest);
		guest->next[i] = roll_of(&guest->seed) % guest->worker[i].pages;
	}
}

void played_halt(struct played_guest *guest)
{
	free(guest->has_data);
	free(guest->logged);
	free(guest->ever);
}

static void write_to(struct played_guest *guest, unsigned int page, bool zero)
{
	guest->has_data[page] = !zero;
	guest->ever[page] = true;
	guest->marks += !guest->logged[page];
	guest->logged[page] = true;
}

static unsigned int page_of(struct played_guest *guest, unsigned int i)
{
	const struct played_worker *worker = &guest->worker[i];

	switch (worker->order) {
	case PLAYED_SWEEP:
		guest->next[i] = (guest->next[i] + 1) % worker->pages;
		return worker->first + guest->next[i];
	case PLAYED_SKEWED:
		return worker->first + (unsigned int)(worker->pages * pow(even(guest), 3));
	default:
		return worker->first + (unsigned int)(worker->pages * even(guest));
	}
}

/* For how much of the time up to @when it has worked */
static double worked(const struct played_worker *worker, double when)
{
	double turn = worker->on + worker->off, turns;

	if (worker->on <= 0)
		return when;
	turns = floor(when / turn);
	return turns * worker->on + fmin(when - turns * turn, worker->on);
}

void played_run(struct played_guest *guest, double seconds)
{
	const struct played_worker *worker;
	unsigned int i;

	for (i = 0; i < guest->nr_workers; i++) {
		worker = &guest->worker[i];
		guest->owed[i] += worker->rate * (worked(worker, guest->now + seconds) -
						  worked(worker, guest->now));
		for (; guest->owed[i] >= 1; guest->owed[i]--)
			write_to(guest, page_of(guest, i), worker->zero);
	}
	guest->now += seconds;
}

void played_clear_log(struct played_guest *guest)
{
	memset(guest->logged, 0, guest->pages * sizeof(bool));
	guest->marks = 0;
}

void played_forget(struct played_guest *guest)
{
	memset(guest->ever, 0, guest->pages * sizeof(bool));
}

/* --- QEMU ---------------------------------------------------------------------- */

/**
 * struct sender - QEMU's thread that migrates
 * @now:	its time
 * @guest_at:	until when the guest has run
 * @dirty:	QEMU's own bitmap: pages that are to be sent
 * @left:	how many these are
 * @to_clear:	chunks whose log is to be cleared when one of their pages is sent
 * @at:		the page that it looks at next
 * @window:	when the rate limit's window began
 * @sent:	bytes in it
 * @threshold:	bytes: threshold_size
 */
struct sender {
	struct played_guest *guest;
	struct played_migration *migration;
	double now, guest_at;
	bool *dirty, *to_clear;
	unsigned int left, at;
	double window, sent, threshold;
};

static void let_guest_run(struct sender *s)
{
	played_run(s->guest, s->now - s->guest_at);
	s->guest_at = s->now;
}

/* The log is read, and stays as it is until each chunk is cleared. */
static void collect(struct sender *s)
{
	unsigned int i;

	for (i = 0; i < s->guest->pages; i++) {
		if (!s->guest->logged[i])
			continue;
		s->left += !s->dirty[i];
		s->dirty[i] = true;
		s->to_clear[i / s->migration->chunk] = true;
	}
	s->migration->looks++;
}

static void clear_chunk(struct sender *s, unsigned int chunk)
{
	unsigned int i, first = chunk * s->migration->chunk;

	for (i = first; i < s->guest->pages && i < first + s->migration->chunk; i++)
		s->guest->logged[i] = false;
	s->to_clear[chunk] = false;
}

/* One page: the next that is dirty */
static void send_next(struct sender *s)
{
	const struct played_migration *m = s->migration;
	double bytes;

	while (!s->dirty[s->at])
		s->at = (s->at + 1) % s->guest->pages;
	if (s->to_clear[s->at / m->chunk]) {
		let_guest_run(s);
		clear_chunk(s, s->at / m->chunk);
	}
	s->dirty[s->at] = false;
	s->left--;
	bytes = s->guest->has_data[s->at] ? DATA_BYTES : ZERO_BYTES;
	s->now += bytes / m->link + (s->guest->has_data[s->at] ? 0 : m->zero_page);
	s->sent += bytes;
	s->migration->bytes += bytes;
}

static bool is_limited(const struct sender *s)
{
	return s->sent >= s->migration->bandwidth * DELAY;
}

/* ram_save_iterate() */
static void iterate(struct sender *s)
{
	double begin = s->now;

	let_guest_run(s);
	while (s->left && !is_limited(s) && s->now < begin + MOST_WAIT)
		send_next(s);
}

/* migration_update_counters() */
static void begin_window(struct sender *s)
{
	if (s->now < s->window + DELAY)
		return;
	s->threshold = s->sent / (s->now - s->window) * s->migration->downtime;
	s->window = s->now;
	s->sent = 0;
}

/* migration_rate_limit() */
static void limit(struct sender *s)
{
	begin_window(s);
	if (!is_limited(s))
		return;
	s->now = s->window + DELAY;
	begin_window(s);
}

/* migration_iteration_run(): false when it is done */
static bool run_once(struct sender *s)
{
	if ((double)s->left * PAGE_BYTES < s->threshold) {
		let_guest_run(s);
		collect(s);
	}
	if (!s->left || (double)s->left * PAGE_BYTES < s->threshold)
		return false;
	iterate(s);
	/* An iteration that sent nothing takes time all the same. */
	s->now += 0.00002;
	return true;
}

static void complete(struct sender *s)
{
	struct played_migration *m = s->migration;
	double begin = s->now;

	let_guest_run(s);
	collect(s);
	memset(s->to_clear, 0, (s->guest->pages / m->chunk + 1) * sizeof(bool));
	while (s->left)
		send_next(s);
	m->pause = s->now - begin + m->device;
	m->total = begin + m->pause;
}

void played_migrate(struct played_guest *guest, struct played_migration *migration)
{
	struct sender s = { .guest = guest, .migration = migration, .left = guest->pages };

	s.dirty = calloc(guest->pages, sizeof(bool));
	s.to_clear = calloc(guest->pages / migration->chunk + 1, sizeof(bool));
	memset(s.dirty, true, guest->pages * sizeof(bool));
	/* KVM_DIRTY_LOG_INITIALLY_SET */
	memset(guest->logged, true, guest->pages * sizeof(bool));
	memset(s.to_clear, true, (guest->pages / migration->chunk + 1) * sizeof(bool));
	migration->looks = 1;
	migration->bytes = 0;
	migration->converged = true;
	while (migration->converged && run_once(&s)) {
		limit(&s);
		migration->converged = s.now < migration->horizon;
	}
	if (migration->converged)
		complete(&s);
	free(s.dirty);
	free(s.to_clear);
}
