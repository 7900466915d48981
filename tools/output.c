// SPDX-License-Identifier: GPL-2.0
/* Print rows as a table, as JSON or as CSV. See output.h. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>
#include <json-c/printbuf.h>
#include <libsmartcols/libsmartcols.h>

#include "output.h"
#include "text.h"

/* A double keeps at least 15 digits, and 17 digits tell it from any other. */
#define LEAST_DIGITS	15
#define MOST_DIGITS	17

#define JSON_STYLE	(JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

void output_init(struct output *out, FILE *file, enum output_format format)
{
	memset(out, 0, sizeof(*out));
	out->file = file;
	out->format = format;
	out->sort = -1;
}

void output_choose(struct output *out, const struct output_choice *choice)
{
	out->choice = *choice;
}

const struct output_column *output_column(const struct output_columns *columns, size_t n)
{
	return (const void *)((const char *)columns->first + n * columns->stride);
}

long output_find(const struct output_columns *columns, const char *key, size_t len)
{
	const char *k;
	size_t i;

	for (i = 0; i < columns->nr; i++) {
		k = output_column(columns, i)->key;
		if (k && strlen(k) == len && !strncmp(k, key, len))
			return i;
	}
	return -1;
}

/* Keep the first error. The caller asks for it once, in output_flush(). */
static void note(struct output *out, int err)
{
	if (err && !out->err)
		out->err = err;
}

/* Call this while errno has the error of the write. */
static void note_write(struct output *out)
{
	if (ferror(out->file))
		note(out, errno ? -errno : -EIO);
}

/* A copy without characters that control a terminal. */
static char *clean_copy(struct output *out, const char *s)
{
	char *new = s ? strdup(s) : NULL;

	if (new)
		text_clean(new);
	else if (s)
		note(out, -ENOMEM);
	return new;
}

/* --- A log ---------------------------------------------------------------- */

static int hung_up;

static void note_hangup(int signal)
{
	(void)signal;
	__atomic_store_n(&hung_up, 1, __ATOMIC_RELAXED);
}

static int log_open(struct output *out)
{
	out->file = fopen(out->log, "ae");
	if (!out->file)
		return -errno;
	/* A file that is not empty has the line of names already. */
	out->csv_begun = lseek(fileno(out->file), 0, SEEK_END) > 0;
	out->text_begun = out->csv_begun;
	return 0;
}

int output_log(struct output *out, const char *path)
{
	const struct sigaction action = { .sa_handler = note_hangup, .sa_flags = SA_RESTART };
	int err;

	out->log = path;
	err = log_open(out);
	if (!err)
		sigaction(SIGHUP, &action, NULL);
	else
		out->file = stdout;
	return err;
}

/* --- JSON ---------------------------------------------------------------- */

static void put_letter(struct printbuf *to, const char *s, struct text_letter letter)
{
	if (letter.code == TEXT_NO_LETTER)
		sprintbuf(to, "\\ufffd");
	else if (text_controls_terminal(letter.code))
		sprintbuf(to, "\\u%04x", letter.code);
	else if (*s == '"' || *s == '\\')
		sprintbuf(to, "\\%c", *s);
	else
		printbuf_memappend(to, s, letter.len);
}

/* The whole string, but as harmless as a table's: json-c does not escape C1 and the like. */
static int put_string(struct json_object *string, struct printbuf *to, int level, int flags)
{
	const char *s = json_object_get_string(string);
	struct text_letter letter;

	(void)level;
	(void)flags;
	printbuf_memappend(to, "\"", 1);
	for (; *s; s += letter.len) {
		letter = text_letter(s);
		put_letter(to, s, letter);
	}
	printbuf_memappend(to, "\"", 1);
	return 0;
}

struct json_object *output_json_string(const char *s)
{
	struct json_object *string = s ? json_object_new_string(s) : NULL;

	if (string)
		json_object_set_serializer(string, put_string, NULL, NULL);
	return string;
}

void output_json(struct output *out, struct json_object *object)
{
	const char *s;

	s = object ? json_object_to_json_string_ext(object, JSON_STYLE) : NULL;
	if (!s)
		note(out, -ENOMEM);
	else if (!out->err)
		fprintf(out->file, "%s\n", s);
	note_write(out);
	json_object_put(object);
}

/* The fewest digits that make a reader get the same number. */
static const char *real_text(double number, char *buf, size_t size)
{
	int digits;

	for (digits = LEAST_DIGITS; digits <= MOST_DIGITS; digits++) {
		snprintf(buf, size, "%.*g", digits, number);
		if (strtod(buf, NULL) == number)
			break;
	}
	return buf;
}

struct json_object *output_json_real(double number)
{
	char s[40];

	if (!isfinite(number))
		return NULL;
	return json_object_new_double_s(number, real_text(number, s, sizeof(s)));
}

void output_json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (!object || json_object_object_add(object, key, value))
		json_object_put(value);
}

void output_json_append(struct json_object *array, struct json_object *value)
{
	if (!array || json_object_array_add(array, value))
		json_object_put(value);
}

static struct json_object *cell_json(const struct cell *cell)
{
	switch (cell->kind) {
	case CELL_STRING:
		return output_json_string(cell->string);
	case CELL_BOOL:
		return json_object_new_boolean(cell->number);
	case CELL_U64:
		return json_object_new_uint64(cell->number);
	case CELL_S64:
		return json_object_new_int64(cell->number);
	case CELL_REAL:
		return output_json_real(cell->real);
	default:
		return NULL;
	}
}

static void row_json(struct output *out)
{
	struct json_object *object, *value;
	const struct cell *cell;
	size_t i;

	object = json_object_new_object();
	for (i = 0; object && i < out->nr_shown; i++) {
		cell = &out->cells[out->shown[i]];
		if (cell->kind == CELL_NONE)
			continue;
		value = cell_json(cell);
		if ((!value && cell->kind != CELL_UNKNOWN) ||
		    json_object_object_add(object, out->columns[out->shown[i]].key, value)) {
			json_object_put(value);
			json_object_put(object);
			object = NULL;
		}
	}
	output_json(out, object);
}

/* --- CSV ----------------------------------------------------------------- */

/* As RFC 4180, except for the end of lines. */
static void csv_string(FILE *file, const char *s)
{
	if (!s[strcspn(s, ",\"\r\n")]) {
		fputs(s, file);
		return;
	}
	fputc('"', file);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', file);
		fputc(*s, file);
	}
	fputc('"', file);
}

static void csv_cell(struct output *out, const struct cell *cell)
{
	FILE *file = out->file;
	char buf[40], *clean;

	switch (cell->kind) {
	case CELL_NONE:
	case CELL_UNKNOWN:
		break;
	case CELL_STRING:
		clean = clean_copy(out, cell->string);
		csv_string(file, clean ? clean : "");
		free(clean);
		break;
	case CELL_BOOL:
		fputs(cell->number ? "true" : "false", file);
		break;
	case CELL_U64:
		fprintf(file, "%llu", cell->number);
		break;
	case CELL_S64:
		fprintf(file, "%lld", cell->number);
		break;
	case CELL_REAL:
		fputs(real_text(cell->real, buf, sizeof(buf)), file);
		break;
	}
}

/* Print a line of CSV: the row, or the names of the columns. */
static void csv_line(struct output *out, bool names)
{
	size_t i;

	if (out->err)
		return;
	for (i = 0; i < out->nr_shown; i++) {
		if (i)
			fputc(',', out->file);
		if (names)
			csv_string(out->file, out->columns[out->shown[i]].key);
		else
			csv_cell(out, &out->cells[out->shown[i]]);
	}
	fputc('\n', out->file);
	note_write(out);
}

static void csv_begin(struct output *out)
{
	if (!out->csv_begun && !out->choice.no_headings)
		csv_line(out, true);
	out->csv_begun = true;
}

/* --- Tables -------------------------------------------------------------- */

static void put_title(struct output *out, const char *title)
{
	char *clean = clean_copy(out, title);

	if (clean)
		fprintf(out->file, "%s\n", clean);
	free(clean);
}

/*
 * The heading of a column that tables usually leave out, from its JSON name: "memory_bytes" becomes
 * MEMORY BYTES.
 */
static const char *heading_of(const struct output_column *column, char *buf, size_t size)
{
	size_t i;

	if (column->heading)
		return column->heading;
	for (i = 0; column->key[i] && i + 1 < size; i++)
		buf[i] = column->key[i] == '_' ? ' ' : toupper((unsigned char)column->key[i]);
	buf[i] = '\0';
	return buf;
}

static void table_begin(struct output *out, const char *title)
{
	const struct output_column *column;
	char buf[OUTPUT_MAX_CELL];
	const char *heading;
	size_t i;
	int flags;

	if (out->text_begun)
		fputc('\n', out->file);
	out->text_begun = true;
	if (title)
		put_title(out, title);
	out->table = scols_new_table();
	if (!out->table) {
		note(out, -ENOMEM);
		return;
	}
	scols_table_set_stream(out->table, out->file);
	/* Print the same on a terminal as into a pipe, without cutting to its width. */
	scols_table_set_termforce(out->table, SCOLS_TERMFORCE_NEVER);
	scols_table_enable_noheadings(out->table, out->choice.no_headings);
	for (i = 0; i < out->nr_shown; i++) {
		column = &out->columns[out->shown[i]];
		flags = column->right ? SCOLS_FL_RIGHT : 0;
		heading = heading_of(column, buf, sizeof(buf));
		/*
		 * Older versions of libsmartcols make a column as wide as its heading, even if that
		 * is not printed.
		 */
		if (out->choice.no_headings)
			heading = "";
		if (!scols_table_new_column(out->table, heading, 0, flags))
			note(out, -ENOMEM);
	}
}

/* The text of a cell in a table; @buf is for numbers. */
static const char *cell_text(const struct cell *cell, char *buf, size_t size)
{
	if (cell->text)
		return cell->text;

	switch (cell->kind) {
	case CELL_UNKNOWN:
		return "unknown";
	case CELL_BOOL:
		return cell->number ? "yes" : "no";
	case CELL_U64:
		snprintf(buf, size, "%llu", cell->number);
		return buf;
	case CELL_S64:
		snprintf(buf, size, "%lld", cell->number);
		return buf;
	case CELL_REAL:
		return real_text(cell->real, buf, size);
	default:
		return NULL;
	}
}

/*
 * Set the text of a cell, cut to @max characters, as a longer one would widen all rows. A byte that
 * begins no UTF-8 character is counted with the one before.
 */
static int set_cell(struct libscols_line *line, size_t n, const char *text, size_t max)
{
	size_t letters = 0, i, cut = 0;
	char *copy;
	int err;

	for (i = 0; text[i] && letters <= max; i++) {
		if ((text[i] & 0xc0) == 0x80)
			continue;
		if (letters++ == max - 3)
			cut = i;
	}
	if (letters <= max)
		return scols_line_set_data(line, n, text);
	if (asprintf(&copy, "%.*s...", (int)cut, text) < 0)
		return -ENOMEM;
	err = scols_line_set_data(line, n, copy);
	free(copy);
	return err;
}

/* How many characters a cell may have. The last one has no limit, as nothing follows it. */
static size_t cell_room(const struct output *out, size_t place)
{
	const struct output_column *column = &out->columns[out->shown[place]];

	if (place + 1 == out->nr_shown && !column->right)
		return SIZE_MAX - 1;
	return column->width ? column->width : OUTPUT_MAX_CELL;
}

static void table_row(struct output *out)
{
	struct libscols_line *line;
	const char *text;
	char buf[40];
	size_t i;

	if (!out->table)
		return;
	line = scols_table_new_line(out->table, NULL);
	if (!line) {
		note(out, -ENOMEM);
		return;
	}
	for (i = 0; i < out->nr_shown; i++) {
		text = cell_text(&out->cells[out->shown[i]], buf, sizeof(buf));
		if (text)
			note(out, set_cell(line, i, text, cell_room(out, i)));
	}
}

/* Print a line of a table with fixed widths: the row, or the headings. */
static void endless_line(struct output *out, bool headings)
{
	const struct output_column *column;
	char buf[OUTPUT_MAX_CELL];
	const char *text;
	int pad = 0, width;
	size_t i;

	if (out->err)
		return;
	for (i = 0; i < out->nr_shown; i++) {
		column = &out->columns[out->shown[i]];
		text = heading_of(column, buf, sizeof(buf));
		width = column->heading ? column->width : (int)strlen(text);
		if (!headings)
			text = cell_text(&out->cells[out->shown[i]], buf, sizeof(buf));
		/* Pad before the next cell, so that no line ends with blanks. */
		pad = fprintf(out->file, "%*s%*s", pad, "", column->right ? width : 0,
			      text ? text : "") - pad;
		pad = width > pad ? width - pad + 1 : 1;
	}
	fputc('\n', out->file);
	note_write(out);
}

static void table_end(struct output *out)
{
	int err;

	if (!out->table)
		return;
	if (!out->err) {
		err = scols_print_table(out->table);
		note_write(out);
		note(out, err);
	}
	scols_unref_table(out->table);
	out->table = NULL;
}

/* --- Rows ---------------------------------------------------------------- */

static void free_cells(struct cell *cells, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		free(cells[i].string);
		free(cells[i].text);
	}
}

static void clear_row(struct output *out)
{
	free_cells(out->cells, out->nr);
	memset(out->cells, 0, sizeof(out->cells));
}

/* Show a chosen column, and in tables the columns behind it that belong to it. */
static void show_chosen(struct output *out, size_t column)
{
	do {
		if (out->nr_shown < OUTPUT_MAX_COLUMNS)
			out->shown[out->nr_shown++] = column;
		column++;
	} while (out->format == OUTPUT_TEXT && column < out->nr && !out->columns[column].key &&
		 out->columns[column].heading);
}

static void show_choice(struct output *out, const struct output_columns *all)
{
	const char *name = out->choice.columns;
	size_t len;
	long column;

	for (; *name; name += len + (name[len] == ',')) {
		len = strcspn(name, ",");
		column = output_find(all, name, len);
		if (column >= 0)
			show_chosen(out, column);
	}
}

static void show_usual(struct output *out)
{
	const char *name;
	size_t i;

	for (i = 0; i < out->nr; i++) {
		name = out->format == OUTPUT_TEXT ? out->columns[i].heading : out->columns[i].key;
		if (name)
			out->shown[out->nr_shown++] = i;
	}
}

static void set_columns(struct output *out, const struct output_column *columns, size_t nr)
{
	struct output_columns all = { columns, nr, sizeof(*columns) };
	const char *sort = out->choice.sort;

	out->nr = nr < OUTPUT_MAX_COLUMNS ? nr : OUTPUT_MAX_COLUMNS;
	all.nr = out->nr;
	out->columns = columns;
	out->nr_shown = 0;
	if (out->choice.columns)
		show_choice(out, &all);
	else
		show_usual(out);
	out->sort = -1;
	if (sort) {
		sort += *sort == '-';
		out->sort = output_find(&all, sort, strlen(sort));
	}
}

static void endless_begin(struct output *out)
{
	if (out->format == OUTPUT_TEXT && !out->choice.no_headings)
		endless_line(out, true);
	if (out->format == OUTPUT_CSV)
		csv_begin(out);
}

void output_begin_endless(struct output *out, const struct output_column *columns, size_t nr)
{
	set_columns(out, columns, nr);
	out->endless = true;
	out->sort = -1;
	endless_begin(out);
}

void output_begin(struct output *out, const char *title,
		  const struct output_column *columns, size_t nr)
{
	set_columns(out, columns, nr);
	if (out->format == OUTPUT_TEXT)
		table_begin(out, title);
	if (out->format == OUTPUT_CSV)
		csv_begin(out);
}

static void show_row(struct output *out)
{
	switch (out->format) {
	case OUTPUT_TEXT:
		if (out->endless)
			endless_line(out, false);
		else
			table_row(out);
		break;
	case OUTPUT_JSON:
		row_json(out);
		break;
	case OUTPUT_CSV:
		csv_line(out, false);
		break;
	}
	clear_row(out);
}

/* --- Sorted rows --------------------------------------------------------- */

/* A row that waits. @nr is its original index, by which equal rows are ordered. */
struct output_line {
	struct cell *cells;
	size_t nr;
};

static bool is_known(const struct cell *cell)
{
	return cell->kind != CELL_NONE && cell->kind != CELL_UNKNOWN;
}

static double real_of(const struct cell *cell)
{
	if (cell->kind == CELL_REAL)
		return cell->real;
	return cell->kind == CELL_S64 ? (double)(__s64)cell->number : (double)cell->number;
}

/* Compare numbers of one type by all their digits. */
static int compare_numbers(const struct cell *x, const struct cell *y)
{
	if (x->kind != y->kind || x->kind == CELL_REAL)
		return (real_of(x) > real_of(y)) - (real_of(x) < real_of(y));
	if (x->kind == CELL_S64)
		return ((__s64)x->number > (__s64)y->number) -
		       ((__s64)x->number < (__s64)y->number);
	return (x->number > y->number) - (x->number < y->number);
}

/* Strings in alphabetical order, numbers from the greatest, unknown ones always last. */
static int compare_lines(const void *a, const void *b, void *arg)
{
	const struct output_line *v = a, *w = b;
	const struct output *out = arg;
	const struct cell *x = &v->cells[out->sort], *y = &w->cells[out->sort];
	int order = 0;

	if (is_known(x) != is_known(y))
		return is_known(x) ? -1 : 1;
	if (x->string && y->string)
		order = strcmp(x->string, y->string);
	else if (x->string || y->string)
		order = x->string ? 1 : -1;
	else if (is_known(x))
		order = out->columns[out->sort].least_first ? compare_numbers(x, y) :
							      compare_numbers(y, x);
	if (*out->choice.sort == '-')
		order = -order;
	return order ? order : (v->nr > w->nr) - (v->nr < w->nr);
}

/* The line takes over the row's strings. */
static void keep_row(struct output *out)
{
	struct cell *cells = calloc(out->nr, sizeof(*cells));
	struct output_line *lines;

	lines = reallocarray(out->lines, out->nr_lines + 1, sizeof(*lines));
	if (lines)
		out->lines = lines;
	if (!lines || !cells) {
		note(out, -ENOMEM);
		free(cells);
		clear_row(out);
		return;
	}
	memcpy(cells, out->cells, out->nr * sizeof(*cells));
	memset(out->cells, 0, sizeof(out->cells));
	lines[out->nr_lines] = (struct output_line){ cells, out->nr_lines };
	out->nr_lines++;
}

static void show_kept(struct output *out)
{
	size_t i;

	if (out->nr_lines)
		qsort_r(out->lines, out->nr_lines, sizeof(*out->lines), compare_lines, out);
	for (i = 0; i < out->nr_lines; i++) {
		memcpy(out->cells, out->lines[i].cells, out->nr * sizeof(*out->cells));
		free(out->lines[i].cells);
		show_row(out);
	}
	free(out->lines);
	out->lines = NULL;
	out->nr_lines = 0;
}

void output_row(struct output *out)
{
	if (out->sort >= 0)
		keep_row(out);
	else
		show_row(out);
}

void output_drop(struct output *out)
{
	clear_row(out);
}

void output_end(struct output *out)
{
	show_kept(out);
	if (out->format == OUTPUT_TEXT)
		table_end(out);
}

void output_below(struct output *out, const char *line)
{
	if (out->format != OUTPUT_TEXT || out->err)
		return;
	put_title(out, line);
	note_write(out);
}

static struct cell *set(struct output *out, size_t column, enum cell_kind kind, const char *text)
{
	struct cell *cell = &out->cells[column];

	cell->kind = kind;
	cell->text = clean_copy(out, text);
	return cell;
}

void output_string(struct output *out, size_t column, const char *s)
{
	output_string_as(out, column, s, s);
}

void output_string_as(struct output *out, size_t column, const char *s, const char *text)
{
	struct cell *cell = set(out, column, s ? CELL_STRING : CELL_UNKNOWN, text);

	if (!s)
		return;
	cell->string = strdup(s);
	if (!cell->string)
		note(out, -ENOMEM);
}

void output_bool(struct output *out, size_t column, bool b, const char *text)
{
	set(out, column, CELL_BOOL, text)->number = b;
}

void output_u64(struct output *out, size_t column, __u64 number, const char *text)
{
	set(out, column, CELL_U64, text)->number = number;
}

void output_s64(struct output *out, size_t column, __s64 number)
{
	set(out, column, CELL_S64, NULL)->number = number;
}

void output_real(struct output *out, size_t column, double number, const char *text)
{
	enum cell_kind kind = isfinite(number) ? CELL_REAL : CELL_UNKNOWN;

	set(out, column, kind, text)->real = number;
}

void output_unknown(struct output *out, size_t column, const char *text)
{
	set(out, column, CELL_UNKNOWN, text);
}

void output_text(struct output *out, size_t column, const char *text)
{
	set(out, column, CELL_NONE, text);
}

static int log_again(struct output *out)
{
	int err;

	fclose(out->file);
	err = log_open(out);
	if (err)
		out->file = stdout;
	else if (out->endless)
		endless_begin(out);
	return err;
}

int output_flush(struct output *out)
{
	if (out->err)
		return out->err;
	errno = 0;
	fflush(out->file);
	note_write(out);
	if (out->log && __atomic_exchange_n(&hung_up, 0, __ATOMIC_RELAXED) && !out->err)
		note(out, log_again(out));
	return out->err;
}
