/* SPDX-License-Identifier: GPL-2.0 */
/* Audits of dirty marks. See marks.c. */
#ifndef KVMW_MARKS_H
#define KVMW_MARKS_H

struct kvmw_slot;
struct kvmw_vm;

/*
 * Compare what was marked since the last audit with what KVM's dirty logs got. False: they differ;
 * then the VM's dirty marks are withdrawn for good. Context: task, house_lock held.
 */
bool kvmw_marks_audit(struct kvmw_vm *vm);

#endif /* KVMW_MARKS_H */
