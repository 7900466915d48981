// SPDX-License-Identifier: GPL-2.0
/* Bytes and times in units for people. */
#include <stdio.h>

#include "quantity.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const byte_units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
static const char *const time_units[] = { "ns", "us", "ms", "s" };

/*
 * Divide until the number fits the unit, where what would be rounded up to a whole
 * @step ("1024 KiB") counts as the next unit ("1.00 MiB").
 */
static struct quantity scale(double number, double step, const char *const *units, size_t nr)
{
	struct quantity q;
	size_t i = 0;

	while (i + 1 < nr && number >= step - 0.5) {
		number /= step;
		i++;
	}
	snprintf(q.unit, sizeof(q.unit), "%s", units[i]);
	if (!i)
		snprintf(q.value, sizeof(q.value), "%.0f", number);
	else if (number < 9.995)
		snprintf(q.value, sizeof(q.value), "%.2f", number);
	else if (number < 99.95)
		snprintf(q.value, sizeof(q.value), "%.1f", number);
	else
		snprintf(q.value, sizeof(q.value), "%.0f", number);
	return q;
}

struct quantity quantity_bytes(double bytes)
{
	return scale(bytes, 1024, byte_units, ARRAY_SIZE(byte_units));
}

struct quantity quantity_ns(double ns)
{
	return scale(ns, 1000, time_units, ARRAY_SIZE(time_units));
}
