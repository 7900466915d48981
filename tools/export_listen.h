/* SPDX-License-Identifier: GPL-2.0 */
/* Where the exporter listens. */
#ifndef KVMWATCH_EXPORT_LISTEN_H
#define KVMWATCH_EXPORT_LISTEN_H

#include <stddef.h>

#define LISTEN_MAX	8

/**
 * struct listener - a listening socket
 * @fd:		the socket; -1: none
 * @path:	path of a unix socket that we have to remove; NULL: none
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
 * Listen on the sockets that systemd passed (sd_listen_fds(3)), and on "IP:PORT", "[IPv6]:PORT" and
 * "unix:PATH", separated by commas. NULL: on the default if systemd passed none. Prints each of
 * these addresses to stderr. Returns an exit code, and prints errors.
 */
int listen_on(const char *addresses, struct listeners *listeners);
void listen_end(struct listeners *listeners);

#endif /* KVMWATCH_EXPORT_LISTEN_H */
