/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The housekeeper. It puts newborn records on the lists and makes their directories. It takes dead
 * records off the lists, waits until no hit can use them, and frees them. It fills the pools, and
 * adopts VMs without a record. It runs in rounds, one at a time, that records/kick.h requests.
 */
#ifndef KVMW_HOUSE_H
#define KVMW_HOUSE_H

/* Context: house_lock held. */
void kvmw_house_round(void);
/* The last round. On return no record is left. */
void kvmw_house_exit(void);

#endif /* KVMW_HOUSE_H */
