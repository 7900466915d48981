/* SPDX-License-Identifier: GPL-2.0 */
/* Fds with the numbers of all objects of a kind. See all_fd.c. Context: task. */
#ifndef KVMW_ALL_FD_H
#define KVMW_ALL_FD_H

#include <linux/types.h>

struct kvmw_object;

/* Which statistics: of those in @names, if it is not NULL; each has its NUL. */
struct kvmw_all_choice {
	const char	*names;
	size_t		names_size;
	bool		no_histograms;
};

/*
 * A new fd to read all objects of a kind with, of @vm or, with NULL, of all VMs. @privileged: for
 * somebody who may see all VMs.
 */
int kvmw_all_fd(u32 kind, struct kvmw_object *vm, const struct kvmw_all_choice *choice,
		bool privileged);

#endif /* KVMW_ALL_FD_H */
