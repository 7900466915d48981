/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is known of a VM from outside of KVM: its VMM's command line and cgroup. Both belong to
 * others: nothing in them is certain.
 */
#ifndef KVMWATCH_IDENTITY_H
#define KVMWATCH_IDENTITY_H

#include <stddef.h>

/**
 * struct identity - names of a VM, each NULL if there is none
 * @guest:	what the person who started it called it
 * @uuid:	what the VMM was told, in small letters: 8-4-4-4-12 digits
 * @unit:	systemd's unit that its VMM runs in, as cgroups spell it
 */
struct identity {
	char *guest;
	char *uuid;
	char *unit;
};

/* Ask /proc about a process. What can't be read stays NULL. To be freed with identity_free(). */
void identity_of(int pid, struct identity *identity);

/* 0 or -ENOMEM; then @to has nothing. */
int identity_copy(struct identity *to, const struct identity *from);
void identity_free(struct identity *identity);

/* The UUID on a command line, as guest_name_parse() has it; to be freed. NULL: none. */
char *identity_uuid(const char *cmdline, size_t len);

/*
 * The unit in the text of /proc/PID/cgroup: the innermost scope or service that holds the process.
 * To be freed. NULL: none, or no memory.
 */
char *identity_unit(const char *cgroup);

#endif /* KVMWATCH_IDENTITY_H */
