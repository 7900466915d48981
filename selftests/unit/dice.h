/* SPDX-License-Identifier: GPL-2.0 */
/* Random numbers, the same in each run. */
#ifndef UNIT_DICE_H
#define UNIT_DICE_H

#include <linux/types.h>

extern __u64 dice;	/* the seed, never 0 */

__u64 roll(void);
/* The same with a seed of the caller's, which changes. */
__u64 roll_of(__u64 *state);
double between(double low, double high);

#endif /* UNIT_DICE_H */
