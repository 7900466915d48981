// SPDX-License-Identifier: GPL-2.0
/* Where the exporter listens. See export_listen.h. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd.h"
#include "export.h"
#include "export_listen.h"
#include "text.h"

#define BACKLOG		64
#define FIRST_HANDED	3	/* SD_LISTEN_FDS_START */

static int keep(struct listeners *listeners, int fd, char *path)
{
	listeners->all[listeners->nr].fd = fd;
	listeners->all[listeners->nr++].path = path;
	return EXIT_DONE;
}

void listen_end(struct listeners *listeners)
{
	struct listener *listener;

	while (listeners->nr) {
		listener = &listeners->all[--listeners->nr];
		if (listener->fd >= 0)
			close(listener->fd);
		if (listener->path)
			unlink(listener->path);
		free(listener->path);
	}
}

/* --- in the file system ---------------------------------------------------- */

/* A socket on which nobody listens may be removed. */
static bool is_stale(const struct sockaddr_un *address)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(address->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	/* Do not wait for a server that is busy. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* Owner and group may connect. */
static int bind_path(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0117);
	int err = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

	umask(mask);
	return err;
}

static int listen_path(struct listeners *listeners, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;
	char *copy;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return complain("unix", "the path of a socket has 1 to %zu bytes",
				sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	copy = strdup(path);
	if (fd < 0 || !copy) {
		err = complain(path, "can't make a socket: %m");
		if (fd >= 0)
			close(fd);
		free(copy);
		return err;
	}
	err = bind_path(fd, &address);
	if (err == -EADDRINUSE && is_stale(&address)) {
		unlink(path);
		err = bind_path(fd, &address);
	}
	if (!err && listen(fd, BACKLOG)) {
		err = -errno;
		unlink(path);
	}
	if (!err) {
		complain("export", "listening on unix:%s", path);
		return keep(listeners, fd, copy);
	}
	close(fd);
	free(copy);
	return complain(path, "can't listen here: %s", strerror(-err));
}

/* --- TCP ------------------------------------------------------------------- */

/* Split "[::1]:80" or "127.0.0.1:80" in place. */
static bool split_address(char *text, char **host, char **port)
{
	char *colon = strrchr(text, ':'), *end;

	if (!colon || colon == text || !colon[1])
		return false;
	*colon = '\0';
	*host = text;
	*port = colon + 1;
	end = colon - 1;
	if (*text == '[') {
		if (*end != ']')
			return false;
		*end = '\0';
		*host = text + 1;
		return true;
	}
	return !strchr(text, ':');
}

static void say_where(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[64], port[16];

	if (getsockname(fd, (struct sockaddr *)&address, &len) ||
	    getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	complain("export", address.ss_family == AF_INET6 ? "listening on [%s]:%s" :
							   "listening on %s:%s", host, port);
}

static int open_tcp(const struct addrinfo *info)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	int err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (!bind(fd, info->ai_addr, info->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int listen_tcp(struct listeners *listeners, const char *address)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *info;
	char *text = strdup(address), *host, *port;
	bool parsed;
	int fd;

	parsed = text && split_address(text, &host, &port) &&
		 !getaddrinfo(host, port, &hints, &info);
	free(text);
	if (!parsed)
		return complain(address,
				"this is no address; give IP:PORT, [IPv6]:PORT or unix:PATH");
	fd = open_tcp(info);
	freeaddrinfo(info);
	if (fd < 0)
		return complain(address, "can't listen here: %s", strerror(-fd));
	say_where(fd);
	return keep(listeners, fd, NULL);
}

/* --- from systemd ---------------------------------------------------------- */

static __u64 number_from(const char *variable)
{
	const char *text = getenv(variable);
	__u64 number;

	return text && text_parse_u64(text, &number) ? number : 0;
}

/* Like sd_listen_fds(3), whose library is larger than this program. */
static int take_handed(struct listeners *listeners)
{
	__u64 nr = number_from("LISTEN_FDS"), i;
	int accepts, fd;

	if (!nr || number_from("LISTEN_PID") != (__u64)getpid())
		return EXIT_DONE;
	if (nr > LISTEN_MAX)
		return complain("export", "systemd handed over %llu sockets, not %d at most",
				nr, LISTEN_MAX);
	for (i = 0; i < nr; i++) {
		socklen_t len = sizeof(accepts);

		fd = FIRST_HANDED + i;
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) || !accepts)
			return complain("export", "systemd's fd %d does not listen", fd);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		keep(listeners, fd, NULL);
	}
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	return EXIT_DONE;
}

/* --- all ------------------------------------------------------------------- */

static int listen_one(struct listeners *listeners, const char *address)
{
	if (listeners->nr == LISTEN_MAX)
		return complain(address, "one address too many; it takes %d", LISTEN_MAX);
	if (!strncmp(address, "unix:", 5))
		return listen_path(listeners, address + 5);
	return listen_tcp(listeners, address);
}

static int listen_all(struct listeners *listeners, const char *addresses)
{
	char *copy = strdup(addresses), *rest = copy, *address;
	int code = copy ? EXIT_DONE : complain("export", "no memory");

	while (!code && (address = strsep(&rest, ",")))
		code = listen_one(listeners, address);
	free(copy);
	return code;
}

int listen_on(const char *addresses, struct listeners *listeners)
{
	int code;

	memset(listeners, 0, sizeof(*listeners));
	code = take_handed(listeners);
	if (!code && !addresses && !listeners->nr)
		addresses = EXPORT_DEFAULT_LISTEN;
	if (!code && addresses)
		code = listen_all(listeners, addresses);
	if (code)
		listen_end(listeners);
	return code;
}
