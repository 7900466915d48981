// SPDX-License-Identifier: GPL-2.0
/* How values are written for people. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exit_names.h"
#include "libkvmwatch.h"
#include "text.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define NSEC_PER_SEC	1000000000ULL
#define LONGEST_SECONDS	(366 * 24 * 3600.0)

/* Beyond this a power would no longer mean anything to a person. */
#define MAX_EXPONENT	18

/* As people write it behind a number. */
static const char *unit_name(__u32 flags)
{
	const char *unit = kvmwatch_unit(flags);

	if (!unit)
		return "?";
	return strcmp(unit, "seconds") ? unit : "s";
}

static struct quantity quantity_exact(const struct kvmwatch_value *value, __u64 number)
{
	bool seconds = (value->flags & KVMWATCH_STATS_UNIT_MASK) == KVMWATCH_STATS_SECONDS;
	__u32 base = value->flags & KVMWATCH_STATS_BASE_MASK;
	struct quantity q;

	snprintf(q.value, sizeof(q.value), "%llu", number);
	if (!value->exponent)
		snprintf(q.unit, sizeof(q.unit), "%s", unit_name(value->flags));
	else if (seconds && !base && value->exponent == -9)
		snprintf(q.unit, sizeof(q.unit), "ns");
	else if (seconds && !base && value->exponent == -6)
		snprintf(q.unit, sizeof(q.unit), "us");
	else if (seconds && !base && value->exponent == -3)
		snprintf(q.unit, sizeof(q.unit), "ms");
	else if (!base || base == KVMWATCH_STATS_POW2)
		snprintf(q.unit, sizeof(q.unit), "%d^%d %s", base ? 2 : 10,
			 value->exponent, unit_name(value->flags));
	else
		snprintf(q.unit, sizeof(q.unit), "?^%d %s", value->exponent,
			 unit_name(value->flags));
	return q;
}

struct quantity quantity_of(const struct kvmwatch_value *value, __u64 number, bool raw)
{
	__u32 unit = value->flags & KVMWATCH_STATS_UNIT_MASK;
	__u32 base = value->flags & KVMWATCH_STATS_BASE_MASK;
	int exponent = value->exponent;
	double n;

	if (raw || (unit != KVMWATCH_STATS_BYTES && unit != KVMWATCH_STATS_SECONDS) ||
	    exponent > MAX_EXPONENT || exponent < -MAX_EXPONENT || base > KVMWATCH_STATS_POW2)
		return quantity_exact(value, number);

	n = number * kvmwatch_unit_scale(value->flags, exponent);
	if (unit == KVMWATCH_STATS_BYTES)
		return quantity_bytes(n);
	return quantity_ns(n * NSEC_PER_SEC);
}

/* Is 0 the whole of its bucket? Of coarser units than nanoseconds it stands for all below 1. */
static bool zero_is_exact(const struct kvmwatch_value *value)
{
	return value->exponent <= -9;
}

static void print_bucket(FILE *f, const struct kvmwatch_value *value, unsigned int i, bool raw)
{
	const char *name = exit_name(value, i);
	bool plain = raw || !(value->flags & KVMWATCH_STATS_UNIT_MASK);
	struct quantity from, to;
	__u64 first, last;

	if (name) {
		from = quantity_of(value, value->data[i], raw);
		fprintf(f, "%s: %s%s", name, from.value, raw ? "" : from.unit);
		return;
	}
	kvmwatch_bucket_range(value, i, &first, &last);
	from = quantity_of(value, first, raw);
	to = quantity_of(value, plain ? last : last + 1, raw);

	fputs(from.value, f);
	if (i + 1 == value->size)
		fprintf(f, "%s+", plain ? "" : from.unit);
	else if (first == last && (plain || (!first && zero_is_exact(value))))
		fputs(plain ? "" : from.unit, f);
	else if (plain)
		fprintf(f, "-%s", to.value);
	else if (strcmp(from.unit, to.unit))
		fprintf(f, "%s-%s%s", from.unit, to.value, to.unit);
	else
		fprintf(f, "-%s%s", to.value, to.unit);
	fprintf(f, ": %llu", value->data[i]);
}

/* "p50 <8.19us, p99 275s+; " */
static void print_quantile(FILE *f, const struct kvmwatch_value *value, const char *name,
			   double part, bool raw)
{
	unsigned int bucket;
	struct quantity q;
	__u64 first, last;

	if (kvmwatch_quantile(value, part, &bucket))
		return;
	kvmwatch_bucket_range(value, bucket, &first, &last);
	if (bucket + 1 == value->size) {
		q = quantity_of(value, first, raw);
		fprintf(f, "%s %s%s+", name, q.value, raw ? "" : q.unit);
	} else {
		q = quantity_of(value, last + 1, raw);
		fprintf(f, "%s <%s%s", name, q.value, raw ? "" : q.unit);
	}
}

static void print_quantiles(FILE *f, const struct kvmwatch_value *value, bool raw)
{
	unsigned int any;

	if ((value->flags & KVMWATCH_STATS_TYPE_MASK) != KVMWATCH_STATS_LOG_HIST ||
	    (value->flags & KVMWATCH_STATS_UNIT_MASK) != KVMWATCH_STATS_SECONDS ||
	    kvmwatch_quantile(value, 1, &any))
		return;
	print_quantile(f, value, "p50", 0.5, raw);
	fputs(", ", f);
	print_quantile(f, value, "p99", 0.99, raw);
	fputs("; ", f);
}

/* Close the stream. Returns its text, or NULL for want of memory. */
static char *end_text(FILE *f, char **text)
{
	if (!fclose(f))
		return *text;
	free(*text);
	return NULL;
}

char *text_buckets(const struct kvmwatch_value *value, bool raw)
{
	struct quantity none = quantity_of(value, 0, true);
	const char *separator = "";
	char *text = NULL;
	unsigned int i;
	size_t len;
	FILE *f;

	f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	if (raw && *none.unit && !kvmwatch_quantile(value, 1, &i))
		fprintf(f, "[%s] ", none.unit);
	print_quantiles(f, value, raw);
	for (i = 0; i < value->size; i++) {
		if (!value->data[i])
			continue;
		fputs(separator, f);
		print_bucket(f, value, i, raw);
		separator = ", ";
	}
	return end_text(f, &text);
}

char *text_bucket_list(const struct kvmwatch_value *value)
{
	char *text = NULL;
	unsigned int i;
	size_t len;
	FILE *f;

	f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	for (i = 0; i < value->size; i++)
		fprintf(f, "%s%llu", i ? " " : "", value->data[i]);
	return end_text(f, &text);
}

/* Of a sequence of @len bytes that begins with these bits of its code. */
static struct text_letter utf8_rest(const unsigned char *s, size_t len, unsigned int code)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t i;

	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)	/* the final NUL as well */
			return (struct text_letter){ 1, TEXT_NO_LETTER };
		code = code << 6 | (s[i] & 0x3f);
	}
	/* Longer than need be, a surrogate, or beyond Unicode */
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return (struct text_letter){ 1, TEXT_NO_LETTER };
	return (struct text_letter){ len, code };
}

struct text_letter text_letter(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	if (s[0] < 0x80)
		return (struct text_letter){ 1, s[0] };
	if ((s[0] & 0xe0) == 0xc0)
		return utf8_rest(s, 2, s[0] & 0x1f);
	if ((s[0] & 0xf0) == 0xe0)
		return utf8_rest(s, 3, s[0] & 0x0f);
	if ((s[0] & 0xf8) == 0xf0)
		return utf8_rest(s, 4, s[0] & 0x07);
	return (struct text_letter){ 1, TEXT_NO_LETTER };
}

/* C0, DEL, C1, line separators, and the marks that turn the direction of what follows. */
bool text_controls_terminal(unsigned int code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) ||
	       code == 0x61c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void text_clean(char *s)
{
	struct text_letter letter;
	char *to = s;

	for (; *s; s += letter.len) {
		letter = text_letter(s);
		if (letter.code == TEXT_NO_LETTER || text_controls_terminal(letter.code)) {
			*to++ = '?';
		} else {
			memmove(to, s, letter.len);
			to += letter.len;
		}
	}
	*to = '\0';
}

/* Digits alone: strtod() would take hexadecimal numbers and exponents, too. */
/* 0: there is no such unit. */
static double seconds_of(const char *unit)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "", 1 }, { "ms", 0.001 }, { "s", 1 }, { "m", 60 }, { "h", 3600 } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units); i++) {
		if (!strcmp(units[i].name, unit))
			return units[i].seconds;
	}
	return 0;
}

bool text_parse_seconds(const char *s, __u64 *ns)
{
	size_t len = strspn(s, "0123456789.");
	double seconds;
	char *end;

	seconds = strtod(s, &end);
	if (!len || end != s + len)
		return false;
	seconds *= seconds_of(end);
	if (!(seconds >= 0.001 && seconds <= LONGEST_SECONDS))
		return false;
	*ns = seconds * NSEC_PER_SEC + 0.5;
	return true;
}

/* The one parser of whole numbers: @len decimal digits, and no number above @max. */
static bool parse_number(const char *s, size_t len, __u64 max, __u64 *number)
{
	__u64 digit, n = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		digit = s[i] - '0';
		if (n > max / 10 || n * 10 > max - digit)
			return false;
		n = n * 10 + digit;
	}
	*number = n;
	return len;
}

bool text_parse_u64(const char *s, __u64 *number)
{
	return parse_number(s, strlen(s), ~0ULL, number);
}

bool text_parse_bytes(const char *s, double *bytes)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;
	double n;

	if (!strchr("0123456789.", *s) || !*s)
		return false;
	n = strtod(s, &end);
	if (end == s || s + strspn(s, "0123456789.") != end)
		return false;
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		n *= (double)(1ULL << 10 * (unit - units + 1));
		end++;
		if (*end == 'i' && end[1] == 'B')
			end++;
	}
	if (*end == 'B')
		end++;
	*bytes = n;
	return !*end;
}

bool text_parse_vcpu(const char *s, __u32 *vcpu)
{
	__u64 number;

	if (!parse_number(s, strlen(s), INT_MAX, &number))
		return false;
	*vcpu = number;
	return true;
}

bool text_parse_slot(const char *s, __u16 *as_id, __u16 *slot)
{
	const char *colon = strchr(s, ':'), *id = colon ? colon + 1 : s;
	__u64 space = 0, number;

	if (colon && !parse_number(s, colon - s, USHRT_MAX, &space))
		return false;
	if (!parse_number(id, strlen(id), USHRT_MAX, &number))
		return false;
	*as_id = space;
	*slot = number;
	return true;
}
