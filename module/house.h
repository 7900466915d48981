/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The housekeeper: puts newborn records on lists, makes their directories, takes dead ones off,
 * waits until no hit can hold them and frees them, fills the pool, and has VMs looked for that have
 * no record. One at a time, in rounds that records/kick.h asks for.
 */
#ifndef KVMW_HOUSE_H
#define KVMW_HOUSE_H

/* Context: house_lock held. */
void kvmw_house_round(void);
/* The last round. On return no record is left. */
void kvmw_house_exit(void);

#endif /* KVMW_HOUSE_H */
