/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Check whether an object is listed, has a directory or is in a table, for tests in which VMs,
 * vCPUs and slots are created and end.
 */
#ifndef SELFTESTS_LISTED_H
#define SELFTESTS_LISTED_H

#include <linux/types.h>
#include <stdbool.h>

struct guest;
struct kvmwatch_slot;

bool is_listed(struct guest *g);
/* By kvmwatch's id of a VM. */
bool id_is_listed(__u64 id);
/* Number of listed objects of a kind, of VM @vm or of all (0); or -errno. */
int listed_count(unsigned int kind, __u64 vm);
/* Get the list item of a slot of address space 0. Returns 0 or -errno. */
int listed_slot(__u64 vm, unsigned int id, struct kvmwatch_slot *slot);

/* Open a stats fd by kvmwatch id, or by KVM's fd of the VM or vCPU. Returns the fd or -errno. */
int open_by_id(unsigned int kind, __u64 id, unsigned int slot);
int open_by_fd(unsigned int kind, int kvm_fd);
/* A number in a stats fd; all bits set: there is none. */
__u64 stat_of(int fd, const char *name);

/* Has the VM of that name a directory in debugfs? */
bool has_dir(const char *name);
/* Is this text in a table in debugfs? */
bool table_has(const char *table, const char *text);
/* Events of VMs without a record, from the file hooks; all bits set: the file has no such line. */
unsigned long long unknown_vm_events(void);

/* A VM of KVM's with neither vCPU nor slot; its fd. */
int create_bare_vm(void);

#endif /* SELFTESTS_LISTED_H */
