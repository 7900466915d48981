// SPDX-License-Identifier: GPL-2.0
/* Numbers of processes and threads in the reader's pid namespace. See reader.h. */
#include <linux/kconfig.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <uapi/linux/kvmwatch.h>

#include "exports/reader.h"
#include "records/record.h"

/* Context: rcu_read_lock() held. */
static pid_t number(struct pid *pid, u32 gone, u32 hidden, u32 *flags)
{
	pid_t nr;

	if (!pid || !pid_task(pid, PIDTYPE_PID)) {
		*flags |= gone;
		return 0;
	}
	nr = pid_nr_ns(pid, task_active_pid_ns(current));
	if (!nr)
		*flags |= hidden;
	return nr;
}

pid_t kvmw_reader_pid(const struct kvmw_vm *vm, u32 *flags)
{
	pid_t nr;

	/* An adopted VM: such a kernel does not know the owner, see set_owner(). */
	if (!vm->pid && !IS_ENABLED(CONFIG_MEMCG))
		return 0;
	rcu_read_lock();
	nr = number(vm->pid, KVMWATCH_PID_GONE, KVMWATCH_PID_HIDDEN, flags);
	rcu_read_unlock();
	return nr;
}

/*
 * The thread of the number @tid, if the process @vmm has it. The thread that ran a vCPU may have
 * ended, and another process may have its number. KVM lets only threads that share the VMM's memory
 * run a vCPU: those of its process. Context: rcu_read_lock() held.
 */
static struct pid *thread_of(pid_t tid, struct pid *vmm)
{
	struct pid *pid = find_pid_ns(tid, &init_pid_ns);
	struct task_struct *task = pid ? pid_task(pid, PIDTYPE_PID) : NULL;

	if (!task || (vmm && task_tgid(task) != vmm))
		return NULL;
	return pid;
}

pid_t kvmw_reader_tid(const struct kvmw_vcpu *vcpu, u32 *flags)
{
	pid_t tid = READ_ONCE(vcpu->tid), nr;

	if (!tid)
		return 0;	/* no thread has run it yet */
	rcu_read_lock();
	nr = number(thread_of(tid, vcpu->obj.vm->pid), KVMWATCH_TID_GONE, KVMWATCH_TID_HIDDEN,
		    flags);
	rcu_read_unlock();
	return nr;
}
