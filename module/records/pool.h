/* SPDX-License-Identifier: GPL-2.0 */
/* Records ready for hits, who cannot allocate: the housekeeper fills it, hits empty it. */
#ifndef KVMW_POOL_H
#define KVMW_POOL_H

struct kvmw_object;

int kvmw_pool_init(void);
void kvmw_pool_exit(void);

/* A record, or NULL when it ran dry. Context: hit. */
struct kvmw_object *kvmw_take(unsigned int kind);
/* Make it full again. Under house_lock: who does long things there does it in between. */
void kvmw_pools_fill(void);
/* How many are ready. Context: any. */
unsigned int kvmw_pool_ready(unsigned int kind);

#endif /* KVMW_POOL_H */
