/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way to the VMM of a VM: its QMP monitor, or libvirt, which keeps that for itself.
 *
 * Which monitor a VMM has, its command line tells. That, its files and all it answers belong to
 * the VMM, which may be hostile: the socket is looked for in the VMM's own root directory, and
 * must be one that the VMM's process itself listens on. libvirt is asked about a domain
 * only if libvirt itself says that this process is that domain.
 *
 * Not found: monitors that a file of -readconfig describes, that were added at run time, that
 * use TCP or a terminal, or a socket that somebody else listens on for the VMM.
 */
#ifndef KVMWATCH_MONITOR_H
#define KVMWATCH_MONITOR_H

#include <stdbool.h>
#include <stddef.h>

#include "proc.h"
#include "virsh.h"

struct qmp;

/* For words that say why something is not to be had */
#define MONITOR_WHY	256

enum monitor_way {
	MONITOR_NONE,
	MONITOR_QMP,		/* the VMM's own monitor */
	MONITOR_VIRSH,		/* through virsh */
};

/**
 * struct monitor - the way to a VMM
 * @way:	which
 * @pid:	the VMM's process
 * @place:	the socket as the VMM or the user calls it, or the name of libvirt's domain; NULL
 *		with MONITOR_NONE. For messages: bytes from anywhere
 * @peer:	the process that listens on the socket: @pid, unless the user named the
 *		socket; 0: not visible here
 * @named:	the user named the socket
 * @why:	with MONITOR_NONE: why, for a message
 *
 * The rest belongs to monitor.c.
 */
struct monitor {
	enum monitor_way way;
	int pid;
	char *place;
	int peer;
	bool named;
	char why[MONITOR_WHY];

	struct proc process;
	int socket;
	char domain[VIRSH_UUID_SIZE];
};

/**
 * monitor_find() - find the way to the VMM of a VM, and try it
 * @pid: the VMM's process
 * @path: the socket of --qmp, which is then the only one tried; NULL: look for it
 * @monitor: filled, whatever is returned; to be freed with monitor_free()
 *
 * Connects for a moment, as nothing else tells whether somebody holds the monitor.
 *
 * Return: 0; -ENOENT: there is none that could be used, @why says more; -EBUSY: there is one
 * that somebody else holds; -ESRCH: there is no such process; -EINTR: a signal came.
 */
int monitor_find(int pid, const char *path, struct monitor *monitor);
void monitor_free(struct monitor *monitor);

/*
 * Connect, with the flags of qmp_open(), to a monitor that was found (MONITOR_QMP). Returns what
 * qmp_open() does, or -EPERM: another process listens there now.
 */
int monitor_connect(const struct monitor *monitor, unsigned int flags, struct qmp **qmp);

/* Has the VMM's process ended? */
bool monitor_is_gone(const struct monitor *monitor);

/* --- what a command line says; for tests ----------------------------------- */

/**
 * struct monitor_hints - what the command line of a VMM says about its monitors
 * @paths:	sockets of the file system that QMP is served on, in its order
 * @nr:		how many
 * @libvirt:	libvirt has started it and holds its monitor
 * @name:	its guest name; NULL: none
 * @other:	why others that it has can't be used; "" if it has no others
 */
struct monitor_hints {
	char **paths;
	size_t nr;
	bool libvirt;
	char *name;
	char other[MONITOR_WHY];
};

/* @cmdline as for identity_parse(). 0 or -ENOMEM. */
int monitor_parse(const char *cmdline, size_t len, struct monitor_hints *hints);
void monitor_hints_free(struct monitor_hints *hints);

#endif /* KVMWATCH_MONITOR_H */
