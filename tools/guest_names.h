/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What many VMs are called, kept from one look to the next: guest names, UUIDs and units.
 *
 * Reading a command line takes the mmap_lock of its process, and may fault in a page of it: either
 * can last for ever when that process is stuck. So a thread reads, and the tool waits for it for a
 * limited time only. What was not read by then is unknown, and appears at a later look
 * if the process answers after all.
 */
#ifndef KVMWATCH_GUEST_NAMES_H
#define KVMWATCH_GUEST_NAMES_H

#include <stddef.h>

struct guest_names;
struct vm;

/**
 * guest_names_fill() - set what each VM of a list is called
 * @names: what is kept between looks; *@names is NULL at the first one
 * @vms: the VMs. @guest, @uuid, @unit and @user_unit of each are set, to NULL if it is unknown; the
 *	caller frees them
 * @nr: how many
 *
 * A command line is read once for each VM. VMs that are no longer listed are forgotten.
 *
 * Return: 0 or -ENOMEM.
 */
int guest_names_fill(struct guest_names **names, struct vm *vms, size_t nr);

void guest_names_free(struct guest_names *names);

#endif /* KVMWATCH_GUEST_NAMES_H */
