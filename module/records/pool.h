/* SPDX-License-Identifier: GPL-2.0 */
/* Pools of records. Hits cannot allocate: they take records that the housekeeper allocated. */
#ifndef KVMW_POOL_H
#define KVMW_POOL_H

struct kvmw_object;

int kvmw_pool_init(void);
void kvmw_pool_exit(void);

/* Take a record; NULL: the pool is empty. Context: hit. */
struct kvmw_object *kvmw_take(unsigned int kind);
/* Fill the pools. Long work under house_lock calls this repeatedly. Context: house_lock held. */
void kvmw_pools_fill(void);
/* Number of records of a kind in the pool. Context: any. */
unsigned int kvmw_pool_ready(unsigned int kind);

#endif /* KVMW_POOL_H */
