// SPDX-License-Identifier: GPL-2.0
/* libvirt, asked by its own program virsh. See virsh.h. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interrupt.h"
#include "repeat.h"
#include "text.h"
#include "virsh.h"

#define NSEC_PER_MSEC	1000000ULL
#define CHUNK_MS	50
#define MAX_ARGS	16
#define MAX_RECORD	(4 << 20)

const char *virsh_state_dir = "/run/libvirt/qemu";
unsigned int virsh_timeout_ms = 20000;

/* --- records of libvirt's -------------------------------------------------- */

/* A file that is no link and not too long, as a string to be freed; NULL: there is none. */
static char *read_record(const char *path)
{
	char *text = NULL;
	struct stat st;
	ssize_t n = -1;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= MAX_RECORD)
		text = malloc(st.st_size + 1);
	if (text)
		n = read(fd, text, st.st_size);
	close(fd);
	if (n < 0) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

/* "<domstatus state='running' reason='booted' pid='1234'>" */
static bool record_is_of(const char *record, int pid)
{
	const char *status = strstr(record, "<domstatus "), *end, *at;

	end = status ? strchr(status, '>') : NULL;
	at = status ? strstr(status, " pid='") : NULL;
	return at && end && at < end && atoi(at + strlen(" pid='")) == pid;
}

/* Of the domain, which begins behind all that libvirt notes of its process. */
static bool take_uuid(const char *record, char *uuid)
{
	const char *domain = strstr(record, "<domain "), *at;
	size_t i;

	at = domain ? strstr(domain, "<uuid>") : NULL;
	if (!at)
		return false;
	at += strlen("<uuid>");
	for (i = 0; i < VIRSH_UUID_SIZE - 1; i++) {
		if (!isxdigit((unsigned char)at[i]) && at[i] != '-')
			return false;
		uuid[i] = at[i];
	}
	uuid[i] = '\0';
	return at[i] == '<';
}

int virsh_find(const char *name, int pid, char uuid[VIRSH_UUID_SIZE])
{
	char path[512], *record;
	int len, err = -ENOENT;

	if (!*name || strchr(name, '/'))
		return -ENOENT;
	len = snprintf(path, sizeof(path), "%s/%s.xml", virsh_state_dir, name);
	if (len >= (int)sizeof(path))
		return -ENOENT;
	record = read_record(path);
	if (record && record_is_of(record, pid) && take_uuid(record, uuid))
		err = 0;
	free(record);
	return err;
}

/* --- running it ------------------------------------------------------------ */

/**
 * struct stream - what it writes
 * @pipe:	where from; -1: it has ended
 * @buf:	where to
 * @size:	of @buf
 * @len:	what is there
 */
struct piped {
	int pipe;
	char *buf;
	size_t size, len;
};

/**
 * struct run - virsh while it runs
 * @pid:	it, in a process group of its own
 * @flags:	VIRSH_*
 * @deadline:	when it is ended
 * @piped:	its stdout and stderr
 */
struct run {
	pid_t pid;
	unsigned int flags;
	__u64 deadline;
	struct piped piped[2];
};

/* What is written for programs, whatever language the user has. */
static char **make_environment(void)
{
	size_t nr = 0, kept = 0, i;
	char **env;

	while (environ[nr])
		nr++;
	env = calloc(nr + 2, sizeof(*env));
	for (i = 0; env && i < nr; i++) {
		if (strncmp(environ[i], "LC_ALL=", 7) && strncmp(environ[i], "LANGUAGE=", 9))
			env[kept++] = environ[i];
	}
	if (env)
		env[kept] = "LC_ALL=C";
	return env;
}

static int spawn(char **argv, const int *outputs, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t defaults, none;
	char **env = make_environment();
	int err;

	if (!env)
		return -ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, outputs[0], 1);
	posix_spawn_file_actions_adddup2(&actions, outputs[1], 2);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
					POSIX_SPAWN_SETSIGMASK);
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGINT);
	sigaddset(&defaults, SIGTERM);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	err = posix_spawnp(pid, argv[0], &actions, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	free(env);
	return -err;
}

static int start(struct run *run, char **argv)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 }, outputs[2], code;

	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
		code = -errno;
	} else {
		outputs[0] = out[1];
		outputs[1] = err[1];
		code = spawn(argv, outputs, &run->pid);
	}
	if (out[1] >= 0)
		close(out[1]);
	if (err[1] >= 0)
		close(err[1]);
	run->piped[0].pipe = out[0];
	run->piped[1].pipe = err[0];
	return code;
}

static int take(struct piped *piped)
{
	size_t room = piped->size - 1 - piped->len;
	ssize_t n;

	if (!room)
		return -E2BIG;
	n = read(piped->pipe, piped->buf + piped->len, room);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (!n) {
		close(piped->pipe);
		piped->pipe = -1;
	}
	piped->len += n;
	return 0;
}

static int may_go_on(const struct run *run)
{
	if (!(run->flags & VIRSH_DESPITE_SIGNALS) && interrupted())
		return -EINTR;
	return now_ns() < run->deadline ? 0 : -ETIMEDOUT;
}

/* Until it has closed both, in short pieces: see interrupt_sleep_until(). */
static int read_all(struct run *run)
{
	struct pollfd pollfds[2];
	int err = 0, i;

	while (!err && (run->piped[0].pipe >= 0 || run->piped[1].pipe >= 0)) {
		for (i = 0; i < 2; i++) {
			pollfds[i].fd = run->piped[i].pipe;
			pollfds[i].events = POLLIN;
			pollfds[i].revents = 0;
		}
		err = may_go_on(run);
		if (err || poll(pollfds, 2, CHUNK_MS) <= 0)
			continue;
		for (i = 0; i < 2 && !err; i++) {
			if (pollfds[i].revents)
				err = take(&run->piped[i]);
		}
	}
	return err;
}

/* One that has closed its outputs may still run. */
static int wait_for_end(struct run *run, int *status)
{
	int err;

	while (waitpid(run->pid, status, WNOHANG) != run->pid) {
		err = may_go_on(run);
		if (err)
			return err;
		poll(NULL, 0, 1);
	}
	run->pid = 0;
	return 0;
}

static void stop(struct run *run)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (run->piped[i].pipe >= 0)
			close(run->piped[i].pipe);
	}
	if (run->pid <= 0)
		return;
	kill(-run->pid, SIGKILL);
	while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* "error: no domain with matching name", of which the first line says most. */
static void take_words(const char *said, char *words, size_t size)
{
	if (!strncmp(said, "error: ", 7))
		said += 7;
	snprintf(words, size, "%.*s", (int)strcspn(said, "\n"), said);
	if (!*words)
		snprintf(words, size, "no reason given");
}

static int judge(int status, const char *said, struct virsh_answer *answer)
{
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	take_words(said, answer->words, sizeof(answer->words));
	if (strstr(said, "unknown command") || strstr(said, "doesn't support option"))
		return -EOPNOTSUPP;
	return -EREMOTEIO;
}

static int run_it(char **argv, unsigned int flags, struct virsh_answer *answer)
{
	char said[1024] = "";
	struct run run = {
		.flags = flags,
		.deadline = now_ns() + virsh_timeout_ms * NSEC_PER_MSEC,
		.piped = {
			{ .pipe = -1, .buf = answer->text, .size = sizeof(answer->text) },
			{ .pipe = -1, .buf = said, .size = sizeof(said) },
		},
	};
	int status = 0, err;

	err = start(&run, argv);
	if (!err)
		err = read_all(&run);
	if (!err)
		err = wait_for_end(&run, &status);
	stop(&run);
	answer->text[run.piped[0].len] = '\0';
	said[run.piped[1].len] = '\0';
	return err ? err : judge(status, said, answer);
}

int virsh_run(const char *const *args, unsigned int flags, struct virsh_answer *answer)
{
	static const char *const always[] = { "virsh", "-q", "-c", "qemu:///system" };
	const size_t fixed = sizeof(always) / sizeof(*always);
	char *argv[MAX_ARGS] = { };
	size_t i;

	answer->text[0] = '\0';
	answer->words[0] = '\0';
	for (i = 0; i < fixed; i++)
		argv[i] = (char *)always[i];
	for (; *args; args++, i++) {
		if (i == MAX_ARGS - 1)
			return -E2BIG;
		argv[i] = (char *)*args;
	}
	return run_it(argv, flags, answer);
}

/* --- what it said ---------------------------------------------------------- */

static bool value_of_line(const char *line, const char *key, char *value, size_t size)
{
	size_t len = strlen(key);

	line += strspn(line, " \t");
	if (strncmp(line, key, len) || (line[len] != '=' && line[len] != ':'))
		return false;
	line += len + 1;
	line += strspn(line, " \t");
	len = strcspn(line, "\n");
	while (len && isspace((unsigned char)line[len - 1]))
		len--;
	snprintf(value, size, "%.*s", (int)len, line);
	return true;
}

bool virsh_value(const struct virsh_answer *answer, const char *key, char *value, size_t size)
{
	const char *line = answer->text;

	while (line) {
		if (value_of_line(line, key, value, size))
			return true;
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return false;
}

struct maybe virsh_number(const struct virsh_answer *answer, const char *key)
{
	struct maybe number = { };
	char value[32];

	if (virsh_value(answer, key, value, sizeof(value)))
		number.known = text_parse_u64(value, &number.number);
	return number;
}
