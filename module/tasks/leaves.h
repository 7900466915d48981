/* SPDX-License-Identifier: GPL-2.0 */
/* Which leaves a VM's page tables have: counting and comparing. See leaves.c. */
#ifndef KVMW_LEAVES_H
#define KVMW_LEAVES_H

#include <linux/kvm_types.h>

struct kvmw_vm;

/*
 * Is a VM of this type one whose leaves cannot be counted? Then it is never armed, and its hits
 * count nothing, as none is below a cursor that stays at 0. Context: any.
 */
bool kvmw_vm_opaque(unsigned long type);

/* Count all VMs that are not counted yet, or are to be counted again. For the housekeeper. */
void kvmw_leaves_count(void);

/*
 * Of @leaves of a level in a row, the first at @gfn, those that a hit counts: all, or while the
 * VM is being counted those that begin below the cursor. Context: hit, mmu_lock held.
 */
u64 kvmw_leaves_below(const struct kvmw_vm *vm, unsigned int as_id, gfn_t gfn, int level,
		      u64 leaves);

/*
 * Compare with KVM. Returns 1 when it agrees, 0 when it does not: then the VM is about to be
 * counted anew; or -ESRCH when it is gone, -EAGAIN when it is being counted or does too much to be
 * sure, -EOPNOTSUPP when its leaves cannot be counted. Dirty marks and what is counted for vCPUs
 * are compared as well.
 * Context: task, no lock held.
 */
int kvmw_audit(struct kvmw_vm *vm);

/* The last one, of a VM whose vCPUs and slots are all gone. Context: vm->lock held. */
void kvmw_audit_end(struct kvmw_vm *vm);

/* Audits from time to time. */
void kvmw_leaves_init(void);
void kvmw_leaves_exit(void);

#endif /* KVMW_LEAVES_H */
