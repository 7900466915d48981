// SPDX-License-Identifier: GPL-2.0
/* The text formats of Prometheus. See expose.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expose.h"
#include "text.h"

#define PREFIX		"kvmwatch_"
#define FIRST_SIZE	(64U << 10)
#define MAX_EXPONENT	18

void expose_init(struct exposition *e, enum expose_format format, size_t limit)
{
	memset(e, 0, sizeof(*e));
	e->format = format;
	e->limit = limit;
}

void expose_free(struct exposition *e)
{
	free(e->text);
	e->text = NULL;
	e->len = 0;
	e->size = 0;
}

/* --- bytes ----------------------------------------------------------------- */

static bool make_room(struct exposition *e, size_t len)
{
	size_t size = e->size ? e->size : FIRST_SIZE;
	char *bigger;

	if (e->err)
		return false;
	if (len > e->limit - e->len) {
		e->err = -EFBIG;
		return false;
	}
	if (e->len + len <= e->size)
		return true;
	while (size < e->len + len)
		size *= 2;
	bigger = realloc(e->text, size);
	if (!bigger) {
		e->err = -ENOMEM;
		return false;
	}
	e->text = bigger;
	e->size = size;
	return true;
}

static void put_bytes(struct exposition *e, const char *bytes, size_t len)
{
	if (!make_room(e, len))
		return;
	memcpy(e->text + e->len, bytes, len);
	e->len += len;
}

static void put(struct exposition *e, const char *text)
{
	put_bytes(e, text, strlen(text));
}

/* @quotes: escape quotes, too. */
static void put_escaped(struct exposition *e, const char *text, bool quotes)
{
	const char *special = quotes ? "\\\n\"" : "\\\n";
	char escape[2] = "\\";
	size_t len;

	for (;;) {
		len = strcspn(text, special);
		put_bytes(e, text, len);
		text += len;
		if (!*text)
			return;
		escape[1] = *text == '\n' ? 'n' : *text;
		put_bytes(e, escape, 2);
		text++;
	}
}

static void put_u64(struct exposition *e, __u64 value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = '0' + value % 10;
		value /= 10;
	} while (value);
	put_bytes(e, digits + at, sizeof(digits) - at);
}

/* --- families -------------------------------------------------------------- */

void expose_family(struct exposition *e, const char *name, enum expose_type type,
		   const char *help)
{
	e->family = name;
	e->type = type;
	e->help = help;
	e->begun = false;
}

/* The suffix of all samples of a type. */
static const char *suffix_of(enum expose_type type)
{
	switch (type) {
	case EXPOSE_COUNTER:
		return "_total";
	case EXPOSE_INFO:
		return "_info";
	default:
		return "";
	}
}

/* The older format has no type info, and its families have the names of their samples. */
static void put_family_name(struct exposition *e)
{
	put(e, PREFIX);
	put(e, e->family);
	if (e->format == EXPOSE_TEXT)
		put(e, suffix_of(e->type));
}

static const char *type_name(const struct exposition *e)
{
	switch (e->type) {
	case EXPOSE_COUNTER:
		return "counter";
	case EXPOSE_HISTOGRAM:
		return "histogram";
	case EXPOSE_INFO:
		return e->format == EXPOSE_TEXT ? "gauge" : "info";
	default:
		return "gauge";
	}
}

static const char *unit_of(const char *name)
{
	static const char *const units[] = { "seconds", "bytes" };
	const char *end = strrchr(name, '_');
	size_t i;

	for (i = 0; end && i < sizeof(units) / sizeof(*units); i++) {
		if (!strcmp(end + 1, units[i]))
			return units[i];
	}
	return NULL;
}

static void put_line(struct exposition *e, const char *keyword)
{
	put(e, "# ");
	put(e, keyword);
	put(e, " ");
	put_family_name(e);
	put(e, " ");
}

static void begin_family(struct exposition *e)
{
	const char *unit = unit_of(e->family);

	e->begun = true;
	put_line(e, "HELP");
	put_escaped(e, e->help, e->format == EXPOSE_OPENMETRICS);
	put(e, "\n");
	put_line(e, "TYPE");
	put(e, type_name(e));
	put(e, "\n");
	if (e->format != EXPOSE_OPENMETRICS || !unit)
		return;
	put_line(e, "UNIT");
	put(e, unit);
	put(e, "\n");
}

/* --- samples --------------------------------------------------------------- */

void expose_sample(struct exposition *e, const char *suffix)
{
	if (!e->begun)
		begin_family(e);
	put(e, PREFIX);
	put(e, e->family);
	put(e, suffix_of(e->type));
	put(e, suffix);
	e->labelled = false;
}

static void begin_label(struct exposition *e, const char *name)
{
	put(e, e->labelled ? "," : "{");
	e->labelled = true;
	put(e, name);
	put(e, "=\"");
}

void expose_label(struct exposition *e, const char *name, const char *value)
{
	begin_label(e, name);
	put_escaped(e, value, true);
	put(e, "\"");
}

void expose_clean(char *buf, const char *value)
{
	struct text_letter letter;
	char *to = buf;

	for (; *value; value += letter.len) {
		letter = text_letter(value);
		if (to + letter.len > buf + EXPOSE_MAX_LABEL)
			break;
		memcpy(to, value, letter.len);
		to += letter.len;
	}
	*to = '\0';
	text_clean(buf);
}

void expose_foreign(struct exposition *e, const char *name, const char *value)
{
	char clean[EXPOSE_MAX_LABEL + 1];

	expose_clean(clean, value);
	expose_label(e, name, clean);
}

void expose_bound(struct exposition *e, __u64 value, int exponent)
{
	double power = 1;
	char text[32];

	for (; exponent < 0; exponent++)
		power *= 10;
	snprintf(text, sizeof(text), "%.15g", value / power);
	expose_label(e, "le", text);
}

static void begin_value(struct exposition *e)
{
	put(e, e->labelled ? "} " : " ");
}

void expose_u64(struct exposition *e, __u64 value)
{
	begin_value(e);
	put_u64(e, value);
	put(e, "\n");
}

/* 1500000000 with -9 is "1.5". Zeros at the end are left out. */
void expose_scaled(struct exposition *e, __u64 value, int exponent)
{
	char digits[MAX_EXPONENT];
	int i, nr = 0;

	if (exponent < -MAX_EXPONENT || exponent > 0)
		exponent = 0;
	for (i = -exponent; i > 0; i--) {
		digits[i - 1] = '0' + value % 10;
		if (!nr && value % 10)
			nr = i;
		value /= 10;
	}
	begin_value(e);
	put_u64(e, value);
	if (nr) {
		put(e, ".");
		put_bytes(e, digits, nr);
	}
	put(e, "\n");
}

void expose_end(struct exposition *e)
{
	if (e->format == EXPOSE_OPENMETRICS)
		put(e, "# EOF\n");
}
