/* SPDX-License-Identifier: GPL-2.0 */
/* A read of all objects, made from reads of single stats fds. */
#ifndef UNIT_ALL_FILE_H
#define UNIT_ALL_FILE_H

#include "libkvmwatch.h"

struct all_file {
	struct kvmwatch_all_header head;
	char rest[65536 - sizeof(struct kvmwatch_all_header)];
};

/*
 * Make header, descriptors and one item from stats fd @fd; all of its statistics are available.
 * Returns the item's end. The caller fills in the ids and the time.
 */
char *all_file_make(struct all_file *file, __u32 kind, int fd);

/* The same from statistics that were read. */
char *all_file_put(struct all_file *file, __u32 kind, const struct kvmwatch_stats *stats);

#endif /* UNIT_ALL_FILE_H */
