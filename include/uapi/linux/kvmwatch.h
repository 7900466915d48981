/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The binary interface of kvmwatch: everything that a program needs to read its numbers.
 *
 * /dev/kvmwatch has the ioctls below. They list VMs, vCPUs, slots and more, and open fds that
 * deliver numbers. A stats fd has the format of KVM_GET_STATS_FD (header, id string, descriptors,
 * data), so a reader made for KVM reads it unchanged. The structures of that format are repeated
 * here under our own names, because older <linux/kvm.h> lack them.
 *
 * Every argument starts with its own size, which the caller sets to sizeof() of the structure that
 * it was compiled with. A kernel that knows a longer structure reads the missing end as zero, and
 * does not write there. A kernel that knows a shorter structure returns E2BIG if a byte beyond that
 * is not zero. KVMWATCH_*_SIZE_VER0 are the sizes of the first published structures: a shorter
 * argument is EINVAL. docs/abi.md is the contract.
 */
#ifndef _UAPI_LINUX_KVMWATCH_H
#define _UAPI_LINUX_KVMWATCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Raised by changes after which existing programs would not work any more. */
#define KVMWATCH_ABI			2

/* Size of names, including the final NUL. */
#define KVMWATCH_NAME_SIZE		48

/* Kinds of objects and other items that can be listed. The first three have stats fds. */
#define KVMWATCH_KIND_VM		1
#define KVMWATCH_KIND_VCPU		2
#define KVMWATCH_KIND_SLOT		3
#define KVMWATCH_KIND_HOOK		4
#define KVMWATCH_KIND_STAT		5
#define KVMWATCH_KIND_BUCKET		6

/*
 * Why a @pid is 0, in the @flags beside it: the process has ended (_GONE), or is not visible in the
 * reader's pid namespace (_HIDDEN). The same for a @tid. Without these flags, a @tid of 0 means
 * that no thread has run the vCPU yet; a @pid of 0, that the kernel does not know the process: it
 * has no memory cgroups, and the VM is older than kvmwatch.
 */
#define KVMWATCH_PID_GONE		(1U << 16)
#define KVMWATCH_PID_HIDDEN		(1U << 17)
#define KVMWATCH_TID_GONE		(1U << 18)
#define KVMWATCH_TID_HIDDEN		(1U << 19)

/* --- KVMWATCH_INFO ------------------------------------------------------- */

/* VMs may run that kvmwatch does not see: an empty list does not mean that there is no VM. */
#define KVMWATCH_INFO_BLIND		(1U << 0)

/* The vendor whose exit reasons the processor uses, which index the statistics by exit reason. */
#define KVMWATCH_VENDOR_VMX		1	/* Intel's VMX */
#define KVMWATCH_VENDOR_SVM		2	/* AMD's SVM */

/**
 * struct kvmwatch_info - properties and state of the module
 * @size:	in: sizeof(struct kvmwatch_info). out: bytes that the kernel filled: the
 *		smaller of this and its own size
 * @abi:	out: KVMWATCH_ABI of the module
 * @features:	out: additions within one ABI, a bit each; none so far
 * @generation:	out: increases whenever any VM, vCPU or slot is created, ends or changes; 0
 *		for callers who may not see all VMs
 * @flags:	out: KVMWATCH_INFO_*
 * @vendor:	out: KVMWATCH_VENDOR_*
 * @why:	out: with KVMWATCH_INFO_BLIND: what keeps kvmwatch from watching, in words
 * @instance:	out: a random number, chosen each time that the module is loaded. Ids and
 *		generations of different instances are unrelated
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

/* List only objects of the VM whose KVM fd is @fd, an fd of the caller. */
#define KVMWATCH_LIST_BY_FD		(1U << 0)

/* An object was created, ended or changed meanwhile: it may or may not be in the list. */
#define KVMWATCH_LIST_CHANGED		(1U << 0)

/**
 * struct kvmwatch_list - list all objects of one kind
 * @size:	in: sizeof(struct kvmwatch_list). out: as in struct kvmwatch_info
 * @kind:	in: KVMWATCH_KIND_*
 * @vm:		in: list only objects of the VM with this kvmwatch id; 0: of all VMs. Must
 *		be 0 for hooks, statistics and buckets
 * @generation:	out: increases whenever an object of this kind, of this VM if @vm or @fd
 *		names one, is created, ends or changes. If two lists have the same generation,
 *		they have the same objects. It is the generation before listing. The creation
 *		and the end of a VM count for all three kinds. 0 for hooks, statistics and
 *		buckets
 * @items:	in: address of an array of the kind's structure, below
 * @item_size:	in: sizeof() one of them: the distance from one to the next
 * @nr:		in: how many fit into @items. out: how many there are; if more than fit,
 *		only those that fit were written
 * @flags:	in: KVMWATCH_LIST_BY_FD or 0
 * @fd:		in: with KVMWATCH_LIST_BY_FD: the VM's fd, and @vm is 0; else must be 0
 * @item_filled: out: bytes of each item that the kernel filled: the smaller of @item_size
 *		and its own size. The kernel zeroes the rest, so this distinguishes a member
 *		that is 0 from one that the kernel does not know
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
 * @id:		kvmwatch id of the VM; ids increase and are never reused
 * @memory:	bytes in the slots of address space 0 that the VMM created
 * @footprint:	bytes of kernel memory that kvmwatch uses for the VM
 * @pid:	process that owns the VM's memory (the VMM), in the reader's pid
 *		namespace; 0: @flags say why
 * @flags:	KVMWATCH_VM_*, KVMWATCH_PID_*
 * @vcpus:	number of vCPUs now
 * @slots:	number of slots now, including KVM's private slots
 * @name:	name of KVM's debugfs directory of the VM: "<pid>-<fd>". If KVM has made no
 *		directory (debugfs is off, or another VM has that name), "<pid>-vm<id>" with
 *		@id. <pid> is the VMM's pid in the initial pid namespace, and so may differ
 *		from @pid
 * @comm:	name of the VMM's program, at most 15 characters
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

/* The vCPU is loaded on a pCPU. */
#define KVMWATCH_VCPU_LOADED		(1U << 0)
/* The vCPU is halted. */
#define KVMWATCH_VCPU_HALTED		(1U << 1)

/**
 * struct kvmwatch_vcpu - a vCPU, as listed
 * @id:		kvmwatch id of the vCPU; ids increase and are never reused
 * @vm:		kvmwatch id of its VM
 * @vcpu_id:	the number that the VMM gave the vCPU
 * @tid:	thread that last ran the vCPU, in the reader's pid namespace; 0: @flags say why
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
 * A private slot of KVM, such as that of the APIC access page on Intel's processors. In flags,
 * beside KVM_MEM_*.
 */
#define KVMWATCH_SLOT_INTERNAL		(1U << 16)

/**
 * struct kvmwatch_slot - a memory slot, as listed
 * @vm:			kvmwatch id of its VM
 * @base_gfn:		first guest page frame
 * @npages:		number of 4 KiB pages
 * @userspace_addr:	its address in the VMM
 * @as_id:		address space: 0 normal, 1 SMM
 * @id:			slot number within the address space
 * @flags:		KVM_MEM_* as the VMM set them, KVMWATCH_SLOT_*
 * @life:		kvmwatch id of the slot from its creation to its deletion; ids increase and
 *			are never reused. A slot keeps it when the VMM moves the slot or changes its
 *			flags. If the VMM deletes the slot, a new slot with the same number has a
 *			new id
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

/* The hook is attached and counts. */
#define KVMWATCH_HOOK_ATTACHED		(1U << 0)
/*
 * Why a hook that is in place is believed to see what it says: the kvm.ko that runs proves it, by
 * what @by names; or it does not tell, but the tests passed on such builds. Exactly one of them.
 */
#define KVMWATCH_HOOK_PROVEN		(1U << 1)
#define KVMWATCH_HOOK_TESTED		(1U << 2)
/* It is not attached, and nothing is missing: this KVM has no such thing, or needs no such hook. */
#define KVMWATCH_HOOK_ABSENT		(1U << 3)
/* It is not attached, as the module parameter without leaves it out. */
#define KVMWATCH_HOOK_LEFT_OUT		(1U << 4)
/* It is absent, and no statistic lacks it: others see all that it would see. */
#define KVMWATCH_HOOK_NEEDLESS		(1U << 5)

/**
 * struct kvmwatch_hook - a hook on KVM
 * @hits:	times the hook was reached since it was attached
 * @misses:	times the hook was reached but could not be handled
 * @flags:	KVMWATCH_HOOK_*
 * @reserved:	0
 * @name:	name of the hook
 * @target:	function or tracepoint of KVM to which it is attached
 * @via:	"ftrace", "direct", "kprobe", "kretprobe" or "tracepoint"; empty if it is not
 *		attached
 * @reason:	why it is not attached; empty if it is. Cut if it does not fit
 * @by:		proofs of it, separated by "+"; empty if it is not attached
 * @why:	@reason in full, with what was found in kvm.ko if that is the reason; of an attached
 *		hook why it is not direct, although via=direct asks for that
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
	char by[32];
	char why[320];
};

/* All hooks that the statistic needs are attached. */
#define KVMWATCH_STAT_AVAILABLE		(1U << 0)
/* The module parameter without leaves it out, or a hook that it needs. */
#define KVMWATCH_STAT_LEFT_OUT		(1U << 1)

/* Meaning of the buckets of a statistic. */
#define KVMWATCH_BUCKETS_NONE		0	/* no buckets: a single number */
/*
 * A bucket is a range of values in the unit of @desc_flags and @exponent, and its number counts how
 * often a value fell into it. With KVMWATCH_STATS_LOG_HIST bucket 0 is for 0, and bucket i from
 * 2^(i-1) to 2^i - 1. With KVMWATCH_STATS_LINEAR_HIST bucket i is for @bucket_size values from
 * i * @bucket_size on. The last bucket includes everything beyond.
 */
#define KVMWATCH_BUCKETS_VALUES		1
/*
 * A bucket is an exit reason of the processor, or a KVM_EXIT_*. Its number is in the unit of
 * @desc_flags.
 */
#define KVMWATCH_BUCKETS_EXIT		2
#define KVMWATCH_BUCKETS_USER_EXIT	3

/**
 * struct kvmwatch_stat - a statistic of kvmwatch, available or not
 * @kind:	kind of object that has it: KVMWATCH_KIND_VM, _VCPU or _SLOT
 * @flags:	KVMWATCH_STAT_*
 * @desc_flags:	type, unit and base, as in struct kvmwatch_stats_desc
 * @exponent:	as in struct kvmwatch_stats_desc
 * @buckets:	KVMWATCH_BUCKETS_*
 * @name:	its name
 * @hooks:	the hooks that it needs, separated by commas
 * @help:	its meaning, in one sentence
 * @nr:		number of buckets; 1 if it has none
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
 * struct kvmwatch_bucket - the name of a bucket; buckets without a name are not listed
 * @buckets:	KVMWATCH_BUCKETS_EXIT or _USER_EXIT
 * @number:	index of the bucket. The last bucket, "other", counts all reasons that have no
 *		bucket of their own
 * @name:	its name, of letters, digits, '_', '-', '.' and spaces
 */
struct kvmwatch_bucket {
	__u32 buckets;
	__u32 number;
	char name[KVMWATCH_NAME_SIZE];
};

/* --- KVMWATCH_OPEN ------------------------------------------------------- */

/* Find the object by a KVM fd of the caller instead of by id. */
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
 * @life:	in: for a slot: @life of struct kvmwatch_slot, to open no other slot that has
 *		the same number; 0: open the slot that has the number now
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

/* Leave out histograms, which take most of the bytes. */
#define KVMWATCH_OPEN_NO_HISTOGRAMS	(1U << 1)
/* Only the statistics in @names. With no names, items tell only which objects there are. */
#define KVMWATCH_OPEN_CHOOSE		(1U << 2)

/**
 * struct kvmwatch_open_all - open an fd for the numbers of all objects of a kind
 * @size:	in: sizeof(struct kvmwatch_open_all)
 * @kind:	in: KVMWATCH_KIND_VM, _VCPU or _SLOT
 * @flags:	in: KVMWATCH_OPEN_*
 * @fd:		in: with KVMWATCH_OPEN_BY_FD: KVM's fd of a VM, to read only its objects; else
 *		must be 0
 * @vm:		in: kvmwatch id of a VM, to read only its objects; 0: objects of all VMs. With
 *		KVMWATCH_OPEN_BY_FD it must be 0
 * @names:	in: with KVMWATCH_OPEN_CHOOSE: address of names, each with its NUL, one after
 *		the other. The kernel ignores names that it does not know. Else must be 0
 * @names_size:	in: bytes of @names, at most 65536
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
 * kvmwatch_stats_desc), and as many whole items of @item_size bytes as fit. If there are more,
 * @flags has KVMWATCH_ALL_MORE, and the next read has the items that follow. Without that flag, or
 * after lseek(fd, 0, SEEK_SET), the next read starts with the first object. An object that exists
 * all the time is in exactly one read of such a series.
 *
 * If header and descriptors do not fit, read(2) returns the header alone. It says how much is
 * needed: @item_offset bytes for header and descriptors, and @item_size for each of @nr items.
 * EINVAL: the header does not fit. pread(2) is ESPIPE.
 *
 * An item begins with struct kvmwatch_all_item. At @bits_offset it has @num_desc bits, rounded up
 * to whole __u64: bit i of the first __u64 belongs to descriptor i, and is set if the statistic is
 * available for this object. At @data_offset it has its numbers, at the offsets of the descriptors.
 * A number whose bit is not set has no meaning.
 */

/* More objects are left for the next read. */
#define KVMWATCH_ALL_MORE		(1U << 0)
/* As KVMWATCH_LIST_CHANGED, since the first read of the series began. */
#define KVMWATCH_ALL_CHANGED		(1U << 1)

/**
 * struct kvmwatch_all_header - the beginning of each read
 * @header_size:	bytes of this structure; all offsets and sizes are in bytes
 * @kind:		KVMWATCH_KIND_*
 * @flags:		KVMWATCH_ALL_*
 * @desc_offset:	where the descriptors start
 * @desc_size:		bytes of a descriptor: sizeof(struct kvmwatch_stats_desc), or more
 * @num_desc:		number of descriptors, the same for the life of the fd
 * @item_offset:	where the items start
 * @item_size:		bytes of an item
 * @item_filled:	bytes of struct kvmwatch_all_item that the kernel knows
 * @bits_offset:	where the bits start within an item
 * @data_offset:	where the numbers start within an item
 * @nr:			number of objects, without those of earlier reads of the series
 * @filled:		number of items in this read
 * @vendor:		as in struct kvmwatch_info
 * @generation:		as in struct kvmwatch_list, before the first read of the series
 * @instance:		as in struct kvmwatch_info
 * @begin_ns:		before the first snapshot of this read, by CLOCK_MONOTONIC
 * @end_ns:		after the last one
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
 * struct kvmwatch_all_item - the beginning of an object's item
 * @vm:		kvmwatch id of the object's VM
 * @id:		kvmwatch id of the object; for a slot @life of struct kvmwatch_slot
 * @number:	for a vCPU the number that the VMM gave it; for a slot address space << 16 |
 *		slot number; for a VM 0
 * @flags:	KVMWATCH_ITEM_*, KVMWATCH_PID_*, KVMWATCH_TID_*
 * @pid:	of the VM, as in struct kvmwatch_vm
 * @tid:	of a vCPU, as in struct kvmwatch_vcpu; else 0
 * @name:	of the VM, as in struct kvmwatch_vm
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
 * A mark is what the statistic dirty_marks counts: KVM found the page written while logging of
 * its slot is on. Until the VMM collects the log, further writes to the page are no marks.
 *
 * read(2) and pread(2) work at any offset. The file has struct kvmwatch_heat_header, and struct
 * kvmwatch_heat_slot for each slot that the VM had when the fd was opened. KVM's private slots
 * (KVMWATCH_SLOT_INTERNAL) are left out, as they cannot be logged. At @page_offset of a slot it has
 * struct kvmwatch_heat_page for each page of the slot. A read that touches header or slots gets
 * their current values, and so does a read of pages. After the VM has ended, the file stays
 * readable and has the last values.
 *
 * Slots that are created later are not covered: their marks are in @uncovered. A slot that the VMM
 * moves keeps its pages. A slot that the VMM deletes keeps its values, even if its number is used
 * again.
 *
 * All fds of a slot share one count of its pages. If the pages are counted already, a new fd has
 * the marks since that count began.
 */

/* The VM has ended: these are the last values. */
#define KVMWATCH_HEAT_ENDED		(1U << 0)

/**
 * struct kvmwatch_heat_header - the beginning of the file
 * @header_size:	bytes of this structure; all offsets and sizes are in bytes
 * @slot_offset:	where the slots start
 * @slot_size:		bytes of a slot, including its windows
 * @slot_filled:	bytes of struct kvmwatch_heat_slot that the kernel knows
 * @distinct_offset:	where the windows start within a slot: @nr_windows of __u64, one for
 *			each length of window. Each is the number of distinct pages marked in
 *			a window, summed up over the windows that have ended. The first window
 *			begins when the count begins, each other one when the one before ends
 * @nr_slots:		number of slots, the same for the life of the fd
 * @page_size:		bytes of a page's entry: sizeof(struct kvmwatch_heat_page), or more
 * @nr_windows:		number of window lengths, each twice the one before
 * @reserved:		0
 * @flags:		KVMWATCH_HEAT_*
 * @window_ns:		length of the shortest window; windows of length i take @window_ns << i
 * @vm:			kvmwatch id of the VM
 * @ns:			when this was read, by CLOCK_MONOTONIC
 * @uncovered:		marks since the fd was opened, of the VM or slot, that belong to no page
 *			in this file: those of slots that are not covered
 * @collects:		how often the VMM has collected dirty logs since then; an ioctl for one
 *			slot counts as one
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

/* Dirty logging of the slot is on. */
#define KVMWATCH_HEAT_LOGGED		(1U << 0)
/* The slot was deleted, or its VM has ended. */
#define KVMWATCH_HEAT_GONE		(1U << 1)

/**
 * struct kvmwatch_heat_slot - a slot whose pages are counted
 * @base_gfn:		first guest page frame; of a deleted slot the last one
 * @npages:		number of 4 KiB pages
 * @as_id:		address space
 * @id:			slot number within it
 * @flags:		KVMWATCH_HEAT_*
 * @begin_ns:		when the count began, by CLOCK_MONOTONIC
 * @ticks:		number of windows of the shortest length that have ended since; of length
 *			i, @ticks >> i have ended
 * @marks:		all marks since then
 * @page_offset:	where its pages start in the file
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
 * @count:	number of its marks; saturates at ~0
 * @last:	number, from 1 on, of the last window of the shortest length in which it was
 *		marked; 0: it was never marked
 */
struct kvmwatch_heat_page {
	__u32 count;
	__u32 last;
};

/* --- KVMWATCH_AUDIT ------------------------------------------------------ */

/**
 * struct kvmwatch_audit - audit a VM now: compare its mapped pages with KVM's own count, the
 *	dirty marks since the last audit with the bits that KVM's dirty logs got, and exits,
 *	halts and loads of its vCPUs with KVM's counts
 * @size:	in: sizeof(struct kvmwatch_audit). out: as in struct kvmwatch_info
 * @agrees:	out: 1: all agree. 0: some differ. If mapped pages differ, the statistics
 *		mapped_* of the VM are unavailable until the module has counted the pages
 *		again and agrees with KVM. If others differ, the statistics that depend on
 *		them stay unavailable
 * @vm:		in: kvmwatch id of the VM
 * @audits:	out: number of comparisons so far, including this call: one for each of the
 *		three parts that had something to compare
 * @failures:	out: number of comparisons that differed
 */
struct kvmwatch_audit {
	__u32 size;
	__u32 agrees;
	__u64 vm;
	__u64 audits;
	__u64 failures;
};

#define KVMWATCH_AUDIT_SIZE_VER0	32

/*
 * The kernel's ioctl-number.rst has no other user of this type. The size in a command is ignored.
 */
#define KVMWATCH_IOC			0xD5
/*
 * Errors of all ioctls:
 *   ENOTTY	no such ioctl
 *   EFAULT	an address that cannot be read or written
 *   EINVAL	@size shorter than KVMWATCH_*_SIZE_VER0; unknown kind;
 *		unknown flag; a field that must be 0 and is not
 *   E2BIG	@size longer than the kernel's, and the end is not all zero; or above 4096
 *   EPERM	the caller may not see that (see below)
 * KVMWATCH_LIST:
 *   EINVAL	@item_size is 0 or more than 4096
 *   ENOENT	no VM with id @vm
 *   EBADF, ENXIO	as KVMWATCH_OPEN
 * KVMWATCH_OPEN, KVMWATCH_OPEN_ALL:
 *   ENOENT	no such VM, vCPU or slot
 *   EBADF	@fd is not an open file
 *   ENXIO	@fd is open, but not a KVM VM (for VM and slot) or vCPU
 *   EMFILE, ENFILE, ENOMEM	as open(2)
 *   ENOBUFS	as many fds are open as the module parameter fds allows
 * KVMWATCH_OPEN_HEAT, as KVMWATCH_OPEN, and:
 *   ENOSPC	more pages than the module parameter heat_mb allows
 *   EOPNOTSUPP	the slots' dirty_marks are unavailable: a hook is missing
 * KVMWATCH_AUDIT:
 *   ENOENT	no VM with id @vm
 *   ESRCH	the VM is being destroyed
 *   EAGAIN	the module counts its pages again, or they change too fast to compare
 *   EOPNOTSUPP	its pages cannot be counted: a TDX VM, or a hook is missing
 *
 * Rights: whoever could open the device may use KVMWATCH_INFO, and KVMWATCH_LIST of statistics and
 * buckets. The same goes for KVMWATCH_OPEN, KVMWATCH_OPEN_ALL and KVMWATCH_OPEN_HEAT with
 * KVMWATCH_OPEN_BY_FD, and KVMWATCH_LIST with KVMWATCH_LIST_BY_FD, since the holder of the KVM fd
 * owns the VM. Everything else needs CAP_PERFMON or CAP_SYS_ADMIN when the device is opened.
 *
 * poll(2): an fd of KVMWATCH_OPEN_ALL becomes readable (POLLIN) when the generation of its kind,
 * and of its VM if it has one, differs from that of the last read or, before the first read, from
 * that when the fd was opened. A stats fd is always readable, and has POLLHUP after its object has
 * ended. The device cannot be polled.
 */
#define KVMWATCH_INFO	_IOWR(KVMWATCH_IOC, 0, struct kvmwatch_info)
#define KVMWATCH_LIST	_IOWR(KVMWATCH_IOC, 1, struct kvmwatch_list)
#define KVMWATCH_OPEN	_IOW(KVMWATCH_IOC, 2, struct kvmwatch_open)
#define KVMWATCH_AUDIT	_IOWR(KVMWATCH_IOC, 3, struct kvmwatch_audit)
#define KVMWATCH_OPEN_ALL _IOW(KVMWATCH_IOC, 4, struct kvmwatch_open_all)
#define KVMWATCH_OPEN_HEAT _IOW(KVMWATCH_IOC, 5, struct kvmwatch_open)

/* --- The stats fd -------------------------------------------------------- */

/*
 * read(2) and pread(2) work at any offset. The blocks are aligned to 8 bytes, in the order header,
 * id string, descriptors, data. One read that covers the data block returns one snapshot of the
 * object; everything but the data is constant for the life of the fd. After the object has ended,
 * the fd stays readable and has the last values. Reads at or past the end return 0. If a statistic
 * turns out to be wrong while the fd is open (an audit failed, or events were lost), all its
 * numbers are KVMWATCH_WITHDRAWN for as long as that is so. An fd that is opened meanwhile has no
 * descriptor of it.
 *
 * mmap(2) at offset 0 with PROT_READ and MAP_SHARED maps a copy of the data, which the kernel
 * refreshes periodically (parameter map_ms), so that it can be read without a system call. The copy
 * starts with struct kvmwatch_map. EACCES: PROT_WRITE; EINVAL: longer than needed, another offset,
 * or MAP_PRIVATE; ENOBUFS: as many fds are mapped as the module allows.
 */

#define KVMWATCH_WITHDRAWN		(~0ULL)

/* The object has ended: this is the last copy. */
#define KVMWATCH_MAP_ENDED		(1U << 0)

/**
 * struct kvmwatch_map - the beginning of a mapped stats fd
 * @sequence:		odd while the kernel makes the copy. Data that were read while the
 *			sequence was even and did not change are one snapshot
 * @flags:		KVMWATCH_MAP_*
 * @copies:		number of copies made so far; 0: there is nothing to read yet
 * @ns:			when the copy was made, by CLOCK_MONOTONIC
 * @data_offset:	where the data start, in bytes from here
 * @data_size:		bytes of the data; the descriptors have the offsets of the statistics
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
 * struct kvmwatch_stats_header - the beginning of a stats fd, at offset 0
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
 *			the exponent in 11:8. kvmwatch itself uses bytes, seconds and numbers
 *			without a unit; KVM also uses the other units
 * @exponent:		the value counts base^exponent units; -9 with seconds is
 *			nanoseconds
 * @size:		number of __u64 in the data; 1 unless it is a histogram
 * @offset:		where these start, in bytes from data_offset
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
