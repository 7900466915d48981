/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The numbers of an object: how they are counted, and how they are read.
 *
 * kvmw_stats() takes a snapshot of an object into the structure that the rows of
 * stat_table.h make, and kvmw_stats_table() describes that structure. Every export
 * is a loop over the one, reading the other.
 */
#ifndef KVMW_STATS_H
#define KVMW_STATS_H

#include <linux/bitops.h>
#include <linux/types.h>

#include "hook.h"
#include "stat_table.h"

struct kvmw_object;

/* Conditions beside hooks, in the same mask. */
#define KVMW_NEED_FIRST		53
#define KVMW_NEED_EXITED	BIT_ULL(53)	/* no audit of the VM's exits has failed */
#define KVMW_NEED_WOKEN		BIT_ULL(54)	/* none of its halts */
#define KVMW_NEED_PAIRED	BIT_ULL(55)	/* none of its vCPUs' loads and puts */
#define KVMW_NEED_COUNTERS	BIT_ULL(56)	/* the slot has counters of its own */
#define KVMW_NEED_MARKED	BIT_ULL(57)	/* no audit of the VM's dirty marks has failed */
#define KVMW_NEED_SEEN		BIT_ULL(58)	/* none of its leaves */
#define KVMW_NEED_REASONS	BIT_ULL(59)	/* exit reasons can be read */
#define KVMW_NEED_MAPPED	BIT_ULL(60)	/* mapped pages of the VM are known */
#define KVMW_NEED_BITMAP	BIT_ULL(61)	/* the VM has dirty bitmaps, no rings */
#define KVMW_NEED_LOGGING	BIT_ULL(62)	/* dirty logging of the slot is on */
#define KVMW_NEED_LOADED_ONCE	BIT_ULL(63)	/* the vCPU has been on a pCPU */

/* Of these, those that audits of vCPUs refute. */
#define KVMW_NEED_AUDITED	(KVMW_NEED_EXITED | KVMW_NEED_WOKEN | KVMW_NEED_PAIRED)

/* Buckets of a log2 histogram: the last holds everything from 2^38 ns (275 s) on. */
#define KVMW_HIST_BUCKETS	40

/*
 * Exit reasons are few, but SVM's come from 0 on and from 0x400 on. Records have cells
 * for what the two vendors use (and some to grow), then one for all others. Readers
 * see a linear histogram, made of it by kvmw_stat_cell().
 */
#define KVMW_EXIT_LOW		0xb0	/* reasons below have a cell each */
#define KVMW_EXIT_HIGH_FIRST	0x400	/* so have these */
#define KVMW_EXIT_HIGH		8
#define KVMW_EXIT_REST		(KVMW_EXIT_LOW + KVMW_EXIT_HIGH)

/* KVM_EXIT_*, below and all others. */
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
struct kvmw_slot_stats { KVMW_SLOT_STATS(KVMW_CELL) };
/* Those of a VM, and behind them those of its vCPUs together. */
struct kvmw_vm_stats {
	KVMW_VM_STATS(KVMW_CELL)
	struct kvmw_vcpu_stats vcpus_sum;
};

#undef KVMW_CELL

/* Large enough for the numbers of any object. Some KiB: too large for a stack. */
union kvmw_any_stats {
	struct {
		struct kvmw_vm_stats	vm;
		struct kvmw_vcpu_stats	scratch;	/* to sum up its vCPUs */
	};
	struct kvmw_vcpu_stats	vcpu;
	struct kvmw_slot_stats	slot;
};

struct kvmw_stat {
	const char	*name;
	const char	*help;
	u64		needs;
	u32		flags;		/* KVMWATCH_STATS_* */
	s16		exponent;
	u16		size;		/* in cells of 8 bytes, as readers see it */
	u16		kept;		/* in cells, in the object's structure */
	u32		offset;		/* there, in bytes */
};

/* Causes of a dirty mark. */
enum kvmw_cause { KVMW_CAUSE_FAULT, KVMW_CAUSE_PML, KVMW_CAUSE_KVM, KVMW_NR_CAUSES };

#define KVMW_NR_LEVELS	3	/* 4K, 2M, 1G: leaves are at no other */
#define KVMW_LEVEL_SHIFT(level)	(PAGE_SHIFT + 9 * ((level) - 1))

/*
 * What hits count for a slot, per CPU, so that each writes lines of its own. The
 * numbers of the VM are sums over its slots.
 */
struct kvmw_slot_cpu {
	u64	map[KVMW_NR_LEVELS];
	u64	unmap[KVMW_NR_LEVELS];
	u64	splits;
	u64	marks[KVMW_NR_CAUSES][2];	/* [cause][no vCPU of the VM loaded] */
	/* By the age of the log, see struct kvmw_clear; last, those of an unknown age. */
	u64	marks_new[KVMW_AGE_BUCKETS + 1];
	u64	lost;
};

/* The same summed up. */
void kvmw_slot_cpu_sum(const struct kvmw_slot_cpu __percpu *cpu, struct kvmw_slot_cpu *sum);
void kvmw_slot_cpu_add(struct kvmw_slot_cpu *sum, const struct kvmw_slot_cpu *more);
/* All new marks, whatever the age of the log was. */
u64 kvmw_marks_new(const struct kvmw_slot_cpu *sum);

/*
 * Add to a number that only this CPU writes now, and from one context. Readers see it as
 * it was or as it is. WRITE_ONCE() would make three instructions of it.
 */
static __always_inline void kvmw_grow(u64 *number, u64 n)
{
	asm("addq %1, %0" : "+m" (*number) : "er" (n) : "cc");
}

/* Count for a vCPU. Only the CPU that it is loaded on may. */
#define kvmw_add(vcpu, stat, n)		kvmw_grow(&(vcpu)->stats.stat[0], n)
#define kvmw_inc(vcpu, stat)	kvmw_add(vcpu, stat, 1)
#define kvmw_set(vcpu, stat, n)	WRITE_ONCE((vcpu)->stats.stat[0], (n))
#define kvmw_max(vcpu, stat, n)	do {						\
	if ((n) > (vcpu)->stats.stat[0])					\
		kvmw_set(vcpu, stat, n);					\
} while (0)
#define kvmw_cell(vcpu, stat, cell)	kvmw_grow(&(vcpu)->stats.stat[cell], 1)
#define kvmw_hist(vcpu, stat, n)	kvmw_cell(vcpu, stat, kvmw_bucket(n))

/* Bucket 0 holds 0, bucket i the values from 2^(i-1) up to 2^i. */
static __always_inline unsigned int kvmw_bucket(u64 value)
{
	unsigned int bucket = fls64(value);

	return bucket < KVMW_HIST_BUCKETS ? bucket : KVMW_HIST_BUCKETS - 1;
}

static __always_inline unsigned int kvmw_exit_cell(u64 reason)
{
	if (likely(reason < KVMW_EXIT_LOW))
		return reason;
	if (likely(reason - KVMW_EXIT_HIGH_FIRST < KVMW_EXIT_HIGH))
		return KVMW_EXIT_LOW + (reason - KVMW_EXIT_HIGH_FIRST);
	return KVMW_EXIT_REST;
}

/* Why exit reasons cannot be told, or NULL: they can. */
const char *kvmw_no_reasons(void);

/* Before anything else here. */
void kvmw_stats_init(void);

/* The statistics of a kind of object (KVMWATCH_KIND_*), and how many. */
const struct kvmw_stat *kvmw_stats_table(unsigned int kind, unsigned int *nr);

/* Can it be had of @obj now? @obj may be NULL: of any object at all? */
/* Was it found to be wrong, and is not known to be right again? Context: any. */
bool kvmw_stat_withdrawn(const struct kvmw_stat *stat, const struct kvmw_object *obj);
bool kvmw_stat_available(const struct kvmw_stat *stat, const struct kvmw_object *obj);

/* Cell @i, less than @stat->size, of a statistic in a snapshot. */
u64 kvmw_stat_cell(const struct kvmw_stat *stat, const union kvmw_any_stats *stats,
		   unsigned int i);

/*
 * Take a snapshot. Counters of one vCPU belong to one moment; a VM's are sums of
 * such snapshots. Context: task, may sleep.
 */
void kvmw_stats(struct kvmw_object *obj, union kvmw_any_stats *out);

/* A vCPU's numbers at one moment, and sums of such as a VM has them. */
struct kvmw_vcpu;
void kvmw_vcpu_snapshot(const struct kvmw_vcpu *vcpu, struct kvmw_vcpu_stats *out);
void kvmw_vcpu_stats_add(struct kvmw_vcpu_stats *sum, const struct kvmw_vcpu_stats *more);

/* Leaves that a slot has now. Exact under the VM's mmu_lock. */
struct kvmw_slot;
void kvmw_slot_mapped(const struct kvmw_slot *slot, s64 mapped[KVMW_NR_LEVELS]);

/* Pages marked in KVM's dirty log of a slot now; -1: it has none. Context: task, may sleep. */
s64 kvmw_log_weight(const struct kvmw_slot *slot);

static __always_inline u64 kvmw_mapped_bytes(const s64 mapped[KVMW_NR_LEVELS])
{
	return ((u64)mapped[0] << KVMW_LEVEL_SHIFT(1)) +
	       ((u64)mapped[1] << KVMW_LEVEL_SHIFT(2)) +
	       ((u64)mapped[2] << KVMW_LEVEL_SHIFT(3));
}

#endif /* KVMW_STATS_H */
