/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libvirt, asked by its own program virsh.
 *
 * libvirt keeps the monitor of a VM for itself, and what others send through it
 * (qemu-monitor-command) it notes as a taint of the domain. So only commands of libvirt's own
 * are used here. Each ends in a bounded time, with bounded output.
 */
#ifndef KVMWATCH_VIRSH_H
#define KVMWATCH_VIRSH_H

#include <stddef.h>

#include "sample.h"

#define VIRSH_UUID_SIZE		37

/* Go on when a signal that ends the program has come. */
#define VIRSH_DESPITE_SIGNALS	0x1

/* Where libvirt keeps what it knows of its running domains; tests have another place. */
extern const char *virsh_state_dir;
/* How long it may run: libvirt may wait for another job of the domain. Tests have less time. */
extern unsigned int virsh_timeout_ms;

/**
 * virsh_find() - ask libvirt's records which domain a process is
 * @name: what the domain may be called
 * @pid: the process
 * @uuid: set to the domain's UUID: what to call it by, as a name may be that of another by number
 *
 * Return: 0, or -ENOENT: libvirt here has no domain of that name that is this process.
 */
int virsh_find(const char *name, int pid, char uuid[VIRSH_UUID_SIZE]);

/**
 * struct virsh_answer - what virsh said
 * @text:	its output
 * @words:	when it failed, what it said of that: bytes from anywhere
 */
struct virsh_answer {
	char text[8192];
	char words[200];
};

/**
 * virsh_run() - run it
 * @args: command and arguments, ended by NULL
 * @flags: VIRSH_*
 * @answer: filled
 *
 * Return: 0 or
 *  -ENOENT: there is no virsh to run;
 *  -EREMOTEIO: it failed, @answer has its words;
 *  -EOPNOTSUPP: likewise, it does not know the command or an option;
 *  -ETIMEDOUT, -E2BIG, -EINTR, -ENOMEM, ...
 */
int virsh_run(const char *const *args, unsigned int flags, struct virsh_answer *answer);

/*
 * The value of a line "KEY=VALUE" or "KEY: VALUE" of an answer, spaces around it left out, cut to
 * @size. False: there is no such line.
 */
bool virsh_value(const struct virsh_answer *answer, const char *key, char *value, size_t size);
/* The same as a number that is not negative, with nothing behind it. */
struct maybe virsh_number(const struct virsh_answer *answer, const char *key);

#endif /* KVMWATCH_VIRSH_H */
