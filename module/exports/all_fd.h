/* SPDX-License-Identifier: GPL-2.0 */
/* Fds for the numbers of all objects of a kind. See all_fd.c. Context: task. */
#ifndef KVMW_ALL_FD_H
#define KVMW_ALL_FD_H

#include <linux/types.h>

struct kvmw_object;

/* The chosen statistics. @names: NUL-terminated names, one after the other; NULL: all. */
struct kvmw_all_choice {
	const char	*names;
	size_t		names_size;
	bool		no_histograms;
};

/*
 * Create an fd for reading all objects of a kind, of @vm or, with NULL, of all VMs. @privileged:
 * the caller may see all VMs.
 */
int kvmw_all_fd(u32 kind, struct kvmw_object *vm, const struct kvmw_all_choice *choice,
		bool privileged);

#endif /* KVMW_ALL_FD_H */
