/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pages of a VM that were marked dirty, by per-page heat: their places, and a random choice of
 * them whose contents can be looked at.
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
 * @marked:	marked pages in each of MARKED_PARTS equal parts
 */
struct marked_slot {
	__u16 as_id, id;
	__u64 pages;
	__u64 marked[MARKED_PARTS];
};

/**
 * struct marked - all marked pages
 * @pages:	their number
 * @slots:	by slot
 * @nr_slots:	number of @slots
 * @chosen:	addresses, in the VMM, of pages chosen with equal probability
 * @nr_chosen:	number of @chosen
 */
struct marked {
	__u64 pages;
	struct marked_slot *slots;
	size_t nr_slots;
	__u64 chosen[MARKED_CHOSEN];
	size_t nr_chosen;
};

/*
 * Read the pages marked since @heat was opened, see kvmwatch_open_heat_vm(). @slots: the list of
 * kvmwatch_list_slots(), for addresses; slots that are gone or replaced are left out. Returns 0 or
 * -errno. Free the result with marked_free(), even after an error.
 */
int marked_read(int heat, const struct kvmwatch_slot *slots, size_t nr, struct marked *marked);
void marked_free(struct marked *marked);

#endif /* KVMWATCH_MARKED_H */
