/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Do what may hang, and wait for it for a limited time only.
 *
 * Looking into another process takes that process's locks, and a path in its root directory may
 * lead to a file system that it serves itself: either can last for ever.
 */
#ifndef KVMWATCH_PATIENCE_H
#define KVMWATCH_PATIENCE_H

#include <stdbool.h>

/**
 * patience_run() - have a thread do something, and wait for it
 * @work: does it; may look at *@over now and then, which becomes true when nobody waits any more.
 *	No signal comes to it
 * @arg: its argument
 * @discard: frees @arg, when @work ends after all and nobody waits any more
 * @ms: how long to wait
 *
 * Return: 0: @work has ended, @arg is the caller's; -ETIMEDOUT or -EINTR (a signal came that is to
 * end the program, see interrupt.h): the thread has @arg now; -EAGAIN or -ENOMEM: there is no
 * thread, @arg is the caller's.
 */
int patience_run(void (*work)(void *arg, const bool *over), void *arg, void (*discard)(void *arg),
		 unsigned int ms);

/* Is *@over true? */
static inline bool patience_over(const bool *over)
{
	return __atomic_load_n(over, __ATOMIC_RELAXED);
}

#endif /* KVMWATCH_PATIENCE_H */
