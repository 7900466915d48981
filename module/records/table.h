/* SPDX-License-Identifier: GPL-2.0 */
/* The hash table from KVM's objects to their records. */
#ifndef KVMW_TABLE_H
#define KVMW_TABLE_H

#include <linux/types.h>

struct kvm;
struct kvm_vcpu;
struct kvmw_object;
struct kvmw_vcpu;
struct kvmw_vm;
struct llist_node;

/*
 * Publish @obj under @key and queue it for the housekeeper. Returns @obj, or the record that
 * another CPU has published under the same key meanwhile; then @obj is queued to be freed.
 * Context: hit or task.
 */
struct kvmw_object *kvmw_publish(struct kvmw_object *obj, const void *key, u32 subkey,
				 struct kvmw_vm *vm);

/* Hide @obj: from now on no look-up finds it. Context: hit or task. */
void kvmw_hide(struct kvmw_object *obj);

/* --- look-up; context: hit, or task under rcu_read_lock() ------------------- */

struct kvmw_object *kvmw_find(const void *key, u32 subkey);
struct kvmw_vm *kvmw_vm_find(const struct kvm *kvm);
struct kvmw_vcpu *kvmw_vcpu_find(const struct kvm_vcpu *kvcpu);
/* Find a slot by KVM's dirty bitmap. Searches all records: for rare hits only. */
struct kvmw_object *kvmw_find_log(const void *log);

/* The vCPU that the current thread put last, if it is still off its pCPU. */
struct kvmw_vcpu *kvmw_vcpu_put_by_current(void);

/* --- for the housekeeper ----------------------------------------------------- */

/* Take the records that were published, or hidden, since the last call; the latest comes first. */
struct llist_node *kvmw_take_newborn(void);
struct llist_node *kvmw_take_dead(void);
/* Have records been published since then? Context: any. */
bool kvmw_has_newborn(void);
/* Remove a hidden record from its hash chain. */
void kvmw_unhash(struct kvmw_object *obj);

#endif /* KVMW_TABLE_H */
