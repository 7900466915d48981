/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which systemd unit a process belongs to, by the names of its cgroups. */
#ifndef LIBKVMWATCH_UNIT_H
#define LIBKVMWATCH_UNIT_H

/**
 * unit_parse() - find the units in what /proc/PID/cgroup says
 * @cgroups: its text, with a NUL behind it
 * @unit: set to the unit of the system's systemd, as systemctl and "ps -o unit" call it; NULL: none
 * @user_unit: set to the unit of a user's systemd, as "ps -o uunit" does; NULL: none
 *
 * Both are the caller's to free. A unit inside a container is not one of this host's: the
 * container's own is. With cgroups of version 1 it is systemd's hierarchy that tells.
 */
void unit_parse(const char *cgroups, char **unit, char **user_unit);

/*
 * The name as its owner knows it, with "\x2d" as '-': for people, not for systemctl. May hold any
 * byte but NUL. To be freed; NULL: no memory.
 */
char *unit_unescape(const char *unit);

#endif /* LIBKVMWATCH_UNIT_H */
