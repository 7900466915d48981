/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of descriptors of all kinds of fds. Internal to the library. */
#ifndef LIBKVMWATCH_LAYOUT_H
#define LIBKVMWATCH_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "libkvmwatch.h"

/* A part of a file, or of a data block: bytes from start to before end. */
struct range {
	__u64 start;
	__u64 end;
};

bool layout_overlap(struct range a, struct range b);

/* Names go to terminals and into files: accept printable ones only. */
bool layout_name_is_sane(const char *name, size_t size);

bool layout_is_histogram(__u32 flags);

/* Is a descriptor of a known type well formed? 0 or -EBADMSG. */
int layout_check(const struct kvmwatch_stats_desc *desc);

/*
 * Check that no two of the @nr values have the same name or overlap in the data, where @cells says
 * that they are. Returns 0, -EBADMSG or -ENOMEM.
 */
int layout_distinct(const struct kvmwatch_value *values, const struct range *cells, size_t nr);

#endif /* LIBKVMWATCH_LAYOUT_H */
