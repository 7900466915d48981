/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Of how much memory QEMU clears the dirty log at once while a VM migrates, which it does when it
 * sends the first page of it. A command line may say: -global migration.x-clear-bitmap-shift=N.
 */
#ifndef KVMWATCH_LOG_CHUNK_H
#define KVMWATCH_LOG_CHUNK_H

#include <stddef.h>

#include <linux/types.h>

/*
 * Bytes, or 0: the command line does not say, so it is QEMU's default, or it is not QEMU. The
 * arguments are as for identity_parse().
 */
__u64 log_chunk_parse(const char *cmdline, size_t len, const char *exe);

/* The same of a process, 0 also when that can't be read in time; or -EINTR: a signal came. */
int log_chunk_of(int pid, __u64 *bytes);

#endif /* KVMWATCH_LOG_CHUNK_H */
