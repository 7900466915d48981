/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The cause of a change of a leaf: a function of KVM on the stack determines it. The stack is
 * searched only while somebody traces leaves.
 */
#ifndef KVMW_LEAF_CAUSE_H
#define KVMW_LEAF_CAUSE_H

#include <linux/ptrace.h>
#include <linux/types.h>

/*
 * One of KVMW_LEAF_CAUSES. @regs: of the hooked function, at its entry. @split: KVM splits a huge
 * leaf. @vcpu: the vCPU of the VM that is loaded on this pCPU; -1: none. Context: hit.
 */
unsigned int kvmw_leaf_cause(const struct pt_regs *regs, int vcpu, bool split);

#endif /* KVMW_LEAF_CAUSE_H */
