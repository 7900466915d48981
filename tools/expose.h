/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Write the two text formats that Prometheus reads: OpenMetrics 1.0, and the older format (0.0.4)
 * of files for the node exporter. Begin a family, then add its samples. A family without samples is
 * left out.
 */
#ifndef KVMWATCH_EXPOSE_H
#define KVMWATCH_EXPOSE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

enum expose_type {
	EXPOSE_GAUGE,
	EXPOSE_COUNTER,
	EXPOSE_HISTOGRAM,
	EXPOSE_INFO,
};

enum expose_format {
	EXPOSE_TEXT,
	EXPOSE_OPENMETRICS,
};

/* Limit of a label's value, in bytes before escaping. */
#define EXPOSE_MAX_LABEL	128

/**
 * struct exposition - a text that is being written
 * @format:	its format
 * @text:	the text so far; not NUL-terminated
 * @len:	its length
 * @err:	0; -ENOMEM; -EFBIG: longer than @limit. Nothing is written after an error
 *
 * The rest belongs to expose.c.
 */
struct exposition {
	enum expose_format format;
	char *text;
	size_t len;
	int err;

	size_t size, limit;
	const char *family;
	const char *help;
	enum expose_type type;
	bool begun;		/* the family's lines were written */
	bool labelled;		/* of the current sample */
};

void expose_init(struct exposition *e, enum expose_format format, size_t limit);
void expose_free(struct exposition *e);

/*
 * Begin a family. @name lacks the prefix kvmwatch_ and the suffix _total or _info of its samples.
 * Name and help must stay valid until the next family begins.
 */
void expose_family(struct exposition *e, const char *name, enum expose_type type,
		   const char *help);

/* A sample: begin, add labels, then add one value. @suffix is added to that of the type. */
void expose_sample(struct exposition *e, const char *suffix);
void expose_label(struct exposition *e, const char *name, const char *value);
void expose_u64(struct exposition *e, __u64 value);
/* @value counts units of 10^@exponent, with @exponent from -18 to 0. All its digits are written. */
void expose_scaled(struct exposition *e, __u64 value, int exponent);

/* Add a label whose value comes from elsewhere: it is cleaned, and cut to EXPOSE_MAX_LABEL. */
void expose_foreign(struct exposition *e, const char *name, const char *value);

/* Add a number as a label (le), written as Go writes it. */
void expose_bound(struct exposition *e, __u64 value, int exponent);

/* End the text. */
void expose_end(struct exposition *e);

/* Clean and cut as expose_foreign() does; @buf has EXPOSE_MAX_LABEL + 1 bytes. */
void expose_clean(char *buf, const char *value);

#endif /* KVMWATCH_EXPOSE_H */
