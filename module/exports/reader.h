/* SPDX-License-Identifier: GPL-2.0 */
/* By what numbers the reader, which is the current task, knows processes and threads. */
#ifndef KVMW_READER_H
#define KVMW_READER_H

#include <linux/types.h>

struct kvmw_vcpu;
struct kvmw_vm;

/*
 * In the reader's pid namespace: of a VM's process, of the thread that last ran a vCPU. 0: @flags
 * get the reason, KVMWATCH_PID_* or KVMWATCH_TID_*.
 */
pid_t kvmw_reader_pid(const struct kvmw_vm *vm, u32 *flags);
pid_t kvmw_reader_tid(const struct kvmw_vcpu *vcpu, u32 *flags);

#endif /* KVMW_READER_H */
