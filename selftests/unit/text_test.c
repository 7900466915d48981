// SPDX-License-Identifier: GPL-2.0
/* Quantities, histograms, and strings from anywhere. */
#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include <kselftest_harness.h>

#include "exit_names.h"
#include "libkvmwatch.h"
#include "played_catalog.h"
#include "text.h"
#include "uuid.h"

#define EXPECT_QUANTITY(expected_value, expected_unit, q) do {	\
	struct quantity got = (q);				\
								\
	EXPECT_STREQ(expected_value, got.value);		\
	EXPECT_STREQ(expected_unit, got.unit);			\
} while (0)

TEST(bytes_are_rounded_to_what_people_read)
{
	EXPECT_QUANTITY("0", "B", quantity_bytes(0));
	EXPECT_QUANTITY("1023", "B", quantity_bytes(1023));
	EXPECT_QUANTITY("1.00", "KiB", quantity_bytes(1024));
	EXPECT_QUANTITY("4.00", "KiB", quantity_bytes(4096));
	EXPECT_QUANTITY("512", "MiB", quantity_bytes(512ULL << 20));
	EXPECT_QUANTITY("1.50", "GiB", quantity_bytes(1536ULL << 20));
	EXPECT_QUANTITY("16.0", "EiB", quantity_bytes(~0ULL));
}

TEST(rounding_never_leaves_a_full_unit_behind)
{
	EXPECT_QUANTITY("1.00", "MiB", quantity_bytes((1ULL << 20) - 1));
	EXPECT_QUANTITY("1.00", "GiB", quantity_bytes((1ULL << 30) - 1));
	EXPECT_QUANTITY("1023", "KiB", quantity_bytes(1023ULL << 10));
	EXPECT_QUANTITY("1.00", "ms", quantity_ns(999999));
	EXPECT_QUANTITY("999", "us", quantity_ns(999400));
	EXPECT_QUANTITY("10.0", "us", quantity_ns(9999));
	EXPECT_QUANTITY("100", "us", quantity_ns(99990));
}

TEST(times_end_at_seconds)
{
	EXPECT_QUANTITY("999", "ns", quantity_ns(999));
	EXPECT_QUANTITY("1.02", "us", quantity_ns(1024));
	EXPECT_QUANTITY("86400", "s", quantity_ns(86400ULL * 1000000000));
}

TEST(raw_quantities_are_exact)
{
	struct kvmwatch_value ns = { .flags = KVMWATCH_STATS_SECONDS, .exponent = -9 };
	struct kvmwatch_value bytes = { .flags = KVMWATCH_STATS_BYTES };
	struct kvmwatch_value count = { .flags = KVMWATCH_STATS_NONE };

	EXPECT_QUANTITY("18446744073709551615", "ns", quantity_of(&ns, ~0ULL, true));
	EXPECT_QUANTITY("9007199254740993", "bytes", quantity_of(&bytes, (1ULL << 53) + 1, true));
	EXPECT_QUANTITY("18446744073709551615", "", quantity_of(&count, ~0ULL, true));
	EXPECT_QUANTITY("18446744073709551615", "", quantity_of(&count, ~0ULL, false));
}

TEST(quantities_heed_unit_and_exponent)
{
	struct kvmwatch_value ns = { .flags = KVMWATCH_STATS_SECONDS, .exponent = -9 };
	struct kvmwatch_value us = { .flags = KVMWATCH_STATS_SECONDS, .exponent = -6 };
	struct kvmwatch_value seconds = { .flags = KVMWATCH_STATS_SECONDS };
	struct kvmwatch_value kib = { .flags = KVMWATCH_STATS_BYTES | 0x100, .exponent = 10 };
	struct kvmwatch_value odd = { .flags = KVMWATCH_STATS_SECONDS, .exponent = -32768 };
	struct kvmwatch_value future = { .flags = 0xf0 };

	EXPECT_QUANTITY("1.50", "us", quantity_of(&ns, 1500, false));
	EXPECT_QUANTITY("1.50", "ms", quantity_of(&us, 1500, false));
	EXPECT_QUANTITY("1500", "s", quantity_of(&seconds, 1500, false));
	EXPECT_QUANTITY("2.00", "MiB", quantity_of(&kib, 2048, false));
	EXPECT_QUANTITY("5", "10^-32768 s", quantity_of(&odd, 5, false));
	EXPECT_QUANTITY("5", "?", quantity_of(&future, 5, false));
}

TEST(histograms_show_what_is_not_empty)
{
	static const __u64 data[] = { 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 3, 4 };
	struct kvmwatch_value value = {
		.flags = KVMWATCH_STATS_LOG_HIST | KVMWATCH_STATS_SECONDS, .exponent = -9,
		.size = 12, .data = data,
	};

	EXPECT_STREQ("p50 <1.02us, p99 1.02us+; 0ns: 1, 4-8ns: 2, 512ns-1.02us: 3, 1.02us+: 4",
		     text_buckets(&value, false));
	EXPECT_STREQ("[ns] p50 <1024, p99 1024+; 0: 1, 4-7: 2, 512-1023: 3, 1024+: 4",
		     text_buckets(&value, true));
	EXPECT_STREQ("1 0 0 2 0 0 0 0 0 0 3 4", text_bucket_list(&value));
}

/* In whole milliseconds, 0 stands for everything below one. */
TEST(coarse_units_have_a_range_for_zero)
{
	static const __u64 data[] = { 5, 0, 0, 2 };
	struct kvmwatch_value value = {
		.flags = KVMWATCH_STATS_LOG_HIST | KVMWATCH_STATS_SECONDS, .exponent = -3,
		.size = 4, .data = data,
	};

	EXPECT_STREQ("p50 <1.00ms, p99 4.00ms+; 0ns-1.00ms: 5, 4.00ms+: 2",
		     text_buckets(&value, false));
}

TEST(quantiles_are_the_bucket_that_holds_them)
{
	static const __u64 data[] = { 0, 50, 49, 0, 1, 0 };
	struct kvmwatch_value value = {
		.flags = KVMWATCH_STATS_LOG_HIST, .size = 6, .data = data,
	};
	unsigned int bucket = 9;

	EXPECT_EQ(0, kvmwatch_quantile(&value, 0, &bucket));
	EXPECT_EQ(1, bucket);
	EXPECT_EQ(0, kvmwatch_quantile(&value, 0.5, &bucket));
	EXPECT_EQ(1, bucket);
	EXPECT_EQ(0, kvmwatch_quantile(&value, 0.51, &bucket));
	EXPECT_EQ(2, bucket);
	EXPECT_EQ(0, kvmwatch_quantile(&value, 0.99, &bucket));
	EXPECT_EQ(2, bucket);
	EXPECT_EQ(0, kvmwatch_quantile(&value, 1, &bucket));
	EXPECT_EQ(4, bucket);
	value.size = 1;
	EXPECT_EQ(-ENODATA, kvmwatch_quantile(&value, 0.5, &bucket));
}

TEST(linear_histograms_show_numbers)
{
	static const __u64 data[] = { 0, 7, 0, 18446744073709551615ULL };
	struct kvmwatch_value value = {
		.name = "numbers", .flags = KVMWATCH_STATS_LINEAR_HIST, .bucket_size = 1,
		.size = 4, .data = data,
	};

	EXPECT_STREQ("1: 7, 3+: 18446744073709551615", text_buckets(&value, false));
	EXPECT_STREQ("1: 7, 3+: 18446744073709551615", text_buckets(&value, true));
}

/* Replaces the C library's. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return request == KVMWATCH_LIST ? played_catalog(arg) : 0;
}

TEST(histograms_of_exit_reasons_show_names)
{
	static __u64 data[1033];
	struct kvmwatch_value value = {
		.name = "exit_reasons", .flags = KVMWATCH_STATS_LINEAR_HIST, .bucket_size = 1,
		.size = 1033, .data = data,
	};

	exit_names_read(-1);
	data[0x78] = 3;
	data[0xa6] = 1;
	data[0xaf] = 9;		/* has no name */
	data[0x400] = 7;
	EXPECT_STREQ("hlt: 3, idle_hlt: 1, 175: 9, npf: 7", text_buckets(&value, false));
	data[1032] = 2;
	EXPECT_STREQ("hlt: 3, idle_hlt: 1, 175: 9, npf: 7, other: 2", text_buckets(&value, true));

	value.name = "user_exit_reasons";
	value.size = 48;
	memset(data, 0, sizeof(data));
	data[2] = 5;
	data[10] = 6;
	data[13] = 7;		/* of another architecture */
	data[31] = 8;
	data[47] = 9;
	EXPECT_STREQ("IO: 5, INTR: 6, 13: 7, DIRTY_RING_FULL: 8, other: 9",
		     text_buckets(&value, false));
}

TEST(empty_histogram_is_an_empty_text)
{
	static const __u64 data[2];
	struct kvmwatch_value value = {
		.flags = KVMWATCH_STATS_LOG_HIST, .size = 2, .data = data,
	};

	EXPECT_STREQ("", text_buckets(&value, false));
	EXPECT_STREQ("0 0", text_bucket_list(&value));
}

static const char *clean(const char *s)
{
	char *copy = strdup(s);

	text_clean(copy);
	return copy;
}

TEST(letters_stay_as_they_are)
{
	EXPECT_STREQ("web1 \"x\"", clean("web1 \"x\""));
	EXPECT_STREQ("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		     clean("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"));
}

TEST(what_controls_a_terminal_is_removed)
{
	EXPECT_STREQ("a?[2Jb?", clean("a\033[2Jb\n"));
	EXPECT_STREQ("a?b", clean("a\177b"));
	EXPECT_STREQ("a?b", clean("a\302\233b"));		/* C1: CSI */
	EXPECT_STREQ("a?b", clean("a\342\200\256b"));	/* right-to-left override */
	EXPECT_STREQ("a?b", clean("a\342\201\246b"));	/* left-to-right isolate */
}

TEST(what_is_not_utf8_is_removed)
{
	EXPECT_STREQ("?a", clean("\377a"));
	EXPECT_STREQ("?", clean("\xc3"));			/* is incomplete */
	EXPECT_STREQ("??", clean("\xe2\x82"));
	EXPECT_STREQ("??", clean("\xc0\xaf"));			/* encodes '/' in too many bytes */
	EXPECT_STREQ("???", clean("\xed\xa0\x80"));		/* is a surrogate */
	EXPECT_STREQ("????", clean("\xf4\x90\x80\x80"));	/* is beyond Unicode */
}

TEST(seconds_are_parsed)
{
	__u64 ns = 0;

	EXPECT_TRUE(text_parse_seconds("1", &ns));
	EXPECT_EQ(1000000000, ns);
	EXPECT_TRUE(text_parse_seconds("0.25", &ns));
	EXPECT_EQ(250000000, ns);
	EXPECT_TRUE(text_parse_seconds(".001", &ns));
	EXPECT_EQ(1000000, ns);
}

TEST(seconds_may_have_a_unit)
{
	__u64 ns = 0;

	EXPECT_TRUE(text_parse_seconds("250ms", &ns));
	EXPECT_EQ(250000000, ns);
	EXPECT_TRUE(text_parse_seconds("1s", &ns));
	EXPECT_EQ(1000000000, ns);
	EXPECT_TRUE(text_parse_seconds("1.5m", &ns));
	EXPECT_EQ(90000000000, ns);
	EXPECT_TRUE(text_parse_seconds("2h", &ns));
	EXPECT_EQ(7200000000000, ns);
}

TEST(what_is_no_interval_is_refused)
{
	static const char *const bad[] = {
		"", "0", "-1", "+1", " 1", "1 s", "1,5", "1S", "1sm", "s", "1us", "1d",
		"9000h", "0.5ms", "nan", "inf", "1e99", "0.0001", "x", ".",
	};
	__u64 ns;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_FALSE(text_parse_seconds(bad[i], &ns)) {
			TH_LOG("'%s' was accepted", bad[i]);
		}
	}
}

TEST(numbers_are_parsed_exactly)
{
	static const char *const bad[] = {
		"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616",
	};
	__u64 n = 0;
	size_t i;

	EXPECT_TRUE(text_parse_u64("18446744073709551615", &n));
	EXPECT_EQ(~0ULL, n);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_FALSE(text_parse_u64(bad[i], &n));
}

TEST(bytes_have_powers_of_1024)
{
	static const char *const bad[] = {
		"", ".", "-1", "1X", "1iB", "K", "1 M", "1MM", "1Mi", "0x10", "1e3", "nan", "inf",
		"1.2.3",
	};
	double n;
	size_t i;

	EXPECT_TRUE(text_parse_bytes("0", &n));
	EXPECT_EQ(0, n);
	EXPECT_TRUE(text_parse_bytes("125000000", &n));
	EXPECT_EQ(125e6, n);
	EXPECT_TRUE(text_parse_bytes("1.5K", &n));
	EXPECT_EQ(1536, n);
	EXPECT_TRUE(text_parse_bytes("16MiB", &n));
	EXPECT_EQ(16 << 20, n);
	EXPECT_TRUE(text_parse_bytes("2GB", &n));
	EXPECT_EQ(2147483648.0, n);
	EXPECT_TRUE(text_parse_bytes("1T", &n));
	EXPECT_EQ(1099511627776.0, n);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_FALSE(text_parse_bytes(bad[i], &n)) {
			TH_LOG("%s", bad[i]);
		}
	}
}

TEST(uuids_have_one_form)
{
	static const char uuid[] = "4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a";
	static const char *const same[] = {
		"4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a", "4F1F2F6C-7D5F-4A0F-9D3A-0C7F1D2E3B4A",
		"4f1f2f6c7d5f4a0f9d3a0c7f1d2e3b4a", "{4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a}",
		"urn:uuid:4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a",
	};
	static const char *const none[] = {
		"", "web1", "4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4", "{", "{}", "urn:uuid:",
		"4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a0", "4f1f2f6c-7d5f4a0f9d3a0c7f1d2e3b4a",
		"4f1f2f6c7d5f-4a0f-9d3a-0c7f1d2e3b4a", "{4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a",
		"4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4g", "4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a}",
		"4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4\xff",
	};
	char found[UUID_TEXT_SIZE];
	size_t i;

	for (i = 0; i < sizeof(same) / sizeof(*same); i++) {
		EXPECT_TRUE(uuid_from_text(same[i], found));
		EXPECT_STREQ(uuid, found);
	}
	for (i = 0; i < sizeof(none) / sizeof(*none); i++)
		EXPECT_FALSE(uuid_from_text(none[i], found)) TH_LOG("%s", none[i]);
}

TEST_HARNESS_MAIN
