/* SPDX-License-Identifier: GPL-2.0 */
/* When what is listed has changed. */
#ifndef KVMW_GENERATION_H
#define KVMW_GENERATION_H

#include <linux/types.h>
#include <linux/wait.h>

/* Around every change of what is listed: readers are to look again. */
void kvmw_change_begin(void);
void kvmw_change_end(void);

/*
 * Changes ended so far, and begun so far. What was read after the one and before the
 * other is of one generation if the two are the same: nothing changed meanwhile.
 */
u64 kvmw_generation_before(void);
u64 kvmw_generation_after(void);
/* Woken by the housekeeper after changes. */
extern wait_queue_head_t kvmw_changed;

#endif /* KVMW_GENERATION_H */
