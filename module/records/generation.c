// SPDX-License-Identifier: GPL-2.0
/* When what is listed has changed. See generation.h. */
#include <linux/atomic.h>
#include <linux/wait.h>

#include "records/generation.h"
#include "records/kick.h"

static atomic64_t changes_begun, changes_ended;
DECLARE_WAIT_QUEUE_HEAD(kvmw_changed);

/* Orders what comes after it behind it, as a value-returning atomic does. */
void kvmw_change_begin(void)
{
	atomic64_inc_return(&changes_begun);
}

void kvmw_change_end(void)
{
	atomic64_inc_return(&changes_ended);
	kvmw_kick();
}

u64 kvmw_generation_before(void)
{
	return atomic64_read_acquire(&changes_ended);
}

u64 kvmw_generation_after(void)
{
	smp_rmb();	/* what was read is from before */
	return atomic64_read(&changes_begun);
}
