/* SPDX-License-Identifier: GPL-2.0 */
/* Adoption of VMs without a record. See adopt.c. */
#ifndef KVMW_ADOPT_H
#define KVMW_ADOPT_H

#include <linux/types.h>

/* Make records of VMs, vCPUs and slots without one; true if there were any. For the housekeeper. */
bool kvmw_adopt_all(void);
/* Number of searches so far, and of CPUs that they interrupted. */
void kvmw_adopt_counts(u64 *rounds, u64 *interrupts);

#endif /* KVMW_ADOPT_H */
