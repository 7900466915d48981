/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libkvmwatch: read the device /dev/kvmwatch, its lists and its fds.
 *
 * Functions return 0 (or a file descriptor, or a number) or -errno. They print nothing and need
 * only libc. They trust no byte that they read: all results lie within memory that the library
 * allocated, all strings are terminated, and -EBADMSG means that the data violate the format. KVM's
 * own stats fds (KVM_GET_STATS_FD) have the same format, and can be read as well.
 *
 * While the library is libkvmwatch.so.1, functions may be added, and structures may get members at
 * their end. So the library allocates the structures that it fills, or the caller passes their size
 * to a function *_sized, which has an inline function beside it that does so. A program must not
 * allocate, copy or index structures that belong to the library.
 *
 * The library has no global state. Threads may use handles of their own freely. If threads share a
 * handle, functions that take it as const may run at the same time; the others (*_update, *_read
 * into it, *_free) must run alone. Threads may share a file descriptor, but only one at a time may
 * read an fd of all objects, as such reads have a position.
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
 * kvmwatch_device_open_sized() - open the device and get its properties
 * @path: usually KVMWATCH_DEVICE
 * @info: filled, even if this library does not know the ABI of the module
 * @size: bytes of @info
 *
 * Return: the file descriptor, close-on-exec; or -errno of open(2) or of the ioctl. -ENOTTY: this
 * is another device. -EPROTONOSUPPORT: the module has another ABI, which @info names.
 */
int kvmwatch_device_open_sized(const char *path, struct kvmwatch_info *info, size_t size);

static inline int kvmwatch_device_open(const char *path, struct kvmwatch_info *info)
{
	return kvmwatch_device_open_sized(path, info, sizeof(*info));
}

/* Get the properties again, and whether the module watches. Returns 0 or -errno. */
int kvmwatch_device_info_sized(int dev, struct kvmwatch_info *info, size_t size);

static inline int kvmwatch_device_info(int dev, struct kvmwatch_info *info)
{
	return kvmwatch_device_info_sized(dev, info, sizeof(*info));
}

/**
 * kvmwatch_list_sized() - list all objects of a kind
 * @dev: the device
 * @kind: KVMWATCH_KIND_*
 * @vm: id of the VM whose vCPUs or slots to list; 0: those of all VMs
 * @items: address of a pointer, set to an array that the caller frees with free()
 * @item_size: bytes of an item; members that the module does not know are 0
 * @nr: set to the number of items, perhaps 0
 *
 * Return: 0 or -errno; -EAGAIN: the list grew too fast.
 */
int kvmwatch_list_sized(int dev, __u32 kind, __u64 vm, void *items, size_t item_size, size_t *nr);
/* The same for the VM whose KVM fd is @vm_fd. The fd is all the right that this takes. */
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
 * Get the generation of a list of VMs, vCPUs or slots, of one VM or, with @vm 0, of all VMs. If it
 * is the same before two lists, they have the same objects. Returns 0 or -errno.
 */
int kvmwatch_list_generation(int dev, __u32 kind, __u64 vm, __u64 *generation);

/* --- descriptions of statistics ------------------------------------------------ */

struct kvmwatch_catalog;

/* Read the units and meanings of all statistics, and the names of buckets. */
int kvmwatch_catalog_read(int dev, struct kvmwatch_catalog **catalog);
void kvmwatch_catalog_free(struct kvmwatch_catalog *catalog);

/* The vendor whose exit reasons the processor uses: KVMWATCH_VENDOR_*. */
__u32 kvmwatch_catalog_vendor(const struct kvmwatch_catalog *catalog);
/* Statistic number @at, of all kinds; NULL: there are no more. */
const struct kvmwatch_stat *kvmwatch_catalog_at(const struct kvmwatch_catalog *catalog, size_t at);
/* The statistic @name of objects of @kind; NULL: the module has none. */
const struct kvmwatch_stat *kvmwatch_catalog_find(const struct kvmwatch_catalog *catalog,
						  __u32 kind, const char *name);
/* The name of a bucket of the statistic @name, "other" for the last; NULL: the bucket has none. */
const char *kvmwatch_catalog_bucket(const struct kvmwatch_catalog *catalog, const char *name,
				    unsigned int bucket);

/* --- fds ----------------------------------------------------------------------- */

/* Open a stats fd. -ENOENT: there is no such object, or it has ended. */
int kvmwatch_open_vm(int dev, __u64 vm);
int kvmwatch_open_vcpu(int dev, __u64 vcpu);
int kvmwatch_open_slot(int dev, __u64 vm, __u16 as_id, __u16 slot);

/* The same by KVM's fd of the VM or vCPU. The fd is all the right that this takes. */
int kvmwatch_open_vm_fd(int dev, int vm_fd);
int kvmwatch_open_vcpu_fd(int dev, int vcpu_fd);
int kvmwatch_open_slot_fd(int dev, int vm_fd, __u16 as_id, __u16 slot);

/* Open KVM's own stats fd of a VM or vCPU. -ENOTTY: KVM has none (before 5.14). */
int kvmwatch_open_kvm(int kvm_fd);

/*
 * Open an fd for kvmwatch_all_read(): all objects of @kind, of the VM with id @vm or, with 0, of
 * all VMs; or of the VM with fd @vm_fd. @flags: KVMWATCH_OPEN_NO_HISTOGRAMS.
 */
int kvmwatch_open_all(int dev, __u32 kind, __u64 vm, __u32 flags);
int kvmwatch_open_all_fd(int dev, __u32 kind, int vm_fd, __u32 flags);

/*
 * The same with only the @nr statistics in @names; the module ignores names that it does not know.
 * Without names, such an fd tells which objects there are, and kvmwatch_wait() when that changes.
 */
int kvmwatch_open_chosen(int dev, __u32 kind, __u64 vm, const char *const *names, size_t nr);
int kvmwatch_open_chosen_fd(int dev, __u32 kind, int vm_fd, const char *const *names, size_t nr);

/**
 * kvmwatch_wait() - wait until the objects of an fd of all objects change
 * @fd: of kvmwatch_open_all() or kvmwatch_open_chosen()
 * @timeout_ms: the longest time to wait; -1: no limit
 *
 * It is a change if an object is created, ends or changes after the last read or, before the first
 * read, after the fd was opened.
 *
 * Return: 1: objects have changed, until the next read; 0: they have not; -EINTR; -errno of
 * poll(2).
 */
int kvmwatch_wait(int fd, int timeout_ms);

/* Make the module audit a VM, see struct kvmwatch_audit. Returns 0 or -errno. */
int kvmwatch_audit_vm_sized(int dev, __u64 vm, struct kvmwatch_audit *audit, size_t size);

static inline int kvmwatch_audit_vm(int dev, __u64 vm, struct kvmwatch_audit *audit)
{
	return kvmwatch_audit_vm_sized(dev, vm, audit, sizeof(*audit));
}

/**
 * struct kvmwatch_value - a statistic of a stats fd
 * @name:		its name: printable, not empty, unique within the object
 * @flags:		KVMWATCH_STATS_*: type, unit and base
 * @exponent:		see struct kvmwatch_stats_desc
 * @size:		number of elements of @data; 1 unless it is a histogram
 * @bucket_size:	width of a bucket of a linear histogram; else 0
 * @data:		its value when it was last read
 *
 * This structure gets no more members while the library is libkvmwatch.so.1.
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
 * struct kvmwatch_stats - the contents of a stats fd; belongs to the library
 * @id:		the id string
 * @nr:		number of @values
 * @values:	the statistics, in the order of the descriptors, except those of types that
 *		this library does not know
 */
struct kvmwatch_stats {
	const char *id;
	size_t nr;
	const struct kvmwatch_value *values;
};

/**
 * kvmwatch_stats_read() - read a stats fd for the first time
 * @fd: stays open; the caller may close it right away
 * @stats: set; free it with kvmwatch_stats_free()
 *
 * Return: 0; -EBADMSG: @fd is no stats fd, or a broken one; -ENOMEM; or -errno of pread(2).
 */
int kvmwatch_stats_read(int fd, struct kvmwatch_stats **stats);

/**
 * kvmwatch_stats_update() - read the data again
 * @fd: the fd from which @stats was read
 * @stats: its values are updated in place, or unchanged if this fails
 *
 * Return: as kvmwatch_stats_read().
 */
int kvmwatch_stats_update(int fd, struct kvmwatch_stats *stats);

/*
 * The statistic @name, or NULL if it is unavailable. A statistic may become unavailable at any
 * time; then its numbers in @values of @stats are KVMWATCH_WITHDRAWN.
 */
const struct kvmwatch_value *kvmwatch_stats_find(const struct kvmwatch_stats *stats,
						 const char *name);

void kvmwatch_stats_free(struct kvmwatch_stats *stats);

/**
 * kvmwatch_bucket_range() - the values that a bucket of a histogram counts
 * @value: a histogram
 * @bucket: index, less than @value->size
 * @first: set to the smallest value
 * @last: set to the largest value; ~0 for the last bucket, which is open-ended
 */
void kvmwatch_bucket_range(const struct kvmwatch_value *value, unsigned int bucket,
			   __u64 *first, __u64 *last);

/*
 * Find the bucket in or below which @part (0 to 1) of all values of a histogram lie; for 0, the
 * first bucket that has a value. Returns 0, or -ENODATA: the histogram is empty.
 */
int kvmwatch_quantile(const struct kvmwatch_value *value, double part, unsigned int *bucket);

/*
 * The unit of a statistic by its @flags: "bytes", "seconds", "cycles", "boolean", or "" for a
 * number without a unit; NULL: unknown to this library. kvmwatch_unit_scale() is the number of such
 * units that a value of 1 stands for.
 */
const char *kvmwatch_unit(__u32 flags);
double kvmwatch_unit_scale(__u32 flags, int exponent);

struct kvmwatch_mapping;

/**
 * kvmwatch_mapping_make() - map a stats fd of kvmwatch (not of KVM)
 * @fd: stays open; the caller may close it right away
 * @stats: the result of kvmwatch_stats_read() of @fd
 * @mapping: set; free it with kvmwatch_mapping_free()
 *
 * Return: 0, -errno of mmap(2), -EBADMSG or -ENOMEM.
 */
int kvmwatch_mapping_make(int fd, const struct kvmwatch_stats *stats,
			  struct kvmwatch_mapping **mapping);

/**
 * kvmwatch_mapping_read_sized() - read the data from the mapping, without a system call
 * @mapping: the mapping
 * @stats: as passed to kvmwatch_mapping_make(). Its values are updated in place, or unchanged if
 *	this fails
 * @head: filled if it is not NULL: when the copy was made, and whether it is the last
 * @size: bytes of @head
 *
 * Return: 0; -ENODATA if the kernel has not made the first copy yet; -EAGAIN if the kernel is
 * writing a copy. After either, try again later, or call kvmwatch_stats_update(). -EINVAL if @stats
 * is of another object.
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
 * struct kvmwatch_all - the numbers of all objects of a kind; belongs to the library
 * @kind:	KVMWATCH_KIND_*
 * @vendor:	see struct kvmwatch_info
 * @generation:	see struct kvmwatch_list
 * @begin_ns:	before the first snapshot, by CLOCK_MONOTONIC
 * @end_ns:	after the last snapshot
 * @nr_stats:	number of @stats
 * @stats:	the statistics of this kind; @data of each is NULL
 * @nr:		number of objects
 * @instance:	see struct kvmwatch_info
 * @changed:	1: objects were created, ended or changed meanwhile; else 0
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
 * kvmwatch_all_read() - read the numbers of all objects
 * @fd: of kvmwatch_open_all()
 * @all: set; free it with kvmwatch_all_free()
 *
 * This starts with the first object, and calls read(2) until there are no more.
 *
 * Return: 0; -EBADMSG: @fd is no such fd, or a broken one; -ENOMEM; or -errno of read(2).
 */
int kvmwatch_all_read(int fd, struct kvmwatch_all **all);
/* Read again from the same fd, and reuse the memory of @all. If this fails, @all is empty. */
int kvmwatch_all_update(int fd, struct kvmwatch_all *all);
void kvmwatch_all_free(struct kvmwatch_all *all);

/* The identity of object @item, less than @nr. It is valid until @all is updated. */
const struct kvmwatch_all_item *kvmwatch_all_at(const struct kvmwatch_all *all, size_t item);

/* The index of the statistic @name; -ENOENT: there is none. */
int kvmwatch_all_find(const struct kvmwatch_all *all, const char *name);

/*
 * The value of a statistic of an object, or the values of a histogram. @stat: a result of
 * kvmwatch_all_find(). NULL: the statistic is unavailable, or there is none of that index.
 */
const __u64 *kvmwatch_all_value(const struct kvmwatch_all *all, size_t item, int stat);

/*
 * Open a heat fd: count the dirty marks of each page of a VM, or of one slot, until the fd is
 * closed; see KVMWATCH_OPEN_HEAT. The VM is named by its kvmwatch id or by its KVM fd. -ENOSPC: the
 * counts would take more memory than the module allows.
 */
int kvmwatch_open_heat_vm(int dev, __u64 vm);
int kvmwatch_open_heat_slot(int dev, __u64 vm, __u16 as_id, __u16 slot);
int kvmwatch_open_heat_vm_fd(int dev, int vm_fd);
int kvmwatch_open_heat_slot_fd(int dev, int vm_fd, __u16 as_id, __u16 slot);

/**
 * struct kvmwatch_heat - header and slots of a heat fd; belongs to the library
 * @head:	the header
 * @nr:		number of slots, the same for the life of the fd
 * @slots:	the slots, always in the same order
 */
struct kvmwatch_heat {
	const struct kvmwatch_heat_header *head;
	size_t nr;
	const struct kvmwatch_heat_slot *const *slots;
};

/* Read header and slots of a heat fd. Free the result with kvmwatch_heat_free(). */
int kvmwatch_heat_read(int fd, struct kvmwatch_heat **heat);
void kvmwatch_heat_free(struct kvmwatch_heat *heat);

/*
 * Read the current entries of @nr pages, from page number @first on, of heat->slots[@slot]. @size:
 * bytes of an entry. -EINVAL: the slot has fewer pages.
 */
int kvmwatch_heat_pages_sized(int fd, const struct kvmwatch_heat *heat, size_t slot, __u64 first,
			      __u64 nr, struct kvmwatch_heat_page *pages, size_t size);

static inline int kvmwatch_heat_pages(int fd, const struct kvmwatch_heat *heat, size_t slot,
				      __u64 first, __u64 nr, struct kvmwatch_heat_page *pages)
{
	return kvmwatch_heat_pages_sized(fd, heat, slot, first, nr, pages, sizeof(*pages));
}

/*
 * Distinct pages of heat->slots[@slot] marked in a window of length number @window, summed up over
 * the windows that have ended; 0 if there is no such length.
 */
__u64 kvmwatch_heat_distinct(const struct kvmwatch_heat *heat, size_t slot, unsigned int window);

/**
 * kvmwatch_heat_window() - the number of distinct pages dirtied in windows of one length
 * @heat: the last read
 * @before: an earlier read of the same fd, to include only windows that ended in between; NULL: to
 *	include all windows that have ended
 * @slot: index of the slot
 * @window: number of the length, less than heat->head->nr_windows
 * @pages: set to the distinct pages of each window, summed up over the windows
 * @windows: set to the number of windows
 *
 * The mean, *@pages / *@windows, is u(t) for t = heat->head->window_ns << @window.
 *
 * Return: 0; -ENODATA: no such window has ended; -EINVAL.
 */
int kvmwatch_heat_window(const struct kvmwatch_heat *heat, const struct kvmwatch_heat *before,
			 size_t slot, unsigned int window, __u64 *pages, __u64 *windows);

/* --- names of guests ------------------------------------------------------- */

/**
 * struct kvmwatch_guest - the identity of a guest; belongs to the library
 * @name:	the guest's name on the VMM's command line. Whoever starts the VM chooses the name,
 *		and it may contain any byte but NUL: escape it before you print it
 * @uuid:	the guest's UUID on the command line, in lower case and with dashes
 * @unit:	the unit of the system's systemd that the VMM runs in
 * @user_unit:	the unit of a user's systemd that the VMM runs in
 *
 * Each is NULL if unknown. The library knows the command lines of QEMU (also as libvirt, Proxmox VE
 * and Nova start it), Firecracker, Cloud Hypervisor, crosvm, kvmtool, StratoVirt and VirtualBox.
 */
struct kvmwatch_guest {
	const char *name;
	const char *uuid;
	const char *unit;
	const char *user_unit;
};

/**
 * kvmwatch_guest_read() - find the identity of a running VMM's guest
 * @pid: the process, @pid of struct kvmwatch_vm
 * @guest: set; free it with kvmwatch_guest_free()
 *
 * Reading the command line of a stuck process blocks, so call this from a thread that may wait.
 * The process may have ended, and another one may have its pid. So list the VM again afterwards: if
 * it still has this pid, the result is of its VMM.
 *
 * Return: 0, even if nothing is known; -ESRCH: there is no such process, or it is not visible in
 * this pid namespace; -ENOMEM.
 */
int kvmwatch_guest_read(int pid, struct kvmwatch_guest **guest);

/**
 * kvmwatch_guest_parse() - find name and UUID in a command line of a VMM
 * @cmdline: NUL-terminated arguments, as in /proc/PID/cmdline
 * @len: bytes of @cmdline
 * @exe: the file that the process runs, as the first argument may be anything; NULL: unknown
 * @guest: set, without units; free it with kvmwatch_guest_free()
 *
 * Return: 0, even if nothing is known, or -ENOMEM.
 */
int kvmwatch_guest_parse(const char *cmdline, size_t len, const char *exe,
			 struct kvmwatch_guest **guest);

void kvmwatch_guest_free(struct kvmwatch_guest *guest);

#ifdef __cplusplus
}
#endif

#endif /* LIBKVMWATCH_H */
