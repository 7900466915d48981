/* SPDX-License-Identifier: GPL-2.0 */
/* VMs that have no record. See adopt.c. */
#ifndef KVMW_ADOPT_H
#define KVMW_ADOPT_H

#include <linux/types.h>

/* Make records of VMs that have none; true if there were any. For the housekeeper. */
bool kvmw_adopt_all(void);
/* How often that was done, and how many CPUs were interrupted for it. */
void kvmw_adopt_counts(u64 *rounds, u64 *interrupts);

#endif /* KVMW_ADOPT_H */
