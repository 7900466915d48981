/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest names, UUIDs and units of many VMs, kept between looks.
 *
 * Reading a command line takes the mmap_lock of its process, and may fault in one of its pages.
 * Both can block forever if that process is stuck. So a thread reads, and the tool waits for it for
 * a limited time. Names that were not read by then are unknown, and appear at a later look if the
 * read ends after all.
 */
#ifndef KVMWATCH_GUEST_NAMES_H
#define KVMWATCH_GUEST_NAMES_H

#include <stddef.h>

struct guest_names;
struct vm;

/**
 * guest_names_fill() - set the names of each VM of a list
 * @names: the names kept between looks; *@names is NULL at the first look
 * @vms: the VMs. Sets @guest, @uuid, @unit and @user_unit of each, to NULL if unknown; the caller
 *	frees them
 * @nr: number of @vms
 *
 * Reads the command line of each VM once, and forgets VMs that are no longer listed.
 *
 * Return: 0 or -ENOMEM.
 */
int guest_names_fill(struct guest_names **names, struct vm *vms, size_t nr);

void guest_names_free(struct guest_names *names);

#endif /* KVMWATCH_GUEST_NAMES_H */
