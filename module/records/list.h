/* SPDX-License-Identifier: GPL-2.0 */
/* The lists of records that readers walk. Context: task. */
#ifndef KVMW_LIST_H
#define KVMW_LIST_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct kvmw_object;
struct kvmw_vm;

/* Protects kvmw_vms and kvmw_todo, and everything the housekeeper does; see docs/locking.md. */
extern struct mutex kvmw_lock;
extern struct list_head kvmw_vms;
/* Records that are on the lists but not shown, or without a debugfs directory */
extern struct list_head kvmw_todo;

/* Put newborn records on the lists, sorted by id. Context: kvmw_lock held. */
void kvmw_absorb_locked(void);
/*
 * Show VMs whose creation has succeeded. Returns whether KVM is still creating others.
 * Context: kvmw_lock held.
 */
bool kvmw_show_all(void);
/* Are there newborn records that are on no list yet? Context: any. */
bool kvmw_any_newborn(void);

/* Take kvmw_lock, put newborn records on the lists, and show complete VMs. */
void kvmw_lock_settled(void);
/* Put newborn records on the lists. */
void kvmw_absorb(void);
void kvmw_unlock(void);

/*
 * Get all shown VMs, or all shown vCPUs or slots of a VM, sorted by id. The caller gets a reference
 * to each and holds no lock, so it may read their numbers, which takes locks. Returns how many, or
 * -ENOMEM. Return them with kvmw_put_all().
 */
int kvmw_get_vms(struct kvmw_object ***objs);
int kvmw_get_children(struct kvmw_vm *vm, unsigned int kind, struct kvmw_object ***objs);
void kvmw_put_all(struct kvmw_object **objs, int nr);

/*
 * Call @fn for each shown object of a kind, until it returns other than 0. The objects are those of
 * @only_vm, even after its end, or with NULL of all VMs. No lock is held.
 */
typedef int kvmw_each_fn(void *arg, struct kvmw_object *obj);
int kvmw_each(u32 kind, struct kvmw_object *only_vm, kvmw_each_fn *fn, void *arg);

/* Look up a shown object by its kvmwatch id, and get a reference; NULL: there is none. */
struct kvmw_object *kvmw_get_vm(u64 id);
struct kvmw_object *kvmw_get_vcpu(u64 id);
struct kvmw_object *kvmw_get_slot(struct kvmw_vm *vm, u16 as_id, u16 id);

/* Is the object shown to readers? Not while its creation may still fail. */
bool kvmw_shown(const struct kvmw_object *obj);
/* Has the housekeeper taken a hidden object off the lists? Its numbers then stay as they are. */
bool kvmw_is_gone(struct kvmw_object *obj);

#endif /* KVMW_LIST_H */
