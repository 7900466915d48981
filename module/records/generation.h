/* SPDX-License-Identifier: GPL-2.0 */
/* When what is listed has changed: of all, of one kind of object, and of one VM's. */
#ifndef KVMW_GENERATION_H
#define KVMW_GENERATION_H

#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <uapi/linux/kvmwatch.h>

/* KVMWATCH_KIND_VM to _SLOT; 0 is for all of them together. */
#define KVMW_NR_CHANGES		(KVMWATCH_KIND_SLOT + 1)

/* Changes of each kind of object of a VM that have begun, and that have ended. */
struct kvmw_changes {
	atomic64_t begun[KVMW_NR_CHANGES], ended[KVMW_NR_CHANGES];
};

/*
 * Around every change of what is listed of a kind: readers are to look again. A VM that comes or
 * goes has its vCPUs and slots come or go, too. Context: any; the VM is held.
 */
void kvmw_change_begin(u32 kind, struct kvmw_changes *vm);
void kvmw_change_end(u32 kind, struct kvmw_changes *vm);

/*
 * Changes of a kind ended so far, and begun so far, of @vm or, with NULL, of all VMs. What was read
 * after the one and before the other is of one generation if the two are the same: nothing changed
 * meanwhile.
 */
u64 kvmw_generation_before(u32 kind, const struct kvmw_changes *vm);
u64 kvmw_generation_after(u32 kind, const struct kvmw_changes *vm);

/*
 * Where to wait for changes of a kind, of one VM or of all. Others may share it, so whoever is
 * woken looks whether the generation is another.
 */
wait_queue_head_t *kvmw_changed(u32 kind, const struct kvmw_changes *vm);
/* Wake those who wait for what has changed since the last time. Context: task. */
void kvmw_tell_changes(void);

/* Another number each time that the module is loaded. */
u64 kvmw_instance(void);

void kvmw_generation_init(void);

#endif /* KVMW_GENERATION_H */
