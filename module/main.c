// SPDX-License-Identifier: GPL-2.0
/* kvmwatch: watches KVM from outside. Start and end. */
#include <linux/module.h>

#include "clock.h"
#include "debugfs.h"
#include "dev.h"
#include "hook.h"
#include "leaves.h"
#include "object.h"
#include "stats.h"

static unsigned int attached(void)
{
	return hweight64(READ_ONCE(kvmw_hooks_attached));
}

static int __init kvmwatch_init(void)
{
	int err;

	err = kvmw_via_check();
	if (err)
		return err;
	kvmw_stats_init();
	err = kvmw_objects_init();
	if (err)
		return err;
	kvmw_clock_init(kvmw_moments_lost);
	err = kvmw_debugfs_init();
	if (err)
		goto exit_debugfs;
	err = kvmw_dev_init();
	if (err)
		goto exit_debugfs;
	err = kvmw_hooks_init();	/* from here on KVM calls us */
	if (err)
		goto exit_dev;
	kvmw_housekeep();		/* VMs that run already are known on return */
	kvmw_leaves_init();
	pr_info("%u of %u hooks attached\n", attached(), KVMW_NR_HOOKS);
	return 0;

exit_dev:
	kvmw_dev_exit();
exit_debugfs:
	kvmw_objects_exit();
	kvmw_debugfs_exit();
	kvmw_clock_exit();
	return err;
}

/*
 * The device goes first, as nobody may open it any more; that nobody has it open is
 * why we are here. Objects go before the root of debugfs: they have files there.
 */
static void __exit kvmwatch_exit(void)
{
	kvmw_leaves_exit();
	kvmw_hooks_exit();
	kvmw_dev_exit();
	kvmw_objects_exit();
	kvmw_debugfs_exit();
	kvmw_clock_exit();
}

module_init(kvmwatch_init);
module_exit(kvmwatch_exit);

MODULE_DESCRIPTION("Watches KVM: mapped and dirtied memory, vCPU time, halt polling");
MODULE_AUTHOR("The kvmwatch developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(KVMWATCH_VERSION);
