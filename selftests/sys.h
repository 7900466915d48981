/* SPDX-License-Identifier: GPL-2.0 */
/* The system that a test runs on: its clocks, files of one value each, and mappings. */
#ifndef SELFTESTS_SYS_H
#define SELFTESTS_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include <linux/types.h>

__u64 clock_ns(clockid_t clock);

/* CLOCK_MONOTONIC */
__u64 now_ns(void);
time_t now_s(void);
/*
 * By how much the sum of @stretches stretches by kvmwatch may differ from @ns by
 * CLOCK_MONOTONIC_RAW: each stretch is rounded down to a nanosecond, and the kernel computes that
 * clock's nanoseconds with fewer digits.
 */
__u64 sum_slack(__u64 ns, __u64 stretches);

/* Write to a file, as the shell does with ">". Returns 0 or -errno. */
int sys_put(const char *path, const char *value);
/* Does the file say Y or 1? */
bool sys_is_on(const char *parameter);

/*
 * munmap() that is tried again when it fails: it needs memory of the kernel, which tests make fail
 * once. What stays mapped keeps its file open. Returns 0 or -errno of the first try.
 */
int sys_unmap(void *at, size_t size);
/* Has the kernel, with its modules, a function of this name? */
bool sys_has_function(const char *name);

#endif /* SELFTESTS_SYS_H */
