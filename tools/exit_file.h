/* SPDX-License-Identifier: GPL-2.0 */
/* A look at exits that was saved: what "kvmwatch exits --json" printed. */
#ifndef KVMWATCH_EXIT_FILE_H
#define KVMWATCH_EXIT_FILE_H

#include <stdbool.h>

#include <linux/types.h>

#include "libkvmwatch.h"

struct exit_file;
struct exit_saved;

/* Read one, of which each object is there once or the last one counts. Returns an exit code. */
int exit_file_read(const char *path, struct exit_file **file);
void exit_file_free(struct exit_file *file);

/* Which load of the module it is of; see struct kvmwatch_info. */
__u64 exit_file_instance(const struct exit_file *file);

/* The vCPU with this id, or VM @vm itself if that is 0; NULL: it is not in there. */
struct exit_saved *exit_file_find(struct exit_file *file, __u64 vm, __u64 id);

/* When that was read. */
__u64 exit_saved_ns(const struct exit_saved *saved);

/*
 * Fill @value with the statistic of which @now is a value, with as many cells. It belongs to @saved.
 * False: it is not known.
 */
bool exit_saved_value(struct exit_saved *saved, const struct kvmwatch_value *now,
		      struct kvmwatch_value *value);

#endif /* KVMWATCH_EXIT_FILE_H */
