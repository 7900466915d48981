// SPDX-License-Identifier: GPL-2.0
/* Pools of records for hits. See pool.h. */
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <uapi/linux/kvmwatch.h>

#include "records/alloc.h"
#include "records/kick.h"
#include "records/pool.h"
#include "records/record.h"

#define POOL_MAX	256

static unsigned int pool[3] = { 16, 64, 64 };
module_param_array(pool, uint, NULL, 0444);
MODULE_PARM_DESC(pool, "records kept ready: VMs,vCPUs,slots (default 16,64,64; at most 256)");

static struct kvmw_object *pools[ARRAY_SIZE(pool)][POOL_MAX];

struct kvmw_object *kvmw_take(unsigned int kind)
{
	struct kvmw_object **entry = pools[kind - KVMWATCH_KIND_VM];
	struct kvmw_object **end = entry + pool[kind - KVMWATCH_KIND_VM];
	struct kvmw_object *obj;

	kvmw_kick();
	for (; entry < end; entry++) {
		obj = READ_ONCE(*entry) ? xchg(entry, NULL) : NULL;
		if (obj)
			return obj;
	}
	return NULL;
}

/* house_lock allows one filler, so no other task fills an entry that is empty here. */
void kvmw_pools_fill(void)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(pool); i++) {
		for (j = 0; j < pool[i]; j++) {
			if (READ_ONCE(pools[i][j]))
				continue;
			/* Release pairs with the xchg() in kvmw_take(). */
			smp_store_release(&pools[i][j], kvmw_alloc(KVMWATCH_KIND_VM + i));
		}
	}
}

unsigned int kvmw_pool_ready(unsigned int kind)
{
	unsigned int i = kind - KVMWATCH_KIND_VM, j, ready = 0;

	for (j = 0; j < pool[i]; j++)
		ready += !!READ_ONCE(pools[i][j]);
	return ready;
}

int kvmw_pool_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pool); i++) {
		if (pool[i] > POOL_MAX) {
			pr_err("pool: at most %u of a kind\n", POOL_MAX);
			return -EINVAL;
		}
	}
	kvmw_pools_fill();
	return 0;
}

void kvmw_pool_exit(void)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(pool); i++)
		for (j = 0; j < pool[i]; j++)
			if (pools[i][j])
				kvmw_free(xchg(&pools[i][j], NULL));
}
