/* SPDX-License-Identifier: GPL-2.0 */
/* What guest.S and guest.c have for each other, and what the kernel's headers would have. */
#ifndef KVMWATCH_PREDICT_GUEST_H
#define KVMWATCH_PREDICT_GUEST_H

#include <linux/types.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Ticks of the timer, counted by timer_entry() */
extern __u32 ticks;
/* Where the program ends, by guest.lds */
extern char image_end[];

void timer_entry(void);

/*
 * @told: what the loader tells: flags, KiB below 1 MiB, KiB from there, boot device, command line,
 * and more
 */
void run(const __u32 *told);

#endif /* KVMWATCH_PREDICT_GUEST_H */
