// SPDX-License-Identifier: GPL-2.0
/* Records of VMs, vCPUs and slots, and the housekeeper. See object.h. */
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "debugfs.h"
#include "heat.h"
#include "leaves.h"
#include "object.h"

#define CREATE_TRACE_POINTS
#include <trace/events/kvmwatch.h>

#define TABLE_BITS	13
#define POOL_MAX	256

static unsigned int pool[3] = { 16, 64, 64 };
module_param_array(pool, uint, NULL, 0444);
MODULE_PARM_DESC(pool, "records kept ready: VMs,vCPUs,slots (default 16,64,64; at most 256)");

/* Protects kvmw_vms; see docs/locking.md. */
DEFINE_MUTEX(kvmw_lock);
/* One housekeeper at a time; outside of all other locks. */
static DEFINE_MUTEX(house_lock);
LIST_HEAD(kvmw_vms);

static struct kvmw_object *table[1 << TABLE_BITS];
static struct kvmw_object *pools[ARRAY_SIZE(pool)][POOL_MAX];
/* Records that there are, by kind, those in the pools too. */
static atomic_t records[ARRAY_SIZE(pool)];
static LLIST_HEAD(newborn);
static LLIST_HEAD(dead);
/* What is on the lists, but not shown in full. Under kvmw_lock. */
static LIST_HEAD(todo);
/* VMs and vCPUs by id. Under kvmw_lock. */
static DEFINE_HASHTABLE(ids, 10);

static atomic64_t last_id[ARRAY_SIZE(pool)], changes_begun, changes_ended;
static DEFINE_PER_CPU(u64, lost_unknown);
static bool rescan_wanted, rescan_later;
bool kvmw_adopted;
bool kvmw_all_found;
DECLARE_WAIT_QUEUE_HEAD(kvmw_changed);

/* --- allocation ------------------------------------------------------------ */

/*
 * Counters. A slot has a set of them for each possible CPU, which no VMM pays for: the records
 * that hits take are made beforehand, by nobody in particular. With many CPUs that is more than all
 * else of a slot, and a VM may have 65,528 slots. So the slots of a VM, and all together, have
 * counters up to a limit. Those beyond have hits count in the VM's stray record, so that the
 * VM's numbers are right, and what they have counted themselves is unavailable.
 */
static unsigned int vm_slots = 512;
module_param(vm_slots, uint, 0444);
MODULE_PARM_DESC(vm_slots, "slots of a VM that have counters of their own (default 512)");

static unsigned int slot_mb = UINT_MAX;
module_param(slot_mb, uint, 0444);
MODULE_PARM_DESC(slot_mb, "MiB of memory that counters of slots may take (default: 1/256 of the memory)");

#define SET_BYTES	(sizeof(struct kvmw_slot_cpu) * num_possible_cpus())

/* What slots without counters have counted: nothing. Hits do not count here. */
static DEFINE_PER_CPU(struct kvmw_slot_cpu, no_counts);
static atomic_t sets, slots_without;
static unsigned int sets_max;

static void counters_init(void)
{
	if (slot_mb == UINT_MAX)
		slot_mb = totalram_pages() >> (20 - PAGE_SHIFT + 8);
	sets_max = min_t(u64, ((u64)slot_mb << 20) / SET_BYTES, INT_MAX);
}

void kvmw_counters(struct kvmw_counters *out)
{
	out->bytes = atomic_read(&sets) * SET_BYTES;
	out->bytes_max = (size_t)slot_mb << 20;
	out->slots_max = vm_slots;
	out->without = atomic_read(&slots_without);
}

static bool has_set(const struct kvmw_slot *slot)
{
	return slot->cpu && slot->cpu != &no_counts;
}

static void set_free(struct kvmw_slot *slot)
{
	if (!has_set(slot))
		return;
	free_percpu(slot->cpu);
	slot->cpu = &no_counts;
	atomic_dec(&sets);
}

/* @always: of a VM, whose numbers are right whatever the limits are. */
static struct kvmw_slot *slot_alloc(bool always)
{
	struct kvmw_slot *slot = kzalloc(sizeof(*slot), GFP_KERNEL);

	if (!slot)
		return NULL;
	slot->clear.moment = KVMW_NO_MOMENT;
	if (atomic_inc_return(&sets) > sets_max && !always) {
		atomic_dec(&sets);
		slot->cpu = &no_counts;
		return slot;
	}
	slot->cpu = alloc_percpu(struct kvmw_slot_cpu);
	slot->hits = slot->cpu;
	if (!slot->cpu) {
		atomic_dec(&sets);
		kfree(slot);
		return NULL;
	}
	return slot;
}

static void slot_free(struct kvmw_slot *slot)
{
	set_free(slot);
	kfree(slot->looked);
	kfree(slot);
}

/* Where hits of a new slot of @vm count. What it has and may not use goes in absorb(). */
static void counters_take(struct kvmw_slot *slot, struct kvmw_vm *vm)
{
	if (has_set(slot)) {
		if (atomic_inc_return(&vm->counted) <= vm_slots)
			return;
		atomic_dec(&vm->counted);
	}
	slot->hits = vm->stray->hits;
	atomic_inc(&slots_without);
}

/* The other way round, for a record that is about to be freed. */
static void counters_give(struct kvmw_slot *slot, struct kvmw_vm *vm)
{
	if (kvmw_slot_shares(slot))
		atomic_dec(&slots_without);
	else
		atomic_dec(&vm->counted);
}

static void vm_free(struct kvmw_vm *vm)
{
	put_pid(vm->pid);
	if (vm->stray)
		slot_free(vm->stray);
	kfree(vm->gone_vcpus);
	kfree(vm);
}

static struct kvmw_vm *vm_alloc(void)
{
	struct kvmw_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL);

	if (!vm)
		return NULL;
	vm->stray = slot_alloc(true);
	vm->gone_vcpus = kzalloc(sizeof(*vm->gone_vcpus), GFP_KERNEL);
	if (!vm->stray || !vm->gone_vcpus) {
		vm_free(vm);
		return NULL;
	}
	vm->stray->obj.vm = vm;
	vm->clear.moment = KVMW_NO_MOMENT;
	mutex_init(&vm->lock);
	mutex_init(&vm->log_lock);
	INIT_LIST_HEAD(&vm->vcpus);
	INIT_LIST_HEAD(&vm->slots);
	return vm;
}

static struct kvmw_vcpu *vcpu_alloc(void)
{
	struct kvmw_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL);

	if (vcpu)
		seqcount_init(&vcpu->seq);
	return vcpu;
}

struct kvmw_object *kvmw_alloc(unsigned int kind)
{
	struct kvmw_object *obj = NULL;
	struct kvmw_vcpu *vcpu;
	struct kvmw_slot *slot;
	struct kvmw_vm *vm;

	switch (kind) {
	case KVMWATCH_KIND_VM:
		vm = vm_alloc();
		obj = vm ? &vm->obj : NULL;
		break;
	case KVMWATCH_KIND_VCPU:
		vcpu = vcpu_alloc();
		obj = vcpu ? &vcpu->obj : NULL;
		break;
	case KVMWATCH_KIND_SLOT:
		slot = slot_alloc(false);
		obj = slot ? &slot->obj : NULL;
		break;
	}
	if (!obj)
		return NULL;
	obj->kind = kind;
	atomic_inc(&records[kind - KVMWATCH_KIND_VM]);
	kref_init(&obj->ref);
	INIT_LIST_HEAD(&obj->node);
	INIT_LIST_HEAD(&obj->todo);
	return obj;
}

static void object_free(struct kvmw_object *obj)
{
	atomic_dec(&records[obj->kind - KVMWATCH_KIND_VM]);
	switch (obj->kind) {
	case KVMWATCH_KIND_VM:
		vm_free(kvmw_to_vm(obj));
		break;
	case KVMWATCH_KIND_VCPU:
		kfree(kvmw_to_vcpu(obj));
		break;
	case KVMWATCH_KIND_SLOT:
		if (obj->vm)
			counters_give(kvmw_to_slot(obj), obj->vm);
		slot_free(kvmw_to_slot(obj));
		break;
	}
}

static void object_release(struct kref *ref)
{
	struct kvmw_object *obj = container_of(ref, struct kvmw_object, ref);
	struct kvmw_object *vm = obj->vm ? &obj->vm->obj : NULL;

	object_free(obj);
	if (vm && vm != obj)
		kvmw_put(vm);
}

void kvmw_get(struct kvmw_object *obj)
{
	kref_get(&obj->ref);
}

void kvmw_put(struct kvmw_object *obj)
{
	kref_put(&obj->ref, object_release);
}

size_t kvmw_kind_footprint(unsigned int kind)
{
	size_t slot = sizeof(struct kvmw_slot) + SET_BYTES;

	switch (kind) {
	case KVMWATCH_KIND_VM:
		return sizeof(struct kvmw_vm) + sizeof(struct kvmw_vcpu_stats) + slot;
	case KVMWATCH_KIND_VCPU:
		return sizeof(struct kvmw_vcpu);
	}
	return slot;
}

void kvmw_kind_records(unsigned int kind, unsigned int *nr, unsigned int *ready)
{
	unsigned int i = kind - KVMWATCH_KIND_VM, j;

	*ready = 0;
	for (j = 0; j < pool[i]; j++)
		*ready += !!READ_ONCE(pools[i][j]);
	*nr = atomic_read(&records[i]);
}

size_t kvmw_vm_footprint(struct kvmw_vm *vm)
{
	size_t sum = kvmw_kind_footprint(KVMWATCH_KIND_VM);
	struct kvmw_object *obj;

	mutex_lock(&vm->lock);
	list_for_each_entry(obj, &vm->vcpus, node)
		sum += kvmw_kind_footprint(KVMWATCH_KIND_VCPU);
	list_for_each_entry(obj, &vm->slots, node)
		sum += sizeof(struct kvmw_slot) + has_set(kvmw_to_slot(obj)) * SET_BYTES +
		       kvmw_heat_footprint(kvmw_to_slot(obj));
	mutex_unlock(&vm->lock);
	return sum;
}

/* --- pools: filled by the housekeeper, emptied by hits ---------------------- */

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

/* One filler, any number of takers: only we make an empty entry full. */
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

static void pools_empty(void)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(pool); i++)
		for (j = 0; j < pool[i]; j++)
			if (pools[i][j])
				object_free(xchg(&pools[i][j], NULL));
}

/* --- hash table ------------------------------------------------------------ */

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
 * Looks through all records, for the rare case that no CPU knows. What is read of one
 * that the current thread put is not being changed: nobody else runs that vCPU.
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
			    READ_ONCE(vcpu->where) == KVMW_VCPU_OFF_CPU &&
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
	 * Nobody frees a record while we run (see bury()), so an unchanged head
	 * means an unchanged chain: nothing was pushed since we looked through it.
	 */
	kvmw_change_begin();
	do {
		first = READ_ONCE(*chain);
		found = chain_find(first, key, subkey);
		if (found) {
			obj->key = NULL;
			obj->bucket = NULL;
			llist_add(&obj->dead, &dead);
			kvmw_change_end();
			return found;
		}
		obj->chain = first;
	} while (cmpxchg(chain, first, obj) != first);

	llist_add(&obj->born, &newborn);
	kvmw_change_end();
	return obj;
}

/* Cut a hidden record out. Only heads change under us: others push there. */
static void unhash(struct kvmw_object *obj)
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
	/* Two may try, a hit and the housekeeper: one wins. */
	kvmw_change_begin();
	if (xchg(&obj->key, NULL))
		llist_add(&obj->dead, &dead);
	kvmw_change_end();
}

struct kvmw_slot *kvmw_slot_of(struct kvmw_vm *vm, const struct kvm_memory_slot *kslot)
{
	u32 subkey = (u32)kslot->as_id << 16 | (u16)kslot->id;
	struct kvmw_object *obj = kvmw_find(vm, subkey);

	if (obj)
		return kvmw_to_slot(obj);
	obj = kvmw_take(KVMWATCH_KIND_SLOT);
	if (!obj)
		return NULL;
	kvmw_slot_begin(kvmw_to_slot(obj), vm, kslot);
	return kvmw_to_slot(kvmw_publish(obj, vm, subkey, vm));
}

void kvmw_slot_begin(struct kvmw_slot *slot, struct kvmw_vm *vm,
		     const struct kvm_memory_slot *kslot)
{
	counters_take(slot, vm);
	kvmw_slot_update(slot, kslot);
}

/* The size of a slot never changes, so a hit sees no mixture of old and new. */
void kvmw_slot_update(struct kvmw_slot *slot, const struct kvm_memory_slot *kslot)
{
	WRITE_ONCE(slot->base_gfn, kslot->base_gfn);
	WRITE_ONCE(slot->npages, kslot->npages);
	WRITE_ONCE(slot->live_pages, kslot->npages);
	/* The upper half is KVM's own, such as that the slot is about to go. */
	WRITE_ONCE(slot->flags, kslot->flags & 0xffff);
	if (slot->log != kslot->dirty_bitmap) {
		WRITE_ONCE(slot->log_life, slot->log_life + 1);
		WRITE_ONCE(slot->clear.moment, KVMW_NO_MOMENT);
		WRITE_ONCE(slot->clear.since, 0);
	}
	smp_wmb();	/* who has seen another log sees another life */
	WRITE_ONCE(slot->log, kslot->dirty_bitmap);
	WRITE_ONCE(slot->userspace_addr, kslot->userspace_addr);
}

void kvmw_clear_now(struct kvmw_clear *clear)
{
	u64 now = kvmw_now();

	WRITE_ONCE(clear->since, now ?: 1);
	WRITE_ONCE(clear->moment, kvmw_moment());
}

void kvmw_moments_lost(void)
{
	struct kvmw_object **vms, **slots;
	int nr_vms, nr_slots, i, j;

	nr_vms = kvmw_get_vms(&vms);
	for (i = 0; i < nr_vms; i++) {
		WRITE_ONCE(kvmw_to_vm(vms[i])->clear.moment, KVMW_NO_MOMENT);
		nr_slots = kvmw_get_children(kvmw_to_vm(vms[i]), KVMWATCH_KIND_SLOT, &slots);
		for (j = 0; j < nr_slots; j++)
			WRITE_ONCE(kvmw_to_slot(slots[j])->clear.moment, KVMW_NO_MOMENT);
		if (nr_slots >= 0)
			kvmw_put_all(slots, nr_slots);
	}
	if (nr_vms >= 0)
		kvmw_put_all(vms, nr_vms);
}

void kvmw_lost(const struct kvm *kvm)
{
	struct kvmw_vm *vm = kvm ? kvmw_vm_find(kvm) : NULL;

	if (!READ_ONCE(kvmw_adopted)) {
		/*
		 * From before our time, and about to be found, or else when they are looked
		 * for again. No kick: it would interrupt a guest at each exit until then.
		 */
		if (!READ_ONCE(rescan_later))
			WRITE_ONCE(rescan_later, true);
		return;
	}
	if (!vm)
		this_cpu_inc(lost_unknown);
	else if (!READ_ONCE(vm->dying))	/* then its vCPUs are taken apart: nobody's events */
		this_cpu_inc(vm->stray->cpu->lost);
	kvmw_rescan_later();
}

/*
 * One that has no place in its VM was not wanted after all. VMX loads it once more while it is
 * destroyed, when its record is hidden already: nobody's event.
 */
void kvmw_lost_of(const struct kvm_vcpu *kvcpu)
{
	struct kvm *kvm = kvcpu->kvm;
	int i = kvcpu->vcpu_idx;

	/* 5.10's kvm_get_vcpu() takes one that is not there for the first. */
	if (i < atomic_read(&kvm->online_vcpus) && kvm_get_vcpu(kvm, i) == kvcpu)
		kvmw_lost(kvm);
}

u64 kvmw_lost_unknown(void)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(lost_unknown, cpu));
	return sum;
}

/* --- housekeeper ----------------------------------------------------------- */

static void work_fn(struct work_struct *unused);
static DECLARE_DELAYED_WORK(work, work_fn);

static bool ending;	/* kvmwatch goes: who kicks now has no housekeeper any more */

static void kick_fn(struct irq_work *unused)
{
	if (!READ_ONCE(ending))
		mod_delayed_work(kvmw_unbound_wq, &work, 0);
}

/* Through an irq_work, as a hit may hold a runqueue lock and so cannot wake anyone. */
static DEFINE_IRQ_WORK(kick, kick_fn);

void kvmw_kick(void)
{
	irq_work_queue(&kick);
}

/* Orders what comes after it behind it, as a value-returning atomic does. */
void kvmw_change_begin(void)
{
	atomic64_inc_return(&changes_begun);
}

void kvmw_change_end(void)
{
	atomic64_inc_return(&changes_ended);
	kvmw_kick();
}

void kvmw_rescan(void)
{
	WRITE_ONCE(rescan_wanted, true);
	kvmw_kick();
}

/* Kick nobody for a round that is wanted already: events without a record come in masses. */
void kvmw_rescan_later(void)
{
	if (READ_ONCE(rescan_later))
		return;
	WRITE_ONCE(rescan_later, true);
	kvmw_kick();
}

/* When a creation last found no record; whether rounds still look for its VM. */
static unsigned long creation_at;
static bool creation_unseen;

void kvmw_rescan_creation(void)
{
	WRITE_ONCE(creation_at, jiffies);
	WRITE_ONCE(creation_unseen, true);
	kvmw_rescan_later();
}

/* Some are no longer newborn, and not yet on the lists. */
static bool absorbing;

/* Put the newborn on the lists, in the order of their birth. */
static void absorb(void)
{
	struct llist_node *list;
	struct kvmw_object *obj;

	lockdep_assert_held(&kvmw_lock);
	/* Before they are taken, which is a full barrier: see kvmw_any_newborn(). */
	WRITE_ONCE(absorbing, true);
	list = llist_reverse_order(llist_del_all(&newborn));
	llist_for_each_entry(obj, list, born) {
		list_add_tail(&obj->todo, &todo);
		if (obj->kind != KVMWATCH_KIND_SLOT)
			hash_add(ids, &obj->by_id, obj->id);
		if (obj->kind == KVMWATCH_KIND_VM) {
			list_add_tail(&obj->node, &kvmw_vms);
			continue;
		}
		mutex_lock(&obj->vm->lock);
		if (obj->kind == KVMWATCH_KIND_SLOT && kvmw_slot_shares(kvmw_to_slot(obj)))
			set_free(kvmw_to_slot(obj));
		list_add_tail(&obj->node, obj->kind == KVMWATCH_KIND_VCPU ?
			      &obj->vm->vcpus : &obj->vm->slots);
		mutex_unlock(&obj->vm->lock);
	}
	WRITE_ONCE(absorbing, false);
}

/*
 * Show VMs whose creation has succeeded by now. Only what came since the last time is
 * looked at, so a round costs the same with many VMs as with few. Returns whether one is
 * still being created.
 */
static bool show_all(void)
{
	struct kvmw_object *obj;
	bool pending = false;

	lockdep_assert_held(&kvmw_lock);
	list_for_each_entry(obj, &todo, todo) {
		if (obj->kind != KVMWATCH_KIND_VM || obj->vm->shown)
			continue;
		kvmw_show_vm(obj->vm);
		if (!obj->vm->shown && READ_ONCE(obj->key))
			pending = true;
	}
	return pending;
}

/*
 * Make the directories that are missing. A VM is born before what it has. Returns whether
 * one could not be made for now.
 */
static bool make_dirs(void)
{
	struct kvmw_object *obj, *next;
	bool missing = false;

	list_for_each_entry_safe(obj, next, &todo, todo) {
		if (!kvmw_shown(obj))
			continue;
		if (kvmw_debugfs_add(obj))
			list_del_init(&obj->todo);
		else
			missing = true;
	}
	return missing;
}

static void hide_children(struct kvmw_vm *vm)
{
	struct kvmw_object *obj;

	mutex_lock(&vm->lock);
	list_for_each_entry(obj, &vm->vcpus, node)
		kvmw_hide(obj);
	list_for_each_entry(obj, &vm->slots, node)
		kvmw_hide(obj);
	mutex_unlock(&vm->lock);
}

/* What a gone vCPU or slot counted stays in the numbers of its VM. Under house_lock. */
static void fold(struct kvmw_object *obj)
{
	static struct kvmw_vcpu_stats last;	/* too large for the stack */
	struct kvmw_vm *vm = obj->vm;
	s64 mapped[KVMW_NR_LEVELS];
	struct kvmw_slot_cpu sum;
	int i;

	mutex_lock(&vm->lock);
	if (obj->kind == KVMWATCH_KIND_VCPU) {
		kvmw_vcpu_audit_last(kvmw_to_vcpu(obj));
		kvmw_vcpu_snapshot(kvmw_to_vcpu(obj), &last);
		kvmw_vcpu_stats_add(vm->gone_vcpus, &last);
	} else {
		kvmw_slot_cpu_sum(kvmw_to_slot(obj)->cpu, &sum);
		kvmw_slot_cpu_add(&vm->gone_slots, &sum);
		kvmw_slot_mapped(kvmw_to_slot(obj), mapped);
		for (i = 0; i < KVMW_NR_LEVELS; i++)
			vm->gone_mapped[i] += mapped[i];
	}
	list_del_init(&obj->node);
	mutex_unlock(&vm->lock);
}

static struct kvmw_vm no_vm;
struct kvmw_slot kvmw_no_slot = { .obj.vm = &no_vm };

/* Put @none for a pointer that a CPU remembers, if it is to a hidden record. */
static void forget(void *field, void *none)
{
	struct kvmw_object **cached = field, *obj = READ_ONCE(*cached);

	/* Fails when the owner put something newer there: that is not hidden. */
	if (obj && !READ_ONCE(obj->key))
		cmpxchg(cached, obj, none);
}

static void forget_everywhere(void)
{
	struct kvmw_cpu *c;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(&kvmw_cpu, cpu);
		forget(&c->vcpu, NULL);
		forget(&c->leaving, NULL);
		forget(&c->last_vcpu, NULL);
		forget(&c->slot, &kvmw_no_slot);
	}
}

void kvmw_forget_slots(void)
{
	struct kvmw_slot *slot;
	int cpu;

	for_each_possible_cpu(cpu) {
		slot = READ_ONCE(per_cpu(kvmw_cpu.slot, cpu));
		cmpxchg(per_cpu_ptr(&kvmw_cpu.slot, cpu), slot, &kvmw_no_slot);
	}
}

/*
 * All that is hidden, taken off its hash chain, with what a hidden VM still had.
 * Readers may find it on the lists a while longer.
 */
static struct llist_node *collect_dead(void)
{
	struct llist_node *list = NULL, *part, *tail;
	struct kvmw_object *obj;

	mutex_lock(&kvmw_lock);
	while ((part = llist_del_all(&dead))) {
		absorb();	/* after: who is dead by now has been newborn before */
		llist_for_each_entry(obj, part, dead) {
			tail = &obj->dead;
			unhash(obj);
			if (obj->kind == KVMWATCH_KIND_VM)
				hide_children(obj->vm);
		}
		tail->next = list;
		list = part;
	}
	mutex_unlock(&kvmw_lock);
	return list;
}

static void unlist(struct llist_node *list)
{
	struct kvmw_object *obj;

	mutex_lock(&kvmw_lock);
	llist_for_each_entry(obj, list, dead) {
		list_del_init(&obj->todo);
		hash_del(&obj->by_id);
		if (obj->kind != KVMWATCH_KIND_VM)
			fold(obj);
	}
	llist_for_each_entry(obj, list, dead) {
		if (obj->kind != KVMWATCH_KIND_VM)
			continue;
		list_del_init(&obj->node);
		mutex_lock(&obj->vm->lock);
		kvmw_audit_end(obj->vm);
		mutex_unlock(&obj->vm->lock);
	}
	mutex_unlock(&kvmw_lock);
}

/*
 * A directory goes with all below it, so a VM's last. No lock may be held: it waits
 * for readers of the files, and they take them.
 */
static void remove_dirs(struct llist_node *list, bool of_vms)
{
	struct kvmw_object *obj;
	bool is_vm;

	llist_for_each_entry(obj, list, dead) {
		is_vm = obj->kind == KVMWATCH_KIND_VM;
		if (is_vm == of_vms)
			kvmw_debugfs_remove(obj);
	}
}

/*
 * Free the hidden. A hit can have found one before it was hidden, use it until it
 * ends, and leave it in its CPU's cache. After the first grace period all such hits
 * have ended and no cache gains one any more, so the caches can be cleared; after
 * the second, hits that looked into a cache before that have ended too.
 *
 * Only the housekeeper comes here, so the dead are ours while no lock is held.
 */
static void bury(void)
{
	struct llist_node *list = collect_dead();
	struct kvmw_object *obj, *next;

	if (!list)
		return;
	synchronize_rcu();
	forget_everywhere();
	synchronize_rcu();
	unlist(list);
	remove_dirs(list, false);
	remove_dirs(list, true);
	llist_for_each_entry_safe(obj, next, list, dead)
		kvmw_put(obj);
}

/*
 * Rounds that look for VMs because of events without a record. Whoever can open /dev/kvm can cause
 * such events without end, by creations that fail. So rounds that find nothing come less and
 * less often, down to one in LATER_MAX; when they find something, or after a calm, soon again.
 */
#define LATER_MIN	msecs_to_jiffies(20)
#define LATER_MAX	HZ
#define LATER_CALM	(10 * HZ)

/* Under house_lock. */
static struct {
	bool		due;		/* at @at */
	unsigned long	at, wait;	/* in jiffies */
} later;

/* After how many jiffies such a round is due; 0: now, or none is wanted. */
static unsigned long later_in(void)
{
	if (!READ_ONCE(rescan_later))
		return 0;
	if (!later.due) {
		if (time_after(jiffies, later.at + LATER_CALM))
			later.wait = LATER_MIN;
		later.wait = clamp_t(unsigned long, later.wait, LATER_MIN, LATER_MAX);
		later.at = jiffies + later.wait;
		later.due = true;
	}
	return time_before(jiffies, later.at) ? later.at - jiffies : 0;
}

/*
 * A creation takes its time until KVM lists the VM, and an idle VM causes no event that would have
 * it looked for again. So rounds go on for a while after a creation that found no record.
 */
static void go_on_after_creation(void)
{
	if (!xchg(&creation_unseen, false) ||
	    time_after(jiffies, READ_ONCE(creation_at) + LATER_CALM))
		return;
	WRITE_ONCE(creation_unseen, true);
	WRITE_ONCE(rescan_later, true);
}

static void look_for_vms(void)
{
	bool wanted = xchg(&rescan_wanted, false), found;
	bool due = READ_ONCE(rescan_later) && !later_in();

	if (!wanted && !due)
		return;
	if (due) {	/* before we look: what comes meanwhile may be too late for us */
		later.due = false;
		WRITE_ONCE(rescan_later, false);
	}
	found = kvmw_adopt_all();
	if (!due)
		return;
	later.wait = found ? LATER_MIN : 2 * later.wait;
	go_on_after_creation();
}

static void housekeep(void)
{
	unsigned long delay;
	bool pending;

	mutex_lock(&house_lock);
	bury();
	kvmw_pools_fill();
	look_for_vms();
	mutex_lock(&kvmw_lock);
	absorb();
	pending = show_all();
	if (pending)		/* a VM is being created: look again soon */
		mod_delayed_work(kvmw_unbound_wq, &work, msecs_to_jiffies(20));
	if (make_dirs())	/* no memory, or one of that name is on its way out */
		queue_delayed_work(kvmw_unbound_wq, &work, HZ / 2);
	delay = later_in();
	if (READ_ONCE(rescan_later))
		queue_delayed_work(kvmw_unbound_wq, &work, delay);
	mutex_unlock(&kvmw_lock);
	mutex_unlock(&house_lock);
}

static void work_fn(struct work_struct *unused)
{
	housekeep();
	wake_up_interruptible_all(&kvmw_changed);
}

/*
 * A round of our own, behind the one that may be going on. Flushing the work would not
 * do: a kick that comes in between queues it anew and leaves the flush behind.
 */
void kvmw_housekeep(void)
{
	housekeep();
}

void kvmw_mark_missed(u64 hooks)
{
	struct kvmw_object *obj;

	mutex_lock(&kvmw_lock);
	absorb();
	list_for_each_entry(obj, &kvmw_vms, node)
		WRITE_ONCE(obj->vm->missed, obj->vm->missed | hooks);
	mutex_unlock(&kvmw_lock);
}

void kvmw_forget_all(void)
{
	struct kvmw_object *obj;

	kvmw_mark_missed(KVMW_ALL_HOOKS);
	mutex_lock(&kvmw_lock);
	list_for_each_entry(obj, &kvmw_vms, node)
		kvmw_hide(obj);
	mutex_unlock(&kvmw_lock);
	kvmw_housekeep();
}

void kvmw_house_lock(void)
{
	mutex_lock(&house_lock);
}

void kvmw_house_unlock(void)
{
	mutex_unlock(&house_lock);
}

/*
 * Is one counted in and on no list? Who holds its VM's lock from before this on will not find
 * it there: it is newborn, or waits for that lock in absorb().
 */
bool kvmw_any_newborn(void)
{
	if (!llist_empty(&newborn))
		return true;
	smp_rmb();	/* whoever took them has said so before */
	return READ_ONCE(absorbing);
}

/* --- for readers ----------------------------------------------------------- */

void kvmw_absorb(void)
{
	if (!kvmw_any_newborn())
		return;
	mutex_lock(&kvmw_lock);	/* and for who is at it */
	absorb();
	mutex_unlock(&kvmw_lock);
}

void kvmw_lock_settled(void)
{
	mutex_lock(&kvmw_lock);
	absorb();
	show_all();
}

void kvmw_unlock(void)
{
	mutex_unlock(&kvmw_lock);
}

bool kvmw_shown(const struct kvmw_object *obj)
{
	if (!READ_ONCE(obj->key))
		return false;
	switch (obj->kind) {
	case KVMWATCH_KIND_VM:
		return obj->vm->shown && !READ_ONCE(obj->vm->dying);
	case KVMWATCH_KIND_VCPU:
		return READ_ONCE(kvmw_to_vcpu((struct kvmw_object *)obj)->created);
	}
	return READ_ONCE(kvmw_to_slot((struct kvmw_object *)obj)->committed);
}

u64 kvmw_generation_before(void)
{
	return atomic64_read_acquire(&changes_ended);
}

u64 kvmw_generation_after(void)
{
	smp_rmb();	/* what was read is from before */
	return atomic64_read(&changes_begun);
}

bool kvmw_is_gone(struct kvmw_object *obj)
{
	bool gone;

	if (READ_ONCE(obj->key))
		return false;
	/* With what is newborn on the lists, only a buried one is on none. */
	mutex_lock(&kvmw_lock);
	absorb();
	gone = list_empty(&obj->node);
	mutex_unlock(&kvmw_lock);
	return gone;
}

static int get_list(struct list_head *list, struct kvmw_object ***objs)
{
	struct kvmw_object *obj;
	int nr = 0;

	list_for_each_entry(obj, list, node)
		nr++;
	*objs = kvcalloc(nr ?: 1, sizeof(**objs), GFP_KERNEL);
	if (!*objs)
		return -ENOMEM;
	nr = 0;
	list_for_each_entry(obj, list, node) {
		if (!kvmw_shown(obj))
			continue;
		kvmw_get(obj);
		(*objs)[nr++] = obj;
	}
	return nr;
}

int kvmw_get_vms(struct kvmw_object ***objs)
{
	int nr;

	kvmw_lock_settled();
	nr = get_list(&kvmw_vms, objs);
	kvmw_unlock();
	return nr;
}

int kvmw_get_children(struct kvmw_vm *vm, unsigned int kind, struct kvmw_object ***objs)
{
	int nr;

	mutex_lock(&vm->lock);
	nr = get_list(kind == KVMWATCH_KIND_VCPU ? &vm->vcpus : &vm->slots, objs);
	mutex_unlock(&vm->lock);
	return nr;
}

void kvmw_put_all(struct kvmw_object **objs, int nr)
{
	while (nr > 0)
		kvmw_put(objs[--nr]);
	kvfree(objs);
}

static struct kvmw_object *get_by_id(u16 kind, u64 id)
{
	struct kvmw_object *obj, *found = NULL;

	kvmw_lock_settled();
	hash_for_each_possible(ids, obj, by_id, id) {
		if (obj->kind == kind && obj->id == id && kvmw_shown(obj)) {
			found = obj;
			kvmw_get(found);
			break;
		}
	}
	kvmw_unlock();
	return found;
}

struct kvmw_object *kvmw_get_vm(u64 id)
{
	return get_by_id(KVMWATCH_KIND_VM, id);
}

struct kvmw_object *kvmw_get_vcpu(u64 id)
{
	return get_by_id(KVMWATCH_KIND_VCPU, id);
}

struct kvmw_object *kvmw_get_slot(struct kvmw_vm *vm, u16 as_id, u16 id)
{
	struct kvmw_object *obj, *found = NULL;
	u32 subkey = (u32)as_id << 16 | id;

	kvmw_absorb();
	mutex_lock(&vm->lock);
	list_for_each_entry(obj, &vm->slots, node) {
		if (obj->subkey == subkey && kvmw_shown(obj)) {
			found = obj;
			kvmw_get(found);
			break;
		}
	}
	mutex_unlock(&vm->lock);
	return found;
}

/*
 * Is @kvm on KVM's list of VMs? The memory may be freed while we ask, as KVM frees the VM of a
 * creation that failed without kvm_lock; so none of it is read as if it were there. A function
 * of its own, so that a test can hold up who comes here. Context: kvm_lock held.
 */
static noinline bool is_on_kvms_list(const struct kvm *kvm)
{
	struct list_head links, *back;

	if (copy_from_kernel_nofault(&links, &kvm->vm_list, sizeof(links)) || !links.next ||
	    copy_from_kernel_nofault(&back, &links.next->prev, sizeof(back)))
		return false;
	return back == &kvm->vm_list;
}

/*
 * A VM on KVM's list stays until we drop kvm_lock: kvm_destroy_vm() is hooked at its entry, and
 * takes that lock before it takes the VM off the list and frees it. A VM that is not on the list
 * yet may be freed at any time. Of such a one on_vm_free() hides the record before that; so if
 * the key is still there after the list was looked at, what was read there was of this VM.
 */
struct kvm *kvmw_pin(struct kvmw_vm *vm)
{
	const struct kvm *kvm;

	kvmw_attach_lock();
	if (kvmw_kvm.kvm_lock) {
		mutex_lock(kvmw_kvm.kvm_lock);
		kvm = READ_ONCE(vm->obj.key);
		if (kvm && !READ_ONCE(vm->dying) && is_on_kvms_list(kvm)) {
			smp_rmb();	/* pairs with the xchg() in kvmw_hide() */
			if (READ_ONCE(vm->obj.key))
				return (struct kvm *)kvm;
		}
		mutex_unlock(kvmw_kvm.kvm_lock);
	}
	kvmw_attach_unlock();
	return NULL;
}

void kvmw_unpin(void)
{
	mutex_unlock(kvmw_kvm.kvm_lock);
	kvmw_attach_unlock();
}

/* --- start and end --------------------------------------------------------- */

int kvmw_objects_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pool); i++) {
		if (pool[i] > POOL_MAX) {
			pr_err("pool: at most %u of a kind\n", POOL_MAX);
			return -EINVAL;
		}
	}
	counters_init();
	kvmw_pools_fill();
	return 0;
}

/*
 * The hooks are gone: nothing is born any more, and nobody but the housekeeper's own last
 * round and this here kicks. A kick that has looked at ending before is waited for, and what
 * it queued is cancelled; those after it queue nothing.
 */
void kvmw_objects_exit(void)
{
	struct kvmw_object *obj;
	unsigned int i;

	WRITE_ONCE(ending, true);
	irq_work_sync(&kick);
	cancel_delayed_work_sync(&work);
	mutex_lock(&kvmw_lock);
	absorb();
	list_for_each_entry(obj, &kvmw_vms, node)
		kvmw_hide(obj);
	mutex_unlock(&kvmw_lock);
	bury();
	irq_work_sync(&kick);	/* hiding kicks */
	pools_empty();
	/* Nobody is left who could give one back. */
	for (i = 0; i < ARRAY_SIZE(records); i++)
		WARN_ON(atomic_read(&records[i]));
}
