// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch top for programs: VMs with the columns of the screen, as JSON or CSV. Rates and
 * shares are of the interval between two looks, the first of which shows nothing.
 */
#include <stdlib.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cmd.h"
#include "options.h"
#include "output.h"
#include "repeat.h"
#include "top_batch.h"
#include "top_rows.h"

struct batch {
	const struct top_batch *what;
	struct selection selection;
	struct sample before;	/* empty: first round */
};

enum { COL_TIME, COL_WINDOW, NR_OWN };

static bool is_shown(const struct batch *batch, size_t column)
{
	return !(batch->what->hidden & 1U << column);
}

/* As in top, nobody keeps the module from being unloaded between two looks. */
static int take(struct batch *batch, struct sample *sample)
{
	int dev = device_open(), code;

	if (dev < 0)
		return EXIT_COULD_NOT;
	code = sample_take(dev, &batch->selection, KVMWATCH_KIND_VM, KVMWATCH_OPEN_NO_HISTOGRAMS,
			   sample);
	close(dev);
	return code;
}

static struct json_object *cell_json(const struct top_cell *cell, bool text)
{
	if (!cell->known || cell->apart)
		return NULL;
	if (text)
		return output_json_string(cell->string);
	if (cell->whole)
		return json_object_new_uint64(cell->number);
	return output_json_real(cell->number);
}

static struct json_object *row_json(const struct batch *batch, const struct top_row *row)
{
	struct json_object *json = json_object_new_object();
	const struct top_column *columns;
	size_t i, nr;

	columns = top_columns(TOP_VMS, &nr);
	for (i = 0; i < nr; i++) {
		if (is_shown(batch, i))
			output_json_add(json, columns[i].key,
					cell_json(&row->cells[i], columns[i].left));
	}
	return json;
}

static void show_json(struct output *out, const struct batch *batch, const struct sample *now,
		      const struct top_row *rows, size_t nr)
{
	struct json_object *json = json_object_new_object();
	struct json_object *vms = json_object_new_array();
	size_t i;

	for (i = 0; i < nr; i++)
		output_json_append(vms, row_json(batch, &rows[i]));
	output_json_add(json, "time_ns", json_object_new_uint64(now->all->begin_ns));
	output_json_add(json, "window_ns",
			json_object_new_uint64(sample_window(now, &batch->before)));
	output_json_add(json, "vms", vms);
	output_json(out, json);
}

/* All columns, so that NR_OWN and a column's place make its place here; hidden have no key. */
static size_t csv_columns(const struct batch *batch, struct output_column *csv)
{
	const struct top_column *columns;
	size_t i, nr;

	columns = top_columns(TOP_VMS, &nr);
	csv[COL_TIME] = (struct output_column){ "time_ns", NULL, true, 0 };
	csv[COL_WINDOW] = (struct output_column){ "window_ns", NULL, true, 0 };
	for (i = 0; i < nr; i++) {
		csv[NR_OWN + i] = (struct output_column){ NULL, NULL, false, 0 };
		if (is_shown(batch, i))
			csv[NR_OWN + i].key = columns[i].key;
	}
	return NR_OWN + nr;
}

static void show_cell(struct output *out, size_t column, const struct top_cell *cell, bool text)
{
	if (!cell->known || cell->apart)
		output_unknown(out, column, NULL);
	else if (text)
		output_string(out, column, cell->string);
	else if (cell->whole)
		output_u64(out, column, cell->number, NULL);
	else
		output_real(out, column, cell->number, NULL);
}

static void show_csv(struct output *out, const struct batch *batch, const struct sample *now,
		     const struct top_row *rows, size_t nr)
{
	struct output_column csv[NR_OWN + TOP_MAX_COLUMNS];
	const struct top_column *columns;
	size_t i, j, nr_columns;

	columns = top_columns(TOP_VMS, &nr_columns);
	output_begin(out, NULL, csv, csv_columns(batch, csv));
	for (i = 0; i < nr; i++) {
		output_u64(out, COL_TIME, now->all->begin_ns, NULL);
		output_u64(out, COL_WINDOW, sample_window(now, &batch->before), NULL);
		for (j = 0; j < nr_columns; j++)
			show_cell(out, NR_OWN + j, &rows[i].cells[j], columns[j].left);
		output_row(out);
	}
	output_end(out);
}

static int show_sample(struct output *out, const struct batch *batch, const struct sample *now)
{
	struct top_row *rows;
	size_t nr;

	rows = top_rows(TOP_VMS, now, &batch->before, 0, &nr);
	if (!rows)
		return complain("top", "no memory");
	top_sort(rows, nr, TOP_VMS, batch->what->sort, false);
	if (out->format == OUTPUT_JSON)
		show_json(out, batch, now, rows, nr);
	else
		show_csv(out, batch, now, rows, nr);
	free(rows);
	return nr ? EXIT_DONE : vms_none(&batch->selection, "top");
}

static int show(struct output *out, struct beat *beat, void *arg)
{
	struct batch *batch = arg;
	struct sample now;
	int code;

	if (!batch->before.all) {
		code = take(batch, &batch->before);
		if (code)
			return code;
		if (batch->before.nr_vms)
			beat_wait(beat);
	}
	code = take(batch, &now);
	if (code)
		return code;
	code = show_sample(out, batch, &now);
	sample_free(&batch->before);
	batch->before = now;
	return code;
}

int top_batch(const struct options *options, const struct top_batch *what)
{
	struct batch batch = { .what = what, .selection = { .arg = options->vm } };
	int code;

	code = repeat(options, show, &batch);
	sample_free(&batch.before);
	selection_free(&batch.selection);
	return code;
}
