/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's trace events as they happen, from a trace instance of our own.
 *
 * The instance is gone when the stream is closed. One whose owner died without doing that
 * is removed by the next stream that is opened. Instances that no stream made stay.
 */
#ifndef KVMWATCH_STREAM_H
#define KVMWATCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#define STREAM_MAX_EVENTS	4
#define STREAM_MAX_FIELDS	24

/**
 * struct stream_spec - what a stream is of; its arrays are to stay as long as that
 * @events:	names of trace events, ended by NULL
 * @fields:	names of their fields; those that are NULL are nobody's
 * @nr_fields:	how many
 * @filter:	which of them, as the kernel's filters have it; NULL: all
 * @last:	one more event, which comes behind @events and has a filter of its own; left out if
 *		the module has none of this name. NULL: none
 * @last_filter: its filter, as the kernel's filters have it; NULL: all
 * @buffer_kb:	how much each CPU's buffer holds
 */
struct stream_spec {
	const char *const *events;
	const char *const *fields;
	size_t nr_fields;
	const char *filter;
	const char *last;
	const char *last_filter;
	unsigned int buffer_kb;
};

/**
 * struct happening - an event that happened
 * @ns:		when, by CLOCK_MONOTONIC
 * @seq:	its place among those that were read
 * @event:	which of the stream's events
 * @tid:	the thread that it happened in
 * @has:	which of the fields it has: 1 << field
 * @values:	of those, sign-extended
 */
struct happening {
	__u64 ns;
	__u64 seq;
	unsigned int event;
	int tid;
	__u32 has;
	__u64 values[STREAM_MAX_FIELDS];
};

struct stream;

typedef void (*stream_fn)(const struct happening *happening, void *arg);

/* Is an instance of this name one that a stream has made? */
bool stream_made_instance(const char *name);

/* May we trace, as far as can be told beforehand? */
bool stream_allowed(void);

/* Returns an exit code; only with EXIT_DONE there is a stream, else it was said what is wrong. */
int stream_open(const struct stream_spec *spec, struct stream **stream);

/*
 * Give what happened since the last call to @fn, in the order in which it happened. What is
 * younger than the call is kept for the next one. Returns 1 when there is more to
 * come at once, 0, or -errno; -ENODEV: the module was unloaded.
 */
int stream_read(struct stream *stream, stream_fn fn, void *arg);

/* Let nothing more happen, and give all that is left to @fn. Returns 0 or -errno. */
int stream_finish(struct stream *stream, stream_fn fn, void *arg);

/* How many events found no room, or were overwritten before they were read, so far. */
__u64 stream_lost(const struct stream *stream);

void stream_close(struct stream *stream);

#endif /* KVMWATCH_STREAM_H */
