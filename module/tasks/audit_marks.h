/* SPDX-License-Identifier: GPL-2.0 */
/* Audits of dirty marks. See audit_marks.c. */
#ifndef KVMW_AUDIT_MARKS_H
#define KVMW_AUDIT_MARKS_H

#include <linux/types.h>

struct kvmw_slot;
struct kvmw_vm;

/*
 * Compare the marks since the last audit with the bits that KVM's dirty logs got. False: they
 * differ, and the VM's dirty marks are withdrawn for good. Context: task, house_lock held.
 */
bool kvmw_audit_marks(struct kvmw_vm *vm);

#endif /* KVMW_AUDIT_MARKS_H */
