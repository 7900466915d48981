// SPDX-License-Identifier: GPL-2.0
/* Generations of the lists. See generation.h. */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/hash.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "records/generation.h"
#include "records/kick.h"

static u64 instance;
static struct kvmw_changes all_vms;

/*
 * Waiters for one VM are hashed over 2^WAIT_BITS queues. A hit cannot hold a VM's record until the
 * housekeeper wakes its waiters, but it can set the bit of their queue.
 */
#define WAIT_BITS	6
#define NR_WAITS	(KVMW_NR_CHANGES + (1 << WAIT_BITS))

static wait_queue_head_t waits[NR_WAITS];
static DECLARE_BITMAP(pending, NR_WAITS);

static unsigned int wait_of(u32 kind, const struct kvmw_changes *vm)
{
	return vm ? KVMW_NR_CHANGES + hash_long((unsigned long)vm + kind, WAIT_BITS) : kind;
}

/* A value-returning atomic is a full barrier: the change itself comes after this. */
static void begin(u32 kind, struct kvmw_changes *vm)
{
	atomic64_inc_return(&all_vms.begun[kind]);
	atomic64_inc_return(&vm->begun[kind]);
}

static void end(u32 kind, struct kvmw_changes *vm)
{
	atomic64_inc_return(&vm->ended[kind]);
	atomic64_inc_return(&all_vms.ended[kind]);
	set_bit(wait_of(kind, vm), pending);
	set_bit(wait_of(kind, NULL), pending);
}

/* A change touches its own kind and 0 (all kinds); that of a VM touches every kind. */
static bool touches(u32 kind, u32 other)
{
	return !other || kind == other || kind == KVMWATCH_KIND_VM;
}

void kvmw_change_begin(u32 kind, struct kvmw_changes *vm)
{
	u32 other;

	for (other = 0; other < KVMW_NR_CHANGES; other++)
		if (touches(kind, other))
			begin(other, vm);
}

void kvmw_change_end(u32 kind, struct kvmw_changes *vm)
{
	u32 other;

	for (other = 0; other < KVMW_NR_CHANGES; other++)
		if (touches(kind, other))
			end(other, vm);
	kvmw_kick();
}

u64 kvmw_generation_before(u32 kind, const struct kvmw_changes *vm)
{
	return atomic64_read_acquire(&(vm ?: &all_vms)->ended[kind]);
}

u64 kvmw_generation_after(u32 kind, const struct kvmw_changes *vm)
{
	smp_rmb();	/* the caller's reads come before this */
	return atomic64_read(&(vm ?: &all_vms)->begun[kind]);
}

wait_queue_head_t *kvmw_changed(u32 kind, const struct kvmw_changes *vm)
{
	return &waits[wait_of(kind, vm)];
}

void kvmw_tell_changes(void)
{
	unsigned int i;

	for (i = 0; i < NR_WAITS; i++)
		if (test_and_clear_bit(i, pending))
			wake_up_interruptible_all(&waits[i]);
}

u64 kvmw_instance(void)
{
	return instance;
}

void kvmw_generation_init(void)
{
	unsigned int i;

	while (!instance)
		get_random_bytes(&instance, sizeof(instance));
	for (i = 0; i < NR_WAITS; i++)
		init_waitqueue_head(&waits[i]);
}
