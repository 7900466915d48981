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
#ifndef KVMW_RECORD_H
#define KVMW_RECORD_H

#include <linux/kref.h>
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/types.h>
#include <asm/cpufeature.h>
#include <uapi/linux/kvmwatch.h>

#include "kernel/kvm_slot.h"
#include "kernel/kvm_vcpu.h"
#include "records/counts.h"
#include "records/exit_span.h"
#include "records/generation.h"
#include "records/vcpu_audit.h"

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
	/*
	 * Its time is accounted from its first load on, or from when it was found. Not 0: since
	 * then it has not been in guest mode, and had no exit. In ticks, as all sums are: for how
	 * long that was; exits before; halts that are KVM's own measure, as they began before.
	 */
	u64			begun;
	u64			before_entry;
	u64			exits_before;
	u64			halts_before;
	/* The thread that put it last in its KVM_RUN, and how long that had waited then. */
	const struct pid	*delay_pid;	/* only to compare */
	u64			delay_base;
	struct kvmw_vcpu_stats	stats;
};

/* An exit is going on, for certain: no entry came since that we are not told of. */
static __always_inline bool kvmw_exit_open(const struct kvmw_vcpu *vcpu)
{
	return vcpu->exit_span.since && kvmw_entries_told();
}

/* Why a vCPU is off its pCPU: the cells of off_cpu_ns and of the four statistics behind it. */
enum kvmw_off {
	KVMW_OFF_SEEN_LATE,	/* it was before we watched */
	KVMW_OFF_USER, KVMW_OFF_WAIT, KVMW_OFF_PREEMPTED, KVMW_OFF_BLOCKED,
};

enum {
	KVMW_VCPU_UNKNOWN, KVMW_VCPU_ON_CPU, KVMW_VCPU_GONE,
	KVMW_VCPU_OFF_CPU,	/* and above: + enum kvmw_off */
};

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
	 * stray record and nothing. See counters.h.
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

struct kvmw_vm {
	struct kvmw_object	obj;	/* key: struct kvm */
	bool			dying;	/* KVM has started to destroy it */
	bool			freed;	/* KVM has said its last word of it */
	bool			shown;	/* its creation succeeded: show it */
	struct kvmw_changes	changes;	/* of what is listed of it */
	unsigned int		round;	/* of tasks/adopt.c, in which it was looked at last */
	struct list_head	unsettled;	/* for tasks/adopt.c */
	char			name[KVMWATCH_NAME_SIZE];
	struct pid		*pid;	/* of the VMM's process; holds a reference */
	pid_t			tgid;	/* the same as a number, for trace events */
	char			comm[TASK_COMM_LEN];

	/*
	 * Mapped pages. A VM that ran before us is counted region by region; until
	 * that is done, hits beyond the cursor do not count. See tasks/count.c.
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

#endif /* KVMW_RECORD_H */
