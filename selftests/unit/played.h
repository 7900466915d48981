/* SPDX-License-Identifier: GPL-2.0 */
/* Monitors that a test plays, and processes that look like VMMs. */
#ifndef UNIT_PLAYED_H
#define UNIT_PLAYED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PLAYED_GREETING	\
	"{'QMP': {'version': {'qemu': {'micro': 22, 'minor': 2, 'major': 7}}}, 'x': ['oob']}\r\n"

/**
 * struct played - a monitor: one client at a time, as QEMU's
 * @dir:	its directory
 * @path:	of the socket, in it
 * @listener:	the socket
 * @serve:	has a client from its connecting until this returns; then the client's
 *		connection is closed
 * @arg:	for @serve
 * @clients:	how many there were
 * @serving:	there is one now
 */
struct played {
	char dir[64];
	char path[108];
	int listener;
	void (*serve)(struct played *played, int fd);
	void *arg;
	unsigned int clients;
	bool serving;

	pthread_t thread;
	bool stopping;
};

/* Make a socket in a new directory, on which nobody listens yet. */
void played_bind(struct played *played);
/* Listen and serve; or only serve, if a VMM listens. */
void played_listen(struct played *played, int backlog);
void played_serve(struct played *played, void (*serve)(struct played *played, int fd));
void played_stop(struct played *played);

/* Bind, listen and serve. */
void played_start(struct played *played, void (*serve)(struct played *played, int fd));

/* Replace each ' by ", so that JSON in a test is readable. The caller frees the result. */
char *played_text(const char *text);
/* Write this. */
void played_say(int fd, const char *text);
/* Read a line that the client wrote, cut to fit. False: the client has gone. */
bool played_hear(int fd, char *line, size_t size);
/* The number after "id" in a command. */
int played_id(const char *line);
bool played_is(const char *line, const char *command);
/* Write {"return": @text, "id": the id in @line}. */
void played_return(int fd, const char *line, const char *text);
void played_refuse(int fd, const char *line, const char *class, const char *words);
/* Write the greeting, and answer qmp_capabilities. */
bool played_greet(int fd);

/**
 * struct played_vmm - a process that looks like a VMM
 * @pid:	it
 * @input:	it ends when this is closed
 */
struct played_vmm {
	pid_t pid;
	int input;
};

/*
 * Start a process with this command line, which ends with NULL, and whose first word begins with
 * "qemu-played". It changes to the root directory and then the working directory, if they are not
 * NULL, and listens on @listener, unless that is -1.
 */
void played_vmm_start(struct played_vmm *vmm, const char *root, const char *cwd, int listener,
		      const char *const *argv);
void played_vmm_stop(struct played_vmm *vmm);

#endif /* UNIT_PLAYED_H */
