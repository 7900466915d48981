// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * QEMU's migration loop, played through once: migration_iteration_run(), ram_save_iterate(),
 * migration_rate_limit() and migration_completion().
 *
 * QEMU sends what it may in a window of 100 ms, at the speed of the link, and waits for the next
 * one. It looks at the dirty log when fewer pages are left than the link takes within the downtime
 * (the threshold), or none. If there are fewer still afterwards, it stops the guest. So in each
 * step here: send until a look is due, look, and add what was dirtied since the last look to what
 * is left.
 *
 * Where in its windows QEMU is when a look is due is a matter of chance, and drawn. All that is
 * drawn belongs to the number of the look, not to the time of day: so a migration with more
 * bandwidth or downtime meets the same guest, look by look, and has fewer pages pending at each of
 * them, but for the luck that migrate_or_less() is about.
 */
#include <math.h>
#include <string.h>

#include "predict.h"

/* A device's state and the ends of sections, roughly */
#define DEVICE_BYTES	8192.0

/* What is dirtied within a look's time must be less than this part of what is sent, or */
#define THROTTLE_SHARE	0.5	/* auto-converge sets in: throttle-trigger-threshold */
#define THROTTLE_FIRST	0.2	/* cpu-throttle-initial */
#define THROTTLE_STEP	0.1	/* cpu-throttle-increment */
#define THROTTLE_MOST	0.99	/* max-cpu-throttle */

#define MAX_WAIT	0.05	/* seconds of ram_save_iterate() */
#define MAX_LOOKS	600.0	/* a minute of windows */
#define MOST_LOOKS	20000	/* whatever the horizon */
#define MAX_AGAIN	10.0	/* first passes */

struct state {
	const struct plan *plan;
	const struct chance *chance;
	double seconds;
	double bytes;
	double pending;		/* pages left after the last look */
	double before;		/* the guest's time between the last two looks */
	double since;		/* before the migration that runs already was looked at */
	double marked;
	bool first_pass;
	bool in_window;		/* nothing was left, so it looked before the window's end */
	double window_used;	/* of which this share had been sent */
	double again;		/* pages sent beyond one window for each look */
	struct speed speed;	/* at which what is pending is sent */
	double data, all;	/* pages of the first pass with data, and all */
	double zero_left;	/* of @pending, zero pages of the first pass */
	double tail_left;	/* pages with data that it had left, of which */
	double tail_cold;	/* so many were not dirtied since */
	double tail_dirty;	/* share of what is dirtied in what that has not come to */
	double cold;		/* pages of the first pass that are left, and go first */
	unsigned int look;
	unsigned int tried;	/* looks that do not count against it */
	double throttle;
	double check_at, check_dirtied, check_sent;
	unsigned int high;	/* how often in a row the guest dirtied much */
};

/* --- The guest ----------------------------------------------------------- */

static double path_at(const struct chance *chance, double seconds)
{
	const unsigned int nr = chance->path_slices;
	const double *path = chance->path;
	double length = nr * SLICE, laps = floor(seconds / length);
	double slice = (seconds - laps * length) / SLICE;
	unsigned int i = (unsigned int)slice;
	double from;

	if (i > nr - 1)
		i = nr - 1;
	from = i ? path[i - 1] : 0;
	return laps * path[nr - 1] + from + (path[i] - from) * (slice - i);
}

/*
 * Where a look's stretch of the path is. Looks that follow each other from window to window see the
 * guest go on; what is longer than a window is from anywhere. So no look sees what another has
 * seen, and yet, which part a look sees depends on its number alone.
 */
struct stretch {
	unsigned int near;	/* where it begins in the window */
	unsigned int far;	/* and if it is longer, what is beyond goes on from here */
};

#define WINDOW_SLICES	((unsigned int)(WINDOW / SLICE + 0.5))

static struct stretch stretch_of(const struct state *s)
{
	return (struct stretch) {
		.near = s->look * WINDOW_SLICES,
		.far = (unsigned int)(draw_even(~s->chance->key, s->look) *
				      s->chance->path_slices),
	};
}

static unsigned int path_slice(const struct chance *chance, const struct stretch *stretch,
			       unsigned int slice)
{
	return ((slice < WINDOW_SLICES ? stretch->near : stretch->far) + slice) %
	       chance->path_slices;
}

static double path_between(const struct chance *chance, unsigned int from, double slices)
{
	double to = from + slices;

	return path_at(chance, to * SLICE) - path_at(chance, from * SLICE);
}

/* The guest's own time that passes in @seconds after the look before. */
static double own_time(const struct state *s, double seconds)
{
	const struct plan *plan = s->plan;
	const struct chance *chance = s->chance;
	double own = seconds, slices = seconds / SLICE, window = WINDOW / SLICE;
	struct stretch stretch;

	if (chance->path && !chance->deviations) {
		stretch = stretch_of(s);
		own = path_between(chance, path_slice(chance, &stretch, 0), fmin(slices, window));
		if (slices > window)
			own += path_between(chance, path_slice(chance, &stretch, WINDOW_SLICES),
					    slices - window);
	}
	return own * fmin((1 - s->throttle) / plan->in->vcpu_share, 1);
}

static double capped(const struct chance *chance, double pages)
{
	pages *= chance->scale;
	return pages < chance->cap ? pages : chance->cap;
}

static double dirtied_in(const struct chance *chance, double own)
{
	return capped(chance, curve_at(chance->curve, own));
}

/* The same at the end of a slice */
static double dirtied_in_slices(const struct chance *chance, unsigned int slices)
{
	return capped(chance, chance->by_slice[slices]);
}

/*
 * Marks in so many seconds: those of the average cycle, and what the replayed ones had more or
 * less, but less of it the fewer pages are new by then. What is longer than the path deviates no
 * more than the path does.
 */
static double most_deviating(const struct state *s, double seconds)
{
	const double *path = s->chance->path, *expected = path + s->chance->path_slices;
	unsigned int slice = 0, i;
	double most = 0, more = 0, before = 0, now, part = 1;
	struct stretch stretch = stretch_of(s);
	bool last = false;

	while (!last && slice < s->chance->path_slices) {
		last = (slice + 1) * SLICE >= seconds;
		if (last)
			part = seconds / SLICE - slice;
		now = last ? dirtied_in(s->chance, seconds) :
			     dirtied_in_slices(s->chance, slice + 1);
		i = path_slice(s->chance, &stretch, slice++);
		if (expected[i] > 0 && (now - before) < part * expected[i])
			more += path[i] * (now - before) / expected[i];
		else
			more += path[i] * part;
		if (now + more > most)
			most = now + more;
		before = now;
	}
	if (!last)
		most = fmax(most, dirtied_in(s->chance, seconds) + more);
	return fmin(most, s->chance->cap);
}

/* Less than the root of a variance that is small, or more time would give fewer pages. */
double scattered(double pages, double variance, double bell)
{
	double more;

	variance = fmin(fmax(variance, 0), pages);
	more = fmin(fabs(bell) * sqrt(variance), variance);
	return fmax(pages + copysign(more, bell), 0);
}

/*
 * Counts scatter: a page that is dirtied at random times is dirty after @own, or not. Over all
 * pages the variance of that is u(2 own) - u(own).
 */
static double scatter(const struct state *s, double pages, double own)
{
	double bell = draw_bell(s->chance->key, 2 * s->look);
	double variance = dirtied_in(s->chance, 2 * own) - dirtied_in(s->chance, own);

	return fmin(scattered(pages, variance, bell), s->chance->cap);
}

/* Pages that were dirtied since the last look, and those of them that were pending all the time */
struct found {
	double pages;
	double pending;
};

/*
 * In the first pass each chunk is cleared when QEMU comes to it. Later the pages that are pending
 * are spread over as many chunks as what is dirtied; those that were sent are cleared one by one,
 * the last one in part. A page that was not dirty at the last look is seen in any case.
 */
static double seen_in_chunks(const struct state *s, double own, double sent_share)
{
	const struct layout *layout = s->plan->layout;
	double chunks, since, sum = 0;
	unsigned int i;

	if (s->first_pass) {
		for (i = 0; i < layout->chunks; i++) {
			since = own * (1 - fmin(layout->cleared_at[i] / sent_share, 1));
			sum += dirtied_in(s->chance, since) * layout->chunk_dirty[i];
		}
		return sum;
	}
	chunks = fmax(layout->dirty_chunks * sent_share, 1 / 1e6);
	for (i = 0; i < chunks; i++) {
		since = own * (1 - i / chunks);
		sum += (fmax(dirtied_in(s->chance, s->before + own) -
			     dirtied_in(s->chance, s->before + since), 0) +
			dirtied_in(s->chance, since)) * fmin(chunks - i, 1) / chunks;
	}
	return sum;
}

/*
 * Pages that the next look finds dirty, @own after the last one. A page that was dirty then can be
 * marked again only when its chunk of the log has been cleared, which is when QEMU comes to the
 * chunk's first page; the others can at any time. That matters for pages that were sent meanwhile,
 * as those that were not are pending anyway. A guest that writes in order, as QEMU clears in order,
 * may be behind, and then all of it is found; or ahead, and nothing is.
 */
static struct found found_dirty(const struct state *s, double seconds, double own,
				double sent_share)
{
	double pages = dirtied_in(s->chance, own), sum;
	struct found found = { };

	if (s->chance->deviations)
		pages = most_deviating(s, s->since + seconds);
	if (s->chance->always)
		pages = fmax(pages, curve_at(s->chance->always, seconds));
	if (s->marked > 0) {
		pages = fmax(pages - dirtied_in(s->chance, s->since), 0);
		found.pages = s->marked + scatter(s, pages, own);
		return found;
	}
	if (s->plan->layout->chunks == 1) {
		found.pages = scatter(s, pages, own);
		return found;
	}
	sum = fmin(seen_in_chunks(s, own, sent_share), pages);
	sum += s->chance->order * (s->chance->order < 0 ? sum : pages - sum);
	found.pending = (1 - sent_share) * (pages - sum);
	found.pages = scatter(s, sum + found.pending, own);
	return found;
}

/*
 * Returns how many of the @left pages, which QEMU had not sent, the guest did not dirty again in
 * @own. In the first pass, QEMU has not reached the last part of RAM: the @left pages are there.
 * In later passes, the guest dirtied them in the time that QEMU needs for all pending pages. Call
 * that time span. Of the pages that the guest dirties in span, it dirties
 * u(span) + u(own) - u(span + own) in own, too. The @left pages have the same share. This does not
 * hold for a guest that writes in order, as QEMU sends in order, too: the guest may dirty all of
 * them again, or none. Where each of both is decides that, and it stays so for long.
 */
static double not_again(const struct state *s, double left, double own, const struct found *found)
{
	const struct chance *chance = s->chance;
	double span, dirtied, both, all, least, most;

	if (left <= 0)
		return 0;
	if (s->first_pass)
		return left - fmin(found->pages * s->tail_dirty, left);
	left -= s->cold;
	span = s->pending / s->speed.rate * chance->overlap;
	dirtied = dirtied_in(chance, span);
	all = dirtied_in(chance, span + own);
	both = fmax(fmin(dirtied + dirtied_in(chance, own) - all, dirtied), 0);
	both *= dirtied > 0 ? fmin(left / dirtied, 1) : 0;
	most = fmax(fmin(left, found->pages), both);
	least = fmin(fmax(left + found->pages - all, 0), both);
	if (chance->again < 0)
		both += (both - least) * chance->again;
	else
		both += (most - both) * chance->again;
	return s->cold + left - fmax(both, fmin(found->pending, left));
}

/* --- QEMU ---------------------------------------------------------------- */

/*
 * How fast pages are sent of which a share is zero. A limit counts bytes, of which these have few,
 * but each must be looked through; and what QEMU takes for the bandwidth is the bytes that it sent.
 */
struct speed speed_of(const struct kvmwatch_predict_input *in, double zero)
{
	double link = in->link > 0 ? in->link : in->bandwidth;
	struct speed speed = { .bytes = (1 - zero) * SENT_BYTES + zero * ZERO_BYTES };
	double limit;

	speed.link = 1 / (speed.bytes / link + zero * in->zero_page);
	/* The page with which the limit of a window is reached is sent to its end. */
	limit = ceil(in->bandwidth * WINDOW / speed.bytes * 0.999999999) / WINDOW;
	speed.rate = fmin(limit, speed.link);
	speed.window = speed.rate * WINDOW;
	speed.threshold = speed.rate * speed.bytes * in->downtime / PAGE_BYTES;
	speed.look_below = fmax(speed.threshold, speed.window);
	return speed;
}

/* What the first pass has left is not among what was dirtied. */
static void set_speed(struct state *s)
{
	double dirtied = s->pending > 0 ? fmax(1 - s->cold / s->pending, 0) : 1;

	s->speed = speed_of(s->plan->in, s->chance->zero * dirtied);
}

void plan_make(struct plan *plan, const struct kvmwatch_predict_input *in,
	       const struct layout *layout)
{
	double zero = (double)in->zero_pages * in->zero_page;

	memset(plan, 0, sizeof(*plan));
	plan->in = in;
	plan->layout = layout;
	plan->whole = speed_of(in, 0);
	/* only where zero pages are last, and take longer than a window */
	if (layout_data_left(layout, 0.1) <= 0 && zero > WINDOW)
		plan->zero_threshold = ZERO_BYTES / in->zero_page * in->downtime / PAGE_BYTES;
	plan->max_looks = MAX_LOOKS;
	plan->most_looks = MOST_LOOKS;
	plan->max_again = MAX_AGAIN * (double)in->data_pages;
}

/*
 * Seconds to send @pages, and the headers of @zero ones, from the beginning of a window on. In each
 * there is a burst; if there is more, the last one is waited for, too.
 */
static double send_time(const struct plan *plan, double pages, double zero, bool more)
{
	double windows;

	pages += zero * ZERO_BYTES / SENT_BYTES;
	if (more)
		return pages / plan->whole.rate;
	windows = floor(pages / plan->whole.window);
	return windows * WINDOW + (pages - windows * plan->whole.window) / plan->whole.link;
}

/*
 * Seconds that zero pages take beside @pages, which take @windows. What is hidden becomes less by
 * no more than @windows do where there is more bandwidth, so that this never lasts longer then.
 */
static double zero_time(const struct plan *plan, double pages, double zero)
{
	double windows = floor(pages / plan->whole.window) * WINDOW, hidden;

	hidden = fmin(plan->layout->hidden, windows) * (1 - plan->whole.rate / plan->whole.link);
	return fmax(zero - hidden, 0);
}

void plan_first_pass(const struct plan *plan, double *seconds, double *bytes)
{
	double data = (double)plan->in->data_pages, zero = (double)plan->in->zero_pages;

	*seconds = plan->in->setup + send_time(plan, data, zero, false) +
		   zero_time(plan, data, zero * plan->in->zero_page);
	*bytes = data * SENT_BYTES + zero * ZERO_BYTES;
}

/* Auto-converge, at each look that is a second or more after the last one that it went by */
static void check_throttle(struct state *s, double found, double sent)
{
	s->check_dirtied += found;
	s->check_sent += sent;
	if (!(s->plan->in->flags & KVMWATCH_PREDICT_AUTO_CONVERGE) || s->seconds < s->check_at + 1)
		return;
	if (s->check_dirtied > THROTTLE_SHARE * s->check_sent && ++s->high >= 2) {
		s->high = 0;
		s->throttle = fmin(s->throttle > 0 ? s->throttle + THROTTLE_STEP : THROTTLE_FIRST,
				   THROTTLE_MOST);
	}
	/* It is not given up while the throttle may still do it. */
	if (s->throttle < THROTTLE_MOST) {
		s->again = 0;
		s->tried = s->look;
	}
	s->check_at = s->seconds;
	s->check_dirtied = 0;
	s->check_sent = 0;
}

/* Having sent @sent pages in @seconds, with @left left: look at the log. */
static void look(struct state *s, double sent, double left, double seconds)
{
	struct found found;
	double own, kept;

	seconds += s->plan->in->look;
	own = own_time(s, s->since + seconds);
	found = found_dirty(s, s->since + seconds, own, sent + left > 0 ? sent / (sent + left) : 1);
	s->cold = fmin(fmax(s->cold - sent, 0), left);
	kept = not_again(s, left, own, &found);
	if (s->first_pass) {
		s->tail_left = left;
		s->tail_cold = kept;
		s->cold = kept;
	}
	s->pending = fmin(kept + found.pages, (double)s->plan->in->ram_pages);
	set_speed(s);
	s->seconds += seconds;
	s->before = own;
	s->since = 0;
	s->marked = 0;
	s->first_pass = false;
	check_throttle(s, s->pending - left, sent);
	s->look++;
}

/*
 * Zero pages that are not sent yet when so many pages of the first pass are left, of which each has
 * data: they are where these are, and behind.
 */
static double zero_behind(const struct state *s, double left)
{
	double tail = left > 0 ? s->all * layout_tail(s->plan->layout, left / s->data) : 0;

	return fmin(fmax(tail - left, 0), s->all - s->data);
}

/* The same later, when some of those were dirtied, and are not among @cold any more */
static double zero_left_with(const struct state *s, double cold)
{
	if (s->zero_left <= 0 || cold <= 0)
		return 0;
	return fmin(zero_behind(s, s->tail_left * fmin(cold / s->tail_cold, 1)), s->zero_left);
}

/*
 * How many must be sent until no more than @most are left, zero pages among them, which go with
 * the others.
 */
static double to_send(const struct state *s, double most)
{
	double low = s->pending - most, high = fmax(low, s->cold), mid;
	unsigned int i;

	if (s->zero_left <= 0)
		return low;
	for (i = 0; i < 20 && high - low > 1; i++) {
		mid = (low + high) / 2;
		if (s->pending - mid + zero_left_with(s, s->cold - mid) > most)
			low = mid;
		else
			high = mid;
	}
	return high;
}

/*
 * The share of the first pass that was no data when it was measured: what comes while what has come
 * is sent, too. Below 0 if pages with data become zero pages. Half of these come too late, as they
 * are sent already; and each page becomes one only once, so that this may end soon.
 */
static double grown_share(const struct state *s)
{
	double growth = s->plan->in->growth / s->plan->whole.rate;

	if (growth >= 0)
		return fmin(growth, 0.9) * s->plan->layout->before_zero;
	return growth / 2 * s->chance->shrink;
}

/*
 * QEMU looks when less than a number of pages is left, be they zero or not. Pages with data go out
 * in windows; zero pages are passed over in steps of as many as take 50 ms to be looked through.
 */
static void first_pass(struct state *s)
{
	const struct plan *plan = s->plan;
	const struct kvmwatch_predict_input *in = plan->in;
	double even = draw_even(s->chance->key, 2 * s->look + 1);
	double zero_page = in->zero_page * s->chance->zero_page;
	double tail, data, zero, sent, left, all;
	const struct layout *layout = plan->layout;

	s->first_pass = true;
	data = (double)in->data_pages * s->chance->data;
	all = fmin((double)in->data_pages + (double)in->zero_pages, (double)in->ram_pages);
	data = fmin(data / (1 - grown_share(s)), all);
	zero = all - data;
	tail = data * layout_data_left(layout, plan->whole.look_below / all);
	left = fmax(tail - plan->whole.window * (1 - even), 0);
	s->data = data;
	s->all = all;
	if (left > 0)
		s->zero_left = zero_behind(s, left);
	else if (zero_page > 0)
		s->zero_left = fmax(plan->whole.look_below - even * MAX_WAIT / zero_page, 0);
	s->zero_left = fmin(s->zero_left, zero);
	s->tail_dirty = layout_dirty_left(layout, (left + s->zero_left) / all) * s->chance->tail;
	sent = data - left;
	s->seconds = in->setup;
	s->bytes = sent * SENT_BYTES + zero * ZERO_BYTES;
	s->in_window = left + s->zero_left <= 0;
	s->window_used = even;
	look(s, sent, left, send_time(plan, sent, zero, left > 0) +
	     zero_time(plan, sent, (zero - s->zero_left) * zero_page));
	s->pending += s->zero_left;
}

/*
 * All was sent before the window was over, and the look found more: the rest of the window takes
 * some of it, at once, and the next look may come as soon as the next window begins.
 */
static void rest_of_window(struct state *s, double *sent, double *seconds)
{
	double budget = s->speed.window * (1 - s->window_used);
	double rest = WINDOW - s->speed.window * s->window_used / s->speed.link;

	if (s->pending <= budget) {
		*sent = s->pending;
		*seconds = s->pending / s->speed.link;
		return;
	}
	*sent = fmax(*sent, budget);
	*seconds = rest + (*sent - budget) / s->speed.rate;
}

/* Send until a look is due: when less than the threshold is left at the beginning of a window. */
static void next_round(struct state *s)
{
	double excess, sent, seconds, zero;

	s->pending -= s->zero_left;
	excess = to_send(s, s->speed.look_below);
	sent = excess + s->speed.window * (1 - draw_even(s->chance->key, 2 * s->look + 1));
	if (s->in_window) {
		rest_of_window(s, &sent, &seconds);
		s->in_window = false;
	} else if (s->pending <= s->speed.window) {
		sent = s->pending;
		seconds = sent / s->speed.link;
	} else {
		sent = fmax(sent, s->speed.window);
		seconds = sent / s->speed.rate;
	}
	sent = fmin(sent, s->pending);
	s->again += fmax(excess, 0);
	zero = zero_left_with(s, s->cold - sent);
	seconds += (s->zero_left - zero) * s->plan->in->zero_page * s->chance->zero_page;
	s->zero_left = zero;
	s->bytes += sent * s->speed.bytes;
	look(s, sent, s->pending - sent, seconds);
	s->pending += s->zero_left;
}

/* With the first pass, or where a migration is that runs already. */
static void begin(struct state *s)
{
	const struct kvmwatch_predict_input *in = s->plan->in;

	if (in->flags & KVMWATCH_PREDICT_LIVE) {
		s->since = in->live_since;
		s->marked = (double)in->live_marked;
		s->throttle = in->live_throttle;
	}
	if (!(in->flags & KVMWATCH_PREDICT_LIVE) || in->live_looks <= 1) {
		first_pass(s);
		return;
	}
	s->pending = (double)in->data_pages;
	set_speed(s);
	next_round(s);
}

/*
 * May QEMU stop the guest? A threshold that is less than what a window takes is met by a burst:
 * all that is pending goes out at the speed of the link, and little is dirtied meanwhile.
 */
static bool may_stop(struct state *s)
{
	const struct plan *plan = s->plan;
	double burst, own, dirtied, threshold = s->speed.threshold;

	if (s->look == 1 && plan->zero_threshold > 0)
		threshold = fmin(threshold, plan->zero_threshold);
	if (s->pending < threshold)
		return true;
	if (s->pending >= s->speed.window)
		return false;
	burst = s->pending / s->speed.link + plan->in->look;
	own = own_time(s, burst);
	dirtied = dirtied_in(s->chance, own);
	if (dirtied >= s->speed.threshold)
		return false;
	s->bytes += (s->pending - s->zero_left) * s->speed.bytes;
	s->zero_left = 0;
	s->seconds += burst;
	s->pending = dirtied;
	return true;
}

static bool gives_up(const struct state *s)
{
	const struct plan *plan = s->plan;

	if (s->look > plan->most_looks)
		return true;
	if (plan->in->horizon > 0)
		return s->seconds > plan->in->horizon;
	return s->look - s->tried > plan->max_looks || s->again > plan->max_again;
}

/*
 * If nobody says how fast the link is, it is faster than what QEMU may send, as a rule, up to ten
 * Gbit/s. More bandwidth never draws a slower one.
 */
#define FAST_LINK	1.25e9

static void draw_link(struct plan *plan, struct kvmwatch_predict_input *in, double even)
{
	*in = *plan->in;
	in->link = in->bandwidth * pow(fmax(FAST_LINK / in->bandwidth, 1), sqrt(even));
	plan->in = in;
	plan->whole = speed_of(in, 0);
}

void migrate(const struct plan *plan, const struct chance *chance, struct outcome *outcome)
{
	struct state s = { .plan = plan, .chance = chance };
	struct kvmwatch_predict_input in;
	struct plan drawn;

	if (plan->in->link <= 0) {
		drawn = *plan;
		draw_link(&drawn, &in, chance->link);
		plan = &drawn;
		s.plan = plan;
	}
	begin(&s);
	while (!may_stop(&s)) {
		if (gives_up(&s)) {
			outcome->converges = false;
			return;
		}
		next_round(&s);
	}
	outcome->converges = plan->in->horizon <= 0 || s.seconds <= plan->in->horizon;
	outcome->pause = (s.pending - s.zero_left) / s.speed.link +
			 s.zero_left * plan->in->zero_page * chance->zero_page + plan->in->device;
	outcome->total = s.seconds + outcome->pause;
	outcome->bytes = s.bytes + (s.pending - s.zero_left) * s.speed.bytes + DEVICE_BYTES;
	outcome->looks = s.look + 2.0;	/* one when the log is set up, one when the guest stands */
	outcome->throttle = s.throttle;
}

/*
 * A little luck decides near the edge: QEMU looks at the log one window sooner, and finds less. So
 * a run with more bandwidth or downtime may fail where one with less does not, for QEMU as well as
 * here. A run counts as one that converges if it does with a little less. Such luck is early, so
 * the tries with less end soon. Of 100 forecasts, they take 90 ms of 575; without a limit, 240.
 */
#define LESS		1.05
#define LESS_LOOKS	20

void plans_make(struct plans *plans, const struct kvmwatch_predict_input *in,
		const struct layout *layout)
{
	unsigned int i;

	for (i = 0; i < PLANS; i++)
		plans->in[i] = *in;
	plans->in[1].downtime /= LESS;
	plans->in[2].bandwidth /= LESS;
	for (i = 0; i < PLANS; i++) {
		plan_make(&plans->plan[i], &plans->in[i], layout);
		if (i)
			plans->plan[i].most_looks = LESS_LOOKS;
	}
}

void migrate_or_less(const struct plans *plans, const struct chance *chance,
		     struct outcome *outcome)
{
	unsigned int i;

	for (i = 0; i < PLANS; i++) {
		migrate(&plans->plan[i], chance, outcome);
		if (outcome->converges)
			break;
	}
}
