/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A mapped stats fd's copy of the data: how it is made while others read it, who have no lock of
 * ours. selftests/unit/map_copy_test.c has threads do that, so this uses of the kernel only what is
 * given its meaning there, too.
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
 * Readers see an odd sequence while this goes on, so the caller lets nobody take the CPU away.
 * Nothing is believed that is read from the map but where the data is: nobody else writes there.
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
