// SPDX-License-Identifier: GPL-2.0
/* The hash table from KVM's objects to their records. See table.h. */
#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/llist.h>
#include <linux/sched.h>
#include <uapi/linux/kvmwatch.h>

#include "records/alloc.h"
#include "records/generation.h"
#include "records/record.h"
#include "records/table.h"

#define TABLE_BITS	13

static struct kvmw_object *table[1 << TABLE_BITS];
static LLIST_HEAD(newborn);
static LLIST_HEAD(dead);
static atomic64_t last_id[3];

static struct kvmw_object **chain_of(const void *key, u32 subkey)
{
	return &table[hash_long((unsigned long)key + subkey * 0x9e370001UL, TABLE_BITS)];
}

static struct kvmw_object *chain_find(struct kvmw_object *obj, const void *key, u32 subkey)
{
	for (; obj; obj = READ_ONCE(obj->chain))
		if (READ_ONCE(obj->key) == key && obj->subkey == subkey)
			return obj;
	return NULL;
}

struct kvmw_object *kvmw_find(const void *key, u32 subkey)
{
	/* Acquire pairs with the cmpxchg() in kvmw_publish(). */
	return chain_find(smp_load_acquire(chain_of(key, subkey)), key, subkey);
}

struct kvmw_vm *kvmw_vm_find(const struct kvm *kvm)
{
	struct kvmw_object *obj = kvmw_find(kvm, KVMW_NO_SUBKEY);

	return obj ? kvmw_to_vm(obj) : NULL;
}

struct kvmw_vcpu *kvmw_vcpu_find(const struct kvm_vcpu *kvcpu)
{
	struct kvmw_object *obj = kvmw_find(kvcpu, KVMW_NO_SUBKEY);

	return obj ? kvmw_to_vcpu(obj) : NULL;
}

struct kvmw_object *kvmw_find_log(const void *log)
{
	struct kvmw_object *obj;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		/* Acquire as in kvmw_find(). */
		for (obj = smp_load_acquire(&table[i]); obj; obj = READ_ONCE(obj->chain))
			if (obj->kind == KVMWATCH_KIND_SLOT && READ_ONCE(obj->key) &&
			    READ_ONCE(kvmw_to_slot(obj)->log) == log)
				return obj;
	}
	return NULL;
}

/*
 * Searches all records, for the rare case that no CPU's cache has the vCPU. The record of a vCPU
 * that the current thread put does not change meanwhile, as no other thread runs that vCPU.
 */
struct kvmw_vcpu *kvmw_vcpu_put_by_current(void)
{
	struct kvmw_vcpu *vcpu, *last = NULL;
	struct kvmw_object *obj;
	int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		/* Acquire as in kvmw_find(). */
		for (obj = smp_load_acquire(&table[i]); obj; obj = READ_ONCE(obj->chain)) {
			if (obj->kind != KVMWATCH_KIND_VCPU || !READ_ONCE(obj->key))
				continue;
			vcpu = kvmw_to_vcpu(obj);
			if (READ_ONCE(vcpu->tid) == current->pid &&
			    READ_ONCE(vcpu->where) >= KVMW_VCPU_OFF_CPU &&
			    (!last || READ_ONCE(vcpu->since) > last->since))
				last = vcpu;
		}
	}
	return last;
}

struct kvmw_object *kvmw_publish(struct kvmw_object *obj, const void *key, u32 subkey,
				 struct kvmw_vm *vm)
{
	struct kvmw_object **chain = chain_of(key, subkey);
	struct kvmw_object *first, *found;

	obj->key = key;
	obj->subkey = subkey;
	obj->vm = vm;
	obj->bucket = chain;
	if (&vm->obj != obj)
		kvmw_get(&vm->obj);
	obj->id = atomic64_inc_return(&last_id[obj->kind - KVMWATCH_KIND_VM]);

	/*
	 * No record is freed while we run (see bury() in house.c), so an unchanged head means that
	 * nothing was pushed on the chain since we searched it.
	 */
	kvmw_change_begin(obj->kind, &vm->changes);
	do {
		first = READ_ONCE(*chain);
		found = chain_find(first, key, subkey);
		if (found) {
			obj->key = NULL;
			obj->bucket = NULL;
			llist_add(&obj->dead, &dead);
			kvmw_change_end(obj->kind, &vm->changes);
			return found;
		}
		obj->chain = first;
	} while (cmpxchg(chain, first, obj) != first);

	llist_add(&obj->born, &newborn);
	kvmw_change_end(obj->kind, &vm->changes);
	return obj;
}

/* Hits push at the head. Only the housekeeper changes the rest of a chain: no lock is needed. */
void kvmw_unhash(struct kvmw_object *obj)
{
	struct kvmw_object *prev;

	if (!obj->bucket || cmpxchg(obj->bucket, obj, obj->chain) == obj)
		return;
	for (prev = READ_ONCE(*obj->bucket); prev; prev = prev->chain) {
		if (prev->chain == obj) {
			WRITE_ONCE(prev->chain, obj->chain);
			return;
		}
	}
}

void kvmw_hide(struct kvmw_object *obj)
{
	if (obj->kind == KVMWATCH_KIND_SLOT)
		WRITE_ONCE(kvmw_to_slot(obj)->live_pages, 0);
	/* A hit and the housekeeper may both hide a record: one of them queues it. */
	kvmw_change_begin(obj->kind, &obj->vm->changes);
	if (xchg(&obj->key, NULL))
		llist_add(&obj->dead, &dead);
	kvmw_change_end(obj->kind, &obj->vm->changes);
}

struct llist_node *kvmw_take_newborn(void)
{
	return llist_del_all(&newborn);
}

struct llist_node *kvmw_take_dead(void)
{
	return llist_del_all(&dead);
}

bool kvmw_has_newborn(void)
{
	return !llist_empty(&newborn);
}
