/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Run work that may hang, and wait for it for a limited time.
 *
 * Looking into another process takes locks of that process, and a path in its root directory may
 * lead to a file system that the process serves. Both can block forever.
 */
#ifndef KVMWATCH_PATIENCE_H
#define KVMWATCH_PATIENCE_H

#include <stdbool.h>

/**
 * patience_run() - run work in a thread, and wait for it
 * @work: the work. It may check *@over, which becomes true when nobody waits any more. The thread
 *	gets no signals
 * @arg: argument of @work
 * @discard: frees @arg, if @work ends when nobody waits any more
 * @ms: how long to wait
 *
 * Return: 0: @work has ended, and the caller owns @arg; -ETIMEDOUT or -EINTR (a signal that ends
 * the program, see interrupt.h): the thread owns @arg now; -EAGAIN or -ENOMEM: there is no thread,
 * and the caller owns @arg.
 */
int patience_run(void (*work)(void *arg, const bool *over), void *arg, void (*discard)(void *arg),
		 unsigned int ms);

/* Is *@over true? */
static inline bool patience_over(const bool *over)
{
	return __atomic_load_n(over, __ATOMIC_RELAXED);
}

#endif /* KVMWATCH_PATIENCE_H */
