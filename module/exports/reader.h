/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers of processes and threads in the pid namespace of the reader, the current task. */
#ifndef KVMW_READER_H
#define KVMW_READER_H

#include <linux/types.h>

struct kvmw_vcpu;
struct kvmw_vm;

/*
 * The pid of a VM's process, and the tid of the thread that last ran a vCPU. If they return 0 they
 * set the reason in @flags, KVMWATCH_PID_* or KVMWATCH_TID_*; a vCPU that never ran has none.
 */
pid_t kvmw_reader_pid(const struct kvmw_vm *vm, u32 *flags);
pid_t kvmw_reader_tid(const struct kvmw_vcpu *vcpu, u32 *flags);

#endif /* KVMW_READER_H */
