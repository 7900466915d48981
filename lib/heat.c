// SPDX-License-Identifier: GPL-2.0
/* Read per-page heat. See libkvmwatch.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "libkvmwatch.h"

#define MAX_SLOTS	0x100000U
#define MAX_ENTRY	4096U
#define CHUNK		65536U		/* bytes */

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

/* All of @size bytes, or -errno; -EBADMSG: there are fewer. */
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
	if (header->slot_offset < sizeof(*header) || header->slot_offset > MAX_ENTRY ||
	    header->slot_size < sizeof(struct kvmwatch_heat_slot) ||
	    header->slot_size > MAX_ENTRY || header->nr_slots > MAX_SLOTS)
		return -EBADMSG;
	if (header->page_size < sizeof(struct kvmwatch_heat_page) ||
	    header->page_size > MAX_ENTRY)
		return -EBADMSG;
	if (!header->nr_windows || header->nr_windows > KVMWATCH_HEAT_WINDOWS ||
	    !header->window_ns || header->window_ns >> 40)
		return -EBADMSG;
	return 0;
}

/* Would the pages of a slot lie in a file, and can their number be reckoned with? */
static int check_slot(const struct kvmwatch_heat_slot *slot)
{
	return slot->npages >> 40 || slot->page_offset >> 60 ? -EBADMSG : 0;
}

/* Take over what was read as one piece. */
static int take(struct kvmwatch_heat *heat, const char *raw)
{
	const struct kvmwatch_heat_header *header = (const void *)raw;
	__u32 i;
	int err;

	heat->slots = calloc(header->nr_slots + 1, sizeof(*heat->slots));
	if (!heat->slots)
		return -ENOMEM;
	heat->head = *header;
	heat->nr = header->nr_slots;
	for (i = 0; i < header->nr_slots; i++) {
		memcpy(&heat->slots[i], raw + header->slot_offset + (size_t)i * header->slot_size,
		       sizeof(*heat->slots));
		err = check_slot(&heat->slots[i]);
		if (err)
			return err;
	}
	return 0;
}

/* What does not change from one read to the next must not have changed. */
static int same_shape(const struct kvmwatch_heat_header *a, const struct kvmwatch_heat_header *b)
{
	return a->slot_offset == b->slot_offset && a->slot_size == b->slot_size &&
	       a->nr_slots == b->nr_slots && !check_header(b);
}

static int read_head(int fd, struct kvmwatch_heat *heat)
{
	struct kvmwatch_heat_header header;
	size_t size;
	char *raw;
	int err;

	err = read_whole(fd, &header, sizeof(header), 0);
	if (!err)
		err = check_header(&header);
	if (err)
		return err;
	size = header.slot_offset + (size_t)header.nr_slots * header.slot_size;
	raw = malloc(size);
	if (!raw)
		return -ENOMEM;
	err = read_whole(fd, raw, size, 0);
	if (!err)
		err = same_shape(&header, (const void *)raw) ? take(heat, raw) : -EBADMSG;
	free(raw);
	return err;
}

int kvmwatch_heat_read(int fd, struct kvmwatch_heat **heat)
{
	struct kvmwatch_heat *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	err = read_head(fd, h);
	if (err) {
		kvmwatch_heat_free(h);
		return err;
	}
	*heat = h;
	return 0;
}

void kvmwatch_heat_free(struct kvmwatch_heat *heat)
{
	if (!heat)
		return;
	free(heat->slots);
	free(heat);
}

/* Entries that are longer than we know: in chunks, and take the beginning of each. */
static int read_longer(int fd, __u32 entry, __u64 offset, __u64 nr,
		       struct kvmwatch_heat_page *pages)
{
	__u64 done, i, part, room = CHUNK / entry;
	char *raw = malloc(room * entry);
	int err = raw ? 0 : -ENOMEM;

	for (done = 0; done < nr && !err; done += part) {
		part = nr - done < room ? nr - done : room;
		err = read_whole(fd, raw, part * entry, offset + done * entry);
		for (i = 0; i < part && !err; i++)
			memcpy(&pages[done + i], raw + i * entry, sizeof(*pages));
	}
	free(raw);
	return err;
}

int kvmwatch_heat_pages(int fd, const struct kvmwatch_heat *heat, size_t slot, __u64 first,
			__u64 nr, struct kvmwatch_heat_page *pages)
{
	__u32 entry = heat->head.page_size;
	__u64 offset;

	if (slot >= heat->nr || first > heat->slots[slot].npages ||
	    nr > heat->slots[slot].npages - first)
		return -EINVAL;
	offset = heat->slots[slot].page_offset + first * entry;
	if (entry == sizeof(*pages))
		return read_whole(fd, pages, nr * sizeof(*pages), offset);
	return read_longer(fd, entry, offset, nr, pages);
}

/* --- windows ------------------------------------------------------------- */

int kvmwatch_heat_window(const struct kvmwatch_heat *heat, const struct kvmwatch_heat *before,
			 size_t slot, unsigned int window, __u64 *pages, __u64 *windows)
{
	const struct kvmwatch_heat_slot *now, *was = NULL;

	if (slot >= heat->nr || window >= heat->head.nr_windows)
		return -EINVAL;
	now = &heat->slots[slot];
	if (before) {
		if (slot >= before->nr || before->head.vm != heat->head.vm)
			return -EINVAL;
		was = &before->slots[slot];
		if (was->ticks > now->ticks)
			return -EINVAL;
	}
	*windows = (now->ticks >> window) - (was ? was->ticks >> window : 0);
	*pages = now->distinct[window] - (was ? was->distinct[window] : 0);
	return *windows ? 0 : -ENODATA;
}
