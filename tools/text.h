/* SPDX-License-Identifier: GPL-2.0 */
/* Values as people read them. */
#ifndef KVMWATCH_TEXT_H
#define KVMWATCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "quantity.h"

struct kvmwatch_value;

/* Format @number in a suitable unit; with @raw exactly, in the unit of the statistic @value. */
struct quantity quantity_of(const struct kvmwatch_value *value, __u64 number, bool raw);

/*
 * "p50 <8.19us, p99 275s+; 4.10-8.19us: 12, 275s+: 3": upper bounds of half and of 99 % of the
 * values, if these are times; then the buckets that are not empty, each with its range and count. A
 * range ends where the next one starts. With @raw "[ns] 4096-8191: 12", where a range ends with its
 * last value. Exit reasons have their names. The caller frees it; NULL: no memory.
 */
char *text_buckets(const struct kvmwatch_value *value, bool raw);

/* "3 0 0 12": all buckets. The caller frees it; NULL: no memory. */
char *text_bucket_list(const struct kvmwatch_value *value);

#define TEXT_NO_LETTER	(~0U)

/**
 * struct text_letter - the first character of a string
 * @len:	its bytes
 * @code:	its number in Unicode; TEXT_NO_LETTER: a byte that is not UTF-8
 */
struct text_letter {
	size_t len;
	unsigned int code;
};

struct text_letter text_letter(const char *text);

/* Is this a control character, with which a terminal does more than display it? */
bool text_controls_terminal(unsigned int code);

/*
 * Make foreign text fit for terminals and files: replace bytes that are not UTF-8, and control
 * characters, by '?'.
 */
void text_clean(char *s);

/*
 * "0.5", or with one of ms, s, m, h behind, to nanoseconds; false if it is no such time from 1 ms
 * to a year.
 */
bool text_parse_seconds(const char *s, __u64 *ns);

#define TEXT_SECONDS_HELP "give seconds, 0.001 or more, or 250ms, 5m, 1h"

/* A decimal number, nothing around it; leading zeros do not make it octal. */
bool text_parse_u64(const char *s, __u64 *number);

/*
 * "1.5G": a number of bytes that is not negative; K, M, G and T are powers of 1024, with or without
 * "iB" or "B" behind.
 */
bool text_parse_bytes(const char *s, double *bytes);

/* "3" or "0:3": the number of a slot, of address space 0 if none is named. */
bool text_parse_slot(const char *s, __u16 *as_id, __u16 *slot);

#define TEXT_SLOT_HELP "give the number of a slot, or of its address space and the slot: 0:3"

/* The number of a vCPU, as trace events have it: KVM's numbers are below 2^31. */
bool text_parse_vcpu(const char *s, __u32 *vcpu);

#endif /* KVMWATCH_TEXT_H */
