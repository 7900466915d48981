/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UUIDs in the forms that command lines and people give them. */
#ifndef LIBKVMWATCH_UUID_H
#define LIBKVMWATCH_UUID_H

#include <stdbool.h>

/* With its NUL */
#define UUID_TEXT_SIZE	37

/*
 * A UUID of 32 hexadecimal digits, with or without dashes in their places, in braces or behind
 * "urn:uuid:", to lower case with dashes.
 */
bool uuid_from_text(const char *s, char uuid[UUID_TEXT_SIZE]);

#endif /* LIBKVMWATCH_UUID_H */
