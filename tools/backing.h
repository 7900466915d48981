/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How the host backs the memory of a VM's slots: with huge pages or small ones.
 *
 * KVM maps guest memory with a huge page only where the VMM's own page tables have one, where the
 * slot has guest and host addresses in step, and where the huge page lies within the slot. That is
 * asked here for each page, from outside: of /proc/PID/pagemap, and of /proc/PID/smaps.
 *
 * The VM runs meanwhile, so this is not of one moment.
 */
#ifndef KVMWATCH_BACKING_H
#define KVMWATCH_BACKING_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

struct kvmwatch_slot;

#define BACKING_WHY	96

/* What backs a page of a slot, and so what KVM may map it with */
enum backing_kind {
	BACKING_1G,		/* KVM may map it by 1 GiB */
	BACKING_2M,		/* KVM may map it by 2 MiB */
	BACKING_EDGE,		/* a huge page that does not lie within the slot as a whole */
	BACKING_UNALIGNED,	/* a huge page, but guest and host addresses are not in step */
	BACKING_SMALL,		/* a page of 4 KiB */
	BACKING_ABSENT,		/* none: not in the VMM's page tables */
	BACKING_KINDS
};

/**
 * struct backing - what backs a slot
 * @known:	false: @why says why not
 * @aligned:	guest and host addresses are the same modulo 2 MiB
 * @cut:	the slot begins or ends within 2 MiB
 * @bytes:	by kind; together they are the slot
 * @why:	why it is not known
 */
struct backing {
	bool known;
	bool aligned, cut;
	__u64 bytes[BACKING_KINDS];
	char why[BACKING_WHY];
};

/**
 * backing_look() - look at the backing of slots
 * @pid: the VMM's process; 0: it is not visible here
 * @slots: of the VM, as kvmwatch_list_slots() lists them
 * @nr: how many
 * @backings: @nr of them, filled; @aligned and @cut also of those that are not known
 *
 * Return: 0; or -EINTR: a signal came, and nothing is known.
 */
int backing_look(int pid, const struct kvmwatch_slot *slots, size_t nr, struct backing *backings);

#endif /* KVMWATCH_BACKING_H */
