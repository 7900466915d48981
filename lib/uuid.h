/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parse UUIDs in all forms that command lines and people use. */
#ifndef LIBKVMWATCH_UUID_H
#define LIBKVMWATCH_UUID_H

#include <stdbool.h>

/* Including the NUL */
#define UUID_TEXT_SIZE	37

/*
 * Parse a UUID: 32 hexadecimal digits, with or without dashes in their places, perhaps in braces or
 * after "urn:uuid:". Sets @uuid to lower case with dashes.
 */
bool uuid_from_text(const char *s, char uuid[UUID_TEXT_SIZE]);

#endif /* LIBKVMWATCH_UUID_H */
