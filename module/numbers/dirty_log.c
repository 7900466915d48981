// SPDX-License-Identifier: GPL-2.0
/* KVM's dirty log of a slot. See dirty_log.h. */
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kvm.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "numbers/dirty_log.h"
#include "records/record.h"

/* Words of KVM's dirty log to read at a time. */
#define LOG_WORDS	64

/*
 * Logs up to this size (of slots up to 32 GiB) are counted at each read, larger ones at most every
 * LOG_INTERVAL.
 */
#define LOG_BYTES_EACH	SZ_1M
#define LOG_INTERVAL	(HZ / 10)

/*
 * Does the slot still have the log that @life and @log identify? Before KVM frees a log, a hook
 * changes these two, or marks the slot or the VM as gone. So if this returns true, everything read
 * before came from that log.
 */
static bool is_log(const struct kvmw_slot *slot, u64 life, const void *log)
{
	smp_rmb();	/* order the reads of the log before the check */
	return READ_ONCE(slot->log_life) == life && READ_ONCE(slot->log) == log &&
	       READ_ONCE(slot->obj.key) && !READ_ONCE(slot->obj.vm->dying);
}

/*
 * Takes no lock of KVM, as that would be held for long: the log of a 1 TiB slot has 32 MiB. If KVM
 * frees the log meanwhile, the read fails or its result is dropped.
 */
s64 kvmw_log_weight(const struct kvmw_slot *slot)
{
	u64 life = READ_ONCE(slot->log_life);
	unsigned long words[LOG_WORDS], left, n, i;
	const unsigned long *log, *from;
	s64 weight = 0;

	smp_rmb();	/* pairs with smp_wmb() in kvmw_slot_update() */
	log = READ_ONCE(slot->log);
	if (!log || !is_log(slot, life, log))
		return -1;
	left = BITS_TO_LONGS(READ_ONCE(slot->npages));
	for (from = log; left; from += n, left -= n) {
		n = min_t(unsigned long, left, LOG_WORDS);
		if (copy_from_kernel_nofault(words, from, n * sizeof(*words)))
			return -1;
		for (i = 0; i < n; i++)
			weight += hweight_long(words[i]);
		cond_resched();
	}
	return is_log(slot, life, log) ? weight : -1;
}

/* Tries again if the log changed meanwhile. Without a log, returns the last result. */
static u64 count_log(struct kvmw_slot *slot)
{
	s64 weight = -1;
	int tries;

	for (tries = 0; weight < 0 && tries < 3; tries++)
		weight = kvmw_log_weight(slot);
	if (weight >= 0)
		WRITE_ONCE(slot->dirty_pages, weight);
	return READ_ONCE(slot->dirty_pages);
}

/*
 * Bits set in KVM's dirty log of the slot. One reader at a time counts a large log, and at most
 * every LOG_INTERVAL, which bounds the cost of frequent readers.
 */
u64 kvmw_dirty_pages(struct kvmw_slot *slot)
{
	struct kvmw_vm *vm = slot->obj.vm;
	u64 life, pages;

	if (!(READ_ONCE(slot->flags) & KVM_MEM_LOG_DIRTY_PAGES))
		return READ_ONCE(slot->dirty_pages);
	if (BITS_TO_LONGS(READ_ONCE(slot->npages)) * sizeof(long) <= LOG_BYTES_EACH)
		return count_log(slot);
	mutex_lock(&vm->log_lock);
	life = READ_ONCE(slot->log_life);
	if (slot->counted_life != life ||
	    time_after_eq(jiffies, slot->counted_at + LOG_INTERVAL)) {
		count_log(slot);
		slot->counted_life = life;
		slot->counted_at = jiffies;
	}
	pages = READ_ONCE(slot->dirty_pages);
	mutex_unlock(&vm->log_lock);
	return pages;
}
