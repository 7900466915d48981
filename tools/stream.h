/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Read the module's trace events as they happen, from a private trace instance.
 *
 * Closing the stream removes the instance. If its owner died without that, the next stream that is
 * opened removes it. Instances that no stream has made are left alone.
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

/* Has a stream made the instance of this name? */
bool stream_made_instance(const char *name);

/* May this process trace, as far as is known without trying? */
bool stream_allowed(void);

/* The same, as an exit code; prints what is missing. */
int stream_check_allowed(void);

/* Returns an exit code, and prints errors. There is a stream only with EXIT_DONE. */
int stream_open(const struct stream_spec *spec, struct stream **stream);

/*
 * Pass the events since the last call to @fn, in the order in which they happened. Events younger
 * than this call are kept for the next one. Returns 1 if more events are ready, 0, or -errno;
 * -ENODEV: the module was unloaded.
 */
int stream_read(struct stream *stream, stream_fn fn, void *arg);

/* Switch the events off, and pass all that are left to @fn. Returns 0 or -errno. */
int stream_finish(struct stream *stream, stream_fn fn, void *arg);

/* Events so far for which the buffer had no room, or that were overwritten before a read. */
__u64 stream_lost(const struct stream *stream);

void stream_close(struct stream *stream);

#endif /* KVMWATCH_STREAM_H */
