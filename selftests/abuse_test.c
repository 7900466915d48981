// SPDX-License-Identifier: GPL-2.0
/*
 * Bad input: it fails with the error that include/uapi/linux/kvmwatch.h documents, and changes
 * nothing.
 *
 * Random calls go on for some seconds, or with vm_fuzz_seconds in the environment for so long,
 * from a seed that is always the same, or vm_fuzz_seed.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "kselftest_harness.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "vendor.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		64
#define NOBODY		65534

#define FUZZ_SECONDS	5
#define FUZZ_SEED	20261121

/* --- a guest that does nothing --------------------------------------------- */

#define MAX_STATS	96

/* State that must not change: all lists, and all counts of all objects except times and audits. */
struct picture {
	struct kvmwatch_vm vms[4];
	struct kvmwatch_vcpu vcpus[4];
	struct kvmwatch_slot slots[4];
	struct kvmwatch_info info;
	__u64 counts[3][MAX_STATS];
	int refs;
};

FIXTURE(abuse)
{
	struct guest *g;
	struct picture before;
	__u64 id, vcpu_id;
	int dev;
	int fds[3];		/* stats of the VM, vCPU 0, slot 1 */
	char *page;		/* one page, behind which nothing is mapped */
};

static int list(int dev, unsigned int kind, __u64 vm, void *items, __u32 item_size, __u32 *nr)
{
	struct kvmwatch_list arg = {
		.size = sizeof(arg), .kind = kind, .vm = vm, .items = (unsigned long)items,
		.item_size = item_size, .nr = *nr,
	};
	int err = ioctl(dev, KVMWATCH_LIST, &arg) ? -errno : 0;

	*nr = arg.nr;
	return err;
}

/* Times grow while nothing happens, those by exit reason too. Counts in histograms do not. */
static bool is_time(const struct oracle_desc *desc)
{
	return (desc->flags & KVMWATCH_STATS_UNIT_MASK) == KVMWATCH_STATS_SECONDS &&
	       (desc->flags & KVMWATCH_STATS_TYPE_MASK) != KVMWATCH_STATS_LOG_HIST;
}

static void take_counts(int fd, __u64 *counts)
{
	struct oracle_desc desc;
	unsigned int i;

	for (i = 0; i < MAX_STATS && !oracle_desc(fd, i, &desc); i++) {
		counts[i] = 0;
		if (!strcmp(desc.name, "audits"))
			continue;	/* kvmwatch audits once a minute */
		if (is_time(&desc))
			continue;
		if (desc.size > 1)
			oracle_hist_sum(fd, desc.name, &counts[i]);
		else
			oracle_read(fd, desc.name, &counts[i]);
	}
}

/* The first statistic whose value changed; NULL: none. */
static const char *changed(int fd, const __u64 *before, const __u64 *after)
{
	static struct oracle_desc desc;
	unsigned int i;

	for (i = 0; i < MAX_STATS && !oracle_desc(fd, i, &desc); i++)
		if (before[i] != after[i])
			return desc.name;
	return NULL;
}

/* List the first items, without those of other users' VMs. */
static void take_list(unsigned int kind, void *items, int room, size_t size)
{
	void *all;
	int nr = watch_list(kind, 0, &all, size);

	if (nr > 0)
		memcpy(items, all, (nr < room ? nr : room) * size);
	free(all);
}

static void take_picture(int dev, const int fds[3], struct picture *p)
{
	int i;

	memset(p, 0, sizeof(*p));
	take_list(KVMWATCH_KIND_VM, p->vms, ARRAY_SIZE(p->vms), sizeof(p->vms[0]));
	take_list(KVMWATCH_KIND_VCPU, p->vcpus, ARRAY_SIZE(p->vcpus), sizeof(p->vcpus[0]));
	take_list(KVMWATCH_KIND_SLOT, p->slots, ARRAY_SIZE(p->slots), sizeof(p->slots[0]));
	p->info.size = sizeof(p->info);
	ioctl(dev, KVMWATCH_INFO, &p->info);
	for (i = 0; i < 3; i++)
		take_counts(fds[i], p->counts[i]);
	p->refs = watch_refs();
}

FIXTURE_SETUP(abuse)
{
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_vm vm = {};

	/*
	 * Some time after a guest has ended, the housekeeper hides the records of its slots, and
	 * each raises the generation.
	 */
	ASSERT_TRUE(WATCH_EVENTUALLY(!watch_records()));
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_slot_add(self->g, SLOT, GPA, PAGES, GUEST_MEM_4K,
				    KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, guest_run(self->g, 0, work_write(GPA, 10, GUEST_PAGE, 1)));
	ASSERT_EQ(0, watch_find(self->g, &vm));
	self->id = vm.id;
	ASSERT_EQ(1, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus)));
	self->vcpu_id = vcpus[0].id;
	free(vcpus);

	self->dev = watch_device();
	ASSERT_LE(0, self->dev);
	self->fds[0] = watch_vm(self->g);
	self->fds[1] = watch_vcpu(self->g, 0);
	self->fds[2] = watch_slot(self->g, 0, SLOT);
	ASSERT_LE(0, self->fds[2]);
	self->page = mmap(NULL, 2 * GUEST_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	ASSERT_EQ(0, mprotect(self->page + GUEST_PAGE, GUEST_PAGE, PROT_NONE));
	take_picture(self->dev, self->fds, &self->before);
}

FIXTURE_TEARDOWN(abuse)
{
	struct picture after;
	const char *name;
	int i;

	take_picture(self->dev, self->fds, &after);
	EXPECT_EQ(0, memcmp(self->before.vms, after.vms, sizeof(after.vms)));
	EXPECT_EQ(0, memcmp(self->before.vcpus, after.vcpus, sizeof(after.vcpus)));
	EXPECT_EQ(0, memcmp(self->before.slots, after.slots, sizeof(after.slots)));
	EXPECT_EQ(0, memcmp(&self->before.info, &after.info, sizeof(after.info)));
	for (i = 0; i < 3; i++) {
		name = changed(self->fds[i], self->before.counts[i], after.counts[i]);
		EXPECT_EQ(NULL, name)
			TH_LOG("%s", name);
	}
	EXPECT_EQ(self->before.refs, after.refs);
	/* The guest still runs, and its work is counted. */
	EXPECT_EQ(0, guest_run(self->g, 0, work_write(GPA, 20, GUEST_PAGE, 1)));
	EXPECT_EQ(20, watch_slot_stat(self->g, SLOT, "mapped_4k"));
	EXPECT_EQ(20, watch_slot_stat(self->g, SLOT, "dirty_marks_new"));

	for (i = 0; i < 3; i++)
		close(self->fds[i]);
	close(self->dev);
	guest_free(self->g);
	munmap(self->page, 2 * GUEST_PAGE);
}

static int do_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

/* --- commands --------------------------------------------------------------- */

TEST_F(abuse, unknown_commands_fail_with_enotty)
{
	static const unsigned long others[] = {
		0, ~0UL, 0x5401 /* TCGETS */, KVM_GET_API_VERSION, KVM_GET_STATS_FD,
		_IO(KVMWATCH_IOC, 0), _IOR(KVMWATCH_IOC, 0, struct kvmwatch_info),
		_IOW(KVMWATCH_IOC, 1, struct kvmwatch_list),
		_IOWR(KVMWATCH_IOC, 2, struct kvmwatch_open),
		_IOWR(KVMWATCH_IOC + 1, 0, struct kvmwatch_info),
	};
	unsigned int nr, dir;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		EXPECT_EQ(-ENOTTY, do_ioctl(self->dev, others[i], self->page))
			TH_LOG("ioctl %#lx", others[i]);
		EXPECT_EQ(-ENOTTY, do_ioctl(self->fds[0], others[i], self->page));
	}
	for (nr = 6; nr < 256; nr++)
		for (dir = 0; dir < 4; dir++)
			EXPECT_EQ(-ENOTTY, do_ioctl(self->dev, _IOC(dir, KVMWATCH_IOC, nr, 64),
						    self->page));
	/* A stats fd is not the device. */
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fds[0], KVMWATCH_INFO, self->page));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fds[0], KVMWATCH_LIST, self->page));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fds[0], KVMWATCH_OPEN, self->page));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->fds[0], KVMWATCH_AUDIT, self->page));
}

TEST_F(abuse, other_operations_on_the_device_and_fds_fail)
{
	char c = 0;
	int i;

	EXPECT_EQ(-1, read(self->dev, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->dev, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->dev, 0));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-1, write(self->fds[i], &c, 1));
		EXPECT_EQ(EBADF, errno);
		EXPECT_EQ(-1, pwrite(self->fds[i], &c, 1, 0));
		EXPECT_EQ(-1, ftruncate(self->fds[i], 0));
		EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
					   self->fds[i], 0));
		EXPECT_EQ(FD_CLOEXEC, fcntl(self->fds[i], F_GETFD));
		EXPECT_EQ(O_RDONLY, fcntl(self->fds[i], F_GETFL) & O_ACCMODE);
	}
}

/* --- sizes and addresses, the same for each command --------------------------- */

static const struct command {
	unsigned long cmd;
	__u32 size;
	__u32 least;		/* size in older headers */
	bool answers;		/* writes its argument back */
} commands[] = {
	{ KVMWATCH_INFO, sizeof(struct kvmwatch_info), 24, true },
	{ KVMWATCH_LIST, sizeof(struct kvmwatch_list), 48, true },
	{ KVMWATCH_OPEN, sizeof(struct kvmwatch_open), 32, false },
	{ KVMWATCH_OPEN_ALL, sizeof(struct kvmwatch_open_all), 24, false },
	{ KVMWATCH_OPEN_HEAT, sizeof(struct kvmwatch_open), 32, false },
};

/* Write a valid argument to @at; the caller's structure has @size bytes. */
static void good_arg(const struct command *command, void *at, __u32 size, struct guest *g)
{
	struct kvmwatch_list *list = at;
	struct kvmwatch_open *open = at;

	memset(at, 0, size);
	if (command->cmd == KVMWATCH_LIST) {
		list->kind = KVMWATCH_KIND_VM;
		list->item_size = sizeof(struct kvmwatch_vm);
	} else if (command->cmd == KVMWATCH_OPEN || command->cmd == KVMWATCH_OPEN_HEAT) {
		open->kind = KVMWATCH_KIND_VM;
		open->flags = KVMWATCH_OPEN_BY_FD;
		open->fd = guest_vm_fd(g);
	} else if (command->cmd == KVMWATCH_OPEN_ALL) {
		((struct kvmwatch_open_all *)at)->kind = KVMWATCH_KIND_SLOT;
	}
	*(__u32 *)at = size;
}

/* do_ioctl(), but if the result is a new fd, close it and return 0. */
static int try(int dev, const struct command *command, void *arg)
{
	int ret = do_ioctl(dev, command->cmd, arg);

	if (!command->answers && ret >= 0) {
		close(ret);
		ret = 0;
	}
	return ret;
}

TEST_F(abuse, rejects_short_sizes_and_unknown_fields)
{
	const struct command *c;
	char *arg = self->page;
	__u32 size;

	for (c = commands; c < commands + ARRAY_SIZE(commands); c++) {
		for (size = 0; size < c->least; size++) {
			good_arg(c, arg, c->size, self->g);
			*(__u32 *)arg = size;
			EXPECT_EQ(-EINVAL, try(self->dev, c, arg))
				TH_LOG("command %#lx size %u", c->cmd, size);
		}
		for (; size < c->size; size++) {
			good_arg(c, arg, size, self->g);
			arg[size] = 'x';	/* the caller's memory behind the structure */
			EXPECT_EQ(0, try(self->dev, c, arg))
				TH_LOG("command %#lx size %u", c->cmd, size);
			EXPECT_EQ('x', arg[size]);
			EXPECT_EQ(size, *(__u32 *)arg);
		}
		for (size = c->size; size <= GUEST_PAGE; size += size < 128 ? 1 : 331) {
			good_arg(c, arg, size, self->g);
			EXPECT_EQ(0, try(self->dev, c, arg))
				TH_LOG("command %#lx size %u", c->cmd, size);
			EXPECT_EQ(c->answers ? c->size : size, *(__u32 *)arg);
			if (size == c->size)
				continue;
			good_arg(c, arg, size, self->g);
			arg[size - 1] = 1;
			EXPECT_EQ(-E2BIG, try(self->dev, c, arg));
			EXPECT_EQ(size, *(__u32 *)arg);
			good_arg(c, arg, size, self->g);
			arg[c->size] = 1;
			EXPECT_EQ(-E2BIG, try(self->dev, c, arg));
		}
		good_arg(c, arg, c->size, self->g);
		*(__u32 *)arg = UINT_MAX;
		EXPECT_EQ(-E2BIG, try(self->dev, c, arg));
		*(__u32 *)arg = INT_MAX;
		EXPECT_EQ(-E2BIG, try(self->dev, c, arg));
	}
}

TEST_F(abuse, bad_addresses_fail_with_efault)
{
	char *end = self->page + GUEST_PAGE;
	const struct command *c;
	unsigned int part;
	size_t i;

	for (c = commands; c < commands + ARRAY_SIZE(commands); c++) {
		void *const bad[] = {
			NULL, (void *)1, (void *)-1, (void *)-4096, (void *)0xffff888000000000,
			(void *)0x800000000000, end, end - 1, end - 3,
		};

		for (i = 0; i < ARRAY_SIZE(bad); i++) {
			void *at = bad[i];

			EXPECT_EQ(-EFAULT, try(self->dev, c, at))
				TH_LOG("command %#lx at %p", c->cmd, at);
		}
		/* The size can be read, but only a part of the rest. */
		for (part = 4; part < c->size; part += 4) {
			memset(end - part, 0, part);
			*(__u32 *)(end - part) = c->size;
			EXPECT_EQ(-EFAULT, try(self->dev, c, end - part));
		}
		/* The structure may end where the page ends. */
		good_arg(c, end - c->size, c->size, self->g);
		EXPECT_EQ(0, try(self->dev, c, end - c->size));
		/* An unaligned structure is accepted as well. */
		good_arg(c, self->page + 1, c->size, self->g);
		EXPECT_EQ(0, try(self->dev, c, self->page + 1));

		good_arg(c, self->page, c->size, self->g);
		ASSERT_EQ(0, mprotect(self->page, GUEST_PAGE, PROT_READ));
		EXPECT_EQ(c->answers ? -EFAULT : 0, try(self->dev, c, self->page));
		ASSERT_EQ(0, mprotect(self->page, GUEST_PAGE, PROT_READ | PROT_WRITE));
	}
}

/* --- KVMWATCH_LIST ---------------------------------------------------------- */

TEST_F(abuse, lists_only_known_kinds)
{
	static const __u32 wrong[] = { 0, 7, 8, 0x80000000, ~0U, 0x10001 };
	__u32 kind, nr;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		nr = 0;
		EXPECT_EQ(-EINVAL, list(self->dev, wrong[i], 0, NULL, 64, &nr));
	}
	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_BUCKET; kind++) {
		bool objects = kind <= KVMWATCH_KIND_SLOT;

		nr = 0;
		EXPECT_EQ(0, list(self->dev, kind, 0, NULL, 64, &nr));
		EXPECT_LT(0, nr);
		nr = 0;
		EXPECT_EQ(objects ? 0 : -EINVAL, list(self->dev, kind, self->id, NULL, 64, &nr));
		EXPECT_EQ(objects ? -ENOENT : -EINVAL,
			  list(self->dev, kind, self->id + 1000, NULL, 64, &nr));
		EXPECT_EQ(objects ? -ENOENT : -EINVAL, list(self->dev, kind, ~0ULL, NULL, 64, &nr));
	}
}

TEST_F(abuse, items_may_have_any_size_up_to_a_page)
{
	static const __u32 wrong[] = { 0, 4097, 0x80000000, ~0U };
	struct kvmwatch_slot whole[2];
	__u32 kind, nr, size;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_BUCKET; kind++) {
			nr = 1;
			EXPECT_EQ(-EINVAL, list(self->dev, kind, 0, self->page, wrong[i], &nr));
		}
	}
	nr = 2;
	ASSERT_EQ(0, list(self->dev, KVMWATCH_KIND_SLOT, self->id, whole, sizeof(whole[0]), &nr));
	ASSERT_EQ(vendor_slots(2), nr);
	for (size = 1; size <= 2048; size += size < 80 ? 1 : 123) {
		size_t known = size < sizeof(whole[0]) ? size : sizeof(whole[0]);

		memset(self->page, 0xaa, GUEST_PAGE);
		nr = 2;
		EXPECT_EQ(0, list(self->dev, KVMWATCH_KIND_SLOT, self->id, self->page, size, &nr));
		EXPECT_EQ(vendor_slots(2), nr);
		EXPECT_EQ(0, memcmp(self->page, &whole[0], known));
		EXPECT_EQ(0, memcmp(self->page + size, &whole[1], known));
		for (i = known; i < size; i++)
			EXPECT_EQ(0, self->page[i] | self->page[size + i]);
		if (2 * size < GUEST_PAGE)
			EXPECT_EQ((char)0xaa, self->page[2 * size]);
	}
	nr = 1;
	EXPECT_EQ(0, list(self->dev, KVMWATCH_KIND_VM, 0, self->page, 4096, &nr));
	if (machine_is_quiet())
		EXPECT_EQ(1, nr);
}

TEST_F(abuse, no_more_items_are_written_than_fit)
{
	__u32 all = 0, nr, size = sizeof(struct kvmwatch_hook);
	char *end = self->page + GUEST_PAGE;
	size_t i;

	/* With no room for items the address is not used. */
	EXPECT_EQ(0, list(self->dev, KVMWATCH_KIND_HOOK, 0, (void *)-8, size, &all));
	EXPECT_LT(4, all);
	for (nr = 1; nr <= 4; nr++) {
		__u32 room = nr;

		memset(self->page, 0xaa, GUEST_PAGE);
		EXPECT_EQ(0, list(self->dev, KVMWATCH_KIND_HOOK, 0, self->page, size, &room));
		EXPECT_EQ(all, room);
		for (i = nr * size; i < GUEST_PAGE; i++)
			ASSERT_EQ((char)0xaa, self->page[i]);

		/* Items may end where the page ends, but not one byte later. */
		room = nr;
		EXPECT_EQ(0, list(self->dev, KVMWATCH_KIND_HOOK, 0, end - nr * size, size, &room));
		room = nr;
		EXPECT_EQ(-EFAULT, list(self->dev, KVMWATCH_KIND_HOOK, 0, end - nr * size + 1,
					size, &room));
	}
	/* A wrong @nr matters only if the list has that many items. */
	nr = ~0U;
	EXPECT_EQ(0, list(self->dev, KVMWATCH_KIND_VM, 0, self->page, sizeof(struct kvmwatch_vm),
			  &nr));
	if (machine_is_quiet())
		EXPECT_EQ(1, nr);
	nr = ~0U;
	EXPECT_EQ(-EFAULT, list(self->dev, KVMWATCH_KIND_STAT, 0, self->page, 4096, &nr));
	nr = 1;
	EXPECT_EQ(-EFAULT, list(self->dev, KVMWATCH_KIND_VM, 0, NULL, 8, &nr));
	nr = 1;
	EXPECT_EQ(-EFAULT, list(self->dev, KVMWATCH_KIND_VM, 0, (void *)0xffff888000000000, 8,
				&nr));
}

/* --- KVMWATCH_OPEN ---------------------------------------------------------- */

/* Open and close. Returns 0 or -errno. */
static int open_with(int dev, struct kvmwatch_open arg)
{
	int fd;

	arg.size = sizeof(arg);
	fd = do_ioctl(dev, KVMWATCH_OPEN, &arg);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

#define OPEN(...) open_with(self->dev, (struct kvmwatch_open){ __VA_ARGS__ })

TEST_F(abuse, rejects_fields_that_mean_nothing)
{
	static const __u32 wrong[] = { 0, KVMWATCH_KIND_HOOK, KVMWATCH_KIND_STAT, 6, ~0U, 0x10001 };
	int vm = guest_vm_fd(self->g), vcpu = guest_vcpu_fd(self->g, 0), bit;
	size_t i;

	EXPECT_EQ(0, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id));
	EXPECT_EQ(0, OPEN(.kind = KVMWATCH_KIND_VCPU, .id = self->vcpu_id));
	EXPECT_EQ(0, OPEN(.kind = KVMWATCH_KIND_SLOT, .id = self->id, .slot = SLOT));
	EXPECT_EQ(0, OPEN(.kind = KVMWATCH_KIND_VM, .flags = KVMWATCH_OPEN_BY_FD, .fd = vm));
	EXPECT_EQ(0, OPEN(.kind = KVMWATCH_KIND_VCPU, .flags = KVMWATCH_OPEN_BY_FD, .fd = vcpu));
	EXPECT_EQ(0, OPEN(.kind = KVMWATCH_KIND_SLOT, .flags = KVMWATCH_OPEN_BY_FD, .fd = vm,
			  .slot = SLOT));

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EINVAL, OPEN(.kind = wrong[i], .id = self->id));
		EXPECT_EQ(-EINVAL, OPEN(.kind = wrong[i], .flags = KVMWATCH_OPEN_BY_FD, .fd = vm));
	}
	for (bit = 1; bit < 32; bit++) {
		EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id,
					.flags = 1U << bit));
		EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VM, .fd = vm,
					.flags = 1U << bit | KVMWATCH_OPEN_BY_FD));
	}
	EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id, .reserved = 1));
	EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id, .reserved = 1U << 31));
	EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id, .fd = vm));
	EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id, .fd = -1));
	EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id, .fd = vm,
				.flags = KVMWATCH_OPEN_BY_FD));
	EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id, .slot = SLOT));
	EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id, .as_id = 1));
	EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VCPU, .id = self->vcpu_id, .slot = SLOT));
	EXPECT_EQ(-EINVAL, OPEN(.kind = KVMWATCH_KIND_VCPU, .id = self->vcpu_id, .as_id = 1));
}

TEST_F(abuse, opens_no_unknown_objects)
{
	__u64 wrong[] = { 0, self->id + 1000, ~0ULL, 1ULL << 32, self->id | 1ULL << 32 };
	int vm = guest_vm_fd(self->g);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-ENOENT, OPEN(.kind = KVMWATCH_KIND_VM, .id = wrong[i]));
		EXPECT_EQ(-ENOENT, OPEN(.kind = KVMWATCH_KIND_VCPU, .id = wrong[i]));
		EXPECT_EQ(-ENOENT, OPEN(.kind = KVMWATCH_KIND_SLOT, .id = wrong[i]));
	}
	EXPECT_EQ(-ENOENT, OPEN(.kind = KVMWATCH_KIND_SLOT, .id = self->id, .slot = 77));
	EXPECT_EQ(-ENOENT, OPEN(.kind = KVMWATCH_KIND_SLOT, .id = self->id, .slot = 0xffff));
	EXPECT_EQ(-ENOENT, OPEN(.kind = KVMWATCH_KIND_SLOT, .id = self->id, .slot = SLOT,
				.as_id = 1));
	EXPECT_EQ(-ENOENT, OPEN(.kind = KVMWATCH_KIND_SLOT, .id = self->id, .slot = SLOT,
				.as_id = 0xffff));
	EXPECT_EQ(-ENOENT, OPEN(.kind = KVMWATCH_KIND_SLOT, .flags = KVMWATCH_OPEN_BY_FD,
				.fd = vm, .slot = 77));
}

TEST_F(abuse, takes_only_fds_of_kvm_each_as_its_kind)
{
	int vm = guest_vm_fd(self->g), vcpu = guest_vcpu_fd(self->g, 0), pipes[2], closed, path;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int dir = open("/", O_RDONLY | O_CLOEXEC);
	int kvms_stats = oracle_open(vm);
	__u32 kind;
	size_t i;

	if (kvms_stats == -ENOTTY)	/* Linux 5.10 returns this */
		kvms_stats = dup(null);
	ASSERT_EQ(0, pipe(pipes));
	path = open("/dev/kvm", O_PATH | O_CLOEXEC);
	closed = dup(null);
	close(closed);
	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_SLOT; kind++) {
		int none[] = { closed, -1, -2, INT_MAX, INT_MIN, 100000, path, AT_FDCWD };
		int not_kvm[] = {
			null, kvm, pipes[0], dir, kvms_stats, self->dev, self->fds[0],
			kind == KVMWATCH_KIND_VCPU ? vm : vcpu,
		};

		for (i = 0; i < ARRAY_SIZE(none); i++) {
			int fd = none[i];

			EXPECT_EQ(-EBADF, OPEN(.kind = kind, .flags = KVMWATCH_OPEN_BY_FD,
					       .fd = fd))
				TH_LOG("kind %u fd %d", kind, fd);
		}
		for (i = 0; i < ARRAY_SIZE(not_kvm); i++)
			EXPECT_EQ(-ENXIO, OPEN(.kind = kind, .flags = KVMWATCH_OPEN_BY_FD,
					       .fd = not_kvm[i]))
				TH_LOG("kind %u: %zu", kind, i);
	}
	close(path);
	close(pipes[0]);
	close(pipes[1]);
	close(kvms_stats);
	close(dir);
	close(kvm);
	close(null);
}

TEST_F(abuse, running_out_of_fds_fails_and_costs_nothing)
{
	struct rlimit limit, small = { 64, 64 };
	int fds[64], nr = 0, fd;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	small.rlim_max = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &small));
	while (nr < 64) {
		fd = dup(0);
		if (fd < 0)
			break;
		fds[nr++] = fd;
	}
	EXPECT_EQ(-EMFILE, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id));
	EXPECT_EQ(-EMFILE, OPEN(.kind = KVMWATCH_KIND_VCPU, .flags = KVMWATCH_OPEN_BY_FD,
				.fd = guest_vcpu_fd(self->g, 0)));
	EXPECT_EQ(-EMFILE, OPEN(.kind = KVMWATCH_KIND_SLOT, .id = self->id, .slot = SLOT));
	while (nr)
		close(fds[--nr]);
	EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(0, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id));
}

/* --- reading ---------------------------------------------------------------- */

static size_t length_of(int fd)
{
	struct kvmwatch_stats_header header;
	struct oracle_desc desc;
	size_t length = 0;
	unsigned int i;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return 0;
	for (i = 0; !oracle_desc(fd, i, &desc); i++)
		length = header.data_offset + desc.offset + desc.size * sizeof(__u64);
	return length;
}

TEST_F(abuse, a_stats_fd_reads_the_same_in_any_pieces)
{
	char whole[16384], pieces[16384];
	const char *why = "";
	size_t length, step, at;
	struct iovec iov[3];
	ssize_t got;

	/* The slot's fd, as a slot has no times. */
	int fd = self->fds[2];

	EXPECT_EQ(0, oracle_check(fd, &why))
		TH_LOG("%s", why);
	length = length_of(fd);
	ASSERT_LT(0, length);
	ASSERT_GT(sizeof(whole), length);
	ASSERT_EQ(length, pread(fd, whole, sizeof(whole), 0));
	for (step = 1; step < 2000; step = step * 2 + 1) {
		memset(pieces, 0xaa, sizeof(pieces));
		for (at = 0; at < length; at += got) {
			got = pread(fd, pieces + at, step, at);
			ASSERT_EQ(step < length - at ? step : length - at, got);
		}
		EXPECT_EQ(0, memcmp(whole, pieces, length));
		EXPECT_EQ((char)0xaa, pieces[length]);
	}
	/* read() goes on where the last one ended, up to the end. */
	memset(pieces, 0xaa, sizeof(pieces));
	for (at = 0; at < sizeof(pieces); at += got) {
		got = read(fd, pieces + at, 100);
		ASSERT_LE(0, got);
		if (!got)
			break;
	}
	EXPECT_EQ(length, at);
	EXPECT_EQ(0, memcmp(whole, pieces, length));
	iov[0] = (struct iovec){ pieces, 7 };
	iov[1] = (struct iovec){ pieces + 7, 0 };
	iov[2] = (struct iovec){ pieces + 7, sizeof(pieces) - 7 };
	EXPECT_EQ(length, preadv(fd, iov, 3, 0));
	EXPECT_EQ(0, memcmp(whole, pieces, length));
}

TEST_F(abuse, reads_beside_the_numbers_return_nothing_or_an_error)
{
	char *end = self->page + GUEST_PAGE, c;
	void *nowhere = end - GUEST_PAGE - (unsigned long)self->page;
	size_t length;
	int i;

	for (i = 0; i < 3; i++) {
		const int fd = self->fds[i];
		const long past[] = { 0, 1, 4096, INT_MAX, 1L << 40, LONG_MAX - 4096 };
		const long negative[] = { -1, -8, LONG_MIN };
		size_t j;

		length = length_of(fd);
		for (j = 0; j < ARRAY_SIZE(past); j++) {
			long offset = (j < 3 ? length : 0) + past[j];

			EXPECT_EQ(0, pread(fd, self->page, 4096, offset))
				TH_LOG("offset %ld", offset);
		}
		for (j = 0; j < ARRAY_SIZE(negative); j++) {
			EXPECT_EQ(-1, pread(fd, self->page, 4096, negative[j]));
			EXPECT_EQ(EINVAL, errno);
		}
		EXPECT_EQ(0, pread(fd, self->page, 0, 0));
		EXPECT_EQ(0, pread(fd, nowhere, 0, 0));
		EXPECT_EQ(1, pread(fd, &c, 1, length - 1));

		EXPECT_EQ(-1, pread(fd, nowhere, 8, 0));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, pread(fd, (void *)0xffff888000000000, 8, 0));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, pread(fd, end, 8, length - 8));
		EXPECT_EQ(EFAULT, errno);
		/* The header is on the page, the data is behind it. */
		EXPECT_EQ(-1, pread(fd, end - 24, length, 0));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(24, pread(fd, end - 24, 24, 0));
		EXPECT_EQ(16, pread(fd, end - 16, 16, length - 16));
	}
}

/* --- permission ------------------------------------------------------------- */

FIXTURE(permission)
{
	struct guest *g;
	__u64 id, vcpu_id;
	int dev;		/* opened by root */
};

FIXTURE_VARIANT(permission)
{
	int capability;		/* which one nobody gets; -1: none */
	bool sees_all;
};

FIXTURE_VARIANT_ADD(permission, nobody) { -1, false };
FIXTURE_VARIANT_ADD(permission, nobody_with_perfmon) { CAP_PERFMON, true };
FIXTURE_VARIANT_ADD(permission, nobody_with_sys_admin) { CAP_SYS_ADMIN, true };
FIXTURE_VARIANT_ADD(permission, nobody_with_dac_override) { CAP_DAC_OVERRIDE, false };

FIXTURE_SETUP(permission)
{
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_vm vm = {};

	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, watch_find(self->g, &vm));
	self->id = vm.id;
	ASSERT_EQ(1, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus)));
	self->vcpu_id = vcpus[0].id;
	free(vcpus);
	self->dev = watch_device();
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(permission)
{
	EXPECT_EQ(0, seteuid(0));
	EXPECT_EQ(0, chmod("/dev/kvmwatch", 0600));
	close(self->dev);
	guest_free(self->g);
}

/* Become nobody until seteuid(0). Effective capabilities count, not permitted ones. */
static int become_nobody(int capability)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (seteuid(NOBODY) || syscall(SYS_capget, &header, data))
		return -errno;
	if (data[0].effective || data[1].effective)
		return -EPROTO;
	if (capability >= 0)
		data[capability / 32].effective = 1U << capability % 32;
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

TEST_F(permission, holds_for_the_device_as_it_was_opened)
{
	int all = variant->sees_all ? 0 : -EPERM, missing = variant->sees_all ? -ENOENT : -EPERM;
	struct kvmwatch_info info = { .size = sizeof(info) };
	int vm = guest_vm_fd(self->g), vcpu = guest_vcpu_fd(self->g, 0), dev;
	__u32 kind, nr;

	ASSERT_EQ(0, chmod("/dev/kvmwatch", 0666));
	ASSERT_EQ(0, become_nobody(variant->capability));
	dev = watch_device();
	ASSERT_LE(0, dev);
	EXPECT_EQ(0, do_ioctl(dev, KVMWATCH_INFO, &info));
	EXPECT_EQ(KVMWATCH_ABI, info.abi);
	EXPECT_EQ(variant->sees_all, info.generation > 0);
	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_BUCKET; kind++) {
		/* Everybody may list the names of statistics and buckets. */
		nr = 0;
		EXPECT_EQ(kind < KVMWATCH_KIND_STAT ? all : 0, list(dev, kind, 0, NULL, 64, &nr));
		/* A device that root opened keeps root's rights. */
		nr = 0;
		EXPECT_EQ(0, list(self->dev, kind, 0, NULL, 64, &nr));
	}
	nr = 0;
	EXPECT_EQ(all, list(dev, KVMWATCH_KIND_SLOT, self->id, NULL, 64, &nr));
	EXPECT_EQ(missing, list(dev, KVMWATCH_KIND_SLOT, self->id + 1000, NULL, 64, &nr));
#define BY_ID(...) open_with(dev, (struct kvmwatch_open){ __VA_ARGS__ })
#define BY_FD(...) BY_ID(.flags = KVMWATCH_OPEN_BY_FD, __VA_ARGS__)
	EXPECT_EQ(all, BY_ID(.kind = KVMWATCH_KIND_VM, .id = self->id));
	EXPECT_EQ(all, BY_ID(.kind = KVMWATCH_KIND_VCPU, .id = self->vcpu_id));
	EXPECT_EQ(all, BY_ID(.kind = KVMWATCH_KIND_SLOT, .id = self->id));
	/* The error does not reveal whether there is such an id. */
	EXPECT_EQ(missing, BY_ID(.kind = KVMWATCH_KIND_VM, .id = self->id + 1000));
	EXPECT_EQ(missing, BY_ID(.kind = KVMWATCH_KIND_VCPU, .id = self->vcpu_id + 1000));
	EXPECT_EQ(missing, BY_ID(.kind = KVMWATCH_KIND_SLOT, .id = self->id, .slot = 7));

	EXPECT_EQ(0, BY_FD(.kind = KVMWATCH_KIND_VM, .fd = vm));
	EXPECT_EQ(0, BY_FD(.kind = KVMWATCH_KIND_VCPU, .fd = vcpu));
	EXPECT_EQ(0, BY_FD(.kind = KVMWATCH_KIND_SLOT, .fd = vm));
	EXPECT_EQ(-ENXIO, BY_FD(.kind = KVMWATCH_KIND_VM, .fd = vcpu));
	EXPECT_EQ(1, watch_vm_stat(self->g, "vcpus"));
	EXPECT_EQ(GUEST_SLOT0_PAGES, watch_slot_stat(self->g, 0, "npages"));
	EXPECT_LT(0, watch_vcpu_stat(self->g, 0, "loads"));
	EXPECT_EQ(0, OPEN(.kind = KVMWATCH_KIND_VM, .id = self->id));
	close(dev);
}

TEST_F(permission, to_open_the_device_is_root_s_alone)
{
	struct stat st;
	int dev;

	ASSERT_EQ(0, stat("/dev/kvmwatch", &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
	ASSERT_EQ(0, become_nobody(variant->capability));
	dev = watch_device();
	EXPECT_EQ(variant->capability == CAP_DAC_OVERRIDE, dev >= 0);
	EXPECT_TRUE(dev >= 0 || dev == -EACCES);
	close(dev);
}

/* --- anything --------------------------------------------------------------- */

static __u64 fuzz_state;

/* xorshift64* */
static __u64 any(__u64 below)
{
	fuzz_state ^= fuzz_state >> 12;
	fuzz_state ^= fuzz_state << 25;
	fuzz_state ^= fuzz_state >> 27;
	return (fuzz_state * 0x2545f4914f6cdd1dULL >> 11) % below;
}

/* A number that is an edge case, or that the module may know. */
static __u64 odd_number(const __u64 *known, unsigned int nr)
{
	static const __u64 edges[] = {
		0, 1, 2, 3, 4, 5, 6, 8, 24, 40, 64, 4095, 4096, 4097, 0x7fffffff, 0x80000000,
		0xffffffff, 1ULL << 32, ~0ULL, ~0ULL >> 1, 0xffff888000000000ULL,
	};

	switch (any(4)) {
	case 0:
		return edges[any(ARRAY_SIZE(edges))];
	case 1:
		return any(8);
	case 2:
		return fuzz_state;
	}
	return known[any(nr)];
}

#define OURS		32

struct fuzz {
	int device;
	int vm, vcpu;
	int ours[OURS];		/* open stats fds */
	__u64 known[8];
	/* One page for arguments, one for results, each followed by a large unmapped area. */
	char *arg, *out;
	int null;
	struct region {
		void *at;
		size_t size;
	} regions[8];
};

static char *lonely_page(void)
{
	char *page = mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || mprotect(page, 2 * GUEST_PAGE, PROT_READ | PROT_WRITE))
		return NULL;
	return page;
}

/* An address, which is in no memory of the test but these two pages. */
static void *odd_address(char *page)
{
	switch (any(8)) {
	case 0:
		return NULL;
	case 1:
		return (void *)(0xffff800000000000ULL + any(1ULL << 46));
	case 2:
		return page + 2 * GUEST_PAGE - any(128);
	}
	return page + any(64) * 8;
}

static void odd_ioctl(struct fuzz *f)
{
	static const unsigned long cmds[] = {
		KVMWATCH_INFO, KVMWATCH_LIST, KVMWATCH_OPEN, KVMWATCH_OPEN_ALL,
		KVMWATCH_OPEN_HEAT,
	};
	unsigned long cmd = cmds[any(ARRAY_SIZE(cmds))];
	int fd = any(8) ? f->device : f->ours[any(OURS)], ret, *kept;
	struct kvmwatch_list *list = (void *)f->arg;
	struct kvmwatch_open_all *all = (void *)f->arg;
	struct kvmwatch_open *open = (void *)f->arg;
	void *arg = any(4) ? f->arg : odd_address(f->arg);
	unsigned int i;

	memset(f->arg, 0, GUEST_PAGE);
	for (i = 0; i < 12; i++)
		if (!any(3))
			((__u32 *)f->arg)[i] = odd_number(f->known, ARRAY_SIZE(f->known));
	if (any(8))
		*(__u32 *)f->arg = _IOC_SIZE(cmd);
	if (cmd == KVMWATCH_LIST) {
		list->items = (unsigned long)odd_address(f->out);
		if (any(2))
			list->kind = 1 + any(6);
	} else if ((cmd == KVMWATCH_OPEN || cmd == KVMWATCH_OPEN_HEAT) && any(4)) {
		open->kind = 1 + any(3);
		open->reserved = 0;
		open->flags = any(2);
		if (open->flags) {
			open->id = 0;
			open->fd = any(2) ? f->vm : f->vcpu;
		} else {
			open->fd = 0;
		}
	} else if (cmd == KVMWATCH_OPEN_ALL && any(4)) {
		all->kind = 1 + any(3);
		all->flags = any(8);
		all->reserved = 0;
		all->names = any(2) ? 0 : (unsigned long)odd_address(f->out);
		all->names_size = all->names ? any(2000) : 0;
		all->fd = all->flags & KVMWATCH_OPEN_BY_FD ? f->vm : 0;
		all->vm = all->fd || any(2) ? 0 : f->known[0];
	}
	if (!any(16))
		cmd ^= 1UL << any(32);
	/* The kernel handles FIOCLEX and the like, and no KVM ioctl does harm here. */
	ret = ioctl(fd, cmd, arg);
	if (ret > 2 && (cmd == KVMWATCH_OPEN || cmd == KVMWATCH_OPEN_ALL ||
			cmd == KVMWATCH_OPEN_HEAT)) {
		kept = &f->ours[any(OURS)];
		close(*kept);
		*kept = ret;
	} else if (ret > 2) {
		close(ret);
	}
}

static void odd_read(struct fuzz *f)
{
	int fd = f->ours[any(OURS)];
	void *to = odd_address(f->out);
	size_t size;

	switch (any(3)) {
	case 0:
		size = any(2) ? any(8192) : odd_number(f->known, ARRAY_SIZE(f->known));
		(void)!read(fd, to, size);
		break;
	case 1:
		(void)!pread(fd, to, any(8192), any(8192));
		break;
	case 2:
		(void)!pread(fd, to, odd_number(f->known, ARRAY_SIZE(f->known)),
			     odd_number(f->known, ARRAY_SIZE(f->known)));
		break;
	}
}

/* Map and read; often leave the mapping in place when the fd is closed. */
static void odd_map(struct fuzz *f)
{
	static const int prots[] = { PROT_READ, PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE };
	struct pollfd pfd = { .fd = f->ours[any(OURS)], .events = any(0x10000) };
	struct region *r = &f->regions[any(ARRAY_SIZE(f->regions))];

	(void)poll(&pfd, 1, 0);
	if (r->at)
		munmap(r->at, r->size);
	r->size = (1 + any(6)) * GUEST_PAGE;
	r->at = mmap(NULL, r->size, prots[any(ARRAY_SIZE(prots))],
		     any(4) ? MAP_SHARED : MAP_PRIVATE, f->ours[any(OURS)],
		     any(4) ? 0 : any(1 << 20) * GUEST_PAGE);
	if (r->at == MAP_FAILED) {
		r->at = NULL;
		return;
	}
	/* write() reads the memory in the kernel, and returns an error where it cannot. */
	(void)!write(f->null, r->at, r->size);
	(void)mprotect(r->at, r->size, prots[any(ARRAY_SIZE(prots))]);
}

#define FUZZ(dev) (struct fuzz) {							\
	.device = dev, .vm = guest_vm_fd(self->g), .vcpu = guest_vcpu_fd(self->g, 0),	\
	.known = { self->id, self->vcpu_id, SLOT, sizeof(struct kvmwatch_info),		\
		sizeof(struct kvmwatch_list), sizeof(struct kvmwatch_open),		\
		sizeof(struct kvmwatch_stat), 65536 },					\
}

static unsigned long number_of(const char *variable, unsigned long other)
{
	const char *value = getenv(variable);

	return value ? strtoul(value, NULL, 10) : other;
}

/* @fds: a VM's, a vCPU's and a slot's. */
static void fuzz(struct __test_metadata *_metadata, struct fuzz f, const int fds[3])
{
	unsigned long calls = 0, seed = number_of("vm_fuzz_seed", 0) ?: FUZZ_SEED;
	time_t end;
	int i;

	f.null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	f.arg = lonely_page();
	f.out = lonely_page();
	ASSERT_NE(NULL, f.arg);
	ASSERT_NE(NULL, f.out);
	for (i = 0; i < OURS; i++)
		f.ours[i] = dup(fds[i % 3]);
	fuzz_state = seed;
	end = now_s() + number_of("vm_fuzz_seconds", FUZZ_SECONDS);
	do {
		for (i = 0; i < 1000; i++, calls++) {
			if (any(2))
				odd_ioctl(&f);
			else if (any(4))
				odd_read(&f);
			else
				odd_map(&f);
		}
	} while (now_s() < end);
	TH_LOG("seed %lu, %lu calls", seed, calls);
	for (i = 0; i < OURS; i++)
		close(f.ours[i]);
	for (i = 0; i < (int)ARRAY_SIZE(f.regions); i++)
		if (f.regions[i].at)
			munmap(f.regions[i].at, f.regions[i].size);
	close(f.null);
}

TEST_F_TIMEOUT(abuse, random_calls_by_root_change_nothing, 7200)
{
	fuzz(_metadata, FUZZ(self->dev), self->fds);
}

TEST_F_TIMEOUT(abuse, random_calls_by_nobody_change_nothing, 7200)
{
	int dev;

	ASSERT_EQ(0, chmod("/dev/kvmwatch", 0666));
	ASSERT_EQ(0, seteuid(NOBODY));
	dev = watch_device();
	ASSERT_LE(0, dev);
	fuzz(_metadata, FUZZ(dev), self->fds);
	close(dev);
	ASSERT_EQ(0, seteuid(0));
	ASSERT_EQ(0, chmod("/dev/kvmwatch", 0600));
}

TEST_HARNESS_MAIN
