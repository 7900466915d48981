// SPDX-License-Identifier: GPL-2.0
/* The pages of a VM that were marked dirty. See marked.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "libkvmwatch.h"
#include "marked.h"

#define PAGE_BYTES	4096ULL
#define CHUNK		4096	/* entries read at once */

struct choice {
	struct marked *marked;
	__u64 random;
};

/* Marsaglia: "Xorshift RNGs", 2003 */
static __u64 next_random(struct choice *choice)
{
	choice->random ^= choice->random << 13;
	choice->random ^= choice->random >> 7;
	choice->random ^= choice->random << 17;
	return choice->random;
}

/* Vitter: "Random sampling with a reservoir", 1985, algorithm R */
static void choose(struct choice *choice, __u64 address)
{
	struct marked *marked = choice->marked;
	__u64 at = marked->pages++;

	if (at < MARKED_CHOSEN)
		marked->nr_chosen++;
	else
		at = next_random(choice) % marked->pages;
	if (at < MARKED_CHOSEN)
		marked->chosen[at] = address;
}

static const struct kvmwatch_slot *find_slot(const struct kvmwatch_slot *slots, size_t nr,
					     const struct kvmwatch_heat_slot *heat)
{
	const struct kvmwatch_slot *slot;

	for (slot = slots; slot < slots + nr; slot++) {
		if (slot->as_id == heat->as_id && slot->id == heat->id)
			return slot->npages == heat->npages &&
			       !(heat->flags & KVMWATCH_HEAT_GONE) ? slot : NULL;
	}
	return NULL;
}

static int read_slot(struct choice *choice, int fd, const struct kvmwatch_heat *heat, size_t i,
		     const struct kvmwatch_slot *slot)
{
	struct marked_slot *to = &choice->marked->slots[choice->marked->nr_slots++];
	struct kvmwatch_heat_page pages[CHUNK];
	__u64 at, nr, j;
	int err;

	to->as_id = slot->as_id;
	to->id = slot->id;
	to->pages = slot->npages;
	for (at = 0; at < slot->npages; at += nr) {
		nr = slot->npages - at < CHUNK ? slot->npages - at : CHUNK;
		err = kvmwatch_heat_pages(fd, heat, i, at, nr, pages);
		if (err)
			return err;
		for (j = 0; j < nr; j++) {
			if (!pages[j].count)
				continue;
			to->marked[(at + j) * MARKED_PARTS / slot->npages]++;
			choose(choice, slot->userspace_addr + (at + j) * PAGE_BYTES);
		}
	}
	return 0;
}

int marked_read(int fd, const struct kvmwatch_slot *slots, size_t nr, struct marked *marked)
{
	struct choice choice = { .marked = marked };
	const struct kvmwatch_slot *slot;
	struct kvmwatch_heat *heat;
	size_t i;
	int err;

	memset(marked, 0, sizeof(*marked));
	if (getrandom(&choice.random, sizeof(choice.random), 0) != sizeof(choice.random))
		return -EIO;
	choice.random |= 1;
	err = kvmwatch_heat_read(fd, &heat);
	if (err)
		return err;
	marked->slots = calloc(heat->nr + 1, sizeof(*marked->slots));
	if (!marked->slots)
		err = -ENOMEM;
	for (i = 0; !err && i < heat->nr; i++) {
		slot = find_slot(slots, nr, heat->slots[i]);
		if (slot)
			err = read_slot(&choice, fd, heat, i, slot);
	}
	kvmwatch_heat_free(heat);
	return err;
}

void marked_free(struct marked *marked)
{
	free(marked->slots);
	marked->slots = NULL;
}
