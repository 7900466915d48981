/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way to the VMM of a VM: its QMP monitor, or libvirt if that holds the monitor.
 *
 * The VMM's command line names its monitor. The VMM may be hostile, and controls its command line,
 * its files and its answers. So the socket is looked up in the VMM's own root directory, and the
 * VMM's process itself must listen on it. libvirt is asked about a domain only if libvirt's own
 * records say that this process is that domain.
 *
 * This does not find monitors that a -readconfig file describes, that were added at run time, that
 * use TCP or a terminal, or whose socket another process listens on.
 */
#ifndef KVMWATCH_MONITOR_H
#define KVMWATCH_MONITOR_H

#include <stdbool.h>
#include <stddef.h>

#include "proc.h"
#include "virsh.h"

struct qmp;

/* Size of messages that say why something is unavailable */
#define MONITOR_WHY	256

enum monitor_way {
	MONITOR_NONE,
	MONITOR_QMP,		/* the VMM's own monitor */
	MONITOR_VIRSH,		/* through virsh */
};

/**
 * struct monitor - the way to a VMM
 * @way:	the kind of way
 * @pid:	the VMM's process
 * @place:	the socket as the VMM or the user names it, or the name of libvirt's domain; NULL
 *		with MONITOR_NONE. For messages: may contain any bytes
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
 * @path: the socket of --qmp, the only one to try; NULL: search for sockets
 * @monitor: filled; free it with monitor_free(), even after an error
 *
 * Connects briefly, as nothing else shows whether somebody holds the monitor.
 *
 * Return: 0; -ENOENT: no usable monitor, see @why; -EBUSY: somebody else holds the monitor; -ESRCH:
 * there is no such process; -EINTR: a signal came.
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

/* --- monitors on a command line; for tests ---------------------------------- */

/**
 * struct monitor_hints - the monitors on the command line of a VMM
 * @paths:	QMP sockets in the file system, in the order of the command line
 * @nr:		number of @paths
 * @libvirt:	libvirt has started the VMM and holds its monitor
 * @name:	the guest's name; NULL: none
 * @other:	why other monitors cannot be used; "": there are no others
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
