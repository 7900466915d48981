/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libkvmwatch: forecast a live migration before it starts.
 *
 * The input is numbers: how many pages there are to send, how fast the guest dirties pages, how
 * fast the link is. The functions here read no file, know nothing of kvmwatch's device or of QEMU's
 * monitor, keep no state and print nothing. They return 0 or -errno. Threads may call them at the
 * same time. The same input gives the same result, on each call.
 *
 * Units: pages of 4096 bytes, seconds, bytes a second. A result that does not exist is
 * KVMWATCH_PREDICT_NONE, never 0; no result is infinite or not a number.
 *
 * Structures with @size may grow at their end. The caller sets it to sizeof() of the structure that
 * it was compiled with. Set all other members to 0 first: 0 is the default of each member that has
 * one. Structures without @size never grow.
 *
 * Where the formulas come from:
 *
 * - the recurrence n' = u(n / B), with u(t) the distinct pages dirtied within t: A. Gudkov,
 *   "Migration time prediction using calc-dirty-rate", qemu-devel, 2023-04-27, Message-ID
 *   cover.1682598010.git.gudkov.andrei@huawei.com; and Clark et al., "Live Migration of Virtual
 *   Machines", NSDI 2005, for the writable working set
 * - when QEMU looks at the log, sends, waits and stops: migration_iteration_run(),
 *   migration_rate_limit(), migration_update_counters() and migration_completion() in QEMU's
 *   migration/migration.c, ram_save_iterate() and ramblock_sync_dirty_bitmap() in migration/ram.c,
 *   7.2 to 10.0
 * - which of the pages left are dirtied once more: inclusion and exclusion; see predict_loop.c
 */
#ifndef LIBKVMWATCH_PREDICT_H
#define LIBKVMWATCH_PREDICT_H

#include <stddef.h>

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KVMWATCH_PREDICT_PAGE	4096	/* bytes */

/* Marks a result that does not exist. Each value that exists is 0 or more. */
#define KVMWATCH_PREDICT_NONE	(-1.0)

/* Limits of inputs: larger values are -EINVAL. */
#define KVMWATCH_PREDICT_MAX_PAGES	0x10000000000ULL
#define KVMWATCH_PREDICT_MAX_SECONDS	1e6
#define KVMWATCH_PREDICT_MAX_BANDWIDTH	1e15
#define KVMWATCH_PREDICT_MAX_CYCLES	1024
#define KVMWATCH_PREDICT_MAX_POINTS	65536	/* of a cycle */
#define KVMWATCH_PREDICT_MAX_PARTS	65536
#define KVMWATCH_PREDICT_MAX_RUNS	10000

/**
 * struct kvmwatch_curve_point - a point of a first-mark curve
 * @ns:		time since the dirty log was last cleared
 * @pages:	how many distinct pages were marked dirty within that time
 */
struct kvmwatch_curve_point {
	__u64 ns;
	__u64 pages;
};

/**
 * struct kvmwatch_cycle - one cycle of a dirty log, from when it was cleared
 * @points:	sorted by time; neither @ns nor @pages may decrease. The last point is the length
 *		for which the cycle was watched, even if nothing was marked (@pages 0)
 * @nr:		number of @points, at least 1
 *
 * A page counts once in a cycle, however often the guest writes to it. A VM with a dirty ring has
 * its pages marked again after each reap: there, each stretch between two reaps is a cycle. So
 * is each window of KVMWATCH_OPEN_HEAT, with a single point.
 *
 * Points 20 ms to 50 ms apart are best, or, for an age histogram, at its buckets' ends. A cycle of
 * less than 4 points, or whose points are more than a factor 2.5 and 0.3 s apart, counts only where
 * no other reaches.
 *
 * Several short cycles say more than a long one: only the beginnings of cycles show whether the
 * guest writes all the time or in bursts.
 */
struct kvmwatch_cycle {
	const struct kvmwatch_curve_point *points;
	size_t nr;
};

/**
 * struct kvmwatch_part - a part of RAM
 * @pages:	its pages
 * @data:	of these, pages with data
 * @dirty:	number of pages that the guest was seen to dirty; 0 in all parts: unknown
 */
struct kvmwatch_part {
	__u64 pages;
	__u64 data;
	__u64 dirty;
};

/* @flags of struct kvmwatch_predict_input */
#define KVMWATCH_PREDICT_RING		0x1U	/* QEMU takes dirty pages from rings */
#define KVMWATCH_PREDICT_AUTO_CONVERGE	0x2U	/* QEMU may throttle the vCPUs */
#define KVMWATCH_PREDICT_LIVE		0x4U	/* the migration runs: see @live_since */

/**
 * struct kvmwatch_predict_input - a VM, and the migration to forecast
 * @size:	sizeof() of this structure
 * @flags:	KVMWATCH_PREDICT_RING and others
 * @runs:	number of migrations to simulate; 0: 200
 * @seed:	of their random numbers; any number, including 0
 * @nr_cycles:	number of @cycles; 0: dirtying is unknown, and so is the verdict
 * @cycles:	how the guest dirties pages; the caller keeps them
 * @ram_pages:	all pages of RAM
 * @data_pages:	pages that are sent whole in the first pass
 * @zero_pages:	pages that are sent as a header in the first pass
 * @nr_parts:	number of @parts; 0: all zero pages are taken to come after all pages with data
 * @parts:	where in RAM there are data, in the order in which QEMU sends it, such as memory
 *		slots by address, or finer. QEMU looks at the log when little is left, be it zero or
 *		not, so it matters what comes last
 * @data_sd:	relative standard deviation of @data_pages, of sampling; 0: it is exact
 * @growth:	pages a second by which @data_pages grow while the first pass goes on; below 0: by
 *		which they become zero pages
 * @bandwidth:	bytes a second that QEMU may send (max-bandwidth)
 * @link:	bytes a second that the link takes; 0: unknown, and drawn for each run between
 *		@bandwidth and ten Gbit/s, nearer to the latter
 * @downtime:	seconds of pause that QEMU may plan for (downtime-limit)
 * @device:	seconds of pause that are not RAM: stop, devices' state, start on the other side
 * @setup:	seconds before the first page is sent
 * @zero_page:	seconds that it takes to find that a page is zero
 * @look:	seconds that it takes to collect the log
 * @chunk:	bytes of RAM whose log is cleared at once (QEMU: clear_bmap); 0: 1 GiB
 * @vcpu_share:	share of time, above 0 to 1, that the vCPUs run: a throttle below what they idle
 *		slows nothing; 0: unknown, and taken to be 1
 * @horizon:	seconds after which a migration counts as one that does not converge; 0: when it has
 *		looked 600 times at the log in a row, or has sent 10 times what the first pass sends
 * @live_since:	with KVMWATCH_PREDICT_LIVE: seconds since the log was last collected, or, in the
 *		first pass, since the migration began. @data_pages and @zero_pages then are what is
 *		left to be sent, and results count from now
 * @live_marked: pages marked since then; 0 if none, or unknown
 * @live_looks:	how often the log has been collected (dirty-sync-count); 1 or 0: the first pass
 *		goes on
 * @live_throttle: share by which auto-converge throttles now
 * @dirty_zero:	share of the pages that are dirtied whose contents are zero by the time that they
 *		are sent: QEMU sends a header of each. 0 to 1; 0: none is, which is a bound
 * @dirty_zero_sd: standard deviation of @dirty_zero, of sampling; 0: it is exact
 */
struct kvmwatch_predict_input {
	size_t size;
	__u32 flags;
	__u32 runs;
	__u64 seed;
	size_t nr_cycles;
	const struct kvmwatch_cycle *cycles;

	__u64 ram_pages;
	__u64 data_pages;
	__u64 zero_pages;
	size_t nr_parts;
	const struct kvmwatch_part *parts;
	double data_sd;
	double growth;

	double bandwidth;
	double link;
	double downtime;
	double device;
	double setup;
	double zero_page;
	double look;
	__u64 chunk;
	double vcpu_share;
	double horizon;

	double live_since;
	__u64 live_marked;
	__u32 live_looks;
	__u32 reserved;
	double live_throttle;

	double dirty_zero;
	double dirty_zero_sd;
};

/**
 * enum kvmwatch_verdict - whether a migration converges
 * @KVMWATCH_UNKNOWN:		there is no cycle to tell from
 * @KVMWATCH_CONVERGES:		at least 95 % of the runs do
 * @KVMWATCH_DOES_NOT:		at most 5 % do
 * @KVMWATCH_UNCERTAIN:		what is between
 */
enum kvmwatch_verdict {
	KVMWATCH_UNKNOWN,
	KVMWATCH_CONVERGES,
	KVMWATCH_DOES_NOT,
	KVMWATCH_UNCERTAIN,
};

/**
 * enum kvmwatch_reason - why the verdict is what it is
 * @KVMWATCH_REASON_NONE:	nothing stands out
 * @KVMWATCH_REASON_NO_CYCLES:	unknown: nothing is known of dirtying
 * @KVMWATCH_REASON_QUIET:	converges: less than a tenth of what may be left is dirtied
 * @KVMWATCH_REASON_RATE:	does not: pages are dirtied faster than they are sent, for as long
 *				as it takes to send them
 * @KVMWATCH_REASON_HOT:	does not: the pages that are dirtied within the downtime alone take
 *				longer than the downtime to send
 * @KVMWATCH_REASON_BURSTS:	uncertain: some measured cycles differ much from others
 * @KVMWATCH_REASON_SHORT:	uncertain: the first pass takes more than twice as long as the
 *				longest cycle
 * @KVMWATCH_REASON_EDGE:	uncertain: what is dirtied is about what may be left
 */
enum kvmwatch_reason {
	KVMWATCH_REASON_NONE,
	KVMWATCH_REASON_NO_CYCLES,
	KVMWATCH_REASON_QUIET,
	KVMWATCH_REASON_RATE,
	KVMWATCH_REASON_HOT,
	KVMWATCH_REASON_BURSTS,
	KVMWATCH_REASON_SHORT,
	KVMWATCH_REASON_EDGE,
};

/**
 * struct kvmwatch_prediction - a forecast
 * @size:	sizeof() of this structure, set by the caller
 * @verdict:	enum kvmwatch_verdict
 * @reason:	enum kvmwatch_reason
 * @share:	share of the runs that converge, 0 to 1; none without cycles
 * @total:	seconds from start to end, set-up and pause included: the median of the runs that
 *		converge, as is all that follows; none if there are none
 * @total_low:	5 % take less
 * @total_high:	5 % take longer; none unless 95 % of all runs converge
 * @bytes:	sent in all
 * @bytes_low:	5 % send less
 * @bytes_high:	5 % send more; none as @total_high
 * @rounds:	how often QEMU collects the log, as its dirty-sync-count has it
 * @pause:	seconds for which the guest stands still
 * @pause_low:	5 % pause for less
 * @pause_high:	5 % pause for longer
 * @throttle:	share by which auto-converge throttles in the end
 * @first_pass:	seconds that the first pass takes, set-up included. This and @first_bytes are known
 *		without cycles, and are the least that any migration takes
 * @first_bytes: bytes that the first pass sends
 * @threshold:	pages that may be left when QEMU stops the guest
 * @dirtied:	pages that are dirtied within the downtime, from a clean log
 * @dirtied_second: pages that are dirtied within the first second, from a clean log
 * @measured:	seconds of the longest cycle
 * @variation:	relative standard deviation of dirtying from cycle to cycle, beyond chance
 */
struct kvmwatch_prediction {
	size_t size;
	__u32 verdict;
	__u32 reason;
	double share;
	double total;
	double total_low;
	double total_high;
	double bytes;
	double bytes_low;
	double bytes_high;
	double rounds;
	double pause;
	double pause_low;
	double pause_high;
	double throttle;
	double first_pass;
	double first_bytes;
	double threshold;
	double dirtied;
	double dirtied_second;
	double measured;
	double variation;
};

/**
 * kvmwatch_predict() - forecast a migration
 * @in: the VM and the migration
 * @out: filled, up to @out->size; unchanged when this fails
 *
 * More bandwidth or more downtime does not worsen the verdict, all else equal: each run draws the
 * same random numbers, whatever these two are, and counts as one that converges if it does with 5 %
 * less of either. @share may be lower near the edge, by a run or two, in one of 2,400 inputs made
 * up at random. With auto-converge there are exceptions, as throttling goes by the clock.
 *
 * Return: 0; -EINVAL: a number is negative, not a number, more than may be, or missing, or the
 * pages to send are more than there are; -E2BIG: @in is of a newer library, and what this one does
 * not know of it is not 0; -ENOMEM.
 */
int kvmwatch_predict(const struct kvmwatch_predict_input *in, struct kvmwatch_prediction *out);

/**
 * kvmwatch_predict_downtime() - find the smallest downtime with which a migration converges
 * @in: as for kvmwatch_predict(); @in->downtime is ignored
 * @share: share of the runs that must converge, above 0 to 1. 0.95 finds the downtime that is
 *	surely enough, 0.05 the one that may be enough
 * @downtime: set to the smallest such downtime, within 2 %; at least 1 ms
 *
 * Return: as kvmwatch_predict(); -ENODATA: there are no cycles; -ERANGE: an hour is not enough.
 */
int kvmwatch_predict_downtime(const struct kvmwatch_predict_input *in, double share,
			      double *downtime);

/**
 * kvmwatch_predict_bandwidth() - find the smallest bandwidth with which a migration converges
 * @in: as for kvmwatch_predict(); @in->bandwidth is ignored. Bandwidth above a known @in->link
 *	makes no difference
 * @share: as for kvmwatch_predict_downtime()
 * @bandwidth: set to the smallest such bandwidth in bytes a second, within 2 %; at least 64 KiB/s
 *
 * Return: as kvmwatch_predict_downtime(); -ERANGE: 1 TiB/s is not enough.
 */
int kvmwatch_predict_bandwidth(const struct kvmwatch_predict_input *in, double share,
			       double *bandwidth);

/* A few English words, as a static string; "?" for an unknown number. */
const char *kvmwatch_predict_verdict_name(__u32 verdict);
const char *kvmwatch_predict_reason_name(__u32 reason);

/**
 * struct kvmwatch_textbook - the published recurrence, to compare with
 * @size:	sizeof() of this structure
 * @curve:	one curve: distinct pages over time, at least 2 points
 * @data_pages:	pages that are sent whole in the first pass; no more are ever dirty
 * @zero_pages:	pages that are sent as a header in the first pass
 * @zero_bytes:	bytes of such a header (Gudkov: 8; QEMU sends 9)
 * @bandwidth:	bytes a second
 * @downtime:	seconds
 * @horizon:	seconds after which it counts as not converging
 * @converges:	set: 1, or 0
 * @rounds:	set: how often pages were sent
 * @total:	set: seconds
 * @bytes:	set: bytes sent
 */
struct kvmwatch_textbook {
	size_t size;
	struct kvmwatch_cycle curve;
	__u64 data_pages;
	__u64 zero_pages;
	double zero_bytes;
	double bandwidth;
	double downtime;
	double horizon;
	__u32 converges;
	__u32 rounds;
	double total;
	double bytes;
};

/**
 * kvmwatch_predict_textbook() - compute the recurrence that papers use
 * @book: the VM and the migration; this sets the members described as "set"
 *
 * Rounds of n' = u(t), t' = n' * 4104 / B, until one is as short as the downtime. Between points u
 * is a straight line; before the first one it is that of the first two points, from no less than 0;
 * after the last that of the last two, up to @data_pages. It is no forecast of what QEMU does,
 * which looks at the log earlier: kvmwatch_predict() is.
 *
 * Return: 0, -EINVAL or -E2BIG as kvmwatch_predict().
 */
int kvmwatch_predict_textbook(struct kvmwatch_textbook *book);

#ifdef __cplusplus
}
#endif

#endif /* LIBKVMWATCH_PREDICT_H */
