/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records of VMs, vCPUs and slots: birth, look-up, death.
 *
 * Records are created and hidden inside hooks, when KVM creates and frees the object. A hook can
 * neither allocate memory nor take a lock. So:
 *
 *  - birth takes a record from a pool filled beforehand, fills it in, and pushes it on its hash
 *    chain with a compare-and-exchange;
 *  - death clears the record's key (*hide*), so that no look-up finds it any more;
 *  - the housekeeper, a work item, does the rest in task context. It puts newborn records on the
 *    lists that readers walk. It takes hidden ones off hash chain and lists, *waits* until no hit
 *    can still use them, and *frees* them. It refills the pools, and adopts VMs without a record,
 *    such as those that ran before the module was loaded.
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
struct kvmw_log_sample;
struct kvmw_vm;

struct kvmw_object {
	/* The object that this is a record of; only hits may follow it. NULL: hidden. */
	const void		*key;
	u32			subkey;	/* slots: as_id << 16 | id; else KVMW_NO_SUBKEY */
	u16			kind;	/* KVMWATCH_KIND_* */
	struct kvmw_object	**bucket; /* head of its hash chain */
	struct kvmw_object	*chain;	/* next there; only the housekeeper removes records */
	struct kvmw_vm		*vm;	/* its VM (itself for a VM); holds a reference */
	u64			id;	/* kvmwatch id, per kind; a VM's stray slot: 0 */
	/* One for the table, one for each vCPU and slot of a VM, one for each open fd. */
	struct kref		ref;
	struct llist_node	born;	/* on its way to the lists */
	struct llist_node	dead;	/* on its way to the grave */
	struct list_head	node;	/* kvmw_vms, vm->vcpus or vm->slots; empty: on none */
	struct list_head	todo;	/* kvmw_todo: not shown, or has no directory yet */
	struct hlist_node	by_id;	/* VMs and vCPUs, while on the lists; under kvmw_lock */
	struct dentry		*dir;	/* in debugfs; under kvmw_lock */
	unsigned int		files;	/* number of files in it so far; under kvmw_lock */
};

#define KVMW_NO_SUBKEY		U32_MAX
#define KVMW_NO_DELAY		U64_MAX

struct kvmw_vcpu {
	struct kvmw_object	obj;	/* key: struct kvm_vcpu */
	u32			vcpu_id;
	bool			created;	/* creation succeeded: show it */
	pid_t			tid;		/* last thread, in the initial namespace */
	struct kvmw_vcpu_audit	audit;

	/* Only the CPU on which the vCPU is loaded writes this; seq gives readers one moment. */
	seqcount_t		seq ____cacheline_aligned;
	u8			where;		/* KVMW_VCPU_* */
	bool			halted;
	u64			since;		/* in @where, by kvmw_now() */
	u64			halted_since;
	struct kvmw_exit_span	exit_span;
	/*
	 * Time is accounted from the vCPU's first load, or from its adoption. @begun is that moment
	 * while the vCPU has not been in guest mode since, else 0. The others are sums in ticks:
	 * how long @begun lasted; exit times before that moment; halts that began before it, as KVM
	 * measured them.
	 */
	u64			begun;
	u64			before_entry;
	u64			exits_before;
	u64			halts_before;
	/*
	 * The thread that last loaded it in KVM_RUN, and how long that had waited for a pCPU: when
	 * its waits began to count, at its last load, and at the last load ahead of a wait in a
	 * halt; KVMW_NO_DELAY: there was none. The waits of threads before it are in run_delay_ns.
	 */
	const struct pid	*delay_pid;	/* only to compare */
	u64			delay_base;
	u64			delay_seen;
	u64			delay_halted;
	struct kvmw_vcpu_stats	stats;
};

/* The vCPU is certainly out of guest mode: no entry without an event can have ended the exit. */
static __always_inline bool kvmw_exit_open(const struct kvmw_vcpu *vcpu)
{
	return vcpu->exit_span.since && kvmw_entries_told();
}

/* Why a vCPU is off its pCPU: the cells of off_cpu_ns and of the four statistics behind it. */
enum kvmw_off {
	KVMW_OFF_SEEN_LATE,	/* unknown: it was off before we watched it */
	KVMW_OFF_USER, KVMW_OFF_WAIT, KVMW_OFF_PREEMPTED, KVMW_OFF_BLOCKED,
};

enum {
	KVMW_VCPU_UNKNOWN, KVMW_VCPU_ON_CPU, KVMW_VCPU_GONE,
	KVMW_VCPU_OFF_CPU,	/* and above: + enum kvmw_off */
};

/*
 * When a dirty log was last clear: when it began, or when the VMM last began to clear it. The age
 * of a mark is the time since then. Written under KVM's slots_lock.
 */
struct kvmw_clear {
	u64	moment;		/* by kvmw_moment() */
	u64	since;		/* the same time by kvmw_now(); 0: unknown */
};

struct kvmw_slot {
	struct kvmw_object	obj;	/* key: struct kvmw_vm */

	/* For hits; written when KVM commits a change of the slot. */
	gfn_t			base_gfn;
	unsigned long		npages;
	unsigned long		live_pages;	/* npages, or 0 when hidden */
	u32			flags;
	const void		*log;		/* KVM's dirty bitmap; see kvmw_log_weight() */
	u64			log_life;	/* incremented when @log changes */
	struct kvmw_clear	clear;		/* its log */
	struct kvmw_heat	*heat;		/* counts marks per page; NULL: it has no user */
	bool			committed;	/* KVM has committed the slot: show it */
	unsigned long		userspace_addr;

	/*
	 * Counters that hits write, and counters that readers sum for this slot. Both are the same,
	 * or the VM's stray record's and all zeros. See counters.h.
	 */
	struct kvmw_slot_cpu __percpu *hits;
	struct kvmw_slot_cpu __percpu *cpu;
	/* Leaves before we counted: mapped = base + map - unmap. Under mmu_lock. */
	s64			base[KVMW_NR_LEVELS];
	u64			merged;		/* for read too: see is_of_merged() */
	u64			dirty_pages;	/* last value read while logging was on */
	/* When a large log was last counted, and its log_life. Under the VM's log_lock. */
	unsigned long		counted_at;
	u64			counted_life;
	u64			collected;	/* pages the VMM collected; under mmu_lock */
	u64			collects;	/* number of such calls; under KVM's slots_lock */
	struct kvmw_log_sample	*log_sample;	/* the last audit; under house_lock */
};

struct kvmw_vm {
	struct kvmw_object	obj;	/* key: struct kvm */
	bool			dying;	/* KVM has started to destroy it */
	bool			freed;	/* KVM is freeing it: no event comes any more */
	bool			shown;	/* its creation succeeded: show it */
	struct kvmw_changes	changes;	/* of the lists of its objects */
	unsigned int		round;	/* last round of tasks/adopt.c that looked at it */
	struct list_head	unsettled;	/* for tasks/adopt.c */
	char			name[KVMWATCH_NAME_SIZE];
	struct pid		*pid;	/* of the VMM's process; holds a reference */
	pid_t			tgid;	/* the same as a number, for trace events */
	char			comm[TASK_COMM_LEN];

	/*
	 * Mapped pages. tasks/count.c counts an adopted VM region by region; until it is done,
	 * hits at or above the cursor do not count.
	 */
	bool			opaque;		/* leaves cannot be counted: see mapped.h */
	bool			leaves_counted;	/* all hits count; else those below the cursor */
	bool			needs_recount;	/* a slot got its record late; an audit failed */
	bool			count_failed;	/* numbers are withdrawn until @retry_at */
	bool			zaps_counted;	/* see on_rmap_zap(); under mmu_lock */
	gfn_t			cursor[KVMW_NR_AS];
	u64			mapped_peak;	/* 4K pages; as unmaps found them */
	u64			mapped_now;	/* 4K pages; kept where KVM has no count */
	u64			audits, audit_failures;	/* under lock */
	u64			leaf_failures, mark_failures;	/* failures by kind of audit */
	u64			refuted;	/* by audits of vCPUs: KVMW_NEED_*; under lock */
	u64			ends_refuted;	/* refuted when a vCPU ended; under lock */
	bool			ends_compared;	/* vCPUs have ended and were compared; under lock */
	unsigned long		retry_at, retry_after;	/* jiffies; while count_failed */
	/* Leaves of gone slots, 0 if hits saw each unmap; KVM's count when it freed the VM. */
	s64			gone_mapped[KVMW_NR_LEVELS];
	s64			kvms_last[KVMW_NR_LEVELS];
	u64			collects;	/* under KVM's slots_lock */
	u64			missed;		/* hooks that were off for some of its life */
	bool			ring;		/* dirty rings instead of bitmaps */
	struct kvmw_clear	clear;		/* of all rings: the VMM resets them together */

	struct mutex		log_lock;	/* one reader at a time counts a large dirty log */

	struct kvmw_slot	*stray;	/* counts hits without a slot, or of one without counters */
	atomic_t		counted; /* number of slots with counters */

	struct mutex		lock;	/* the lists and sums below */
	struct list_head	vcpus, slots;
	struct kvmw_vcpu_stats	*gone_vcpus;	/* apart, as it is large */
	struct kvmw_slot_cpu	gone_slots;
};

#define kvmw_to_vm(o)	container_of(o, struct kvmw_vm, obj)
#define kvmw_to_vcpu(o)	container_of(o, struct kvmw_vcpu, obj)
#define kvmw_to_slot(o)	container_of(o, struct kvmw_slot, obj)

/* Do hits of this slot count in the VM's stray record? See counters.h. */
static inline bool kvmw_slot_shares(const struct kvmw_slot *slot)
{
	return slot->hits != slot->cpu;
}

/* Is it a private slot of KVM? These have ids above those that VMMs may use. */
static inline bool kvmw_slot_internal(const struct kvmw_object *slot)
{
	return (slot->subkey & 0xffff) >= KVM_USER_MEM_SLOTS;
}

/*
 * Is it guest memory? Address space 1, that of SMM, maps the same memory again, and KVM's private
 * slots are not memory of the guest.
 */
static inline bool kvmw_slot_is_memory(const struct kvmw_object *slot)
{
	return !(slot->subkey >> 16) && !kvmw_slot_internal(slot);
}

#endif /* KVMW_RECORD_H */
