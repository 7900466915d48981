/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Update the copy of a mapped stats fd while processes read it without a lock.
 * selftests/unit/map_copy_test.c runs this code in threads, so this file uses only kernel
 * interfaces that the test also defines.
 */
#ifndef KVMW_MAP_COPY_H
#define KVMW_MAP_COPY_H

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <uapi/linux/kvmwatch.h>
#endif

/*
 * Readers wait while the sequence is odd, so the caller disables preemption. Only the kernel writes
 * the map, so its data_offset can be trusted.
 */
static inline void kvmw_map_copy(struct kvmwatch_map *map, const u64 *data, size_t size, u64 ns,
				 u32 flags)
{
	u64 *to = (void *)map + map->data_offset;
	size_t i;

	WRITE_ONCE(map->sequence, map->sequence + 1);
	smp_wmb();	/* odd before anything else changes */
	for (i = 0; i < size / sizeof(*to); i++)
		WRITE_ONCE(to[i], data[i]);
	WRITE_ONCE(map->ns, ns);
	WRITE_ONCE(map->flags, flags);
	WRITE_ONCE(map->copies, map->copies + 1);
	smp_wmb();	/* even after everything else */
	WRITE_ONCE(map->sequence, map->sequence + 1);
}

#endif /* KVMW_MAP_COPY_H */
