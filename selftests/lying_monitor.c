// SPDX-License-Identifier: GPL-2.0
/*
 * A QMP monitor that lies: lying_monitor SOCKET [COMMAND ANSWER]... [-- PROGRAM NAME ARG...]
 *
 * It listens on SOCKET, and answers like QEMU, but to each COMMAND with ANSWER, which is JSON, or
 *	@never	no answer
 *	@close	it closes the connection
 *	@half	it closes the connection in the middle of an answer
 *	@events	it sends events without end
 *	@long	a text of 64 MiB
 * Of two answers to a command, the later counts. It runs until a signal ends it.
 *
 * With PROGRAM, it becomes that program, called by NAME, and a child answers until that ends. So
 * whoever connects finds that the program listens.
 */
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LONG_BYTES	(64 << 20)

struct answer {
	const char *command;
	const char *answer;
};

static const struct answer usual[] = {
	{ "query-status", "{\"status\": \"running\", \"running\": true}" },
	{ "query-migrate-parameters",
	  "{\"max-bandwidth\": 10000000, \"downtime-limit\": 300}" },
	{ "query-migrate-capabilities", "[]" },
	{ "query-dirty-rate", "{\"status\": \"measured\", \"dirty-rate\": 1}" },
};

static bool say(int fd, const char *text)
{
	size_t len = strlen(text), done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, text + done, len - done);
		if (n < 0)
			return false;
		done += n;
	}
	return true;
}

static bool say_long(int fd)
{
	static char piece[65536];
	size_t i;

	memset(piece, 'x', sizeof(piece) - 1);
	if (!say(fd, "{\"return\": \""))
		return false;
	for (i = 0; i < LONG_BYTES / sizeof(piece); i++) {
		if (!say(fd, piece))
			return false;
	}
	return say(fd, "\"}\n");
}

/* Returns false if the connection is to be closed. */
static bool say_odd(int fd, const char *how)
{
	if (!strcmp(how, "@never"))
		return true;
	if (!strcmp(how, "@half"))
		say(fd, "{\"return\": {\"status\": \"act");
	else if (!strcmp(how, "@long"))
		return say_long(fd);
	else if (!strcmp(how, "@events"))
		while (say(fd, "{\"event\": \"STOP\", \"data\": {}}\n"))
			;
	return false;
}

static const char *find(const char *command, char **more)
{
	const char *found = "{}";
	size_t i;

	for (i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		if (!strcmp(usual[i].command, command))
			found = usual[i].answer;
	}
	for (; more[0] && more[1]; more += 2) {
		if (!strcmp(more[0], command))
			found = more[1];
	}
	return found;
}

/* Commands come one on each line, as kvmwatch writes them. */
static void serve(int fd, char **more)
{
	char line[1024], command[64], text[4096];
	FILE *from = fdopen(dup(fd), "r");
	const char *id, *answer;
	bool goes_on = from && say(fd, "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7}}}}\n");

	while (goes_on && fgets(line, sizeof(line), from)) {
		id = strstr(line, "\"id\":");
		if (sscanf(line, "{\"execute\":\"%63[^\"]", command) != 1 || !id)
			errx(1, "not understood: %s", line);
		answer = find(command, more);
		if (*answer == '@') {
			goes_on = say_odd(fd, answer);
			continue;
		}
		snprintf(text, sizeof(text), "{\"return\": %s, \"id\": %d}\n", answer,
			 atoi(id + 5));
		goes_on = say(fd, text);
	}
	if (from)
		fclose(from);
	close(fd);
}

/* End the answers at "--"; returns what follows it, or NULL. */
static char **split(char **more)
{
	for (; *more; more++) {
		if (!strcmp(*more, "--")) {
			*more = NULL;
			return more + 1;
		}
	}
	return NULL;
}

/* Returns in a child, which dies with the program. */
static void become(char **program)
{
	pid_t child = fork();

	if (child < 0)
		err(1, "fork");
	if (child) {
		execvp(program[0], program + 1);
		err(1, "%s", program[0]);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	char **program;

	if (argc < 2 || strlen(argv[1]) + sizeof(".new") > sizeof(address.sun_path))
		errx(2, "usage: lying_monitor SOCKET [COMMAND ANSWER]...");
	signal(SIGPIPE, SIG_IGN);
	/* Whoever sees the socket by its name can connect to it. */
	sprintf(address.sun_path, "%s.new", argv[1]);
	unlink(address.sun_path);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 1) ||
	    rename(address.sun_path, argv[1]))
		err(1, "%s", argv[1]);
	program = split(argv + 2);
	if (program)
		become(program);
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		serve(fd, argv + 2);
	return 1;
}
