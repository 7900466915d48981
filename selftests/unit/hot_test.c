// SPDX-License-Identifier: GPL-2.0
/*
 * Per-page heat as library and tool read it, from files in the format of the module's fds, also
 * broken ones.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "cmd.h"
#include "hot.h"

#define LOGGED	KVMWATCH_HEAT_LOGGED
#define WINDOWS	10

/* --- a file -------------------------------------------------------------- */

/* Three slots: nothing is known of 0:0; 0:1 and 0:2 are logged, and 0:2 has the lower address. */
struct file_slot {
	struct kvmwatch_heat_slot slot;
	__u64 distinct[WINDOWS];
};

struct file {
	struct kvmwatch_heat_header head;
	struct file_slot slots[3];
	struct kvmwatch_heat_page pages[8 + 100 + 50];
};

static const struct file new_file = {
	.head = {
		.slot_offset = sizeof(struct kvmwatch_heat_header),
		.header_size = sizeof(struct kvmwatch_heat_header),
		.slot_size = sizeof(struct file_slot),
		.slot_filled = sizeof(struct kvmwatch_heat_slot),
		.distinct_offset = sizeof(struct kvmwatch_heat_slot),
		.page_size = sizeof(struct kvmwatch_heat_page),
		.nr_slots = 3, .nr_windows = WINDOWS, .window_ns = 125000000,
		.vm = 7,
	},
	.slots = {
		{ .slot = { .npages = 8, .page_offset = offsetof(struct file, pages) } },
		{ .slot = { .base_gfn = 0x2000, .npages = 100, .id = 1, .flags = LOGGED,
			    .page_offset = offsetof(struct file, pages[8]) } },
		{ .slot = { .base_gfn = 0x1000, .npages = 50, .id = 2, .flags = LOGGED,
			    .page_offset = offsetof(struct file, pages[108]) } },
	},
};

FIXTURE(hot)
{
	struct file file;
	struct hot hot;
	int fd;
};

static int save(int fd, const struct file *file)
{
	const struct iovec iov = { (void *)file, sizeof(*file) };

	return pwritev(fd, &iov, 1, 0) == sizeof(*file) ? 0 : -errno;
}

FIXTURE_SETUP(hot)
{
	self->file = new_file;
	self->fd = memfd_create("heat", MFD_CLOEXEC);
	ASSERT_EQ(0, save(self->fd, &self->file));
}

FIXTURE_TEARDOWN(hot)
{
	close(self->fd);
}

static void mark(struct file *file, int slot, int page, __u32 times)
{
	static const int first[] = { 0, 8, 108 };

	file->slots[slot].slot.marks += times;
	file->pages[first[slot] + page].count += times;
}

/* --- counts -------------------------------------------------------------- */

TEST_F(hot, pages_come_highest_first_and_only_with_what_came_since)
{
	struct hot_hottest hottest;
	struct hot_page *pages;

	mark(&self->file, 1, 3, 1000);
	mark(&self->file, 1, 4, 5);
	ASSERT_EQ(0, save(self->fd, &self->file));
	ASSERT_EQ(0, hot_begin(&self->hot, dup(self->fd)));
	ASSERT_EQ(0, hot_find(&self->hot, 100, &hottest));
	EXPECT_EQ(0, hottest.nr);
	EXPECT_EQ(0, hottest.marked);
	free(hottest.pages);

	mark(&self->file, 1, 3, 2);
	mark(&self->file, 2, 49, 9);
	mark(&self->file, 2, 0, 2);
	mark(&self->file, 1, 99, 2);
	ASSERT_EQ(0, save(self->fd, &self->file));
	ASSERT_EQ(0, hot_look(&self->hot));
	ASSERT_EQ(0, hot_find(&self->hot, 100, &hottest));
	ASSERT_EQ(4, hottest.nr);
	EXPECT_EQ(4, hottest.marked);
	pages = hottest.pages;
#define EXPECT_PAGE(i, s, page, n) do {		\
	EXPECT_EQ(s, pages[i].slot);		\
	EXPECT_EQ(page, pages[i].rel_gfn);	\
	EXPECT_EQ(n, pages[i].count);		\
} while (0)
	EXPECT_PAGE(0, 2, 49, 9);
	EXPECT_PAGE(1, 1, 3, 2);
	EXPECT_PAGE(2, 1, 99, 2);
	EXPECT_PAGE(3, 2, 0, 2);
	EXPECT_EQ(15, hot_all_marks(&self->hot));
	EXPECT_EQ(11, hot_marks(&self->hot, 2));
	free(pages);
	ASSERT_EQ(0, hot_find(&self->hot, 2, &hottest));
	ASSERT_EQ(2, hottest.nr);
	EXPECT_EQ(4, hottest.marked);
	pages = hottest.pages;
	EXPECT_PAGE(0, 2, 49, 9);
	EXPECT_PAGE(1, 1, 3, 2);
	free(pages);
	hot_end(&self->hot);
}

/* Many pages, some with equal counts. */
static struct hot_page *many_pages(size_t nr)
{
	struct hot_page *pages = calloc(nr, sizeof(*pages));
	__u64 x = 1;
	size_t i;

	for (i = 0; i < nr; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		pages[i].count = x >> 60;
		pages[i].slot = x >> 40 & 3;
		pages[i].rel_gfn = i;
	}
	return pages;
}

/* Memory is needed only for the hottest pages, however many pages there are. */
TEST_F(hot, the_hottest_are_found_among_many_pages)
{
	static const size_t maxes[] = { 0, 1, 2, 3, 20, 9999, 10000, 1000000 };
	struct hot_page *pages = many_pages(10000), *sorted = many_pages(10000);
	struct hot_hottest hottest;
	size_t i, j, most;

	hot_sort(sorted, 10000);
	for (i = 0; i < ARRAY_SIZE(maxes); i++) {
		hottest = (struct hot_hottest){ .max = maxes[i] };
		most = maxes[i] < 10000 ? maxes[i] : 10000;
		for (j = 0; j < 10000; j++)
			ASSERT_EQ(0, hot_add(&hottest, &pages[j]));
		ASSERT_EQ(most, hottest.nr);
		EXPECT_EQ(10000, hottest.marked);
		EXPECT_LE(hottest.room, 2 * most + 64);
		hot_sort(hottest.pages, hottest.nr);
		for (j = 0; j < most; j++) {
			ASSERT_EQ(sorted[j].slot, hottest.pages[j].slot);
			ASSERT_EQ(sorted[j].rel_gfn, hottest.pages[j].rel_gfn);
		}
		free(hottest.pages);
	}
	free(sorted);
	free(pages);
}

TEST_F(hot, many_pages_are_sorted)
{
	struct hot_page *pages = many_pages(10000);
	size_t i;

	hot_sort(pages, 10000);
	for (i = 1; i < 10000; i++) {
		ASSERT_GE(pages[i - 1].count, pages[i].count);
		if (pages[i - 1].count != pages[i].count)
			continue;
		ASSERT_LE(pages[i - 1].slot, pages[i].slot);
		if (pages[i - 1].slot == pages[i].slot)
			ASSERT_LT(pages[i - 1].rel_gfn, pages[i].rel_gfn);
	}
	free(pages);
	hot_sort(NULL, 0);
}

/* --- windows ------------------------------------------------------------- */

TEST_F(hot, means_are_of_the_windows_between_two_looks)
{
	struct file_slot *slots = self->file.slots;
	__u64 windows;
	double pages;

	slots[1].slot.ticks = 7;
	slots[1].distinct[0] = 70;
	slots[1].distinct[1] = 30;
	slots[2].slot.ticks = 3;
	ASSERT_EQ(0, save(self->fd, &self->file));
	ASSERT_EQ(0, hot_begin(&self->hot, dup(self->fd)));
	EXPECT_EQ(-ENODATA, hot_mean(&self->hot, 1, 0, &pages, &windows));
	slots[1].slot.ticks = 17;
	slots[1].distinct[0] = 105;
	slots[1].distinct[1] = 40;
	slots[2].slot.ticks = 11;
	slots[2].distinct[0] = 4;
	slots[2].distinct[1] = 2;
	ASSERT_EQ(0, save(self->fd, &self->file));
	ASSERT_EQ(0, hot_look(&self->hot));

	ASSERT_EQ(0, hot_mean(&self->hot, 1, 0, &pages, &windows));
	EXPECT_EQ(10, windows);
	EXPECT_EQ(3.5, pages);
	/* Of windows of twice the length, 3 had ended before and 8 have now. */
	ASSERT_EQ(0, hot_mean(&self->hot, 1, 1, &pages, &windows));
	EXPECT_EQ(5, windows);
	EXPECT_EQ(2.0, pages);
	ASSERT_EQ(0, hot_mean(&self->hot, HOT_ALL, 0, &pages, &windows));
	EXPECT_EQ(8, windows);
	EXPECT_EQ(4.0, pages);
	EXPECT_EQ(-ENODATA, hot_mean(&self->hot, 2, 4, &pages, &windows));
	EXPECT_EQ(-ENODATA, hot_mean(&self->hot, HOT_ALL, 4, &pages, &windows));
	hot_end(&self->hot);
}

TEST_F(hot, what_is_not_logged_is_not_known)
{
	__u64 windows;
	double pages;

	self->file.slots[1].slot.flags = 0;
	self->file.slots[2].slot.flags = 0;
	ASSERT_EQ(0, save(self->fd, &self->file));
	ASSERT_EQ(0, hot_begin(&self->hot, dup(self->fd)));
	self->file.slots[1].slot.ticks = 5;
	ASSERT_EQ(0, save(self->fd, &self->file));
	ASSERT_EQ(0, hot_look(&self->hot));
	EXPECT_FALSE(hot_any_logged(&self->hot));
	EXPECT_EQ(-ENOENT, hot_mean(&self->hot, 1, 0, &pages, &windows));
	EXPECT_EQ(-ENOENT, hot_mean(&self->hot, HOT_ALL, 0, &pages, &windows));
	/* Logging was on for a while between the two reads, as the marks show. */
	mark(&self->file, 1, 0, 10);
	self->file.slots[1].distinct[0] = 10;
	ASSERT_EQ(0, save(self->fd, &self->file));
	ASSERT_EQ(0, hot_look(&self->hot));
	EXPECT_TRUE(hot_any_logged(&self->hot));
	ASSERT_EQ(0, hot_mean(&self->hot, HOT_ALL, 0, &pages, &windows));
	EXPECT_EQ(2.0, pages);
	hot_end(&self->hot);
}

/* --- the picture ---------------------------------------------------------- */

/* 158 pages, and so 158 rows: 8 of slot 0:0, 50 of 0:2, 100 of 0:1. */
TEST_F(hot, cells_are_by_address_and_time)
{
	struct hot_map map = { };
	int i;

	ASSERT_EQ(0, hot_begin(&self->hot, dup(self->fd)));
	for (i = 1; i <= HOT_MAP_COLUMNS; i++) {
		mark(&self->file, 1, 0, i);
		mark(&self->file, 2, 49, 1);
		ASSERT_EQ(0, save(self->fd, &self->file));
		ASSERT_EQ(0, hot_look(&self->hot));
		ASSERT_EQ(0, hot_map_add(&map, &self->hot, i));
	}
	EXPECT_EQ(-ENOSPC, hot_map_add(&map, &self->hot, i));
	EXPECT_EQ(158, map.rows);
	EXPECT_EQ(158, map.pages);
	EXPECT_EQ(HOT_MAP_COLUMNS, map.columns);
	EXPECT_EQ(1, map.cells[0 * 158 + 58]);
	EXPECT_EQ(1, map.cells[0 * 158 + 57]);
	EXPECT_EQ(0, map.cells[0 * 158 + 59]);
	EXPECT_EQ(40, map.cells[39 * 158 + 58]);
	EXPECT_EQ(1, map.cells[39 * 158 + 57]);
	hot_map_free(&map);
	hot_end(&self->hot);
}

static int contains(const char *path, const char *what)
{
	static char text[4 << 20];
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return !!strstr(text, what);
}

/* A gnuplot that writes a part of the picture and then fails. */
static void fails_half_way(const char *path, const struct hot_map *map)
{
	char dir[] = "/tmp/gnuplot.XXXXXX", program[64];
	struct hot_plot *plot;
	FILE *f;

	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(program, sizeof(program), "%s/gnuplot", dir);
	f = fopen(program, "w");
	fputs("#!/bin/sh\necho '<svg half'\nwhile read -r line; do :; done\nexit 1\n", f);
	fclose(f);
	chmod(program, 0755);
	setenv("PATH", dir, 1);
	ASSERT_EQ(EXIT_DONE, hot_plot_begin(path, &plot));
	EXPECT_EQ(EXIT_COULD_NOT, hot_plot_end(plot, map, "VM 7"));
	unlink(program);
	rmdir(dir);
}

TEST_F(hot, gnuplot_draws_it)
{
	char path[] = "/tmp/it's a map.XXXXXX", complaint[256] = "";
	struct hot_map map = { };
	struct hot_plot *plot;
	int i;

	close(mkstemp(path));
	ASSERT_EQ(0, hot_begin(&self->hot, dup(self->fd)));
	for (i = 1; i <= 10; i++) {
		mark(&self->file, 1, i, 1);
		ASSERT_EQ(0, save(self->fd, &self->file));
		ASSERT_EQ(0, hot_look(&self->hot));
		ASSERT_EQ(0, hot_map_add(&map, &self->hot, i * 0.5));
	}
	complain_into(complaint, sizeof(complaint));
	ASSERT_EQ(EXIT_DONE, hot_plot_begin(path, &plot)) TH_LOG("%s", complaint);
	EXPECT_EQ(EXIT_DONE, hot_plot_end(plot, &map, "VM 7: it's 'me'"));
	EXPECT_TRUE(contains(path, "<svg"));
	EXPECT_TRUE(contains(path, "</svg>"));
	EXPECT_TRUE(contains(path, "VM 7: it s  me "));
	EXPECT_TRUE(contains(path, "seconds"));

	/* The old picture stays if there is nothing to draw, and if any step fails. */
	ASSERT_EQ(EXIT_DONE, hot_plot_begin(path, &plot));
	EXPECT_EQ(EXIT_DONE, hot_plot_end(plot, NULL, "VM 7"));
	EXPECT_TRUE(contains(path, "</svg>"));

	EXPECT_EQ(EXIT_COULD_NOT, hot_plot_begin("/nowhere/map.svg", &plot));
	EXPECT_NE(NULL, strstr(complaint, "can't write it"));
	setenv("PATH", "/nowhere", 1);
	EXPECT_EQ(EXIT_COULD_NOT, hot_plot_begin(path, &plot));
	EXPECT_NE(NULL, strstr(complaint, "apt install gnuplot-nox"));
	EXPECT_TRUE(contains(path, "</svg>"));
	fails_half_way(path, &map);
	EXPECT_TRUE(contains(path, "</svg>"));
	unlink(path);
	hot_map_free(&map);
	hot_end(&self->hot);
}

static void go_on(int signal)
{
	(void)signal;
}

/*
 * The terminal sends Ctrl-C to the whole process group: it must end the counting, but not gnuplot.
 */
TEST_F(hot, a_typed_interrupt_leaves_gnuplot_its_picture)
{
	char path[] = "/tmp/map.XXXXXX";
	struct hot_map map = { };
	struct hot_plot *plot;

	close(mkstemp(path));
	ASSERT_EQ(0, hot_begin(&self->hot, dup(self->fd)));
	mark(&self->file, 1, 1, 1);
	ASSERT_EQ(0, save(self->fd, &self->file));
	ASSERT_EQ(0, hot_look(&self->hot));
	ASSERT_EQ(0, hot_map_add(&map, &self->hot, 0.5));
	setpgid(0, 0);
	signal(SIGINT, go_on);
	ASSERT_EQ(EXIT_DONE, hot_plot_begin(path, &plot));
	ASSERT_EQ(0, kill(0, SIGINT));
	EXPECT_EQ(EXIT_DONE, hot_plot_end(plot, &map, "VM 7"));
	EXPECT_TRUE(contains(path, "</svg>"));
	unlink(path);
	hot_map_free(&map);
	hot_end(&self->hot);
}

/* --- broken files -------------------------------------------------------- */

TEST_F(hot, longer_structures_of_a_newer_module_are_read)
{
	struct {
		struct kvmwatch_heat_header head;
		__u64 more;
		struct kvmwatch_heat_slot slot;
		__u64 new_member;
		__u64 distinct[WINDOWS + 1];
		struct {
			struct kvmwatch_heat_page page;
			__u64 most;
		} pages[9000];
	} *file = calloc(1, sizeof(*file));
	struct kvmwatch_heat_page *pages = calloc(9000, sizeof(*pages));
	struct kvmwatch_heat *heat;
	__u64 distinct, windows;
	int i;

	file->head = new_file.head;
	file->head.nr_slots = 1;
	file->head.header_size += 8;
	file->head.slot_offset += 8;
	file->head.slot_filled += 8;
	file->head.distinct_offset += 8;
	file->head.nr_windows += 1;
	file->head.slot_size += 16;
	file->head.page_size += 8;
	file->slot.ticks = 1 << WINDOWS;
	file->distinct[WINDOWS] = 77;
	file->slot.npages = 9000;
	file->slot.page_offset = (char *)file->pages - (char *)file;
	for (i = 0; i < 9000; i++)
		file->pages[i].page.count = i;
	ASSERT_EQ(sizeof(*file), pwrite(self->fd, file, sizeof(*file), 0));
	ASSERT_EQ(0, kvmwatch_heat_read(self->fd, &heat));
	ASSERT_EQ(0, kvmwatch_heat_pages(self->fd, heat, 0, 10, 8990, pages));
	for (i = 0; i < 8990; i++)
		ASSERT_EQ(i + 10, pages[i].count);
	EXPECT_EQ(-EINVAL, kvmwatch_heat_pages(self->fd, heat, 0, 10, 8991, pages));
	EXPECT_EQ(-EINVAL, kvmwatch_heat_pages(self->fd, heat, 0, 9001, 0, pages));
	EXPECT_EQ(-EINVAL, kvmwatch_heat_pages(self->fd, heat, 1, 0, 1, pages));
	EXPECT_EQ(0, kvmwatch_heat_window(heat, NULL, 0, WINDOWS, &distinct, &windows));
	EXPECT_EQ(77, distinct);
	EXPECT_EQ(1, windows);
	kvmwatch_heat_free(heat);
	free(pages);
	free(file);
}

static int read_with(int fd, const struct file *file)
{
	struct kvmwatch_heat *heat;
	int err;

	if (save(fd, file))
		return -EIO;
	err = kvmwatch_heat_read(fd, &heat);
	if (!err)
		kvmwatch_heat_free(heat);
	return err;
}

TEST_F(hot, broken_heads_are_refused)
{
	struct file *f = &self->file;

#define REFUSED(where, value) do {				\
	*f = new_file;						\
	(where) = (value);					\
	EXPECT_EQ(-EBADMSG, read_with(self->fd, f));		\
} while (0)
	EXPECT_EQ(0, read_with(self->fd, f));
	REFUSED(f->head.slot_offset, 8);
	REFUSED(f->head.slot_offset, ~0U);
	REFUSED(f->head.header_size, 72);
	REFUSED(f->head.slot_filled, 48);
	REFUSED(f->head.slot_filled, ~0U);
	REFUSED(f->head.distinct_offset, 48);
	REFUSED(f->head.distinct_offset, 64);
	REFUSED(f->head.distinct_offset, ~7U);
	REFUSED(f->head.slot_size, sizeof(f->slots[0]) - 8);
	REFUSED(f->head.slot_size, ~0U);
	REFUSED(f->head.page_size, 4);
	REFUSED(f->head.page_size, ~0U);
	REFUSED(f->head.page_size, 0);
	REFUSED(f->head.nr_slots, ~0U);
	REFUSED(f->head.nr_slots, 1000);
	REFUSED(f->head.nr_windows, 0);
	REFUSED(f->head.nr_windows, WINDOWS + 1);
	REFUSED(f->head.window_ns, 0);
	REFUSED(f->head.window_ns, ~0ULL);
	REFUSED(f->slots[2].slot.npages, ~0ULL);
	REFUSED(f->slots[2].slot.page_offset, ~0ULL);
	ASSERT_EQ(0, ftruncate(self->fd, 20));
	EXPECT_EQ(-EBADMSG, kvmwatch_heat_read(self->fd, NULL));
	EXPECT_EQ(-EBADF, kvmwatch_heat_read(-1, NULL));
}

TEST_F(hot, pages_that_are_not_there_are_told)
{
	struct kvmwatch_heat_page pages[50];
	struct kvmwatch_heat *heat;

	self->file.slots[2].slot.page_offset += 8;
	ASSERT_EQ(0, save(self->fd, &self->file));
	ASSERT_EQ(0, kvmwatch_heat_read(self->fd, &heat));
	EXPECT_EQ(0, kvmwatch_heat_pages(self->fd, heat, 2, 0, 49, pages));
	EXPECT_EQ(-EBADMSG, kvmwatch_heat_pages(self->fd, heat, 2, 0, 50, pages));
	kvmwatch_heat_free(heat);
}

/* With any single byte changed, the file is read or refused. */
TEST_F(hot, any_byte_may_be_wrong)
{
	static const unsigned char flips[] = { 1, 0x80, 0xff };
	const size_t size = offsetof(struct file, pages);
	struct file file;
	struct hot hot;
	size_t i, n;

	for (i = 0; i < size * 3; i++) {
		file = new_file;
		((unsigned char *)&file)[i / 3] ^= flips[i % 3];
		ASSERT_EQ(0, save(self->fd, &file));
		if (hot_begin(&hot, dup(self->fd)))
			continue;
		for (n = 0; n < hot.last->nr; n++)
			hot_marks(&hot, n);
		hot_end(&hot);
	}
}

TEST_HARNESS_MAIN
