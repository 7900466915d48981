/* SPDX-License-Identifier: GPL-2.0 */
/* Generations: whether the lists of objects have changed, by kind of object and by VM. */
#ifndef KVMW_GENERATION_H
#define KVMW_GENERATION_H

#include <linux/atomic.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <uapi/linux/kvmwatch.h>

/* KVMWATCH_KIND_VM to _SLOT; 0 stands for all kinds. */
#define KVMW_NR_CHANGES		(KVMWATCH_KIND_SLOT + 1)

/* Numbers of changes of each kind, of a VM or of all, that have begun and that have ended. */
struct kvmw_changes {
	atomic64_t begun[KVMW_NR_CHANGES], ended[KVMW_NR_CHANGES];
};

/*
 * Call these around every change of what is listed of a kind, so that readers list again. The
 * change of a VM counts as a change of its vCPUs and slots, too. Context: any; @vm stays.
 */
void kvmw_change_begin(u32 kind, struct kvmw_changes *vm);
void kvmw_change_end(u32 kind, struct kvmw_changes *vm);

/*
 * Numbers of changes of a kind ended so far, and begun so far, of @vm or, with NULL, of all VMs.
 * Call the first before reading a list and the second after it: if they return the same number,
 * nothing changed meanwhile, and that number is the generation of what was read.
 */
u64 kvmw_generation_before(u32 kind, const struct kvmw_changes *vm);
u64 kvmw_generation_after(u32 kind, const struct kvmw_changes *vm);

/*
 * The queue to wait on for changes of a kind, of one VM or of all. Waiters for other VMs may share
 * it, so check the generation after waking.
 */
wait_queue_head_t *kvmw_changed(u32 kind, const struct kvmw_changes *vm);
/* Wake waiters for what changed since the last call. Context: task. */
void kvmw_tell_changes(void);

/* A random number, chosen when the module is loaded; never 0. */
u64 kvmw_instance(void);

void kvmw_generation_init(void);

#endif /* KVMW_GENERATION_H */
