/* SPDX-License-Identifier: GPL-2.0 */
/* Ending in good order when a signal asks for it. */
#ifndef KVMWATCH_INTERRUPT_H
#define KVMWATCH_INTERRUPT_H

#include <stdbool.h>

#include <linux/types.h>

/**
 * interrupt_catch() - from now on, note signals that end a program instead of dying of them
 * @unblock: from the first such signal on, also have system calls that block fail with EINTR,
 *	every half a second; for a command that must put something away, which it could not
 *	while it waits for somebody to read its output
 *
 * Writing to a pipe that nobody reads becomes an error. Without @unblock a second signal kills.
 */
void interrupt_catch(bool unblock);

/* Let signals end the program again; one that came meanwhile does so now. */
void interrupt_release(void);

/* Has a signal come since interrupt_catch()? */
bool interrupted(void);

/* Sleep until this time by CLOCK_MONOTONIC, or until a signal has come, whichever is first. */
void interrupt_sleep_until(__u64 ns);

#endif /* KVMWATCH_INTERRUPT_H */
