/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How patient tests are. A limit in a test is for a kernel without checks; the runner says
 * with vm_slow how many times as long things take on the one that it runs on, and each limit
 * that guest.h, watch.h or the harness keeps is that many times as long.
 */
#ifndef SELFTESTS_SLOW_H
#define SELFTESTS_SLOW_H

unsigned int slow_times(void);

/* The C library's alarm(), and what is called instead of it; see slow.c. */
unsigned int __real_alarm(unsigned int seconds);
unsigned int __wrap_alarm(unsigned int seconds);

#endif /* SELFTESTS_SLOW_H */
