// SPDX-License-Identifier: GPL-2.0
/* A client of QMP. See qmp.h. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#include "interrupt.h"
#include "qmp.h"
#include "repeat.h"

#define NSEC_PER_MSEC	1000000ULL
/* How long a signal may stay unnoticed */
#define CHUNK_MS	50
/* Limit of a message: parsed, small objects take 300 times the memory of their text. */
#define MAX_MESSAGE	(64 << 10)

unsigned int qmp_greeting_ms = 1000;
unsigned int qmp_command_ms = 10000;

/**
 * struct qmp - a connection
 * @socket:	it never blocks
 * @flags:	QMP_*
 * @peer:	who listens
 * @version:	of QEMU
 * @parser:	of messages, which may come in pieces
 * @buf:	what was read and not parsed: from @begin to @end
 * @budget:	bytes that the call may still read
 * @deadline:	when the call ends, by CLOCK_MONOTONIC
 * @id:		of the last command
 * @words:	what the VMM refused it with
 */
struct qmp {
	int socket;
	unsigned int flags;
	int peer;
	struct qmp_version version;
	struct json_tokener *parser;
	char buf[16384];
	size_t begin, end;
	size_t budget;
	__u64 deadline;
	__u64 id;
	char words[200];
};

/* --- bytes ----------------------------------------------------------------- */

static void set_limits(struct qmp *qmp, unsigned int ms)
{
	qmp->budget = QMP_MAX_BYTES;
	qmp->deadline = now_ns() + ms * NSEC_PER_MSEC;
}

/* Returns 0, or why waiting must end. */
static int may_go_on(const struct qmp *qmp)
{
	if (!(qmp->flags & QMP_DESPITE_SIGNALS) && interrupted())
		return -EINTR;
	return now_ns() < qmp->deadline ? 0 : -ETIMEDOUT;
}

/* Poll in short pieces: a signal may come between the check for signals and poll(). */
static int wait_for(const struct qmp *qmp, short events)
{
	struct pollfd pollfd = { .fd = qmp->socket, .events = events };
	int err, n;

	do {
		err = may_go_on(qmp);
		if (err)
			return err;
		n = poll(&pollfd, 1, CHUNK_MS);
		if (n < 0 && errno != EINTR)
			return -errno;
	} while (n <= 0);
	return 0;
}

static bool is_transient(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

/* recv() does not accept file descriptors that come with the data. */
static int read_some(struct qmp *qmp)
{
	size_t room = sizeof(qmp->buf);
	ssize_t n;
	int err;

	if (!qmp->budget)
		return -E2BIG;
	if (room > qmp->budget)
		room = qmp->budget;
	do {
		err = wait_for(qmp, POLLIN);
		if (err)
			return err;
		n = recv(qmp->socket, qmp->buf, room, MSG_DONTWAIT);
		if (!n)
			return -ECONNRESET;
		if (n < 0 && !is_transient(errno))
			return -errno;
	} while (n < 0);
	qmp->begin = 0;
	qmp->end = n;
	qmp->budget -= n;
	return 0;
}

static int write_all(struct qmp *qmp, const char *text)
{
	size_t len = strlen(text), done = 0;
	ssize_t n;
	int err;

	while (done < len) {
		err = wait_for(qmp, POLLOUT);
		if (err)
			return err;
		n = send(qmp->socket, text + done, len - done, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			done += n;
		else if (errno == EPIPE)
			return -ECONNRESET;
		else if (!is_transient(errno))
			return -errno;
	}
	return 0;
}

/* --- messages -------------------------------------------------------------- */

/* Parse what was read. Returns 0 and a message of any type, or -EAGAIN: more is needed. */
static int parse(struct qmp *qmp, size_t *len, struct json_object **message)
{
	enum json_tokener_error error;

	*message = json_tokener_parse_ex(qmp->parser, qmp->buf + qmp->begin,
					 qmp->end - qmp->begin);
	error = json_tokener_get_error(qmp->parser);
	if (error == json_tokener_success) {
		qmp->begin += json_tokener_get_parse_end(qmp->parser);
		return *message ? 0 : -EBADMSG;
	}
	*len += qmp->end - qmp->begin;
	qmp->begin = qmp->end;
	if (error == json_tokener_error_depth)
		return -E2BIG;
	if (error != json_tokener_continue)
		return -EBADMSG;
	return *len < MAX_MESSAGE ? -EAGAIN : -E2BIG;
}

static int read_message(struct qmp *qmp, struct json_object **message)
{
	size_t len = 0;
	int err;

	json_tokener_reset(qmp->parser);
	do {
		err = qmp->begin < qmp->end ? 0 : read_some(qmp);
		if (!err)
			err = parse(qmp, &len, message);
	} while (err == -EAGAIN);
	return err;
}

/* Read the next message that is not an event. */
static int read_answer(struct qmp *qmp, struct json_object **message)
{
	int err;

	while (!(err = read_message(qmp, message)) && qmp_find(*message, "event"))
		json_object_put(*message);
	return err;
}

/* --- commands -------------------------------------------------------------- */

static char *command_text(struct qmp *qmp, const char *command, struct json_object *arguments)
{
	struct json_object *message = json_object_new_object();
	char *text;

	if (!message) {
		json_object_put(arguments);
		return NULL;
	}
	json_object_object_add(message, "execute", json_object_new_string(command));
	if (arguments)
		json_object_object_add(message, "arguments", arguments);
	json_object_object_add(message, "id", json_object_new_int64(++qmp->id));
	if (asprintf(&text, "%s\n",
		     json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN)) < 0)
		text = NULL;
	json_object_put(message);
	return text;
}

static int refusal(struct qmp *qmp, struct json_object *message)
{
	const char *class = qmp_string(message, "error/class");
	const char *words = qmp_string(message, "error/desc");

	snprintf(qmp->words, sizeof(qmp->words), "%s", words ? words : "no reason given");
	return class && !strcmp(class, "CommandNotFound") ? -EOPNOTSUPP : -EREMOTEIO;
}

static int take_answer(struct qmp *qmp, struct json_object *message, struct json_object **answer)
{
	struct maybe id = qmp_number(message, "id");
	struct json_object *returned = qmp_find(message, "return");

	if (!id.known || id.number != qmp->id)
		return -EBADMSG;
	if (qmp_find(message, "error"))
		return refusal(qmp, message);
	if (!returned)
		return -EBADMSG;
	if (answer)
		*answer = json_object_get(returned);
	return 0;
}

static int ask(struct qmp *qmp, const char *command, struct json_object *arguments,
	       struct json_object **answer)
{
	char *text = command_text(qmp, command, arguments);
	struct json_object *message;
	int err;

	if (!text)
		return -ENOMEM;
	err = write_all(qmp, text);
	free(text);
	if (!err)
		err = read_answer(qmp, &message);
	if (err)
		return err;
	err = take_answer(qmp, message, answer);
	json_object_put(message);
	return err;
}

int qmp_call(struct qmp *qmp, const char *command, struct json_object *arguments,
	     struct json_object **answer)
{
	set_limits(qmp, qmp_command_ms);
	*qmp->words = '\0';
	return ask(qmp, command, arguments, answer);
}

/* --- connecting ------------------------------------------------------------ */

/* EAGAIN: so many clients wait to be accepted that there is no room for another. */
static int connect_to(struct qmp *qmp, const struct sockaddr_un *address)
{
	int err;

	while (connect(qmp->socket, (const struct sockaddr *)address, sizeof(*address))) {
		if (!is_transient(errno))
			return -errno;
		err = may_go_on(qmp);
		if (err)
			return err == -ETIMEDOUT ? -EBUSY : err;
		poll(NULL, 0, CHUNK_MS);
	}
	return 0;
}

static void note_peer(struct qmp *qmp)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (!getsockopt(qmp->socket, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		qmp->peer = peer.pid;
}

static unsigned int version_part(struct json_object *greeting, const char *path)
{
	struct maybe part = qmp_number(greeting, path);

	return part.known && part.number < 10000 ? part.number : 0;
}

static int read_greeting(struct qmp *qmp)
{
	struct json_object *greeting;
	int err;

	err = read_message(qmp, &greeting);
	if (err == -ETIMEDOUT && qmp->budget == QMP_MAX_BYTES)
		return -EBUSY;
	if (err)
		return err;
	if (!qmp_find(greeting, "QMP"))
		err = -EBADMSG;
	qmp->version.major = version_part(greeting, "QMP/version/qemu/major");
	qmp->version.minor = version_part(greeting, "QMP/version/qemu/minor");
	qmp->version.micro = version_part(greeting, "QMP/version/qemu/micro");
	json_object_put(greeting);
	return err;
}

static int negotiate(struct qmp *qmp, const struct sockaddr_un *address)
{
	int err;

	set_limits(qmp, qmp_greeting_ms);
	err = connect_to(qmp, address);
	if (err)
		return err;
	note_peer(qmp);
	err = read_greeting(qmp);
	if (err)
		return err;
	return qmp_call(qmp, "qmp_capabilities", NULL, NULL);
}

int qmp_open(const char *path, unsigned int flags, struct qmp **qmp)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct qmp *new;
	int err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->flags = flags;
	new->parser = json_tokener_new_ex(QMP_MAX_DEPTH);
	new->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = new->socket < 0 ? -errno : new->parser ? negotiate(new, &address) : -ENOMEM;
	if (err) {
		qmp_close(new);
		return err;
	}
	*qmp = new;
	return 0;
}

void qmp_close(struct qmp *qmp)
{
	if (!qmp)
		return;
	if (qmp->socket >= 0)
		close(qmp->socket);
	if (qmp->parser)
		json_tokener_free(qmp->parser);
	free(qmp);
}

void qmp_ignore_signals(struct qmp *qmp)
{
	qmp->flags |= QMP_DESPITE_SIGNALS;
}

int qmp_peer(const struct qmp *qmp)
{
	return qmp->peer;
}

const struct qmp_version *qmp_version(const struct qmp *qmp)
{
	return &qmp->version;
}

const char *qmp_words(const struct qmp *qmp)
{
	return qmp->words;
}

const char *qmp_strerror(int err)
{
	switch (err) {
	case -EBUSY:
		return "somebody else holds this monitor, or the VMM stands still";
	case -ECONNREFUSED:
		return "nobody listens there";
	case -ECONNRESET:
		return "the VMM closed the connection";
	case -ETIMEDOUT:
		return "the VMM does not answer";
	case -EBADMSG:
		return "what answers is no QMP monitor";
	case -E2BIG:
		return "the answer is too long";
	case -EOPNOTSUPP:
		return "this VMM has no such command";
	case -EREMOTEIO:
		return "the VMM refused";
	case -EPERM:
		return "another process than the VMM listens there";
	case -EINTR:
		return "interrupted";
	default:
		return strerror(-err);
	}
}

/* --- what is in an answer -------------------------------------------------- */

struct json_object *qmp_find(struct json_object *answer, const char *path)
{
	struct json_object *at = answer;
	char key[64];
	size_t len;

	for (;; path += len + 1) {
		len = strcspn(path, "/");
		if (len >= sizeof(key) || !json_object_is_type(at, json_type_object))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		if (!json_object_object_get_ex(at, key, &at))
			return NULL;
		if (!path[len])
			return at;
	}
}

struct maybe qmp_number(struct json_object *answer, const char *path)
{
	struct json_object *found = qmp_find(answer, path);
	struct maybe number = { };

	if (json_object_is_type(found, json_type_int) && json_object_get_int64(found) >= 0) {
		number.known = true;
		number.number = json_object_get_uint64(found);
	}
	return number;
}

const char *qmp_string(struct json_object *answer, const char *path)
{
	struct json_object *found = qmp_find(answer, path);

	return json_object_is_type(found, json_type_string) ? json_object_get_string(found) : NULL;
}

bool qmp_true(struct json_object *answer, const char *path)
{
	struct json_object *found = qmp_find(answer, path);

	return json_object_is_type(found, json_type_boolean) && json_object_get_boolean(found);
}

double qmp_double(struct json_object *answer, const char *path)
{
	struct json_object *found = qmp_find(answer, path);
	double number = -1;

	if (json_object_is_type(found, json_type_int) ||
	    json_object_is_type(found, json_type_double))
		number = json_object_get_double(found);
	return isfinite(number) && number >= 0 ? number : -1;
}
