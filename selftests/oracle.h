/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM's own numbers, to compare with.
 *
 * They come from stats fds (KVM_GET_STATS_FD, 5.14 and later) and from debugfs. The reader of stats
 * fds works for every fd of that format, including kvmwatch's, and shares no code with the library.
 * It keeps no state, so each call reads the layout again.
 *
 * Functions return 0 or a count, else -errno. They never exit or print.
 */
#ifndef SELFTESTS_ORACLE_H
#define SELFTESTS_ORACLE_H

#include <linux/types.h>
#include <stddef.h>

#include "guest.h"

/* As struct kvm_stats_desc, without its open end. */
struct oracle_desc {
	__u32 flags;
	__s16 exponent;
	__u16 size;
	__u32 offset;
	__u32 bucket_size;
	char name[64];
};

/* Open the stats fd of a KVM VM or vCPU fd. -ENOTTY: KVM has none (5.10). */
int oracle_open(int kvm_fd);

/* Value of a statistic. -ENOENT: not there. -EISDIR: a histogram. */
int oracle_read(int stats_fd, const char *name, __u64 *value);
/* Buckets of a histogram: how many it has; at most @max are written. */
int oracle_hist(int stats_fd, const char *name, __u64 *buckets, size_t max);
/* All buckets of a histogram together. */
int oracle_hist_sum(int stats_fd, const char *name, __u64 *sum);
/*
 * All that a stats fd has, with one read, so that its numbers are of one moment; to be
 * freed. NULL: errno tells. @size may be NULL.
 */
void *oracle_snapshot(int stats_fd, size_t *size);
/*
 * The values of a statistic in a snapshot; NULL: it is not there. *@cells gets how many there are;
 * @cells may be NULL.
 */
const __u64 *oracle_in(const void *snapshot, const char *name, unsigned int *cells);
/* Descriptor number @index. -ENOENT: past the last. */
int oracle_desc(int stats_fd, unsigned int index, struct oracle_desc *desc);
/* The id string. */
int oracle_id(int stats_fd, char *id, size_t size);
/*
 * Is the layout as KVM's documentation says and its readers expect? Returns 0 if so, else -EPROTO,
 * and *@why says in words what is wrong.
 */
int oracle_check(int stats_fd, const char **why);

/*
 * Value of a file in a VM's debugfs directory, e.g. "pages_4k", "halt_exits" (of
 * all its vCPUs) or "vcpu0/guest_mode". @vm is guest_name(). -ENOENT: no such
 * file in this kernel, no such VM, or debugfs is not mounted.
 */
int oracle_debugfs(const char *vm, const char *file, __u64 *value);
/* Path of that directory. */
int oracle_debugfs_dir(const char *vm, char *path, size_t size);
/* How many VMs KVM has now, going by its debugfs. */
int oracle_debugfs_vms(void);

/*
 * KVM's numbers of a VM or vCPU, from a stats fd or (5.10) from the VM's debugfs directory. The
 * directory has sums over all vCPUs of the VM, so numbers of a vCPU are known only if the VM has no
 * other.
 */
struct oracle {
	int stats_fd;		/* negative: KVM has none */
	char vm[32];		/* its debugfs directory; "": not the same numbers */
};

/* Call these while the vCPU is not in KVM_RUN. oracle_close() accepts a struct of zeros. */
int oracle_of_vm(struct oracle *o, struct guest *g);
int oracle_of_vcpu(struct oracle *o, struct guest *g, unsigned int vcpu);
void oracle_close(struct oracle *o);
/*
 * A number; of a histogram, the sum of its buckets. -EOPNOTSUPP: KVM has neither stats fds nor this
 * number in debugfs. If KVM has stats fds without this number: -ENOENT.
 */
int oracle_number(const struct oracle *o, const char *name, __u64 *value);

#endif /* SELFTESTS_ORACLE_H */
