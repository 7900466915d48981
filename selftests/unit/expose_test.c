// SPDX-License-Identifier: GPL-2.0
/* The formats that Prometheus reads, and the parsing of requests. */
#include <kselftest_harness.h>

#include "export_accept.h"
#include "expose.h"

/* --- samples --------------------------------------------------------------- */

static char *end_text(struct exposition *e)
{
	e->text = realloc(e->text, e->len + 1);
	e->text[e->len] = '\0';
	return e->text;
}

/* The sample line of a gauge x with one label. */
static const char *label_line(const char *value)
{
	static char line[512];
	struct exposition e;

	expose_init(&e, EXPOSE_TEXT, 1 << 20);
	expose_family(&e, "x", EXPOSE_GAUGE, "h");
	expose_sample(&e, "");
	expose_foreign(&e, "vm", value);
	expose_u64(&e, 1);
	snprintf(line, sizeof(line), "%s", strstr(end_text(&e), "kvmwatch_x{"));
	expose_free(&e);
	return line;
}

TEST(labels_are_escaped_cleaned_and_cut)
{
	char long_name[300], expected[300];

	EXPECT_STREQ("kvmwatch_x{vm=\"web\"} 1\n", label_line("web"));
	EXPECT_STREQ("kvmwatch_x{vm=\"a\\\"b\\\\c\"} 1\n", label_line("a\"b\\c"));
	EXPECT_STREQ("kvmwatch_x{vm=\"a?b?\"} 1\n", label_line("a\nb\x1b"));
	EXPECT_STREQ("kvmwatch_x{vm=\"?\xc3\xa4\"} 1\n", label_line("\xff\xc3\xa4"));
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	/* This letter has two bytes, the 128th and the one behind. */
	memcpy(long_name + 127, "\xc3\xa4", 2);
	snprintf(expected, sizeof(expected), "kvmwatch_x{vm=\"%.127s\"} 1\n", long_name);
	EXPECT_STREQ(expected, label_line(long_name));
}

static const char *scaled(__u64 value, int exponent)
{
	static char text[128];
	struct exposition e;

	expose_init(&e, EXPOSE_TEXT, 1 << 20);
	expose_family(&e, "x", EXPOSE_GAUGE, "h");
	expose_sample(&e, "");
	expose_scaled(&e, value, exponent);
	snprintf(text, sizeof(text), "%s", strstr(end_text(&e), "\nkvmwatch_x ") + 12);
	expose_free(&e);
	return text;
}

TEST(numbers_have_all_their_digits)
{
	EXPECT_STREQ("0\n", scaled(0, -9));
	EXPECT_STREQ("1\n", scaled(1000000000, -9));
	EXPECT_STREQ("1.5\n", scaled(1500000000, -9));
	EXPECT_STREQ("0.000000001\n", scaled(1, -9));
	EXPECT_STREQ("18446744073.709551615\n", scaled(~0ULL, -9));
	EXPECT_STREQ("18446744073709551615\n", scaled(~0ULL, 0));
	EXPECT_STREQ("0.05\n", scaled(50, -3));
}

static const char *bound(__u64 value, int exponent)
{
	static char text[128];
	struct exposition e;

	expose_init(&e, EXPOSE_TEXT, 1 << 20);
	expose_family(&e, "x", EXPOSE_HISTOGRAM, "h");
	expose_sample(&e, "_bucket");
	expose_bound(&e, value, exponent);
	expose_u64(&e, 1);
	snprintf(text, sizeof(text), "%s", strstr(end_text(&e), "{le="));
	*strchr(text, '}') = '\0';
	expose_free(&e);
	return text;
}

/* A bound that is written in two ways would make two series. */
TEST(bounds_are_spelt_as_go_does)
{
	EXPECT_STREQ("{le=\"1.023e-06\"", bound(1023, -9));
	EXPECT_STREQ("{le=\"6.5535e-05\"", bound(65535, -9));
	EXPECT_STREQ("{le=\"0.000262143\"", bound(262143, -9));
	EXPECT_STREQ("{le=\"17.179869183\"", bound(17179869183ULL, -9));
}

TEST(a_text_that_is_too_long_is_refused)
{
	struct exposition e;

	expose_init(&e, EXPOSE_TEXT, 40);
	expose_family(&e, "x", EXPOSE_GAUGE, "some words of help that do not fit");
	expose_sample(&e, "");
	expose_u64(&e, 1);
	EXPECT_EQ(-EFBIG, e.err);
	EXPECT_LE(e.len, 40);
	expose_free(&e);
}

/* --- requests -------------------------------------------------------------- */

#define OPENMETRICS	"application/openmetrics-text"
#define OLD		"text/plain;version=0.0.4;q=0.5"

TEST(the_format_is_what_the_client_asks_for)
{
	EXPECT_EQ(EXPOSE_TEXT, accept_format(NULL));
	EXPECT_EQ(EXPOSE_TEXT, accept_format(""));
	EXPECT_EQ(EXPOSE_TEXT, accept_format("*/*"));
	EXPECT_EQ(EXPOSE_TEXT, accept_format("text/html,application/xml;q=0.9,*/*;q=0.8"));
	/* Prometheus 2.42 */
	EXPECT_EQ(EXPOSE_OPENMETRICS,
		  accept_format(OPENMETRICS ";version=1.0.0,*/*;q=0," OLD "," OPENMETRICS ";q=0"));
	EXPECT_EQ(EXPOSE_OPENMETRICS, accept_format("application/openmetrics-text"));
	EXPECT_EQ(EXPOSE_OPENMETRICS,
		  accept_format(" Application/OpenMetrics-Text ; version=1.0.0 "));
	EXPECT_EQ(EXPOSE_TEXT, accept_format("application/openmetrics-text;version=2.0.0"));
	EXPECT_EQ(EXPOSE_TEXT, accept_format("application/openmetrics-text;q=0"));
	EXPECT_EQ(EXPOSE_TEXT, accept_format("application/openmetrics-text;q=0.2,text/plain"));
	EXPECT_EQ(EXPOSE_TEXT, accept_format(";;;,,,=;q=;version"));
}

TEST(it_is_compressed_only_for_those_who_want_that)
{
	EXPECT_FALSE(accept_gzip(NULL));
	EXPECT_FALSE(accept_gzip("identity"));
	EXPECT_FALSE(accept_gzip("gzip;q=0"));
	EXPECT_FALSE(accept_gzip("gzip;q=0, *"));
	EXPECT_FALSE(accept_gzip("br, gzipped"));
	EXPECT_TRUE(accept_gzip("gzip"));
	EXPECT_TRUE(accept_gzip("br;q=1.0, GZIP;q=0.5"));
	EXPECT_TRUE(accept_gzip("*"));
}

/* A page of another site may have a host name that resolves to this address. */
TEST(a_host_is_an_address_or_has_a_name_of_ours)
{
	char own[256], header[300];

	ASSERT_EQ(0, gethostname(own, sizeof(own)));
	snprintf(header, sizeof(header), "%s:10177", own);
	EXPECT_TRUE(accept_host(header, NULL));
	EXPECT_TRUE(accept_host("localhost:10177", NULL));
	EXPECT_TRUE(accept_host("127.0.0.1", NULL));
	EXPECT_TRUE(accept_host("192.0.2.7:80", NULL));
	EXPECT_TRUE(accept_host("[::1]:80", NULL));
	EXPECT_TRUE(accept_host("[::1]", NULL));
	EXPECT_FALSE(accept_host("[::1", NULL));
	EXPECT_FALSE(accept_host("[::1]x", NULL));
	EXPECT_FALSE(accept_host("", NULL));
	EXPECT_FALSE(accept_host("rebound.example", NULL));
	EXPECT_FALSE(accept_host("127.0.0.1.example", NULL));
	EXPECT_FALSE(accept_host("localhost.example", NULL));
	EXPECT_TRUE(accept_host("kvm7.example:80", "kvm6.example,kvm7.example"));
	EXPECT_FALSE(accept_host("vm7.example", "kvm6.example,kvm7.example"));
}

TEST_HARNESS_MAIN
