/* SPDX-License-Identifier: GPL-2.0 */
/* Ending in good order when a signal asks for it. */
#ifndef KVMWATCH_INTERRUPT_H
#define KVMWATCH_INTERRUPT_H

#include <stdbool.h>

#include <linux/types.h>

/**
 * interrupt_catch() - catch signals that would end the program
 * @unblock: after the first such signal, also interrupt blocking system calls with EINTR, every
 *	half a second. This is for commands that must clean up: they could not while they wait for
 *	a reader of their output
 *
 * Writing to a pipe without a reader becomes an error. Without @unblock a second signal kills.
 */
void interrupt_catch(bool unblock);

/* Let signals end the program again. A signal that was caught does so now. */
void interrupt_release(void);

/* Has a signal come since interrupt_catch()? */
bool interrupted(void);

/* Sleep until this time by CLOCK_MONOTONIC, or until a signal comes. */
void interrupt_sleep_until(__u64 ns);

#endif /* KVMWATCH_INTERRUPT_H */
