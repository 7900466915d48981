// SPDX-License-Identifier: GPL-2.0
/* The same rows as a table, as JSON and as CSV. */
#include <errno.h>

#include <kselftest_harness.h>

#include <json-c/json.h>

#include "output.h"

enum { COL_NAME, COL_COUNT, COL_RATE, COL_NOTE, NR_COLS };

static const struct output_column columns[NR_COLS] = {
	[COL_NAME]	= { "name",	"NAME",		false },
	[COL_COUNT]	= { "count",	"COUNT",	true },
	[COL_RATE]	= { "rate",	NULL,		true },
	[COL_NOTE]	= { NULL,	"NOTE",		false },
};

/* What a row of a name, a number, no rate and no note looks like. */
static char *print(enum output_format format, const char *name)
{
	struct output out;
	char *text = NULL;
	size_t len;
	FILE *f;

	f = open_memstream(&text, &len);
	output_init(&out, f, format);
	output_begin(&out, NULL, columns, NR_COLS);
	output_string(&out, COL_NAME, name);
	output_u64(&out, COL_COUNT, 18446744073709551615ULL, "much");
	output_unknown(&out, COL_RATE, NULL);
	output_row(&out);
	output_end(&out);
	output_flush(&out);
	fclose(f);
	return text;
}

TEST(json_is_exact_and_says_null_for_unknown)
{
	EXPECT_STREQ("{\"name\":\"a\",\"count\":18446744073709551615,\"rate\":null}\n",
		     print(OUTPUT_JSON, "a"));
}

TEST(json_escapes_and_stays_utf8)
{
	const char *text = print(OUTPUT_JSON, "a\"/\\\n\xc3\xa9\xff");
	static const char begin[] = "{\"name\":\"a\\\"/\\\\?\xc3\xa9?\",";

	EXPECT_EQ(0, strncmp(text, begin, strlen(begin))) {
		TH_LOG("%s", text);
	}
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

TEST(csv_names_its_columns_once)
{
	struct output out;
	char *text = NULL;
	size_t len;
	FILE *f;
	int i;

	f = open_memstream(&text, &len);
	output_init(&out, f, OUTPUT_CSV);
	for (i = 0; i < 2; i++) {
		output_begin(&out, "title", columns, NR_COLS);
		output_u64(&out, COL_COUNT, i, NULL);
		output_row(&out);
		output_end(&out);
	}
	fclose(f);
	EXPECT_STREQ("name,count,rate\n,0,\n,1,\n", text);
}

TEST(json_leaves_out_what_was_not_said)
{
	struct output out;
	char *text = NULL;
	size_t len;
	FILE *f;

	f = open_memstream(&text, &len);
	output_init(&out, f, OUTPUT_JSON);
	output_begin(&out, NULL, columns, NR_COLS);
	output_s64(&out, COL_COUNT, -1);
	output_row(&out);
	output_bool(&out, COL_COUNT, true, NULL);
	output_real(&out, COL_RATE, 0.5, NULL);
	output_row(&out);
	output_end(&out);
	fclose(f);
	EXPECT_STREQ("{\"count\":-1}\n{\"count\":true,\"rate\":0.5}\n", text);
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

	/* Also when it was a write in between that failed. */
	f = fopen("/dev/full", "w");
	ASSERT_NE(NULL, f);
	setvbuf(f, NULL, _IONBF, 0);
	output_init(&out, f, OUTPUT_CSV);
	output_begin(&out, NULL, columns, NR_COLS);
	EXPECT_NE(0, output_flush(&out));
}

TEST_HARNESS_MAIN
