/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Read files of another process in /proc. */
#ifndef LIBKVMWATCH_PROC_H
#define LIBKVMWATCH_PROC_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct proc - a process
 * @dir:	its directory in /proc, opened with O_PATH: never that of a later process with the
 *		same pid
 * @pidfd:	for poll(2); -1: the kernel has no pidfd
 * @pid:	its pid
 */
struct proc {
	int dir;
	int pidfd;
	int pid;
};

/*
 * Returns 0, or -ESRCH: there is no such process, or /proc is of another pid namespace. Close it
 * with proc_close(), which may be called twice.
 */
int proc_open(int pid, struct proc *proc);
void proc_close(struct proc *proc);

/* Has the process ended? Until then no other process has its pid. */
bool proc_has_ended(const struct proc *proc);

/*
 * Read a whole file of the directory and append a NUL; free the result. NULL: the file cannot be
 * read, or is longer than @max. This may block for as long as the process does: see patience.h.
 */
char *proc_read(const struct proc *proc, const char *name, size_t max, size_t *len);

#endif /* LIBKVMWATCH_PROC_H */
