/* SPDX-License-Identifier: GPL-2.0 */
/* Events of some time, all of them, for commands that compute with them afterwards. */
#ifndef KVMWATCH_RECORDING_H
#define KVMWATCH_RECORDING_H

#include <linux/types.h>

#include "stream.h"

/**
 * struct recording - a stream's events of some time
 * @who:	the command, for messages
 * @stream:	the stream
 * @happens:	gets each event
 * @arg:	goes to @happens
 * @too_much:	words for @err of -E2BIG
 * @err:	@happens may set it, -errno, which ends the recording
 * @begin:	when it began, by CLOCK_MONOTONIC
 * @ns:		how long it went on
 */
struct recording {
	const char *who;
	struct stream *stream;
	stream_fn happens;
	void *arg;
	const char *too_much;
	int err;
	__u64 begin, ns;
};

/*
 * Record for @ns nanoseconds, or until a signal comes: see interrupt.h. Returns an exit code, and
 * prints errors; a lost event is one.
 */
int recording_make(struct recording *recording, __u64 ns);

#endif /* KVMWATCH_RECORDING_H */
