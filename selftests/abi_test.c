// SPDX-License-Identifier: GPL-2.0
/*
 * The parts of the binary interface that KVM's stats fds do not have: all objects in one read,
 * mapped stats fds, poll(2), access by a VM's own fd, 32-bit callers, and limits. This uses
 * libkvmwatch, and so tests the library against a kernel as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "kselftest_harness.h"
#include "libkvmwatch.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "vendor.h"
#include "watch.h"
#include "workers.h"

#define GPA		0x40000000ULL
#define GPA_2		0x80000000ULL
#define PAGES		64
#define NOBODY		65534

/* Slot 1 is logged, slot 2 is not. */
static struct guest *new_guest(unsigned int vcpus)
{
	struct guest *g = guest_new(vcpus, 0);

	if (g && !guest_slot_add(g, 1, GPA, PAGES, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES) &&
	    !guest_slot_add(g, 2, GPA_2, PAGES, GUEST_MEM_4K, 0) &&
	    !guest_run(g, 0, work_write(GPA, 20, GUEST_PAGE, 1)) &&
	    !guest_run(g, 0, work_write(GPA_2, 10, GUEST_PAGE, 1)))
		return g;
	guest_free(g);
	return NULL;
}

static int is_time(const struct kvmwatch_value *value)
{
	return (value->flags & KVMWATCH_STATS_UNIT_MASK) == KVMWATCH_STATS_SECONDS &&
	       (value->flags & KVMWATCH_STATS_TYPE_MASK) != KVMWATCH_STATS_LOG_HIST;
}

static int is_histogram(const struct kvmwatch_value *value)
{
	return (value->flags & KVMWATCH_STATS_TYPE_MASK) >= KVMWATCH_STATS_LINEAR_HIST;
}

FIXTURE(abi)
{
	struct guest *g, *other;
	int dev;
};

FIXTURE_SETUP(abi)
{
	struct kvmwatch_info info;

	self->g = new_guest(2);
	self->other = new_guest(1);
	ASSERT_NE(NULL, self->g);
	ASSERT_NE(NULL, self->other);
	self->dev = kvmwatch_device_open(KVMWATCH_DEVICE, &info);
	ASSERT_LE(0, self->dev);
	EXPECT_EQ(0, info.features);
}

FIXTURE_TEARDOWN(abi)
{
	guest_free(self->g);
	guest_free(self->other);
	close(self->dev);
}

/* --- all objects in one read --------------------------------------------------- */

static int open_one(int dev, __u32 kind, const struct kvmwatch_all_item *item)
{
	if (kind == KVMWATCH_KIND_VM)
		return kvmwatch_open_vm(dev, item->id);
	if (kind == KVMWATCH_KIND_VCPU)
		return kvmwatch_open_vcpu(dev, item->id);
	return kvmwatch_open_slot(dev, item->vm, item->number >> 16, item->number);
}

/* Number of statistics of an object that differ from its stats fd. Times may differ: they grow. */
static int differences(int dev, const struct kvmwatch_all *all, size_t item)
{
	const struct kvmwatch_value *one;
	struct kvmwatch_stats *stats;
	int fd, bad = 0;
	size_t i, seen = 0;
	const __u64 *data;

	fd = open_one(dev, all->kind, kvmwatch_all_at(all, item));
	if (fd < 0 || kvmwatch_stats_read(fd, &stats))
		return -1;
	for (i = 0; i < all->nr_stats; i++) {
		data = kvmwatch_all_value(all, item, i);
		one = kvmwatch_stats_find(stats, all->stats[i].name);
		bad += !data != !one;
		if (!data || !one)
			continue;
		seen++;
		bad += one->size != all->stats[i].size || one->flags != all->stats[i].flags ||
		       one->exponent != all->stats[i].exponent ||
		       one->bucket_size != all->stats[i].bucket_size;
		if (!is_time(one))
			bad += memcmp(one->data, data, one->size * sizeof(*data)) != 0;
	}
	bad += seen != stats->nr;
	kvmwatch_stats_free(stats);
	close(fd);
	return bad;
}

TEST_F(abi, one_read_equals_the_stats_fd_of_each_object)
{
	const size_t expected[] = {
		[KVMWATCH_KIND_VM] = 2, [KVMWATCH_KIND_VCPU] = 3,
		[KVMWATCH_KIND_SLOT] = 2 * vendor_slots(3),
	};
	struct kvmwatch_all *all;
	__u32 kind;
	size_t i;
	int fd;

	NEEDS_QUIET(return, "it counts all VMs");
	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_SLOT; kind++) {
		fd = kvmwatch_open_all(self->dev, kind, 0, 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, kvmwatch_all_read(fd, &all));
		EXPECT_EQ(kind, all->kind);
		EXPECT_EQ(expected[kind], all->nr);
		EXPECT_LE(all->begin_ns, all->end_ns);
		for (i = 0; i < all->nr; i++)
			EXPECT_EQ(0, differences(self->dev, all, i))
				TH_LOG("kind %u object %zu", kind, i);
		kvmwatch_all_free(all);
		close(fd);
	}
}

TEST_F(abi, one_read_can_be_of_one_vm_and_without_histograms)
{
	struct kvmwatch_all *all;
	struct kvmwatch_vm vm;
	size_t i;
	int fd;

	ASSERT_EQ(0, watch_find(self->g, &vm));
	fd = kvmwatch_open_all(self->dev, KVMWATCH_KIND_VCPU, vm.id, KVMWATCH_OPEN_NO_HISTOGRAMS);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kvmwatch_all_read(fd, &all));
	EXPECT_EQ(2, all->nr);
	for (i = 0; i < all->nr_stats; i++)
		EXPECT_FALSE(is_histogram(&all->stats[i]));
	for (i = 0; i < all->nr; i++) {
		EXPECT_EQ(vm.id, kvmwatch_all_at(all, i)->vm);
		EXPECT_EQ(i, kvmwatch_all_at(all, i)->number);
	}
	EXPECT_LT(0, *kvmwatch_all_value(all, 0, kvmwatch_all_find(all, "loads")));
	EXPECT_EQ(-ENOENT, kvmwatch_all_find(all, "exit_reasons"));
	kvmwatch_all_free(all);
	close(fd);
	EXPECT_EQ(-ENOENT, kvmwatch_open_all(self->dev, KVMWATCH_KIND_VCPU, vm.id + 1000, 0));
}

TEST_F(abi, one_read_marks_unavailable_statistics)
{
	struct kvmwatch_all *all;
	const __u64 *pages;
	int fd, stat;
	size_t i;

	fd = kvmwatch_open_all_fd(self->dev, KVMWATCH_KIND_SLOT, guest_vm_fd(self->g), 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kvmwatch_all_read(fd, &all));
	ASSERT_EQ(vendor_slots(3), all->nr);
	stat = kvmwatch_all_find(all, "dirty_pages");
	ASSERT_LE(0, stat);
	for (i = 0; i < all->nr; i++) {
		pages = kvmwatch_all_value(all, i, stat);
		EXPECT_EQ(kvmwatch_all_at(all, i)->number == 1 ? 20 : ~0ULL,
			  pages ? *pages : ~0ULL);
	}
	kvmwatch_all_free(all);
	close(fd);
}

#define MOST	(3ULL << 30)	/* beyond what an int and one read(2) count */

TEST_F(abi, one_read_gives_whole_items_as_many_as_fit)
{
	struct kvmwatch_all_header *header = calloc(1, 1 << 20);
	void *wrong = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvmwatch_all_header *most = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE |
						MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t size;
	char byte;
	int fd;

	NEEDS_QUIET(return, "it counts all VMs");
	fd = kvmwatch_open_all(self->dev, KVMWATCH_KIND_VM, 0, 0);
	ASSERT_LE(0, fd);
	size = read(fd, header, 1 << 20);
	ASSERT_LT(sizeof(*header), size);
	EXPECT_EQ(2, header->nr);
	EXPECT_EQ(2, header->filled);
	EXPECT_EQ(size, header->item_offset + 2ULL * header->item_size);
	size -= 1;
	EXPECT_EQ(header->item_offset + header->item_size, read(fd, header, size));
	EXPECT_EQ(2, header->nr);
	EXPECT_EQ(1, header->filled);
	EXPECT_EQ(KVMWATCH_ALL_MORE, header->flags & KVMWATCH_ALL_MORE);
	/* More room than a read takes. */
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	ASSERT_NE(MAP_FAILED, most);
	EXPECT_EQ(size + 1, read(fd, most, MOST));
	EXPECT_EQ(2, most->filled);
	EXPECT_EQ(header->item_offset + header->item_size, read(fd, header, size));
	/* The second of the two VMs. */
	EXPECT_EQ(header->item_offset + header->item_size, read(fd, header, size));
	EXPECT_EQ(1, header->nr);
	EXPECT_EQ(1, header->filled);
	EXPECT_EQ(0, header->flags & KVMWATCH_ALL_MORE);
	/* No room for an item, for descriptors, for the header. */
	size = header->item_offset;
	EXPECT_EQ(size, read(fd, header, size));
	EXPECT_EQ(0, header->filled);
	EXPECT_EQ(2, header->nr);
	memset(header, 0, sizeof(*header) + 8);
	EXPECT_EQ(sizeof(*header), read(fd, header, size - 1));
	EXPECT_EQ(size, header->item_offset);
	EXPECT_EQ(2, header->nr);
	EXPECT_EQ(0, *(__u64 *)(header + 1));
	EXPECT_EQ(sizeof(*header), read(fd, header, sizeof(*header)));
	EXPECT_EQ(-1, read(fd, header, sizeof(*header) - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(fd, wrong, 1 << 20));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, pread(fd, header, 1 << 20, 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, write(fd, &byte, 1));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
	close(fd);
	free(header);
	munmap(most, MOST);
	munmap(wrong, 1 << 20);
}

/* Read one item at a time, while slots before and after it are created and deleted. */
TEST_F(abi, reads_go_on_behind_the_last_object_while_slots_change)
{
	static struct {
		struct kvmwatch_all_header head;
		char room[4096];
	} read_;
	struct kvmwatch_all_header *head = &read_.head;
	unsigned int seen[8] = {}, reads = 0, flags = KVMWATCH_ALL_MORE, i;
	const struct kvmwatch_all_item *item;
	__u64 last = 0;
	size_t size;
	int fd;

	for (i = 3; i < 7; i++)
		ASSERT_EQ(0, guest_slot_add(self->g, i, 0x100000000ULL * i, 1, GUEST_MEM_4K, 0));
	fd = kvmwatch_open_chosen_fd(self->dev, KVMWATCH_KIND_SLOT, guest_vm_fd(self->g), NULL, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(sizeof(*head), read(fd, head, sizeof(*head)));
	EXPECT_EQ(0, head->num_desc);
	size = head->item_offset + head->item_size;
	ASSERT_GE(sizeof(read_), size);
	for (; flags & KVMWATCH_ALL_MORE && reads < 30; reads++) {
		ASSERT_EQ(size, read(fd, head, size));
		ASSERT_EQ(1, head->filled);
		item = (void *)((char *)head + head->item_offset);
		EXPECT_LT(last, item->id);
		last = item->id;
		if (item->number < ARRAY_SIZE(seen))
			seen[item->number]++;
		flags = head->flags;
		if (item->number == 4) {	/* slots 4 and 5 go, 7 comes */
			ASSERT_EQ(0, guest_slot_del(self->g, 4));
			ASSERT_EQ(0, guest_slot_del(self->g, 5));
			ASSERT_EQ(0, guest_slot_add(self->g, 7, 0x900000000ULL, 1, GUEST_MEM_4K,
						    0));
		}
	}
	for (i = 0; i < ARRAY_SIZE(seen); i++)
		EXPECT_EQ(i != 5, seen[i])
			TH_LOG("slot %u", i);
	EXPECT_EQ(KVMWATCH_ALL_CHANGED, flags);
	/* Go back to the beginning in the middle of a round. */
	ASSERT_EQ(size, read(fd, head, size));
	EXPECT_EQ(vendor_slots(6), head->nr);
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	ASSERT_EQ(size, read(fd, head, size));
	EXPECT_EQ(vendor_slots(6), head->nr);
	EXPECT_EQ(KVMWATCH_ALL_MORE, head->flags);
	EXPECT_EQ(-1, lseek(fd, 1, SEEK_SET));
	EXPECT_EQ(-1, lseek(fd, 0, SEEK_CUR));
	close(fd);
}

TEST_F(abi, one_read_has_the_statistics_that_were_chosen)
{
	static const char *const names[] = { "loads", "no_such_statistic", "exits", "on_cpu_hist" };
	struct kvmwatch_open_all open = {
		.size = sizeof(open), .kind = KVMWATCH_KIND_VCPU, .flags = KVMWATCH_OPEN_CHOOSE,
	};
	struct kvmwatch_all *all;
	int fd;

	fd = kvmwatch_open_chosen_fd(self->dev, KVMWATCH_KIND_VCPU, guest_vm_fd(self->g), names, 4);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kvmwatch_all_read(fd, &all));
	EXPECT_EQ(2, all->nr);
	EXPECT_EQ(3, all->nr_stats);
	EXPECT_LT(0, *kvmwatch_all_value(all, 0, kvmwatch_all_find(all, "loads")));
	EXPECT_LE(0, kvmwatch_all_find(all, "on_cpu_hist"));
	EXPECT_EQ(-ENOENT, kvmwatch_all_find(all, "puts"));
	kvmwatch_all_free(all);
	close(fd);

	open.names = (unsigned long)"loads";
	open.names_size = 5;		/* without its NUL */
	EXPECT_EQ(-1, ioctl(self->dev, KVMWATCH_OPEN_ALL, &open));
	EXPECT_EQ(EINVAL, errno);
	open.names_size = 65537;
	EXPECT_EQ(-1, ioctl(self->dev, KVMWATCH_OPEN_ALL, &open));
	EXPECT_EQ(EINVAL, errno);
	open.names_size = 6;
	open.flags = 0;
	EXPECT_EQ(-1, ioctl(self->dev, KVMWATCH_OPEN_ALL, &open));
	EXPECT_EQ(EINVAL, errno);
	open.flags = KVMWATCH_OPEN_CHOOSE;
	open.names = 8;
	EXPECT_EQ(-1, ioctl(self->dev, KVMWATCH_OPEN_ALL, &open));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(abi, items_identify_their_object)
{
	const struct kvmwatch_all_item *item;
	struct kvmwatch_slot *slots;
	struct kvmwatch_info info;
	struct kvmwatch_all *all;
	struct kvmwatch_vm vm;
	__u32 kind;
	size_t nr, i;
	int fd;

	ASSERT_EQ(0, watch_find(self->g, &vm));
	ASSERT_EQ(0, kvmwatch_device_info(self->dev, &info));
	ASSERT_EQ(0, kvmwatch_list_slots(self->dev, vm.id, &slots, &nr));
	EXPECT_NE(0, info.instance);
	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_SLOT; kind++) {
		fd = kvmwatch_open_chosen(self->dev, kind, vm.id, NULL, 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, kvmwatch_all_read(fd, &all));
		EXPECT_EQ(info.instance, all->instance);
		EXPECT_EQ(info.vendor, all->vendor);
		for (i = 0; i < all->nr; i++) {
			item = kvmwatch_all_at(all, i);
			EXPECT_EQ(vm.id, item->vm);
			EXPECT_EQ(getpid(), item->pid);
			EXPECT_EQ(0, strcmp(vm.name, item->name));
			if (kind == KVMWATCH_KIND_SLOT)
				EXPECT_EQ(slots[i].life, item->id);
			/* The one vCPU has run, the other has not. */
			if (kind == KVMWATCH_KIND_VCPU)
				EXPECT_EQ(!item->number, item->tid > 0);
			EXPECT_EQ(0, item->flags & (KVMWATCH_TID_GONE | KVMWATCH_TID_HIDDEN |
						    KVMWATCH_PID_GONE | KVMWATCH_PID_HIDDEN));
		}
		kvmwatch_all_free(all);
		close(fd);
	}
	free(slots);
}

TEST_F(abi, a_slot_is_opened_by_the_id_of_its_life)
{
	struct kvmwatch_open open = {
		.size = sizeof(open), .kind = KVMWATCH_KIND_SLOT, .flags = KVMWATCH_OPEN_BY_FD,
		.fd = guest_vm_fd(self->g), .slot = 2,
	};
	struct kvmwatch_slot *slots;
	size_t nr, i;
	int fd;

	ASSERT_EQ(0, kvmwatch_list_slots_by_fd(self->dev, guest_vm_fd(self->g), &slots, &nr));
	for (i = 0; i < nr && (slots[i].as_id || slots[i].id != 2); i++)
		;
	ASSERT_LT(i, nr);
	open.life = slots[i].life;
	free(slots);
	fd = ioctl(self->dev, KVMWATCH_OPEN, &open);
	EXPECT_LE(0, fd);
	close(fd);
	ASSERT_EQ(0, guest_slot_del(self->g, 2));
	ASSERT_EQ(0, guest_slot_add(self->g, 2, GPA_2, PAGES, GUEST_MEM_4K, 0));
	EXPECT_EQ(-1, ioctl(self->dev, KVMWATCH_OPEN, &open));
	EXPECT_EQ(ENOENT, errno);
	open.life = 0;
	fd = ioctl(self->dev, KVMWATCH_OPEN, &open);
	EXPECT_LE(0, fd);
	close(fd);
	open.kind = KVMWATCH_KIND_VM;
	open.slot = 0;
	open.life = 1;
	EXPECT_EQ(-1, ioctl(self->dev, KVMWATCH_OPEN, &open));
	EXPECT_EQ(EINVAL, errno);
}

/* --- what the module knows of statistics -------------------------------------------- */

TEST_F(abi, the_catalog_has_units_meanings_and_names_of_buckets)
{
	const struct kvmwatch_stat *stat;
	struct kvmwatch_catalog *catalog;
	struct kvmwatch_info info;
	const char *name;
	size_t i, nr = 0;

	ASSERT_EQ(0, kvmwatch_catalog_read(self->dev, &catalog));
	ASSERT_EQ(0, kvmwatch_device_info(self->dev, &info));
	EXPECT_EQ(vendor_is_intel() ? KVMWATCH_VENDOR_VMX : KVMWATCH_VENDOR_SVM, info.vendor);
	EXPECT_EQ(info.vendor, kvmwatch_catalog_vendor(catalog));
	for (i = 0; (stat = kvmwatch_catalog_at(catalog, i)); i++) {
		EXPECT_NE('\0', stat->help[0]);
		EXPECT_LT(0, stat->nr);
		EXPECT_EQ(stat->nr == 1, stat->buckets == KVMWATCH_BUCKETS_NONE);
		nr += stat->buckets > KVMWATCH_BUCKETS_VALUES;
		EXPECT_EQ(stat, kvmwatch_catalog_find(catalog, stat->kind, stat->name));
	}
	EXPECT_LE(4, nr);
	if (info.vendor == KVMWATCH_VENDOR_SVM) {
		EXPECT_STREQ("hlt", kvmwatch_catalog_bucket(catalog, "exit_reasons", 0x78));
		EXPECT_STREQ("npf", kvmwatch_catalog_bucket(catalog, "exit_reasons", 0x400));
		/* The kernel's own name, where it has one; else ours. */
		name = kvmwatch_catalog_bucket(catalog, "exit_reasons", 0xa6);
		EXPECT_TRUE(!strcmp(name, "idle_hlt") || !strcmp(name, "idle-halt"));
	} else {
		EXPECT_STREQ("HLT", kvmwatch_catalog_bucket(catalog, "exit_reasons", 12));
		EXPECT_STREQ("EPT_VIOLATION",
			     kvmwatch_catalog_bucket(catalog, "exit_reasons", 48));
	}
	stat = kvmwatch_catalog_find(catalog, KVMWATCH_KIND_VCPU, "exit_reasons");
	ASSERT_NE(NULL, stat);
	EXPECT_STREQ("other", kvmwatch_catalog_bucket(catalog, "exit_reasons", stat->nr - 1));
	EXPECT_EQ(NULL, kvmwatch_catalog_bucket(catalog, "exit_reasons", stat->nr));
	EXPECT_STREQ("INTR", kvmwatch_catalog_bucket(catalog, "user_exit_reasons", 10));
	EXPECT_EQ(NULL, kvmwatch_catalog_bucket(catalog, "user_exit_reasons", 13));
	EXPECT_EQ(NULL, kvmwatch_catalog_bucket(catalog, "halt_hist", 1));
	kvmwatch_catalog_free(catalog);
}

/* --- older and newer programs ------------------------------------------------------- */

/* The argument of a program with an older or newer header, and the memory behind it. */
union argument {
	__u32 size;
	struct kvmwatch_info info;
	struct kvmwatch_list list;
	struct kvmwatch_open open;
	struct kvmwatch_open_all all;
	struct kvmwatch_audit audit;
	unsigned char bytes[512];
};

static const struct program {
	unsigned long cmd;
	__u32 ver0, now;
	bool opens;
} programs[] = {
	{ KVMWATCH_INFO, KVMWATCH_INFO_SIZE_VER0, sizeof(struct kvmwatch_info) },
	{ KVMWATCH_LIST, KVMWATCH_LIST_SIZE_VER0, sizeof(struct kvmwatch_list) },
	{ KVMWATCH_OPEN, KVMWATCH_OPEN_SIZE_VER0, sizeof(struct kvmwatch_open), true },
	{ KVMWATCH_OPEN_ALL, KVMWATCH_OPEN_ALL_SIZE_VER0, sizeof(struct kvmwatch_open_all), true },
	{ KVMWATCH_OPEN_HEAT, KVMWATCH_OPEN_SIZE_VER0, sizeof(struct kvmwatch_open), true },
	{ KVMWATCH_AUDIT, KVMWATCH_AUDIT_SIZE_VER0, sizeof(struct kvmwatch_audit) },
};

#define GUARD	0x5a

/* Fill in the argument of such a program; the bytes behind its structure stand for its stack. */
static void fill_in(union argument *arg, const struct program *p, __u32 size, __u64 vm)
{
	memset(arg, GUARD, sizeof(*arg));
	memset(arg, 0, size);
	arg->size = size;
	if (p->cmd == KVMWATCH_LIST)
		arg->list.item_size = 8;
	if (p->cmd == KVMWATCH_LIST || p->cmd == KVMWATCH_OPEN_ALL)
		arg->list.kind = KVMWATCH_KIND_VM;
	if (p->cmd == KVMWATCH_OPEN || p->cmd == KVMWATCH_OPEN_HEAT) {
		arg->open.kind = KVMWATCH_KIND_VM;
		arg->open.id = vm;
	}
	if (p->cmd == KVMWATCH_AUDIT)
		arg->audit.vm = vm;
}

/* 0; 1: the call failed; 2: it overwrote the stack; 3: the returned size is wrong. */
static int run(int dev, const struct program *p, __u32 size, __u64 vm)
{
	__u32 known = size < p->now ? size : p->now, i;
	union argument arg;
	int ret;

	fill_in(&arg, p, size, vm);
	ret = ioctl(dev, p->cmd, &arg);
	if (ret < 0)
		return 1;
	if (p->opens)
		close(ret);
	for (i = size; i < sizeof(arg); i++)
		if (arg.bytes[i] != GUARD)
			return 2;
	for (i = known; i < size; i++)
		if (arg.bytes[i])
			return 3;
	return arg.size == (p->opens ? size : known) ? 0 : 3;
}

TEST_F(abi, programs_of_older_and_newer_headers_work)
{
	const struct program *p;
	union argument arg;
	struct kvmwatch_vm vm;
	__u32 size;

	ASSERT_EQ(0, watch_find(self->g, &vm));
	for (p = programs; p < programs + ARRAY_SIZE(programs); p++) {
		for (size = p->ver0; size <= p->now + 64; size += 4)
			EXPECT_EQ(0, run(self->dev, p, size, vm.id))
				TH_LOG("ioctl %#lx size %u", p->cmd, size);
		EXPECT_EQ(1, run(self->dev, p, p->ver0 - 4, vm.id));
		EXPECT_EQ(EINVAL, errno);
		/* A newer program uses a member that this module does not know. */
		fill_in(&arg, p, p->now + 8, vm.id);
		arg.bytes[p->now + 7] = 1;
		EXPECT_EQ(-1, ioctl(self->dev, p->cmd, &arg));
		EXPECT_EQ(E2BIG, errno);
	}
}

/* Programs whose items are shorter, equal and longer can tell unknown members from 0. */
TEST_F(abi, lists_tell_how_much_of_an_item_is_known)
{
	static const struct {
		__u32 kind, size;
	} kinds[] = {
		{ KVMWATCH_KIND_VM, sizeof(struct kvmwatch_vm) },
		{ KVMWATCH_KIND_VCPU, sizeof(struct kvmwatch_vcpu) },
		{ KVMWATCH_KIND_SLOT, sizeof(struct kvmwatch_slot) },
		{ KVMWATCH_KIND_HOOK, sizeof(struct kvmwatch_hook) },
		{ KVMWATCH_KIND_STAT, sizeof(struct kvmwatch_stat) },
		{ KVMWATCH_KIND_BUCKET, sizeof(struct kvmwatch_bucket) },
	};
	const int more[] = { -8, 0, 8 };
	unsigned char items[1024];
	struct kvmwatch_list list;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (j = 0; j < ARRAY_SIZE(more); j++) {
			memset(items, GUARD, sizeof(items));
			list = (struct kvmwatch_list){
				.size = sizeof(list), .kind = kinds[i].kind, .nr = 1,
				.items = (unsigned long)items, .item_size = kinds[i].size + more[j],
			};
			ASSERT_EQ(0, ioctl(self->dev, KVMWATCH_LIST, &list));
			EXPECT_EQ(kinds[i].size + (more[j] < 0 ? more[j] : 0), list.item_filled);
			EXPECT_EQ(kinds[i].size + more[j], list.item_size);
			EXPECT_EQ(GUARD, items[list.item_size]);
			if (more[j] > 0)
				EXPECT_EQ(0, items[kinds[i].size]);
			/* The sizes are also returned if the caller has no room for items. */
			list.nr = 0;
			list.item_filled = 0;
			ASSERT_EQ(0, ioctl(self->dev, KVMWATCH_LIST, &list));
			EXPECT_LT(0, list.item_filled);
		}
	}
}

TEST_F(abi, an_fd_for_one_vm_has_its_last_values_after_its_end)
{
	int vm, vcpus;
	struct kvmwatch_all *all;

	vm = kvmwatch_open_all_fd(self->dev, KVMWATCH_KIND_VM, guest_vm_fd(self->other), 0);
	vcpus = kvmwatch_open_all_fd(self->dev, KVMWATCH_KIND_VCPU, guest_vm_fd(self->other), 0);
	ASSERT_LE(0, vm);
	ASSERT_LE(0, vcpus);
	ASSERT_EQ(0, kvmwatch_all_read(vm, &all));
	EXPECT_EQ(0, kvmwatch_all_at(all, 0)->flags);
	kvmwatch_all_free(all);
	guest_free(self->other);
	self->other = NULL;
	ASSERT_EQ(0, kvmwatch_all_read(vm, &all));
	ASSERT_EQ(1, all->nr);
	EXPECT_EQ(KVMWATCH_ITEM_ENDED, kvmwatch_all_at(all, 0)->flags);
	EXPECT_EQ(20, *kvmwatch_all_value(all, 0, kvmwatch_all_find(all, "dirty_marks")));
	kvmwatch_all_free(all);
	ASSERT_EQ(0, kvmwatch_all_read(vcpus, &all));
	EXPECT_EQ(0, all->nr);
	kvmwatch_all_free(all);
	close(vm);
	close(vcpus);
}

/* --- poll ------------------------------------------------------------------------ */

static int ready(int fd, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) < 0 ? -errno : pfd.revents;
}

static void *add_a_slot(void *arg)
{
	usleep(100000);
	return (void *)(long)guest_slot_add(arg, 3, 0xc0000000, 1, GUEST_MEM_4K, 0);
}

/* Has nothing changed for a while since the fd was read? */
static bool is_quiet(int fd, struct kvmwatch_all *all)
{
	return !kvmwatch_all_update(fd, all) && !kvmwatch_wait(fd, 20);
}

/* Poll without a timeout: at a timeout poll(2) would check again, even without a wake-up. */
TEST_F_TIMEOUT(abi, poll_waits_for_a_change_of_its_kind_and_vm, 120)
{
	static const struct {
		__u32 kind;
		bool own, others;	/* the VM whose slots change, or the other one */
	} what[] = {
		{ KVMWATCH_KIND_SLOT, false, false }, { KVMWATCH_KIND_SLOT, true, false },
		{ KVMWATCH_KIND_VM, false, false }, { KVMWATCH_KIND_VCPU, false, false },
		{ KVMWATCH_KIND_VM, true, false }, { KVMWATCH_KIND_VCPU, true, false },
		{ KVMWATCH_KIND_SLOT, false, true },
	};
	int fds[ARRAY_SIZE(what)];
	struct kvmwatch_all *all[ARRAY_SIZE(what)];
	pthread_t thread;
	unsigned int i;
	void *err;

	NEEDS_QUIET(return, "other VMs come and go");
	for (i = 0; i < ARRAY_SIZE(what); i++) {
		if (what[i].own || what[i].others)
			fds[i] = kvmwatch_open_chosen_fd(self->dev, what[i].kind,
							 guest_vm_fd(what[i].own ? self->g :
								     self->other), NULL, 0);
		else
			fds[i] = kvmwatch_open_chosen(self->dev, what[i].kind, 0, NULL, 0);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, kvmwatch_all_read(fds[i], &all[i]));
	}
	/* Wait until the changes of the setup are over. */
	for (i = 0; i < ARRAY_SIZE(what); i++)
		EXPECT_TRUE(WATCH_EVENTUALLY(is_quiet(fds[i], all[i])));

	ASSERT_EQ(0, pthread_create(&thread, NULL, add_a_slot, self->g));
	EXPECT_EQ(1, kvmwatch_wait(fds[0], -1));
	EXPECT_EQ(1, kvmwatch_wait(fds[1], -1));
	ASSERT_EQ(0, pthread_join(thread, &err));
	EXPECT_EQ(NULL, err);
	/* A change of one VM's slots does not wake readers of other kinds or of another VM. */
	for (i = 2; i < ARRAY_SIZE(what); i++)
		EXPECT_EQ(0, kvmwatch_wait(fds[i], 100))
			TH_LOG("fd %u", i);
	/* It stays readable until it is read. */
	EXPECT_EQ(1, kvmwatch_wait(fds[0], 0));
	EXPECT_TRUE(WATCH_EVENTUALLY(is_quiet(fds[0], all[0])));
	/* A VM that ends takes its vCPUs and slots along. */
	guest_free(self->other);
	self->other = NULL;
	EXPECT_EQ(1, kvmwatch_wait(fds[2], 1000));
	EXPECT_EQ(1, kvmwatch_wait(fds[3], 1000));
	EXPECT_EQ(1, kvmwatch_wait(fds[6], 1000));
	EXPECT_EQ(0, kvmwatch_wait(fds[4], 100));
	EXPECT_EQ(0, kvmwatch_wait(fds[5], 100));
	for (i = 0; i < ARRAY_SIZE(what); i++) {
		kvmwatch_all_free(all[i]);
		close(fds[i]);
	}
}

TEST_F(abi, the_device_cannot_be_waited_for)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, ep);
	EXPECT_EQ(-1, epoll_ctl(ep, EPOLL_CTL_ADD, self->dev, &event));
	EXPECT_EQ(EPERM, errno);
	close(ep);
}

TEST_F(abi, poll_tells_when_an_object_has_ended)
{
	int fd = kvmwatch_open_vm_fd(self->dev, guest_vm_fd(self->other));

	ASSERT_LE(0, fd);
	EXPECT_EQ(POLLIN, ready(fd, 0));
	guest_free(self->other);
	self->other = NULL;
	EXPECT_EQ(POLLIN | POLLHUP, ready(fd, 0));
	close(fd);
}

/* --- mapped stats fds --------------------------------------------------------------- */

static size_t data_size(const struct kvmwatch_stats *stats)
{
	size_t i, size = 0;

	for (i = 0; i < stats->nr; i++)
		size += stats->values[i].size * sizeof(__u64);
	return size;
}

/* Copy the values of all statistics to @to. */
static void keep_data(const struct kvmwatch_stats *stats, __u64 *to)
{
	size_t i;

	for (i = 0; i < stats->nr; to += stats->values[i++].size)
		memcpy(to, stats->values[i].data, stats->values[i].size * sizeof(*to));
}

static int same_counts(const struct kvmwatch_stats *a, const struct kvmwatch_stats *b)
{
	size_t i;

	for (i = 0; i < a->nr; i++)
		if (!is_time(&a->values[i]) &&
		    memcmp(a->values[i].data, b->values[i].data,
			   a->values[i].size * sizeof(__u64)))
			return 0;
	return 1;
}

TEST_F(abi, a_mapped_stats_fd_follows_the_object_and_outlives_it)
{
	struct kvmwatch_stats *mapped, *read;
	struct kvmwatch_mapping *mapping;
	struct kvmwatch_map head = {};
	__u64 copies;
	int fd;

	fd = kvmwatch_open_vm_fd(self->dev, guest_vm_fd(self->other));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kvmwatch_stats_read(fd, &mapped));
	ASSERT_EQ(0, kvmwatch_stats_read(fd, &read));
	ASSERT_EQ(0, kvmwatch_mapping_make(fd, mapped, &mapping));
	EXPECT_TRUE(WATCH_EVENTUALLY(!kvmwatch_mapping_read(mapping, mapped, &head)));
	copies = head.copies;
	EXPECT_LT(0, copies);
	ASSERT_EQ(0, guest_run(self->other, 0, work_write(GPA, PAGES, GUEST_PAGE, 1)));
	ASSERT_EQ(0, kvmwatch_stats_update(fd, read));
	EXPECT_TRUE(WATCH_EVENTUALLY(!kvmwatch_mapping_read(mapping, mapped, &head) &&
				     same_counts(mapped, read)));
	EXPECT_LT(copies, head.copies);
	EXPECT_EQ(0, head.flags);

	guest_free(self->other);
	self->other = NULL;
	EXPECT_TRUE(WATCH_EVENTUALLY(!kvmwatch_mapping_read(mapping, mapped, &head) &&
				     head.flags & KVMWATCH_MAP_ENDED));
	ASSERT_EQ(0, kvmwatch_stats_update(fd, read));
	EXPECT_TRUE(same_counts(mapped, read));
	/* The mapping stays valid without the fd. */
	close(fd);
	EXPECT_EQ(0, kvmwatch_mapping_read(mapping, mapped, NULL));
	EXPECT_TRUE(same_counts(mapped, read));
	EXPECT_LT(0, *kvmwatch_stats_find(mapped, "loads")->data);
	EXPECT_LT(0, watch_refs());
	kvmwatch_mapping_free(mapping);
	kvmwatch_stats_free(mapped);
	kvmwatch_stats_free(read);
}

TEST_F(abi, a_mapping_is_read_only_shared_and_no_longer_than_the_data)
{
	struct kvmwatch_stats *stats;
	size_t size;
	void *at;
	int fd;

	fd = kvmwatch_open_vcpu_fd(self->dev, guest_vcpu_fd(self->g, 0));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kvmwatch_stats_read(fd, &stats));
	size = (sizeof(struct kvmwatch_map) + data_size(stats) + 4095) & ~4095ULL;
	kvmwatch_stats_free(stats);
#define MAP_ERR(...) ({						\
	void *p = mmap(NULL, __VA_ARGS__);			\
								\
	p == MAP_FAILED ? -errno : munmap(p, size);		\
})
	EXPECT_EQ(0, MAP_ERR(size, PROT_READ, MAP_SHARED, fd, 0));
	EXPECT_EQ(-EACCES, MAP_ERR(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	EXPECT_EQ(-EACCES, MAP_ERR(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	EXPECT_EQ(-EINVAL, MAP_ERR(size, PROT_READ, MAP_PRIVATE, fd, 0));
	EXPECT_EQ(-EINVAL, MAP_ERR(size, PROT_READ, MAP_SHARED, fd, 4096));
	EXPECT_EQ(-EINVAL, MAP_ERR(size + 4096, PROT_READ, MAP_SHARED, fd, 0));
	at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(-1, mprotect(at, size, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mremap(at, size, size + 4096, MREMAP_MAYMOVE));
	munmap(at, size);
	close(fd);
}

/* --- numbers that belong together ------------------------------------------------------ */

static __u64 of(const struct kvmwatch_stats *stats, const char *name)
{
	const struct kvmwatch_value *value = kvmwatch_stats_find(stats, name);
	__u64 sum = 0;
	unsigned int i;

	for (i = 0; value && i < value->size; i++)
		sum += value->data[i];
	return sum;
}

/* A relation that numbers of one moment cannot violate, but these do; NULL: none. */
static const char *torn(const struct kvmwatch_stats *s, unsigned int vcpus)
{
	__u64 ended = of(s, "wakeups_poll") + of(s, "wakeups_wait");

	if (of(s, "loads") - of(s, "puts") > vcpus)
		return "loads and puts";
	if (of(s, "exits") != of(s, "exit_reasons"))
		return "exits and their reasons";
	if (of(s, "user_exits") != of(s, "user_exit_reasons"))
		return "exits to userspace and their reasons";
	if (of(s, "on_cpu_hist") != of(s, "puts"))
		return "puts and stretches on a pCPU";
	if (of(s, "halt_hist") != ended ||
	    of(s, "wakeups_valid") + of(s, "wakeups_invalid") != ended)
		return "wake-ups";
	if (of(s, "halts") - ended > vcpus)
		return "halts and wake-ups";
	return NULL;
}

/* The same for a slot whose pages are mapped, unmapped and marked, or for its VM. */
static const char *torn_pages(const struct kvmwatch_stats *s, unsigned int vcpus)
{
	__u64 causes = of(s, "dirty_marks_fault") + of(s, "dirty_marks_pml") +
		       of(s, "dirty_marks_kvm");

	if (of(s, "dirty_marks_new") > of(s, "dirty_marks"))
		return "new marks and all";
	if (kvmwatch_stats_find(s, "dirty_marks_fault") && causes != of(s, "dirty_marks"))
		return "marks and their causes";
	if ((__s64)of(s, "mapped_4k") < 0 || (__s64)of(s, "mapped_bytes") < 0)
		return "maps and unmaps";
	return NULL;
}

/* A counter that was higher @before; NULL: none. */
static const char *backward(const struct kvmwatch_stats *s, const __u64 *before)
{
	const struct kvmwatch_value *value;
	unsigned int i;

	for (value = s->values; value < s->values + s->nr; before += value++->size) {
		if ((value->flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_INSTANT)
			continue;
		for (i = 0; i < value->size; i++)
			if (value->data[i] < before[i])
				return value->name;
	}
	return NULL;
}

#define READS		10000	/* what a reader of 10 kHz does in a second */
#define COPIES		20

struct reader {
	pthread_t thread;
	int fd;
	bool maps;
	unsigned int vcpus, rounds;
	const char *(*check)(const struct kvmwatch_stats *s, unsigned int vcpus);
	unsigned int reads;
	unsigned int copies;	/* how many copies the mapping showed */
	__u64 ns, cpu_ns, kernel_ns;	/* elapsed, on a CPU, and in the kernel */
	const char *torn, *backward;
	bool done;
};

static void *end_of(struct reader *r)
{
	__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_done(const struct reader *r)
{
	return __atomic_load_n(&r->done, __ATOMIC_ACQUIRE);
}

/*
 * Read without a pause, so faster than a reader at any fixed rate, until there are @rounds
 * reads. Read a mapping until it has also shown some copies.
 */
static void *read_on(void *arg)
{
	__u64 begin = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct kvmwatch_mapping *mapping = NULL;
	struct kvmwatch_stats *stats;
	struct reader *r = arg;
	struct kvmwatch_map map;
	struct rusage usage;
	__u64 *before, copied = 0;

	if (kvmwatch_stats_read(r->fd, &stats))
		return end_of(r);
	if (r->maps && kvmwatch_mapping_make(r->fd, stats, &mapping))
		return end_of(r);
	before = calloc(1, data_size(stats));
	while ((r->reads < r->rounds || (r->maps && r->copies < COPIES)) && !r->torn &&
	       !r->backward) {
		keep_data(stats, before);
		if (r->maps ? kvmwatch_mapping_read(mapping, stats, &map) :
			      kvmwatch_stats_update(r->fd, stats)) {
			sched_yield();	/* no copy yet, or one is being made */
			continue;
		}
		/* The first of a mapping may be older than what was read before. */
		if (r->reads++)
			r->backward = backward(stats, before);
		r->torn = r->check(stats, r->vcpus);
		if (r->maps && map.copies != copied) {
			copied = map.copies;
			r->copies++;
		}
	}
	r->ns = clock_ns(CLOCK_MONOTONIC) - begin;
	r->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	getrusage(RUSAGE_THREAD, &usage);	/* this thread does nothing but read */
	r->kernel_ns = usage.ru_stime.tv_sec * 1000000000ULL + usage.ru_stime.tv_usec * 1000ULL;
	kvmwatch_mapping_free(mapping);
	kvmwatch_stats_free(stats);
	free(before);
	return end_of(r);
}

/* Reads per second, to print. An emulator's seconds vary, so no test compares this number. */
static __u64 a_second(const struct reader *r, __u64 ns)
{
	return ns ? r->reads * 1000000000ULL / ns : 0;
}

static void check_reader(struct __test_metadata *_metadata, struct reader *r)
{
	pthread_join(r->thread, NULL);
	EXPECT_EQ(NULL, r->torn)
		TH_LOG("torn: %s", r->torn);
	EXPECT_EQ(NULL, r->backward)
		TH_LOG("backward: %s", r->backward);
	EXPECT_LE(r->rounds, r->reads);
	if (r->maps)
		EXPECT_LE(COPIES, r->copies);
	TH_LOG("%u reads %s, %llu a second, %llu of its CPU time, %llu of that in the kernel",
	       r->reads, r->maps ? "of a mapping" : "by pread", a_second(r, r->ns),
	       a_second(r, r->cpu_ns), a_second(r, r->kernel_ns));
	close(r->fd);
}

TEST_F_TIMEOUT(abi, numbers_read_from_guests_at_work_are_of_one_moment, 120)
{
	const struct {
		int fd;
		bool maps;
		unsigned int vcpus;
	} what[] = {
		{ kvmwatch_open_vcpu_fd(self->dev, guest_vcpu_fd(self->g, 0)), false, 1 },
		{ kvmwatch_open_vcpu_fd(self->dev, guest_vcpu_fd(self->g, 1)), false, 1 },
		{ kvmwatch_open_vm_fd(self->dev, guest_vm_fd(self->g)), false, 2 },
		{ kvmwatch_open_vcpu_fd(self->dev, guest_vcpu_fd(self->g, 0)), true, 1 },
		{ kvmwatch_open_vcpu_fd(self->dev, guest_vcpu_fd(self->g, 1)), true, 1 },
		{ kvmwatch_open_vm_fd(self->dev, guest_vm_fd(self->g)), true, 2 },
	};
	struct reader readers[ARRAY_SIZE(what)] = {};
	unsigned int i;

	ASSERT_EQ(0, guest_start(self->g, 0, work_out(GUEST_FOREVER)));
	ASSERT_EQ(0, guest_start(self->g, 1, work_halt(GUEST_FOREVER, GUEST_WAKE_LAPIC, 100000)));
	for (i = 0; i < ARRAY_SIZE(what); i++) {
		readers[i].fd = what[i].fd;
		readers[i].maps = what[i].maps;
		readers[i].vcpus = what[i].vcpus;
		readers[i].rounds = what[i].vcpus > 1 ? READS : READS / 5;
		readers[i].check = torn;
		ASSERT_LE(0, what[i].fd);
		ASSERT_EQ(0, pthread_create(&readers[i].thread, NULL, read_on, &readers[i]));
	}
	for (i = 0; i < ARRAY_SIZE(what); i++)
		check_reader(_metadata, &readers[i]);
	EXPECT_EQ(0, guest_stop(self->g, 0));
	EXPECT_EQ(0, guest_stop(self->g, 1));
	EXPECT_EQ(0, guest_wait(self->g, 0, -1));
	EXPECT_EQ(0, guest_wait(self->g, 1, -1));
}

static __u64 all_of(const struct kvmwatch_all *all, size_t item, const char *name)
{
	const __u64 *value = kvmwatch_all_value(all, item, kvmwatch_all_find(all, name));

	return value ? *value : 0;
}

/* One read of all slots: what torn_pages() says of one, and the time that it took. */
static const char *torn_all(int fd)
{
	struct kvmwatch_all *all;
	const char *torn = NULL;
	size_t i;

	if (kvmwatch_all_read(fd, &all))
		return "unread";
	if (all->begin_ns > all->end_ns)
		torn = "begin and end";
	for (i = 0; i < all->nr && !torn; i++) {
		if (all_of(all, i, "dirty_marks_new") > all_of(all, i, "dirty_marks"))
			torn = "new marks and all, of all slots";
		if ((__s64)all_of(all, i, "mapped_4k") < 0)
			torn = "maps and unmaps, of all slots";
	}
	kvmwatch_all_free(all);
	return torn;
}

/* Two vCPUs write to pages, which the host discards, and the test collects their dirty log. */
TEST_F_TIMEOUT(abi, numbers_of_slots_keep_to_each_other_while_pages_come_and_go, 120)
{
	int vm = guest_vm_fd(self->g), all;
	struct reader readers[] = {
		{ .fd = kvmwatch_open_slot_fd(self->dev, vm, 0, 1) },
		{ .fd = kvmwatch_open_slot_fd(self->dev, vm, 0, 1), .maps = true },
		{ .fd = kvmwatch_open_vm_fd(self->dev, vm) },
		{ .fd = kvmwatch_open_vm_fd(self->dev, vm), .maps = true },
	};
	long marked = 0, got;
	unsigned int i;

	all = kvmwatch_open_all_fd(self->dev, KVMWATCH_KIND_SLOT, vm, 0);
	ASSERT_LE(0, all);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, guest_start(self->g, i,
					 work_write(GPA, PAGES, GUEST_PAGE, GUEST_FOREVER)));
	for (i = 0; i < ARRAY_SIZE(readers); i++) {
		readers[i].rounds = 1500;
		readers[i].check = torn_pages;
		ASSERT_LE(0, readers[i].fd);
		ASSERT_EQ(0, pthread_create(&readers[i].thread, NULL, read_on, &readers[i]));
	}
	/* Go on until all readers have read, and that many marks were made in the meantime. */
	for (i = 0; i < ARRAY_SIZE(readers) || marked <= 10 * PAGES;
	     i += i < ARRAY_SIZE(readers) && is_done(&readers[i])) {
		ASSERT_EQ(NULL, torn_all(all));
		ASSERT_EQ(0, guest_slot_discard(self->g, 1, 0, PAGES));
		got = guest_dirty_get(self->g, 1, NULL);
		ASSERT_LE(0, got);
		marked += got;
	}
	for (i = 0; i < ARRAY_SIZE(readers); i++)
		check_reader(_metadata, &readers[i]);
	EXPECT_LT(10 * PAGES, marked);
	close(all);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, guest_stop(self->g, i));
		EXPECT_EQ(0, guest_wait(self->g, i, -1));
	}
}

/* --- 32-bit callers ----------------------------------------------------------------------- */

/* ioctl(2) as a 32-bit program calls it; the address must be below 4 GiB. */
static int ioctl_32(int fd, unsigned int cmd, void *arg)
{
	int ret;

	asm volatile("int $0x80" : "=a"(ret)
		     : "a"(54), "b"(fd), "c"(cmd), "d"((unsigned int)(unsigned long)arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

/* Does the kernel have 32-bit system calls? Without them the instruction faults. */
static int has_32(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		ioctl_32(-1, 0, NULL);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && !status;
}

TEST_F(abi, callers_of_32_bits_get_the_same_answers)
{
	void *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct kvmwatch_info *info = page;
	struct kvmwatch_open_all *all = page;
	struct kvmwatch_list *list = page;
	struct kvmwatch_vm *items = page + 4096, *vms;
	size_t nr;
	int fd;

	ASSERT_NE(MAP_FAILED, page);
	if (!has_32())
		SKIP(return, "no 32-bit system calls in this kernel");
	*info = (struct kvmwatch_info) { .size = sizeof(*info) };
	ASSERT_EQ(0, ioctl_32(self->dev, KVMWATCH_INFO, info));
	EXPECT_EQ(KVMWATCH_ABI, info->abi);

	*list = (struct kvmwatch_list) {
		.size = sizeof(*list), .kind = KVMWATCH_KIND_VM, .items = (unsigned long)items,
		.item_size = sizeof(*items), .nr = 8,
	};
	ASSERT_EQ(0, ioctl_32(self->dev, KVMWATCH_LIST, list));
	ASSERT_EQ(0, kvmwatch_list_vms(self->dev, &vms, &nr));
	EXPECT_EQ(nr, list->nr);
	EXPECT_EQ(0, memcmp(vms, items, nr * sizeof(*vms)));
	free(vms);

	*all = (struct kvmwatch_open_all) { .size = sizeof(*all), .kind = KVMWATCH_KIND_VCPU };
	fd = ioctl_32(self->dev, KVMWATCH_OPEN_ALL, all);
	EXPECT_LE(0, fd);
	close(fd);
	munmap(page, 8192);
}

/* --- who may ---------------------------------------------------------------------------------- */

#define CHECK(condition) do {							\
	if (!(condition)) {							\
		fprintf(stderr, "# line %d: %s (errno %d)\n", __LINE__,		\
			#condition, errno);					\
		_exit(1);							\
	}									\
} while (0)

/*
 * First process of a pid namespace, with a VM of its own; then nobody, in a user namespace
 * of his own, which gives him all rights there and none outside.
 */
static void own_vm_in_namespaces(void)
{
	struct kvmwatch_list list = { .size = sizeof(list), .kind = KVMWATCH_KIND_VM };
	struct kvmwatch_vcpu vcpu;
	struct kvmwatch_info info;
	struct kvmwatch_all *all;
	struct kvmwatch_vm vm;
	struct guest *g;
	int dev, fd;

	g = guest_new(1, 0);
	CHECK(g);
	CHECK(!guest_run(g, 0, work_out(5)));
	CHECK(!setgid(NOBODY) && !setuid(NOBODY));
	if (unshare(CLONE_NEWUSER))
		_exit(errno == EINVAL || errno == EPERM ? 4 : 1);
	dev = kvmwatch_device_open(KVMWATCH_DEVICE, &info);
	CHECK(dev >= 0);

	list.flags = KVMWATCH_LIST_BY_FD;
	list.fd = guest_vm_fd(g);
	list.items = (unsigned long)&vm;
	list.item_size = sizeof(vm);
	list.nr = 1;
	CHECK(!ioctl(dev, KVMWATCH_LIST, &list));
	CHECK(list.nr == 1);
	CHECK(getpid() == 1);
	CHECK(vm.pid == 1);
	CHECK(vm.vcpus == 1);

	list.kind = KVMWATCH_KIND_VCPU;
	list.items = (unsigned long)&vcpu;
	list.item_size = sizeof(vcpu);
	list.nr = 1;
	CHECK(!ioctl(dev, KVMWATCH_LIST, &list));
	CHECK(list.nr == 1);
	CHECK(vcpu.tid == 1);

	fd = kvmwatch_open_all_fd(dev, KVMWATCH_KIND_VCPU, guest_vm_fd(g), 0);
	CHECK(fd >= 0);
	CHECK(!kvmwatch_all_read(fd, &all));
	CHECK(all->nr == 1);
	CHECK(kvmwatch_all_at(all, 0)->id == vcpu.id);
	kvmwatch_all_free(all);
	close(fd);

	/* It learns nothing about other VMs, not even that they exist. */
	CHECK(kvmwatch_open_all(dev, KVMWATCH_KIND_VM, 0, 0) == -EPERM);
	CHECK(kvmwatch_open_all(dev, KVMWATCH_KIND_VM, vm.id, 0) == -EPERM);
	CHECK(kvmwatch_open_all(dev, KVMWATCH_KIND_VM, 1000000, 0) == -EPERM);
	CHECK(kvmwatch_open_all_fd(dev, KVMWATCH_KIND_VM, guest_vcpu_fd(g, 0), 0) == -ENXIO);
	CHECK(kvmwatch_open_all_fd(dev, KVMWATCH_KIND_VM, 999, 0) == -EBADF);
	list.flags = 0;
	list.fd = 0;
	CHECK(ioctl(dev, KVMWATCH_LIST, &list) && errno == EPERM);
	list.vm = vm.id;
	CHECK(ioctl(dev, KVMWATCH_LIST, &list) && errno == EPERM);
	close(dev);
	guest_free(g);
}

/* Run it in a process of its own. Returns 0 on success. */
static int in_namespaces(void (*run)(void))
{
	pid_t pid = fork(), child;
	int status;

	if (!pid) {
		CHECK(!unshare(CLONE_NEWPID));
		child = fork();
		if (!child) {
			run();
			_exit(0);
		}
		waitpid(child, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(abi, an_unprivileged_vmm_in_namespaces_reads_its_own_vm)
{
	int ret;

	ASSERT_EQ(0, chmod("/dev/kvmwatch", 0666));
	ret = in_namespaces(own_vm_in_namespaces);
	chmod("/dev/kvmwatch", 0600);
	if (ret == 4)
		SKIP(return, "no user namespaces for nobody in this kernel");
	EXPECT_EQ(0, ret);
}

TEST_F(abi, a_process_of_another_pid_namespace_has_no_number)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		CHECK(!unshare(CLONE_NEWPID));
		pid = fork();
		if (!pid) {
			struct kvmwatch_vm vm;

			CHECK(!watch_find(self->g, &vm));
			CHECK(vm.pid == 0);
			CHECK(vm.flags & KVMWATCH_PID_HIDDEN);
			CHECK(!(vm.flags & KVMWATCH_PID_GONE));
			_exit(0);
		}
		waitpid(pid, &status, 0);
		_exit(status ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

/* --- limits ------------------------------------------------------------------------ */

static int seteuid_nobody_and_open(struct guest *g, int fds[], int nr)
{
	struct kvmwatch_info info;
	int dev, i, opened = 0;

	if (seteuid(NOBODY))
		return -errno;
	dev = kvmwatch_device_open(KVMWATCH_DEVICE, &info);
	for (i = 0; i < nr; i++) {
		fds[i] = kvmwatch_open_vm_fd(dev, guest_vm_fd(g));
		opened += fds[i] >= 0;
	}
	close(dev);
	return seteuid(0) ? -errno : opened;
}

/*
 * Map the last fd that the limit allows, close it and map another, again and again: the charge of a
 * closed fd is free at once, even while its copy is being made. Returns the last fd, or -errno.
 */
static int taken_over_and_over(struct guest *g, int dev, const struct kvmwatch_stats *stats)
{
	struct kvmwatch_mapping *mapping;
	struct workers w;
	int fd = -1, err;

	err = workers_hold(&w, true);
	if (err)
		return err;
	while (!err && !w.err && w.held < 50) {
		close(fd);
		fd = kvmwatch_open_vm_fd(dev, guest_vm_fd(g));
		err = fd < 0 ? fd : kvmwatch_mapping_make(fd, stats, &mapping);
		if (!err)
			kvmwatch_mapping_free(mapping);
		workers_step(&w);
	}
	return workers_release(&w) ?: err ?: fd;
}

TEST(fds_and_maps_are_limited_apart_for_those_with_rights_and_those_without)
{
	struct kvmwatch_mapping *mapping = NULL, *second;
	struct kvmwatch_stats *stats;
	struct kvmwatch_info info;
	int fds[17], others[6], dev, i;
	char args[256];
	struct guest *g;

	ASSERT_EQ(0, watch_unload_patiently());
	snprintf(args, sizeof(args), "%s fds=16", getenv("MODARGS") ?: "");
	ASSERT_EQ(0, watch_load(args));
	g = new_guest(1);
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, chmod("/dev/kvmwatch", 0666));
	EXPECT_EQ(4, seteuid_nobody_and_open(g, others, 6));
	EXPECT_EQ(-ENOBUFS, others[4]);

	dev = kvmwatch_device_open(KVMWATCH_DEVICE, &info);
	ASSERT_LE(0, dev);
	for (i = 0; i < 16; i++) {
		fds[i] = i % 2 ? kvmwatch_open_vm_fd(dev, guest_vm_fd(g)) :
				 kvmwatch_open_all(dev, KVMWATCH_KIND_VM, 0, 0);
		EXPECT_LE(0, fds[i]);
	}
	EXPECT_EQ(-ENOBUFS, kvmwatch_open_vm_fd(dev, guest_vm_fd(g)));
	EXPECT_EQ(-ENOBUFS, kvmwatch_open_all(dev, KVMWATCH_KIND_VM, 0, 0));
	close(fds[0]);
	fds[0] = kvmwatch_open_vm_fd(dev, guest_vm_fd(g));
	EXPECT_LE(0, fds[0]);

	/* 2 maps for those with rights. */
	ASSERT_EQ(0, kvmwatch_stats_read(fds[1], &stats));
	EXPECT_EQ(0, kvmwatch_mapping_make(fds[1], stats, &mapping));
	EXPECT_EQ(0, kvmwatch_mapping_make(fds[1], stats, &second));
	kvmwatch_mapping_free(second);
	EXPECT_EQ(0, kvmwatch_mapping_make(fds[3], stats, &second));
	kvmwatch_mapping_free(second);
	EXPECT_EQ(-ENOBUFS, kvmwatch_mapping_make(fds[5], stats, &second));
	close(fds[3]);
	fds[3] = taken_over_and_over(g, dev, stats);
	if (fds[3] == -EPERM || fds[3] == -ENODEV)
		TH_LOG("workers may not be held up here: left out");
	else
		EXPECT_LE(0, fds[3]);
	kvmwatch_mapping_free(mapping);
	kvmwatch_stats_free(stats);
	for (i = 0; i < 16; i++)
		close(fds[i]);
	for (i = 0; i < 4; i++)
		close(others[i]);
	close(dev);
	guest_free(g);
	EXPECT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load(NULL));
}

TEST_HARNESS_MAIN
