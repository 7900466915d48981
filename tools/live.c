// SPDX-License-Identifier: GPL-2.0
/* How a VM whose dirty log is on dirties pages. See live.h. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "interrupt.h"
#include "libkvmwatch.h"
#include "live.h"
#include "repeat.h"

#define TICK_NS		25000000ULL
#define NS_PER_S	1e9
#define NS_PER_MS	1000000ULL

/* --- looking on ------------------------------------------------------------- */

static __u64 sum_of(const struct slot_ages *slot, unsigned int buckets)
{
	__u64 sum = 0;
	unsigned int i;

	for (i = 0; i < buckets; i++)
		sum += slot->in[i];
	return sum;
}

static __u64 marks_of(const struct ages *ages)
{
	__u64 sum = 0;
	size_t i;

	for (i = 0; i < ages->nr; i++)
		sum += sum_of(&ages->slots[i], ages->nr_buckets);
	return sum;
}

static int take_collects(int dev, __u64 vm, __u64 *collects)
{
	const struct kvmwatch_value *value;
	struct kvmwatch_stats *stats;
	int fd, err;

	fd = kvmwatch_open_vm(dev, vm);
	if (fd < 0)
		return fd;
	err = kvmwatch_stats_read(fd, &stats);
	close(fd);
	if (err)
		return err;
	value = kvmwatch_stats_find(stats, "dirty_collects");
	if (value)
		*collects = value->data[0];
	kvmwatch_stats_free(stats);
	return value ? 0 : -ENODATA;
}

/* True if slots with marks have been deleted: then nothing is known of the VM. */
static bool has_lost_marks(const struct live *live, __u64 marks)
{
	return live->nr && marks < live->points[live->nr - 1].marks;
}

static int take_point(int dev, __u64 vm, struct live *live, struct ages *ages)
{
	struct live_point *point = &live->points[live->nr];
	int err;

	err = take_collects(dev, vm, &point->collects);
	if (!err)
		err = ages_take(dev, vm, ages);
	if (err)
		return err == -ENOENT ? -ESRCH : err;
	point->ns = ages->ns;
	point->marks = marks_of(ages);
	if (has_lost_marks(live, point->marks))
		return -ESTALE;
	live->nr++;
	return 0;
}

/* Read the numbers at the beginning. */
static int begin(int dev, __u64 vm, struct live *live)
{
	const struct slot_ages *slot;
	int err = take_point(dev, vm, live, &live->begin);
	bool unknown = false;

	if (err)
		return err;
	for (slot = live->begin.slots; slot < live->begin.slots + live->begin.nr; slot++) {
		live->logged += slot->logged;
		live->dirty += slot->dirty;
		unknown |= slot->logged && !slot->known;
	}
	return live->logged && !unknown ? 0 : -ENODATA;
}

int live_watch(int dev, __u64 vm, bool ring, unsigned int ms, struct live *live)
{
	__u64 from = now_ns(), until = from + ms * NS_PER_MS, next = from;
	int err;

	memset(live, 0, sizeof(*live));
	live->ring = ring;
	err = begin(dev, vm, live);
	while (!err && next < until && live->nr < LIVE_MAX_POINTS) {
		next += TICK_NS;
		interrupt_sleep_until(next);
		if (interrupted())
			return -EINTR;
		ages_free(&live->end);
		err = take_point(dev, vm, live, &live->end);
	}
	return err;
}

void live_free(struct live *live)
{
	ages_free(&live->begin);
	ages_free(&live->end);
}

/* --- what was seen ---------------------------------------------------------- */

/*
 * Was the log collected before this point? A collection fetches the log of each slot. A slot whose
 * log is cleared part by part, as it is sent, counts once.
 */
static bool is_collected(const struct live *live, size_t i)
{
	__u64 more = live->points[i].collects - live->points[i - 1].collects;

	return more >= (live->ring || live->logged < 2 ? 1 : live->logged);
}

static void add_point(struct live_cycles *cycles, __u64 ns, __u64 pages)
{
	size_t *end = &cycles->ends[cycles->nr], i = *end;
	const struct kvmwatch_curve_point *last = i ? &cycles->points[i - 1] : NULL;

	/* Within a cycle, neither may decrease. */
	if (last && (!cycles->nr || i > cycles->ends[cycles->nr - 1])) {
		if (ns <= last->ns)
			return;
		if (pages < last->pages)
			pages = last->pages;
	}
	cycles->points[i] = (struct kvmwatch_curve_point) { .ns = ns, .pages = pages };
	*end = i + 1;
}

static void end_cycle(struct live_cycles *cycles)
{
	size_t begin = cycles->nr ? cycles->ends[cycles->nr - 1] : 0;
	size_t *end = &cycles->ends[cycles->nr];

	/* A cycle without duration says nothing. */
	if (*end == begin || cycles->points[*end - 1].ns < 4 * TICK_NS)
		*end = begin;
	else
		cycles->nr++;
	cycles->ends[cycles->nr] = cycles->nr ? cycles->ends[cycles->nr - 1] : 0;
}

/* Sum up the marks of all slots, by bucket. */
static void sum_buckets(const struct ages *ages, __u64 sum[AGES_MAX])
{
	unsigned int b;
	size_t i;

	memset(sum, 0, AGES_MAX * sizeof(*sum));
	for (i = 0; i < ages->nr; i++) {
		for (b = 0; b < ages->nr_buckets; b++)
			sum[b] += ages->slots[i].in[b];
	}
}

/* The middle of the bucket that grew most: that was the age of new marks, halfway through. */
static __u64 guess_age(const struct live *live)
{
	__u64 was[AGES_MAX], is[AGES_MAX], most = 0, age;
	unsigned int b, at = 0;

	sum_buckets(&live->begin, was);
	sum_buckets(&live->end, is);
	for (b = 0; b < live->end.nr_buckets; b++) {
		if (is[b] > was[b] && is[b] - was[b] > most) {
			most = is[b] - was[b];
			at = b;
		}
	}
	if (!most || !at)
		return 0;
	age = live->end.upper_ns[at - 1] / 2 * 3;
	return age - age / 10;
}

/*
 * Of @marked pages that were marked within @age_ns, those that were by the time that the bucket
 * which goes on now began. If nothing else was logged before, the buckets have it. Else they have
 * marks of cycles that went on for longer, or less long; but pages come no slower in the beginning
 * than they do now.
 */
static double marked_before(const struct live *live, const struct live_cycles *cycles,
			    const __u64 *sum, unsigned int bucket, __u64 age_ns, double marked)
{
	const __u64 *upper = live->begin.upper_ns;
	__u64 from = bucket ? upper[bucket - 1] : 0;
	double before = 0, last = (double)sum[bucket], since = (double)(age_ns - from), share;
	unsigned int b;

	for (b = 0; b < bucket; b++)
		before += (double)sum[b];
	if (before <= 0)
		return 0;
	if (before + last <= 1.05 * marked)
		return marked * before / (before + last);
	share = since / (double)(upper[bucket] - from);
	return fmin(marked * before / (before + share * last),
		    fmax(marked - cycles->pages_s * since / NS_PER_S, 0));
}

/*
 * The cycle that had begun before: what was marked in it until then has the shape of what the
 * module has counted by age. If the log has been cleared before, other cycles are in there, and
 * the sum is more than what is marked now.
 */
static void add_begun(const struct live *live, __u64 age_ns, struct live_cycles *cycles)
{
	__u64 sum[AGES_MAX], marked = live->points[0].marks;
	double before, all = 0, so_far = 0;
	unsigned int b, bucket = 0;

	sum_buckets(&live->begin, sum);
	while (bucket + 1 < live->begin.nr_buckets && live->begin.upper_ns[bucket] < age_ns)
		all += (double)sum[bucket++];
	if (!live->ring && live->dirty <= marked)
		marked = live->dirty;
	before = marked_before(live, cycles, sum, bucket, age_ns, (double)marked);
	for (b = 0; b < bucket; b++) {
		so_far += (double)sum[b];
		add_point(cycles, live->begin.upper_ns[b],
			  all > 0 ? (__u64)(before * so_far / all + 0.5) : 0);
	}
	add_point(cycles, age_ns, marked);
}

void live_cycles(const struct live *live, __u64 age_ns, struct live_cycles *cycles)
{
	const struct live_point *points = live->points, *from = points, *last;
	__u64 since = age_ns, marked = 0;
	size_t i;

	memset(cycles, 0, sizeof(*cycles));
	if (live->nr < 2)
		return;
	last = &points[live->nr - 1];
	cycles->watched_s = (double)(last->ns - points->ns) / NS_PER_S;
	cycles->pages_s = (double)(last->marks - points->marks) / cycles->watched_s;
	if (!since)
		since = guess_age(live);
	if (since) {
		add_begun(live, since, cycles);
		marked = cycles->points[cycles->ends[0] - 1].pages;
	}
	for (i = 1; i < live->nr; i++) {
		if (is_collected(live, i)) {
			end_cycle(cycles);
			from = &points[i];
			since = 0;
			marked = 0;
			continue;
		}
		add_point(cycles, since + points[i].ns - from->ns,
			  marked + points[i].marks - from->marks);
	}
	end_cycle(cycles);
	cycles->since_s = (double)(since + last->ns - from->ns) / NS_PER_S;
	cycles->marked = marked + last->marks - from->marks;
}
