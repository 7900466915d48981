/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A test guest: a small VM that does an exactly known amount of work.
 *
 * The guest interprets a few commands, in 64-bit mode, with all of its memory mapped one to one.
 * Each command is a struct guest_work; it runs in the caller's thread or in that of the vCPU, and
 * ends with a port write. The work that a command causes in KVM is known:
 *
 *   KVM_RUN ioctls	1, and one more for each exit to userspace before the end.
 *			guest_runs() returns the actual number
 *   slot 0		a command reads all of its GUEST_SLOT0_PAGES pages before it ends,
 *			so that each is mapped once, as 4K
 *   other slots	exactly the pages that the command names. KVM's shadow MMU
 *			(npt=0, ept=0, 5.10) may map more 4K pages: of each 8 in a
 *			row, those that are present in the host at a fault
 *
 * When a slot is deleted or moved KVM may drop all mappings, slot 0's too. The next command brings
 * these back.
 *
 * Functions that return int or long return 0 or a count, else -errno. They never exit or print.
 * @vcpu is an index, counted from 0, and the vCPU's id.
 *
 * One thread at a time may run a vCPU. One thread calls everything else, except that guest_stop(),
 * guest_wake(), guest_kick() and functions that only read may be called while vCPUs run.
 */
#ifndef SELFTESTS_GUEST_H
#define SELFTESTS_GUEST_H

#include <linux/kvm.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define GUEST_PAGE		4096ULL
#define GUEST_MAX_VCPUS		8
#define GUEST_MAX_SLOTS		64	/* slot 0 included */

/* How many different GiB slots may lie in, all below 512 GiB; slot 0 lies in the first. */
#define GUEST_MAX_GIBS		16

/* Slot 0, from address 0 on, has the guest's code, page tables and mailboxes. */
#define GUEST_SLOT0_PAGES	(4 + GUEST_MAX_VCPUS + GUEST_MAX_GIBS)

#define GUEST_FOREVER		(~0ULL)

struct guest;

/* --- life ------------------------------------------------------------------ */

/*
 * Without interrupt controller and timer in KVM: a halt is an exit to userspace, which only another
 * KVM_RUN ends. Without this flag KVM has these devices.
 */
#define GUEST_NO_IRQCHIP	0x1

/* The vCPUs can have nested guests, see guest_nest(). AMD only, with nested=1. */
#define GUEST_NESTED		0x2

/*
 * Create a VM with @vcpus vCPUs, perhaps 0, and slot 0. Returns NULL with errno on failure; ENOENT
 * or EACCES: /dev/kvm is not usable. guest_free() accepts NULL.
 */
struct guest *guest_new(unsigned int vcpus, unsigned int flags);

/*
 * Stop all work, end the threads, close all fds and unmap all memory. KVM then frees the VM, unless
 * the caller has other fds of it (dup(), a stats fd, fork()).
 */
void guest_free(struct guest *g);

/* Add a vCPU; its index. -ENOSPC after GUEST_MAX_VCPUS. */
int guest_vcpu_add(struct guest *g);

/*
 * Close the VM's fd, but nothing else: KVM keeps the VM until the last vCPU's
 * fd is closed. Running vCPUs goes on, all calls about slots answer -EBADF.
 */
void guest_close_vm(struct guest *g);

/* Close a vCPU's fd, and unmap its kvm_run. The vCPU cannot be used any more. */
void guest_close_vcpu(struct guest *g, unsigned int vcpu);

/* Set a register from outside, as a VMM does: 0 or -errno. */
int guest_set_msr(struct guest *g, unsigned int vcpu, __u32 index, __u64 value);

/* --- what it is ------------------------------------------------------------ */

/* "<tid>-<fd>", as KVM calls the VM in debugfs. */
const char *guest_name(const struct guest *g);
int guest_vm_fd(const struct guest *g);
int guest_vcpu_fd(const struct guest *g, unsigned int vcpu);
/* struct kvm_run of a vCPU, as of the last return from KVM_RUN. */
const struct kvm_run *guest_kvm_run(const struct guest *g, unsigned int vcpu);
unsigned int guest_vcpus(const struct guest *g);

/* --- slots ----------------------------------------------------------------- */

enum guest_mem {
	GUEST_MEM_4K,		/* never huge in the host */
	GUEST_MEM_THP,		/* transparent huge pages, if the host gives any */
	GUEST_MEM_2M,		/* hugetlb; -ENOMEM when none are reserved */
	GUEST_MEM_1G,
};

/*
 * Add slot @id (1 to GUEST_MAX_SLOTS - 1) of fresh memory. @flags are KVM's
 * KVM_MEM_*. The memory's address is congruent to @gpa modulo 2M (1G for
 * GUEST_MEM_1G), it merges with no neighbour, and no page of it is present
 * before the guest, the host or guest_slot_populate() touches it.
 */
int guest_slot_add(struct guest *g, unsigned int id, __u64 gpa, __u64 pages,
		   enum guest_mem mem, __u32 flags);
/*
 * Add slot @id with the memory and address of slot @of, as a VMM does for SMM. It must be deleted
 * before slot @of.
 */
int guest_slot_alias(struct guest *g, unsigned int id, unsigned int of, __u32 flags);
/* Show the same memory at another guest address. */
int guest_slot_move(struct guest *g, unsigned int id, __u64 gpa);
/* Change the KVM_MEM_* flags; KVM allows that for KVM_MEM_LOG_DIRTY_PAGES. */
int guest_slot_flags(struct guest *g, unsigned int id, __u32 flags);
/* Delete the slot, then unmap its memory. */
int guest_slot_del(struct guest *g, unsigned int id);

/* Host address of the slot's memory; NULL: no such slot. */
void *guest_slot_host(const struct guest *g, unsigned int id);
/* Write to each of its pages from the host, so that they are present. */
int guest_slot_populate(struct guest *g, unsigned int id);
/* Give pages back to the host: madvise(MADV_DONTNEED). */
int guest_slot_discard(struct guest *g, unsigned int id, __u64 first, __u64 pages);
/* How many bytes of the slot the host has in huge pages now. */
long long guest_slot_huge(const struct guest *g, unsigned int id);

/* --- nested guests --------------------------------------------------------- */

/*
 * With GUEST_NESTED, each vCPU can run work in a guest of its own: work_nested(). That guest sees
 * slot 0 at the same addresses, and the pages that guest_nest_map() maps. If KVM offers nested
 * paging to its guests (npt=1), the tables of guest_nest() are second-level tables, else the page
 * tables of the nested guest itself. KVM shadows them in both cases.
 *
 * The nested guest also first reads all pages of slot 0, so KVM maps each of them once more. It has
 * no page of the slot with the tables. The guest reads and writes the page of each vCPU's VMCB in
 * that slot, and no other page there unless a command says so.
 */
#define GUEST_NEST_PAGES	64

/* Make slot @id with these tables and VMCBs. Call it after all vCPUs were added. */
int guest_nest(struct guest *g, unsigned int id, __u64 gpa);
/*
 * Map the guest's pages from @gpa on at @at for the nested guest, as 4K or 2M pages. Existing
 * entries stay. The host writes the tables, which KVM does not notice, so do not use this for
 * entries that the guest has cleared. With second-level tables, @at must be in a GiB in which the
 * guest has a slot.
 */
int guest_nest_map(struct guest *g, __u64 at, __u64 gpa, __u64 pages, bool huge);
/*
 * Address of the table entry (8 bytes) for the 4K or 2M page at @at, for work_store() in the guest.
 * The entry is an address and GUEST_NEST_ENTRY, or 0.
 */
__u64 guest_nest_entry(struct guest *g, __u64 at, bool huge);
#define GUEST_NEST_ENTRY	0x67	/* present, writable, user, accessed, dirty */

/* --- SMM ------------------------------------------------------------------- */

/*
 * The slots that a vCPU in SMM sees have numbers of their own. guest_smm() makes slot 0 with the
 * handler of SMIs. Each SMI touches two pages of it. -EOPNOTSUPP: this kernel has no SMM.
 */
#define GUEST_SMM_SLOT(id)	(0x10000U | (id))

int guest_smm(struct guest *g);
/* Send an SMI, whose handler writes to @pages pages from @gpa on, below 4G. */
int guest_smi(struct guest *g, unsigned int vcpu, __u64 gpa, unsigned int pages);

/* --- dirty log ------------------------------------------------------------- */

/* Switch logging of a slot, other flags unchanged. @on: 0 or 1. */
int guest_dirty_log(struct guest *g, unsigned int id, int on);
/*
 * KVM_GET_DIRTY_LOG; how many bits were set. @bitmap may be NULL, else it has
 * room for guest_bitmap_size() bytes.
 */
long guest_dirty_get(struct guest *g, unsigned int id, __u64 *bitmap);
size_t guest_bitmap_size(const struct guest *g, unsigned int id);
/*
 * Collect with KVM_CLEAR_DIRTY_LOG from now on: KVM_GET_DIRTY_LOG then only
 * looks. @flags: KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE, perhaps with
 * KVM_DIRTY_LOG_INITIALLY_SET. Call it before any slot is logged.
 */
int guest_dirty_manual(struct guest *g, __u64 flags);
/*
 * KVM_CLEAR_DIRTY_LOG of @pages pages from @first on, both multiples of 64 (@pages may be none at
 * the slot's end). Bit 0 of @bitmap is page @first; NULL: all bits set.
 */
int guest_dirty_clear(struct guest *g, unsigned int id, __u64 first, __u64 pages,
		      const __u64 *bitmap);

/*
 * Log to rings of @bytes (a power of 2) instead of bitmaps. Only before the
 * first vCPU: guest_new(0, ...), guest_ring_enable(), guest_vcpu_add().
 * -EOPNOTSUPP where KVM has none (5.10). A ring that fills up while a command
 * runs is harvested and reset on the spot.
 */
int guest_ring_enable(struct guest *g, __u32 bytes);
/*
 * Take all entries of the vCPU's ring. Returns how many entries there were since the last call,
 * including those taken on the spot. A write that finds the ring full is logged twice, so each of
 * guest_ring_full() adds one.
 */
long guest_ring_harvest(struct guest *g, unsigned int vcpu);
/* KVM_RESET_DIRTY_RINGS; how many entries KVM took back. */
int guest_ring_reset(struct guest *g);
/* Number of exits so far because the ring was full. */
__u64 guest_ring_full(const struct guest *g, unsigned int vcpu);

/* --- work ------------------------------------------------------------------ */

enum guest_op {
	GUEST_READ,
	GUEST_WRITE,
	GUEST_CALL,
	GUEST_SPIN,
	GUEST_HALT,
	GUEST_OUT,
	GUEST_CPUID,
	GUEST_RDMSR,
};

enum guest_wake {
	GUEST_WAKE_USER,	/* guest_wake(), one for each halt */
	GUEST_WAKE_LAPIC,	/* its own timer, set before each halt */
	GUEST_WAKE_PIT,		/* KVM's PIT, ticking; for one vCPU at a time */
	GUEST_WAKE_EXIT,	/* GUEST_NO_IRQCHIP: the exit itself */
};

/*
 * A command. All of them are repeated @rounds times, or with GUEST_FOREVER until
 * guest_stop(). After each round the guest counts up what guest_progress() shows
 * and looks for guest_stop().
 */
struct guest_work {
	enum guest_op op;
	enum guest_wake wake;
	bool nested;
	__u64 rounds;
	__u64 gpa;
	__u64 pages;
	__u64 stride;
	__u64 value;
	__u64 period_ns;
};

/* Read 8 bytes at @gpa, @gpa + @stride, ...: @pages reads. */
static inline struct guest_work work_read(__u64 gpa, __u64 pages, __u64 stride)
{
	return (struct guest_work){
		.op = GUEST_READ, .rounds = 1,
		.gpa = gpa, .pages = pages, .stride = stride,
	};
}

/*
 * Write 8 bytes at @gpa, @gpa + @stride, ...: @pages writes a round. The value is
 * the number of the round, from 1.
 */
static inline struct guest_work work_write(__u64 gpa, __u64 pages, __u64 stride,
					   __u64 rounds)
{
	return (struct guest_work){
		.op = GUEST_WRITE, .rounds = rounds,
		.gpa = gpa, .pages = pages, .stride = stride,
	};
}

/* Write @value once to each of @count addresses. */
static inline struct guest_work work_store(__u64 gpa, __u64 count, __u64 stride, __u64 value)
{
	struct guest_work work = work_write(gpa, count, stride, 1);

	work.value = value - 1;
	return work;
}

/* Call the code at @gpa, @gpa + @stride, ...: @calls calls. The code must return at once. */
static inline struct guest_work work_call(__u64 gpa, __u64 calls, __u64 stride)
{
	struct guest_work work = work_read(gpa, calls, stride);

	work.op = GUEST_CALL;
	return work;
}

/* Count without exits until guest_stop(). */
static inline struct guest_work work_spin(void)
{
	return (struct guest_work){ .op = GUEST_SPIN, .rounds = GUEST_FOREVER };
}

/*
 * Halt @halts times, with exactly as many HLT instructions. The guest first takes interrupts that
 * are pending. While it runs, guest_progress() is the number of the halt that comes next or goes
 * on, from 1.
 *
 * @period_ns is for the timers. LAPIC: time from arming to the interrupt, below 4.29 s. PIT: time
 * between ticks, 200 us (KVM lengthens a shorter one) to 54.9 ms. A tick that comes while the guest
 * is awake ends its next halt at once. Under emulation short ticks may keep a CPU busy for good:
 * use the LAPIC.
 */
static inline struct guest_work work_halt(__u64 halts, enum guest_wake wake,
					  __u64 period_ns)
{
	return (struct guest_work){
		.op = GUEST_HALT, .rounds = halts, .wake = wake,
		.period_ns = period_ns,
	};
}

/* Write to GUEST_PORT @exits times: as many exits to userspace. */
#define GUEST_PORT	0xe8

static inline struct guest_work work_out(__u64 exits)
{
	return (struct guest_work){ .op = GUEST_OUT, .rounds = exits };
}

/* CPUID @exits times: as many exits that KVM handles itself. */
static inline struct guest_work work_cpuid(__u64 exits)
{
	return (struct guest_work){ .op = GUEST_CPUID, .rounds = exits };
}

/* Read the MSR of the APIC's base @exits times: as many exits that KVM handles itself. */
static inline struct guest_work work_rdmsr(__u64 exits)
{
	return (struct guest_work){ .op = GUEST_RDMSR, .rounds = exits };
}

/*
 * Do the work in the nested guest. Each round is a VMRUN. It ends with a VMMCALL, or, for a halt
 * (GUEST_WAKE_USER only), with the interrupt that ends the halt.
 */
static inline struct guest_work work_nested(struct guest_work work)
{
	work.nested = true;
	return work;
}

/*
 * Do the work, and return when it is done. The vCPU's thread does it, or the caller's if the vCPU
 * has none. Errors:
 *   -EINVAL	the work is not valid, or not for this VM
 *   -EBUSY	the vCPU is at work, or another vCPU uses the PIT
 *   -EFAULT	the guest touched an address outside all slots: the work ends with that round. Or
 *		the nested guest touched an address that it has not mapped: that round is not done
 *   -EPROTO	the nested guest ended in another way
 *   -EIO	the guest crashed: guest_kvm_run() tells how. The vCPU is lost
 *   -ECANCELED	guest_free() or guest_close_vcpu() came first
 *   others	errors of KVM_RUN
 * A write to a KVM_MEM_READONLY slot is dropped: it is an exit to userspace, and no error.
 */
int guest_run(struct guest *g, unsigned int vcpu, struct guest_work work);

/* Let the vCPU's own thread do the work. Every guest_start() needs a guest_wait(). */
int guest_start(struct guest *g, unsigned int vcpu, struct guest_work work);
/*
 * Wait for the end of the work, at most @timeout_ms (-1: for ever). Returns what guest_run() would;
 * -ETIMEDOUT: it is still at work; -ECHILD: nothing was started.
 */
int guest_wait(struct guest *g, unsigned int vcpu, int timeout_ms);
/* Let the work end after the round it is in; a halted guest is woken. */
int guest_stop(struct guest *g, unsigned int vcpu);
/*
 * Force a vCPU at work in its own thread out of KVM_RUN once, and let it enter
 * again: exactly one more KVM_RUN. Returns when it is out. -ESRCH: no work, or
 * it ended meanwhile.
 */
int guest_kick(struct guest *g, unsigned int vcpu);
/* Send the vCPU one interrupt (KVM_SIGNAL_MSI). */
int guest_wake(struct guest *g, unsigned int vcpu);

/* Give the vCPU its own thread now instead of at the first guest_start(). */
int guest_thread(struct guest *g, unsigned int vcpu);
/* Keep the vCPU's thread on one CPU; works while it runs. -1: on any. */
int guest_pin(struct guest *g, unsigned int vcpu, int cpu);
/* The vCPU's thread; 0: it has none. */
int guest_tid(const struct guest *g, unsigned int vcpu);

/* Rounds done of the present or last work; for halts see work_halt(). */
__u64 guest_progress(const struct guest *g, unsigned int vcpu);
/* Wait until guest_progress() is @progress or more. -ETIMEDOUT. */
int guest_wait_progress(struct guest *g, unsigned int vcpu, __u64 progress,
			int timeout_ms);
/*
 * Wait until halt number @halt has put the vCPU's thread to sleep in KVM: it is
 * past halt polling. -ETIMEDOUT; -ESRCH: the vCPU has no work.
 */
int guest_wait_asleep(struct guest *g, unsigned int vcpu, __u64 halt,
		      int timeout_ms);
/*
 * Halt @halts times. Wake each halt from here after the vCPU's thread has gone to sleep, so that
 * none ends while polling.
 */
int guest_halt_asleep(struct guest *g, unsigned int vcpu, __u64 halts);

/* --- what was done --------------------------------------------------------- */

/* KVM_RUN ioctls so far. Each loads the vCPU once, and once more per sched-in. */
__u64 guest_runs(const struct guest *g, unsigned int vcpu);
/*
 * Other vCPU ioctls so far that load it: those of guest_vcpu_add(). Creating it
 * loads it twice more.
 */
__u64 guest_ioctls(const struct guest *g, unsigned int vcpu);
/* Returns from KVM_RUN so far with exit reason @reason (KVM_EXIT_*). */
__u64 guest_exits(const struct guest *g, unsigned int vcpu, unsigned int reason);

#endif /* SELFTESTS_GUEST_H */
