/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Find the systemd unit of a process by the names of its cgroups. */
#ifndef LIBKVMWATCH_UNIT_H
#define LIBKVMWATCH_UNIT_H

/**
 * unit_parse() - find the units in /proc/PID/cgroup
 * @cgroups: text of the file, with a NUL
 * @unit: set to the unit of the system's systemd, as systemctl and "ps -o unit" show it; NULL: none
 * @user_unit: set to the unit of a user's systemd, as "ps -o uunit" shows it; NULL: none
 *
 * The caller frees both. A process inside a container has the container's unit on this host, not
 * one of the systemd in the container. With cgroup v1 systemd's hierarchy decides.
 */
void unit_parse(const char *cgroups, char **unit, char **user_unit);

/*
 * The name without systemd's escapes, such as '-' for "\x2d": for people, not for systemctl. It may
 * contain any byte but NUL. Free it; NULL: no memory.
 */
char *unit_unescape(const char *unit);

#endif /* LIBKVMWATCH_UNIT_H */
