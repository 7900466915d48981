// SPDX-License-Identifier: LGPL-2.1-or-later
/* Parse UUIDs. See uuid.h. */
#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "uuid.h"

/* Parse 32 digits; @dashes: with dashes in their places. Returns the rest of the text, or NULL. */
static const char *parse_uuid_digits(const char *s, bool dashes, char *uuid)
{
	size_t i;

	for (i = 0; i < UUID_TEXT_SIZE - 1; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			uuid[i] = '-';
			if (dashes && *s++ != '-')
				return NULL;
			continue;
		}
		if (!isxdigit((unsigned char)*s))
			return NULL;
		uuid[i] = tolower((unsigned char)*s++);
	}
	uuid[i] = '\0';
	return s;
}

bool uuid_from_text(const char *s, char uuid[UUID_TEXT_SIZE])
{
	bool braces;

	if (!strncasecmp(s, "urn:uuid:", 9))
		s += 9;
	braces = *s == '{';
	s += braces;
	s = parse_uuid_digits(s, strnlen(s, 9) == 9 && s[8] == '-', uuid);
	if (!s || (braces && *s++ != '}'))
		return false;
	return !*s;
}
