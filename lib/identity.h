/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The identity of a guest: its name, its UUID and the systemd unit of its VMM. */
#ifndef LIBKVMWATCH_IDENTITY_H
#define LIBKVMWATCH_IDENTITY_H

#include <stddef.h>

/**
 * struct identity - the identity of a guest; each member is NULL if unknown
 * @guest:	name of the guest on the VMM's command line: any bytes but NUL
 * @uuid:	UUID on the command line, in lower case and with dashes
 * @unit:	the system's unit that the VMM runs in, see unit.h
 * @user_unit:	the user's unit that the VMM runs in
 */
struct identity {
	char *guest;
	char *uuid;
	char *unit;
	char *user_unit;
};

/**
 * identity_parse() - find name and UUID of the guest in a command line of a VMM
 * @cmdline: the arguments, each ended by a NUL, as in /proc/PID/cmdline; what
 *	follows the last NUL counts as an argument too
 * @len: its length
 * @exe: the file that the process runs, as the first argument may be anything; NULL: not known
 * @identity: @guest and @uuid are set, to NULL if the VMM is not one that we know, does not tell
 *	them, or there is no memory. To be freed
 */
void identity_parse(const char *cmdline, size_t len, const char *exe, struct identity *identity);

/* The identity of a running VMM's guest. Returns 0, or -ESRCH and all NULL. Free it. */
int identity_of(int pid, struct identity *identity);

void identity_free(struct identity *identity);

#endif /* LIBKVMWATCH_IDENTITY_H */
