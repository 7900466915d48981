// SPDX-License-Identifier: GPL-2.0
/* Audits compare our counts of a VM with what KVM has. See audit.h. */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "kernel/work.h"
#include "records/kick.h"
#include "records/list.h"
#include "records/mapped.h"
#include "records/record.h"
#include "tasks/audit.h"
#include "tasks/audit_leaves.h"
#include "tasks/audit_marks.h"
#include "tasks/audit_vcpus.h"
#include "tasks/count.h"
#include "tasks/rehook.h"

static unsigned int audit_seconds = 60;
module_param(audit_seconds, uint, 0444);
MODULE_PARM_DESC(audit_seconds, "seconds between audits of all VMs (default 60); 0: none");

int kvmw_audit(struct kvmw_vm *vm)
{
	int same = vm->opaque || !kvmw_leaves_hooked() ? -EOPNOTSUPP : -EAGAIN;
	bool marks, vcpus;

	kvmw_house_lock();
	if (kvmw_mapped_known(vm))
		same = kvmw_audit_leaves(vm);
	if (!same) {
		WRITE_ONCE(vm->needs_recount, true);
		kvmw_rescan();
	}
	marks = kvmw_audit_marks(vm);
	vcpus = kvmw_audit_vcpus(vm);
	kvmw_house_unlock();
	return marks && vcpus ? same : 0;
}

void kvmw_audit_end(struct kvmw_vm *vm)
{
	lockdep_assert_held(&vm->lock);
	kvmw_audit_leaves_end(vm);
	vm->audits += vm->ends_compared;
	vm->audit_failures += !!vm->ends_refuted;
}

/* --- periodic audits --------------------------------------------------------- */

static void audit_fn(struct work_struct *unused);
static DECLARE_DELAYED_WORK(audit_work, audit_fn);

static void schedule_audit(void)
{
	if (audit_seconds)
		queue_delayed_work(kvmw_unbound_wq, &audit_work, audit_seconds * HZ);
}

static void audit_fn(struct work_struct *unused)
{
	struct kvmw_object **vms;
	int nr, i;

	kvmw_rehook();
	nr = kvmw_get_vms(&vms);
	for (i = 0; i < nr; i++) {
		kvmw_audit(vms[i]->vm);
		kvmw_leaves_count_again(vms[i]->vm);
		cond_resched();
	}
	if (nr >= 0)
		kvmw_put_all(vms, nr);
	schedule_audit();
}

void kvmw_audits_init(void)
{
	audit_seconds = min(audit_seconds, 86400U);
	schedule_audit();
}

void kvmw_audits_exit(void)
{
	cancel_delayed_work_sync(&audit_work);
}
