// SPDX-License-Identifier: GPL-2.0
/* Measure a VM, and forecast its migration. See forecast.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "forecast.h"
#include "forecast_making.h"
#include "libkvmwatch.h"
#include "log_chunk.h"
#include "repeat.h"
#include "text.h"

void making_tell(const struct making *m, const char *format, ...)
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

void forecast_why(struct forecast *f, const char *format, ...)
{
	va_list args;

	if (*f->why)
		return;
	va_start(args, format);
	vsnprintf(f->why, sizeof(f->why), format, args);
	va_end(args);
	text_clean(f->why);
}

int making_take_stat(const struct making *m, const char *name, struct maybe *number)
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
		forecast_why(f, "no forecast: %s", strerror(-err));
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

	err = making_take_stat(m, "mapped_bytes", &f->mapped);
	if (!err)
		err = kvmwatch_list_slots(m->dev, f->vm->info.id, &m->slots, &m->nr_slots);
	if (err)
		return err == -ENOENT ? -ESRCH : err;
	forecast_data_from_mapped(f);
	if (f->vm->info.pid <= 0) {
		forecast_why(f, "its VMM is not visible from this pid namespace");
		return 0;
	}
	err = making_find_monitor(m);
	if (!err && (o->sample || o->live || o->measure_s))
		err = log_chunk_of(f->vm->info.pid, &f->in.chunk);
	/* Read mapped pages before the measurement, as some kernels' KVM unmaps all after it. */
	if (!err && o->sample)
		err = making_sample(m);
	if (!err && o->live)
		err = making_live(m);
	else if (!err && o->measure_s)
		err = making_measure(m);
	else if (!err && o->sample)
		err = making_compare(m);
	if (!err && !o->live && f->in.nr_cycles)
		err = making_grow(m);
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
	making_set_parameters(&m);
	err = collect(&m);
	forecast->time_ns = now_ns();
	if (!err)
		err = predict(forecast);
	if (!err && !forecast->in.nr_cycles)
		forecast_why(forecast,
			     "nobody knows how fast it dirties pages: --sample, --measure");
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
