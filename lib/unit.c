// SPDX-License-Identifier: LGPL-2.1-or-later
/* Find the systemd unit of a process by the names of its cgroups. See unit.h. */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* systemd's limit */
#define MAX_UNIT	255
#define LETTERS		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\"

/* The kernel appends this to the path of a cgroup that was removed. */
#define DELETED		" (deleted)"

/* A component of a path. */
struct part {
	const char *at;
	size_t len;
};

static const char *const types[] = {
	".scope", ".service", ".socket", ".mount", ".swap", ".slice", NULL
};

static bool ends_with(const struct part *part, const char *end)
{
	size_t len = strlen(end);

	return part->len > len && !memcmp(part->at + part->len - len, end, len);
}

/* "name", "template@instance"; not "template@". */
static bool is_stem(const char *at, size_t len)
{
	const char *sign = memchr(at, '@', len);
	size_t prefix = sign ? (size_t)(sign - at) : len, i;

	if (!prefix || (sign && prefix + 1 == len))
		return false;
	for (i = 0; i < len; i++) {
		if (!strchr(LETTERS, at[i]) && !(at[i] == '@' && i >= prefix))
			return false;
	}
	return true;
}

static bool is_unit(const struct part *part)
{
	const char *const *type;

	if (part->len > MAX_UNIT)
		return false;
	for (type = types; *type; type++) {
		if (ends_with(part, *type))
			return is_stem(part->at, part->len - strlen(*type));
	}
	return false;
}

static bool is_slice(const struct part *part)
{
	return ends_with(part, ".slice") && is_unit(part);
}

/* systemd puts a '_' before names that the kernel might use for its own files. */
static bool next_part(const char **path, const char *end, struct part *part)
{
	while (*path < end && **path == '/')
		++*path;
	part->at = *path;
	while (*path < end && **path != '/')
		++*path;
	part->len = *path - part->at;
	if (part->len && *part->at == '_') {
		part->at++;
		part->len--;
	}
	return *path > part->at || part->len;
}

/* In another cgroup namespace a path may begin with "/.." components: skip these. */
static bool is_up(const struct part *part)
{
	return part->len == 2 && !memcmp(part->at, "..", 2);
}

/* The unit is the first component after the slices. Cgroups below belong to it. */
static char *next_unit(const char **path, const char *end)
{
	struct part part;

	while (next_part(path, end, &part)) {
		if (is_slice(&part) || is_up(&part))
			continue;
		return is_unit(&part) ? strndup(part.at, part.len) : NULL;
	}
	return NULL;
}

/* "user@1000.service" is the systemd of a user, which has units of its own. */
static bool is_user_manager(const char *unit)
{
	const size_t len = strlen("user@");

	return unit && !strncmp(unit, "user@", len) && isdigit((unsigned char)unit[len]);
}

static void parse_path(const char *path, const char *end, char **unit, char **user_unit)
{
	const size_t deleted = strlen(DELETED);

	if ((size_t)(end - path) > deleted && !memcmp(end - deleted, DELETED, deleted))
		end -= deleted;
	*unit = next_unit(&path, end);
	if (is_user_manager(*unit))
		*user_unit = next_unit(&path, end);
}

/* cgroup v2 has the line "0::/PATH"; systemd's hierarchy of v1 has "N:name=systemd:/PATH". */
static const char *path_of(const char *line, const char *controllers)
{
	size_t digits = strspn(line, "0123456789"), len = strlen(controllers);

	if (!digits || line[digits] != ':')
		return NULL;
	line += digits + 1;
	if (strncmp(line, controllers, len) || line[len] != ':')
		return NULL;
	return line + len + 1;
}

void unit_parse(const char *cgroups, char **unit, char **user_unit)
{
	static const char *const hierarchies[] = { "name=systemd", "", NULL };
	const char *const *hierarchy;
	const char *line, *end, *path;

	*unit = NULL;
	*user_unit = NULL;
	for (hierarchy = hierarchies; *hierarchy && !*unit; hierarchy++) {
		for (line = cgroups; *line && !*unit; line = *end ? end + 1 : end) {
			end = line + strcspn(line, "\n");
			path = path_of(line, *hierarchy);
			if (path)
				parse_path(path, end, unit, user_unit);
		}
	}
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return digit ? digit - digits : -1;
}

/* The byte that "\xHH" stands for; 0: @s is no such sequence, or stands for a NUL. */
static char escaped_byte(const char *s)
{
	int high, low;

	if (s[0] != '\\' || s[1] != 'x')
		return 0;
	high = hex_digit(s[2]);
	low = high < 0 ? -1 : hex_digit(s[3]);
	return low < 0 ? 0 : high << 4 | low;
}

char *unit_unescape(const char *unit)
{
	char *shown = strdup(unit), *to = shown, byte;

	if (!shown)
		return NULL;
	while (*unit) {
		byte = escaped_byte(unit);
		*to++ = byte ? byte : *unit;
		unit += byte ? 4 : 1;
	}
	*to = '\0';
	return shown;
}
