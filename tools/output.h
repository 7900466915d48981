/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Print rows on stdout: as a table, as JSON or as CSV. A command describes its columns once and
 * fills rows; the format does not concern it. JSON and CSV have exact numbers, tables have numbers
 * for people. An unknown value is null in JSON, empty in CSV, and explained in words in a table.
 */
#ifndef KVMWATCH_OUTPUT_H
#define KVMWATCH_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <linux/types.h>

struct json_object;
struct libscols_table;

enum output_format {
	OUTPUT_TEXT,
	OUTPUT_JSON,
	OUTPUT_CSV,
};

/**
 * struct output_column - a column
 * @key:	its name in JSON and CSV; NULL: only in tables
 * @heading:	its heading in tables; NULL: not in tables
 * @right:	aligned to the right in tables
 * @width:	how wide it is in an endless table; in others, which find that out, how many
 *		letters of a cell are shown at most (0: OUTPUT_MAX_CELL)
 * @least_first: numbers that tell things apart, as an id: sorted from the least on
 *
 * One that has no @key belongs to the one before it, and is chosen with that.
 */
struct output_column {
	const char *key;
	const char *heading;
	bool right;
	int width;
	bool least_first;
};

/**
 * struct output_columns - the columns of a table
 * @first:	the first of them
 * @nr:		how many
 * @stride:	from each to the next, as they may be the first members of something larger
 */
struct output_columns {
	const struct output_column *first;
	size_t nr, stride;
};

#define OUTPUT_COLUMNS(array)							\
	{ .first = (const struct output_column *)(array),			\
	  .nr = sizeof(array) / sizeof(*(array)), .stride = sizeof(*(array)) }

/**
 * struct output_choice - how the user wants tables
 * @columns:	keys, with commas between; NULL: those that are usual
 * @sort:	a key, or one behind '-': the other way round; NULL: as the rows come
 * @no_headings: no line of headings or names
 */
struct output_choice {
	const char *columns;
	const char *sort;
	bool no_headings;
};

enum cell_kind {
	CELL_NONE,	/* no value: left out of JSON */
	CELL_UNKNOWN,	/* null in JSON */
	CELL_STRING,
	CELL_BOOL,
	CELL_U64,
	CELL_S64,
	CELL_REAL,
};

struct cell {
	enum cell_kind kind;
	__u64 number;
	double real;
	char *string;	/* of CELL_STRING, unchanged */
	char *text;	/* for tables, cleaned; NULL: print the value itself */
};

#define OUTPUT_MAX_COLUMNS	48
#define OUTPUT_MAX_CELL		96

/* Only output.c uses the members. */
struct output {
	FILE *file;
	enum output_format format;
	int err;		/* the first error; nothing is printed after it */
	bool csv_begun;		/* the line of names was printed */
	bool text_begun;	/* something was printed, so leave a blank line */
	bool endless;
	struct output_choice choice;
	const char *log;	/* NULL: none */
	const struct output_column *columns;
	size_t nr;
	size_t shown[OUTPUT_MAX_COLUMNS];	/* places of those that are shown, in order */
	size_t nr_shown;
	long sort;		/* index of the column to sort by; -1: none */
	struct cell cells[OUTPUT_MAX_COLUMNS];
	struct output_line *lines;	/* rows that wait to be sorted */
	size_t nr_lines;
	struct libscols_table *table;
};

void output_init(struct output *out, FILE *file, enum output_format format);
/*
 * Call this before the first table. Columns that the table lacks are ignored; check with
 * output_find().
 */
void output_choose(struct output *out, const struct output_choice *choice);

/*
 * Append to the end of this file instead. After SIGHUP, open it by its name again, as log rotation
 * needs. Returns 0 or -errno.
 */
int output_log(struct output *out, const char *path);

/* The index of the column with a key of @len bytes; -1: there is none. */
long output_find(const struct output_columns *columns, const char *key, size_t len);
/* Column number @n. */
const struct output_column *output_column(const struct output_columns *columns, size_t n);

/*
 * Print a table: begin; for each row fill cells and end the row; end. Cells that were not filled
 * are CELL_NONE. @title is printed above the table; NULL: none. CSV has the names once, so all
 * tables of a command must have the same keys in the same order.
 */
void output_begin(struct output *out, const char *title,
		  const struct output_column *columns, size_t nr);
/* Print rows at once, as they come: columns have a fixed width, and the table has no end. */
void output_begin_endless(struct output *out, const struct output_column *columns, size_t nr);
void output_row(struct output *out);
/* Drop the cells of the current row. */
void output_drop(struct output *out);
void output_end(struct output *out);

/*
 * Fill a cell of the current row. @text is for tables; NULL: the value itself. A string of NULL is
 * unknown.
 */
void output_string(struct output *out, size_t column, const char *s);
void output_string_as(struct output *out, size_t column, const char *s, const char *text);
void output_bool(struct output *out, size_t column, bool b, const char *text);
void output_u64(struct output *out, size_t column, __u64 number, const char *text);
void output_s64(struct output *out, size_t column, __s64 number);
void output_real(struct output *out, size_t column, double number, const char *text);
void output_unknown(struct output *out, size_t column, const char *text);
/* A text that only tables show. */
void output_text(struct output *out, size_t column, const char *text);

/* Print a line below a table. CSV and JSON do not have it. */
void output_below(struct output *out, const char *line);

/* Print a line of JSON that is more than a row. This takes over @object, which may be NULL. */
void output_json(struct output *out, struct json_object *object);

/*
 * A JSON string; null for NULL. Characters that control a terminal are escaped; bytes that are not
 * UTF-8 become U+FFFD.
 */
struct json_object *output_json_string(const char *s);
/* A JSON number with all its digits; null if it is not finite. */
struct json_object *output_json_real(double number);

/*
 * Add @value, which these functions take over. If json-c has no memory, an object is NULL, and
 * output_json() reports that.
 */
void output_json_add(struct json_object *object, const char *key, struct json_object *value);
void output_json_append(struct json_object *array, struct json_object *value);

/* Write out everything so far. Returns 0, or -errno of the first error. */
int output_flush(struct output *out);

#endif /* KVMWATCH_OUTPUT_H */
