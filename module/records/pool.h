/* SPDX-License-Identifier: GPL-2.0 */
/* Records ready for hits, which cannot allocate: the housekeeper fills the pool. */
#ifndef KVMW_POOL_H
#define KVMW_POOL_H

struct kvmw_object;

int kvmw_pool_init(void);
void kvmw_pool_exit(void);

/* Take a record; NULL: the pool is empty. Context: hit. */
struct kvmw_object *kvmw_take(unsigned int kind);
/* Fill the pools. Long work under house_lock calls it now and then. Context: house_lock held. */
void kvmw_pools_fill(void);
/* How many are ready. Context: any. */
unsigned int kvmw_pool_ready(unsigned int kind);

#endif /* KVMW_POOL_H */
