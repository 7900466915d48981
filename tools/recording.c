// SPDX-License-Identifier: GPL-2.0
/* Events of some time. See recording.h. */
#include <errno.h>
#include <string.h>

#include "cmd.h"
#include "interrupt.h"
#include "recording.h"
#include "repeat.h"

/* Seldom, so as not to end a vCPU's poll by running */
#define ROUND_NS	250000000ULL

static int fail(const struct recording *r, int err)
{
	if (err == -E2BIG)
		return complain(r->who, "%s; record a shorter time (-t)", r->too_much);
	if (err == -ENODEV)
		return complain(r->who, "the module was unloaded");
	return complain(r->who, "can't read events: %s", strerror(-err));
}

int recording_make(struct recording *r, __u64 ns)
{
	__u64 next = now_ns(), end = next + ns;
	int more = 0, finish;

	r->begin = next;
	while (more >= 0 && !r->err && !interrupted() && next < end) {
		next = next + ROUND_NS < end ? next + ROUND_NS : end;
		interrupt_sleep_until(next);
		do {
			more = stream_read(r->stream, r->happens, r->arg);
		} while (more > 0 && !r->err);
	}
	finish = stream_finish(r->stream, r->happens, r->arg);
	r->ns = now_ns() - r->begin;
	if (more < 0 || finish < 0 || r->err)
		return fail(r, more < 0 ? more : finish < 0 ? finish : r->err);
	if (stream_lost(r->stream))
		return complain(r->who, "%llu events were lost; give a larger --buffer",
				stream_lost(r->stream));
	return EXIT_DONE;
}
