// SPDX-License-Identifier: GPL-2.0
/* A function to hook. See canary.h. */
#include <linux/compiler.h>

#include "hooks/canary.h"

noinline void kvmw_canary(void)
{
	asm volatile("");
}
