// SPDX-License-Identifier: LGPL-2.1-or-later
/* Read files of another process in /proc. See proc.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open	434
#endif

/* If we entered a pid namespace without mounting its /proc, the pids in /proc are not ours. */
static bool proc_has_our_pids(void)
{
	char self[16];
	ssize_t len = readlink("/proc/self", self, sizeof(self) - 1);

	if (len <= 0)
		return false;
	self[len] = '\0';
	return atoi(self) == getpid();
}

/*
 * Open the pidfd first: if the process has not ended once the directory is open, both belong to the
 * same process.
 */
int proc_open(int pid, struct proc *proc)
{
	char path[32];

	proc->dir = -1;
	proc->pidfd = -1;
	proc->pid = pid;
	if (pid <= 0 || !proc_has_our_pids())
		return -ESRCH;
	proc->pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (proc->pidfd < 0 && errno == ESRCH)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d", pid);
	proc->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc->dir >= 0 && !proc_has_ended(proc))
		return 0;
	proc_close(proc);
	return -ESRCH;
}

void proc_close(struct proc *proc)
{
	if (proc->dir >= 0)
		close(proc->dir);
	if (proc->pidfd >= 0)
		close(proc->pidfd);
	proc->dir = -1;
	proc->pidfd = -1;
}

bool proc_has_ended(const struct proc *proc)
{
	struct pollfd pollfd = { .fd = proc->pidfd, .events = POLLIN };

	if (proc->pidfd >= 0)
		return poll(&pollfd, 1, 0) > 0;
	return faccessat(proc->dir, "stat", F_OK, 0) != 0;
}

char *proc_read(const struct proc *proc, const char *name, size_t max, size_t *len)
{
	size_t size = 4096, used = 0;
	char *buf = NULL, *bigger;
	ssize_t n;
	int fd;

	fd = openat(proc->dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	for (; size <= max; size *= 2) {
		bigger = realloc(buf, size + 1);
		if (!bigger)
			break;
		buf = bigger;
		while (used < size) {
			n = read(fd, buf + used, size - used);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				goto fail;
			if (!n) {
				close(fd);
				buf[used] = '\0';
				*len = used;
				return buf;
			}
			used += n;
		}
	}
fail:
	close(fd);
	free(buf);
	return NULL;
}
