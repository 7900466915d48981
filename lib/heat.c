// SPDX-License-Identifier: LGPL-2.1-or-later
/* Read per-page heat. See libkvmwatch.h. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libkvmwatch.h"

#define MAX_SLOTS	0x100000U
#define MAX_ENTRY	4096U
#define MAX_WINDOWS	64U
#define CHUNK		65536U		/* bytes */

/* Sizes of the first published structures: no module has shorter ones. */
#define FIRST_HEADER	80
#define FIRST_SLOT	56
#define FIRST_PAGE	8

/**
 * struct heat - header and slots of a heat fd
 * @pub:	the public part
 * @raw:	the bytes read: header and slots
 * @head:	the header; members that the module does not know are 0
 * @slots:	the slots, in @raw or @longer
 * @longer:	slots of older modules, extended to our size; else NULL
 */
struct heat {
	struct kvmwatch_heat pub;
	char *raw;
	struct kvmwatch_heat_header head;
	const struct kvmwatch_heat_slot **slots;
	struct kvmwatch_heat_slot *longer;
};

static struct heat *heat_of(const struct kvmwatch_heat *pub)
{
	return (struct heat *)((char *)pub - offsetof(struct heat, pub));
}

/* --- opening ------------------------------------------------------------- */

static int open_heat(int dev, struct kvmwatch_open *arg)
{
	int fd;

	arg->size = sizeof(*arg);
	fd = ioctl(dev, KVMWATCH_OPEN_HEAT, arg);
	return fd < 0 ? -errno : fd;
}

int kvmwatch_open_heat_vm(int dev, __u64 vm)
{
	struct kvmwatch_open arg = { .kind = KVMWATCH_KIND_VM, .id = vm };

	return open_heat(dev, &arg);
}

int kvmwatch_open_heat_slot(int dev, __u64 vm, __u16 as_id, __u16 slot)
{
	struct kvmwatch_open arg = {
		.kind = KVMWATCH_KIND_SLOT, .id = vm, .as_id = as_id, .slot = slot,
	};

	return open_heat(dev, &arg);
}

int kvmwatch_open_heat_vm_fd(int dev, int vm_fd)
{
	struct kvmwatch_open arg = {
		.kind = KVMWATCH_KIND_VM, .flags = KVMWATCH_OPEN_BY_FD, .fd = vm_fd,
	};

	return open_heat(dev, &arg);
}

int kvmwatch_open_heat_slot_fd(int dev, int vm_fd, __u16 as_id, __u16 slot)
{
	struct kvmwatch_open arg = {
		.kind = KVMWATCH_KIND_SLOT, .flags = KVMWATCH_OPEN_BY_FD, .fd = vm_fd,
		.as_id = as_id, .slot = slot,
	};

	return open_heat(dev, &arg);
}

/* --- reading ------------------------------------------------------------- */

/* Read all of @size bytes. Returns 0 or -errno; -EBADMSG: the file has fewer. */
static int read_whole(int fd, void *buf, size_t size, __u64 offset)
{
	size_t done = 0;
	ssize_t got;

	while (done < size) {
		got = pread(fd, (char *)buf + done, size - done, offset + done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EBADMSG;
		done += got;
	}
	return 0;
}

static int check_header(const struct kvmwatch_heat_header *header)
{
	if (header->header_size < FIRST_HEADER || header->slot_offset < header->header_size ||
	    header->slot_offset > MAX_ENTRY || header->slot_size > MAX_ENTRY ||
	    header->nr_slots > MAX_SLOTS)
		return -EBADMSG;
	if (header->slot_filled < FIRST_SLOT || header->slot_filled > header->slot_size ||
	    header->distinct_offset < header->slot_filled || header->nr_windows > MAX_WINDOWS ||
	    header->distinct_offset + header->nr_windows * sizeof(__u64) > header->slot_size)
		return -EBADMSG;
	if ((header->slot_offset | header->slot_size | header->distinct_offset) % sizeof(__u64))
		return -EBADMSG;
	if (header->page_size < FIRST_PAGE || header->page_size > MAX_ENTRY)
		return -EBADMSG;
	if (!header->nr_windows || !header->window_ns || header->window_ns >> 40)
		return -EBADMSG;
	return 0;
}

/* Bound a slot's number of pages and their offset, so that no sum of them overflows. */
static int check_slot(const struct kvmwatch_heat_slot *slot)
{
	return slot->npages >> 40 || slot->page_offset >> 60 ? -EBADMSG : 0;
}

static const char *slot_at(const struct heat *heat, size_t slot)
{
	return heat->raw + heat->head.slot_offset + slot * heat->head.slot_size;
}

/* Copy the header: that of an older module is shorter than ours. */
static int take_header(struct kvmwatch_heat_header *header, const void *from, size_t size)
{
	memset(header, 0, sizeof(*header));
	memcpy(header, from, size);
	if (header->header_size < size)
		memset((char *)header + header->header_size, 0, size - header->header_size);
	return check_header(header);
}

/* The slot at place @i, extended to our size if the module's is shorter. */
static const struct kvmwatch_heat_slot *take_slot(struct heat *heat, size_t i)
{
	const char *from = slot_at(heat, i);

	if (!heat->longer)
		return (const void *)from;
	memcpy(&heat->longer[i], from, heat->head.slot_filled);
	return &heat->longer[i];
}

/* Use heat->raw, which has header and slots of one read. */
static int take(struct heat *heat)
{
	size_t i;
	int err;

	heat->pub.head = &heat->head;
	heat->pub.nr = heat->head.nr_slots;
	heat->slots = calloc(heat->pub.nr + 1, sizeof(*heat->slots));
	if (heat->head.slot_filled < sizeof(*heat->longer))
		heat->longer = calloc(heat->pub.nr + 1, sizeof(*heat->longer));
	if (!heat->slots || (heat->head.slot_filled < sizeof(*heat->longer) && !heat->longer))
		return -ENOMEM;
	heat->pub.slots = heat->slots;
	for (i = 0; i < heat->pub.nr; i++) {
		heat->slots[i] = take_slot(heat, i);
		err = check_slot(heat->slots[i]);
		if (err)
			return err;
	}
	return 0;
}

/* Do two headers have the same layout? */
static int same_shape(const struct kvmwatch_heat_header *a, const struct kvmwatch_heat_header *b)
{
	return a->slot_offset == b->slot_offset && a->slot_size == b->slot_size &&
	       a->nr_slots == b->nr_slots && a->header_size == b->header_size;
}

/* Read the header as the first module had it, then all that it says is there. */
static int read_head(int fd, struct heat *heat)
{
	struct kvmwatch_heat_header header;
	char first[FIRST_HEADER];
	size_t size;
	int err;

	err = read_whole(fd, first, sizeof(first), 0);
	if (!err)
		err = take_header(&header, first, sizeof(first));
	if (err)
		return err;
	size = header.slot_offset + (size_t)header.nr_slots * header.slot_size;
	heat->raw = malloc(size);
	if (!heat->raw)
		return -ENOMEM;
	err = read_whole(fd, heat->raw, size, 0);
	if (!err)
		err = take_header(&heat->head, heat->raw,
				  size < sizeof(header) ? size : sizeof(header));
	if (err)
		return err;
	return same_shape(&header, &heat->head) ? take(heat) : -EBADMSG;
}

int kvmwatch_heat_read(int fd, struct kvmwatch_heat **heat)
{
	struct heat *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	err = read_head(fd, h);
	if (err) {
		kvmwatch_heat_free(&h->pub);
		return err;
	}
	*heat = &h->pub;
	return 0;
}

void kvmwatch_heat_free(struct kvmwatch_heat *heat)
{
	struct heat *h;

	if (!heat)
		return;
	h = heat_of(heat);
	free(h->slots);
	free(h->longer);
	free(h->raw);
	free(h);
}

/* Read entries whose size differs from the caller's: in chunks, and only the common members. */
static int read_longer(int fd, __u32 entry, __u64 offset, __u64 nr, char *pages, size_t size)
{
	size_t both = size < entry ? size : entry;
	__u64 done, i, part, room = CHUNK / entry;
	char *raw = malloc(room * entry);
	int err = raw ? 0 : -ENOMEM;

	for (done = 0; done < nr && !err; done += part) {
		part = nr - done < room ? nr - done : room;
		err = read_whole(fd, raw, part * entry, offset + done * entry);
		for (i = 0; i < part && !err; i++) {
			memset(pages + (done + i) * size, 0, size);
			memcpy(pages + (done + i) * size, raw + i * entry, both);
		}
	}
	free(raw);
	return err;
}

int kvmwatch_heat_pages_sized(int fd, const struct kvmwatch_heat *heat, size_t slot, __u64 first,
			      __u64 nr, struct kvmwatch_heat_page *pages, size_t size)
{
	__u32 entry = heat->head->page_size;
	__u64 offset;

	if (slot >= heat->nr || first > heat->slots[slot]->npages ||
	    nr > heat->slots[slot]->npages - first)
		return -EINVAL;
	offset = heat->slots[slot]->page_offset + first * entry;
	if (entry == size)
		return read_whole(fd, pages, nr * size, offset);
	return read_longer(fd, entry, offset, nr, (char *)pages, size);
}

/* --- windows ------------------------------------------------------------- */

__u64 kvmwatch_heat_distinct(const struct kvmwatch_heat *heat, size_t slot, unsigned int window)
{
	const struct heat *h = heat_of(heat);

	if (slot >= heat->nr || window >= heat->head->nr_windows)
		return 0;
	return ((const __u64 *)(slot_at(h, slot) + heat->head->distinct_offset))[window];
}

int kvmwatch_heat_window(const struct kvmwatch_heat *heat, const struct kvmwatch_heat *before,
			 size_t slot, unsigned int window, __u64 *pages, __u64 *windows)
{
	__u64 ticks = 0;

	if (slot >= heat->nr || window >= heat->head->nr_windows)
		return -EINVAL;
	if (before) {
		if (slot >= before->nr || before->head->vm != heat->head->vm)
			return -EINVAL;
		ticks = before->slots[slot]->ticks;
		if (ticks > heat->slots[slot]->ticks)
			return -EINVAL;
	}
	*windows = (heat->slots[slot]->ticks >> window) - (ticks >> window);
	*pages = kvmwatch_heat_distinct(heat, slot, window) -
		 (before ? kvmwatch_heat_distinct(before, slot, window) : 0);
	return *windows ? 0 : -ENODATA;
}
