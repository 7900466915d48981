/* SPDX-License-Identifier: GPL-2.0 */
/* Read counts of exits from a file that "kvmwatch exits --json" wrote. */
#ifndef KVMWATCH_EXIT_FILE_H
#define KVMWATCH_EXIT_FILE_H

#include <stdbool.h>

#include <linux/types.h>

#include "libkvmwatch.h"

struct exit_file;
struct exit_saved;

/*
 * Read a file. If it has several values of a VM or vCPU, the last one counts. Returns an exit code,
 * and prints errors; with EXIT_DONE free @file with exit_file_free().
 */
int exit_file_read(const char *path, struct exit_file **file);
void exit_file_free(struct exit_file *file);

/* The module's instance when the file was written; see struct kvmwatch_info. */
__u64 exit_file_instance(const struct exit_file *file);

/* Find the vCPU with kvmwatch id @id, or with 0 the VM @vm itself; NULL: not in the file. */
struct exit_saved *exit_file_find(struct exit_file *file, __u64 vm, __u64 id);

/* The time of these counts, by CLOCK_MONOTONIC. */
__u64 exit_saved_ns(const struct exit_saved *saved);

/*
 * Fill @value with the saved value of the statistic that @now is a value of, with as many cells.
 * The cells belong to @saved. Returns false if the file does not have it.
 */
bool exit_saved_value(struct exit_saved *saved, const struct kvmwatch_value *now,
		      struct kvmwatch_value *value);

#endif /* KVMWATCH_EXIT_FILE_H */
