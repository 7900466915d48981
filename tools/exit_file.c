// SPDX-License-Identifier: GPL-2.0
/* Saved reads of exits, as lines of JSON. See exit_file.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cmd.h"
#include "exit_file.h"

/* More than any processor has reasons */
#define MAX_NUMBER	4096

/* The statistics in a file: counts or times, of each reason or of all together. */
enum { REASONS, TIMES, TOTAL, TIME, NR_STATS };

static const char *const stats[][NR_STATS] = {
	{ "exit_reasons", "exit_reason_times", "exits", "exit_time_ns" },
	{ "user_exit_reasons", NULL, "user_exits", NULL },
};

/* Cells by number. The last cell of a histogram, the sum of all other reasons, has no number. */
struct cells {
	__u64 *all;
	size_t nr;
	__u64 rest;
	bool known;
};

struct exit_saved {
	__u64 vm, id, ns;
	struct cells cells[2][NR_STATS];
};

struct exit_file {
	struct exit_saved **all;
	size_t nr;
	__u64 instance;
};

struct exit_saved *exit_file_find(struct exit_file *file, __u64 vm, __u64 id)
{
	size_t i = file->nr;

	/* Lines of one object follow each other. */
	while (i--) {
		if (file->all[i]->vm == vm && file->all[i]->id == id)
			return file->all[i];
	}
	return NULL;
}

/* --- Read ----------------------------------------------------------------- */

static bool get_number(struct json_object *line, const char *name, __u64 *number)
{
	struct json_object *value;

	if (!json_object_object_get_ex(line, name, &value) ||
	    !json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
		return false;
	*number = json_object_get_uint64(value);
	return true;
}

static const char *get_string(struct json_object *line, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(line, name, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

static struct exit_saved *find_or_add(struct exit_file *file, __u64 vm, __u64 id)
{
	struct exit_saved *saved = exit_file_find(file, vm, id), **all;

	if (saved)
		return saved;
	all = realloc(file->all, (file->nr + 1) * sizeof(*all));
	if (!all)
		return NULL;
	file->all = all;
	saved = calloc(1, sizeof(*saved));
	if (!saved)
		return NULL;
	saved->vm = vm;
	saved->id = id;
	all[file->nr++] = saved;
	return saved;
}

/* Make room for @nr cells at least. */
static int enlarge(struct cells *cells, size_t nr)
{
	__u64 *all;

	if (nr <= cells->nr)
		return 0;
	all = realloc(cells->all, nr * sizeof(*all));
	if (!all)
		return -ENOMEM;
	memset(all + cells->nr, 0, (nr - cells->nr) * sizeof(*all));
	cells->all = all;
	cells->nr = nr;
	return 0;
}

static int put_cell(struct cells *cells, struct json_object *line, const char *name, bool numbered,
		    __u64 number)
{
	__u64 count;

	if (!get_number(line, name, &count))
		return 0;
	cells->known = true;
	if (!numbered) {
		cells->rest = count;
		return 0;
	}
	if (enlarge(cells, number + 1))
		return -ENOMEM;
	cells->all[number] = count;
	return 0;
}

/* Reasons that have occurred have a line. If there is a line for all together, the others are 0. */
static int put_line(struct exit_saved *saved, struct json_object *line, bool user)
{
	struct cells *cells = saved->cells[user];
	__u64 number = 0;
	bool numbered = get_number(line, "number", &number);
	int err;

	if (strcmp(get_string(line, "reason"), "all")) {
		err = put_cell(&cells[REASONS], line, "count", numbered, number);
		return err ?: put_cell(&cells[TIMES], line, "exit_time_ns", numbered, number);
	}
	err = put_cell(&cells[TOTAL], line, "count", false, 0);
	err = err ?: put_cell(&cells[TIME], line, "exit_time_ns", false, 0);
	cells[REASONS].known |= cells[TOTAL].known && !cells[TOTAL].rest;
	cells[TIMES].known |= cells[TIME].known && !cells[TIME].rest;
	return err;
}

/*
 * Returns 0; -EBADMSG: this is no line of exits, or the module was loaded again since the last
 * line.
 */
static int read_line(struct exit_file *file, struct json_object *line)
{
	__u64 vm, ns, instance, id = 0, number = 0;
	const char *kind = get_string(line, "kind");
	struct exit_saved *saved;
	bool user = !strcmp(kind, "user");

	if (!get_number(line, "vm", &vm) || !get_number(line, "time_ns", &ns) ||
	    !get_number(line, "instance", &instance) || (!user && strcmp(kind, "kvm")))
		return -EBADMSG;
	if (strcmp(get_string(line, "object"), "vm") && !get_number(line, "id", &id))
		return -EBADMSG;
	if (get_number(line, "number", &number) && number > MAX_NUMBER)
		return -EBADMSG;
	if (file->nr && file->instance != instance)
		return -EBADMSG;
	file->instance = instance;
	saved = find_or_add(file, vm, id);
	if (!saved)
		return -ENOMEM;
	saved->ns = ns;
	return put_line(saved, line, user);
}

static int read_lines(FILE *from, struct exit_file *file)
{
	struct json_object *object;
	size_t size = 0;
	char *line = NULL;
	int err = 0;

	while (!err && getline(&line, &size, from) >= 0) {
		object = json_tokener_parse(line);
		err = object ? read_line(file, object) : -EBADMSG;
		json_object_put(object);
	}
	if (!err && ferror(from))
		err = -EIO;
	free(line);
	return err ?: file->nr ? 0 : -EBADMSG;
}

int exit_file_read(const char *path, struct exit_file **file)
{
	struct exit_file *new;
	FILE *from = fopen(path, "re");
	int err;

	if (!from)
		return complain(path, "can't open it: %s", strerror(errno));
	new = calloc(1, sizeof(*new));
	err = new ? read_lines(from, new) : -ENOMEM;
	fclose(from);
	if (!err) {
		*file = new;
		return EXIT_DONE;
	}
	exit_file_free(new);
	if (err == -EBADMSG)
		return complain(path, "no saved exits; kvmwatch exits --json >FILE saves them");
	return complain(path, "can't read it: %s", strerror(-err));
}

void exit_file_free(struct exit_file *file)
{
	size_t i, j;

	if (!file)
		return;
	for (i = 0; i < file->nr; i++) {
		for (j = 0; j < 2 * NR_STATS; j++)
			free(file->all[i]->cells[j / NR_STATS][j % NR_STATS].all);
		free(file->all[i]);
	}
	free(file->all);
	free(file);
}

/* --- Use ------------------------------------------------------------------ */

__u64 exit_file_instance(const struct exit_file *file)
{
	return file->instance;
}

__u64 exit_saved_ns(const struct exit_saved *saved)
{
	return saved->ns;
}

static struct cells *find_cells(struct exit_saved *saved, const char *name)
{
	size_t i;

	for (i = 0; i < 2 * NR_STATS; i++) {
		const char *stat = stats[i / NR_STATS][i % NR_STATS];

		if (stat && !strcmp(stat, name))
			return &saved->cells[i / NR_STATS][i % NR_STATS];
	}
	return NULL;
}

bool exit_saved_value(struct exit_saved *saved, const struct kvmwatch_value *now,
		      struct kvmwatch_value *value)
{
	struct cells *cells = find_cells(saved, now->name);

	if (!cells || !cells->known || !now->size || enlarge(cells, now->size))
		return false;
	cells->all[now->size - 1] = cells->rest;
	*value = *now;
	value->data = cells->all;
	return true;
}
