/* SPDX-License-Identifier: GPL-2.0 */
/* From what KVM has to its record, and the way in and out of there. */
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
 * Make @obj findable under @key and hand it to the housekeeper. Returns @obj, or
 * the record that another CPU published under the same key in the meantime; then
 * @obj is given back. Context: hit or task.
 */
struct kvmw_object *kvmw_publish(struct kvmw_object *obj, const void *key, u32 subkey,
				 struct kvmw_vm *vm);

/* No look-up finds it from here on. Context: hit or task. */
void kvmw_hide(struct kvmw_object *obj);

/* --- look-up; context: hit, or task under rcu_read_lock() ------------------- */

struct kvmw_object *kvmw_find(const void *key, u32 subkey);
struct kvmw_vm *kvmw_vm_find(const struct kvm *kvm);
struct kvmw_vcpu *kvmw_vcpu_find(const struct kvm_vcpu *kvcpu);
/* A slot by KVM's dirty bitmap of it. Looks at every record: for rare hits only. */
struct kvmw_object *kvmw_find_log(const void *log);

/* The vCPU that the current thread was the last to run and to put. */
struct kvmw_vcpu *kvmw_vcpu_put_by_current(void);

/* --- for the housekeeper ----------------------------------------------------- */

/* Those that were published, or hidden, since they were taken last; the last one first. */
struct llist_node *kvmw_take_newborn(void);
struct llist_node *kvmw_take_dead(void);
/* Are there newborn ones? Context: any. */
bool kvmw_has_newborn(void);
/* Cut a hidden record out of its chain. */
void kvmw_unhash(struct kvmw_object *obj);

#endif /* KVMW_TABLE_H */
