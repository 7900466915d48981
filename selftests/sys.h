/* SPDX-License-Identifier: GPL-2.0 */
/* The system that a test runs on: its clocks, and files of one value each. */
#ifndef SELFTESTS_SYS_H
#define SELFTESTS_SYS_H

#include <stdbool.h>
#include <time.h>
#include <linux/types.h>

__u64 clock_ns(clockid_t clock);

/* CLOCK_MONOTONIC */
__u64 now_ns(void);
time_t now_s(void);
/*
 * By how much the sum of so many stretches of kvmwatch's may differ from the @ns that
 * CLOCK_MONOTONIC_RAW says they were: each is rounded down to a nanosecond, and the kernel reckons
 * that clock's nanoseconds with fewer digits.
 */
__u64 sum_slack(__u64 ns, __u64 stretches);

/* What the shell does with ">": 0, or a negative errno. */
int sys_put(const char *path, const char *value);
/* Is it Y, or 1? */
bool sys_is_on(const char *parameter);

#endif /* SELFTESTS_SYS_H */
