/* SPDX-License-Identifier: GPL-2.0 */
/* Records as readers walk over them. Context: task. */
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
/* What is on the lists, but not shown in full */
extern struct list_head kvmw_todo;

/* Put the newborn on the lists, which are in the order of ids. Context: kvmw_lock held. */
void kvmw_absorb_locked(void);
/*
 * Show VMs whose creation has succeeded by now. Returns whether one is still being created.
 * Context: kvmw_lock held.
 */
bool kvmw_show_all(void);
/* Are there records that are on no list yet? Context: any. */
bool kvmw_any_newborn(void);

/* kvmw_lock, with all that hooks have seen so far on the lists. */
void kvmw_lock_settled(void);
/* Just that, for readers of one object. */
void kvmw_absorb(void);
void kvmw_unlock(void);

/*
 * All shown VMs, or all shown vCPUs or slots of a VM, each with a reference, in the
 * order of their ids; they can be looked at without any lock, which reading their
 * numbers takes. Returns how many, or -ENOMEM. To be given back.
 */
int kvmw_get_vms(struct kvmw_object ***objs);
int kvmw_get_children(struct kvmw_vm *vm, unsigned int kind, struct kvmw_object ***objs);
void kvmw_put_all(struct kvmw_object **objs, int nr);

/*
 * Call for each shown object of a kind, of @only_vm (also when that has ended) or, with
 * NULL, of all VMs, until it returns something else than 0. No lock is held.
 */
typedef int kvmw_each_fn(void *arg, struct kvmw_object *obj);
int kvmw_each(u32 kind, struct kvmw_object *only_vm, kvmw_each_fn *fn, void *arg);

/* By kvmwatch id, with a reference; NULL: there is none. */
struct kvmw_object *kvmw_get_vm(u64 id);
struct kvmw_object *kvmw_get_vcpu(u64 id);
struct kvmw_object *kvmw_get_slot(struct kvmw_vm *vm, u16 as_id, u16 id);

/* Shown to readers? Records of creations that may still fail are not. */
bool kvmw_shown(const struct kvmw_object *obj);
/* Was it hidden and taken off the lists? Then its numbers do not change any more. */
bool kvmw_is_gone(struct kvmw_object *obj);

#endif /* KVMW_LIST_H */
