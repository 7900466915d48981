// SPDX-License-Identifier: GPL-2.0
/* What a migration has to send. See forecast_making.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "forecast_making.h"
#include "repeat.h"

void forecast_data_from_mapped(struct forecast *f)
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

int making_sample(struct making *m)
{
	struct memory_sample *sample = &m->sample;
	struct forecast *f = m->forecast;
	struct memory_estimate data;
	int err;

	making_tell(m, "looking at %d pages of its memory", MEMORY_SAMPLE_PAGES);
	memory_sample_free(sample);
	err = memory_sample(f->vm->info.pid, m->slots, m->nr_slots, MEMORY_SAMPLE_PAGES, sample);
	if (!err && sample->found[MEMORY_UNKNOWN] < sample->looked) {
		m->sampled_ns = now_ns();
		if (data_of(sample, &data))
			take_data(f, &data);
		err = take_parts(m, sample);
	} else if (err != -EINTR && err != -ENOMEM && err != -ESRCH)
		forecast_why(f, "its memory can't be looked into: %s",
			     *sample->why ? sample->why : strerror(-err));
	return err == -EINTR || err == -ENOMEM || err == -ESRCH ? err : 0;
}

int making_grow(struct making *m)
{
	struct forecast *f = m->forecast;
	double was = f->in.data_pages, error = f->in.data_sd * was, more = 0;
	struct memory_sample sample;
	struct memory_estimate now;
	int err;

	if (!f->sampled)
		return 0;
	making_tell(m, "looking at %d pages of its memory again", MEMORY_SAMPLE_PAGES);
	err = memory_growth(f->vm->info.pid, m->slots, m->nr_slots, &m->sample, &more);
	if (err == -EINTR || err == -ENOMEM || err == -ESRCH)
		return err;
	f->in.growth = more / ((now_ns() - m->sampled_ns) / NS_PER_S);
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
