// SPDX-License-Identifier: GPL-2.0
/*
 * Forecast recorded migrations once more, without migrating: replay <INPUTS >FORECASTS
 *
 * Each line of the input is an object with "name" and "input", which has the members of struct
 * kvmwatch_predict_input by their names; report.py makes such lines of what migrate.py has
 * recorded. Each line of the output has that name and the members of struct kvmwatch_prediction.
 */
#include <err.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "libkvmwatch_predict.h"

struct member {
	const char *name;
	size_t offset;
};

#define IN(m) { #m, offsetof(struct kvmwatch_predict_input, m) }
static const struct member in_doubles[] = {
	IN(data_sd), IN(growth), IN(bandwidth), IN(link), IN(downtime), IN(device), IN(setup),
	IN(zero_page), IN(look), IN(vcpu_share), IN(horizon), IN(dirty_zero), IN(dirty_zero_sd),
};

static const struct member in_u64[] = {
	IN(seed), IN(ram_pages), IN(data_pages), IN(zero_pages), IN(chunk),
};

#define OUT(m) { #m, offsetof(struct kvmwatch_prediction, m) }
static const struct member out_doubles[] = {
	OUT(share), OUT(total), OUT(total_low), OUT(total_high), OUT(bytes), OUT(bytes_low),
	OUT(bytes_high), OUT(rounds), OUT(pause), OUT(pause_low), OUT(pause_high), OUT(throttle),
	OUT(first_pass), OUT(first_bytes), OUT(threshold), OUT(dirtied), OUT(dirtied_second),
	OUT(measured), OUT(variation),
};

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static void *allocate(size_t nr, size_t size)
{
	void *p = calloc(nr ? nr : 1, size);

	if (!p)
		err(1, "calloc");
	return p;
}

static struct json_object *get(struct json_object *o, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(o, name, &value) ? value : NULL;
}

static __u64 number_at(struct json_object *array, size_t i)
{
	return json_object_get_int64(json_object_array_get_idx(array, i));
}

/* [[[ns, pages], ...], ...] */
static void take_cycles(struct kvmwatch_predict_input *in, struct json_object *list)
{
	struct kvmwatch_cycle *cycles;
	size_t i, j;

	in->nr_cycles = json_object_array_length(list);
	cycles = allocate(in->nr_cycles, sizeof(*cycles));
	for (i = 0; i < in->nr_cycles; i++) {
		struct json_object *cycle = json_object_array_get_idx(list, i);
		struct kvmwatch_curve_point *points;

		cycles[i].nr = json_object_array_length(cycle);
		points = allocate(cycles[i].nr, sizeof(*points));
		for (j = 0; j < cycles[i].nr; j++) {
			struct json_object *point = json_object_array_get_idx(cycle, j);

			points[j].ns = number_at(point, 0);
			points[j].pages = number_at(point, 1);
		}
		cycles[i].points = points;
	}
	in->cycles = cycles;
}

/* [[pages, data, dirty], ...] */
static void take_parts(struct kvmwatch_predict_input *in, struct json_object *list)
{
	struct kvmwatch_part *parts;
	size_t i;

	in->nr_parts = json_object_array_length(list);
	parts = allocate(in->nr_parts, sizeof(*parts));
	for (i = 0; i < in->nr_parts; i++) {
		struct json_object *part = json_object_array_get_idx(list, i);

		parts[i].pages = number_at(part, 0);
		parts[i].data = number_at(part, 1);
		parts[i].dirty = number_at(part, 2);
	}
	in->parts = parts;
}

static void take(struct kvmwatch_predict_input *in, struct json_object *from)
{
	struct json_object *value;
	size_t i;

	memset(in, 0, sizeof(*in));
	in->size = sizeof(*in);
	for (i = 0; i < ARRAY_SIZE(in_doubles); i++) {
		value = get(from, in_doubles[i].name);
		if (value)
			*(double *)((char *)in + in_doubles[i].offset) =
				json_object_get_double(value);
	}
	for (i = 0; i < ARRAY_SIZE(in_u64); i++) {
		value = get(from, in_u64[i].name);
		if (value)
			*(__u64 *)((char *)in + in_u64[i].offset) = json_object_get_int64(value);
	}
	in->runs = json_object_get_int64(get(from, "runs"));
	if (json_object_get_boolean(get(from, "ring")))
		in->flags |= KVMWATCH_PREDICT_RING;
	if (json_object_get_boolean(get(from, "auto_converge")))
		in->flags |= KVMWATCH_PREDICT_AUTO_CONVERGE;
	value = get(from, "cycles");
	if (value)
		take_cycles(in, value);
	value = get(from, "parts");
	if (value)
		take_parts(in, value);
}

static void release(struct kvmwatch_predict_input *in)
{
	size_t i;

	for (i = 0; i < in->nr_cycles; i++)
		free((void *)in->cycles[i].points);
	free((void *)in->cycles);
	free((void *)in->parts);
}

static void add_words(struct json_object *o, const char *name, const char *words)
{
	json_object_object_add(o, name, json_object_new_string(words));
}

static void say(const char *name, const struct kvmwatch_prediction *out)
{
	struct json_object *o = json_object_new_object();
	size_t i;

	add_words(o, "name", name);
	add_words(o, "verdict", kvmwatch_predict_verdict_name(out->verdict));
	add_words(o, "reason", kvmwatch_predict_reason_name(out->reason));
	for (i = 0; i < ARRAY_SIZE(out_doubles); i++) {
		double value = *(double *)((char *)out + out_doubles[i].offset);

		json_object_object_add(o, out_doubles[i].name, value == KVMWATCH_PREDICT_NONE ?
				       NULL : json_object_new_double(value));
	}
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		struct kvmwatch_prediction out = { .size = sizeof(out) };
		struct json_object *o = json_tokener_parse(line);
		struct kvmwatch_predict_input in;
		const char *name;
		int ret;

		name = o ? json_object_get_string(get(o, "name")) : NULL;
		if (!name || !get(o, "input"))
			errx(1, "not an input: %.60s", line);
		take(&in, get(o, "input"));
		ret = kvmwatch_predict(&in, &out);
		if (ret)
			errx(1, "%s: kvmwatch_predict: %s", name, strerror(-ret));
		say(name, &out);
		release(&in);
		json_object_put(o);
	}
	free(line);
	return 0;
}
