// SPDX-License-Identifier: GPL-2.0
/*
 * Per-page heat: the counting. See heat.h.
 *
 * Ticks divide the time since the heat began; a tick is the shortest window. Windows of length
 * number i are 2^i ticks long and begin at multiples of that, so two ticks lie in different windows
 * of length i exactly if they differ in bit i or above. A page remembers the tick of its last mark.
 * The next mark adds a distinct page to the windows of all lengths up to the highest bit in which
 * the two ticks differ. One cell of a histogram, indexed by that bit, counts for all of them.
 *
 * Each CPU also remembers its sums as of the beginning of its current windows, so that readers can
 * leave out windows that have not ended.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "kernel/clock.h"
#include "records/alloc.h"
#include "records/heat.h"
#include "records/heat_page.h"
#include "records/record.h"

#define WINDOWS		KVMW_HEAT_WINDOWS

static unsigned int heat_mb = 512;
module_param(heat_mb, uint, 0444);
MODULE_PARM_DESC(heat_mb, "MiB of memory for per-page heat, which takes 2 per GiB of guest (default 512); callers without CAP_PERFMON share a quarter as much, apart from that");

/* Only its CPU writes it, in one context; seq gives readers a consistent copy. */
struct heat_cpu {
	seqcount_t	seq;
	u32		tick;			/* of the last mark */
	u64		new[WINDOWS + 1];	/* marks, by in how many windows the page was new */
	u64		ended[WINDOWS];		/* distinct pages before the current windows */
	u64		outside;		/* marks beyond @npages of the heat */
};

struct kvmw_heat {
	struct kvmw_slot		*slot;	/* holds a reference */
	unsigned int			users;	/* under heat_lock */
	bool				privileged;	/* which limit it is charged to */
	size_t				bytes;	/* charged */
	u64				begin;	/* by kvmw_now() */
	u64				begin_ns;
	unsigned long			npages;
	struct heat_cpu __percpu	*cpu;
	u64				*pages;	/* count, and above it the last tick + 1 */
};

/*
 * Protects which slots have a heat, and the memory charged for them. No other lock is taken under
 * it, but memory is allocated.
 */
static DEFINE_MUTEX(heat_lock);
/* Charged: [0] to unprivileged users, [1] to privileged ones. Under heat_lock. */
static u64 heat_bytes[2];

/* --- hits ---------------------------------------------------------------- */

static u32 tick_of(const struct kvmw_heat *heat)
{
	return div_u64(kvmw_elapsed(kvmw_now(), heat->begin), KVMW_HEAT_TICK_NS);
}

/* Distinct pages in all windows of length number @i so far. */
static u64 distinct(const struct heat_cpu *c, unsigned int i)
{
	u64 sum = 0;

	while (++i <= WINDOWS)
		sum += c->new[i];
	return sum;
}

/* The first mark of a new tick on this CPU: the windows that do not contain it have ended. */
static void turn(struct heat_cpu *c, u32 tick)
{
	unsigned int i, nr = kvmw_windows_apart(c->tick, tick);

	for (i = 0; i < nr; i++)
		c->ended[i] = distinct(c, i);
	c->tick = tick;
}

void kvmw_heat_mark(struct kvmw_heat *heat, u64 rel)
{
	struct heat_cpu *c = this_cpu_ptr(heat->cpu);
	/* Refining the clock's scale may lower tick_of(), but ticks must not go back. */
	u32 tick = max(tick_of(heat), c->tick);

	raw_write_seqcount_begin(&c->seq);
	if (tick != c->tick)
		turn(c, tick);
	if (likely(rel < heat->npages))
		c->new[kvmw_mark_page(&heat->pages[rel], tick)]++;
	else
		c->outside++;
	raw_write_seqcount_end(&c->seq);
}

/* --- readers ------------------------------------------------------------- */

/* Add the counts of a CPU, as of @tick. Returns the tick of its last mark. */
static u32 add_from(const struct heat_cpu *from, u32 tick, struct kvmw_heat_item *item,
		    u64 *outside)
{
	struct heat_cpu c;
	unsigned int seq, i, nr;

	do {
		seq = read_seqcount_begin(&from->seq);
		c = *from;
	} while (read_seqcount_retry(&from->seq, seq));

	nr = kvmw_windows_apart(c.tick, tick);
	for (i = 0; i < WINDOWS; i++)
		item->distinct[i] += i < nr ? distinct(&c, i) : c.ended[i];
	item->slot.marks += c.new[0] + distinct(&c, 0) + c.outside;
	*outside += c.outside;
	return c.tick;
}

/* Add the counts of all CPUs as of one tick. Start over if the next tick began meanwhile. */
static void add_all(const struct kvmw_heat *heat, struct kvmw_heat_item *item, u64 *outside)
{
	u32 tick, last;
	int cpu;

	do {
		*outside = 0;
		item->slot.marks = 0;
		memset(item->distinct, 0, sizeof(item->distinct));
		tick = tick_of(heat);
		last = 0;
		for_each_possible_cpu(cpu)
			last = max(last, add_from(per_cpu_ptr(heat->cpu, cpu), tick, item,
						  outside));
	} while (last > tick || tick_of(heat) != tick);
	item->slot.ticks = tick;
}

void kvmw_heat_look(const struct kvmw_heat *heat, struct kvmw_heat_item *item, u64 *outside)
{
	const struct kvmw_slot *slot = heat->slot;

	item->slot = (struct kvmwatch_heat_slot) {
		.base_gfn = READ_ONCE(slot->base_gfn),
		.npages = heat->npages,
		.as_id = slot->obj.subkey >> 16,
		.id = slot->obj.subkey & 0xffff,
		.begin_ns = heat->begin_ns,
	};
	if (!READ_ONCE(slot->obj.key))
		item->slot.flags |= KVMWATCH_HEAT_GONE;
	else if (READ_ONCE(slot->flags) & KVM_MEM_LOG_DIRTY_PAGES)
		item->slot.flags |= KVMWATCH_HEAT_LOGGED;
	add_all(heat, item, outside);
}

struct kvmw_slot *kvmw_heat_slot(const struct kvmw_heat *heat)
{
	return heat->slot;
}

const u64 *kvmw_heat_pages(const struct kvmw_heat *heat, unsigned long *npages)
{
	*npages = heat->npages;
	return heat->pages;
}

size_t kvmw_heat_footprint(const struct kvmw_slot *slot)
{
	const struct kvmw_heat *heat;
	size_t bytes;

	rcu_read_lock();	/* pairs with synchronize_rcu() in kvmw_heat_put() */
	heat = READ_ONCE(slot->heat);
	bytes = heat ? heat->bytes : 0;
	rcu_read_unlock();
	return bytes;
}

/* --- life ---------------------------------------------------------------- */

static size_t bytes_of(unsigned long npages)
{
	return PAGE_ALIGN(npages * sizeof(u64)) + sizeof(struct kvmw_heat) +
	       num_possible_cpus() * sizeof(struct heat_cpu);
}

static int charge(bool privileged, size_t bytes)
{
	u64 limit = (u64)heat_mb << 20;

	if (!privileged)
		limit /= 4;
	if (bytes > limit || heat_bytes[privileged] > limit - bytes)
		return -ENOSPC;
	heat_bytes[privileged] += bytes;
	return 0;
}

static void heat_free(struct kvmw_heat *heat)
{
	vfree(heat->pages);
	free_percpu(heat->cpu);
	heat_bytes[heat->privileged] -= heat->bytes;
	kvmw_put(&heat->slot->obj);
	kfree(heat);
}

static int heat_alloc(struct kvmw_heat *heat)
{
	int cpu;

	heat->cpu = alloc_percpu_gfp(struct heat_cpu, GFP_KERNEL_ACCOUNT);
	/* Fail rather than invoke the OOM killer. */
	heat->pages = __vmalloc(heat->npages * sizeof(u64), GFP_KERNEL_ACCOUNT | __GFP_ZERO |
				__GFP_NOWARN | __GFP_RETRY_MAYFAIL);
	if (!heat->cpu || !heat->pages)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		seqcount_init(&per_cpu_ptr(heat->cpu, cpu)->seq);
	return 0;
}

static struct kvmw_heat *heat_new(struct kvmw_slot *slot, bool privileged)
{
	size_t bytes = bytes_of(slot->npages);
	struct kvmw_heat *heat;
	int err;

	err = charge(privileged, bytes);
	if (err)
		return ERR_PTR(err);
	heat = kzalloc(sizeof(*heat), GFP_KERNEL_ACCOUNT);
	if (!heat) {
		heat_bytes[privileged] -= bytes;
		return ERR_PTR(-ENOMEM);
	}
	kvmw_get(&slot->obj);
	heat->slot = slot;
	heat->privileged = privileged;
	heat->bytes = bytes;
	heat->npages = slot->npages;
	err = heat_alloc(heat);
	if (err) {
		heat_free(heat);
		return ERR_PTR(err);
	}
	return heat;
}

/* Drop a user of each heat. Hide those without users; @heats keeps only these. Returns how many. */
static int heats_hide(struct kvmw_heat **heats, int nr)
{
	int i, hidden = 0;

	lockdep_assert_held(&heat_lock);
	for (i = 0; i < nr; i++) {
		if (--heats[i]->users)
			continue;
		WRITE_ONCE(heats[i]->slot->heat, NULL);
		heats[hidden++] = heats[i];
	}
	return hidden;
}

/* All new heats begin at the same moment, once all memory is allocated. */
static void heats_begin(struct kvmw_heat **heats, int nr)
{
	u64 begin_ns = ktime_get_ns(), begin = kvmw_now_anywhere();
	int i;

	for (i = 0; i < nr; i++) {
		if (heats[i]->users++)
			continue;
		heats[i]->begin_ns = begin_ns;
		heats[i]->begin = begin;
		/* Release pairs with the address dependency of readers of slot->heat. */
		smp_store_release(&heats[i]->slot->heat, heats[i]);
	}
}

static int heats_get(struct kvmw_slot **slots, int nr, struct kvmw_heat **heats, bool privileged)
{
	int i, err = 0;

	for (i = 0; i < nr && !err; i++) {
		heats[i] = slots[i]->heat ?: heat_new(slots[i], privileged);
		err = PTR_ERR_OR_ZERO(heats[i]);
		cond_resched();
	}
	if (!err) {
		heats_begin(heats, nr);
		return 0;
	}
	for (i--; i > 0; i--)
		if (!heats[i - 1]->users)	/* new, and not published */
			heat_free(heats[i - 1]);
	return err;
}

int kvmw_heat_get(struct kvmw_slot **slots, int nr, struct kvmw_heat **heats, bool privileged)
{
	int err;

	mutex_lock(&heat_lock);
	err = heats_get(slots, nr, heats, privileged);
	mutex_unlock(&heat_lock);
	return err;
}

/*
 * A hit may have found a heat before it was hidden, and still use it. Hits run with preemption off,
 * so all of these end within the grace period. Nobody else can find a hidden heat, so others may
 * open and close heats meanwhile.
 */
void kvmw_heat_put(struct kvmw_heat **heats, int nr)
{
	mutex_lock(&heat_lock);
	nr = heats_hide(heats, nr);
	mutex_unlock(&heat_lock);
	if (!nr)
		return;
	synchronize_rcu();
	mutex_lock(&heat_lock);
	while (nr)
		heat_free(heats[--nr]);
	mutex_unlock(&heat_lock);
}
