// SPDX-License-Identifier: GPL-2.0
/* Memory slots. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>

#include "guest/parts.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

static int set_region(struct guest *g, unsigned int id, const struct slot *slot,
		      __u64 size)
{
	struct kvm_userspace_memory_region region = {
		.slot = id,
		.flags = slot->flags,
		.guest_phys_addr = slot->gpa,
		.memory_size = size,
		.userspace_addr = (unsigned long)slot->host,
	};

	return vm_ioctl(g, KVM_SET_USER_MEMORY_REGION, &region);
}

/* Map the slot's memory between two guard pages, which keep other memory away. */
static int map_memory(struct slot *slot, enum guest_mem mem)
{
	__u64 align = mem == GUEST_MEM_1G ? SZ_1G : SZ_2M;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	unsigned long addr;
	void *host;

	slot->area_size = slot->size + align + 2 * GUEST_PAGE;
	slot->area = mmap(NULL, slot->area_size, PROT_NONE, flags, -1, 0);
	if (slot->area == MAP_FAILED)
		return -errno;

	addr = (unsigned long)slot->area + GUEST_PAGE;
	addr += (slot->gpa - addr) & (align - 1);
	flags |= MAP_FIXED;
	if (mem == GUEST_MEM_2M)
		flags |= MAP_HUGETLB | 21 << MAP_HUGE_SHIFT;
	if (mem == GUEST_MEM_1G)
		flags |= MAP_HUGETLB | 30 << MAP_HUGE_SHIFT;
	if (flags & MAP_HUGETLB)
		flags &= ~MAP_NORESERVE;	/* fail here instead of with SIGBUS */
	host = mmap((void *)addr, slot->size, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (host == MAP_FAILED)
		goto unmap;
	slot->host = host;

	/* -EINVAL: the kernel has no huge pages to avoid. */
	if (mem == GUEST_MEM_4K && madvise(host, slot->size, MADV_NOHUGEPAGE) &&
	    errno != EINVAL)
		goto unmap;
	if (mem == GUEST_MEM_THP && madvise(host, slot->size, MADV_HUGEPAGE) &&
	    errno != EINVAL)
		goto unmap;
	return 0;

unmap:
	flags = -errno;
	munmap(slot->area, slot->area_size);
	return flags;
}

int add_slot(struct guest *g, unsigned int id, __u64 gpa, __u64 pages, enum guest_mem mem,
	     __u32 flags)
{
	struct slot slot = {
		.used = true,
		.flags = flags,
		.gpa = gpa,
		.size = pages * GUEST_PAGE,
	};
	int err;

	err = map_memory(&slot, mem);
	if (err)
		return err;
	err = set_region(g, id, &slot, slot.size);
	if (err) {
		munmap(slot.area, slot.area_size);
		return err;
	}
	*slot_place(g, id) = slot;
	return 0;
}

int guest_slot_add(struct guest *g, unsigned int id, __u64 gpa, __u64 pages,
		   enum guest_mem mem, __u32 flags)
{
	__u64 unit = GUEST_PAGE;
	int err;

	if (mem == GUEST_MEM_2M)
		unit = SZ_2M;
	if (mem == GUEST_MEM_1G)
		unit = SZ_1G;
	if (!id || !slot_place(g, id) || !pages || pages > SZ_1G ||
	    gpa % unit || pages * GUEST_PAGE % unit)
		return -EINVAL;
	if (get_slot(g, id))
		return -EEXIST;
	err = identity_map(g, gpa, pages * GUEST_PAGE);
	if (err)
		return err;
	return add_slot(g, id, gpa, pages, mem, flags);
}

int guest_slot_alias(struct guest *g, unsigned int id, unsigned int of, __u32 flags)
{
	const struct slot *other = get_slot(g, of);
	struct slot *slot = slot_place(g, id);
	int err;

	if (!id || !slot)
		return -EINVAL;
	if (!other)
		return -ENOENT;
	if (slot->used)
		return -EEXIST;
	*slot = *other;
	slot->flags = flags;
	slot->area = NULL;
	err = set_region(g, id, slot, slot->size);
	slot->used = !err;
	return err;
}

int guest_slot_move(struct guest *g, unsigned int id, __u64 gpa)
{
	struct slot *slot = get_slot(g, id);
	struct slot moved;
	int err;

	if (!slot || !id)
		return -ENOENT;
	err = identity_map(g, gpa, slot->size);
	if (err)
		return err;
	moved = *slot;
	moved.gpa = gpa;
	err = set_region(g, id, &moved, moved.size);
	if (!err)
		*slot = moved;
	return err;
}

int guest_slot_flags(struct guest *g, unsigned int id, __u32 flags)
{
	struct slot *slot = get_slot(g, id);
	struct slot changed;
	int err;

	if (!slot)
		return -ENOENT;
	changed = *slot;
	changed.flags = flags;
	err = set_region(g, id, &changed, changed.size);
	if (!err)
		*slot = changed;
	return err;
}

int guest_slot_del(struct guest *g, unsigned int id)
{
	struct slot *slot = get_slot(g, id);
	int err;

	if (!slot || !id)
		return -ENOENT;
	err = set_region(g, id, slot, 0);
	if (err)
		return err;
	if (slot->area)
		munmap(slot->area, slot->area_size);
	slot->used = false;
	return 0;
}

void *guest_slot_host(const struct guest *g, unsigned int id)
{
	const struct slot *slot = get_slot(g, id);

	return slot ? slot->host : NULL;
}

int guest_slot_populate(struct guest *g, unsigned int id)
{
	const struct slot *slot = get_slot(g, id);

	if (!slot)
		return -ENOENT;
	if (!madvise(slot->host, slot->size, MADV_POPULATE_WRITE))
		return 0;
	/*
	 * 5.10 has no MADV_POPULATE_WRITE. mlock() also makes pages present, and keeps their
	 * content.
	 */
	if (mlock(slot->host, slot->size) || munlock(slot->host, slot->size))
		return -errno;
	return 0;
}

int guest_slot_discard(struct guest *g, unsigned int id, __u64 first, __u64 pages)
{
	const struct slot *slot = get_slot(g, id);
	__u64 all;

	if (!slot)
		return -ENOENT;
	all = slot->size / GUEST_PAGE;
	if (first > all || pages > all - first)
		return -EINVAL;
	if (madvise((char *)slot->host + first * GUEST_PAGE, pages * GUEST_PAGE,
		    MADV_DONTNEED))
		return -errno;
	return 0;
}

long long guest_slot_huge(const struct guest *g, unsigned int id)
{
	const struct slot *slot = get_slot(g, id);
	unsigned long addr, start, end;
	long long kb, bytes = 0;
	bool inside = false;
	char line[512];
	FILE *f;

	if (!slot)
		return -ENOENT;
	addr = (unsigned long)slot->host;
	f = fopen("/proc/self/smaps", "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start >= addr && end <= addr + slot->size;
		else if (inside && (sscanf(line, "AnonHugePages: %lld", &kb) == 1 ||
				    sscanf(line, "Private_Hugetlb: %lld", &kb) == 1))
			bytes += kb * 1024;
	}
	fclose(f);
	return bytes;
}
