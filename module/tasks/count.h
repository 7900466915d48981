/* SPDX-License-Identifier: GPL-2.0 */
/* Count the leaves of VMs. See count.c. Context: task. */
#ifndef KVMW_COUNT_H
#define KVMW_COUNT_H

struct kvmw_vm;

/* Count all VMs that are not counted yet, or need a recount. For the housekeeper. */
void kvmw_leaves_count(void);
/* Request a recount of a VM whose count failed, once its delay is over. */
void kvmw_leaves_count_again(struct kvmw_vm *vm);

#endif /* KVMW_COUNT_H */
