/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another process, as /proc shows it. */
#ifndef LIBKVMWATCH_PROC_H
#define LIBKVMWATCH_PROC_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct proc - a process that is looked at
 * @dir:	its directory in /proc, open with O_PATH: of this process, never of a later one
 *		with the same number
 * @pidfd:	the process, for poll(2); -1: there is none to be had
 * @pid:	its number
 */
struct proc {
	int dir;
	int pidfd;
	int pid;
};

/*
 * 0, or -ESRCH: there is no such process, or /proc is of another pid namespace. To be closed with
 * proc_close(), which does nothing to one that was closed.
 */
int proc_open(int pid, struct proc *proc);
void proc_close(struct proc *proc);

/* Has it ended? Until then no other process has its pid. */
bool proc_has_ended(const struct proc *proc);

/*
 * All of a file of unknown size in its directory, to be freed, with a NUL behind it. NULL: it can't
 * be read, or is longer than @max. This may block as long as the process does: see patience.h.
 */
char *proc_read(const struct proc *proc, const char *name, size_t max, size_t *len);

#endif /* LIBKVMWATCH_PROC_H */
