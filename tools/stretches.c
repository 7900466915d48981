// SPDX-License-Identifier: GPL-2.0
/* How long vCPUs were on a pCPU without interruption. See stretches.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "repeat.h"
#include "stream.h"
#include "stretches.h"

enum { FIELD_VM, FIELD_VCPU, NR_FIELDS };
enum { EVENT_LOAD, EVENT_PUT };

struct track {
	__u64 vm, vcpu;
	enum { UNKNOWN, ON, OFF } where;
	__u64 since;			/* of ON */
	struct stretch_bounds now;	/* of this interval */
	struct stretch_bounds ended;	/* of the one before */
};

struct stretches {
	struct stream *stream;
	struct track *tracks;
	size_t nr, room;
	__u64 begin;		/* of this interval */
	__u64 end;		/* the same, where that is known; else ~0 */
	__u64 window;		/* of the one before */
	__u64 lost;		/* up to its end */
	bool lossy;		/* some of them in it */
	bool no_memory;
};

static const char *const events[] = {
	[EVENT_LOAD] = "kvmwatch_vcpu_load", [EVENT_PUT] = "kvmwatch_vcpu_put", NULL
};

static const char *const fields[NR_FIELDS] = {
	[FIELD_VM] = "vm", [FIELD_VCPU] = "vcpu",
};

static struct track *find(const struct stretches *s, __u64 vm, __u64 vcpu)
{
	size_t i;

	for (i = 0; i < s->nr; i++) {
		if (s->tracks[i].vm == vm && s->tracks[i].vcpu == vcpu)
			return &s->tracks[i];
	}
	return NULL;
}

static struct track *find_or_add(struct stretches *s, __u64 vm, __u64 vcpu)
{
	size_t room = s->room ? 2 * s->room : 16;
	struct track *track = find(s, vm, vcpu), *more;

	if (track)
		return track;
	if (s->nr == s->room) {
		more = realloc(s->tracks, room * sizeof(*more));
		if (!more)
			return NULL;
		s->tracks = more;
		s->room = room;
	}
	track = &s->tracks[s->nr++];
	memset(track, 0, sizeof(*track));
	track->vm = vm;
	track->vcpu = vcpu;
	return track;
}

/* It was on from @since, or from the interval's beginning, to @until. */
static void add_part(struct stretches *s, struct track *track, __u64 since, __u64 until)
{
	struct stretch_bounds *now = &track->now;
	__u64 ns;

	if (until <= s->begin)
		return;
	if (since < s->begin)
		since = s->begin;
	ns = until > since ? until - since : 0;
	if (!now->nr || ns < now->min)
		now->min = ns;
	if (!now->nr || ns > now->max)
		now->max = ns;
	now->nr++;
}

/* What was lost may be of any vCPU: where they are is not known any more. */
static void end_interval(struct stretches *s)
{
	__u64 lost = stream_lost(s->stream);
	struct track *track;

	s->lossy = lost != s->lost;
	s->lost = lost;
	for (track = s->tracks; track < s->tracks + s->nr; track++) {
		if (track->where == ON)
			add_part(s, track, track->since, s->end);
		if (s->lossy)
			track->where = UNKNOWN;
		track->ended = track->now;
		memset(&track->now, 0, sizeof(track->now));
	}
	s->window = s->end - s->begin;
	s->begin = s->end;
	s->end = ~0ULL;
}

static void happens(const struct happening *h, void *arg)
{
	struct stretches *s = arg;
	struct track *track;

	if (h->ns >= s->end)
		end_interval(s);
	track = find_or_add(s, h->values[FIELD_VM], h->values[FIELD_VCPU]);
	if (!track) {
		s->no_memory = true;
		return;
	}
	if (h->event == EVENT_LOAD) {
		track->where = ON;
		track->since = h->ns;
		return;
	}
	/* The first that we hear of it: it was on before we looked. */
	if (track->where != OFF)
		add_part(s, track, track->where == ON ? track->since : 0, h->ns);
	track->where = OFF;
}

int stretches_read(struct stretches *s)
{
	int more;

	do {
		more = stream_read(s->stream, happens, s);
	} while (more > 0);
	if (!more && s->no_memory)
		more = -ENOMEM;
	return more;
}

int stretches_next(struct stretches *s, __u64 end)
{
	int err;

	s->end = end;
	err = stretches_read(s);
	if (s->end == end)	/* nothing happened since */
		end_interval(s);
	return err;
}

int stretches_bounds(const struct stretches *s, __u64 vm, __u64 vcpu,
		     struct stretch_bounds *bounds)
{
	const struct track *track = find(s, vm, vcpu);

	memset(bounds, 0, sizeof(*bounds));
	if (track)
		*bounds = track->ended;
	bounds->window = s->window;
	return s->lossy ? -ENODATA : 0;
}

__u64 stretches_lost(const struct stretches *s)
{
	return stream_lost(s->stream);
}

void stretches_close(struct stretches *s)
{
	if (!s)
		return;
	if (s->stream)
		stream_close(s->stream);
	free(s->tracks);
	free(s);
}

int stretches_open(const char *filter, unsigned int buffer_kb, struct stretches **stretches)
{
	const struct stream_spec spec = {
		.events = events, .fields = fields, .nr_fields = NR_FIELDS,
		.filter = filter, .buffer_kb = buffer_kb,
	};
	struct stretches *s = calloc(1, sizeof(*s));
	int code;

	if (!s)
		return complain("stretches", "no memory");
	code = stream_open(&spec, &s->stream);
	if (code) {
		free(s);
		return code;
	}
	s->begin = now_ns();
	s->end = ~0ULL;
	*stretches = s;
	return EXIT_DONE;
}
