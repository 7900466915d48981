/* SPDX-License-Identifier: GPL-2.0 */
/* What a read of all objects says, made of what the stats fd of one said. */
#ifndef UNIT_ALL_FILE_H
#define UNIT_ALL_FILE_H

#include "libkvmwatch.h"

struct all_file {
	struct kvmwatch_all_header head;
	char rest[65536 - sizeof(struct kvmwatch_all_header)];
};

/*
 * Header, descriptors and one item, of which all is available, from stats fd @fd. Returns the
 * item's end; what identifies it and when that was is for the caller to say.
 */
char *all_file_make(struct all_file *file, __u32 kind, int fd);

#endif /* UNIT_ALL_FILE_H */
