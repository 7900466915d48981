/* SPDX-License-Identifier: GPL-2.0 */
/* kvmwatch top without a screen. */
#ifndef KVMWATCH_TOP_BATCH_H
#define KVMWATCH_TOP_BATCH_H

#include <stddef.h>

struct options;

/**
 * struct top_batch - what is shown of VMs
 * @sort:	column to sort by
 * @hidden:	columns that are left out, as bits
 */
struct top_batch {
	size_t sort;
	unsigned int hidden;
};

/* Print all VMs as often and in the format that the options say. Returns an exit code. */
int top_batch(const struct options *options, const struct top_batch *what);

#endif /* KVMWATCH_TOP_BATCH_H */
