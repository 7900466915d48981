/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which pages of a VM were marked dirty in a while, by per-page heat: where they are, and some of
 * them, chosen at random, for a look at what they hold.
 */
#ifndef KVMWATCH_MARKED_H
#define KVMWATCH_MARKED_H

#include <stddef.h>

#include <linux/types.h>

struct kvmwatch_slot;

#define MARKED_PARTS	64	/* of a slot */
#define MARKED_CHOSEN	1024

/**
 * struct marked_slot - one slot
 * @as_id:	its address space
 * @id:		its number
 * @pages:	of 4 KiB
 * @marked:	pages that were marked, in each of as many equal parts
 */
struct marked_slot {
	__u16 as_id, id;
	__u64 pages;
	__u64 marked[MARKED_PARTS];
};

/**
 * struct marked - all of them
 * @pages:	that were marked
 * @slots:	by slot
 * @nr_slots:	how many
 * @chosen:	addresses in the VMM of some, each page as likely as any other
 * @nr_chosen:	how many
 */
struct marked {
	__u64 pages;
	struct marked_slot *slots;
	size_t nr_slots;
	__u64 chosen[MARKED_CHOSEN];
	size_t nr_chosen;
};

/*
 * What was marked since @heat was opened, see kvmwatch_open_heat_vm(). @slots: as
 * kvmwatch_list_slots() lists them, for their addresses; a slot that is not there any more, or is
 * another one now, is left out. 0 or -errno; to be freed with marked_free(), whatever is returned.
 */
int marked_read(int heat, const struct kvmwatch_slot *slots, size_t nr, struct marked *marked);
void marked_free(struct marked *marked);

#endif /* KVMWATCH_MARKED_H */
