// SPDX-License-Identifier: GPL-2.0
/* How much longer tests wait on slow machines. See slow.h. */
#include <stdlib.h>

#include "slow.h"

unsigned int slow_times(void)
{
	const char *times = getenv("vm_slow");

	return times && atoi(times) > 0 ? atoi(times) : 1;
}

unsigned int patience(void)
{
	return 12 * slow_times();
}

/*
 * The harness limits each test by a constant and alarm(). The Makefile links tests so that they
 * call this function instead.
 */
unsigned int __wrap_alarm(unsigned int seconds)
{
	return __real_alarm(seconds * patience());
}
