// SPDX-License-Identifier: GPL-2.0
/*
 * Forecasts of migrations: the published table, cases whose answer is known in closed form, what
 * must hold for any input, and input that is wrong. How near forecasts come to migrations is
 * for "make bench-predict".
 */
#include <math.h>

#include <kselftest_harness.h>

#include "dice.h"
#include "predict.h"

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

/* What is dirtied and zero is sent as a few bytes: a hot set of such pages is as good as none. */
TEST(zero_pages_that_are_dirtied_cost_their_headers)
{
	struct guest guest = { .pages = 12000, .rate = 6000 };
	struct kvmwatch_prediction whole, half, zero;
	struct measured *m = measure(&guest);

	m->in.zero_page = 1 / 1e6;
	whole = predict(&m->in);
	m->in.dirty_zero = 0.5;
	half = predict(&m->in);
	m->in.dirty_zero = 1;
	zero = predict(&m->in);
	EXPECT_EQ(KVMWATCH_DOES_NOT, whole.verdict);
	EXPECT_EQ(KVMWATCH_CONVERGES, half.verdict);
	EXPECT_EQ(KVMWATCH_CONVERGES, zero.verdict);
	EXPECT_LT(zero.total, half.total);
	EXPECT_LT(fabs(zero.total - zero.first_pass), 0.15);
	EXPECT_LT(zero.bytes, zero.first_bytes + 20 * 12000 * 9);
	EXPECT_LT(zero.first_bytes * 1.2, half.bytes);
	free(m);
	/* Not to know it makes the interval wider. */
	guest.rate = 2000;
	m = measure(&guest);
	m->in.zero_page = 1 / 1e6;
	m->in.dirty_zero = 0.5;
	half = predict(&m->in);
	m->in.dirty_zero_sd = 0.3;
	zero = predict(&m->in);
	EXPECT_LT(half.total_high - half.total_low, zero.total_high - zero.total_low);
	free(m);
}

/*
 * 12,288 pages of data that become fewer: within the 3 s of the first pass up to 3,000 become zero
 * pages, and half of those before they are sent.
 */
TEST(pages_that_become_zero_before_they_are_sent_cost_their_headers)
{
	struct measured *m = measure(&(struct guest) { });
	struct kvmwatch_prediction same = predict(&m->in), fewer;

	m->in.growth = -1000;
	fewer = predict(&m->in);
	EXPECT_LT(same.bytes - 1500 * SENT, fewer.bytes_low);
	EXPECT_LT(fewer.bytes_low, same.bytes - 1200 * SENT);
	/* They may also have become so by then. */
	EXPECT_LT(fabs(fewer.bytes_high / same.bytes - 1), 0.02);
	EXPECT_LT(fewer.total, same.total);
	EXPECT_LT(same.total - 1500 * SENT / (16 * MIB) - 0.1, fewer.total_low);
	free(m);
}

/* A limit is below what the link takes, as a rule; how far, nobody knows who does not say it. */
TEST(unknown_link_is_faster_than_the_limit)
{
	struct measured *m = measure(&(struct guest) { .pages = 1000, .rate = 1e5 });
	struct kvmwatch_prediction slow, unknown, fast;

	m->in.link = m->in.bandwidth;
	slow = predict(&m->in);
	m->in.link = 10e9;
	fast = predict(&m->in);
	m->in.link = 0;
	unknown = predict(&m->in);
	EXPECT_LT(fabs(slow.pause - 1000 * SENT / (16 * MIB)), 0.002);
	EXPECT_LT(fast.pause, unknown.pause);
	EXPECT_LT(unknown.pause, slow.pause / 4);
	EXPECT_LT(slow.pause / 3, unknown.pause_high);
	EXPECT_EQ(KVMWATCH_CONVERGES, unknown.verdict);
	/* Where it may send all that there is, that is the link. */
	m->in.bandwidth = 10e9;
	unknown = predict(&m->in);
	m->in.link = 10e9;
	fast = predict(&m->in);
	EXPECT_EQ(fast.pause, unknown.pause);
	free(m);
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

/* --- What must hold for any input ----------------------------------------- */

/* So that numbers of each size come */
static double decades(double low, double high)
{
	return exp(between(log(low), log(high)));
}

#define MOST_CYCLES	6
#define MOST_POINTS	40

struct any {
	struct kvmwatch_curve_point points[MOST_CYCLES][MOST_POINTS];
	struct kvmwatch_cycle cycles[MOST_CYCLES];
	struct kvmwatch_part parts[8];
	struct kvmwatch_predict_input in;
};

/* Cycles of a guest with bursts or without, of any length, with any points */
static void any_cycles(struct any *any, double pages, double rate, double rest)
{
	size_t i, j;

	any->in.nr_cycles = 1 + roll() % MOST_CYCLES;
	any->in.cycles = any->cycles;
	for (i = 0; i < any->in.nr_cycles; i++) {
		double at = 0, length = decades(0.2, 20), busy = 0;

		any->cycles[i].points = any->points[i];
		any->cycles[i].nr = 1 + roll() % MOST_POINTS;
		for (j = 0; j < any->cycles[i].nr; j++) {
			at += length / (double)any->cycles[i].nr;
			if (between(0, 1) >= rest)
				busy += length / (double)any->cycles[i].nr;
			any->points[i][j].ns = (__u64)(at * 1e9);
			any->points[i][j].pages = (__u64)(pages * -expm1(-rate * busy / pages));
		}
	}
}

static void any_input(struct any *any)
{
	struct kvmwatch_predict_input *in = &any->in;
	size_t i;

	memset(any, 0, sizeof(*any));
	in->size = sizeof(*in);
	in->runs = 40;
	in->seed = roll();
	in->ram_pages = (__u64)decades(1000, 1e7);
	in->data_pages = (__u64)(between(0, 1) * (double)in->ram_pages);
	in->zero_pages = in->ram_pages - in->data_pages;
	in->bandwidth = decades(1e6, 1e10);
	in->link = roll() % 2 ? in->bandwidth * decades(0.5, 20) : 0;
	in->downtime = decades(0.01, 5);
	in->device = between(0, 0.1);
	in->zero_page = between(0, 2 / 1e6);
	in->growth = (roll() % 4 ? 0 : decades(1, 1e5)) * (in->seed % 2 ? 1 : -1);
	in->data_sd = roll() % 2 ? between(0, 0.2) : 0;
	in->dirty_zero = roll() % 2 ? between(0, 1) : 0;
	in->dirty_zero_sd = roll() % 2 ? between(0, 0.3) : 0;
	in->chunk = roll() % 3 ? 0 : 1ULL << (12 + roll() % 20);
	if (roll() % 4 == 0)
		in->flags |= KVMWATCH_PREDICT_RING;
	any_cycles(any, between(0.01, 1) * (double)in->ram_pages,
		   in->bandwidth / SENT * decades(0.01, 3), roll() % 3 ? 0 : between(0, 0.9));
	if (roll() % 2) {
		in->parts = any->parts;
		in->nr_parts = 1 + roll() % 8;
		for (i = 0; i < in->nr_parts; i++) {
			any->parts[i].pages = 1 + roll() % 100000;
			any->parts[i].data = roll() % any->parts[i].pages;
			any->parts[i].dirty = roll() % any->parts[i].pages;
		}
	}
}

static struct any any;

/* Of 8,000 such inputs 5 have a step that lowers the share, none one that worsens the verdict. */
TEST(more_bandwidth_or_downtime_never_worsens_it)
{
	struct kvmwatch_prediction few, more;
	unsigned int i, step, differ = 0;
	bool bandwidth;

	for (i = 0; i < 400; i++) {
		any_input(&any);
		bandwidth = i % 2;
		if (bandwidth)
			any.in.link = 0;
		few = predict(&any.in);
		for (step = 0; step < 4; step++) {
			if (bandwidth)
				any.in.bandwidth *= 1.3;
			else
				any.in.downtime *= 1.3;
			more = predict(&any.in);
			differ += more.share != few.share;
			ASSERT_TRUE(more.share >= few.share)
				TH_LOG("input %u: %s: %g, with less %g", i,
				       bandwidth ? "bandwidth" : "downtime", more.share, few.share);
			few = more;
		}
	}
	EXPECT_LT(20U, differ);		/* else this tells nothing */
}

/*
 * In small chunks of the log, few pages that were sent are seen, and most that were not. If the
 * latter count as pending and as found, more downtime leaves more of them, and so fails.
 */
TEST(what_is_found_where_nothing_was_sent_counts_once)
{
	static const struct {
		struct guest guest;
		__u64 chunk;
		__u64 seed;
	} guests[] = {
		{ { .pages = 176889, .rate = 9947 }, 128 << 10, 6 },
		{ { .pages = 72148, .rate = 7697 }, 128 << 10, 22 },
		{ { .pages = 71445, .rate = 5920 }, 8 << 10, 30 },
		{ { .pages = 53780, .rate = 6494 }, 256 << 10, 51 },
	};
	struct kvmwatch_prediction few, more;
	struct measured *m;
	unsigned int i, step, differ;

	for (i = 0; i < ARRAY_SIZE(guests); i++) {
		m = measure(&guests[i].guest);
		m->in.ram_pages = 2 << 20;
		m->in.data_pages = 80000;
		m->in.zero_pages = 1000;
		m->in.chunk = guests[i].chunk;
		m->in.horizon = 60;
		m->in.seed = guests[i].seed;
		m->in.runs = 40;
		m->in.downtime = 0.1;
		few = predict(&m->in);
		for (step = 0, differ = 0; step < 12; step++) {
			m->in.downtime *= 1.3;
			more = predict(&m->in);
			differ += more.share > few.share;
			EXPECT_LE(few.share, more.share)
				TH_LOG("guest %u, %g s: %g, with less %g", i, m->in.downtime,
				       more.share, few.share);
			few = more;
		}
		EXPECT_LT(0U, differ);	/* else this tells nothing */
		free(m);
	}
}

/* When a guest has dirtied nearly all of its pages, the variance falls faster than they grow. */
TEST(scatter_of_few_pages_never_gives_fewer_with_more_time)
{
	struct guest guest = { .rate = 1000 };
	double bell, time, pages, before, now;

	for (guest.pages = 1; guest.pages < 1e6; guest.pages *= 3) {
		for (bell = -3; bell <= 3; bell += 0.5) {
			before = 0;
			for (time = 0.1 / guest.rate; time < 100 * guest.pages / guest.rate;
			     time *= 1.1) {
				pages = pages_in(&guest, time);
				now = scattered(pages, pages_in(&guest, 2 * time) - pages, bell);
				ASSERT_LE(before, now + guest.pages / 1e9)
					TH_LOG("%g of %g pages, %g deviations", pages, guest.pages,
					       bell);
				before = now;
			}
		}
	}
}

TEST(needs_are_in_order)
{
	double surely, maybe;
	unsigned int i;
	int err;

	for (i = 0; i < 30; i++) {
		any_input(&any);
		err = kvmwatch_predict_downtime(&any.in, 0.95, &surely);
		ASSERT_TRUE(!err || err == -ERANGE);
		if (err)
			continue;
		ASSERT_EQ(0, kvmwatch_predict_downtime(&any.in, 0.05, &maybe));
		ASSERT_TRUE(maybe <= surely);
	}
}

static bool is_sound(double value)
{
	return value == KVMWATCH_PREDICT_NONE || (value >= 0 && value < 1e30);
}

static bool all_sound(const struct kvmwatch_prediction *out)
{
	return is_sound(out->share) && is_sound(out->total) && is_sound(out->total_low) &&
	       is_sound(out->total_high) && is_sound(out->bytes) && is_sound(out->bytes_low) &&
	       is_sound(out->bytes_high) && is_sound(out->rounds) && is_sound(out->pause) &&
	       is_sound(out->pause_low) && is_sound(out->pause_high) && is_sound(out->throttle) &&
	       is_sound(out->first_pass) && is_sound(out->first_bytes) &&
	       is_sound(out->threshold) && is_sound(out->dirtied) &&
	       is_sound(out->dirtied_second) && is_sound(out->measured) &&
	       is_sound(out->variation);
}

/* The middle is between both ends. */
static bool in_order(double low, double middle, double high)
{
	return low <= middle && (high == KVMWATCH_PREDICT_NONE || middle <= high);
}

TEST(any_input_gives_numbers_in_order)
{
	struct kvmwatch_prediction out;
	unsigned int i;

	for (i = 0; i < 300; i++) {
		any_input(&any);
		if (roll() % 3 == 0) {
			any.in.flags |= KVMWATCH_PREDICT_LIVE;
			any.in.live_looks = roll() % 4;
			any.in.live_since = decades(0.01, 100);
			any.in.live_marked = roll() % (any.in.ram_pages + 1);
		}
		if (roll() % 3 == 0)
			any.in.flags |= KVMWATCH_PREDICT_AUTO_CONVERGE;
		out = predict(&any.in);
		ASSERT_TRUE(all_sound(&out)) TH_LOG("input %u", i);
		ASSERT_TRUE(in_order(out.total_low, out.total, out.total_high) &&
			    in_order(out.bytes_low, out.bytes, out.bytes_high) &&
			    in_order(out.pause_low, out.pause, out.pause_high))
			TH_LOG("input %u", i);
	}
}

TEST(same_input_gives_the_same)
{
	struct kvmwatch_prediction once, again;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		any_input(&any);
		once = predict(&any.in);
		again = predict(&any.in);
		ASSERT_EQ(0, memcmp(&once, &again, sizeof(once)));
	}
}

/*
 * Each member, and each word of each cycle, with a value from the edges of what there is: it is
 * refused, or gives numbers. That it ends within the time limit of the test shows that the runs are
 * bounded.
 */
TEST(hostile_input_is_refused_or_gives_numbers)
{
	static const double edges[] = {
		0, -1, NAN, INFINITY, -INFINITY, 1 / 1e300, 1, 1e6, 1e15, 1e300, 0x1p64,
	};
	struct kvmwatch_prediction out;
	unsigned int i, n, refused = 0;
	__u64 word;

	for (i = 0; i < 1500; i++) {
		any_input(&any);
		any.in.runs = 5;
		for (n = roll() % 3 + 1; n; n--) {
			double edge = edges[roll() % ARRAY_SIZE(edges)];
			size_t words = (offsetof(struct kvmwatch_predict_input, dirty_zero_sd) -
					offsetof(struct kvmwatch_predict_input, data_sd)) / 8 + 1;
			size_t at = offsetof(struct kvmwatch_predict_input, data_sd) +
				    roll() % words * 8;

			memcpy((char *)&any.in + at, &edge, 8);
		}
		word = roll() % 2 ? ~0ULL : roll() >> roll() % 64;
		switch (roll() % 6) {
		case 0:
			any.points[0][roll() % MOST_POINTS].ns = word;
			break;
		case 1:
			any.points[0][roll() % MOST_POINTS].pages = word;
			break;
		case 2:
			any.in.ram_pages = word;
			break;
		case 3:
			any.in.data_pages = word;
			break;
		case 4:
			any.in.zero_pages = word;
			break;
		default:
			any.parts[0].data = word;
		}
		out = (struct kvmwatch_prediction) { .size = sizeof(out) };
		if (kvmwatch_predict(&any.in, &out))
			refused++;
		else
			ASSERT_TRUE(all_sound(&out)) TH_LOG("input %u", i);
	}
	EXPECT_LT(300U, refused);
	EXPECT_LT(refused, 1500U);
}

/* --- Kinds of migrations --------------------------------------------------- */

/* What is left takes less than all of it, and at the end of the first pass, as it did before. */
TEST(live_forecast_goes_on_from_where_it_is)
{
	struct guest guest = { .pages = 8000, .rate = 2500 };
	struct measured *m = measure(&guest);
	struct kvmwatch_prediction whole = predict(&m->in), live;
	double gone = 1.0, sent = gone * 16 * MIB / SENT;

	m->in.flags |= KVMWATCH_PREDICT_LIVE;
	m->in.live_looks = 1;
	m->in.live_since = gone;
	m->in.live_marked = (__u64)pages_in(&guest, gone);
	m->in.data_pages -= (__u64)sent;
	live = predict(&m->in);
	EXPECT_TRUE(fabs(live.total + gone - whole.total) < 0.15)
		TH_LOG("%g and %g, not %g", gone, live.total, whole.total);
	EXPECT_TRUE(fabs(live.bytes + sent * SENT - whole.bytes) < 0.05 * whole.bytes);
	EXPECT_LT(live.rounds, whole.rounds + 0.5);
}

TEST(live_forecast_of_a_late_round_is_short)
{
	struct guest guest = { .pages = 8000, .rate = 1000 };
	struct measured *m = measure(&guest);
	struct kvmwatch_prediction live;

	m->in.flags |= KVMWATCH_PREDICT_LIVE;
	m->in.live_looks = 4;
	m->in.live_since = 0.2;
	m->in.live_marked = 200;
	m->in.data_pages = 1500;
	m->in.zero_pages = 0;
	live = predict(&m->in);
	EXPECT_EQ(KVMWATCH_CONVERGES, live.verdict);
	EXPECT_LT(live.total, 1.0);
	m->in.live_marked = 4000;	/* more than may be left */
	EXPECT_LT(live.total, predict(&m->in).total);
}

TEST(ring_is_one_chunk)
{
	struct guest guest = { .pages = 9000, .rate = 2500 };
	struct measured *m = measure(&guest);
	struct kvmwatch_prediction ring;

	m->in.chunk = 2 << 20;
	m->in.flags |= KVMWATCH_PREDICT_RING;
	ring = predict(&m->in);
	EXPECT_LT(predict(&m->in).total - ring.total, 1 / 1e9);
	m->in.flags = 0;
	EXPECT_LT(predict(&m->in).bytes, ring.bytes);	/* late chunks are exposed for less time */
	m->in.chunk = 0;
	EXPECT_EQ(ring.bytes, predict(&m->in).bytes);
}

TEST(auto_converge_ends_what_would_not)
{
	struct guest guest = { .pages = 20000, .rate = 6000 };
	struct measured *m = measure(&guest);
	struct kvmwatch_prediction out;

	EXPECT_EQ(KVMWATCH_DOES_NOT, predict(&m->in).verdict);
	m->in.flags |= KVMWATCH_PREDICT_AUTO_CONVERGE;
	out = predict(&m->in);
	EXPECT_EQ(KVMWATCH_CONVERGES, out.verdict);
	EXPECT_LT(0.19, out.throttle);
	/* vCPUs that idle most of the time are slowed by a throttle above that alone. */
	m->in.vcpu_share = 0.5;
	EXPECT_LT(out.throttle, predict(&m->in).throttle);
}

TEST_HARNESS_MAIN
