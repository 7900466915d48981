/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMs of a command: all, or those that --vm selects. --vm is resolved once, to kvmwatch ids.
 * Ids are never reused, so a command that repeats cannot switch to another VM with the same pid or
 * name.
 */
#ifndef KVMWATCH_SELECT_H
#define KVMWATCH_SELECT_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/kvmwatch.h>

struct guest_names;

/**
 * struct vm - a VM, and what only its VMM's process tells; see identity.h
 * @info:	as kvmwatch lists it
 * @guest:	its guest name; NULL: not known
 * @uuid:	its UUID; NULL: not known
 * @unit:	the systemd unit of its VMM; NULL: none, or not known
 * @user_unit:	that of a user's systemd; likewise
 */
struct vm {
	struct kvmwatch_vm info;
	char *guest;
	char *uuid;
	char *unit;
	char *user_unit;
};

/**
 * struct selection - what --vm picks
 * @arg:	what the user wrote; NULL: everything
 * @names:	of guests, kept between looks
 * @ids:	kvmwatch ids of the VMs picked, once resolved, the lowest first
 * @nr:		how many
 * @resolved:	whether that was done
 */
struct selection {
	const char *arg;
	struct guest_names *names;
	__u64 *ids;
	size_t nr;
	bool resolved;
};

/**
 * select_match() - which VMs an argument means
 * @arg: "pid:N", "id:N", "name:S", "guest:S", "uuid:S", "unit:S"; or without saying which: any of
 *	them
 * @vms: the VMs to choose from
 * @nr: how many
 * @match: as long as @vms; set for each
 *
 * Without saying which, and as a UUID, it must mean one VM. Else several match when one process
 * runs them, or they have one guest name or unit.
 *
 * Return: how many match; -ENOENT: none; -EEXIST: it means more VMs than it may; -EINVAL: no number
 * or UUID where one must be.
 */
int select_match(const char *arg, const struct vm *vms, size_t nr, bool *match);

/*
 * The VMs that an argument may mean, for a message: "pid:7 is VM 3 (7-12), id:7 is VM 7 (100-9)".
 * The caller frees it; NULL: no memory.
 */
char *select_candidates(const char *arg, const struct vm *vms, size_t nr);

/**
 * vms_get() - list the VMs of a selection
 * @dev: the device
 * @selection: resolved here if it is not yet
 * @vms: an array, to be freed with vms_put(); empty when this fails
 * @nr: how many
 *
 * Return: 0; or an exit code, and it was said on stderr what is wrong.
 */
int vms_get(int dev, struct selection *selection, struct vm **vms, size_t *nr);
void vms_put(struct vm *vms, size_t nr);

/* Is kvm.ko loaded? Without it there is no VM, and no hook. */
bool kvm_is_loaded(void);

/*
 * Print why no VM was shown. If one was selected and has ended, that is a failure. If none runs,
 * that is an answer, but a table without rows would look like a fault. Returns an exit code.
 */
int vms_none(const struct selection *selection, const char *what);

void selection_free(struct selection *selection);

#endif /* KVMWATCH_SELECT_H */
