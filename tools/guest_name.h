/* SPDX-License-Identifier: GPL-2.0 */
/* What the person who started a VM called it. */
#ifndef KVMWATCH_GUEST_NAME_H
#define KVMWATCH_GUEST_NAME_H

#include <stddef.h>

/**
 * guest_name_parse() - find the name of the guest in a command line of a VMM
 * @cmdline: the arguments, each ended by a NUL, as in /proc/PID/cmdline; what
 *	follows the last NUL counts as an argument too
 * @len: its length
 *
 * Return: the name as it is there, which the caller frees; NULL if the VMM is
 * not one that we know, gives no name, or there is no memory.
 */
char *guest_name_parse(const char *cmdline, size_t len);

/* The same for a running process; NULL as well when there is none. */
char *guest_name_of(int pid);

#endif /* KVMWATCH_GUEST_NAME_H */
