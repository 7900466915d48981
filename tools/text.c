// SPDX-License-Identifier: GPL-2.0
/* How values are written for people. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_names.h"
#include "libkvmwatch.h"
#include "text.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define NSEC_PER_SEC	1000000000ULL
#define LONGEST_SECONDS	(366 * 24 * 3600.0)

/* Beyond this a power would no longer mean anything to a person. */
#define MAX_EXPONENT	18

/* Base 10 is 0; KVM's format has one more. */
#define STATS_BASE_MASK	0xf00U
#define STATS_BASE_2	0x100U

static const char *unit_name(__u32 flags)
{
	switch (flags & KVMWATCH_STATS_UNIT_MASK) {
	case KVMWATCH_STATS_NONE:
		return "";
	case KVMWATCH_STATS_BYTES:
		return "bytes";
	case KVMWATCH_STATS_SECONDS:
		return "s";
	default:
		return "?";
	}
}

static struct quantity quantity_exact(const struct kvmwatch_value *value, __u64 number)
{
	bool seconds = (value->flags & KVMWATCH_STATS_UNIT_MASK) == KVMWATCH_STATS_SECONDS;
	__u32 base = value->flags & STATS_BASE_MASK;
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
	else if (!base || base == STATS_BASE_2)
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
	__u32 base = value->flags & STATS_BASE_MASK;
	int exponent = value->exponent;
	double n = number;

	if (raw || (unit != KVMWATCH_STATS_BYTES && unit != KVMWATCH_STATS_SECONDS) ||
	    exponent > MAX_EXPONENT || exponent < -MAX_EXPONENT || base > STATS_BASE_2)
		return quantity_exact(value, number);

	for (; exponent > 0; exponent--)
		n *= base ? 2 : 10;
	for (; exponent < 0; exponent++)
		n /= base ? 2 : 10;
	if (unit == KVMWATCH_STATS_BYTES)
		return quantity_bytes(n);
	return quantity_ns(n * NSEC_PER_SEC);
}

static void print_bucket(FILE *f, const struct kvmwatch_value *value, unsigned int i, bool raw)
{
	const char *name = exit_name(value, i);
	bool plain = raw || !(value->flags & KVMWATCH_STATS_UNIT_MASK);
	struct quantity from, to;
	__u64 first, last;

	if (name) {
		fprintf(f, "%s: %llu", name, value->data[i]);
		return;
	}
	kvmwatch_bucket_range(value, i, &first, &last);
	from = quantity_of(value, first, raw);
	to = quantity_of(value, plain ? last : last + 1, raw);

	fputs(from.value, f);
	if (i + 1 == value->size)
		fprintf(f, "%s+", plain ? "" : from.unit);
	else if (first == last && (plain || !first))
		fputs(plain ? "" : from.unit, f);
	else if (plain)
		fprintf(f, "-%s", to.value);
	else if (strcmp(from.unit, to.unit))
		fprintf(f, "%s-%s%s", from.unit, to.value, to.unit);
	else
		fprintf(f, "-%s%s", to.value, to.unit);
	fprintf(f, ": %llu", value->data[i]);
}

bool text_quantile(const struct kvmwatch_value *value, double part, unsigned int *bucket)
{
	__u64 total = 0, below = 0;
	unsigned int i;

	for (i = 0; i < value->size; i++)
		total += value->data[i];
	for (i = 0; i < value->size; i++) {
		below += value->data[i];
		if (below && below >= part * total) {
			*bucket = i;
			return true;
		}
	}
	return false;
}

/* "p50 <8.19us, p99 275s+; " */
static void print_quantile(FILE *f, const struct kvmwatch_value *value, const char *name,
			   double part, bool raw)
{
	unsigned int bucket;
	struct quantity q;
	__u64 first, last;

	if (!text_quantile(value, part, &bucket))
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
	    !text_quantile(value, 1, &any))
		return;
	print_quantile(f, value, "p50", 0.5, raw);
	fputs(", ", f);
	print_quantile(f, value, "p99", 0.99, raw);
	fputs("; ", f);
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
	if (raw && *none.unit && text_quantile(value, 1, &i))
		fprintf(f, "[%s] ", none.unit);
	print_quantiles(f, value, raw);
	for (i = 0; i < value->size; i++) {
		if (!value->data[i])
			continue;
		fputs(separator, f);
		print_bucket(f, value, i, raw);
		separator = ", ";
	}
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
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
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

/*
 * Length of the UTF-8 sequence that starts at @s, or 0 if none does. Refuses what
 * is longer than need be, surrogates, and what lies beyond Unicode.
 */
static size_t utf8_length(const unsigned char *s)
{
	unsigned int min, code;
	size_t len, i;

	if (s[0] < 0x80)
		return 1;
	if ((s[0] & 0xe0) == 0xc0) {
		len = 2;
		min = 0x80;
		code = s[0] & 0x1f;
	} else if ((s[0] & 0xf0) == 0xe0) {
		len = 3;
		min = 0x800;
		code = s[0] & 0x0f;
	} else if ((s[0] & 0xf8) == 0xf0) {
		len = 4;
		min = 0x10000;
		code = s[0] & 0x07;
	} else {
		return 0;
	}
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)	/* the final NUL as well */
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return len;
}

/* C0, DEL, C1, and the marks that turn the direction of what follows. */
static bool controls_terminal(const unsigned char *s, size_t len)
{
	if (len == 1)
		return s[0] < 0x20 || s[0] == 0x7f;
	if (len == 2)
		return s[0] == 0xc2 && s[1] < 0xa0;
	if (len == 3 && s[0] == 0xe2 && s[1] == 0x80)
		return s[2] >= 0xa8 && s[2] <= 0xae;	/* U+2028 to U+202E */
	if (len == 3 && s[0] == 0xe2 && s[1] == 0x81)
		return s[2] >= 0xa6 && s[2] <= 0xa9;	/* U+2066 to U+2069 */
	return false;
}

void text_clean(char *s)
{
	unsigned char *from = (unsigned char *)s, *to = from;
	size_t len;

	while (*from) {
		len = utf8_length(from);
		if (!len || controls_terminal(from, len)) {
			*to++ = '?';
			from += len ? len : 1;
		} else {
			memmove(to, from, len);
			to += len;
			from += len;
		}
	}
	*to = '\0';
}

/* Digits alone: strtod() would take hexadecimal numbers and exponents, too. */
bool text_parse_seconds(const char *s, __u64 *ns)
{
	double seconds;
	char *end;

	if (s[strspn(s, "0123456789.")])
		return false;
	seconds = strtod(s, &end);
	if (end == s || *end)
		return false;
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
