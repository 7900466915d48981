/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Time limits of tests. A limit ends a test that hangs; it makes no claim about how long something
 * takes. Limits in tests are for a kernel without checks, in a VM that has a CPU to itself. The
 * runner passes in vm_slow how many times slower the tested kernel is. Each limit of guest.h,
 * watch.h and the harness is multiplied by that, and by twelve for a machine that is busy with
 * other work: its emulator may stand still for half a minute, while the VM's clock, which limits
 * use, goes on.
 */
#ifndef SELFTESTS_SLOW_H
#define SELFTESTS_SLOW_H

unsigned int slow_times(void);	/* how slow the tested kernel is */
unsigned int patience(void);	/* the factor for limits */

/* The C library's alarm(), and the function that tests call instead; see slow.c. */
unsigned int __real_alarm(unsigned int seconds);
unsigned int __wrap_alarm(unsigned int seconds);

#endif /* SELFTESTS_SLOW_H */
