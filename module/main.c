// SPDX-License-Identifier: GPL-2.0
/* kvmwatch watches KVM from outside. Init, exit, and the callbacks from lower to higher layers. */
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/module.h>

#include "exports/debugfs.h"
#include "exports/dev.h"
#include "hooks/attach.h"
#include "hooks/hook.h"
#include "hooks/hook_func.h"
#include "house.h"
#include "kernel/clock.h"
#include "numbers/describe.h"
#include "numbers/without.h"
#include "probes/caller.h"
#include "probes/rows.h"
#include "records/clear.h"
#include "records/counters.h"
#include "records/cpu.h"
#include "records/generation.h"
#include "records/kick.h"
#include "records/pool.h"
#include "tasks/audit.h"

/* --- callbacks of lower layers ---------------------------------------- */

static void on_coming(bool fresh)
{
	WRITE_ONCE(kvmw_all_found, fresh);
}

static void on_detached(void)
{
	kvmw_cpus_init();
	kvmw_callers_init();
	kvmw_forget_callers();
	WRITE_ONCE(kvmw_adopted, false);
}

static const struct kvmw_attach_events attach_events = {
	.coming		= on_coming,
	.attached	= kvmw_rescan,
	.settled	= kvmw_kick,
	.detached	= on_detached,
	.vendor_gone	= kvmw_forget_callers,
};

/* --- start and end ----------------------------------------------------------- */

static int records_init(void)
{
	kvmw_generation_init();
	kvmw_kick_init(kvmw_house_round, kvmw_tell_changes);
	kvmw_cpus_init();
	kvmw_callers_init();
	kvmw_counters_init();
	return kvmw_pool_init();
}

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
	kvmw_describe_init();
	err = kvmw_without_check();
	if (err)
		return err;
	err = records_init();
	if (err)
		return err;
	kvmw_clock_init(kvmw_moments_lost);
	err = kvmw_debugfs_init();
	if (err)
		goto exit_debugfs;
	err = kvmw_dev_init();
	if (err)
		goto exit_debugfs;
	/* KVM calls us from now on. */
	err = kvmw_hooks_init(kvmw_handlers, kvmw_form_handlers, &attach_events);
	if (err)
		goto exit_dev;
	kvmw_housekeep();		/* adopts the VMs that run already */
	kvmw_audits_init();
	pr_info("%u of %u hooks attached\n", attached(), KVMW_NR_HOOKS);
	return 0;

exit_dev:
	kvmw_dev_exit();
exit_debugfs:
	kvmw_house_exit();
	kvmw_debugfs_exit();
	kvmw_clock_exit();
	return err;
}

/*
 * The reverse of init. An open file pins the module, so nobody has the device open. Records end
 * before the debugfs root, which contains their files.
 */
static void __exit kvmwatch_exit(void)
{
	kvmw_audits_exit();
	kvmw_hooks_exit();
	kvmw_dev_exit();
	kvmw_house_exit();
	kvmw_debugfs_exit();
	kvmw_clock_exit();
}

module_init(kvmwatch_init);
module_exit(kvmwatch_exit);

MODULE_DESCRIPTION("Watches KVM: mapped and dirtied memory, vCPU time, halt polling");
MODULE_AUTHOR("The kvmwatch developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(KVMWATCH_VERSION);
