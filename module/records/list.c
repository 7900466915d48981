// SPDX-License-Identifier: GPL-2.0
/* The lists of records that readers walk. See list.h. */
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/kvm_host.h>
#include <linux/llist.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/kvmwatch.h>

#include "kernel/kvm_vm.h"
#include "records/alloc.h"
#include "records/counters.h"
#include "records/generation.h"
#include "records/list.h"
#include "records/pin.h"
#include "records/record.h"
#include "records/table.h"

/* See list.h and docs/locking.md. */
DEFINE_MUTEX(kvmw_lock);
LIST_HEAD(kvmw_vms);
LIST_HEAD(kvmw_todo);
/* VMs and vCPUs by id. Under kvmw_lock. */
static DEFINE_HASHTABLE(ids, 10);

/* kvmw_absorb_locked() has taken newborn records that are not on the lists yet. */
static bool absorbing;

/* Insert by id. Records come nearly sorted: of two born at once either may come first. */
static void add_in_order(struct kvmw_object *obj, struct list_head *list)
{
	struct kvmw_object *before;

	list_for_each_entry_reverse(before, list, node)
		if (before->id < obj->id)
			break;
	list_add(&obj->node, &before->node);
}

void kvmw_absorb_locked(void)
{
	struct llist_node *list;
	struct kvmw_object *obj;

	lockdep_assert_held(&kvmw_lock);
	/* kvmw_take_newborn() is a full barrier; pairs with kvmw_any_newborn(). */
	WRITE_ONCE(absorbing, true);
	list = llist_reverse_order(kvmw_take_newborn());
	llist_for_each_entry(obj, list, born) {
		list_add_tail(&obj->todo, &kvmw_todo);
		if (obj->kind != KVMWATCH_KIND_SLOT)
			hash_add(ids, &obj->by_id, obj->id);
		if (obj->kind == KVMWATCH_KIND_VM) {
			add_in_order(obj, &kvmw_vms);
			continue;
		}
		mutex_lock(&obj->vm->lock);
		if (obj->kind == KVMWATCH_KIND_SLOT && kvmw_slot_shares(kvmw_to_slot(obj)))
			kvmw_counters_free(kvmw_to_slot(obj));
		add_in_order(obj, obj->kind == KVMWATCH_KIND_VCPU ?
			     &obj->vm->vcpus : &obj->vm->slots);
		mutex_unlock(&obj->vm->lock);
	}
	WRITE_ONCE(absorbing, false);
}

/*
 * Show a VM whose creation has succeeded. RCU keeps the dentry of its debugfs directory while we
 * read the name, if the VM has users: kvm_destroy_vm() removes the directory when it has none.
 */
static void show_vm(struct kvmw_vm *vm)
{
	struct kvm *kvm = kvmw_pin(vm);
	struct dentry *dentry;

	if (!kvm)
		return;
	if (kvmw_complete(kvm)) {
		rcu_read_lock();
		dentry = READ_ONCE(kvm->debugfs_dentry);
		if (!IS_ERR_OR_NULL(dentry) && refcount_read(&kvm->users_count))
			strscpy(vm->name, dentry->d_name.name, sizeof(vm->name));
		else
			snprintf(vm->name, sizeof(vm->name), "%d-vm%llu", vm->tgid, vm->obj.id);
		rcu_read_unlock();
		kvmw_change_begin(KVMWATCH_KIND_VM, &vm->changes);
		WRITE_ONCE(vm->shown, true);
		kvmw_change_end(KVMWATCH_KIND_VM, &vm->changes);
	}
	kvmw_unpin();
}

/* The list has only recent records, so the cost of a round does not grow with the number of VMs. */
bool kvmw_show_all(void)
{
	struct kvmw_object *obj;
	bool pending = false;

	lockdep_assert_held(&kvmw_lock);
	list_for_each_entry(obj, &kvmw_todo, todo) {
		if (obj->kind != KVMWATCH_KIND_VM || obj->vm->shown)
			continue;
		show_vm(obj->vm);
		if (!obj->vm->shown && READ_ONCE(obj->key))
			pending = true;
	}
	return pending;
}

/*
 * A caller that holds the lock of a VM and then gets false has all records of that VM on its lists.
 * A record that is not there is newborn, or kvmw_absorb_locked() waits for that lock with it.
 */
bool kvmw_any_newborn(void)
{
	if (kvmw_has_newborn())
		return true;
	smp_rmb();	/* kvmw_absorb_locked() sets this before it takes them */
	return READ_ONCE(absorbing);
}

/* --- for readers ----------------------------------------------------------- */

void kvmw_absorb(void)
{
	if (!kvmw_any_newborn())
		return;
	mutex_lock(&kvmw_lock);	/* also waits for a running kvmw_absorb_locked() */
	kvmw_absorb_locked();
	mutex_unlock(&kvmw_lock);
}

void kvmw_lock_settled(void)
{
	mutex_lock(&kvmw_lock);
	kvmw_absorb_locked();
	kvmw_show_all();
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

bool kvmw_is_gone(struct kvmw_object *obj)
{
	bool gone;

	if (READ_ONCE(obj->key))
		return false;
	/* Once newborn records are on the lists, only a buried record is on none. */
	mutex_lock(&kvmw_lock);
	kvmw_absorb_locked();
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

static int each_child(u32 kind, struct kvmw_vm *vm, kvmw_each_fn *fn, void *arg)
{
	struct kvmw_object **objs;
	int nr, i, err = 0;

	nr = kvmw_get_children(vm, kind, &objs);
	if (nr < 0)
		return nr;
	for (i = 0; i < nr && !err; i++)
		err = fn(arg, objs[i]);
	kvmw_put_all(objs, nr);
	return err;
}

static int each_of(u32 kind, struct kvmw_object *vm, kvmw_each_fn *fn, void *arg)
{
	return kind == KVMWATCH_KIND_VM ? fn(arg, vm) : each_child(kind, vm->vm, fn, arg);
}

int kvmw_each(u32 kind, struct kvmw_object *only_vm, kvmw_each_fn *fn, void *arg)
{
	struct kvmw_object **vms;
	int nr, i, err = 0;

	kvmw_absorb();
	if (only_vm)
		return each_of(kind, only_vm, fn, arg);
	nr = kvmw_get_vms(&vms);
	if (nr < 0)
		return nr;
	for (i = 0; i < nr && !err; i++)
		err = each_of(kind, vms[i], fn, arg);
	kvmw_put_all(vms, nr);
	return err;
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
