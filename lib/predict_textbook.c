// SPDX-License-Identifier: LGPL-2.1-or-later
/* The recurrence that papers use. See libkvmwatch_predict.h. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "predict.h"

#define MAX_ROUNDS	100000U

/* The size at first: up to its last member then */
#define FIRST_TEXTBOOK	(offsetof(struct kvmwatch_textbook, bytes) + sizeof(double))

struct line {
	double slope;
	double at_zero;
};

static struct line line_through(const struct kvmwatch_curve_point *a,
				const struct kvmwatch_curve_point *b)
{
	double width = (double)(b->ns - a->ns) / NSEC;
	struct line line;

	line.slope = ((double)b->pages - (double)a->pages) / width;
	line.at_zero = (double)a->pages - line.slope * ((double)a->ns / NSEC);
	return line;
}

static double dirtied(const struct kvmwatch_textbook *book, double seconds)
{
	const struct kvmwatch_curve_point *points = book->curve.points;
	double first = (double)points[0].ns / NSEC, start;
	struct line line;
	size_t i;

	if (seconds < first) {
		start = fmax(line_through(&points[0], &points[1]).at_zero, 0);
		return start + ((double)points[0].pages - start) * seconds / first;
	}
	for (i = 1; i < book->curve.nr - 1; i++) {
		if (seconds < (double)points[i].ns / NSEC)
			break;
	}
	line = line_through(&points[i - 1], &points[i]);
	return fmin(line.at_zero + line.slope * seconds, (double)book->data_pages);
}

static bool is_curve(const struct kvmwatch_cycle *curve)
{
	size_t i;

	if (!curve->points || curve->nr < 2 || curve->nr > KVMWATCH_PREDICT_MAX_POINTS)
		return false;
	for (i = 0; i < curve->nr; i++) {
		if (curve->points[i].pages > KVMWATCH_PREDICT_MAX_PAGES)
			return false;
		if (i && (curve->points[i].ns <= curve->points[i - 1].ns ||
			  curve->points[i].pages < curve->points[i - 1].pages))
			return false;
	}
	return curve->points[0].ns > 0;
}

static int compute(struct kvmwatch_textbook *book)
{
	double bytes, seconds;

	if (!is_curve(&book->curve) || book->data_pages > KVMWATCH_PREDICT_MAX_PAGES ||
	    book->zero_pages > KVMWATCH_PREDICT_MAX_PAGES ||
	    !(book->zero_bytes >= 0 && book->zero_bytes <= SENT_BYTES) ||
	    !(book->bandwidth >= 1 && book->bandwidth <= KVMWATCH_PREDICT_MAX_BANDWIDTH) ||
	    !(book->downtime > 0 && book->downtime <= KVMWATCH_PREDICT_MAX_SECONDS) ||
	    !(book->horizon > 0 && book->horizon <= KVMWATCH_PREDICT_MAX_SECONDS))
		return -EINVAL;
	book->converges = 0;
	book->rounds = 0;
	book->total = 0;
	book->bytes = 0;
	bytes = (double)book->data_pages * SENT_BYTES + (double)book->zero_pages * book->zero_bytes;
	while (book->total <= book->horizon && book->rounds < MAX_ROUNDS) {
		seconds = bytes / book->bandwidth;
		book->total += seconds;
		book->bytes += bytes;
		book->rounds++;
		if (seconds <= book->downtime) {
			book->converges = 1;
			break;
		}
		bytes = dirtied(book, seconds) * SENT_BYTES;
	}
	return 0;
}

int kvmwatch_predict_textbook(struct kvmwatch_textbook *book)
{
	struct kvmwatch_textbook known;
	int err;

	err = predict_copy_in(&known, sizeof(known), book, book->size, FIRST_TEXTBOOK);
	if (!err)
		err = compute(&known);
	if (!err)
		memcpy(book, &known, book->size < sizeof(known) ? book->size : sizeof(known));
	return err;
}
