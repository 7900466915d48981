// SPDX-License-Identifier: GPL-2.0
/* Monitors that a test plays, and processes that look like VMMs. See played.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "played.h"

static void __attribute((noreturn)) die(const char *what)
{
	perror(what);
	abort();
}

/* --- monitors -------------------------------------------------------------- */

void played_bind(struct played *played)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(played, 0, sizeof(*played));
	strcpy(played->dir, "/tmp/played.XXXXXX");
	if (!mkdtemp(played->dir))
		die("mkdtemp");
	snprintf(played->path, sizeof(played->path), "%s/monitor", played->dir);
	strcpy(address.sun_path, played->path);
	played->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (played->listener < 0 ||
	    bind(played->listener, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
}

void played_listen(struct played *played, int backlog)
{
	if (listen(played->listener, backlog))
		die("listen");
}

static bool is_stopping(const struct played *played)
{
	return __atomic_load_n(&played->stopping, __ATOMIC_RELAXED);
}

static void *serve_all(void *arg)
{
	struct played *played = arg;
	struct pollfd pollfd = { .fd = played->listener, .events = POLLIN };
	int fd;

	while (!is_stopping(played)) {
		if (poll(&pollfd, 1, 10) <= 0)
			continue;
		fd = accept(played->listener, NULL, NULL);
		if (fd < 0)
			continue;
		__atomic_add_fetch(&played->clients, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&played->serving, true, __ATOMIC_RELAXED);
		played->serve(played, fd);
		__atomic_store_n(&played->serving, false, __ATOMIC_RELAXED);
		close(fd);
	}
	return NULL;
}

/* Writing to a client that has gone must not end the process. */
void played_serve(struct played *played, void (*serve)(struct played *played, int fd))
{
	signal(SIGPIPE, SIG_IGN);
	played->serve = serve;
	if (pthread_create(&played->thread, NULL, serve_all, played))
		die("pthread_create");
}

void played_start(struct played *played, void (*serve)(struct played *played, int fd))
{
	played_bind(played);
	played_listen(played, 1);
	played_serve(played, serve);
}

void played_stop(struct played *played)
{
	char command[128];

	__atomic_store_n(&played->stopping, true, __ATOMIC_RELAXED);
	if (played->thread)
		pthread_join(played->thread, NULL);
	close(played->listener);
	snprintf(command, sizeof(command), "/bin/rm -rf %s", played->dir);
	if (system(command))
		abort();
}

char *played_text(const char *text)
{
	char *said = strdup(text), *at;

	while ((at = strchr(said, '\'')))
		*at = '"';
	return said;
}

void played_say(int fd, const char *text)
{
	size_t len = strlen(text), done = 0;
	char *said = played_text(text);
	ssize_t n = 0;

	for (; n >= 0 && done < len; done += n)
		n = write(fd, said + done, len - done);
	free(said);
}

bool played_hear(int fd, char *line, size_t size)
{
	size_t len = 0;
	char letter;

	while (read(fd, &letter, 1) == 1) {
		if (letter == '\n') {
			line[len] = '\0';
			return true;
		}
		if (len < size - 1)
			line[len++] = letter;
	}
	return false;
}

int played_id(const char *line)
{
	const char *id = strstr(line, "\"id\":");

	return id ? atoi(id + 5) : -1;
}

bool played_is(const char *line, const char *command)
{
	char text[64];

	snprintf(text, sizeof(text), "\"execute\":\"%s\"", command);
	return strstr(line, text);
}

void played_return(int fd, const char *line, const char *text)
{
	char *answer;

	if (asprintf(&answer, "{'return': %s, 'id': %d}\r\n", text, played_id(line)) < 0)
		abort();
	played_say(fd, answer);
	free(answer);
}

void played_refuse(int fd, const char *line, const char *class, const char *words)
{
	char answer[512];

	snprintf(answer, sizeof(answer),
		 "{'id': %d, 'error': {'class': '%s', 'desc': '%s'}}\r\n",
		 played_id(line), class, words);
	played_say(fd, answer);
}

bool played_greet(int fd)
{
	char line[256];

	played_say(fd, PLAYED_GREETING);
	if (!played_hear(fd, line, sizeof(line)))
		return false;
	if (!played_is(line, "qmp_capabilities"))
		abort();
	played_return(fd, line, "{}");
	return true;
}

/* --- VMMs ------------------------------------------------------------------ */

/*
 * Runs before main() in the new process: listen, change directories, report that it is ready, wait.
 */
static void be_vmm(int argc, char **argv, char **env)
{
	const char *root = getenv("PLAYED_ROOT"), *cwd = getenv("PLAYED_CWD");
	const char *listener = getenv("PLAYED_LISTENER");
	char letter = 0;

	(void)env;
	if (!argc || strncmp(argv[0], "qemu-played", 11))
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (listener && listen(atoi(listener), 8))
		_exit(2);
	if (root && (chroot(root) || chdir("/")))
		_exit(3);
	if (cwd && chdir(cwd))
		_exit(4);
	if (write(1, &letter, 1) != 1)
		_exit(5);
	while (read(0, &letter, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static __attribute((constructor)) void played_begin(int argc, char **argv, char **env)
{
	be_vmm(argc, argv, env);
}

static void set_or_unset(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

void played_vmm_start(struct played_vmm *vmm, const char *root, const char *cwd, int listener,
		      const char *const *argv)
{
	int input[2], ready[2], status;
	char letter, number[16];

	if (pipe(input) || pipe(ready))
		die("pipe");
	vmm->pid = fork();
	if (!vmm->pid) {
		dup2(input[0], 0);
		dup2(ready[1], 1);
		close(input[0]);
		close(input[1]);
		close(ready[0]);
		close(ready[1]);
		snprintf(number, sizeof(number), "%d", listener >= 0 ? dup(listener) : -1);
		set_or_unset("PLAYED_ROOT", root);
		set_or_unset("PLAYED_CWD", cwd);
		set_or_unset("PLAYED_LISTENER", listener >= 0 ? number : NULL);
		execv("/proc/self/exe", (char *const *)argv);
		_exit(1);
	}
	close(input[0]);
	close(ready[1]);
	vmm->input = input[1];
	if (read(ready[0], &letter, 1) != 1) {
		waitpid(vmm->pid, &status, 0);
		fprintf(stderr, "played VMM: status %#x\n", status);
		abort();
	}
	close(ready[0]);
}

void played_vmm_stop(struct played_vmm *vmm)
{
	close(vmm->input);
	while (waitpid(vmm->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
