/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libkvmwatch: read kvmwatch, that is the device, its lists, and stats fds.
 *
 * Everything here returns 0 (or a file descriptor, or a number) or -errno, prints nothing
 * and needs libc alone. No byte that comes out of a file descriptor is trusted: what
 * these functions hand out lies within memory they allocated, strings end, and
 * -EBADMSG says that the other side does not keep to the format. KVM's own stats
 * fds (KVM_GET_STATS_FD) have the same format and can be read as well.
 *
 * There is no state but in what is passed: threads may do as they like with objects of
 * their own.
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
 * kvmwatch_device_open() - open the device and ask what it is
 * @path: usually KVMWATCH_DEVICE
 * @info: filled, also when the ABI is one that this reader does not know
 *
 * Return: the file descriptor, close-on-exec; or -errno of open(2) or of the
 * ioctl, where -ENOTTY means that this is another device, and -EPROTONOSUPPORT
 * that the module speaks another ABI (then @info says which).
 */
int kvmwatch_device_open(const char *path, struct kvmwatch_info *info);

/* Ask again what it is, and whether it watches: 0 or -errno. */
int kvmwatch_device_info(int dev, struct kvmwatch_info *info);

/*
 * List all objects of a kind into an array that the caller frees with free().
 * The vCPUs and slots are those of the VM with id @vm, or of all VMs if it is 0.
 * An empty list is a success, with *@nr 0.
 */
int kvmwatch_list_vms(int dev, struct kvmwatch_vm **vms, size_t *nr);
int kvmwatch_list_vcpus(int dev, __u64 vm, struct kvmwatch_vcpu **vcpus, size_t *nr);
int kvmwatch_list_slots(int dev, __u64 vm, struct kvmwatch_slot **slots, size_t *nr);
int kvmwatch_list_hooks(int dev, struct kvmwatch_hook **hooks, size_t *nr);
int kvmwatch_list_stats(int dev, struct kvmwatch_stat **stats, size_t *nr);

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

/* Have the module audit a VM, see struct kvmwatch_audit. Returns 0 or -errno. */
int kvmwatch_audit(int dev, __u64 vm, struct kvmwatch_audit *audit);

struct kvmwatch_mapping;

/**
 * struct kvmwatch_value - one statistic, as found in a stats fd
 * @name:		its name: printable, not empty, unique within the object
 * @flags:		KVMWATCH_STATS_*: type, unit and base
 * @exponent:		see struct kvmwatch_stats_desc
 * @size:		number of elements of @data; 1 unless it is a histogram
 * @bucket_size:	width of a bucket of a linear histogram; else 0
 * @data:		what it was when last read
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
 * struct kvmwatch_stats - what a stats fd says
 * @id:		its id string
 * @nr:		number of @values
 * @values:	the statistics, in the order of the descriptors; those of a type
 *		that this reader does not know are left out
 *
 * The rest belongs to the reader.
 */
struct kvmwatch_stats {
	const char *id;
	size_t nr;
	struct kvmwatch_value *values;

	char *names;
	__u64 *data;
	__u64 *spare;
	size_t data_size;
	__u32 data_offset;
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

/**
 * kvmwatch_map() - map a stats fd of kvmwatch (not of KVM)
 * @fd: stays the caller's, who may close it right away
 * @stats: what was read from it
 * @mapping: set; to be freed with kvmwatch_unmap()
 *
 * Return: 0, -errno of mmap(2), -EBADMSG or -ENOMEM.
 */
int kvmwatch_map(int fd, const struct kvmwatch_stats *stats, struct kvmwatch_mapping **mapping);

/**
 * kvmwatch_map_read() - take the data from where it is mapped, without a system call
 * @mapping: the mapping
 * @stats: what it was made with: its values are changed in place; unchanged when this fails
 * @head: filled, if it is not NULL: when the copy was made, and whether it is the last
 *
 * Return: 0; -ENODATA: the kernel has not made the first copy yet; -EAGAIN: it is just
 * making one. Both pass; kvmwatch_stats_update() works meanwhile. -EINVAL: @stats are those of
 * another object.
 */
int kvmwatch_map_read(const struct kvmwatch_mapping *mapping, struct kvmwatch_stats *stats,
		      struct kvmwatch_map *head);

void kvmwatch_unmap(struct kvmwatch_mapping *mapping);

/**
 * struct kvmwatch_all - the numbers of all objects of a kind, of one read
 * @kind:	KVMWATCH_KIND_*
 * @generation:	see struct kvmwatch_list
 * @begin_ns:	when the first object was looked at, by CLOCK_MONOTONIC
 * @end_ns:	when the last one had been
 * @nr_stats:	number of @stats
 * @stats:	the statistics of this kind; @data of each is NULL
 * @nr:		number of objects
 *
 * The rest belongs to the library.
 */
struct kvmwatch_all {
	__u32 kind;
	__u64 generation;
	__u64 begin_ns;
	__u64 end_ns;
	size_t nr_stats;
	struct kvmwatch_value *stats;
	size_t nr;

	char *raw;
	__u32 *index;
	__u32 *offset;
	size_t item_offset;
	size_t item_size;
};

/**
 * kvmwatch_all_read() - take the numbers of all objects
 * @fd: of kvmwatch_open_all()
 * @all: set; to be freed with kvmwatch_all_free()
 *
 * Return: 0; -EFBIG: there are more than one read(2) can take, which is 2 GiB: leave out
 * histograms, or read VM by VM; -EBADMSG if it is no such fd or a broken one; -ENOMEM; -EAGAIN:
 * objects came faster than they were read; or -errno of read(2).
 */
int kvmwatch_all_read(int fd, struct kvmwatch_all **all);
void kvmwatch_all_free(struct kvmwatch_all *all);

/* Which object number @item, less than @nr, is. */
const struct kvmwatch_all_item *kvmwatch_all_item(const struct kvmwatch_all *all, size_t item);

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
 * struct kvmwatch_heat - what there is to say of all slots whose pages are counted
 * @head:	of the VM
 * @nr:		how many slots, the same for the life of the fd
 * @slots:	the slots, always in the same order
 */
struct kvmwatch_heat {
	struct kvmwatch_heat_header head;
	size_t nr;
	struct kvmwatch_heat_slot *slots;
};

/* Read it from such an fd; to be freed with kvmwatch_heat_free(). */
int kvmwatch_heat_read(int fd, struct kvmwatch_heat **heat);
void kvmwatch_heat_free(struct kvmwatch_heat *heat);

/*
 * Read @nr pages of slot number @slot (an index of heat->slots), page number @first being the
 * first one, as they are now. -EINVAL: it has not so many.
 */
int kvmwatch_heat_pages(int fd, const struct kvmwatch_heat *heat, size_t slot, __u64 first,
			__u64 nr, struct kvmwatch_heat_page *pages);

/**
 * kvmwatch_heat_window() - how many distinct pages are dirtied in windows of one length
 * @heat: what was read last
 * @before: what was read from the same fd earlier: only windows that ended in between; NULL:
 *	all that ended
 * @slot: index of the slot
 * @window: number of the length, less than heat->head.nr_windows
 * @pages: set to the distinct pages of each window, summed up over them
 * @windows: set to how many windows these were
 *
 * The mean, *@pages / *@windows, is u(t) for t = heat->head.window_ns << @window.
 *
 * Return: 0; -ENODATA: none has ended yet; -EINVAL.
 */
int kvmwatch_heat_window(const struct kvmwatch_heat *heat, const struct kvmwatch_heat *before,
			 size_t slot, unsigned int window, __u64 *pages, __u64 *windows);

#ifdef __cplusplus
}
#endif

#endif /* LIBKVMWATCH_H */
