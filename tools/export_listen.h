/* SPDX-License-Identifier: GPL-2.0 */
/* Where the exporter listens. */
#ifndef KVMWATCH_EXPORT_LISTEN_H
#define KVMWATCH_EXPORT_LISTEN_H

#include <stddef.h>

#define LISTEN_MAX	8

/**
 * struct listener - a socket that is listened on
 * @fd:		it; -1: none
 * @path:	of a socket in the file system that is ours to remove; NULL: it is none
 */
struct listener {
	int fd;
	char *path;
};

struct listeners {
	struct listener all[LISTEN_MAX];
	size_t nr;
};

/*
 * Listen on "IP:PORT", "[IPv6]:PORT" and "unix:PATH", with commas between them. NULL: on what
 * systemd has handed over (sd_listen_fds(3)), or else on the default. Each is named on stderr.
 * Returns an exit code; what is wrong was said.
 */
int listen_on(const char *addresses, struct listeners *listeners);
void listen_end(struct listeners *listeners);

#endif /* KVMWATCH_EXPORT_LISTEN_H */
