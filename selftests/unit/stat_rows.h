/* SPDX-License-Identifier: GPL-2.0 */
/* The module's statistics (records/stat_table.h), as readers see them. */
#ifndef UNIT_STAT_ROWS_H
#define UNIT_STAT_ROWS_H

#include <stdbool.h>

#include "libkvmwatch.h"

#include "../module/records/stat_flags.h"
#include "../module/records/stat_table.h"

struct stat_row {
	__u32 kind;
	const char *name;
	__u32 flags;
	int exponent;
	bool unavailable;
};

#define ROW(of_kind, stat, type, unit)	\
	{ .kind = of_kind, .name = #stat, .flags = TYPE_##type | UNIT_##unit,	\
	  .exponent = EXPONENT_##unit },
#define VM_ROW(stat, type, unit, ...)	ROW(KVMWATCH_KIND_VM, stat, type, unit)
#define VCPU_ROW(stat, type, unit, ...)	ROW(KVMWATCH_KIND_VCPU, stat, type, unit)
#define SLOT_ROW(stat, type, unit, ...)	ROW(KVMWATCH_KIND_SLOT, stat, type, unit)

/* A statistic of vCPUs may come a second time among a VM's: as a sum, or as one that has none. */
#define STAT_ROWS					\
	KVMW_VM_STATS(VM_ROW)				\
	KVMW_VCPU_STATS(VCPU_ROW)			\
	KVMW_VCPU_STATS(VM_ROW)				\
	KVMW_SLOT_STATS(SLOT_ROW)

#endif /* UNIT_STAT_ROWS_H */
