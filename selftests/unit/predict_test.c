// SPDX-License-Identifier: GPL-2.0
/*
 * Forecasts of migrations: the published table, cases whose answer is known in closed form, what
 * must hold for any input, and input that is wrong. How near forecasts come to migrations is
 * another test's (predict_guests_test.c).
 */
#include <math.h>

#include <kselftest_harness.h>

#include "libkvmwatch_predict.h"

#define MIB	(1024.0 * 1024)
#define SENT	4104.0		/* bytes of a page, with its header */

/* --- The published table ------------------------------------------------- */

/*
 * A VM of 32 GiB with memcached, as printed in the cover letter of A. Gudkov's series (see
 * libkvmwatch_predict.h): samples that had changed, of 16392 samples of 8392704 pages, and the
 * times that it foretells, in whole seconds, rounded up; 0: does not converge.
 */
#define SAMPLES		16392ULL
#define RAM		8392704ULL
#define ZERO_SAMPLES	10060ULL

static const struct {
	unsigned int ms;
	unsigned int samples;
} published[] = {
	{ 125, 33 }, { 250, 78 }, { 375, 119 }, { 500, 151 }, { 750, 217 }, { 1000, 236 },
	{ 1500, 293 }, { 2000, 336 }, { 3000, 425 }, { 4001, 505 }, { 6000, 620 }, { 8000, 756 },
	{ 10000, 898 }, { 15000, 1204 }, { 20000, 1457 }, { 25000, 1723 }, { 30000, 1934 },
	{ 35000, 2141 }, { 40000, 2328 }, { 45000, 2522 }, { 50000, 2675 }, { 60000, 2958 },
};

/* 5 Gbit/s here are 5 * 2^30 bits a second. */
static const double gbits[] = { 100.0 / 1024, 1, 2, 2.5, 5, 10, 25, 40 };
static const double downtimes[] = { 0.125, 0.25, 0.5, 1, 5, 1e6 };

static const unsigned int foretold[ARRAY_SIZE(gbits)][ARRAY_SIZE(downtimes)] = {
	{ 0, 0, 0, 0, 0, 16 * 60 + 59 },
	{ 0, 0, 0, 0, 0, 60 + 40 },
	{ 0, 0, 0, 0, 60 + 41, 50 },
	{ 0, 0, 0, 0, 60 + 7, 40 },
	{ 48, 46, 31, 28, 25, 20 },
	{ 13, 12, 12, 12, 12, 10 },
	{ 5, 5, 5, 5, 4, 4 },
	{ 3, 3, 3, 3, 3, 3 },
};

static struct kvmwatch_curve_point gudkov_points[ARRAY_SIZE(published)];

static struct kvmwatch_textbook gudkov(double gbit, double downtime)
{
	struct kvmwatch_textbook book = { .size = sizeof(book) };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(published); i++) {
		gudkov_points[i].ns = published[i].ms * 1000000ULL;
		gudkov_points[i].pages = (published[i].samples * RAM + SAMPLES / 2) / SAMPLES;
	}
	book.curve.points = gudkov_points;
	book.curve.nr = ARRAY_SIZE(published);
	book.zero_pages = (ZERO_SAMPLES * RAM + SAMPLES / 2) / SAMPLES;
	book.data_pages = RAM - book.zero_pages;
	book.zero_bytes = 8;
	book.bandwidth = gbit * 0x1p30 / 8;
	book.downtime = downtime;
	book.horizon = 3600;
	return book;
}

TEST(textbook_foretells_each_published_time)
{
	struct kvmwatch_textbook book;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(gbits); i++) {
		for (j = 0; j < ARRAY_SIZE(downtimes); j++) {
			book = gudkov(gbits[i], downtimes[j]);
			ASSERT_EQ(0, kvmwatch_predict_textbook(&book));
			EXPECT_EQ(!!foretold[i][j], book.converges);
			if (foretold[i][j])
				EXPECT_EQ(foretold[i][j], (unsigned int)ceil(book.total));
		}
	}
}

TEST(textbook_counts_rounds_and_bytes_as_published)
{
	/* at 5 Gbit/s: anchors, by an implementation of somebody else's */
	static const unsigned int rounds[] = { 65, 54, 10, 4, 2, 1 };
	static const double gib[] = { 29.84, 28.52, 19.16, 16.92, 15.27, 12.43 };
	struct kvmwatch_textbook book;
	size_t j;

	for (j = 0; j < ARRAY_SIZE(downtimes); j++) {
		book = gudkov(5, downtimes[j]);
		ASSERT_EQ(0, kvmwatch_predict_textbook(&book));
		EXPECT_EQ(rounds[j], book.rounds);
		EXPECT_LT(fabs(book.bytes / 0x1p30 - gib[j]), 0.006);
	}
}

TEST(textbook_refuses_wrong_input)
{
	struct kvmwatch_textbook book = gudkov(5, 1);

	book.bandwidth = 0;
	EXPECT_EQ(-EINVAL, kvmwatch_predict_textbook(&book));
	book = gudkov(5, NAN);
	EXPECT_EQ(-EINVAL, kvmwatch_predict_textbook(&book));
	book = gudkov(5, 1);
	book.curve.nr = 1;
	EXPECT_EQ(-EINVAL, kvmwatch_predict_textbook(&book));
	book = gudkov(5, 1);
	gudkov_points[3].pages = 0;
	EXPECT_EQ(-EINVAL, kvmwatch_predict_textbook(&book));
	book = gudkov(5, 1);
	book.size = 8;
	EXPECT_EQ(-EINVAL, kvmwatch_predict_textbook(&book));
}

/* --- A guest, measured --------------------------------------------------- */

#define CYCLES	4
#define POINTS	250		/* one every 20 ms */

/* Cycles of 1 s and one of 5, in which pages_in() says what is marked within a time */
struct measured {
	struct kvmwatch_curve_point points[CYCLES][POINTS];
	struct kvmwatch_cycle cycles[CYCLES];
	struct kvmwatch_predict_input in;
};

struct guest {
	double pages;		/* that it writes to */
	double rate;		/* writes a second, each to any of them */
};

static double pages_in(const struct guest *guest, double seconds)
{
	return guest->pages > 0 ? guest->pages * -expm1(-guest->rate * seconds / guest->pages) : 0;
}

/* 256 MiB, of which 48 have data; 16 MiB/s, and 300 ms */
static struct measured *measure(const struct guest *guest)
{
	struct measured *m = calloc(1, sizeof(*m));
	size_t i, j;

	for (i = 0; i < CYCLES; i++) {
		m->cycles[i].points = m->points[i];
		m->cycles[i].nr = i < CYCLES - 1 ? 50 : POINTS;
		for (j = 0; j < m->cycles[i].nr; j++) {
			m->points[i][j].ns = (j + 1) * 20000000ULL;
			m->points[i][j].pages = (__u64)(pages_in(guest, (j + 1) * 0.02) + 0.5);
		}
	}
	m->in.size = sizeof(m->in);
	m->in.nr_cycles = CYCLES;
	m->in.cycles = m->cycles;
	m->in.ram_pages = 65536;
	m->in.data_pages = 12288;
	m->in.zero_pages = 65536 - 12288;
	m->in.bandwidth = 16 * MIB;
	m->in.link = 512 * MIB;
	m->in.downtime = 0.3;
	return m;
}

static struct kvmwatch_prediction predict(const struct kvmwatch_predict_input *in)
{
	struct kvmwatch_prediction out = { .size = sizeof(out) };

	ASSERT_EQ(0, kvmwatch_predict(in, &out));
	return out;
}

TEST(idle_guest_takes_its_first_pass)
{
	struct measured *m = measure(&(struct guest) { });
	struct kvmwatch_prediction out = predict(&m->in);

	EXPECT_EQ(KVMWATCH_CONVERGES, out.verdict);
	EXPECT_EQ(KVMWATCH_REASON_QUIET, out.reason);
	EXPECT_EQ(1, out.share);
	EXPECT_LT(fabs(out.total - 12288 * SENT / (16 * MIB)), 0.11);
	EXPECT_LT(fabs(out.bytes - 12288 * SENT - 53248 * 9), 10000);
	EXPECT_LT(out.pause, 0.001);
	EXPECT_EQ(3, out.rounds);
}

/*
 * At a constant rate, what is not sent yet becomes less by bandwidth - rate a second, from rate
 * times the first pass, until it is what may be left.
 */
TEST(constant_rate_is_caught_up_with)
{
	double first = 12288 * SENT / (16 * MIB), threshold = 0.3 * 16 * MIB / 4096, part, expected;
	struct guest guest = { .pages = 1e9 };
	struct kvmwatch_prediction out;
	struct measured *m;

	for (part = 0.1; part < 0.75; part += 0.1) {
		guest.rate = part * 16 * MIB / SENT;
		m = measure(&guest);
		out = predict(&m->in);
		expected = first + fmax(guest.rate * first - threshold, 0) /
				   (16 * MIB / SENT - guest.rate);
		EXPECT_EQ(KVMWATCH_CONVERGES, out.verdict);
		EXPECT_TRUE(fabs(out.total - expected) < 0.2)
			TH_LOG("%g: %g, not %g", part, out.total, expected);
		free(m);
	}
	for (part = 1.3; part < 3; part += 0.3) {
		guest.rate = part * 16 * MIB / SENT;
		m = measure(&guest);
		out = predict(&m->in);
		EXPECT_EQ(KVMWATCH_DOES_NOT, out.verdict);
		free(m);
	}
}

/* A hot set that is dirty at each look converges when it may be left, and does not when not. */
TEST(hot_set_is_left_or_it_is_not)
{
	struct guest guest = { .rate = 1e6 };
	double threshold = 0.3 * 16 * MIB / 4096, part;
	struct kvmwatch_prediction out;
	struct measured *m;

	for (part = 0.5; part < 2; part += 0.1) {
		if (fabs(part - 1) < 0.05)
			continue;
		guest.pages = part * threshold;
		m = measure(&guest);
		out = predict(&m->in);
		EXPECT_EQ(part < 1 ? KVMWATCH_CONVERGES : KVMWATCH_DOES_NOT, out.verdict)
			TH_LOG("%g: %g", part, out.share);
		if (part < 1)
			EXPECT_LT(fabs(out.pause - guest.pages * SENT / (512 * MIB)), 0.002);
		else
			EXPECT_EQ(KVMWATCH_REASON_HOT, out.reason);
		free(m);
	}
}

/* --- Needs --------------------------------------------------------------- */

TEST(hot_set_needs_the_downtime_that_it_takes)
{
	struct guest guest = { .rate = 1e6, .pages = 3000 };
	struct measured *m = measure(&guest);
	double surely, maybe;

	ASSERT_EQ(0, kvmwatch_predict_downtime(&m->in, 0.95, &surely));
	ASSERT_EQ(0, kvmwatch_predict_downtime(&m->in, 0.05, &maybe));
	EXPECT_LE(maybe, surely);
	EXPECT_LT(fabs(surely / (3000 * 4096 / (16 * MIB)) - 1), 0.06);
	EXPECT_LT(fabs(maybe / (3000 * 4096 / (16 * MIB)) - 1), 0.06);
}

TEST(what_is_needed_is_enough)
{
	struct guest guest = { .rate = 6000, .pages = 9000 };
	struct measured *m = measure(&guest);
	double downtime, bandwidth;

	ASSERT_EQ(0, kvmwatch_predict_downtime(&m->in, 0.95, &downtime));
	ASSERT_EQ(0, kvmwatch_predict_bandwidth(&m->in, 0.95, &bandwidth));
	m->in.runs = 100;
	EXPECT_NE(KVMWATCH_CONVERGES, predict(&m->in).verdict);
	m->in.downtime = downtime * 1.001;
	EXPECT_EQ(KVMWATCH_CONVERGES, predict(&m->in).verdict);
	m->in.downtime = 0.3;
	m->in.bandwidth = bandwidth * 1.001;
	EXPECT_EQ(KVMWATCH_CONVERGES, predict(&m->in).verdict);
}

TEST(link_that_is_too_slow_is_out_of_range)
{
	struct guest guest = { .rate = 60000, .pages = 60000 };
	struct measured *m = measure(&guest);
	double bandwidth;

	m->in.link = 32 * MIB;
	EXPECT_EQ(-ERANGE, kvmwatch_predict_bandwidth(&m->in, 0.95, &bandwidth));
}

/* --- Without cycles ------------------------------------------------------ */

TEST(without_cycles_the_bound_is_known_alone)
{
	struct measured *m = measure(&(struct guest) { });
	struct kvmwatch_prediction out;
	double value;

	m->in.nr_cycles = 0;
	out = predict(&m->in);
	EXPECT_EQ(KVMWATCH_UNKNOWN, out.verdict);
	EXPECT_EQ(KVMWATCH_REASON_NO_CYCLES, out.reason);
	EXPECT_EQ(KVMWATCH_PREDICT_NONE, out.share);
	EXPECT_EQ(KVMWATCH_PREDICT_NONE, out.total);
	EXPECT_EQ(KVMWATCH_PREDICT_NONE, out.dirtied);
	EXPECT_EQ(12288 * SENT + 53248 * 9, out.first_bytes);
	EXPECT_LT(fabs(out.first_pass - 12288 * SENT / (16 * MIB)), 0.1);
	EXPECT_EQ(-ENODATA, kvmwatch_predict_downtime(&m->in, 0.95, &value));
	EXPECT_EQ(-ENODATA, kvmwatch_predict_bandwidth(&m->in, 0.95, &value));
}

TEST_HARNESS_MAIN
