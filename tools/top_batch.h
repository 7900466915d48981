/* SPDX-License-Identifier: GPL-2.0 */
/* kvmwatch top without a screen. */
#ifndef KVMWATCH_TOP_BATCH_H
#define KVMWATCH_TOP_BATCH_H

#include <stdbool.h>
#include <stddef.h>

struct options;

/*
 * Print all VMs as often and in the format that the options say, sorted by this column. Returns an
 * exit code.
 */
int top_batch(const struct options *options, size_t sort, bool reverse);

#endif /* KVMWATCH_TOP_BATCH_H */
