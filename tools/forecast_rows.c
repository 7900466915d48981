// SPDX-License-Identifier: GPL-2.0
/* Print forecasts for predict and rank. See forecast_rows.h. */
#include <stdio.h>
#include <string.h>

#include "forecast_rows.h"
#include "quantity.h"
#include "text.h"

#define NS_PER_S	1e9
#define PAGE_BYTES	KVMWATCH_PREDICT_PAGE

enum {
	COL_ID, COL_NAME, COL_PID, COL_GUEST, COL_COMM,
	COL_BANDWIDTH, COL_LIMIT, COL_VERDICT, COL_SHARE,
	COL_TOTAL, COL_RANGE_TEXT, COL_TOTAL_LOW, COL_TOTAL_HIGH,
	COL_BYTES, COL_BYTES_LOW, COL_BYTES_HIGH, COL_ROUNDS, COL_PAUSE,
	COL_MIN, COL_MAYBE, COL_BANDWIDTH_MIN,
	COL_DIRTIED, COL_MAPPED, COL_DATA, COL_ZERO, COL_ZERO_SHARE,
	COL_WINDOW, COL_SOURCE,
	COL_ELAPSED, COL_LOOKS, COL_RATE, COL_VMM_RATE, COL_REASON, COL_WHY,
	COL_TIME, NR_COLS
};

static const struct output_column columns[NR_COLS] = {
	[COL_ID]		= { "id",		NULL,			true, 0, true },
	[COL_NAME]		= { "name",			"VM",			false },
	[COL_PID]		= { "pid",		NULL,			true, 0, true },
	[COL_GUEST]		= { "guest",			NULL,			false },
	[COL_COMM]		= { "comm",			NULL,			false },
	[COL_BANDWIDTH]		= { "bandwidth",		NULL,			true },
	[COL_LIMIT]		= { "downtime_limit_ms",	NULL,			true },
	[COL_VERDICT]		= { "verdict",			"VERDICT",		false },
	[COL_SHARE]		= { "share",			NULL,			true },
	[COL_TOTAL]		= { "total_ms",			"TIME",			true },
	[COL_RANGE_TEXT]	= { NULL,			"(90 %)",		false },
	[COL_TOTAL_LOW]		= { "total_ms_low",		NULL,			true },
	[COL_TOTAL_HIGH]	= { "total_ms_high",		NULL,			true },
	[COL_BYTES]		= { "bytes",			"SEND",			true },
	[COL_BYTES_LOW]		= { "bytes_low",		NULL,			true },
	[COL_BYTES_HIGH]	= { "bytes_high",		NULL,			true },
	[COL_ROUNDS]		= { "rounds",			"ROUNDS",		true },
	[COL_PAUSE]		= { "downtime_ms",		"PAUSE",		true },
	[COL_MIN]		= { "downtime_min_ms",		"NEEDS DOWNTIME",	false },
	[COL_MAYBE]		= { "downtime_maybe_ms",	NULL,			true },
	[COL_BANDWIDTH_MIN]	= { "bandwidth_min",		"OR BANDWIDTH",		true },
	[COL_DIRTIED]		= { "dirtied_in_downtime",	NULL,			true },
	[COL_MAPPED]		= { "mapped_bytes",		NULL,			true },
	[COL_DATA]		= { "data_bytes",		NULL,			true },
	[COL_ZERO]		= { "zero_bytes",		NULL,			true },
	[COL_ZERO_SHARE]	= { "dirty_zero_share",		NULL,			true },
	[COL_WINDOW]		= { "window_ns",		NULL,			true },
	[COL_SOURCE]		= { "source",			NULL,			false },
	[COL_ELAPSED]		= { "elapsed_ms",		NULL,			true },
	[COL_LOOKS]		= { "looks",			NULL,			true },
	[COL_RATE]		= { "pages_per_second",	NULL,			true },
	[COL_VMM_RATE]		= { "vmm_pages_per_second",	NULL,			true },
	[COL_REASON]		= { "reason",			NULL,			false },
	[COL_WHY]		= { "why",			"",			false },
	[COL_TIME]		= { "time_ns",			NULL,			true },
};

/* The same without what only one of the two commands shows. */
static struct output_column shown[NR_COLS];

const struct output_columns forecast_tables[] = { OUTPUT_COLUMNS(columns), { } };

void forecast_begin(struct output *out, bool needs)
{
	static const int of_predict[] = { COL_ROUNDS, COL_MIN, COL_BANDWIDTH_MIN };
	size_t i;

	memcpy(shown, columns, sizeof(columns));
	for (i = 0; !needs && i < sizeof(of_predict) / sizeof(*of_predict); i++)
		shown[of_predict[i]].heading = NULL;
	if (needs)
		shown[COL_WHY].heading = NULL;
	output_begin(out, NULL, shown, NR_COLS);
}

/* --- how numbers are written ------------------------------------------------- */

struct words {
	char text[80];
};

/* "2.10 s", or "-" if there is no value */
static struct words seconds(double s)
{
	struct quantity q = quantity_ns(s * NS_PER_S);
	struct words words = { "-" };

	if (s >= 0)
		snprintf(words.text, sizeof(words.text), "%s %s", q.value, q.unit);
	return words;
}

static struct words bytes(double b, const char *per)
{
	struct quantity q = quantity_bytes(b);
	struct words words = { "-" };

	if (b >= 0)
		snprintf(words.text, sizeof(words.text), "%s %s%s", q.value, q.unit, per);
	return words;
}

static void show_number_as(struct output *out, size_t column, double number, const char *text)
{
	if (number < 0)
		output_unknown(out, column, text);
	else
		output_u64(out, column, number + 0.5, text);
}

static void show_number(struct output *out, size_t column, double number)
{
	show_number_as(out, column, number, NULL);
}

static void show_maybe(struct output *out, size_t column, struct maybe maybe)
{
	if (maybe.known)
		output_u64(out, column, maybe.number, NULL);
	else
		output_unknown(out, column, NULL);
}

static double ms(double s)
{
	return s < 0 ? KVMWATCH_PREDICT_NONE : s * 1e3;
}

/* --- the row ------------------------------------------------------------------- */

static bool has_verdict(const struct forecast *f)
{
	return f->has_out && f->out.verdict != KVMWATCH_UNKNOWN;
}

static bool converges(const struct forecast *f)
{
	return has_verdict(f) && f->out.verdict == KVMWATCH_CONVERGES;
}

const char *forecast_name(const struct forecast *f, char *buf, size_t size)
{
	const struct vm *vm = f->vm;

	if (vm->guest)
		snprintf(buf, size, "%s", vm->guest);
	else
		snprintf(buf, size, "%s", vm->info.name);
	text_clean(buf);
	return buf;
}

static void show_vm(struct output *out, const struct forecast *f)
{
	const struct kvmwatch_vm *info = &f->vm->info;
	char name[OUTPUT_MAX_CELL];

	output_u64(out, COL_ID, info->id, NULL);
	output_string_as(out, COL_NAME, info->name, forecast_name(f, name, sizeof(name)));
	if (info->pid > 0)
		output_s64(out, COL_PID, info->pid);
	else
		output_unknown(out, COL_PID, NULL);
	output_string(out, COL_GUEST, f->vm->guest);
	output_string(out, COL_COMM, info->comm);
}

static void show_verdict(struct output *out, const struct forecast *f)
{
	const char *name = kvmwatch_predict_verdict_name(f->has_out ? f->out.verdict :
							 KVMWATCH_UNKNOWN);
	char text[40];

	snprintf(text, sizeof(text), "%s (%.0f %%)", name, f->out.share * 100);
	output_string_as(out, COL_VERDICT, name,
			 has_verdict(f) && f->out.verdict == KVMWATCH_UNCERTAIN ? text : name);
	if (has_verdict(f))
		output_real(out, COL_SHARE, f->out.share, NULL);
	else
		output_unknown(out, COL_SHARE, NULL);
}

/* Show times only if migrations end: where some may not, a median would mislead. */
static void show_times(struct output *out, const struct forecast *f)
{
	const struct kvmwatch_prediction *p = &f->out;
	const double none = KVMWATCH_PREDICT_NONE;
	bool yes = converges(f);
	char text[200];

	show_number(out, COL_TOTAL_LOW, yes ? ms(p->total_low) : none);
	show_number(out, COL_TOTAL_HIGH, yes ? ms(p->total_high) : none);
	show_number(out, COL_BYTES_LOW, yes ? p->bytes_low : none);
	show_number(out, COL_BYTES_HIGH, yes ? p->bytes_high : none);

	show_number_as(out, COL_PAUSE, yes ? ms(p->pause) : none,
		       yes ? seconds(p->pause).text : "-");
	snprintf(text, sizeof(text), "%.0f", p->rounds);
	show_number_as(out, COL_ROUNDS, yes ? p->rounds : none, yes ? text : "-");
	snprintf(text, sizeof(text), "%s to %s", seconds(p->total_low).text,
		 seconds(p->total_high).text);
	output_text(out, COL_RANGE_TEXT, yes ? text : "");
	if (yes) {
		show_number_as(out, COL_TOTAL, ms(p->total), seconds(p->total).text);
		show_number_as(out, COL_BYTES, p->bytes, bytes(p->bytes, "").text);
	} else if (f->has_out && !has_verdict(f)) {
		/* The first pass is a lower bound. */
		snprintf(text, sizeof(text), ">=%s", seconds(p->first_pass).text);
		output_unknown(out, COL_TOTAL, f->sampled ? text : "-");
		snprintf(text, sizeof(text), "%s%s", f->sampled ? ">=" : "<=",
			 bytes(p->first_bytes, "").text);
		output_unknown(out, COL_BYTES, text);
	} else {
		output_unknown(out, COL_TOTAL, "-");
		output_unknown(out, COL_BYTES, "-");
	}
}

static void show_needs(struct output *out, const struct forecast *f)
{
	char text[200];

	show_number(out, COL_MAYBE, ms(f->downtime_maybe));
	show_number_as(out, COL_BANDWIDTH_MIN, f->bandwidth_min,
		       bytes(f->bandwidth_min, "/s").text);
	if (f->downtime_min >= 0 && f->downtime_maybe >= 0 &&
	    f->downtime_maybe < f->downtime_min * 0.95)
		snprintf(text, sizeof(text), "%s (from %s maybe)", seconds(f->downtime_min).text,
			 seconds(f->downtime_maybe).text);
	else
		snprintf(text, sizeof(text), "%s", seconds(f->downtime_min).text);
	show_number_as(out, COL_MIN, ms(f->downtime_min), text);
}

static const char *source_name(const struct forecast *f)
{
	switch (f->source) {
	case FORECAST_LOG:
		return "log";
	case FORECAST_RING:
		return "ring";
	case FORECAST_CONTENTS:
		return "contents";
	case FORECAST_LIVE:
		return "live";
	case FORECAST_NONE:
		break;
	}
	return NULL;
}

static void show_inputs(struct output *out, const struct forecast *f)
{
	struct maybe zero = { f->data.known, f->memory - f->data.number };
	const char *source = source_name(f);

	show_number(out, COL_BANDWIDTH, f->in.bandwidth > 0 ? f->in.bandwidth :
							     KVMWATCH_PREDICT_NONE);
	show_number(out, COL_LIMIT, ms(f->in.downtime));
	show_number(out, COL_DIRTIED, has_verdict(f) && f->out.dirtied >= 0 ?
		    f->out.dirtied * PAGE_BYTES : KVMWATCH_PREDICT_NONE);
	show_maybe(out, COL_MAPPED, f->mapped);
	show_maybe(out, COL_DATA, f->data);
	show_maybe(out, COL_ZERO, zero);
	if (f->zero_share >= 0)
		output_real(out, COL_ZERO_SHARE, f->zero_share, NULL);
	else
		output_unknown(out, COL_ZERO_SHARE, NULL);
	if (source) {
		output_string(out, COL_SOURCE, source);
		output_u64(out, COL_WINDOW, f->window_s * 1e9 + 0.5, NULL);
	} else {
		output_unknown(out, COL_SOURCE, NULL);
		output_unknown(out, COL_WINDOW, NULL);
	}
	show_maybe(out, COL_ELAPSED, f->elapsed_ms);
	show_maybe(out, COL_LOOKS, f->looks);
	show_number(out, COL_RATE, f->pages_s);
	show_maybe(out, COL_VMM_RATE, f->vmm_pages_s);
	if (f->has_out)
		output_string(out, COL_REASON, kvmwatch_predict_reason_name(f->out.reason));
	else
		output_unknown(out, COL_REASON, NULL);
}

/* Tables have no columns for numbers that the sentence has. */
static void show_why(struct output *out, const struct forecast *f, bool needs)
{
	char words[400] = "";

	if (!needs)
		forecast_words(f, words, sizeof(words));
	if (*f->why)
		output_string_as(out, COL_WHY, f->why, needs ? f->why : words);
	else
		output_unknown(out, COL_WHY, words);
}

void forecast_row(struct output *out, const struct forecast *f, bool needs)
{
	show_vm(out, f);
	show_verdict(out, f);
	show_times(out, f);
	show_needs(out, f);
	show_inputs(out, f);
	show_why(out, f, needs);
	output_u64(out, COL_TIME, f->time_ns, NULL);
	output_row(out);
}

/* --- the sentence ---------------------------------------------------------------- */

/* "needs a downtime of 930 ms, or 21.6 MiB/s" */
static void add_needs(const struct forecast *f, FILE *file)
{
	if (f->downtime_min >= 0)
		fprintf(file, "; needs a downtime of %s", seconds(f->downtime_min).text);
	if (f->bandwidth_min >= 0)
		fprintf(file, "%s %s", f->downtime_min >= 0 ? ", or" : "; needs",
			bytes(f->bandwidth_min, "/s").text);
}

/* "has been migrating for 12.3 s; all is from now on; dirties 1200 pages/s (by the VMM 1180)" */
static void add_progress(const struct forecast *f, FILE *file)
{
	if (f->elapsed_ms.known)
		fprintf(file, "has been migrating for %s, and all is from now on; ",
			seconds(f->elapsed_ms.number / 1e3).text);
	fprintf(file, "dirties %.0f pages/s", f->pages_s);
	if (f->vmm_pages_s.known)
		fprintf(file, " (by the VMM %llu)", f->vmm_pages_s.number);
}

void forecast_words(const struct forecast *f, char *buf, size_t size)
{
	const struct kvmwatch_prediction *p = &f->out;
	FILE *file = fmemopen(buf, size, "w");

	*buf = '\0';
	if (!file)
		return;
	if (f->source == FORECAST_LIVE)
		add_progress(f, file);
	if (has_verdict(f) && p->dirtied >= 0 && !converges(f)) {
		if (ftell(file) > 0)
			fputs("; ", file);
		fprintf(file, "dirties %s in %s, of which %s sends %s",
			bytes(p->dirtied * PAGE_BYTES, "").text, seconds(f->in.downtime).text,
			bytes(f->in.bandwidth, "/s").text,
			bytes(f->in.bandwidth * f->in.downtime, "").text);
		add_needs(f, file);
	}
	if (*f->why)
		fprintf(file, "%s%s", ftell(file) > 0 ? "; " : "", f->why);
	fclose(file);
}
