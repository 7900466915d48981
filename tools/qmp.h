/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A client of QMP, QEMU's monitor for programs, on a unix socket.
 *
 * The server may be hostile: every call ends in a bounded time, with a bounded answer. QEMU serves
 * one client at a time, so close the connection while you wait for something. Nothing here prints.
 */
#ifndef KVMWATCH_QMP_H
#define KVMWATCH_QMP_H

#include <stdbool.h>
#include <stddef.h>

#include "sample.h"

struct json_object;
struct qmp;

/* Limit of the bytes of an answer, including events meanwhile. */
#define QMP_MAX_BYTES		0x100000
/* Arrays and objects within each other */
#define QMP_MAX_DEPTH		32

/*
 * How long a greeting may take: a busy monitor accepts a client, but greets it only after the
 * current client has gone. And a command: it waits for QEMU's main loop, which may be busy with a
 * device. Tests set others.
 */
extern unsigned int qmp_greeting_ms;
extern unsigned int qmp_command_ms;

/* Go on when a signal that ends the program has come. Without it a call then fails with -EINTR. */
#define QMP_DESPITE_SIGNALS	0x1

/* Contents of the greeting. */
struct qmp_version {
	unsigned int major, minor, micro;
};

/**
 * qmp_open() - connect, and negotiate until commands can be sent
 * @path: the socket; "/proc/self/fd/N" for one that is open with O_PATH
 * @flags: QMP_*
 * @qmp: set; to be closed with qmp_close()
 *
 * Return: 0 or
 *  -EBUSY: it accepted and did not greet, or has too many clients waiting: somebody else
 *	holds the monitor, or the VMM stands still;
 *  -ECONNREFUSED, -ENOENT, -EACCES, ...: of connect(2): nobody listens, nothing is there;
 *  what qmp_call() returns.
 */
int qmp_open(const char *path, unsigned int flags, struct qmp **qmp);
void qmp_close(struct qmp *qmp);

/* From now on behave as with QMP_DESPITE_SIGNALS. */
void qmp_ignore_signals(struct qmp *qmp);

/* The process that listens, in our pid namespace; 0: it is not visible here. */
int qmp_peer(const struct qmp *qmp);
const struct qmp_version *qmp_version(const struct qmp *qmp);

/**
 * qmp_call() - execute a command
 * @qmp: the connection; after any error but -EREMOTEIO and -EOPNOTSUPP good for
 *	qmp_close() alone
 * @command: its name
 * @arguments: taken over, also when this fails; NULL: none
 * @answer: set to what it returned, to be freed with json_object_put(); may be NULL
 *
 * Return: 0 or
 *  -EREMOTEIO: the VMM refused, qmp_words() has its words;
 *  -EOPNOTSUPP: the VMM has no such command;
 *  -ECONNRESET: the VMM closed the connection, or has gone;
 *  -ETIMEDOUT: no answer in qmp_command_ms;
 *  -EBADMSG: what came is not QMP;
 *  -E2BIG: more came than QMP_MAX_BYTES, or deeper than QMP_MAX_DEPTH;
 *  -EINTR: a signal came that is to end the program;
 *  -ENOMEM.
 */
int qmp_call(struct qmp *qmp, const char *command, struct json_object *arguments,
	     struct json_object **answer);

/* The VMM's error message for the last command. It may contain any bytes: see text_clean(). */
const char *qmp_words(const struct qmp *qmp);

/* An error of qmp_open() or qmp_call(), for a message: "somebody else holds this monitor ..." */
const char *qmp_strerror(int err);

/*
 * The member of an answer at a path: "ram/remaining" is the member "remaining" of the object "ram".
 * It is unknown if it is missing or of another type, or if a number is negative.
 */
struct json_object *qmp_find(struct json_object *answer, const char *path);
struct maybe qmp_number(struct json_object *answer, const char *path);
/* NULL: unknown. Otherwise it is valid as long as @answer. */
const char *qmp_string(struct json_object *answer, const char *path);
bool qmp_true(struct json_object *answer, const char *path);
/* A finite number that is not negative, whole or not; -1: unknown. */
double qmp_double(struct json_object *answer, const char *path);

#endif /* KVMWATCH_QMP_H */
