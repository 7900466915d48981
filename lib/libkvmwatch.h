/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libkvmwatch: read kvmwatch, that is the device, its lists, and stats fds.
 *
 * Every function here returns 0 (or a file descriptor, or a number) or -errno, prints
 * nothing and needs libc alone. No byte that comes out of a file descriptor is trusted: what
 * these functions hand out lies within memory they allocated, strings end, and
 * -EBADMSG says that the other side does not keep to the format. KVM's own stats
 * fds (KVM_GET_STATS_FD) have the same format and can be read as well.
 *
 * What may change while the library is libkvmwatch.so.1: functions are added, and structures
 * get members at their end. So the library allocates the structures that it fills, or is told
 * their size: functions that fill one of the caller's are called *_sized, and have an inline
 * function beside them that gives the size. A program must not allocate, copy or index
 * structures that are said to belong to the library.
 *
 * There is no state but in what is passed. Threads may do as they like with handles of their
 * own. With one handle in several threads, functions that take it as const may run at once;
 * one that does not (*_update, *_read into it, *_free) must run alone. A file descriptor may
 * be used by several threads, but an fd of all objects, of which reads go on, by one at a time.
 */
#ifndef LIBKVMWATCH_H
#define LIBKVMWATCH_H

#include <stddef.h>

#include <linux/kvmwatch.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KVMWATCH_DEVICE		"/dev/kvmwatch"

/**
 * kvmwatch_device_open_sized() - open the device and ask what it is
 * @path: usually KVMWATCH_DEVICE
 * @info: filled, also when the ABI is one that this reader does not know
 * @size: bytes of @info
 *
 * Return: the file descriptor, close-on-exec; or -errno of open(2) or of the
 * ioctl, where -ENOTTY means that this is another device, and -EPROTONOSUPPORT
 * that the module speaks another ABI (then @info says which).
 */
int kvmwatch_device_open_sized(const char *path, struct kvmwatch_info *info, size_t size);

static inline int kvmwatch_device_open(const char *path, struct kvmwatch_info *info)
{
	return kvmwatch_device_open_sized(path, info, sizeof(*info));
}

/* Ask again what it is, and whether it watches: 0 or -errno. */
int kvmwatch_device_info_sized(int dev, struct kvmwatch_info *info, size_t size);

static inline int kvmwatch_device_info(int dev, struct kvmwatch_info *info)
{
	return kvmwatch_device_info_sized(dev, info, sizeof(*info));
}

/**
 * kvmwatch_list_sized() - list all objects of a kind
 * @dev: the device
 * @kind: KVMWATCH_KIND_*
 * @vm: id of the VM whose vCPUs or slots are meant; 0: those of all VMs
 * @items: address of a pointer, set to an array that the caller frees with free()
 * @item_size: bytes of one of them; what the module does not know is 0
 * @nr: set to how many. None is a success
 *
 * Return: 0 or -errno; -EAGAIN: objects came faster than they were listed.
 */
int kvmwatch_list_sized(int dev, __u32 kind, __u64 vm, void *items, size_t item_size, size_t *nr);
/* The same of the VM whose KVM fd is @vm_fd, which is all the right that it takes. */
int kvmwatch_list_by_fd_sized(int dev, __u32 kind, int vm_fd, void *items, size_t item_size,
			      size_t *nr);

static inline int kvmwatch_list_vms(int dev, struct kvmwatch_vm **vms, size_t *nr)
{
	return kvmwatch_list_sized(dev, KVMWATCH_KIND_VM, 0, vms, sizeof(**vms), nr);
}

static inline int kvmwatch_list_vcpus(int dev, __u64 vm, struct kvmwatch_vcpu **vcpus, size_t *nr)
{
	return kvmwatch_list_sized(dev, KVMWATCH_KIND_VCPU, vm, vcpus, sizeof(**vcpus), nr);
}

static inline int kvmwatch_list_slots(int dev, __u64 vm, struct kvmwatch_slot **slots, size_t *nr)
{
	return kvmwatch_list_sized(dev, KVMWATCH_KIND_SLOT, vm, slots, sizeof(**slots), nr);
}

static inline int kvmwatch_list_hooks(int dev, struct kvmwatch_hook **hooks, size_t *nr)
{
	return kvmwatch_list_sized(dev, KVMWATCH_KIND_HOOK, 0, hooks, sizeof(**hooks), nr);
}

static inline int kvmwatch_list_stats(int dev, struct kvmwatch_stat **stats, size_t *nr)
{
	return kvmwatch_list_sized(dev, KVMWATCH_KIND_STAT, 0, stats, sizeof(**stats), nr);
}

static inline int kvmwatch_list_vms_by_fd(int dev, int vm_fd, struct kvmwatch_vm **vms, size_t *nr)
{
	return kvmwatch_list_by_fd_sized(dev, KVMWATCH_KIND_VM, vm_fd, vms, sizeof(**vms), nr);
}

static inline int kvmwatch_list_vcpus_by_fd(int dev, int vm_fd, struct kvmwatch_vcpu **vcpus,
					    size_t *nr)
{
	return kvmwatch_list_by_fd_sized(dev, KVMWATCH_KIND_VCPU, vm_fd, vcpus, sizeof(**vcpus),
					 nr);
}

static inline int kvmwatch_list_slots_by_fd(int dev, int vm_fd, struct kvmwatch_slot **slots,
					    size_t *nr)
{
	return kvmwatch_list_by_fd_sized(dev, KVMWATCH_KIND_SLOT, vm_fd, slots, sizeof(**slots),
					 nr);
}

/*
 * The generation of a list of VMs, vCPUs or slots, of one VM or, with @vm 0, of all: asked for
 * before two lists, it is the same when the same objects are in both. 0 or -errno.
 */
int kvmwatch_list_generation(int dev, __u32 kind, __u64 vm, __u64 *generation);

/* --- what the module knows of statistics -------------------------------------- */

struct kvmwatch_catalog;

/* Statistics with unit and meaning, and names of buckets. */
int kvmwatch_catalog_read(int dev, struct kvmwatch_catalog **catalog);
void kvmwatch_catalog_free(struct kvmwatch_catalog *catalog);

/* Whose exit reasons the processor has: KVMWATCH_VENDOR_*. */
__u32 kvmwatch_catalog_vendor(const struct kvmwatch_catalog *catalog);
/* Number @at of the statistics, of all kinds; NULL: there are no more. */
const struct kvmwatch_stat *kvmwatch_catalog_at(const struct kvmwatch_catalog *catalog, size_t at);
/* The statistic of that name that objects of @kind have; NULL: the module has none. */
const struct kvmwatch_stat *kvmwatch_catalog_find(const struct kvmwatch_catalog *catalog,
						  __u32 kind, const char *name);
/* The name of a bucket of the statistic of that name, "other" for the last; NULL: it has none. */
const char *kvmwatch_catalog_bucket(const struct kvmwatch_catalog *catalog, const char *name,
				    unsigned int bucket);

/* --- fds ----------------------------------------------------------------------- */

/* Open a stats fd. -ENOENT: there is no such object, or no longer. */
int kvmwatch_open_vm(int dev, __u64 vm);
int kvmwatch_open_vcpu(int dev, __u64 vcpu);
int kvmwatch_open_slot(int dev, __u64 vm, __u16 as_id, __u16 slot);

/* The same by KVM's fd of the VM or vCPU, which is all the right that it takes. */
int kvmwatch_open_vm_fd(int dev, int vm_fd);
int kvmwatch_open_vcpu_fd(int dev, int vcpu_fd);
int kvmwatch_open_slot_fd(int dev, int vm_fd, __u16 as_id, __u16 slot);

/* KVM's own stats fd of a VM or vCPU. -ENOTTY: KVM has none (before 5.14). */
int kvmwatch_open_kvm(int kvm_fd);

/*
 * An fd for kvmwatch_all_read(): all objects of @kind, of the VM with id @vm or, with 0,
 * of the host; or of the VM with fd @vm_fd. @flags: KVMWATCH_OPEN_NO_HISTOGRAMS.
 */
int kvmwatch_open_all(int dev, __u32 kind, __u64 vm, __u32 flags);
int kvmwatch_open_all_fd(int dev, __u32 kind, int vm_fd, __u32 flags);

/*
 * The same with the @nr statistics in @names alone; those that the module does not know are left
 * out. With none, it says which objects there are, and kvmwatch_wait() when that changes.
 */
int kvmwatch_open_chosen(int dev, __u32 kind, __u64 vm, const char *const *names, size_t nr);
int kvmwatch_open_chosen_fd(int dev, __u32 kind, int vm_fd, const char *const *names, size_t nr);

/**
 * kvmwatch_wait() - wait until the objects of an fd of all objects change
 * @fd: of kvmwatch_open_all() or kvmwatch_open_chosen(). One that comes, goes or changes after the
 *	last read (or, before the first one, after it was opened) is a change
 * @timeout_ms: how long at most; -1: for ever
 *
 * Return: 1: they have changed, until the next read; 0: they have not; -EINTR; -errno of poll(2).
 */
int kvmwatch_wait(int fd, int timeout_ms);

/* Have the module audit a VM, see struct kvmwatch_audit. Returns 0 or -errno. */
int kvmwatch_audit_vm_sized(int dev, __u64 vm, struct kvmwatch_audit *audit, size_t size);

static inline int kvmwatch_audit_vm(int dev, __u64 vm, struct kvmwatch_audit *audit)
{
	return kvmwatch_audit_vm_sized(dev, vm, audit, sizeof(*audit));
}

/**
 * struct kvmwatch_value - one statistic, as found in a stats fd
 * @name:		its name: printable, not empty, unique within the object
 * @flags:		KVMWATCH_STATS_*: type, unit and base
 * @exponent:		see struct kvmwatch_stats_desc
 * @size:		number of elements of @data; 1 unless it is a histogram
 * @bucket_size:	width of a bucket of a linear histogram; else 0
 * @data:		what it was when last read
 *
 * It is what it is: while the library is libkvmwatch.so.1 it gets no more members.
 */
struct kvmwatch_value {
	const char *name;
	__u32 flags;
	__s16 exponent;
	__u16 size;
	__u32 bucket_size;
	const __u64 *data;
};

/**
 * struct kvmwatch_stats - what a stats fd says; it belongs to the library
 * @id:		its id string
 * @nr:		number of @values
 * @values:	the statistics, in the order of the descriptors; those of a type
 *		that this reader does not know are left out
 */
struct kvmwatch_stats {
	const char *id;
	size_t nr;
	const struct kvmwatch_value *values;
};

/**
 * kvmwatch_stats_read() - read a stats fd for the first time
 * @fd: stays the caller's, who may close it right away
 * @stats: filled; to be freed with kvmwatch_stats_free()
 *
 * Return: 0; -EBADMSG if it is not a stats fd or a broken one; -ENOMEM; or
 * -errno of pread(2).
 */
int kvmwatch_stats_read(int fd, struct kvmwatch_stats **stats);

/**
 * kvmwatch_stats_update() - read the data again
 * @fd: the one that @stats was read from
 * @stats: its values are changed in place; unchanged when this fails
 *
 * Return: as kvmwatch_stats_read().
 */
int kvmwatch_stats_update(int fd, struct kvmwatch_stats *stats);

/*
 * The statistic of that name, or NULL: it may be unavailable at any time, also one that
 * was there before. (In @values of @stats it then is KVMWATCH_WITHDRAWN.)
 */
const struct kvmwatch_value *kvmwatch_stats_find(const struct kvmwatch_stats *stats,
						 const char *name);

void kvmwatch_stats_free(struct kvmwatch_stats *stats);

/**
 * kvmwatch_bucket_range() - which values a bucket of a histogram counts
 * @value: a histogram
 * @bucket: index, less than @value->size
 * @first: set to the smallest value
 * @last: set to the greatest; ~0 for the last bucket, which is open-ended
 */
void kvmwatch_bucket_range(const struct kvmwatch_value *value, unsigned int bucket,
			   __u64 *first, __u64 *last);

/*
 * The bucket that @part (0 to 1) of all values of a histogram lie in or below; of 0, the first that
 * has any. 0, or -ENODATA: it is empty.
 */
int kvmwatch_quantile(const struct kvmwatch_value *value, double part, unsigned int *bucket);

/*
 * What a statistic counts in, by its @flags: "bytes", "seconds", "cycles", "boolean", "" for a
 * number without a unit; NULL: unknown to this library. And how many of these one is.
 */
const char *kvmwatch_unit(__u32 flags);
double kvmwatch_unit_scale(__u32 flags, int exponent);

struct kvmwatch_mapping;

/**
 * kvmwatch_mapping_make() - map a stats fd of kvmwatch (not of KVM)
 * @fd: stays the caller's, who may close it right away
 * @stats: what was read from it
 * @mapping: set; to be freed with kvmwatch_mapping_free()
 *
 * Return: 0, -errno of mmap(2), -EBADMSG or -ENOMEM.
 */
int kvmwatch_mapping_make(int fd, const struct kvmwatch_stats *stats,
			  struct kvmwatch_mapping **mapping);

/**
 * kvmwatch_mapping_read_sized() - take the data from where it is mapped, without a system call
 * @mapping: the mapping
 * @stats: what it was made with: its values are changed in place; unchanged when this fails
 * @head: filled, if it is not NULL: when the copy was made, and whether it is the last
 * @size: bytes of @head
 *
 * Return: 0; -ENODATA: the kernel has not made the first copy yet; -EAGAIN: it is just
 * making one. Both pass; kvmwatch_stats_update() works meanwhile. -EINVAL: @stats are those of
 * another object.
 */
int kvmwatch_mapping_read_sized(const struct kvmwatch_mapping *mapping,
				struct kvmwatch_stats *stats, struct kvmwatch_map *head,
				size_t size);

static inline int kvmwatch_mapping_read(const struct kvmwatch_mapping *mapping,
					struct kvmwatch_stats *stats, struct kvmwatch_map *head)
{
	return kvmwatch_mapping_read_sized(mapping, stats, head, sizeof(*head));
}

void kvmwatch_mapping_free(struct kvmwatch_mapping *mapping);

/**
 * struct kvmwatch_all - the numbers of all objects of a kind; it belongs to the library
 * @kind:	KVMWATCH_KIND_*
 * @vendor:	see struct kvmwatch_info
 * @generation:	see struct kvmwatch_list
 * @begin_ns:	when the first object was looked at, by CLOCK_MONOTONIC
 * @end_ns:	when the last one had been
 * @nr_stats:	number of @stats
 * @stats:	the statistics of this kind; @data of each is NULL
 * @nr:		number of objects
 * @instance:	see struct kvmwatch_info
 * @changed:	1: objects came, went or changed meanwhile; else 0
 */
struct kvmwatch_all {
	__u32 kind;
	__u32 vendor;
	__u64 generation;
	__u64 begin_ns;
	__u64 end_ns;
	size_t nr_stats;
	const struct kvmwatch_value *stats;
	size_t nr;
	__u64 instance;
	__u32 changed;
};

/**
 * kvmwatch_all_read() - take the numbers of all objects, from the beginning
 * @fd: of kvmwatch_open_all()
 * @all: set; to be freed with kvmwatch_all_free()
 *
 * As many system calls as it takes: there may be more than one read(2) can have.
 *
 * Return: 0; -EBADMSG if it is no such fd or a broken one; -ENOMEM; or -errno of read(2).
 */
int kvmwatch_all_read(int fd, struct kvmwatch_all **all);
/* Again, from the same fd, into the same memory if it suffices. When it fails, @all is empty. */
int kvmwatch_all_update(int fd, struct kvmwatch_all *all);
void kvmwatch_all_free(struct kvmwatch_all *all);

/* Which object number @item, less than @nr, is; until @all is read again. */
const struct kvmwatch_all_item *kvmwatch_all_at(const struct kvmwatch_all *all, size_t item);

/* The number of the statistic of that name; -ENOENT: there is none. */
int kvmwatch_all_find(const struct kvmwatch_all *all, const char *name);

/*
 * The value (for a histogram: values) of statistic number @stat of an object; NULL: it is
 * unavailable, or there is no such statistic (@stat may be what kvmwatch_all_find() said).
 */
const __u64 *kvmwatch_all_value(const struct kvmwatch_all *all, size_t item, int stat);

/*
 * Have the dirty marks of each page of a VM, or of one slot, counted until the fd is closed; see
 * KVMWATCH_OPEN_HEAT. -ENOSPC: that takes more memory than the module allows. By kvmwatch's id
 * of the VM, or by its KVM fd.
 */
int kvmwatch_open_heat_vm(int dev, __u64 vm);
int kvmwatch_open_heat_slot(int dev, __u64 vm, __u16 as_id, __u16 slot);
int kvmwatch_open_heat_vm_fd(int dev, int vm_fd);
int kvmwatch_open_heat_slot_fd(int dev, int vm_fd, __u16 as_id, __u16 slot);

/**
 * struct kvmwatch_heat - what there is to say of all slots whose pages are counted; it belongs to
 *	the library
 * @head:	of the VM
 * @nr:		how many slots, the same for the life of the fd
 * @slots:	the slots, always in the same order
 */
struct kvmwatch_heat {
	const struct kvmwatch_heat_header *head;
	size_t nr;
	const struct kvmwatch_heat_slot *const *slots;
};

/* Read it from such an fd; to be freed with kvmwatch_heat_free(). */
int kvmwatch_heat_read(int fd, struct kvmwatch_heat **heat);
void kvmwatch_heat_free(struct kvmwatch_heat *heat);

/*
 * Read @nr pages of slot number @slot (an index of heat->slots), page number @first being the
 * first one, as they are now. -EINVAL: it has not so many. @size: bytes of one.
 */
int kvmwatch_heat_pages_sized(int fd, const struct kvmwatch_heat *heat, size_t slot, __u64 first,
			      __u64 nr, struct kvmwatch_heat_page *pages, size_t size);

static inline int kvmwatch_heat_pages(int fd, const struct kvmwatch_heat *heat, size_t slot,
				      __u64 first, __u64 nr, struct kvmwatch_heat_page *pages)
{
	return kvmwatch_heat_pages_sized(fd, heat, slot, first, nr, pages, sizeof(*pages));
}

/*
 * Distinct pages marked in windows of length number @window of slot number @slot, summed up over
 * those that have ended; 0 if there is no such length.
 */
__u64 kvmwatch_heat_distinct(const struct kvmwatch_heat *heat, size_t slot, unsigned int window);

/**
 * kvmwatch_heat_window() - how many distinct pages are dirtied in windows of one length
 * @heat: what was read last
 * @before: what was read from the same fd earlier: only windows that ended in between; NULL:
 *	all that ended
 * @slot: index of the slot
 * @window: number of the length, less than heat->head->nr_windows
 * @pages: set to the distinct pages of each window, summed up over them
 * @windows: set to how many windows these were
 *
 * The mean, *@pages / *@windows, is u(t) for t = heat->head->window_ns << @window.
 *
 * Return: 0; -ENODATA: none has ended yet; -EINVAL.
 */
int kvmwatch_heat_window(const struct kvmwatch_heat *heat, const struct kvmwatch_heat *before,
			 size_t slot, unsigned int window, __u64 *pages, __u64 *windows);

/* --- what a VM is called --------------------------------------------------- */

/**
 * struct kvmwatch_guest - what those who started a VM call it; belongs to the library
 * @name:	the guest's name on the VMM's command line. It may hold any byte but NUL, as whoever
 *		starts the VM chooses it: show it with care
 * @uuid:	its UUID there, in lower case and with dashes
 * @unit:	the unit of the system's systemd that the VMM runs in
 * @user_unit:	the unit of a user's systemd
 *
 * Each is NULL if it is not known. The forms of QEMU (also as libvirt, Proxmox VE and Nova start
 * it), Firecracker, Cloud Hypervisor, crosvm, kvmtool, StratoVirt and VirtualBox are known.
 */
struct kvmwatch_guest {
	const char *name;
	const char *uuid;
	const char *unit;
	const char *user_unit;
};

/**
 * kvmwatch_guest_read() - ask a VMM's process what its VM is called
 * @pid: the process, as kvmwatch_vm.pid says
 * @guest: set to what the caller frees with kvmwatch_guest_free()
 *
 * This may block as long as the process does whose command line is read, so call it from a thread
 * that may wait. The process may have ended, and another may have its number: list the VM again
 * afterwards; if it is still there with this pid, then the answer is of its VMM.
 *
 * Return: 0, also when nothing is known; -ESRCH: there is no such process, or it cannot be seen in
 * this pid namespace; -ENOMEM.
 */
int kvmwatch_guest_read(int pid, struct kvmwatch_guest **guest);

/**
 * kvmwatch_guest_parse() - find name and UUID in a command line of a VMM
 * @cmdline: the arguments, each ended by a NUL, as in /proc/PID/cmdline
 * @len: bytes of it
 * @exe: the file that the process runs, as the first argument may be anything; NULL: not known
 * @guest: set to what the caller frees with kvmwatch_guest_free(); it has no units
 *
 * Return: 0, also when nothing is known, or -ENOMEM.
 */
int kvmwatch_guest_parse(const char *cmdline, size_t len, const char *exe,
			 struct kvmwatch_guest **guest);

void kvmwatch_guest_free(struct kvmwatch_guest *guest);

#ifdef __cplusplus
}
#endif

#endif /* LIBKVMWATCH_H */
