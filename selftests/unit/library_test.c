// SPDX-License-Identifier: GPL-2.0
/*
 * The library with devices and stats fds that are broken in each way we could think of. ioctl()
 * below plays the device, a memfd plays a stats fd.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <kselftest_harness.h>

#include "libkvmwatch.h"

/* --- A device ------------------------------------------------------------ */

/* The device's behaviour, as a test has set it. Each test is a process of its own. */
static struct {
	int err;		/* result of every ioctl */
	__u32 abi;
	__u32 nr;		/* number of objects */
	__u32 grow_by;		/* more objects with each call */
	bool runs_away;		/* the number grows without end */
	int calls;
	int fill;		/* byte that fills the objects */
	const struct kvmwatch_bucket *bucket;	/* the only bucket; NULL: like other objects */
	struct kvmwatch_list list;	/* argument of the last call */
	struct kvmwatch_open open;
} device;

static int device_list(struct kvmwatch_list *list)
{
	__u32 room = list->nr;

	device.list = *list;
	list->nr = device.nr;
	device.nr += device.grow_by;
	if (device.runs_away)
		device.nr += device.nr / 4 + 10;
	memset((void *)(uintptr_t)list->items, device.fill,
	       (size_t)list->item_size * (list->nr < room ? list->nr : room));
	list->generation = 11;
	if (list->kind != KVMWATCH_KIND_BUCKET || !device.bucket)
		return 0;
	list->nr = 1;
	memcpy((void *)(uintptr_t)list->items, device.bucket, sizeof(*device.bucket));
	return 0;
}

/* Replaces the C library's. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);

	device.calls++;
	if (device.err) {
		errno = device.err;
		return -1;
	}
	switch (request) {
	case KVMWATCH_INFO:
		((struct kvmwatch_info *)arg)->abi = device.abi;
		return 0;
	case KVMWATCH_LIST:
		return device_list(arg);
	case KVMWATCH_OPEN:
		device.open = *(struct kvmwatch_open *)arg;
		return dup(fd);
	}
	errno = ENOTTY;
	return -1;
}

TEST(device_that_is_missing_is_enoent)
{
	struct kvmwatch_info info;

	EXPECT_EQ(-ENOENT, kvmwatch_device_open("/nonexistent/kvmwatch", &info));
}

TEST(device_of_another_kind_is_enotty)
{
	struct kvmwatch_info info;

	device.err = ENOTTY;
	EXPECT_EQ(-ENOTTY, kvmwatch_device_open("/dev/null", &info));
}

TEST(device_of_another_abi_is_refused_and_named)
{
	struct kvmwatch_info info;

	device.abi = KVMWATCH_ABI + 1;
	EXPECT_EQ(-EPROTONOSUPPORT, kvmwatch_device_open("/dev/null", &info));
	EXPECT_EQ(KVMWATCH_ABI + 1, info.abi);
}

TEST(device_opens_and_stays_closed_on_exec)
{
	struct kvmwatch_info info;
	int dev;

	device.abi = KVMWATCH_ABI;
	dev = kvmwatch_device_open("/dev/null", &info);
	ASSERT_LE(0, dev);
	EXPECT_EQ(FD_CLOEXEC, fcntl(dev, F_GETFD));
}

TEST(device_is_asked_again_what_it_is)
{
	struct kvmwatch_info info;

	device.abi = KVMWATCH_ABI;
	EXPECT_EQ(0, kvmwatch_device_info(0, &info));
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(KVMWATCH_ABI, info.abi);
	device.err = ENOTTY;
	EXPECT_EQ(-ENOTTY, kvmwatch_device_info(0, &info));
}

TEST(refused_open_leaves_no_fd_behind)
{
	struct kvmwatch_info info;
	int before = dup(0), after;

	close(before);
	device.abi = KVMWATCH_ABI + 1;
	kvmwatch_device_open("/dev/null", &info);
	device.err = ENOTTY;
	kvmwatch_device_open("/dev/null", &info);
	after = dup(0);
	EXPECT_EQ(before, after);
}

TEST(list_that_is_empty_is_a_success)
{
	struct kvmwatch_vm *vms;
	size_t nr = 7;

	ASSERT_EQ(0, kvmwatch_list_vms(0, &vms, &nr));
	EXPECT_EQ(0, nr);
	free(vms);
}

TEST(list_says_what_it_wants)
{
	struct kvmwatch_vcpu *vcpus;
	size_t nr;

	ASSERT_EQ(0, kvmwatch_list_vcpus(0, 42, &vcpus, &nr));
	EXPECT_EQ(sizeof(struct kvmwatch_list), device.list.size);
	EXPECT_EQ(KVMWATCH_KIND_VCPU, device.list.kind);
	EXPECT_EQ(42, device.list.vm);
	EXPECT_EQ(sizeof(struct kvmwatch_vcpu), device.list.item_size);
	free(vcpus);
}

TEST(list_longer_than_the_buffer_is_asked_for_again)
{
	struct kvmwatch_slot *slots;
	size_t nr;

	device.nr = 5000;
	ASSERT_EQ(0, kvmwatch_list_slots(0, 0, &slots, &nr));
	EXPECT_EQ(5000, nr);
	EXPECT_EQ(2, device.calls);
	free(slots);
}

TEST(list_that_grows_meanwhile_is_caught_up_with)
{
	struct kvmwatch_slot *slots;
	size_t nr;

	device.nr = 100;
	device.grow_by = 3;
	ASSERT_EQ(0, kvmwatch_list_slots(0, 0, &slots, &nr));
	EXPECT_EQ(103, nr);
	free(slots);
}

TEST(list_that_runs_away_is_given_up)
{
	struct kvmwatch_slot *slots;
	size_t nr;

	device.nr = 100;
	device.runs_away = true;
	EXPECT_EQ(-EAGAIN, kvmwatch_list_slots(0, 0, &slots, &nr));
}

TEST(list_of_absurd_length_is_refused)
{
	struct kvmwatch_slot *slots;
	size_t nr;

	device.nr = ~0U;
	EXPECT_EQ(-EBADMSG, kvmwatch_list_slots(0, 0, &slots, &nr));
}

TEST(list_error_is_passed_on)
{
	struct kvmwatch_vm *vms;
	size_t nr;

	device.err = EPERM;
	EXPECT_EQ(-EPERM, kvmwatch_list_vms(0, &vms, &nr));
}

TEST(unterminated_strings_of_lists_end)
{
	struct kvmwatch_vm *vms;
	struct kvmwatch_hook *hooks;
	struct kvmwatch_stat *stats;
	size_t nr;

	device.nr = 3;
	device.fill = 'x';
	ASSERT_EQ(0, kvmwatch_list_vms(0, &vms, &nr));
	EXPECT_EQ(sizeof(vms->name) - 1, strlen(vms[2].name));
	EXPECT_EQ(sizeof(vms->comm) - 1, strlen(vms[2].comm));
	ASSERT_EQ(0, kvmwatch_list_hooks(0, &hooks, &nr));
	EXPECT_EQ(sizeof(hooks->name) - 1, strlen(hooks[2].name));
	EXPECT_EQ(sizeof(hooks->target) - 1, strlen(hooks[2].target));
	EXPECT_EQ(sizeof(hooks->via) - 1, strlen(hooks[2].via));
	EXPECT_EQ(sizeof(hooks->reason) - 1, strlen(hooks[2].reason));
	EXPECT_EQ(sizeof(hooks->by) - 1, strlen(hooks[2].by));
	EXPECT_EQ(sizeof(hooks->why) - 1, strlen(hooks[2].why));
	ASSERT_EQ(0, kvmwatch_list_stats(0, &stats, &nr));
	EXPECT_EQ(sizeof(stats->name) - 1, strlen(stats[2].name));
	EXPECT_EQ(sizeof(stats->hooks) - 1, strlen(stats[2].hooks));
	EXPECT_EQ(sizeof(stats->help) - 1, strlen(stats[2].help));
	free(vms);
	free(hooks);
	free(stats);
}

/* The caller's structures may be shorter than the library's, or longer. */
TEST(structures_are_filled_to_the_size_that_is_given)
{
	union {
		struct kvmwatch_info info;
		unsigned char bytes[sizeof(struct kvmwatch_info) + 64];
	} info;
	size_t size, i;

	device.abi = KVMWATCH_ABI;
	for (size = 8; size <= sizeof(info) - 8; size += 8) {
		memset(&info, 0xaa, sizeof(info));
		ASSERT_EQ(0, kvmwatch_device_info_sized(0, &info.info, size));
		EXPECT_EQ(KVMWATCH_ABI, info.info.abi);
		for (i = size; i < sizeof(info); i++)
			ASSERT_EQ(0xaa, info.bytes[i]);
		for (i = sizeof(info.info); i < size; i++)
			ASSERT_EQ(0, info.bytes[i]);
	}
}

TEST(list_by_an_fd_and_generation_say_what_they_want)
{
	struct kvmwatch_vcpu *vcpus;
	__u64 generation = 0;
	size_t nr;

	ASSERT_EQ(0, kvmwatch_list_vcpus_by_fd(0, 42, &vcpus, &nr));
	EXPECT_EQ(KVMWATCH_LIST_BY_FD, device.list.flags);
	EXPECT_EQ(42, device.list.fd);
	EXPECT_EQ(0, device.list.vm);
	free(vcpus);
	ASSERT_EQ(0, kvmwatch_list_generation(0, KVMWATCH_KIND_SLOT, 7, &generation));
	EXPECT_EQ(11, generation);
	EXPECT_EQ(0, device.list.nr);
	EXPECT_EQ(7, device.list.vm);
	device.err = EPERM;
	EXPECT_EQ(-EPERM, kvmwatch_list_generation(0, KVMWATCH_KIND_SLOT, 7, &generation));
}

TEST(catalog_of_nonsense_is_survived)
{
	struct kvmwatch_bucket bucket = { KVMWATCH_BUCKETS_EXIT, 3, "three" };
	struct kvmwatch_catalog *catalog;
	const char *name;

	device.nr = 3;
	device.fill = 'x';
	ASSERT_EQ(0, kvmwatch_catalog_read(0, &catalog));
	name = kvmwatch_catalog_at(catalog, 2)->name;
	EXPECT_EQ(KVMWATCH_NAME_SIZE - 1, strlen(name));
	EXPECT_EQ(NULL, kvmwatch_catalog_bucket(catalog, name, 0));
	EXPECT_EQ(NULL, kvmwatch_catalog_at(catalog, 3));
	EXPECT_EQ(NULL, kvmwatch_catalog_find(catalog, KVMWATCH_KIND_VM, name));
	kvmwatch_catalog_free(catalog);

	/* No statistic has these buckets. */
	device.fill = 0;
	device.bucket = &bucket;
	ASSERT_EQ(0, kvmwatch_catalog_read(0, &catalog));
	EXPECT_EQ(NULL, kvmwatch_catalog_bucket(catalog, "", 3));
	kvmwatch_catalog_free(catalog);
	bucket.number = 65536;
	EXPECT_EQ(-EBADMSG, kvmwatch_catalog_read(0, &catalog));
	bucket.number = ~0U;
	EXPECT_EQ(-EBADMSG, kvmwatch_catalog_read(0, &catalog));
	device.err = EPERM;
	EXPECT_EQ(-EPERM, kvmwatch_catalog_read(0, &catalog));
	kvmwatch_catalog_free(NULL);
}

TEST(what_numbers_count_in)
{
	EXPECT_STREQ("", kvmwatch_unit(KVMWATCH_STATS_PEAK));
	EXPECT_STREQ("seconds", kvmwatch_unit(KVMWATCH_STATS_PEAK | KVMWATCH_STATS_SECONDS));
	EXPECT_STREQ("cycles", kvmwatch_unit(KVMWATCH_STATS_CYCLES));
	EXPECT_STREQ("boolean", kvmwatch_unit(KVMWATCH_STATS_BOOLEAN));
	EXPECT_EQ(NULL, kvmwatch_unit(0xf0));
	EXPECT_TRUE(kvmwatch_unit_scale(0, 3) == 1000);
	EXPECT_TRUE(kvmwatch_unit_scale(KVMWATCH_STATS_SECONDS, -9) * 1e9 == 1);
	EXPECT_TRUE(kvmwatch_unit_scale(KVMWATCH_STATS_POW2, 10) == 1024);
	EXPECT_TRUE(kvmwatch_unit_scale(KVMWATCH_STATS_POW2, -1) == 0.5);
	EXPECT_TRUE(kvmwatch_unit_scale(0, 0) == 1);
}

TEST(open_names_the_object)
{
	struct kvmwatch_open slot = {
		.size = sizeof(slot), .kind = KVMWATCH_KIND_SLOT, .id = 7, .as_id = 1, .slot = 9,
	};
	struct kvmwatch_open vcpu = {
		.size = sizeof(vcpu), .kind = KVMWATCH_KIND_VCPU, .id = 8,
	};

	ASSERT_LE(0, kvmwatch_open_slot(0, 7, 1, 9));
	EXPECT_EQ(0, memcmp(&slot, &device.open, sizeof(slot)));
	ASSERT_LE(0, kvmwatch_open_vcpu(0, 8));
	EXPECT_EQ(0, memcmp(&vcpu, &device.open, sizeof(vcpu)));
	device.err = ENOENT;
	EXPECT_EQ(-ENOENT, kvmwatch_open_vm(0, 7));
}

/* --- A stats fd ---------------------------------------------------------- */

#define NAME_SIZE	KVMWATCH_NAME_SIZE
#define NR_DESCS	4
#define NR_CELLS	(1 + 1 + 3 + 4)

/* A correct stats fd. Each test breaks one thing in it. */
struct image {
	struct kvmwatch_stats_header header;
	char id[NAME_SIZE];
	struct kvmwatch_stats_desc descs[NR_DESCS];
	__u64 cells[NR_CELLS];
};

static const struct image good = {
	.header = {
		.name_size = NAME_SIZE,
		.num_desc = NR_DESCS,
		.id_offset = offsetof(struct image, id),
		.desc_offset = offsetof(struct image, descs),
		.data_offset = offsetof(struct image, cells),
	},
	.id = "kvmwatch-vm-1",
	.descs = {
		{ KVMWATCH_STATS_CUMULATIVE, 0, 1, 0, 0, "loads" },
		{ KVMWATCH_STATS_PEAK | KVMWATCH_STATS_SECONDS, -9, 1, 8, 0, "on_cpu_ns_max" },
		{ KVMWATCH_STATS_LOG_HIST, 0, 3, 16, 0, "halt_hist" },
		{ KVMWATCH_STATS_LINEAR_HIST, 0, 4, 40, 10, "exit_reasons" },
	},
	.cells = { 5, ~1ULL, 1, 2, 3, 10, 20, 30, 40 },
};

static int stats_fd(const void *bytes, size_t len)
{
	int fd = memfd_create("stats", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, bytes, len) != (ssize_t)len) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The result of reading these bytes; nothing stays allocated. */
static int try_bytes(const void *bytes, size_t len)
{
	struct kvmwatch_stats *stats;
	int err, fd;

	fd = stats_fd(bytes, len);
	err = kvmwatch_stats_read(fd, &stats);
	close(fd);
	if (!err)
		kvmwatch_stats_free(stats);
	return err;
}

static int try_image(const struct image *image)
{
	return try_bytes(image, sizeof(*image));
}

TEST(good_image_is_read)
{
	const struct kvmwatch_value *value;
	struct kvmwatch_stats *stats;
	int fd = stats_fd(&good, sizeof(good));

	ASSERT_EQ(0, kvmwatch_stats_read(fd, &stats));
	EXPECT_STREQ("kvmwatch-vm-1", stats->id);
	EXPECT_EQ(NR_DESCS, stats->nr);
	value = kvmwatch_stats_find(stats, "on_cpu_ns_max");
	ASSERT_NE(NULL, value);
	EXPECT_EQ(~1ULL, *value->data);
	EXPECT_EQ(-9, value->exponent);
	value = kvmwatch_stats_find(stats, "exit_reasons");
	ASSERT_NE(NULL, value);
	EXPECT_EQ(4, value->size);
	EXPECT_EQ(10, value->bucket_size);
	EXPECT_EQ(40, value->data[3]);
	EXPECT_EQ(NULL, kvmwatch_stats_find(stats, "no_such"));
	kvmwatch_stats_free(stats);
}

TEST(update_reads_the_data_again)
{
	struct image image = good;
	struct kvmwatch_stats *stats;
	int fd = stats_fd(&good, sizeof(good));

	ASSERT_EQ(0, kvmwatch_stats_read(fd, &stats));
	image.cells[0] = 6;
	ASSERT_EQ(sizeof(image), pwrite(fd, &image, sizeof(image), 0));
	ASSERT_EQ(0, kvmwatch_stats_update(fd, stats));
	EXPECT_EQ(6, *stats->values[0].data);
	kvmwatch_stats_free(stats);
}

TEST(update_that_fails_changes_nothing)
{
	struct kvmwatch_stats *stats;
	int fd = stats_fd(&good, sizeof(good));

	ASSERT_EQ(0, kvmwatch_stats_read(fd, &stats));
	ASSERT_EQ(0, ftruncate(fd, sizeof(good) - 1));
	EXPECT_EQ(-EBADMSG, kvmwatch_stats_update(fd, stats));
	EXPECT_EQ(5, *stats->values[0].data);
	EXPECT_EQ(40, stats->values[3].data[3]);
	EXPECT_EQ(-EBADF, kvmwatch_stats_update(-1, stats));
	kvmwatch_stats_free(stats);
}

TEST(object_without_statistics_is_read)
{
	struct image image = good;

	image.header.num_desc = 0;
	EXPECT_EQ(0, try_image(&image));
}

TEST(blocks_in_another_order_are_read)
{
	struct {
		struct kvmwatch_stats_header header;
		__u64 cells[1];
		struct kvmwatch_stats_desc desc;
		char id[NAME_SIZE];
	} image = {
		.header = { 0, NAME_SIZE, 1, 24 + 8 + sizeof(image.desc), 24 + 8, 24 },
		.cells = { 77 },
		.desc = { .size = 1, .name = "loads" },
		.id = "kvm-1",
	};

	EXPECT_EQ(0, try_bytes(&image, sizeof(image)));
}

TEST(every_truncation_is_refused)
{
	size_t len;

	for (len = 0; len < sizeof(good); len++)
		EXPECT_EQ(-EBADMSG, try_bytes(&good, len));
}

TEST(fd_that_cannot_be_read_is_an_errno)
{
	struct kvmwatch_stats *stats;
	int pipes[2];

	EXPECT_EQ(-EBADF, kvmwatch_stats_read(-1, &stats));
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-ESPIPE, kvmwatch_stats_read(pipes[0], &stats));
}

TEST(name_size_of_nothing_or_too_much_is_refused)
{
	static const __u32 sizes[] = { 0, 1025, 0x7fffffff, 0x80000000, 0xffffffff };
	struct image image = good;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		image.header.name_size = sizes[i];
		EXPECT_EQ(-EBADMSG, try_image(&image));
	}
}

TEST(huge_num_desc_is_refused)
{
	/* The last but one makes 32-bit num_desc * 64 wrap around to 0. */
	static const __u32 nrs[] = { NR_DESCS + 1, 16384, 16385, 0x04000000, 0xffffffff };
	struct image image = good;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nrs); i++) {
		image.header.num_desc = nrs[i];
		EXPECT_EQ(-EBADMSG, try_image(&image));
	}
}

TEST(blocks_outside_the_file_are_refused)
{
	static const __u32 offsets[] = { sizeof(good), 0x7fffffff, 0xfffffff8, 0xffffffff };
	struct image image;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		image = good;
		image.header.id_offset = offsets[i];
		EXPECT_EQ(-EBADMSG, try_image(&image));
		image = good;
		image.header.desc_offset = offsets[i];
		EXPECT_EQ(-EBADMSG, try_image(&image));
		image = good;
		image.header.data_offset = offsets[i];
		EXPECT_EQ(-EBADMSG, try_image(&image));
	}
}

TEST(blocks_that_overlap_are_refused)
{
	const __u32 header = offsetof(struct image, header);
	const __u32 id = offsetof(struct image, id);
	const __u32 descs = offsetof(struct image, descs);
	const __u32 cells = offsetof(struct image, cells);
	const struct kvmwatch_stats_header headers[] = {
		{ 0, NAME_SIZE, NR_DESCS, header, descs, cells },
		{ 0, NAME_SIZE, NR_DESCS, id - 1, descs, cells },
		{ 0, NAME_SIZE, NR_DESCS, descs, descs, cells },
		{ 0, NAME_SIZE, NR_DESCS, cells - 1, descs, cells },
		{ 0, NAME_SIZE, NR_DESCS, id, header, cells },
		{ 0, NAME_SIZE, NR_DESCS, id, id, cells },
		{ 0, NAME_SIZE, NR_DESCS, id, descs - 8, cells },
		{ 0, NAME_SIZE, NR_DESCS, id, descs, header },
		{ 0, NAME_SIZE, NR_DESCS, id, descs, id },
		{ 0, NAME_SIZE, NR_DESCS, id, descs, descs },
		{ 0, NAME_SIZE, NR_DESCS, id, descs, cells - 8 },
	};
	struct image image = good;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(headers); i++) {
		image.header = headers[i];
		EXPECT_EQ(-EBADMSG, try_image(&image)) {
			TH_LOG("header %zu was accepted", i);
		}
	}
}

TEST(statistics_outside_the_data_are_refused)
{
	static const __u32 offsets[] = {
		sizeof(good.cells), 0x7ffffff8, 0x80000000, 0xfffffff8,
	};
	struct image image = good;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		image.descs[0].offset = offsets[i];
		EXPECT_EQ(-EBADMSG, try_image(&image));
	}
}

TEST(sizes_that_reach_beyond_the_data_are_refused)
{
	struct image image = good;

	image.descs[3].size = 5;
	EXPECT_EQ(-EBADMSG, try_image(&image));
	image.descs[3].size = 0xffff;
	EXPECT_EQ(-EBADMSG, try_image(&image));
	/* 32-bit offset + size would wrap around to the start of the data. */
	image.descs[3].offset = 0xfffffff8;
	EXPECT_EQ(-EBADMSG, try_image(&image));
}

TEST(statistics_that_share_cells_are_refused)
{
	struct image image = good;

	image.descs[0].offset = image.descs[1].offset;
	EXPECT_EQ(-EBADMSG, try_image(&image));
	image.descs[0].offset = image.descs[3].offset + 24;
	EXPECT_EQ(-EBADMSG, try_image(&image));
}

TEST(statistics_that_share_a_name_are_refused)
{
	struct image image = good;

	strcpy(image.descs[3].name, image.descs[0].name);
	EXPECT_EQ(-EBADMSG, try_image(&image));
}

TEST(misaligned_statistic_is_refused)
{
	struct image image = good;

	image.descs[3].offset += 4;
	image.descs[3].size--;
	EXPECT_EQ(-EBADMSG, try_image(&image));
}

TEST(sizes_that_do_not_fit_the_type_are_refused)
{
	struct image image = good;

	image.descs[0].size = 0;
	EXPECT_EQ(-EBADMSG, try_image(&image));
	image = good;
	image.descs[3].flags = KVMWATCH_STATS_INSTANT;
	EXPECT_EQ(-EBADMSG, try_image(&image));
	image = good;
	image.descs[3].bucket_size = 0;
	EXPECT_EQ(-EBADMSG, try_image(&image));
}

TEST(log_histogram_of_more_buckets_than_bits_is_refused)
{
	struct {
		struct kvmwatch_stats_header header;
		char id[NAME_SIZE];
		struct kvmwatch_stats_desc desc;
		__u64 cells[66];
	} image = {
		.header = { 0, NAME_SIZE, 1, 24, 24 + NAME_SIZE, 24 + NAME_SIZE + 64 },
		.desc = { KVMWATCH_STATS_LOG_HIST, 0, 65, 0, 0, "halt_hist" },
	};

	EXPECT_EQ(0, try_bytes(&image, sizeof(image)));
	image.desc.size = 66;
	EXPECT_EQ(-EBADMSG, try_bytes(&image, sizeof(image)));
}

TEST(withdrawn_is_not_found)
{
	struct kvmwatch_stats *stats;
	struct image image = good;
	__u64 *cell = memmem(&image, sizeof(image), &(__u64){ ~1ULL }, sizeof(*cell));
	int fd;

	ASSERT_NE(NULL, cell);
	*cell = KVMWATCH_WITHDRAWN;
	fd = stats_fd(&image, sizeof(image));
	ASSERT_EQ(0, kvmwatch_stats_read(fd, &stats));
	EXPECT_EQ(NULL, kvmwatch_stats_find(stats, "on_cpu_ns_max"));
	EXPECT_NE(NULL, kvmwatch_stats_find(stats, "exit_reasons"));
	kvmwatch_stats_free(stats);
	close(fd);
}

TEST(unknown_type_is_left_out)
{
	const struct kvmwatch_value *value;
	struct image image = good;
	struct kvmwatch_stats *stats;
	int fd;

	image.descs[1].flags = 0xf;
	image.descs[1].size = 500;
	image.descs[1].offset = 3;
	fd = stats_fd(&image, sizeof(image));
	ASSERT_EQ(0, kvmwatch_stats_read(fd, &stats));
	EXPECT_EQ(NR_DESCS - 1, stats->nr);
	EXPECT_EQ(NULL, kvmwatch_stats_find(stats, "on_cpu_ns_max"));
	value = kvmwatch_stats_find(stats, "exit_reasons");
	ASSERT_NE(NULL, value);
	EXPECT_EQ(40, value->data[3]);
	kvmwatch_stats_free(stats);
}

TEST(names_without_end_are_refused)
{
	struct image image = good;

	memset(image.descs[3].name, 'x', NAME_SIZE);
	EXPECT_EQ(-EBADMSG, try_image(&image));
	image = good;
	memset(image.id, 'x', NAME_SIZE);
	EXPECT_EQ(-EBADMSG, try_image(&image));
}

TEST(names_that_do_no_good_are_refused)
{
	static const char *const names[] = { "", "a b", "a\033[2J", "a\n", "\xc3\xa9", "\x7f" };
	struct image image = good;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		strcpy(image.descs[2].name, names[i]);
		EXPECT_EQ(-EBADMSG, try_image(&image));
	}
}

TEST(id_is_made_printable)
{
	struct image image = good;
	struct kvmwatch_stats *stats;
	int fd;

	strcpy(image.id, "kvm\033-\3771");
	fd = stats_fd(&image, sizeof(image));
	ASSERT_EQ(0, kvmwatch_stats_read(fd, &stats));
	EXPECT_STREQ("kvm?-?1", stats->id);
	kvmwatch_stats_free(stats);
}

/* Not a proof, but quick: with any byte changed, the library reads only inside of the buffer. */
TEST(any_byte_may_be_wrong)
{
	unsigned char bytes[sizeof(good)];
	static const unsigned char values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	size_t i, j;
	int err;

	memcpy(bytes, &good, sizeof(bytes));
	for (i = 0; i < sizeof(bytes); i++) {
		unsigned char saved = bytes[i];

		for (j = 0; j < ARRAY_SIZE(values); j++) {
			bytes[i] = values[j];
			err = try_bytes(bytes, sizeof(bytes));
			EXPECT_TRUE(err == 0 || err == -EBADMSG);
		}
		bytes[i] = saved;
	}
}

TEST(bytes_of_chance_are_survived)
{
	unsigned char bytes[sizeof(good)];
	unsigned int seed = 1, round, i, n;
	int err;

	for (round = 0; round < 20000; round++) {
		memcpy(bytes, &good, sizeof(bytes));
		n = 1 + rand_r(&seed) % 8;
		for (i = 0; i < n; i++) {
			/* Mostly change the structures, not the names. */
			size_t at = rand_r(&seed) % (i & 1 ? sizeof(bytes) : 96);

			bytes[at] = rand_r(&seed) >> 3;
		}
		err = try_bytes(bytes, 1 + rand_r(&seed) % sizeof(bytes));
		ASSERT_TRUE(err == 0 || err == -EBADMSG);
	}
}

/* --- All objects ----------------------------------------------------------- */

struct all_image {
	struct kvmwatch_all_header header;
	struct kvmwatch_stats_desc descs[2];
	struct {
		struct kvmwatch_all_item item;
		__u64 available;
		__u64 cells[3];
	} items[2];
};

static const struct all_image good_all = {
	.header = {
		.header_size = sizeof(struct kvmwatch_all_header),
		.item_filled = sizeof(struct kvmwatch_all_item),
		.bits_offset = sizeof(struct kvmwatch_all_item),
		.desc_offset = offsetof(struct all_image, descs),
		.desc_size = sizeof(struct kvmwatch_stats_desc),
		.num_desc = 2,
		.item_offset = offsetof(struct all_image, items),
		.item_size = sizeof(good_all.items[0]),
		.data_offset = sizeof(struct kvmwatch_all_item) + sizeof(__u64),
		.nr = 2, .filled = 2, .kind = KVMWATCH_KIND_VCPU, .generation = 7,
		.begin_ns = 100, .end_ns = 200,
	},
	.descs = {
		{ KVMWATCH_STATS_CUMULATIVE, 0, 1, 0, 0, "loads" },
		{ KVMWATCH_STATS_LOG_HIST, 0, 2, 8, 0, "halt_hist" },
	},
	.items = {
		{ { .vm = 1, .id = 5 }, 3, { 10, 11, 12 } },
		{ { .vm = 1, .id = 6, .number = 1 }, 1, { 20, 21, 22 } },
	},
};

static int read_all_image(const void *bytes, size_t len, struct kvmwatch_all **all)
{
	int fd = stats_fd(bytes, len), err;

	lseek(fd, 0, SEEK_SET);
	err = kvmwatch_all_read(fd, all);
	close(fd);
	return err;
}

static int try_all_image(const struct all_image *image)
{
	struct kvmwatch_all *all;
	int err = read_all_image(image, sizeof(*image), &all);

	if (!err)
		kvmwatch_all_free(all);
	return err;
}

TEST(all_objects_are_read)
{
	struct kvmwatch_all *all;

	ASSERT_EQ(0, read_all_image(&good_all, sizeof(good_all), &all));
	EXPECT_EQ(2, all->nr);
	EXPECT_EQ(7, all->generation);
	EXPECT_EQ(2, all->nr_stats);
	EXPECT_EQ(1, kvmwatch_all_find(all, "halt_hist"));
	EXPECT_EQ(-ENOENT, kvmwatch_all_find(all, "halt"));
	EXPECT_EQ(6, kvmwatch_all_at(all, 1)->id);
	EXPECT_EQ(20, *kvmwatch_all_value(all, 1, 0));
	EXPECT_EQ(12, kvmwatch_all_value(all, 0, 1)[1]);
	/* One is unavailable, the others do not exist. */
	EXPECT_EQ(NULL, kvmwatch_all_value(all, 1, 1));
	EXPECT_EQ(NULL, kvmwatch_all_value(all, 1, 2));
	EXPECT_EQ(NULL, kvmwatch_all_value(all, 1, -ENOENT));
	kvmwatch_all_free(all);
}

TEST(all_objects_of_an_unknown_type_of_statistic_keep_their_bits)
{
	struct all_image image = good_all;
	struct kvmwatch_all *all;

	image.descs[0].flags = 9;
	ASSERT_EQ(0, read_all_image(&image, sizeof(image), &all));
	EXPECT_EQ(1, all->nr_stats);
	EXPECT_EQ(11, *kvmwatch_all_value(all, 0, 0));
	EXPECT_EQ(NULL, kvmwatch_all_value(all, 1, 0));
	kvmwatch_all_free(all);
}

TEST(all_objects_cut_short_are_refused)
{
	struct kvmwatch_all *all;
	size_t len;

	for (len = 0; len < sizeof(good_all); len++)
		EXPECT_EQ(-EBADMSG, read_all_image(&good_all, len, &all));
}

#define REFUSED(field, value) ({				\
	struct all_image image = good_all;			\
								\
	image.field = (value);					\
	EXPECT_EQ(-EBADMSG, try_all_image(&image));		\
})

TEST(all_objects_in_the_wrong_place_are_refused)
{
	REFUSED(header.filled, 3);
	REFUSED(header.nr, 1);
	REFUSED(header.nr = image.header.filled, 3);
	REFUSED(header.num_desc, 3);
	REFUSED(header.num_desc, ~0U);
	REFUSED(header.desc_offset, 0);
	REFUSED(header.desc_offset, ~7U);
	REFUSED(header.header_size, 80);
	REFUSED(header.item_filled, 72);
	REFUSED(header.bits_offset, 72);
	REFUSED(header.bits_offset, ~7U);
	REFUSED(header.bits_offset, 84);
	REFUSED(header.desc_size, 56);
	REFUSED(header.desc_size, ~7U);
	REFUSED(header.item_offset, 0);
	REFUSED(header.item_offset, ~7U);
	REFUSED(header.item_offset, sizeof(good_all) + 8);
	REFUSED(header.item_size, 0);
	REFUSED(header.item_size, sizeof(good_all.items[0]) - 8);
	REFUSED(header.data_offset, 0);
	REFUSED(header.data_offset, 24);
	REFUSED(header.data_offset, ~7U);
	REFUSED(header.data_offset, 36);
	REFUSED(descs[0].offset, 8);
	REFUSED(descs[1].offset, 16);
	REFUSED(descs[1].size, 3);
	REFUSED(descs[1].offset, ~7U);
	REFUSED(descs[0].name[0], '\0');
	REFUSED(descs[0].name[0], '\033');
}

/* No host has four billion objects, and the file is shorter than it says. */
TEST(all_objects_that_are_too_many_are_refused)
{
	REFUSED(header.nr, ~0U);
	REFUSED(header.nr, 0x2000000);
	REFUSED(header.nr, 3);
}

/* A kernel's answer in several reads: each gets what fits, the next one the rest. */
static struct {
	struct all_image image;
	unsigned int items;	/* number of items, all alike */
	unsigned int most;	/* limit of one read */
	unsigned int at, steps;
} stepped;

static int reads_step_by_step;

static ssize_t read_step(char *to, size_t size)
{
	struct kvmwatch_all_header header = stepped.image.header;
	unsigned int i, left = stepped.items - stepped.at;

	header.nr = left;
	header.filled = 0;
	stepped.steps++;
	if (size < header.item_offset) {
		memcpy(to, &header, sizeof(header));
		return sizeof(header);
	}
	memcpy(to, &stepped.image, header.item_offset);
	header.filled = (size - header.item_offset) / header.item_size;
	if (header.filled > stepped.most)
		header.filled = stepped.most;
	if (header.filled > left)
		header.filled = left;
	header.flags = header.filled < left ? KVMWATCH_ALL_MORE : KVMWATCH_ALL_CHANGED;
	header.end_ns += stepped.at;
	memcpy(to, &header, sizeof(header));
	to += header.item_offset;
	for (i = 0; i < header.filled; i++, to += header.item_size) {
		memcpy(to, &stepped.image.items[0], sizeof(stepped.image.items[0]));
		((struct kvmwatch_all_item *)to)->id = ++stepped.at;
	}
	return header.item_offset + (ssize_t)header.filled * header.item_size;
}

/* Replaces the C library's. */
ssize_t read(int fd, void *to, size_t size)
{
	return reads_step_by_step ? read_step(to, size) : syscall(SYS_read, fd, to, size);
}

/* Is each object there once, with its numbers? */
static bool is_whole(const struct kvmwatch_all *all)
{
	size_t i;

	for (i = 0; i < all->nr; i++)
		if (kvmwatch_all_at(all, i)->id != i + 1 || *kvmwatch_all_value(all, i, 0) != 10 ||
		    kvmwatch_all_value(all, i, 1)[1] != 12)
			return false;
	return all->nr == stepped.items && all->generation == 7 && all->changed == 1;
}

TEST(all_objects_come_in_as_many_reads_as_it_takes)
{
	static const unsigned int most[] = { 1, 2, 7, 99, 100, 1000 };
	struct kvmwatch_all *all;
	size_t i;

	stepped.image = good_all;
	stepped.items = 100;
	reads_step_by_step = 1;
	for (i = 0; i < ARRAY_SIZE(most); i++) {
		stepped.most = most[i];
		stepped.at = 0;
		stepped.steps = 0;
		ASSERT_EQ(0, kvmwatch_all_read(-1, &all));
		EXPECT_EQ((99 + most[i]) / most[i], stepped.steps);
		EXPECT_TRUE(is_whole(all));
		/* Read more objects into the same structure. */
		stepped.at = 0;
		stepped.items += 5000;
		ASSERT_EQ(0, kvmwatch_all_update(-1, all));
		EXPECT_TRUE(is_whole(all));
		stepped.items -= 5000;
		kvmwatch_all_free(all);
	}
}

TEST(all_objects_that_do_not_go_on_are_given_up)
{
	struct kvmwatch_all *all;

	stepped.image = good_all;
	stepped.items = 100;
	reads_step_by_step = 1;
	EXPECT_EQ(-EBADMSG, kvmwatch_all_read(-1, &all));
}

/* --- Mapped -------------------------------------------------------------- */

#define CELLS	600	/* longer than a page */

struct stats_image {
	struct kvmwatch_stats_header header;
	char id[KVMWATCH_NAME_SIZE];
	struct kvmwatch_stats_desc desc;
	__u64 cells[CELLS];
};

/* A stats fd of one histogram with @cells buckets. */
static struct kvmwatch_stats *stats_of(const char *id, size_t cells)
{
	struct stats_image image = {
		.header = {
			.name_size = sizeof(image.desc.name), .num_desc = 1,
			.id_offset = offsetof(struct stats_image, id),
			.desc_offset = offsetof(struct stats_image, desc),
			.data_offset = offsetof(struct stats_image, cells),
		},
		.desc = { KVMWATCH_STATS_LINEAR_HIST, 0, cells, 0, 1, "reasons" },
	};
	struct kvmwatch_stats *stats;
	int fd, err;

	strcpy(image.id, id);
	fd = stats_fd(&image, sizeof(image));
	err = kvmwatch_stats_read(fd, &stats);
	close(fd);
	return err ? NULL : stats;
}

/* A mapped page with a copy of @cells cells, each of value 7. */
static int map_fd(size_t cells)
{
	struct {
		struct kvmwatch_map head;
		__u64 cells[512 - sizeof(struct kvmwatch_map) / 8];
	} page = {
		.head = { .copies = 1, .data_offset = sizeof(page.head), .data_size = cells * 8 },
	};
	size_t i;

	for (i = 0; i < cells; i++)
		page.cells[i] = 7;
	return stats_fd(&page, sizeof(page));
}

TEST(a_mapping_is_read_with_its_own_statistics_alone)
{
	struct kvmwatch_stats *own = stats_of("kvmwatch-1", 4), *again = stats_of("kvmwatch-1", 4);
	struct kvmwatch_stats *longer = stats_of("kvmwatch-1", CELLS);
	struct kvmwatch_stats *other = stats_of("kvmwatch-2", 4);
	struct kvmwatch_mapping *mapping;
	int fd = map_fd(4);

	ASSERT_TRUE(own && again && longer && other);
	ASSERT_EQ(0, kvmwatch_mapping_make(fd, own, &mapping));
	close(fd);
	EXPECT_EQ(-EINVAL, kvmwatch_mapping_read(mapping, longer, NULL));
	EXPECT_EQ(-EINVAL, kvmwatch_mapping_read(mapping, other, NULL));
	EXPECT_EQ(0, longer->values[0].data[0] | other->values[0].data[0]);
	EXPECT_EQ(0, kvmwatch_mapping_read(mapping, own, NULL));
	EXPECT_EQ(7, own->values[0].data[3]);
	EXPECT_EQ(0, kvmwatch_mapping_read(mapping, again, NULL));
	EXPECT_EQ(7, again->values[0].data[0]);
	kvmwatch_mapping_free(mapping);
}

/* --- Buckets ------------------------------------------------------------- */

TEST(buckets_of_a_log_histogram)
{
	struct kvmwatch_value value = { .flags = KVMWATCH_STATS_LOG_HIST, .size = 65 };
	__u64 first, last, next = 0;
	unsigned int i;

	for (i = 0; i < value.size; i++) {
		kvmwatch_bucket_range(&value, i, &first, &last);
		EXPECT_EQ(next, first);
		EXPECT_LE(first, last);
		next = last + 1;
	}
	EXPECT_EQ(0, next);	/* all of __u64, without a gap */
	kvmwatch_bucket_range(&value, 4, &first, &last);
	EXPECT_EQ(8, first);
	EXPECT_EQ(15, last);
}

TEST(buckets_of_a_linear_histogram)
{
	struct kvmwatch_value value = {
		.flags = KVMWATCH_STATS_LINEAR_HIST, .size = 3, .bucket_size = 10,
	};
	__u64 first, last;

	kvmwatch_bucket_range(&value, 1, &first, &last);
	EXPECT_EQ(10, first);
	EXPECT_EQ(19, last);
	kvmwatch_bucket_range(&value, 2, &first, &last);
	EXPECT_EQ(20, first);
	EXPECT_EQ(~0ULL, last);
}

TEST_HARNESS_MAIN
