/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The binary interface of kvmwatch: everything a program needs to read it.
 *
 * /dev/kvmwatch answers the ioctls below. They list what is being watched and
 * open stats fds. A stats fd has the format of KVM_GET_STATS_FD (header, id
 * string, descriptors, data), so a reader made for KVM reads it unchanged. The
 * structures of that format are repeated here under our own names, because
 * older <linux/kvm.h> lack them.
 *
 * Every argument starts with its own size, which the caller sets to the size it was
 * compiled with. A kernel that knows a longer structure reads the missing end as
 * zero, and does not write there. A kernel that knows a shorter one returns E2BIG if
 * a byte beyond what it knows is not zero. KVMWATCH_*_SIZE_VER0 are the sizes of the
 * first published structures: a shorter argument is EINVAL. docs/abi.md is the contract.
 */
#ifndef _UAPI_LINUX_KVMWATCH_H
#define _UAPI_LINUX_KVMWATCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Raised when a program that worked before would need a change. */
#define KVMWATCH_ABI			2

/* Lengths of strings, the final NUL included. */
#define KVMWATCH_NAME_SIZE		48

/* What can be listed; the first three also have stats fds. */
#define KVMWATCH_KIND_VM		1
#define KVMWATCH_KIND_VCPU		2
#define KVMWATCH_KIND_SLOT		3
#define KVMWATCH_KIND_HOOK		4
#define KVMWATCH_KIND_STAT		5
#define KVMWATCH_KIND_BUCKET		6

/*
 * Why a @pid is 0, in @flags of what has one: the process has ended; it is not visible in
 * the reader's pid namespace. Neither: there was none yet. The same of a @tid.
 */
#define KVMWATCH_PID_GONE		(1U << 16)
#define KVMWATCH_PID_HIDDEN		(1U << 17)
#define KVMWATCH_TID_GONE		(1U << 18)
#define KVMWATCH_TID_HIDDEN		(1U << 19)

/* --- KVMWATCH_INFO ------------------------------------------------------- */

/* VMs may run here that kvmwatch does not see: an empty list does not say that there is none. */
#define KVMWATCH_INFO_BLIND		(1U << 0)

/* Whose exit reasons the processor has, and so the statistics by exit reason. */
#define KVMWATCH_VENDOR_VMX		1	/* Intel's VMX */
#define KVMWATCH_VENDOR_SVM		2	/* AMD's SVM */

/**
 * struct kvmwatch_info - what this kvmwatch is
 * @size:	in: sizeof(struct kvmwatch_info). out: bytes that the kernel filled: the
 *		smaller of this and its own size
 * @abi:	out: KVMWATCH_ABI of the module
 * @features:	out: additions within one ABI, a bit each; none so far
 * @generation:	out: goes up whenever any VM, vCPU or slot comes, goes or changes; 0 for
 *		callers who may not see all VMs
 * @flags:	out: KVMWATCH_INFO_*
 * @vendor:	out: KVMWATCH_VENDOR_*
 * @why:	out: with KVMWATCH_INFO_BLIND: what keeps it from watching, in words
 * @instance:	out: another number each time that the module is loaded. Ids and generations
 *		of two instances have nothing to do with each other
 */
struct kvmwatch_info {
	__u32 size;
	__u32 abi;
	__u64 features;
	__u64 generation;
	__u32 flags;
	__u32 vendor;
	char why[96];
	__u64 instance;
};

#define KVMWATCH_INFO_SIZE_VER0		24	/* up to @generation */

/* --- KVMWATCH_LIST ------------------------------------------------------- */

/* Only objects of the VM whose KVM fd is @fd, which the caller holds. */
#define KVMWATCH_LIST_BY_FD		(1U << 0)

/* Something came, went or changed meanwhile, so it may be in the list or not. */
#define KVMWATCH_LIST_CHANGED		(1U << 0)

/**
 * struct kvmwatch_list - list all objects of one kind
 * @size:	in: sizeof(struct kvmwatch_list). out: as in struct kvmwatch_info
 * @kind:	in: KVMWATCH_KIND_*
 * @vm:		in: only objects of the VM with this kvmwatch id; 0: of all.
 *		Must be 0 for hooks, statistics and buckets
 * @generation:	out: goes up whenever an object of this kind, of this VM if @vm or @fd
 *		names one, comes, goes or changes: when it is the same in two lists, so are
 *		the objects. It is as of before listing. A VM that comes or goes counts for
 *		all three kinds. 0 for hooks, statistics and buckets
 * @items:	in: address of an array of the kind's structure, below
 * @item_size:	in: sizeof one of them: the distance from one to the next
 * @nr:		in: how many fit into @items. out: how many there are; when that
 *		is more than fit, only those that fit were written
 * @flags:	in: KVMWATCH_LIST_BY_FD or 0
 * @fd:		in: with KVMWATCH_LIST_BY_FD: the VM's fd, and @vm is 0; else must be 0
 * @item_filled: out: bytes of each item that the kernel filled: the smaller of @item_size
 *		and its own size. It zeroes the rest, so only this tells a 0 from a member
 *		that it does not know
 * @state:	out: KVMWATCH_LIST_CHANGED or 0
 */
struct kvmwatch_list {
	__u32 size;
	__u32 kind;
	__u64 vm;
	__u64 generation;
	__u64 items;
	__u32 item_size;
	__u32 nr;
	__u32 flags;
	__s32 fd;
	__u32 item_filled;
	__u32 state;
};

#define KVMWATCH_LIST_SIZE_VER0		48	/* up to @fd */

/* Dirty logging is on for at least one slot of the VM. */
#define KVMWATCH_VM_DIRTY_LOG		(1U << 0)
/* KVM reports dirty pages of this VM in dirty rings instead of bitmaps. */
#define KVMWATCH_VM_DIRTY_RING		(1U << 1)

/**
 * struct kvmwatch_vm - a VM, as listed
 * @id:		kvmwatch's id of it: counted up, never used again
 * @memory:	bytes in the slots of address space 0 that the VMM made
 * @footprint:	bytes of kernel memory that kvmwatch spends on it
 * @pid:	process that owns its memory (the VMM), in the reader's pid
 *		namespace; 0: @flags say why
 * @flags:	KVMWATCH_VM_*, KVMWATCH_PID_*
 * @vcpus:	number of vCPUs now
 * @slots:	number of slots now, KVM's own among them
 * @name:	name that KVM gives its debugfs directory: "<pid>-<fd>". A VM for which KVM
 *		has made none (debugfs is off, or another VM has that name already) is called
 *		"<pid>-vm<id>", with @id. <pid> is the VMM's number in the initial pid
 *		namespace, which @pid may not be
 * @comm:	name of the VMM's program, at most 15 letters
 */
struct kvmwatch_vm {
	__u64 id;
	__u64 memory;
	__u64 footprint;
	__s32 pid;
	__u32 flags;
	__u32 vcpus;
	__u32 slots;
	char name[KVMWATCH_NAME_SIZE];
	char comm[16];
};

/* The vCPU is loaded on a pCPU now. */
#define KVMWATCH_VCPU_LOADED		(1U << 0)
/* The vCPU is halted now. */
#define KVMWATCH_VCPU_HALTED		(1U << 1)

/**
 * struct kvmwatch_vcpu - a vCPU, as listed
 * @id:		kvmwatch's id of it: counted up, never used again
 * @vm:		id of its VM
 * @vcpu_id:	the number that the VMM gave it
 * @tid:	thread that last ran it, in the reader's pid namespace; 0: @flags say why
 * @flags:	KVMWATCH_VCPU_*, KVMWATCH_TID_*
 * @reserved:	0
 */
struct kvmwatch_vcpu {
	__u64 id;
	__u64 vm;
	__u32 vcpu_id;
	__s32 tid;
	__u32 flags;
	__u32 reserved;
};

/*
 * KVM made the slot for itself: such as the page of the APIC, which VMs on Intel's processors
 * have. Beside KVM_MEM_* in flags.
 */
#define KVMWATCH_SLOT_INTERNAL		(1U << 16)

/**
 * struct kvmwatch_slot - a memory slot, as listed
 * @vm:			id of its VM
 * @base_gfn:		first guest page frame
 * @npages:		number of 4 KiB pages
 * @userspace_addr:	where the VMM has it mapped
 * @as_id:		address space: 0 normal, 1 SMM
 * @id:			slot number within the address space
 * @flags:		KVM_MEM_* as the VMM set them, KVMWATCH_SLOT_*
 * @life:		kvmwatch's id of this slot, from its creation to its deletion: counted up,
 *			never used again. A slot that the VMM moves or whose flags it changes keeps
 *			it; one that it deletes and creates with the same number has a new one
 */
struct kvmwatch_slot {
	__u64 vm;
	__u64 base_gfn;
	__u64 npages;
	__u64 userspace_addr;
	__u16 as_id;
	__u16 id;
	__u32 flags;
	__u64 life;
};

/* The hook is in place and counts. */
#define KVMWATCH_HOOK_ATTACHED		(1U << 0)

/**
 * struct kvmwatch_hook - a place in KVM that kvmwatch watches
 * @hits:	times it was reached since it was attached
 * @misses:	times it was reached but could not be handled
 * @flags:	KVMWATCH_HOOK_*
 * @reserved:	0
 * @name:	what it is called here
 * @target:	function or tracepoint in KVM it is attached to
 * @via:	"ftrace", "kprobe" or "tracepoint"; empty when not attached
 * @reason:	why it is not attached; empty when it is
 */
struct kvmwatch_hook {
	__u64 hits;
	__u64 misses;
	__u32 flags;
	__u32 reserved;
	char name[KVMWATCH_NAME_SIZE];
	char target[KVMWATCH_NAME_SIZE];
	char via[16];
	char reason[96];
};

/* All hooks it needs are attached. */
#define KVMWATCH_STAT_AVAILABLE		(1U << 0)

/* What the buckets of a statistic are. */
#define KVMWATCH_BUCKETS_NONE		0	/* it has none: one number */
/*
 * Ranges of what @desc_flags and @exponent say, and the numbers count how often. Which ranges,
 * the type says: of KVMWATCH_STATS_LOG_HIST bucket 0 is for 0, and bucket i from 2^(i-1) to
 * 2^i - 1; of KVMWATCH_STATS_LINEAR_HIST bucket i is for @bucket_size values from
 * i * @bucket_size on. The last one has all beyond as well.
 */
#define KVMWATCH_BUCKETS_VALUES		1
/* The processor's exit reasons; KVM_EXIT_*. The numbers are what @desc_flags say. */
#define KVMWATCH_BUCKETS_EXIT		2
#define KVMWATCH_BUCKETS_USER_EXIT	3

/**
 * struct kvmwatch_stat - a statistic that kvmwatch knows, available or not
 * @kind:	kind of object that has it: KVMWATCH_KIND_VM, _VCPU or _SLOT
 * @flags:	KVMWATCH_STAT_*
 * @desc_flags:	type, unit and base, as in struct kvmwatch_stats_desc
 * @exponent:	as in struct kvmwatch_stats_desc
 * @buckets:	KVMWATCH_BUCKETS_*
 * @name:	its name
 * @hooks:	the hooks it needs, separated by commas
 * @help:	what it means, in one sentence
 * @nr:		how many buckets; 1 if it has none
 * @bucket_size: as in struct kvmwatch_stats_desc
 */
struct kvmwatch_stat {
	__u32 kind;
	__u32 flags;
	__u32 desc_flags;
	__s16 exponent;
	__u16 buckets;
	char name[KVMWATCH_NAME_SIZE];
	char hooks[96];
	char help[160];
	__u32 nr;
	__u32 bucket_size;
};

/**
 * struct kvmwatch_bucket - a bucket that has a name; one that has none is not listed
 * @buckets:	KVMWATCH_BUCKETS_EXIT or _USER_EXIT: whose it is
 * @number:	which one. The last one, "other", has what has no bucket of its own
 * @name:	its name, of letters, digits, '_', '-', '.' and spaces
 */
struct kvmwatch_bucket {
	__u32 buckets;
	__u32 number;
	char name[KVMWATCH_NAME_SIZE];
};

/* --- KVMWATCH_OPEN ------------------------------------------------------- */

/* Find the object by a KVM fd that the caller holds instead of by id. */
#define KVMWATCH_OPEN_BY_FD		(1U << 0)

/**
 * struct kvmwatch_open - open a stats fd
 * @size:	in: sizeof(struct kvmwatch_open)
 * @kind:	in: KVMWATCH_KIND_VM, _VCPU or _SLOT
 * @flags:	in: KVMWATCH_OPEN_*
 * @fd:		in: with KVMWATCH_OPEN_BY_FD: for a VM or slot the VM's fd, for
 *		a vCPU the vCPU's fd; else must be 0
 * @id:		in: without KVMWATCH_OPEN_BY_FD: kvmwatch id of the VM (also for
 *		a slot) or of the vCPU; else must be 0
 * @as_id:	in: for a slot: its address space; else must be 0
 * @slot:	in: for a slot: its number; else must be 0
 * @reserved:	in: 0
 * @life:	in: for a slot: @life in struct kvmwatch_slot: no other slot of that number
 *		is opened; 0: whichever has the number now
 *
 * The ioctl returns a new file descriptor, close-on-exec.
 */
struct kvmwatch_open {
	__u32 size;
	__u32 kind;
	__u32 flags;
	__s32 fd;
	__u64 id;
	__u16 as_id;
	__u16 slot;
	__u32 reserved;
	__u64 life;
};

#define KVMWATCH_OPEN_SIZE_VER0		32	/* up to @reserved */

/* --- KVMWATCH_OPEN_ALL --------------------------------------------------- */

/* Leave out histograms, which are most of the bytes. */
#define KVMWATCH_OPEN_NO_HISTOGRAMS	(1U << 1)
/* Only the statistics in @names. None is a choice too: which objects there are. */
#define KVMWATCH_OPEN_CHOOSE		(1U << 2)

/**
 * struct kvmwatch_open_all - open an fd for the numbers of all objects of a kind
 * @size:	in: sizeof(struct kvmwatch_open_all)
 * @kind:	in: KVMWATCH_KIND_VM, _VCPU or _SLOT
 * @flags:	in: KVMWATCH_OPEN_*
 * @fd:		in: with KVMWATCH_OPEN_BY_FD: the fd of a VM, whose objects alone are
 *		meant; else must be 0
 * @vm:		in: kvmwatch id of such a VM; 0: objects of all VMs. With
 *		KVMWATCH_OPEN_BY_FD it must be 0
 * @names:	in: with KVMWATCH_OPEN_CHOOSE: address of names, each with its NUL, one behind
 *		the other. A name that the kernel does not know is left out. Else must be 0
 * @names_size:	in: bytes of them, at most 65536
 * @reserved:	in: 0
 *
 * The ioctl returns a new file descriptor, close-on-exec.
 */
struct kvmwatch_open_all {
	__u32 size;
	__u32 kind;
	__u32 flags;
	__s32 fd;
	__u64 vm;
	__u64 names;
	__u32 names_size;
	__u32 reserved;
};

#define KVMWATCH_OPEN_ALL_SIZE_VER0	24	/* up to @vm */

/*
 * read(2) returns struct kvmwatch_all_header, @num_desc descriptors (struct
 * kvmwatch_stats_desc), and items of @item_size bytes each, as many whole ones as fit. If
 * there are more, @flags has KVMWATCH_ALL_MORE, and the next read has those that follow.
 * Without that flag, or after lseek(fd, 0, SEEK_SET), the next read starts with the first
 * object. An object that exists all the time is in exactly one of these reads.
 *
 * A read of less than header and descriptors returns the header alone, with what is needed:
 * @item_offset bytes for all but the items, and @item_size for each of @nr. EINVAL: not even
 * the header fits. pread(2) is ESPIPE.
 *
 * An item is struct kvmwatch_all_item; at @bits_offset from its start @num_desc bits,
 * rounded up to whole __u64 (bit i of the first is descriptor i: the statistic is available
 * for this object); and at @data_offset its numbers, where the descriptors say. A number
 * whose bit is not set means nothing.
 */

/* Objects are left for the next read. */
#define KVMWATCH_ALL_MORE		(1U << 0)
/* As KVMWATCH_LIST_CHANGED, since the first of these reads began. */
#define KVMWATCH_ALL_CHANGED		(1U << 1)

/**
 * struct kvmwatch_all_header - starts what is read
 * @header_size:	bytes of this structure; all offsets and sizes are in bytes
 * @kind:		KVMWATCH_KIND_*
 * @flags:		KVMWATCH_ALL_*
 * @desc_offset:	where the descriptors start
 * @desc_size:		bytes of one: sizeof(struct kvmwatch_stats_desc), or more
 * @num_desc:		how many, the same for the life of the fd
 * @item_offset:	where the items start
 * @item_size:		bytes of one
 * @item_filled:	bytes of struct kvmwatch_all_item that the kernel knows
 * @bits_offset:	where, in an item, its bits start
 * @data_offset:	where, in an item, its numbers start
 * @nr:			how many objects there are, those of earlier reads not counted
 * @filled:		how many items follow
 * @vendor:		as in struct kvmwatch_info
 * @generation:		as in struct kvmwatch_list, as of before the first of these reads
 * @instance:		as in struct kvmwatch_info
 * @begin_ns:		when the first object was looked at, by CLOCK_MONOTONIC
 * @end_ns:		when the last one had been
 */
struct kvmwatch_all_header {
	__u32 header_size;
	__u32 kind;
	__u32 flags;
	__u32 desc_offset;
	__u32 desc_size;
	__u32 num_desc;
	__u32 item_offset;
	__u32 item_size;
	__u32 item_filled;
	__u32 bits_offset;
	__u32 data_offset;
	__u32 nr;
	__u32 filled;
	__u32 vendor;
	__u64 generation;
	__u64 instance;
	__u64 begin_ns;
	__u64 end_ns;
};

/* The object has ended: these are its last values. */
#define KVMWATCH_ITEM_ENDED		(1U << 0)

/**
 * struct kvmwatch_all_item - starts an object's item
 * @vm:		kvmwatch id of its VM
 * @id:		its own kvmwatch id; of a slot its @life in struct kvmwatch_slot
 * @number:	of a vCPU: the number that the VMM gave it; of a slot: address space << 16 |
 *		slot number; of a VM 0
 * @flags:	KVMWATCH_ITEM_*, KVMWATCH_PID_*, KVMWATCH_TID_*
 * @pid:	of its VM, as in struct kvmwatch_vm
 * @tid:	of a vCPU, as in struct kvmwatch_vcpu; else 0
 * @name:	of its VM, as in struct kvmwatch_vm
 */
struct kvmwatch_all_item {
	__u64 vm;
	__u64 id;
	__u32 number;
	__u32 flags;
	__s32 pid;
	__s32 tid;
	char name[KVMWATCH_NAME_SIZE];
};

/* --- KVMWATCH_OPEN_HEAT -------------------------------------------------- */

/*
 * Count the dirty marks of each page of a VM or of one of its slots, from now until the fd
 * is closed. The argument is struct kvmwatch_open, with kind KVMWATCH_KIND_VM or _SLOT; the
 * ioctl returns a new file descriptor, close-on-exec.
 *
 * A mark is what the statistic dirty_marks counts: KVM found the page written while its
 * slot is logged. Until the VMM collects the log, further writes to it are no marks.
 *
 * read(2) and pread(2) at any offset: struct kvmwatch_heat_header, struct
 * kvmwatch_heat_slot for each slot that the VM had when the fd was opened, but for KVM's own
 * (KVMWATCH_SLOT_INTERNAL), which nobody can have logged, and for each of these, where it
 * says, struct kvmwatch_heat_page for each of its pages. Header and slots are looked at anew
 * by each read that touches them, pages whenever they are read. It all stays readable after
 * the VM has ended, then with the last values.
 *
 * A slot that comes later has no pages here: its marks are in @uncovered. One that is moved
 * takes its pages along. One that is deleted keeps what it has, also when its number is
 * used again.
 *
 * The pages of a slot are counted once, whoever asks: if they are counted already, the fd
 * shares that, from its beginning on.
 */

/* The VM has ended: these are the last values. */
#define KVMWATCH_HEAT_ENDED		(1U << 0)

/**
 * struct kvmwatch_heat_header - starts what is read
 * @header_size:	bytes of this structure; all offsets and sizes are in bytes
 * @slot_offset:	where the slots start
 * @slot_size:		bytes of one, its windows included
 * @slot_filled:	bytes of struct kvmwatch_heat_slot that the kernel knows
 * @distinct_offset:	where, in a slot, its windows start: @nr_windows of __u64. For each
 *			length of a window: distinct pages marked in a window, summed up over
 *			those that have ended. The first window begins with the counting, each
 *			other one where the one before ends
 * @nr_slots:		how many, the same for the life of the fd
 * @page_size:		bytes of a page's entry: sizeof(struct kvmwatch_heat_page), or more
 * @nr_windows:		how many lengths of windows there are, each twice the one before
 * @reserved:		0
 * @flags:		KVMWATCH_HEAT_*
 * @window_ns:		length of the shortest window; window i has @window_ns << i
 * @vm:			kvmwatch id of the VM
 * @ns:			when this was read, by CLOCK_MONOTONIC
 * @uncovered:		marks since the fd was opened, of what it is about, that no page
 *			here has: those of slots that came later
 * @collects:		how often the VMM has collected dirty logs since: a request for
 *			each slot
 */
struct kvmwatch_heat_header {
	__u32 header_size;
	__u32 slot_offset;
	__u32 slot_size;
	__u32 slot_filled;
	__u32 distinct_offset;
	__u32 nr_slots;
	__u32 page_size;
	__u32 nr_windows;
	__u32 reserved;
	__u32 flags;
	__u64 window_ns;
	__u64 vm;
	__u64 ns;
	__u64 uncovered;
	__u64 collects;
};

/* Dirty logging is on now. */
#define KVMWATCH_HEAT_LOGGED		(1U << 0)
/* The slot was deleted, or its VM has ended. */
#define KVMWATCH_HEAT_GONE		(1U << 1)

/**
 * struct kvmwatch_heat_slot - a slot whose pages are counted
 * @base_gfn:		first guest page frame now, or when it was last there
 * @npages:		number of 4 KiB pages
 * @as_id:		address space
 * @id:			slot number within it
 * @flags:		KVMWATCH_HEAT_*
 * @begin_ns:		when counting began, by CLOCK_MONOTONIC
 * @ticks:		how many of the shortest windows have ended since; of window i these
 *			are @ticks >> i
 * @marks:		all marks since then
 * @page_offset:	where its pages start
 */
struct kvmwatch_heat_slot {
	__u64 base_gfn;
	__u64 npages;
	__u16 as_id;
	__u16 id;
	__u32 flags;
	__u64 begin_ns;
	__u64 ticks;
	__u64 marks;
	__u64 page_offset;
};

/**
 * struct kvmwatch_heat_page - a page
 * @count:	its marks; stays at ~0 when it gets there
 * @last:	number of the shortest window in which it was marked last, from 1; 0: never
 */
struct kvmwatch_heat_page {
	__u32 count;
	__u32 last;
};

/* --- KVMWATCH_AUDIT ------------------------------------------------------ */

/**
 * struct kvmwatch_audit - compare a VM's mapped pages with KVM's own count, the dirty
 *	marks since the last audit with what KVM's dirty logs got, and exits, halts and
 *	loads of its vCPUs with what KVM counts of them, now
 * @size:	in: sizeof(struct kvmwatch_audit). out: as in struct kvmwatch_info
 * @agrees:	out: 1: they are the same. 0: they differ. If it was the mapped pages, the
 *		statistics mapped_* of the VM are unavailable until the module has counted
 *		them again and agrees with KVM. If it was something else, the statistics
 *		that are wrong stay unavailable
 * @vm:		in: kvmwatch id of the VM
 * @audits:	out: comparisons so far, those of this call included: one for each of
 *		the three that had something to compare
 * @failures:	out: those of them that differed
 */
struct kvmwatch_audit {
	__u32 size;
	__u32 agrees;
	__u64 vm;
	__u64 audits;
	__u64 failures;
};

#define KVMWATCH_AUDIT_SIZE_VER0	32

/* The kernel's ioctl-number.rst has nobody else with it. The size in a command is not looked at. */
#define KVMWATCH_IOC			0xD5
/*
 * Errors of all:
 *   ENOTTY	no such ioctl
 *   EFAULT	an address that can't be read or written
 *   EINVAL	@size shorter than KVMWATCH_*_SIZE_VER0; unknown kind;
 *		unknown flag; a field that must be 0 and is not
 *   E2BIG	@size longer than the kernel's, and the end is not all zero
 *   EPERM	more than the caller may see (see below)
 * KVMWATCH_LIST:
 *   EINVAL	@item_size is 0 or more than 4096
 *   ENOENT	no VM with id @vm
 *   EBADF, ENXIO	as KVMWATCH_OPEN
 * KVMWATCH_OPEN, KVMWATCH_OPEN_ALL:
 *   ENOENT	no such VM, vCPU or slot
 *   EBADF	@fd is not an open file
 *   ENXIO	@fd is open, but not a KVM VM (for VM and slot) or vCPU
 *   EMFILE, ENFILE, ENOMEM	as open(2)
 *   ENOBUFS	as many stats fds are open as the module allows: parameter fds
 * KVMWATCH_OPEN_HEAT, as KVMWATCH_OPEN, and:
 *   ENOSPC	more pages than the module allows to be counted: parameter heat_mb
 * KVMWATCH_AUDIT:
 *   ENOENT	no VM with id @vm
 *   ESRCH	the VM is being destroyed
 *   EAGAIN	its pages are being counted again, or change too fast to compare
 *   EOPNOTSUPP	they cannot be counted: a TDX VM
 *
 * Who may: KVMWATCH_INFO everyone who could open the device. KVMWATCH_OPEN,
 * KVMWATCH_OPEN_ALL and KVMWATCH_OPEN_HEAT with KVMWATCH_OPEN_BY_FD, and KVMWATCH_LIST with
 * KVMWATCH_LIST_BY_FD, too, since whoever holds the KVM fd owns the VM; and so does
 * KVMWATCH_LIST of statistics and buckets. The rest needs CAP_PERFMON or CAP_SYS_ADMIN at the
 * time the device was opened.
 *
 * poll(2): an fd of KVMWATCH_OPEN_ALL is readable (POLLIN) when the generation of its kind,
 * and VM if it is for one, is another than the one it told last or, before the first read,
 * that there was when it was opened. Nothing else wakes it. A stats fd always is readable,
 * and has POLLHUP when its object has ended. The device cannot be polled.
 */
#define KVMWATCH_INFO	_IOWR(KVMWATCH_IOC, 0, struct kvmwatch_info)
#define KVMWATCH_LIST	_IOWR(KVMWATCH_IOC, 1, struct kvmwatch_list)
#define KVMWATCH_OPEN	_IOW(KVMWATCH_IOC, 2, struct kvmwatch_open)
#define KVMWATCH_AUDIT	_IOWR(KVMWATCH_IOC, 3, struct kvmwatch_audit)
#define KVMWATCH_OPEN_ALL _IOW(KVMWATCH_IOC, 4, struct kvmwatch_open_all)
#define KVMWATCH_OPEN_HEAT _IOW(KVMWATCH_IOC, 5, struct kvmwatch_open)

/* --- The stats fd -------------------------------------------------------- */

/*
 * read(2) and pread(2) at any offset. The blocks are aligned to 8 bytes, and
 * follow one another in the order header, id string, descriptors, data. One
 * read that covers the data block returns one snapshot of the object; all but
 * the data is constant for the life of the fd. It stays readable after the
 * object ended, then with the last values. Reads at or past the end return 0.
 * A statistic that is found to be wrong while the fd is open (an audit failed, or events
 * were lost) has all its numbers KVMWATCH_WITHDRAWN for as long as that is so. An fd that
 * is opened then has no descriptor of it.
 *
 * mmap(2) at offset 0 with PROT_READ and MAP_SHARED shows a copy of the data that the
 * kernel makes anew every now and then (parameter map_ms), so that it can be read
 * without a system call. It starts with struct kvmwatch_map. EACCES: PROT_WRITE;
 * EINVAL: longer than needed, another offset, or MAP_PRIVATE; ENOBUFS: as many are mapped
 * as the module allows.
 */

#define KVMWATCH_WITHDRAWN		(~0ULL)

/* The object has ended: this is the last copy. */
#define KVMWATCH_MAP_ENDED		(1U << 0)

/**
 * struct kvmwatch_map - starts a mapped stats fd
 * @sequence:		odd while the copy is being made; what was read while it was even
 *			and stayed the same is one snapshot
 * @flags:		KVMWATCH_MAP_*
 * @copies:		how often a copy was made; 0: there is nothing to read yet
 * @ns:			when the copy was made, by CLOCK_MONOTONIC
 * @data_offset:	where the data starts, in bytes from here
 * @data_size:		bytes of it; where in it what is, the descriptors say
 */
struct kvmwatch_map {
	__u32 sequence;
	__u32 flags;
	__u64 copies;
	__u64 ns;
	__u32 data_offset;
	__u32 data_size;
};

/**
 * struct kvmwatch_stats_header - starts a stats fd, at offset 0
 * @flags:		0
 * @name_size:		bytes of the id string and of each descriptor's name
 * @num_desc:		number of descriptors
 * @id_offset:		where the id string starts
 * @desc_offset:	where the descriptors start
 * @data_offset:	where the data starts
 */
struct kvmwatch_stats_header {
	__u32 flags;
	__u32 name_size;
	__u32 num_desc;
	__u32 id_offset;
	__u32 desc_offset;
	__u32 data_offset;
};

#define KVMWATCH_STATS_TYPE_MASK	0xfU
#define KVMWATCH_STATS_CUMULATIVE	0x0U	/* only grows */
#define KVMWATCH_STATS_INSTANT		0x1U	/* goes up and down */
#define KVMWATCH_STATS_PEAK		0x2U	/* highest so far */
#define KVMWATCH_STATS_LINEAR_HIST	0x3U	/* buckets of bucket_size */
#define KVMWATCH_STATS_LOG_HIST		0x4U	/* 0, 1, 2-3, 4-7, 8-15, ... */

#define KVMWATCH_STATS_UNIT_MASK	0xf0U
#define KVMWATCH_STATS_NONE		0x00U
#define KVMWATCH_STATS_BYTES		0x10U
#define KVMWATCH_STATS_SECONDS		0x20U
#define KVMWATCH_STATS_CYCLES		0x30U	/* of the processor's clock */
#define KVMWATCH_STATS_BOOLEAN		0x40U	/* 0 or 1 */

#define KVMWATCH_STATS_BASE_MASK	0xf00U
#define KVMWATCH_STATS_POW10		0x000U
#define KVMWATCH_STATS_POW2		0x100U

/**
 * struct kvmwatch_stats_desc - describes one statistic of a stats fd
 * @flags:		KVMWATCH_STATS_*: type in bits 3:0, unit in 7:4, base of
 *			the exponent in 11:8. kvmwatch itself counts in bytes, seconds and
 *			numbers without a unit; KVM has the other units too
 * @exponent:		the value counts base^exponent units; -9 with seconds is
 *			nanoseconds
 * @size:		number of __u64 that it has in the data; 1 unless it is a
 *			histogram
 * @offset:		where they start, in bytes from data_offset
 * @bucket_size:	width of a bucket of a linear histogram; else 0
 * @name:		its name, NUL-terminated
 */
struct kvmwatch_stats_desc {
	__u32 flags;
	__s16 exponent;
	__u16 size;
	__u32 offset;
	__u32 bucket_size;
	char name[KVMWATCH_NAME_SIZE];
};

#endif /* _UAPI_LINUX_KVMWATCH_H */
