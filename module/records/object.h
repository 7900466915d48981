/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records of VMs, vCPUs and slots: birth, look-up, death.
 *
 * Objects are born and die where KVM's do, inside hooks, where nothing can be
 * allocated and no lock taken. So:
 *
 *  - birth takes a record from a pool filled beforehand, fills it in, and pushes
 *    it on its hash chain with a compare-and-exchange;
 *  - death clears the record's key (*hide*), so that no look-up finds it any more;
 *  - the housekeeper, a work item, does the rest in task context: it puts newborn
 *    records on the lists that readers walk, takes hidden ones off hash chain and
 *    lists, *waits* until no hit can still hold one, and *frees* them; it refills
 *    the pools, and adopts VMs that hooks could not make a record for, the ones
 *    that ran before us among them.
 *
 * docs/locking.md has the rules and the proof of each lifetime.
 */
#ifndef KVMW_OBJECT_H
#define KVMW_OBJECT_H

#include <linux/kref.h>
#include <linux/kvm_host.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/seqlock.h>
#include <linux/wait.h>
#include <asm/cpufeature.h>
#include <uapi/linux/kvmwatch.h>

#include "exit_span.h"
#include "stats.h"
#include "vcpu_audit.h"

struct dentry;
struct kvmw_heat;
struct kvmw_log_look;
struct kvmw_vm;

struct kvmw_object {
	/* What it is a record of; only hits may follow it. NULL: hidden. See kvmw_find(). */
	const void		*key;
	u32			subkey;	/* slots: as_id << 16 | id; else KVMW_NO_SUBKEY */
	u16			kind;	/* KVMWATCH_KIND_* */
	struct kvmw_object	**bucket; /* head of its hash chain */
	struct kvmw_object	*chain;	/* next there: only the housekeeper cuts one out */
	struct kvmw_vm		*vm;	/* its VM (itself for a VM); holds a reference */
	u64			id;	/* kvmwatch id, of its kind; a VM's stray slot: 0 */
	/* The table's, one for each vCPU and slot of a VM, one for each open fd. */
	struct kref		ref;
	struct llist_node	born;	/* on its way to the lists */
	struct llist_node	dead;	/* on its way to the grave */
	struct list_head	node;	/* kvmw_vms, vm->vcpus or vm->slots; empty: on none */
	struct list_head	todo;	/* not shown, or has no directory yet */
	struct hlist_node	by_id;	/* VMs and vCPUs, from birth to burial; under kvmw_lock */
	struct dentry		*dir;	/* in debugfs; under kvmw_lock */
	unsigned int		files;	/* so many of its files are there; under kvmw_lock */
};

#define KVMW_NO_SUBKEY		U32_MAX

struct kvmw_vcpu {
	struct kvmw_object	obj;	/* key: struct kvm_vcpu */
	u32			vcpu_id;
	bool			created;	/* creation succeeded: show it */
	struct kvmw_vcpu_audit	audit;

	/* Written by the CPU it is loaded on; seq lets readers see one moment. */
	seqcount_t		seq ____cacheline_aligned;
	u8			where;		/* KVMW_VCPU_* */
	bool			halted;
	bool			vmcb_valid;	/* KVM has its VMCB where we think */
	pid_t			tid;		/* last thread, in the initial namespace */
	u64			since;		/* in @where, by kvmw_now() */
	u64			halted_since;
	struct kvmw_exit_span	exit_span;
	/* The thread that put it last in its KVM_RUN, and how long that had waited then. */
	const struct pid	*delay_pid;	/* only to compare */
	u64			delay_base;
	struct kvmw_vcpu_stats	stats;
};

/* An exit is going on, for certain: no entry came since that we are not told of. */
static __always_inline bool kvmw_exit_open(const struct kvmw_vcpu *vcpu)
{
	return vcpu->exit_span.since &&
	       !(KVMW_VMX_SILENT_ENTRIES && boot_cpu_has(X86_FEATURE_VMX));
}

enum { KVMW_VCPU_UNKNOWN, KVMW_VCPU_ON_CPU, KVMW_VCPU_OFF_CPU, KVMW_VCPU_GONE };

/*
 * When a log was last clear: when it began, or the VMM last began to clear it. Marks count their
 * age from here. Written under KVM's slots_lock.
 */
struct kvmw_clear {
	u64	moment;		/* see kvmw_moment() */
	u64	since;		/* the same by kvmw_now(); 0: not known */
};

struct kvmw_slot {
	struct kvmw_object	obj;	/* key: struct kvmw_vm */

	/* What hits read; written when KVM commits a change. */
	gfn_t			base_gfn;
	unsigned long		npages;
	unsigned long		live_pages;	/* npages, or 0 when hidden */
	u32			flags;
	const void		*log;		/* KVM's dirty bitmap; see kvmw_log_weight() */
	u64			log_life;	/* so many bitmaps have come and gone */
	struct kvmw_clear	clear;		/* its log */
	struct kvmw_heat	*heat;		/* counts marks of each page; NULL: nobody asked */
	bool			committed;	/* KVM has told us of it: show it */
	unsigned long		userspace_addr;

	/*
	 * Where hits count, and what of that is the slot's own: the same, or those of its VM's
	 * stray record and nothing. See "counters" in object.c.
	 */
	struct kvmw_slot_cpu __percpu *hits;
	struct kvmw_slot_cpu __percpu *cpu;
	/* Leaves before we counted: mapped = base + map - unmap. Under mmu_lock. */
	s64			base[KVMW_NR_LEVELS];
	u64			dirty_pages;	/* last value read while logging was on */
	/* Of a large log: when, and of which one. Under the VM's log_lock. */
	unsigned long		counted_at;
	u64			counted_life;
	u64			collected;	/* pages taken from its logs; under mmu_lock */
	u64			collects;	/* in so many calls; under KVM's slots_lock */
	struct kvmw_log_look	*looked;	/* at the last audit; under house_lock */
};

/* Of no VM: holds no page. What CPUs remember that have had no other. */
extern struct kvmw_slot kvmw_no_slot;

struct kvmw_vm {
	struct kvmw_object	obj;	/* key: struct kvm */
	bool			dying;	/* KVM has started to destroy it */
	bool			freed;	/* KVM has said its last word of it */
	bool			shown;	/* its creation succeeded: show it */
	unsigned int		round;	/* of adopt.c, in which it was looked at last */
	struct list_head	unsettled;	/* for adopt.c */
	char			name[KVMWATCH_NAME_SIZE];
	struct pid		*pid;	/* of the VMM's process; holds a reference */
	pid_t			tgid;	/* the same as a number, for trace events */
	char			comm[TASK_COMM_LEN];

	/*
	 * Mapped pages. A VM that ran before us is counted region by region; until
	 * that is done, hits beyond the cursor do not count. See leaves.c.
	 */
	bool			opaque;		/* KVM's page tables say nothing: never counted */
	bool			armed;		/* all regions count */
	bool			unsure;		/* a slot's record came late: count again */
	bool			mapped_bad;	/* an audit failed: withdrawn */
	bool			zaps_counted;	/* see on_rmap_zap(); under mmu_lock */
	gfn_t			cursor[KVMW_NR_AS];
	u64			mapped_peak;	/* bytes, seen before an unmap */
	u64			mapped_now;	/* the same now, where KVM keeps no count */
	u64			audits, audit_failures;	/* under lock */
	u64			leaf_failures, mark_failures;	/* those of leaves and marks */
	u64			refuted;	/* by audits of vCPUs: KVMW_NEED_*; under lock */
	u64			ends_refuted;	/* the same, of vCPUs at their end */
	bool			ends_compared;	/* there were such; under lock, too */
	unsigned long		retry_at, retry_after;	/* when mapped_bad, in jiffies */
	/* What gone slots had: 0, if all was seen. KVM's own count before it freed the VM. */
	s64			gone_mapped[KVMW_NR_LEVELS];
	s64			kvms_last[KVMW_NR_LEVELS];
	u64			collects;	/* under KVM's slots_lock */
	u64			missed;		/* hooks that were off in its life, for a while */
	bool			ring;		/* dirty rings instead of bitmaps */
	struct kvmw_clear	clear;		/* the rings, which are reset together */

	struct mutex		log_lock;	/* one counts a large dirty log at a time */

	struct kvmw_slot	*stray;	/* counts for slots without counters, and for no slot */
	atomic_t		counted; /* slots with counters */

	struct mutex		lock;	/* the lists and sums below */
	struct list_head	vcpus, slots;
	struct kvmw_vcpu_stats	*gone_vcpus;	/* apart, as it is large */
	struct kvmw_slot_cpu	gone_slots;
};

#define kvmw_to_vm(o)	container_of(o, struct kvmw_vm, obj)
#define kvmw_to_vcpu(o)	container_of(o, struct kvmw_vcpu, obj)
#define kvmw_to_slot(o)	container_of(o, struct kvmw_slot, obj)

/* Does it count with its VM only, as there may be no more counters? */
static inline bool kvmw_slot_shares(const struct kvmw_slot *slot)
{
	return slot->hits != slot->cpu;
}

/* Is it a slot that KVM made for itself? Their numbers are behind those that VMMs may use. */
static inline bool kvmw_slot_internal(const struct kvmw_object *slot)
{
	return (slot->subkey & 0xffff) >= KVM_USER_MEM_SLOTS;
}

/*
 * Does it hold the guest's memory? Address space 1, that of SMM, shows the same memory again, and
 * KVM's own slots hold none.
 */
static inline bool kvmw_slot_is_memory(const struct kvmw_object *slot)
{
	return !(slot->subkey >> 16) && !kvmw_slot_internal(slot);
}

/* --- life, in the order in which it happens -------------------------------- */

int kvmw_objects_init(void);
void kvmw_objects_exit(void);

/* A record from the pool, or NULL when it ran dry. Context: hit. */
struct kvmw_object *kvmw_take(unsigned int kind);
/* Make the pool full again. Under house_lock: who does long things there does it in between. */
void kvmw_pools_fill(void);
/* A record from the heap. Context: task. */
struct kvmw_object *kvmw_alloc(unsigned int kind);

/*
 * Make @obj findable under @key and hand it to the housekeeper. Returns @obj, or
 * the record that another CPU published under the same key in the meantime; then
 * @obj is given back. Context: hit or task.
 */
struct kvmw_object *kvmw_publish(struct kvmw_object *obj, const void *key, u32 subkey,
				 struct kvmw_vm *vm);

/* No look-up finds it from here on. Context: hit or task. */
void kvmw_hide(struct kvmw_object *obj);

void kvmw_get(struct kvmw_object *obj);
void kvmw_put(struct kvmw_object *obj);

/* --- look-up; context: hit, or task under rcu_read_lock() ------------------- */

struct kvmw_object *kvmw_find(const void *key, u32 subkey);
struct kvmw_vm *kvmw_vm_find(const struct kvm *kvm);
struct kvmw_vcpu *kvmw_vcpu_find(const struct kvm_vcpu *kvcpu);
/* A slot by KVM's dirty bitmap of it. Looks at every record: for rare hits only. */
struct kvmw_object *kvmw_find_log(const void *log);

/* The vCPU that the current thread was the last to run and to put. */
struct kvmw_vcpu *kvmw_vcpu_put_by_current(void);

/* The record of a slot of KVM's, made when there is none. NULL: no record left. */
struct kvmw_slot *kvmw_slot_of(struct kvmw_vm *vm, const struct kvm_memory_slot *kslot);
/* A new record becomes one of a slot of @vm. To be published. Context: hit or task. */
void kvmw_slot_begin(struct kvmw_slot *slot, struct kvmw_vm *vm,
		     const struct kvm_memory_slot *kslot);
void kvmw_slot_update(struct kvmw_slot *slot, const struct kvm_memory_slot *kslot);
/* A log is clear now, or is about to be. Context: hit, under KVM's slots_lock. */
void kvmw_clear_now(struct kvmw_clear *clear);
/* No moment is by the TSC any more. Context: task, no lock of ours held. */
void kvmw_moments_lost(void);

/* --- for readers; context: task -------------------------------------------- */

/* Protects kvmw_vms, and everything the housekeeper does. */
extern struct mutex kvmw_lock;
extern struct list_head kvmw_vms;

/* kvmw_lock, with all that hooks have seen so far on the lists. */
void kvmw_lock_settled(void);
/* Just that, for readers of one object. */
void kvmw_absorb(void);
void kvmw_unlock(void);

/*
 * All shown VMs, or all shown vCPUs or slots of a VM, each with a reference, in the
 * order of their birth; they can be looked at without any lock, which reading their
 * numbers takes. Returns how many, or -ENOMEM. To be given back.
 */
int kvmw_get_vms(struct kvmw_object ***objs);
int kvmw_get_children(struct kvmw_vm *vm, unsigned int kind, struct kvmw_object ***objs);
void kvmw_put_all(struct kvmw_object **objs, int nr);

/* By kvmwatch id, with a reference; NULL: there is none. */
struct kvmw_object *kvmw_get_vm(u64 id);
struct kvmw_object *kvmw_get_vcpu(u64 id);
struct kvmw_object *kvmw_get_slot(struct kvmw_vm *vm, u16 as_id, u16 id);

/* Shown to readers? Records of creations that may still fail are not. */
bool kvmw_shown(const struct kvmw_object *obj);
/*
 * Changes ended so far, and begun so far. What was read after the one and before the
 * other is of one generation if the two are the same: nothing changed meanwhile.
 */
u64 kvmw_generation_before(void);
u64 kvmw_generation_after(void);
/* Woken by the housekeeper after changes. */
extern wait_queue_head_t kvmw_changed;
/* Was it hidden and taken off the lists? Then its numbers do not change any more. */
bool kvmw_is_gone(struct kvmw_object *obj);
/* Bytes of kernel memory: of one object of a kind; of a VM and all that it has. */
size_t kvmw_kind_footprint(unsigned int kind);
/* Records that there are, and how many of them wait in the pool. Context: any. */
void kvmw_kind_records(unsigned int kind, unsigned int *nr, unsigned int *ready);
size_t kvmw_vm_footprint(struct kvmw_vm *vm);

/* Counters of slots: what they take and may take, and how many slots have none. Context: any. */
struct kvmw_counters {
	size_t		bytes, bytes_max;
	unsigned int	slots_max;	/* of a VM */
	unsigned int	without;
};

void kvmw_counters(struct kvmw_counters *out);

/*
 * Look into KVM's own structures of a VM: it cannot go while pinned. Holds KVM's
 * kvm_lock, so be short, and wait for none of KVM's mutexes. NULL: the VM is gone or going, or
 * is still being created.
 */
struct kvm *kvmw_pin(struct kvmw_vm *vm);
void kvmw_unpin(void);

/* --- for hits -------------------------------------------------------------- */

/* Around every change of what is listed: readers are to look again. */
void kvmw_change_begin(void);
void kvmw_change_end(void);
/* Have the housekeeper run; safe everywhere, also under a runqueue lock. */
void kvmw_kick(void);
/*
 * Also look for VMs we have no record of. later: not at once, as it may be one that is being
 * created, and not often, as there may be none.
 */
void kvmw_rescan(void);
void kvmw_rescan_later(void);
/* Look for a VM that is being created, until its creation must have ended. Context: hit. */
void kvmw_rescan_creation(void);
/* An event found no record. @kvm: whose it is, as far as is known. */
void kvmw_lost(const struct kvm *kvm);
/* The same of an event of a vCPU that no record was found of. */
void kvmw_lost_of(const struct kvm_vcpu *kvcpu);
u64 kvmw_lost_unknown(void);

/* Empty every CPU's cache of slots. Context: task. */
void kvmw_forget_slots(void);

/* Wait until all that hooks asked for so far is done. Context: task. */
void kvmw_housekeep(void);

/* Keep the housekeeper out. Context: task, no other lock of ours held. */
void kvmw_house_lock(void);
void kvmw_house_unlock(void);
/* Are there records that are on no list yet? Context: any. */
bool kvmw_any_newborn(void);

/* The VMs that ran when we attached have been found. */
extern bool kvmw_adopted;
/* The last round that looked for VMs had memory for all of them. */
extern bool kvmw_all_found;

/*
 * Hooks were off: what they count is withdrawn from the VMs there are; or all records go, as it
 * is not known what has ended. Context: task, no lock of ours held.
 */
void kvmw_mark_missed(u64 hooks);
void kvmw_forget_all(void);

/* adopt.c, for the housekeeper: make records of VMs that have none. Were there any? */
bool kvmw_adopt_all(void);
/* How often that was done, and how many CPUs were interrupted for it. */
void kvmw_adopt_counts(u64 *rounds, u64 *interrupts);
/* Show a VM whose creation has succeeded by now. Context: kvmw_lock held. */
void kvmw_show_vm(struct kvmw_vm *vm);

#endif /* KVMW_OBJECT_H */
