// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch top without a screen: VMs with the columns of the screen, as a table, JSON or CSV. Rates
 * and shares are of the interval between two looks, the first of which shows nothing.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cmd.h"
#include "options.h"
#include "output.h"
#include "repeat.h"
#include "top_batch.h"
#include "top_rows.h"

struct batch {
	const struct options *options;
	size_t sort;
	bool reverse;
	struct selection selection;
	struct sample before;	/* empty: first round */
};

static const struct output_columns *const look = &top_tables[TOP_TABLE_LOOK];
static const struct output_columns *const vms = &top_tables[TOP_TABLE_VMS];

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

static void add_cell(struct json_object *json, const struct top_row *row, size_t column)
{
	const struct output_column *of = output_column(vms, column);

	output_json_add(json, of->key, cell_json(&row->cells[column], !of->right));
}

/* What is of the whole look is there in any case, so it may be chosen without effect. */
static struct json_object *row_json(const struct batch *batch, const struct top_row *row)
{
	struct json_object *json = json_object_new_object();
	const char *name = batch->options->choice.columns;
	size_t i, len;
	long column;

	for (i = 0; !name && i < vms->nr; i++)
		add_cell(json, row, i);
	for (; name && *name; name += len + (name[len] == ',')) {
		len = strcspn(name, ",");
		column = output_find(vms, name, len);
		if (column >= 0)
			add_cell(json, row, column);
	}
	return json;
}

static void show_json(struct output *out, const struct batch *batch, const struct sample *now,
		      const struct top_row *rows, size_t nr)
{
	struct json_object *json = json_object_new_object();
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < nr; i++)
		output_json_append(array, row_json(batch, &rows[i]));
	output_json_add(json, "time_ns", json_object_new_uint64(now->all->begin_ns));
	output_json_add(json, "window_ns",
			json_object_new_uint64(sample_window(now, &batch->before)));
	output_json_add(json, "vms", array);
	output_json(out, json);
}

/* In lines, what is of the look comes before what is of the VM. */
static size_t all_columns(struct output_column *all)
{
	size_t i;

	memcpy(all, look->first, TOP_LOOK_NR * sizeof(*all));
	for (i = 0; i < vms->nr; i++) {
		all[TOP_LOOK_NR + i] = *output_column(vms, i);
		all[TOP_LOOK_NR + i].width = 0;	/* of the screen */
	}
	return TOP_LOOK_NR + i;
}

static void show_cell(struct output *out, size_t column, const struct top_cell *cell, bool text)
{
	if (!cell->known || cell->apart)
		output_unknown(out, column, cell->text);
	else if (text)
		output_string(out, column, cell->string);
	else if (cell->whole)
		output_u64(out, column, cell->number, cell->text);
	else
		output_real(out, column, cell->number, cell->text);
}

static void show_rows(struct output *out, const struct batch *batch, const struct sample *now,
		      const struct top_row *rows, size_t nr)
{
	struct output_column all[TOP_LOOK_NR + TOP_MAX_COLUMNS];
	size_t i, j;

	output_begin(out, NULL, all, all_columns(all));
	for (i = 0; i < nr; i++) {
		output_u64(out, TOP_LOOK_TIME, now->all->begin_ns, NULL);
		output_u64(out, TOP_LOOK_WINDOW, sample_window(now, &batch->before), NULL);
		for (j = 0; j < vms->nr; j++)
			show_cell(out, TOP_LOOK_NR + j, &rows[i].cells[j],
				  !output_column(vms, j)->right);
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
	top_sort(rows, nr, TOP_VMS, batch->sort, batch->reverse);
	if (out->format == OUTPUT_JSON)
		show_json(out, batch, now, rows, nr);
	else
		show_rows(out, batch, now, rows, nr);
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

int top_batch(const struct options *options, size_t sort, bool reverse)
{
	struct batch batch = {
		.options = options, .sort = sort, .reverse = reverse,
		.selection = { .arg = options->vm },
	};
	int code;

	code = repeat(options, show, &batch);
	sample_free(&batch.before);
	selection_free(&batch.selection);
	return code;
}
