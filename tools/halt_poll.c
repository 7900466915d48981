// SPDX-License-Identifier: GPL-2.0
/*
 * Replay KVM's halt polling over recorded halts. See halt_poll.h. Linux 5.10 limits a window when
 * it grows; later kernels limit it at the next halt. The result is the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "halt_poll.h"
#include "text.h"

struct replay {
	const struct halt_poll_params *params;
	struct halt_poll *poll;
};

static void grow(const struct replay *r)
{
	__u32 window = r->poll->window;

	if (!r->params->grow)
		return;
	window *= r->params->grow;
	if (window < r->params->start)
		window = r->params->start;
	r->poll->window = window;
}

static void shrink(const struct replay *r)
{
	__u32 window = r->poll->window;

	window = r->params->shrink ? window / r->params->shrink : 0;
	if (window < r->params->start)
		window = 0;
	r->poll->window = window;
}

/* The window after a halt */
static void adapt(const struct replay *r, const struct halt *halt)
{
	__u32 max = r->params->max, window = r->poll->window;

	if (!halt->valid)
		shrink(r);
	else if (!max)
		r->poll->window = 0;
	else if (halt->ns <= window)
		return;
	else if (window && halt->ns > max)
		shrink(r);
	else if (window < max && halt->ns < max)
		grow(r);
}

static void add(const struct replay *r, const struct halt *halt)
{
	struct halt_poll *poll = r->poll;
	bool wins = false;

	poll->halts++;
	if (poll->window > r->params->max)
		poll->window = r->params->max;
	if (poll->window) {
		wins = halt->ns <= poll->window;
		poll->polls++;
		poll->won += wins;
		poll->lost += !wins;
		poll->polled_ns += wins ? halt->ns : poll->window;
		poll->lost_ns += wins ? 0 : poll->window;
	}
	if (wins && halt->waited) {
		poll->quicker++;
		poll->quicker_ns += halt->delay < 0 ? 0 : halt->delay;
		poll->delays_unknown |= halt->delay < 0;
	}
	adapt(r, halt);
}

void halt_poll_replay(const struct halt_poll_params *params, const struct halt *halts, size_t nr,
		      struct halt_poll *poll)
{
	const struct replay r = { params, poll };
	size_t i;

	for (i = 0; i < nr; i++)
		add(&r, &halts[i]);
}

/* --- parameters ----------------------------------------------------------- */

static const struct {
	const char *name;
	size_t offset;
} names[] = {
	{ "halt_poll_ns", offsetof(struct halt_poll_params, max) },
	{ "grow", offsetof(struct halt_poll_params, grow) },
	{ "shrink", offsetof(struct halt_poll_params, shrink) },
	{ "grow_start", offsetof(struct halt_poll_params, start) },
};

#define NR_NAMES	(sizeof(names) / sizeof(*names))

static const char *parse_one(char *word, struct halt_poll_params *params)
{
	char *value = strchr(word, '=');
	__u64 number;
	size_t i;

	if (!value)
		return "write NAME=NUMBER,...";
	*value++ = '\0';
	for (i = 0; i < NR_NAMES && strcmp(names[i].name, word); i++)
		;
	if (i == NR_NAMES)
		return "there are halt_poll_ns, grow, shrink and grow_start";
	if (!text_parse_u64(value, &number) || number > UINT32_MAX)
		return "give numbers that KVM takes, below 2^32";
	*(__u32 *)((char *)params + names[i].offset) = number;
	return NULL;
}

const char *halt_poll_parse(const char *text, struct halt_poll_params *params)
{
	char *copy = strdup(text), *rest = copy, *word;
	const char *wrong = NULL;

	if (!copy)
		return "no memory";
	while (!wrong && (word = strsep(&rest, ",")))
		wrong = parse_one(word, params);
	free(copy);
	return wrong;
}
