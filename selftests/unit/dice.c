// SPDX-License-Identifier: GPL-2.0
/* Random numbers, the same in each run. See dice.h. */
#include "dice.h"

__u64 dice = 1;

__u64 roll_of(__u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

__u64 roll(void)
{
	return roll_of(&dice);
}

double between(double low, double high)
{
	return low + (high - low) * (double)(roll() >> 11) / 0x1p53;
}
