/* SPDX-License-Identifier: GPL-2.0 */
/* Counters that hits add to: those of a vCPU in its record, those of a slot per CPU. */
#ifndef KVMW_COUNTS_H
#define KVMW_COUNTS_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/types.h>

#include "kernel/clock.h"
#include "records/stat_table.h"

/*
 * Exit reasons are few, but SVM has a second range of them at 0x400. Records have a cell for each
 * reason of both vendors, some spare cells, and a last cell for all other reasons.
 * kvmw_stat_cell() presents them to readers as a linear histogram.
 */
#define KVMW_EXIT_LOW		0xb0	/* reasons below have a cell each */
#define KVMW_EXIT_HIGH_FIRST	0x400	/* so have these */
#define KVMW_EXIT_HIGH		8
#define KVMW_EXIT_REST		(KVMW_EXIT_LOW + KVMW_EXIT_HIGH)

/* Reasons KVM_EXIT_* below this have a cell each; this cell counts all others. */
#define KVMW_USER_EXIT_REST	47

#define KVMW_CELLS_EXIT_HIST	(KVMW_EXIT_REST + 1)
#define KVMW_CELLS_USER_HIST	(KVMW_USER_EXIT_REST + 1)
#define KVMW_CELLS_CUMULATIVE	1
#define KVMW_CELLS_INSTANT	1
#define KVMW_CELLS_PEAK		1
#define KVMW_CELLS_LOG_HIST	KVMW_HIST_BUCKETS
#define KVMW_CELLS_AGE_HIST	KVMW_AGE_BUCKETS

#define KVMW_CELL(name, type, ...)	u64 name[KVMW_CELLS_##type];
struct kvmw_vcpu_stats { KVMW_VCPU_STATS(KVMW_CELL) };
#undef KVMW_CELL

/* Causes of a dirty mark. */
enum kvmw_cause { KVMW_CAUSE_FAULT, KVMW_CAUSE_PML, KVMW_CAUSE_KVM, KVMW_NR_CAUSES };

#define KVMW_NR_LEVELS	3	/* of leaves: 4K, 2M, 1G */
#define KVMW_LEVEL_PAGES(level)	(1ULL << 9 * ((level) - 1))

/* A cell for each statistic of a VM that hits count per slot. */
#define KVMW_CELL_COUNTED(name, cells)	u64 name[cells];
#define KVMW_CELL_MADE(value)		KVMW_NO_CELL
#define KVMW_NO_CELL(name, cells)
#define KVMW_SLOT_CELL(name, type, unit, needs, source, ...)			\
	KVMW_CELL_##source(name, KVMW_CELLS_##type)
struct kvmw_slot_counted { KVMW_VM_STATS(KVMW_SLOT_CELL) };

/*
 * Counters of a slot on one CPU, so that CPUs do not share cache lines. A VM's numbers are the sums
 * over its slots.
 */
struct kvmw_slot_cpu {
	u64	map[KVMW_NR_LEVELS];
	u64	unmap[KVMW_NR_LEVELS];
	u64	marks[2][KVMW_NR_CAUSES];	/* [no vCPU of the VM loaded][cause] */
	/* By the age of the log, see struct kvmw_clear; the last cell: the age is unknown. */
	u64	marks_new[KVMW_AGE_BUCKETS + 1];
	struct kvmw_slot_counted counted;
};

/*
 * Marks code that counts a statistic: defines a symbol of the object file, and no instruction.
 * numbers/describe.c refers to the symbol of each COUNTED row.
 */
#define KVMW_FEEDS(kind, stat)							\
	"\n\t.weak kvmw_fed_" #kind "_" #stat "\n\t.set kvmw_fed_" #kind "_" #stat ", 0"

/*
 * Add to a number of a vCPU, or set it. Only the CPU on which the vCPU is loaded may do so, in one
 * context only. One instruction writes the number, so readers see the old or the new value;
 * WRITE_ONCE() would turn an addition into three instructions. The cell is addressed by pointer, as
 * kernels built with UBSAN_BOUNDS would check the array index in each hit.
 */
#define kvmw_count(of, stat, cell, n)						\
	asm_inline("addq %1, %0" KVMW_FEEDS(vcpu, stat)				\
		   : "+m" (((u64 *)(of)->stats.stat)[cell]) : "er" ((u64)(n)) : "cc")
#define kvmw_set(of, stat, n)							\
	asm_inline("movq %1, %0" KVMW_FEEDS(vcpu, stat)				\
		   : "=m" ((of)->stats.stat[0]) : "er" ((u64)(n)))
#define kvmw_add(of, stat, n)		kvmw_count(of, stat, 0, n)
#define kvmw_inc(of, stat)		kvmw_add(of, stat, 1)
#define kvmw_max(of, stat, n)	do {						\
	if ((n) > (of)->stats.stat[0])						\
		kvmw_set(of, stat, n);						\
} while (0)
/* Marks a row that is counted through the row before it, by a kvmw_count() with a higher cell. */
#define kvmw_fed(of, stat)		asm_inline(KVMW_FEEDS(of, stat))
#define kvmw_cell(of, stat, cell)	kvmw_count(of, stat, cell, 1)
#define kvmw_hist(of, stat, ticks)	kvmw_cell(of, stat, kvmw_bucket(ticks))

/* Count for a slot, on this CPU. Context: hit. */
#define kvmw_slot_inc(counters, stat)	do {					\
	asm_inline(KVMW_FEEDS(vm, stat));					\
	this_cpu_inc((counters)->counted.stat[0]);				\
} while (0)

static __always_inline u64 kvmw_exit_cell(u64 reason)
{
	if (likely(reason < KVMW_EXIT_LOW))
		return reason;
	reason -= KVMW_EXIT_HIGH_FIRST;
	if (unlikely(reason > KVMW_EXIT_HIGH)) {
		reason = KVMW_EXIT_HIGH;	/* that of the last cell */
		OPTIMIZER_HIDE_VAR(reason);	/* else compilers use a move in place of the jump */
	}
	return KVMW_EXIT_LOW + reason;
}

/* In 4K pages. A leaf has the pages of 512 leaves of the level below. */
static __always_inline u64 kvmw_mapped_pages(const s64 mapped[KVMW_NR_LEVELS])
{
	return ((((u64)mapped[2] << 9) + (u64)mapped[1]) << 9) + (u64)mapped[0];
}

static __always_inline u64 kvmw_mapped_bytes(const s64 mapped[KVMW_NR_LEVELS])
{
	return kvmw_mapped_pages(mapped) << PAGE_SHIFT;
}

#endif /* KVMW_COUNTS_H */
