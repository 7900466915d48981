/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ask libvirt through its program virsh.
 *
 * libvirt holds the monitor of a VM, and marks a domain as tainted if others send commands through
 * it (qemu-monitor-command). So this uses only libvirt's own commands. Each ends in a bounded time,
 * with bounded output.
 */
#ifndef KVMWATCH_VIRSH_H
#define KVMWATCH_VIRSH_H

#include <stddef.h>

#include "sample.h"

#define VIRSH_UUID_SIZE		37

/* Go on when a signal that ends the program has come. */
#define VIRSH_DESPITE_SIGNALS	0x1

/* The directory with libvirt's records of running domains; tests set another. */
extern const char *virsh_state_dir;
/* How long virsh may run: libvirt may wait for another job of the domain. Tests set less. */
extern unsigned int virsh_timeout_ms;

/**
 * virsh_find() - find the domain of a process in libvirt's records
 * @name: a possible name of the domain
 * @pid: the process
 * @uuid: set to the domain's UUID. Pass this to virsh, which could take a name for the id of
 *	another domain
 *
 * Return: 0, or -ENOENT: libvirt here has no domain of that name that is this process.
 */
int virsh_find(const char *name, int pid, char uuid[VIRSH_UUID_SIZE]);

/**
 * struct virsh_answer - output of virsh
 * @text:	its output
 * @words:	its error message if it failed; may contain any bytes
 */
struct virsh_answer {
	char text[8192];
	char words[200];
};

/**
 * virsh_run() - run virsh
 * @args: command and arguments, terminated by NULL
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
 * The value of a line "KEY=VALUE" or "KEY: VALUE" of an answer, without spaces around it, cut to
 * @size bytes. False: there is no such line.
 */
bool virsh_value(const struct virsh_answer *answer, const char *key, char *value, size_t size);
/* The same as a number. It is unknown if it is negative, or if text follows it. */
struct maybe virsh_number(const struct virsh_answer *answer, const char *key);

#endif /* KVMWATCH_VIRSH_H */
