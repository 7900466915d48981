// SPDX-License-Identifier: GPL-2.0
/* Memory of records. See alloc.h. */
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/seqlock.h>
#include <linux/slab.h>
#include <uapi/linux/kvmwatch.h>

#include "kernel/clock.h"
#include "records/alloc.h"
#include "records/counters.h"
#include "records/record.h"

/* Number of records by kind, including those in the pools. */
static atomic_t records[3];

unsigned int kvmw_records(unsigned int kind)
{
	return atomic_read(&records[kind - KVMWATCH_KIND_VM]);
}

static struct kvmw_slot *slot_alloc(bool always)
{
	struct kvmw_slot *slot = kzalloc(sizeof(*slot), GFP_KERNEL);

	if (!slot)
		return NULL;
	slot->clear.moment = KVMW_NO_MOMENT;
	if (kvmw_counters_alloc(slot, always))
		return slot;
	kfree(slot);
	return NULL;
}

static void slot_free(struct kvmw_slot *slot)
{
	kvmw_counters_free(slot);
	kfree(slot->log_sample);
	kfree(slot);
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

void kvmw_free(struct kvmw_object *obj)
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
			kvmw_counters_give(kvmw_to_slot(obj), obj->vm);
		slot_free(kvmw_to_slot(obj));
		break;
	}
}

static void object_release(struct kref *ref)
{
	struct kvmw_object *obj = container_of(ref, struct kvmw_object, ref);
	struct kvmw_object *vm = obj->vm ? &obj->vm->obj : NULL;

	kvmw_free(obj);
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

void kvmw_alloc_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(records); i++)
		WARN_ON(atomic_read(&records[i]));
}
