/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why a leaf came or went: the function of KVM's that wanted it, found on the stack. The stack is
 * searched only while somebody traces leaves.
 */
#ifndef KVMW_LEAF_CAUSE_H
#define KVMW_LEAF_CAUSE_H

#include <linux/types.h>

/*
 * Which of KVMW_LEAF_CAUSES. @split: a huge leaf is replaced by leaves. @vcpu: of the VM, loaded
 * here; -1: none. Context: hit.
 */
unsigned int kvmw_leaf_cause(int vcpu, bool split);

#endif /* KVMW_LEAF_CAUSE_H */
