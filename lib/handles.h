/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The structures behind the public handles. Internal to the library. */
#ifndef LIBKVMWATCH_HANDLES_H
#define LIBKVMWATCH_HANDLES_H

#include <stddef.h>
#include <string.h>

#include "libkvmwatch.h"

/**
 * struct stats - the contents of a stats fd
 * @pub:		the public part
 * @values:		pub.values
 * @names:		their names, and the id string
 * @data:		their data
 * @spare:		buffer for the next data
 * @data_size:		bytes of @data, and of @spare
 * @data_offset:	where the data start in the file
 */
struct stats {
	struct kvmwatch_stats pub;
	struct kvmwatch_value *values;
	char *names;
	__u64 *data;
	__u64 *spare;
	size_t data_size;
	__u32 data_offset;
};

static inline struct stats *stats_of(const struct kvmwatch_stats *pub)
{
	return (struct stats *)((char *)pub - offsetof(struct stats, pub));
}

/* Fill a caller's structure, which may be shorter or longer than ours. */
static inline void give(void *to, size_t size, const void *from, size_t known)
{
	memset(to, 0, size);
	memcpy(to, from, size < known ? size : known);
}

/* The same for a structure that begins with the number of bytes that the kernel filled. */
static inline void give_sized(void *to, size_t size, const void *from, size_t known)
{
	size_t least = size < known ? size : known;
	__u32 filled;

	memcpy(&filled, from, sizeof(filled));
	filled = filled < least ? filled : least;
	give(to, size, from, known);
	memcpy(to, &filled, size < sizeof(filled) ? size : sizeof(filled));
}

#endif /* LIBKVMWATCH_HANDLES_H */
