/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How patient tests are. A limit in a test is for a kernel without checks in a VM that has a CPU to
 * itself; it ends what hangs, and is no claim of how long something takes. The runner says with
 * vm_slow how many times as long things take on the kernel that it runs on. Each limit that
 * guest.h, watch.h or the harness keeps is that many times as long, and twelve times that for a
 * machine that is busy with other work, whose emulator may stand still for half a minute: limits go
 * by the VM's clock, and that goes on meanwhile.
 */
#ifndef SELFTESTS_SLOW_H
#define SELFTESTS_SLOW_H

unsigned int slow_times(void);	/* of the kernel alone */
unsigned int patience(void);	/* of limits */

/* The C library's alarm(), and what is called instead of it; see slow.c. */
unsigned int __real_alarm(unsigned int seconds);
unsigned int __wrap_alarm(unsigned int seconds);

#endif /* SELFTESTS_SLOW_H */
