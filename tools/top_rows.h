/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rows and cells of kvmwatch top, made from two samples. Nothing here depends on a terminal.
 */
#ifndef KVMWATCH_TOP_ROWS_H
#define KVMWATCH_TOP_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "output.h"
#include "sample.h"

enum top_view { TOP_VMS, TOP_VCPUS, TOP_SLOTS };

#define TOP_MAX_COLUMNS	18
#define TOP_CELL	80	/* bytes of a cell's text on a screen */

/**
 * struct top_cell - a cell
 * @known:	there is something to tell
 * @whole:	the number is a whole one
 * @apart:	the number has another unit than the column: for the screen only
 * @number:	what to sort by; text cells have none
 * @share:	0 to 1, for a bar
 * @string:	of a text cell, all of it; belongs to the sample
 * @text:	what to show, cut
 */
struct top_cell {
	bool known;
	bool whole;
	bool apart;
	double number;
	double share;
	const char *string;
	char text[TOP_CELL];
};

/**
 * struct top_column - a column
 * @column:	it in output; without a key it is only on the screen. One that is aligned to the
 *		left is text
 * @bar:	the screen has a bar behind it
 * @fill:	fills a zeroed cell; @window is 0 when there is no sample before
 */
struct top_column {
	struct output_column column;
	bool bar;
	void (*fill)(struct top_cell *cell, const struct sample *now, size_t item,
		     const struct sample *before, long was, __u64 window);
};

/**
 * struct top_row - an object
 * @item:	which it is
 * @cells:	one for each column of the view
 */
struct top_row {
	struct kvmwatch_all_item item;
	struct top_cell cells[TOP_MAX_COLUMNS];
};

/*
 * The tables for --columns: of one read, which a screen does not show, and of VMs. Ended as struct
 * cmd wants it.
 */
enum { TOP_TABLE_LOOK, TOP_TABLE_VMS };
enum { TOP_LOOK_TIME, TOP_LOOK_WINDOW, TOP_LOOK_NR };

extern const struct output_columns top_tables[];

/* The columns of a view, the most important ones first. *@nr gets their number. */
const struct top_column *top_columns(enum top_view view, size_t *nr);

/* The kind of object of a view. */
__u32 top_kind(enum top_view view);

/*
 * All rows of a view: the VMs of the sample, or the objects of VM @vm. The caller frees them; NULL:
 * no memory.
 */
struct top_row *top_rows(enum top_view view, const struct sample *now,
			 const struct sample *before, __u64 vm, size_t *nr);

/*
 * Sort rows: numbers from the greatest, words by alphabet, or reversed. Unknown values come last.
 */
void top_sort(struct top_row *rows, size_t nr, enum top_view view, size_t column, bool reverse);

#endif /* KVMWATCH_TOP_ROWS_H */
