// SPDX-License-Identifier: GPL-2.0
/* What predict and rank print of made-up forecasts, as text, JSON and CSV. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#include "forecast_rows.h"

#define GOLDEN	"selftests/unit/golden/"
#define MIB	1048576.0
#define NONE	KVMWATCH_PREDICT_NONE

static struct vm vms[] = {
	{ { .id = 1, .memory = 256 << 20, .pid = 4242, .vcpus = 1, .name = "4242-5",
	    .comm = "qemu" }, "idle" },
	{ { .id = 2, .memory = 256 << 20, .pid = 4343, .vcpus = 1, .name = "4343-5",
	    .comm = "qemu" }, "zip\033f" },
	{ { .id = 3, .memory = 256 << 20, .pid = 4444, .vcpus = 1, .name = "4444-5",
	    .comm = "qemu" }, NULL },
	{ { .id = 7, .memory = 256 << 20, .vcpus = 1, .name = "9-vm7", .comm = "qemu" }, NULL },
};

static const struct forecast forecasts[] = {
	{	/* a guest that converges */
		.vm = &vms[0], .source = FORECAST_LOG, .has_out = true, .memory = 256 << 20,
		.in = { .bandwidth = 16 * MIB, .downtime = 0.3 },
		.mapped = { true, 40 << 20 }, .sampled = true, .data = { true, 33 << 20 },
		.downtime_min = 0.002, .downtime_maybe = 0.002, .bandwidth_min = 65536,
		.window_s = 5, .pages_s = NONE, .zero_share = 0.0625,
		.out = {
			.verdict = KVMWATCH_CONVERGES, .reason = KVMWATCH_REASON_QUIET, .share = 1,
			.total = 2.1, .total_low = 2.02, .total_high = 2.1234,
			.bytes = 33.5 * MIB, .bytes_low = 33 * MIB, .bytes_high = 34 * MIB,
			.rounds = 3, .pause = 0.014, .first_pass = 2.09, .first_bytes = 33 * MIB,
			.dirtied = 12, .dirtied_second = 12, .measured = 5,
		},
	},
	{	/* one that does not */
		.vm = &vms[1], .source = FORECAST_CONTENTS, .has_out = true, .memory = 256 << 20,
		.in = { .bandwidth = 16 * MIB, .downtime = 0.3 },
		.mapped = { true, 40 << 20 }, .data = { true, 40 << 20 },
		.downtime_min = 0.93, .downtime_maybe = 0.9, .bandwidth_min = 21.6 * MIB,
		.window_s = 6.4, .pages_s = NONE, .zero_share = NONE,
		.out = {
			.verdict = KVMWATCH_DOES_NOT, .reason = KVMWATCH_REASON_HOT, .share = 0.01,
			.total = 9, .total_low = 8, .total_high = NONE, .bytes = 80 * MIB,
			.bytes_low = 70 * MIB, .bytes_high = NONE, .rounds = 9, .pause = 0.2,
			.first_pass = 2.5, .first_bytes = 40 * MIB, .dirtied = 1613,
		},
	},
	{	/* one of which it is uncertain */
		.vm = &vms[2], .source = FORECAST_RING, .has_out = true, .memory = 256 << 20,
		.in = { .bandwidth = 16 * MIB, .downtime = 1 },
		.mapped = { true, 40 << 20 }, .data = { true, 40 << 20 },
		.downtime_min = 1.4, .downtime_maybe = 1, .bandwidth_min = 18.7 * MIB,
		.window_s = 5, .pages_s = NONE, .zero_share = NONE,
		.why = "it was not measured to the end: the VMM is paused",
		.out = {
			.verdict = KVMWATCH_UNCERTAIN, .reason = KVMWATCH_REASON_EDGE,
			.share = 0.24, .total = 9, .total_low = 8, .total_high = NONE,
			.bytes = 80 * MIB, .bytes_low = 70 * MIB, .bytes_high = NONE,
			.rounds = 9, .pause = 0.2, .first_pass = 2.5, .first_bytes = 40 * MIB,
			.dirtied = 5069,
		},
	},
	{	/* one that is migrating */
		.vm = &vms[0], .source = FORECAST_LIVE, .has_out = true, .memory = 256 << 20,
		.in = { .bandwidth = 16 * MIB, .downtime = 0.3 },
		.mapped = { true, 40 << 20 }, .sampled = true, .data = { true, 33 << 20 },
		.downtime_min = 0.002, .downtime_maybe = 0.002, .bandwidth_min = 65536,
		.window_s = 3.1, .elapsed_ms = { true, 12345 }, .looks = { true, 4 },
		.vmm_pages_s = { true, 1180 }, .pages_s = 1200.4, .zero_share = NONE,
		.out = {
			.verdict = KVMWATCH_CONVERGES, .share = 1,
			.total = 4.1, .total_low = 4.02, .total_high = 4.1234,
			.bytes = 13.5 * MIB, .bytes_low = 13 * MIB, .bytes_high = 14 * MIB,
			.rounds = 3, .pause = 0.014, .first_pass = 2.09, .first_bytes = 33 * MIB,
			.dirtied = 400, .dirtied_second = 1200, .measured = 3.1,
		},
	},
	{	/* one of which nothing is known */
		.vm = &vms[3], .pages_s = NONE, .zero_share = NONE, .has_out = true,
		.memory = 256 << 20,
		.in = { .bandwidth = 16 * MIB, .downtime = 0.3 },
		.downtime_min = NONE, .downtime_maybe = NONE, .bandwidth_min = NONE,
		.why = "nobody knows how fast it dirties pages: --sample, --measure",
		.out = {
			.verdict = KVMWATCH_UNKNOWN, .reason = KVMWATCH_REASON_NO_CYCLES,
			.share = NONE, .total = NONE, .total_low = NONE, .total_high = NONE,
			.bytes = NONE, .bytes_low = NONE, .bytes_high = NONE, .rounds = NONE,
			.pause = NONE, .first_pass = 16, .first_bytes = 257 * MIB, .dirtied = NONE,
		},
	},
};

#define NR	(sizeof(forecasts) / sizeof(*forecasts))

static char *rows(enum output_format format, bool needs)
{
	struct output out;
	char *text = NULL;
	size_t size, i;
	FILE *file = open_memstream(&text, &size);

	output_init(&out, file, format);
	forecast_begin(&out, needs);
	for (i = 0; i < NR; i++)
		forecast_row(&out, &forecasts[i], needs);
	output_end(&out);
	fclose(file);
	return text;
}

static char *read_file(const char *path)
{
	char *text = calloc(1, 65536);
	FILE *file = fopen(path, "re");

	if (file) {
		if (!fread(text, 1, 65535, file))
			*text = '\0';
		fclose(file);
	}
	return text;
}

static bool is_golden(const char *name, enum output_format format, bool needs)
{
	static const char *const endings[] = { "txt", "json", "csv" };
	char path[128], *text = rows(format, needs), *golden;
	FILE *file;
	bool same;

	snprintf(path, sizeof(path), GOLDEN "%s.%s", name, endings[format]);
	if (getenv("GOLDEN")) {
		file = fopen(path, "we");
		if (file) {
			fputs(text, file);
			fclose(file);
		}
	}
	golden = read_file(path);
	same = *golden && !strcmp(text, golden);
	if (!same)
		printf("# %s is not what is printed:\n%s", path, text);
	free(golden);
	free(text);
	return same;
}

TEST(predict_prints_what_it_always_did)
{
	EXPECT_TRUE(is_golden("predict", OUTPUT_TEXT, true));
	EXPECT_TRUE(is_golden("predict", OUTPUT_JSON, true));
	EXPECT_TRUE(is_golden("predict", OUTPUT_CSV, true));
}

/* As JSON and CSV; the table shows a sentence instead of numbers. */
TEST(rank_prints_what_it_always_did)
{
	EXPECT_TRUE(is_golden("rank", OUTPUT_TEXT, false));
	EXPECT_TRUE(is_golden("predict", OUTPUT_JSON, false));
	EXPECT_TRUE(is_golden("predict", OUTPUT_CSV, false));
}

TEST(the_sentence_says_what_is_missing)
{
	char words[400];

	forecast_words(&forecasts[0], words, sizeof(words));
	EXPECT_STREQ("", words);
	forecast_words(&forecasts[1], words, sizeof(words));
	EXPECT_STREQ("dirties 6.30 MiB in 300 ms, of which 16.0 MiB/s sends 4.80 MiB; "
		     "needs a downtime of 930 ms, or 21.6 MiB/s", words);
	forecast_words(&forecasts[3], words, sizeof(words));
	EXPECT_STREQ("has been migrating for 12.3 s, and all is from now on; "
		     "dirties 1200 pages/s (by the VMM 1180)", words);
	forecast_words(&forecasts[4], words, sizeof(words));
	EXPECT_STREQ("nobody knows how fast it dirties pages: --sample, --measure", words);
	/* Words that do not fit are cut. */
	forecast_words(&forecasts[1], words, 20);
	EXPECT_EQ(19, strlen(words));
}

TEST_HARNESS_MAIN
