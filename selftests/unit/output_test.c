// SPDX-License-Identifier: GPL-2.0
/* The same rows as a table, as JSON and as CSV. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <json-c/json.h>

#include "cmd.h"
#include "output.h"

enum { COL_NAME, COL_COUNT, COL_RATE, COL_NOTE, NR_COLS };

static const struct output_column columns[NR_COLS] = {
	[COL_NAME]	= { "name",	"NAME",		false },
	[COL_COUNT]	= { "count",	"COUNT",	true },
	[COL_RATE]	= { "rate",	NULL,		true },
	[COL_NOTE]	= { NULL,	"NOTE",		false },
};

/* Collects the output of a test. */
static char *printed;
static size_t printed_len;

static void begin(struct output *out, enum output_format format)
{
	printed = NULL;
	output_init(out, open_memstream(&printed, &printed_len), format);
}

static char *end(struct output *out)
{
	output_end(out);
	output_flush(out);
	fclose(out->file);
	return printed;
}

/* Print a row with a name, a number, no rate and no note. */
static char *print(enum output_format format, const char *name)
{
	struct output out;

	begin(&out, format);
	output_begin(&out, NULL, columns, NR_COLS);
	output_string(&out, COL_NAME, name);
	output_u64(&out, COL_COUNT, 18446744073709551615ULL, "much");
	output_unknown(&out, COL_RATE, NULL);
	output_row(&out);
	return end(&out);
}

TEST(json_is_exact_and_says_null_for_unknown)
{
	EXPECT_STREQ("{\"name\":\"a\",\"count\":18446744073709551615,\"rate\":null}\n",
		     print(OUTPUT_JSON, "a"));
}

TEST(json_escapes_and_stays_utf8)
{
	const char *text = print(OUTPUT_JSON, "a\"/\\\n\xc3\xa9\xff");
	static const char begin[] = "{\"name\":\"a\\\"/\\\\\\u000a\xc3\xa9\\ufffd\",";

	EXPECT_EQ(0, strncmp(text, begin, strlen(begin))) {
		TH_LOG("%s", text);
	}
}

/* All characters that terminals act on, between letters: C0, DEL, C1, bidirectional marks. */
static const char hostile[] =
	"a\33[2J\7\r\nb\177c\302\233d\342\200\256e\342\201\246f\330\234g\342\200\217h\342\200\250i";
static const char cleaned[] = "a?[2J???b?c?d?e?f?g?h?i";

/* A parser gets the original string, but the JSON text has none of these characters. */
TEST(json_has_strings_whole)
{
	struct json_object *object = json_tokener_parse(print(OUTPUT_JSON, hostile)), *name;
	const char *text = print(OUTPUT_JSON, hostile);

	ASSERT_TRUE(json_object_object_get_ex(object, "name", &name));
	EXPECT_STREQ(hostile, json_object_get_string(name));
	for (; *text; text++)
		EXPECT_TRUE(*text == '\n' || (*text >= ' ' && *text < 0x7f));
}

TEST(tables_and_csv_have_strings_cleaned)
{
	char *text = print(OUTPUT_TEXT, hostile), *csv = print(OUTPUT_CSV, hostile);

	EXPECT_NE(NULL, strstr(text, cleaned));
	EXPECT_EQ(NULL, strchr(text, '\033'));
	EXPECT_NE(NULL, strstr(csv, cleaned));
}

TEST(titles_are_cleaned)
{
	struct output out;

	begin(&out, OUTPUT_TEXT);
	output_begin(&out, hostile, columns, NR_COLS);
	EXPECT_EQ(0, strncmp(end(&out), cleaned, strlen(cleaned)));
	EXPECT_EQ(NULL, strchr(printed, '\033'));
}

TEST(complaints_are_cleaned)
{
	char said[256];

	complain_into(said, sizeof(said));
	complain(hostile, "%s", hostile);
	complain_into(NULL, 0);
	EXPECT_EQ(0, strncmp(said, cleaned, strlen(cleaned)));
	EXPECT_STREQ(cleaned, said + strlen(cleaned) + 2);
}

TEST(csv_is_exact_and_empty_for_unknown)
{
	EXPECT_STREQ("name,count,rate\na,18446744073709551615,\n", print(OUTPUT_CSV, "a"));
}

TEST(csv_quotes_what_needs_it)
{
	EXPECT_STREQ("name,count,rate\n\"a,\"\"b\"\"\",18446744073709551615,\n",
		     print(OUTPUT_CSV, "a,\"b\""));
}

TEST(table_shows_what_people_read)
{
	char *text = print(OUTPUT_TEXT, "a");

	EXPECT_NE(NULL, strstr(text, "NAME COUNT NOTE\n"));
	EXPECT_NE(NULL, strstr(text, "much"));
	EXPECT_EQ(NULL, strstr(text, "RATE"));
	EXPECT_EQ(NULL, strchr(text, '\033'));
}

/* A tenant who chooses a long name must not make everybody's table wide. */
TEST(table_cuts_long_cells)
{
	static char name[100001];
	char *text, *end;

	memset(name, 'x', sizeof(name) - 1);
	text = print(OUTPUT_TEXT, name);
	EXPECT_GT(250, strlen(text));
	EXPECT_NE(NULL, strstr(text, "xxx... "));
	end = strrchr(text, 'x');
	EXPECT_EQ(OUTPUT_MAX_CELL - 3, end - strchr(text, 'x') + 1);
	free(text);

	/* Cells are cut between characters. */
	for (end = name; end < name + sizeof(name) - 2; end += 2)
		memcpy(end, "\xc3\xa9", 2);
	text = print(OUTPUT_TEXT, name);
	EXPECT_NE(NULL, strstr(text, "..."));
	EXPECT_EQ(NULL, strchr(text, '?'));
	free(text);

	/* A cell that just fits is not cut. */
	memset(name, 'x', OUTPUT_MAX_CELL);
	name[OUTPUT_MAX_CELL] = '\0';
	text = print(OUTPUT_TEXT, name);
	EXPECT_NE(NULL, strstr(text, name));
	EXPECT_EQ(NULL, strstr(text, "..."));
	free(text);
}

TEST(json_and_csv_have_all_of_long_cells)
{
	static char name[100001];
	char *text;

	memset(name, 'x', sizeof(name) - 1);
	text = print(OUTPUT_JSON, name);
	EXPECT_NE(NULL, strstr(text, name));
	free(text);
	text = print(OUTPUT_CSV, name);
	EXPECT_NE(NULL, strstr(text, name));
	free(text);
}

TEST(csv_names_its_columns_once)
{
	struct output out;
	int i;

	begin(&out, OUTPUT_CSV);
	for (i = 0; i < 2; i++) {
		output_begin(&out, "title", columns, NR_COLS);
		output_u64(&out, COL_COUNT, i, NULL);
		output_row(&out);
		output_end(&out);
	}
	EXPECT_STREQ("name,count,rate\n,0,\n,1,\n", end(&out));
}

TEST(json_leaves_out_what_was_not_said)
{
	struct output out;

	begin(&out, OUTPUT_JSON);
	output_begin(&out, NULL, columns, NR_COLS);
	output_s64(&out, COL_COUNT, -1);
	output_row(&out);
	output_bool(&out, COL_COUNT, true, NULL);
	output_real(&out, COL_RATE, 0.5, NULL);
	output_row(&out);
	EXPECT_STREQ("{\"count\":-1}\n{\"count\":true,\"rate\":0.5}\n", end(&out));
}

static char *print_real(enum output_format format, double number)
{
	struct output out;

	begin(&out, format);
	output_begin(&out, NULL, columns, NR_COLS);
	output_real(&out, COL_RATE, number, NULL);
	output_row(&out);
	return end(&out);
}

/* A reader gets the same number, in as few digits as possible. */
TEST(reals_keep_their_digits)
{
	static const double numbers[] = {
		1.0 / 3, 0.1, 1234567.5, 16777217, 123456789.125, DBL_MAX, DBL_TRUE_MIN, 0,
		4096.0 / 7,
	};
	char *json, *csv;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		json = print_real(OUTPUT_JSON, numbers[i]);
		csv = print_real(OUTPUT_CSV, numbers[i]);
		EXPECT_EQ(numbers[i], strtod(strstr(json, "\"rate\":") + 7, NULL));
		EXPECT_EQ(numbers[i], strtod(strstr(csv, "\n,,") + 3, NULL));
	}
	EXPECT_STREQ("{\"rate\":0.1}\n", print_real(OUTPUT_JSON, 0.1));
	EXPECT_STREQ("{\"rate\":1234567.5}\n", print_real(OUTPUT_JSON, 1234567.5));
	EXPECT_STREQ("{\"rate\":null}\n", print_real(OUTPUT_JSON, NAN));
}

static void put_number(struct output *out, const char *name, __u64 count)
{
	output_string(out, COL_NAME, name);
	output_u64(out, COL_COUNT, count, NULL);
	output_row(out);
}

/* The names of some rows, sorted by @sort. */
static char *sorted(const char *sort)
{
	struct output_choice choice = { .columns = "name", .sort = sort, .no_headings = true };
	struct output out;

	begin(&out, OUTPUT_CSV);
	output_choose(&out, &choice);
	output_begin(&out, NULL, columns, NR_COLS);
	put_number(&out, "b", 18446744073709551614ULL);
	put_number(&out, "d", 18446744073709551615ULL);
	output_string(&out, COL_NAME, "c");
	output_unknown(&out, COL_COUNT, NULL);
	output_row(&out);
	put_number(&out, "a", 7);
	put_number(&out, "e", 7);
	return end(&out);
}

/*
 * Numbers begin with the greatest, words are in alphabetical order. Unknown ones are last, and
 * equal ones keep their order.
 */
TEST(rows_are_sorted)
{
	EXPECT_STREQ("b\nd\nc\na\ne\n", sorted(NULL));
	EXPECT_STREQ("a\nb\nc\nd\ne\n", sorted("name"));
	EXPECT_STREQ("e\nd\nc\nb\na\n", sorted("-name"));
	EXPECT_STREQ("d\nb\na\ne\nc\n", sorted("count"));
	EXPECT_STREQ("a\ne\nb\nd\nc\n", sorted("-count"));
}

/* Ids begin with the lowest. */
TEST(ids_are_sorted_from_the_least_on)
{
	static const struct output_column ids[] = { { "id", "ID", true, 0, true } };
	struct output_choice choice = { .sort = "id" };
	struct output out;
	__u64 id;

	begin(&out, OUTPUT_CSV);
	output_choose(&out, &choice);
	output_begin(&out, NULL, ids, 1);
	for (id = 12; id > 7; id -= 2) {
		output_u64(&out, 0, id, NULL);
		output_row(&out);
	}
	EXPECT_STREQ("id\n8\n10\n12\n", end(&out));
}

/* In a table, a column without a heading goes with the column before it. */
TEST(columns_are_shown_in_the_order_of_the_choice)
{
	struct output_choice choice = { .columns = "rate,count" };
	struct output out;

	begin(&out, OUTPUT_TEXT);
	output_choose(&out, &choice);
	output_begin(&out, NULL, columns, NR_COLS);
	output_string(&out, COL_NAME, "a");
	output_u64(&out, COL_COUNT, 1, NULL);
	output_real(&out, COL_RATE, 0.5, NULL);
	output_text(&out, COL_NOTE, "n");
	output_row(&out);
	EXPECT_STREQ("RATE NOTE COUNT\n 0.5 n        1\n", end(&out));
}

static char *contents(const char *path)
{
	static char text[256];
	FILE *file = fopen(path, "r");

	text[file ? fread(text, 1, sizeof(text) - 1, file) : 0] = '\0';
	if (file)
		fclose(file);
	return text;
}

static void log_number(struct output *out, __u64 count)
{
	output_begin(out, NULL, columns, NR_COLS);
	put_number(out, "a", count);
	output_end(out);
	output_flush(out);
}

/* After the log was renamed, output goes on into it until SIGHUP. Each file has one heading. */
TEST(a_log_is_opened_anew_by_its_name)
{
	char path[] = "/tmp/log.XXXXXX", moved[] = "/tmp/log.XXXXXX.1";
	struct output out;

	close(mkstemp(path));
	memcpy(moved, path, strlen(path));
	output_init(&out, stdout, OUTPUT_CSV);
	ASSERT_EQ(0, output_log(&out, path));
	log_number(&out, 1);
	rename(path, moved);
	log_number(&out, 2);
	raise(SIGHUP);
	log_number(&out, 3);
	EXPECT_STREQ("name,count,rate\na,1,\na,2,\na,3,\n", contents(moved));
	log_number(&out, 4);
	EXPECT_STREQ("name,count,rate\na,4,\n", contents(path));
	fclose(out.file);

	/* Output is appended to a log that exists. */
	output_init(&out, stdout, OUTPUT_CSV);
	ASSERT_EQ(0, output_log(&out, path));
	log_number(&out, 5);
	EXPECT_STREQ("name,count,rate\na,4,\na,5,\n", contents(path));
	unlink(path);

	/* A log whose directory is gone is an error, as a full disk is. */
	out.log = "/nowhere/log";
	raise(SIGHUP);
	EXPECT_EQ(-ENOENT, output_flush(&out));
	unlink(moved);
}

TEST(full_disk_is_noticed)
{
	struct output out;
	FILE *f;

	f = fopen("/dev/full", "w");
	ASSERT_NE(NULL, f);
	output_init(&out, f, OUTPUT_CSV);
	output_begin(&out, NULL, columns, NR_COLS);
	EXPECT_EQ(-ENOSPC, output_flush(&out));
	fclose(f);

	/* The error is kept if an earlier write failed. */
	f = fopen("/dev/full", "w");
	ASSERT_NE(NULL, f);
	setvbuf(f, NULL, _IONBF, 0);
	output_init(&out, f, OUTPUT_CSV);
	output_begin(&out, NULL, columns, NR_COLS);
	EXPECT_NE(0, output_flush(&out));
}

TEST_HARNESS_MAIN
