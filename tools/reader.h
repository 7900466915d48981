/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Read kvmwatch: the device, its lists, and stats fds.
 *
 * Everything here returns 0 (or a file descriptor) or -errno, prints nothing and
 * needs libc alone. No byte that comes out of a file descriptor is trusted: what
 * these functions hand out lies within memory they allocated, strings end, and
 * -EBADMSG says that the other side does not keep to the format. KVM's own stats
 * fds (KVM_GET_STATS_FD) have the same format and can be read as well.
 */
#ifndef KVMWATCH_READER_H
#define KVMWATCH_READER_H

#include <stddef.h>

#include <linux/kvmwatch.h>

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

/* Have the module audit a VM, see struct kvmwatch_audit. Returns 0 or -errno. */
int kvmwatch_audit(int dev, __u64 vm, struct kvmwatch_audit *audit);

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

/* The statistic of that name, or NULL: it may be unavailable at any time. */
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

#endif /* KVMWATCH_READER_H */
