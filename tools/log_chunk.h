/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's clear_bmap: while a VM migrates, QEMU clears the dirty log in chunks, each when it sends
 * the first page of a chunk. A command line may set the size of chunks with
 * -global migration.x-clear-bitmap-shift=N.
 */
#ifndef KVMWATCH_LOG_CHUNK_H
#define KVMWATCH_LOG_CHUNK_H

#include <stddef.h>

#include <linux/types.h>

/*
 * Bytes of a chunk; 0: the command line does not set it, so that it is QEMU's default, or the VMM
 * is not QEMU. The arguments are those of identity_parse().
 */
__u64 log_chunk_parse(const char *cmdline, size_t len, const char *exe);

/* The same for a process; also 0 if its command line cannot be read in time. 0 or -EINTR. */
int log_chunk_of(int pid, __u64 *bytes);

#endif /* KVMWATCH_LOG_CHUNK_H */
