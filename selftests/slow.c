// SPDX-License-Identifier: GPL-2.0
/* How patient tests are. See slow.h. */
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
 * The harness has constants as limits of tests, and alarm() to keep them: programs are linked so
 * that it calls this one (see Makefile).
 */
unsigned int __wrap_alarm(unsigned int seconds)
{
	return __real_alarm(seconds * patience());
}
