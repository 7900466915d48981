// SPDX-License-Identifier: GPL-2.0
/*
 * All interfaces agree: debugfs files and tables, stats fds, lists and trace events show the same
 * numbers.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "guest.h"
#include "oracle.h"
#include "vendor.h"
#include "watch.h"

#define APIC_GFN	0xfee00
#define GPA		0x40000000ULL
#define GPA_HUGE	0x80000000ULL
#define PAGES		96
#define PAGES_HUGE	1024
#define NOTHING		(~0ULL)

/* A guest that has done each kind of work: slot 1 is logged, slot 2 is not. */
static struct guest *busy_guest(void)
{
	struct guest *g = guest_new(2, 0);
	int err;

	if (!g)
		return NULL;
	err = guest_slot_add(g, 1, GPA, PAGES, GUEST_MEM_4K, 0);
	err = err ?: guest_slot_add(g, 2, GPA_HUGE, PAGES_HUGE, GUEST_MEM_THP, 0);
	err = err ?: guest_run(g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1));
	err = err ?: guest_run(g, 1, work_write(GPA_HUGE, 2, 512 * GUEST_PAGE, 1));
	err = err ?: guest_dirty_log(g, 1, 1);
	err = err ?: guest_run(g, 0, work_write(GPA, PAGES / 2, GUEST_PAGE, 1));
	err = err ?: guest_run(g, 0, work_out(20));
	err = err ?: guest_halt_asleep(g, 1, 5);
	if (!err)
		return g;
	guest_free(g);
	return NULL;
}

static __u64 number(const void *snapshot, const char *name)
{
	const __u64 *value = oracle_in(snapshot, name, NULL);

	return value ? *value : NOTHING;
}

/* --- one object, in each place ----------------------------------------------- */

FIXTURE(object)
{
	struct guest *g;
	int fd;
};

FIXTURE_VARIANT(object)
{
	__u32 kind;
	unsigned int index;
	const char *dir;	/* below the VM's directory */
};

FIXTURE_VARIANT_ADD(object, vm)
{
	.kind = KVMWATCH_KIND_VM, .dir = "",
};

FIXTURE_VARIANT_ADD(object, vcpu)
{
	.kind = KVMWATCH_KIND_VCPU, .index = 1, .dir = "/vcpu1",
};

FIXTURE_VARIANT_ADD(object, logged_slot)
{
	.kind = KVMWATCH_KIND_SLOT, .index = 1, .dir = "/slot0-1",
};

FIXTURE_VARIANT_ADD(object, slot)
{
	.kind = KVMWATCH_KIND_SLOT, .index = 2, .dir = "/slot0-2",
};

FIXTURE_SETUP(object)
{
	self->g = busy_guest();
	ASSERT_NE(NULL, self->g);
	if (variant->kind == KVMWATCH_KIND_VM)
		self->fd = watch_vm(self->g);
	else if (variant->kind == KVMWATCH_KIND_VCPU)
		self->fd = watch_vcpu(self->g, variant->index);
	else
		self->fd = watch_slot(self->g, 0, variant->index);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(object)
{
	close(self->fd);
	guest_free(self->g);
}

/* Compare the cells of a file with snapshots from before and after it was read. */
static void check_cells(struct __test_metadata *_metadata, const char *name, const char *text,
			const void *before, const void *after)
{
	unsigned int cells, i;
	const __u64 *least = oracle_in(before, name, &cells);
	const __u64 *most = oracle_in(after, name, NULL);
	char *end;
	__u64 value;

	if (!strcmp(text, "unavailable\n")) {
		EXPECT_EQ(NULL, least) {
			TH_LOG("%s", name);
		}
		return;
	}
	ASSERT_NE(NULL, least) {
		TH_LOG("%s has no descriptor", name);
	}
	for (i = 0; i < cells; i++) {
		value = strtoull(text, &end, 10);
		EXPECT_NE(text, end);
		EXPECT_LE(least[i], value) {
			TH_LOG("%s[%u]", name, i);
		}
		EXPECT_GE(most[i], value) {
			TH_LOG("%s[%u]", name, i);
		}
		EXPECT_EQ(i + 1 < cells ? ' ' : '\n', *end);
		text = end + 1;
	}
	EXPECT_EQ('\0', *text);
}

/* Number of statistics of a kind, and how many of them are available for some object. */
static int nr_stats(__u32 kind, int *available)
{
	struct kvmwatch_stat *stats;
	int nr = watch_list(KVMWATCH_KIND_STAT, 0, (void **)&stats, sizeof(*stats));
	int i, found = 0;

	*available = 0;
	for (i = 0; i < nr; i++) {
		if (stats[i].kind != kind)
			continue;
		found++;
		*available += !!(stats[i].flags & KVMWATCH_STAT_AVAILABLE);
	}
	free(stats);
	return found;
}

/* Number of files in a directory. */
static int nr_files(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int nr = 0;

	while (dir && (entry = readdir(dir)))
		nr += entry->d_type == DT_REG;
	if (dir)
		closedir(dir);
	return nr;
}

TEST_F(object, each_file_equals_the_stats_fd)
{
	char path[256], file[512], *text;
	void *before, *after;
	struct dirent *entry;
	int nr = 0, available;
	DIR *dir;

	/* The housekeeper makes the directory first, then the files one by one. */
	snprintf(path, sizeof(path), WATCH_DEBUGFS "/vm/%s%s", guest_name(self->g), variant->dir);
	EXPECT_TRUE(WATCH_EVENTUALLY(nr_files(path) ==
				     nr_stats(variant->kind, &available)));
	dir = opendir(path);
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_REG)
			continue;
		snprintf(file, sizeof(file), "vm/%s%s/%s", guest_name(self->g), variant->dir,
			 entry->d_name);
		before = oracle_snapshot(self->fd, NULL);
		text = watch_debugfs_table(file);
		after = oracle_snapshot(self->fd, NULL);
		ASSERT_NE(NULL, before);
		ASSERT_NE(NULL, text);
		ASSERT_NE(NULL, after);
		check_cells(_metadata, entry->d_name, text, before, after);
		free(before);
		free(text);
		free(after);
		nr++;
	}
	closedir(dir);
	EXPECT_EQ(nr_stats(variant->kind, &available), nr);
}

TEST_F(object, each_descriptor_is_a_listed_statistic_and_has_a_file)
{
	struct kvmwatch_stat *stats;
	struct oracle_desc desc;
	char file[512], *text = NULL;
	int nr, i, available;
	unsigned int d;

	nr = watch_list(KVMWATCH_KIND_STAT, 0, (void **)&stats, sizeof(*stats));
	ASSERT_LE(1, nr);
	for (d = 0; !oracle_desc(self->fd, d, &desc); d++) {
		for (i = 0; i < nr; i++)
			if (stats[i].kind == variant->kind && !strcmp(stats[i].name, desc.name))
				break;
		ASSERT_LT(i, nr) {
			TH_LOG("%s is not listed", desc.name);
		}
		EXPECT_EQ(KVMWATCH_STAT_AVAILABLE, stats[i].flags);
		EXPECT_EQ(stats[i].desc_flags, desc.flags);
		EXPECT_EQ(stats[i].exponent, desc.exponent);
		EXPECT_NE('\0', stats[i].help[0]);

		snprintf(file, sizeof(file), "vm/%s%s/%s", guest_name(self->g), variant->dir,
			 desc.name);
		EXPECT_TRUE(WATCH_EVENTUALLY((text = watch_debugfs_table(file)))) {
			TH_LOG("no file %s", file);
		}
		free(text);
	}
	free(stats);
	nr_stats(variant->kind, &available);
	/* Only the logged slot knows how many pages are dirty now. */
	if (variant->kind == KVMWATCH_KIND_SLOT && variant->index == 2)
		available--;
	EXPECT_EQ(available, d);
}

TEST_F(object, a_strict_reader_of_kvms_format_accepts_the_stats_fd)
{
	struct kvmwatch_stats_header *header;
	struct oracle_desc desc;
	const char *why;
	char id[KVMWATCH_NAME_SIZE];
	__u32 end = 0, d;
	size_t size;

	EXPECT_EQ(0, oracle_check(self->fd, &why)) {
		TH_LOG("%s", why);
	}
	ASSERT_EQ(0, oracle_id(self->fd, id, sizeof(id)));
	EXPECT_EQ(0, strncmp("kvm", id, 3));

	/* The blocks lie one behind the other, and so do the values. */
	header = oracle_snapshot(self->fd, &size);
	ASSERT_NE(NULL, header);
	EXPECT_EQ(sizeof(*header), header->id_offset);
	EXPECT_EQ(header->id_offset + header->name_size, header->desc_offset);
	EXPECT_EQ(header->desc_offset +
		  header->num_desc * (sizeof(struct kvmwatch_stats_desc)), header->data_offset);
	for (d = 0; !oracle_desc(self->fd, d, &desc); d++) {
		EXPECT_EQ(end, desc.offset);
		end += desc.size * sizeof(__u64);
	}
	EXPECT_EQ(header->num_desc, d);
	EXPECT_EQ(header->data_offset + end, size);
	free(header);
}

/* The object has ended, so that its values do not change. */
TEST_F(object, any_part_of_the_stats_fd_is_that_part_of_the_whole)
{
	char part[256], *whole, *pieces;
	size_t size, offset, done = 0, len;
	ssize_t n;

	guest_free(self->g);
	self->g = NULL;
	ASSERT_EQ(0, watch_wait_ended(self->fd));

	whole = oracle_snapshot(self->fd, &size);
	ASSERT_NE(NULL, whole);
	pieces = calloc(1, size + 1);
	ASSERT_NE(NULL, pieces);
	/* read(2) goes on where it stopped. */
	while ((n = read(self->fd, pieces + done, size + 1 - done < 99 ? size + 1 - done : 99)) > 0)
		done += n;
	EXPECT_EQ(0, n);
	EXPECT_EQ(size, done);
	EXPECT_EQ(0, memcmp(whole, pieces, size));
	EXPECT_EQ(0, pread(self->fd, part, sizeof(part), size));
	EXPECT_EQ(0, pread(self->fd, part, sizeof(part), size + 12345));

	for (offset = 0; offset < size; offset++) {
		len = 1 + offset % sizeof(part);
		n = pread(self->fd, part, len, offset);
		ASSERT_EQ(offset + len < size ? len : size - offset, n);
		ASSERT_EQ(0, memcmp(whole + offset, part, n)) {
			TH_LOG("differs within %zu bytes from %zu", len, offset);
		}
	}

	free(whole);
	free(pieces);
}

/* --- tables ------------------------------------------------------------------ */

#define MAX_COLUMNS	32
#define MAX_ROWS	64

struct table {
	char *text;
	int columns, rows;
	char *head[MAX_COLUMNS];
	char *cell[MAX_ROWS][MAX_COLUMNS];
	int cells[MAX_ROWS];
};

static int split(char *line, char **cells)
{
	char *save, *cell = strtok_r(line, " \t", &save);
	int nr = 0;

	for (; cell && nr < MAX_COLUMNS; cell = strtok_r(NULL, " \t", &save))
		cells[nr++] = cell;
	return nr;
}

/* Split a table as awk does. Lines that begin with '#' are comments. */
static int read_table(const char *file, struct table *t)
{
	char *save, *line;

	memset(t, 0, sizeof(*t));
	t->text = watch_debugfs_table(file);
	if (!t->text)
		return -errno;
	line = strtok_r(t->text, "\n", &save);
	if (!line)
		return -ENODATA;
	t->columns = split(line, t->head);
	while ((line = strtok_r(NULL, "\n", &save)) && t->rows < MAX_ROWS) {
		if (*line == '#')
			continue;
		t->cells[t->rows] = split(line, t->cell[t->rows]);
		t->rows++;
	}
	return 0;
}

static const char *cell_of(const struct table *t, int row, const char *column)
{
	int i;

	for (i = 0; i < t->columns; i++)
		if (!strcmp(t->head[i], column))
			return t->cell[row][i] ?: "";
	return "no such column";
}

static __u64 number_of(const struct table *t, int row, const char *column)
{
	const char *text = cell_of(t, row, column);
	char *end;
	__u64 value = strtoull(text, &end, 10);

	return end == text || *end ? NOTHING : value;
}

/* The row of a guest's object; -1: there is none, -2: there are more. */
static int row_of(const struct table *t, struct guest *g, const char *column, __u64 index)
{
	int i, found = -1;

	for (i = 0; i < t->rows; i++) {
		if (strcmp(cell_of(t, i, "name"), guest_name(g)))
			continue;
		if (!column || number_of(t, i, column) == index)
			found = found == -1 ? i : -2;
	}
	return found;
}

static int rows_of(const struct table *t, struct guest *g)
{
	int i, nr = 0;

	for (i = 0; i < t->rows; i++)
		nr += !strcmp(cell_of(t, i, "name"), guest_name(g));
	return nr;
}

static void check_shape(struct __test_metadata *_metadata, const char *file, const struct table *t)
{
	int i, j;

	EXPECT_LE(2, t->columns);
	EXPECT_LE(1, t->rows);
	for (i = 0; i < t->rows; i++)
		EXPECT_EQ(t->columns, t->cells[i]) {
			TH_LOG("%s, row %d", file, i);
		}
	for (i = 0; i < t->columns; i++)
		for (j = 0; j < i; j++)
			EXPECT_STRNE(t->head[i], t->head[j]);
}

FIXTURE(tables)
{
	struct guest *a, *b;	/* 2 vCPUs and 3 slots, 1 vCPU and 2 slots */
	struct table table;
};

FIXTURE_SETUP(tables)
{
	self->a = busy_guest();
	ASSERT_NE(NULL, self->a);
	self->b = guest_new(1, 0);
	ASSERT_NE(NULL, self->b);
	ASSERT_EQ(0, guest_slot_add(self->b, 7, GPA, 16, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_run(self->b, 0, work_read(GPA, 16, GUEST_PAGE)));
}

FIXTURE_TEARDOWN(tables)
{
	free(self->table.text);
	guest_free(self->a);
	guest_free(self->b);
}

TEST_F(tables, vms_has_a_row_for_each_vm)
{
	struct table *t = &self->table;
	struct kvmwatch_vm vm;
	struct guest *g;
	int row;

	ASSERT_EQ(0, read_table("vms", t));
	check_shape(_metadata, "vms", t);
	EXPECT_EQ(2, t->rows);
	for (g = self->a; g; g = g == self->a ? self->b : NULL) {
		row = row_of(t, g, NULL, 0);
		ASSERT_LE(0, row);
		ASSERT_EQ(0, watch_find(g, &vm));
		EXPECT_EQ(vm.id, number_of(t, row, "id"));
		EXPECT_EQ(vm.footprint, number_of(t, row, "footprint"));
		EXPECT_EQ(guest_vcpus(g), number_of(t, row, "vcpus"));
		EXPECT_EQ(vm.slots, number_of(t, row, "slots"));
		EXPECT_EQ(watch_vm_stat(g, "mapped_4k"), number_of(t, row, "mapped_4k"));
		EXPECT_EQ(watch_vm_stat(g, "mapped_2m"), number_of(t, row, "mapped_2m"));
		EXPECT_EQ(watch_vm_stat(g, "mapped_bytes"), number_of(t, row, "mapped_bytes"));
		EXPECT_EQ(watch_vm_stat(g, "dirty_marks"), number_of(t, row, "dirty_marks"));
		EXPECT_EQ(watch_vm_stat(g, "dirty_marks_new"), number_of(t, row, "dirty_new"));
		EXPECT_EQ(watch_vm_stat(g, "halts"), number_of(t, row, "halts"));
		EXPECT_EQ(0, number_of(t, row, "lost"));
	}
}

TEST_F(tables, vcpus_has_a_row_for_each_vcpu)
{
	struct table *t = &self->table;
	unsigned int i;
	struct guest *g;
	int row;

	ASSERT_EQ(0, read_table("vcpus", t));
	check_shape(_metadata, "vcpus", t);
	EXPECT_EQ(3, t->rows);
	for (g = self->a; g; g = g == self->a ? self->b : NULL) {
		EXPECT_EQ(guest_vcpus(g), rows_of(t, g));
		for (i = 0; i < guest_vcpus(g); i++) {
			row = row_of(t, g, "vcpu", i);
			ASSERT_LE(0, row);
			EXPECT_EQ(guest_tid(g, i) ?: gettid(), number_of(t, row, "tid"));
			EXPECT_EQ(watch_vcpu_stat(g, i, "pcpu"), number_of(t, row, "pcpu"));
			EXPECT_EQ(watch_vcpu_stat(g, i, "loads"), number_of(t, row, "loads"));
			EXPECT_EQ(watch_vcpu_stat(g, i, "load_migrations"),
				  number_of(t, row, "migrations"));
			EXPECT_EQ(watch_vcpu_stat(g, i, "preemptions"),
				  number_of(t, row, "preemptions"));
			EXPECT_EQ(watch_vcpu_stat(g, i, "on_cpu_ns"),
				  number_of(t, row, "on_cpu_ns"));
			EXPECT_EQ(watch_vcpu_stat(g, i, "dirty_marks"),
				  number_of(t, row, "dirty_marks"));
		}
	}
}

TEST_F(tables, halt_poll_has_a_row_for_each_vcpu)
{
	struct table *t = &self->table;
	unsigned int i;
	struct guest *g;
	int row;

	ASSERT_EQ(0, read_table("halt_poll", t));
	check_shape(_metadata, "halt_poll", t);
	EXPECT_EQ(3, t->rows);
	for (g = self->a; g; g = g == self->a ? self->b : NULL) {
		for (i = 0; i < guest_vcpus(g); i++) {
			row = row_of(t, g, "vcpu", i);
			ASSERT_LE(0, row);
			EXPECT_EQ(watch_vcpu_stat(g, i, "halts"), number_of(t, row, "halts"));
			EXPECT_EQ(watch_vcpu_stat(g, i, "wakeups_poll"),
				  number_of(t, row, "by_poll"));
			EXPECT_EQ(watch_vcpu_stat(g, i, "wakeups_wait"),
				  number_of(t, row, "by_wait"));
			EXPECT_EQ(watch_vcpu_stat(g, i, "halt_poll_ns_max"),
				  number_of(t, row, "max_ns"));
			EXPECT_EQ(watch_vcpu_stat(g, i, "halt_poll_grow"),
				  number_of(t, row, "grow"));
		}
	}
}

TEST_F(tables, slots_has_a_row_for_each_slot)
{
	static const struct {
		unsigned int id;
		const char *logging;
	} slots[] = { { 0, "off" }, { 1, "on" }, { 2, "off" } };
	struct table *t = &self->table;
	unsigned int i;
	int row;

	ASSERT_EQ(0, read_table("slots", t));
	check_shape(_metadata, "slots", t);
	EXPECT_EQ(vendor_slots(3), rows_of(t, self->a));
	EXPECT_EQ(vendor_slots(2), rows_of(t, self->b));
	EXPECT_EQ(vendor_slots(3) + vendor_slots(2), t->rows);
	EXPECT_LE(0, row_of(t, self->b, "slot", 7));
	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		row = row_of(t, self->a, "slot", slots[i].id);
		ASSERT_LE(0, row);
		EXPECT_STREQ(slots[i].logging, cell_of(t, row, "logging"));
		EXPECT_EQ(watch_slot_stat(self->a, slots[i].id, "npages"),
			  number_of(t, row, "npages"));
		EXPECT_EQ(watch_slot_stat(self->a, slots[i].id, "base_gfn"),
			  strtoull(cell_of(t, row, "base_gfn"), NULL, 16));
		EXPECT_EQ(watch_slot_stat(self->a, slots[i].id, "userspace_addr"),
			  strtoull(cell_of(t, row, "userspace_addr"), NULL, 16));
		EXPECT_EQ(watch_slot_stat(self->a, slots[i].id, "mapped_4k"),
			  number_of(t, row, "mapped_4k"));
		EXPECT_EQ(watch_slot_stat(self->a, slots[i].id, "mapped_2m"),
			  number_of(t, row, "mapped_2m"));
		EXPECT_EQ(watch_slot_stat(self->a, slots[i].id, "dirty_marks"),
			  number_of(t, row, "dirty_marks"));
	}
	/* Unknown is shown as "-", not as 0. */
	EXPECT_STREQ("-", cell_of(t, row_of(t, self->a, "slot", 2), "dirty_pages"));
	EXPECT_EQ(PAGES / 2, number_of(t, row_of(t, self->a, "slot", 1), "dirty_pages"));
}

TEST_F(tables, hooks_has_a_row_for_each_listed_hook)
{
	struct table *t = &self->table;
	struct kvmwatch_hook *hooks;
	char trust[64];
	int nr, i, proven;

	ASSERT_EQ(0, read_table("hooks", t));
	check_shape(_metadata, "hooks", t);
	nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks));
	ASSERT_EQ(t->rows, nr);
	for (i = 0; i < nr; i++) {
		EXPECT_STREQ(hooks[i].name, cell_of(t, i, "hook"));
		EXPECT_STREQ(hooks[i].target, cell_of(t, i, "target"));
		if (watch_hook_may_miss(&hooks[i])) {
			EXPECT_STREQ("-", cell_of(t, i, "via"));
			EXPECT_STREQ("-", cell_of(t, i, "hits"));
			EXPECT_STREQ("missing", cell_of(t, i, "state"));
			EXPECT_STREQ("-", cell_of(t, i, "trust"));
			EXPECT_EQ(0, hooks[i].flags &
				     ~(KVMWATCH_HOOK_ABSENT | KVMWATCH_HOOK_NEEDLESS));
			continue;
		}
		EXPECT_STREQ(hooks[i].via, cell_of(t, i, "via"));
		EXPECT_EQ(KVMWATCH_HOOK_ATTACHED, hooks[i].flags & KVMWATCH_HOOK_ATTACHED) {
			TH_LOG("%s: %s", hooks[i].name, hooks[i].why);
		}
		/* 5.10's kvm.ko has no BTF, nor do the kernels that are built here. */
		proven = !access("/sys/kernel/btf/kvm", R_OK) ||
			 !strcmp(hooks[i].by, "symbol");
		EXPECT_EQ(proven ? KVMWATCH_HOOK_PROVEN : KVMWATCH_HOOK_TESTED,
			  hooks[i].flags & ~KVMWATCH_HOOK_ATTACHED);
		snprintf(trust, sizeof(trust), "%s:%s", proven ? "proven" : "tested", hooks[i].by);
		EXPECT_STREQ(trust, cell_of(t, i, "trust"));
		EXPECT_EQ(!proven, !strcmp(hooks[i].by, "release"));
		EXPECT_LE(number_of(t, i, "hits"), hooks[i].hits);
		EXPECT_EQ(0, hooks[i].misses);
	}
	free(hooks);
}

TEST(a_program_with_spaces_in_its_name_does_not_add_columns)
{
	static struct table t;
	struct guest *g;

	ASSERT_EQ(0, prctl(PR_SET_NAME, "my \tVMM\n"));
	g = guest_new(1, 0);
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, read_table("vms", &t));
	check_shape(_metadata, "vms", &t);
	EXPECT_EQ(1, t.rows);
	EXPECT_LE(0, row_of(&t, g, NULL, 0));
	free(t.text);
	guest_free(g);
}

/* --- lists ------------------------------------------------------------------- */

static __u64 generation(void)
{
	struct kvmwatch_info info = { .size = sizeof(info) };
	int dev = watch_device(), err;

	if (dev < 0)
		return NOTHING;
	err = ioctl(dev, KVMWATCH_INFO, &info);
	close(dev);
	return err ? NOTHING : info.generation;
}

/* Remove KVM's private slots from the list. Returns how many of them were as expected. */
static int own_slots(struct kvmwatch_slot *slots, int *nr)
{
	int i, kept = 0, own = 0;

	for (i = 0; i < *nr; i++) {
		if (slots[i].flags & KVMWATCH_SLOT_INTERNAL)
			own += slots[i].base_gfn == APIC_GFN && slots[i].npages == 1;
		else
			slots[kept++] = slots[i];
	}
	*nr = kept;
	return own;
}

TEST(the_lists_equal_the_set_up_of_the_guest)
{
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_slot *slots;
	struct kvmwatch_vm vm;
	__u64 first, second;
	struct guest *g;
	int i, nr;

	ASSERT_EQ(0, prctl(PR_SET_NAME, "agree"));
	first = generation();
	g = guest_new(2, 0);
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, watch_find(g, &vm));	/* the list shows it from now on */
	second = generation();
	EXPECT_NE(first, second);
	EXPECT_EQ(second, generation());

	EXPECT_EQ(GUEST_SLOT0_PAGES * GUEST_PAGE, vm.memory);
	EXPECT_EQ(getpid(), vm.pid);
	EXPECT_STREQ("agree", vm.comm);
	EXPECT_EQ(2, vm.vcpus);
	EXPECT_EQ(vendor_slots(1), vm.slots);
	EXPECT_EQ(0, vm.flags);
	EXPECT_LT(0, vm.footprint);

	ASSERT_EQ(0, guest_slot_add(g, 3, GPA, PAGES, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(2, guest_vcpu_add(g));
	EXPECT_NE(second, generation());
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ((GUEST_SLOT0_PAGES + PAGES) * GUEST_PAGE, vm.memory);
	EXPECT_EQ(3, vm.vcpus);
	EXPECT_EQ(vendor_slots(2), vm.slots);
	EXPECT_EQ(KVMWATCH_VM_DIRTY_LOG, vm.flags);

	ASSERT_EQ(0, guest_pin(g, 1, 1));
	ASSERT_EQ(0, guest_run(g, 1, work_out(1)));
	ASSERT_EQ(3, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus)));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(vm.id, vcpus[i].vm);
		EXPECT_EQ(i, vcpus[i].vcpu_id);
		EXPECT_EQ(i == 1 ? guest_tid(g, 1) : 0, vcpus[i].tid);
		EXPECT_EQ(0, vcpus[i].flags);
		EXPECT_EQ(0, vcpus[i].reserved);
	}
	EXPECT_LT(vcpus[0].id, vcpus[1].id);
	EXPECT_LT(vcpus[1].id, vcpus[2].id);
	free(vcpus);

	ASSERT_EQ(0, guest_slot_move(g, 3, GPA_HUGE));
	ASSERT_EQ(0, guest_dirty_log(g, 3, 0));
	nr = watch_list(KVMWATCH_KIND_SLOT, vm.id, (void **)&slots, sizeof(*slots));
	ASSERT_EQ(vendor_slots(2), nr);
	EXPECT_EQ(nr - 2, own_slots(slots, &nr));
	ASSERT_EQ(2, nr);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(vm.id, slots[i].vm);
		EXPECT_EQ(i ? 3 : 0, slots[i].id);
		EXPECT_EQ(0, slots[i].as_id);
		EXPECT_EQ(i ? GPA_HUGE / GUEST_PAGE : 0, slots[i].base_gfn);
		EXPECT_EQ(i ? PAGES : GUEST_SLOT0_PAGES, slots[i].npages);
		EXPECT_EQ((unsigned long)guest_slot_host(g, slots[i].id), slots[i].userspace_addr);
		EXPECT_EQ(0, slots[i].flags);
		EXPECT_EQ(slots[i].base_gfn, watch_slot_stat(g, slots[i].id, "base_gfn"));
		EXPECT_EQ(slots[i].npages, watch_slot_stat(g, slots[i].id, "npages"));
		EXPECT_EQ(slots[i].flags, watch_slot_stat(g, slots[i].id, "flags"));
		EXPECT_EQ(slots[i].userspace_addr,
			  watch_slot_stat(g, slots[i].id, "userspace_addr"));
	}
	free(slots);

	ASSERT_EQ(0, guest_slot_del(g, 3));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(GUEST_SLOT0_PAGES * GUEST_PAGE, vm.memory);
	EXPECT_EQ(vendor_slots(1), vm.slots);
	EXPECT_EQ(0, vm.flags);

	second = generation();
	guest_free(g);
	EXPECT_NE(second, generation());
}

/* --- events ------------------------------------------------------------------ */

/* A guest, and the text that its events contain. */
struct watched {
	struct guest *g;
	char vm[64];		/* " vm ID pid PID " */
	int fd, vcpus[2];
	void *vm_before, *vm_after;
	void *before[2], *after[2];
	unsigned int nr;
};

static void watch_begin(struct __test_metadata *_metadata, struct watched *w, struct guest *g)
{
	struct kvmwatch_vm vm;
	unsigned int i;

	memset(w, 0, sizeof(*w));
	w->g = g;
	w->nr = guest_vcpus(g);
	ASSERT_EQ(0, watch_find(g, &vm));
	snprintf(w->vm, sizeof(w->vm), " vm %llu pid %d ", vm.id, getpid());
	w->fd = watch_vm(g);
	ASSERT_LE(0, w->fd);
	w->vm_before = oracle_snapshot(w->fd, NULL);
	ASSERT_NE(NULL, w->vm_before);
	for (i = 0; i < w->nr; i++) {
		w->vcpus[i] = watch_vcpu(g, i);
		ASSERT_LE(0, w->vcpus[i]);
		w->before[i] = oracle_snapshot(w->vcpus[i], NULL);
		ASSERT_NE(NULL, w->before[i]);
	}
}

static void watch_end(struct __test_metadata *_metadata, struct watched *w)
{
	unsigned int i;

	for (i = 0; i < w->nr; i++) {
		w->after[i] = oracle_snapshot(w->vcpus[i], NULL);
		ASSERT_NE(NULL, w->after[i]);
	}
	w->vm_after = oracle_snapshot(w->fd, NULL);
	ASSERT_NE(NULL, w->vm_after);
}

static void watch_free(struct watched *w)
{
	unsigned int i;

	for (i = 0; i < w->nr; i++) {
		free(w->before[i]);
		free(w->after[i]);
		close(w->vcpus[i]);
	}
	free(w->vm_before);
	free(w->vm_after);
	close(w->fd);
	guest_free(w->g);
}

static __u64 vm_grew(const struct watched *w, const char *name)
{
	return number(w->vm_after, name) - number(w->vm_before, name);
}

static __u64 vcpu_grew(const struct watched *w, unsigned int vcpu, const char *name)
{
	return number(w->after[vcpu], name) - number(w->before[vcpu], name);
}

static void check_memory_events(struct __test_metadata *_metadata, const struct watched *w)
{
	static const char *const levels[] = { "4k", "2m", "1g" };
	static const char *const causes[] = { "fault", "pml", "kvm" };
	char name[32], what[32];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		snprintf(what, sizeof(what), " level %s", levels[i]);
		snprintf(name, sizeof(name), "map_%s", levels[i]);
		EXPECT_EQ(vm_grew(w, name),
			  watch_trace_sum("leaves", " kvmwatch_map: ", w->vm, what, NULL));
		snprintf(name, sizeof(name), "unmap_%s", levels[i]);
		EXPECT_EQ(vm_grew(w, name),
			  watch_trace_count(" kvmwatch_unmap: ", w->vm, what, NULL));
		snprintf(what, sizeof(what), " cause %s", causes[i]);
		snprintf(name, sizeof(name), "dirty_marks_%s", causes[i]);
		EXPECT_EQ(vm_grew(w, name),
			  watch_trace_count(" kvmwatch_dirty: ", w->vm, what, NULL));
	}
	EXPECT_EQ(vm_grew(w, "huge_splits"),
		  watch_trace_count(" kvmwatch_unmap: ", w->vm, " split", NULL));
	EXPECT_EQ(vm_grew(w, "huge_splits") * 512,
		  watch_trace_sum("leaves", " kvmwatch_map: ", w->vm, " split", NULL));
	EXPECT_EQ(vm_grew(w, "dirty_marks"), watch_trace_count(" kvmwatch_dirty: ", w->vm, NULL));
	EXPECT_EQ(vm_grew(w, "dirty_marks_host"),
		  watch_trace_count(" kvmwatch_dirty: ", w->vm, " vcpu -1 ", NULL));
}

/* Events of puts have -1 where there was none. */
static bool latency_agrees(const struct watched *w, unsigned int i, const char *vcpu,
			   const char *name)
{
	char none[32];
	long long nones;

	snprintf(none, sizeof(none), " %s -1", name);
	nones = watch_trace_count(" kvmwatch_vcpu_put: ", w->vm, vcpu, none, NULL);
	return watch_trace_is_sum(vcpu_grew(w, i, name),
				  watch_trace_sum(name, " kvmwatch_vcpu_put: ", w->vm, vcpu,
						  NULL) + nones,
				  vcpu_grew(w, i, "puts"));
}

static void check_vcpu_events(struct __test_metadata *_metadata, const struct watched *w)
{
	char vcpu[32];
	long long traced;
	unsigned int i;

	for (i = 0; i < w->nr; i++) {
		snprintf(vcpu, sizeof(vcpu), " vcpu %u ", i);
		EXPECT_EQ(vcpu_grew(w, i, "loads"),
			  watch_trace_count(" kvmwatch_vcpu_load: ", w->vm, vcpu, NULL));
		EXPECT_EQ(vcpu_grew(w, i, "load_migrations"),
			  watch_trace_count(" kvmwatch_vcpu_load: ", w->vm, vcpu, " migrated",
					    NULL));
		EXPECT_EQ(vcpu_grew(w, i, "puts"),
			  watch_trace_count(" kvmwatch_vcpu_put: ", w->vm, vcpu, NULL));
		EXPECT_EQ(vcpu_grew(w, i, "preemptions"),
			  watch_trace_count(" kvmwatch_vcpu_put: ", w->vm, vcpu, " preempted",
					    NULL));
		/*
		 * The traced time begins and ends with the vCPU stopped, so that all stretches are
		 * complete.
		 */
		traced = watch_trace_sum("on_ns", " kvmwatch_vcpu_put: ", w->vm, vcpu, NULL);
		EXPECT_TRUE(watch_trace_is_sum(vcpu_grew(w, i, "on_cpu_ns"), traced,
					       vcpu_grew(w, i, "puts")));
		EXPECT_TRUE(latency_agrees(w, i, vcpu, "load_entry_ns"));
		EXPECT_TRUE(latency_agrees(w, i, vcpu, "exit_put_ns"));
		EXPECT_EQ(vcpu_grew(w, i, "dirty_marks"),
			  watch_trace_count(" kvmwatch_dirty: ", w->vm, vcpu, NULL));

		EXPECT_EQ(vcpu_grew(w, i, "halts"),
			  watch_trace_count(" kvmwatch_halt: ", w->vm, vcpu, NULL));
		EXPECT_EQ(vcpu_grew(w, i, "wakeups_poll"),
			  watch_trace_count(" kvmwatch_halt: ", w->vm, vcpu, " poll ", NULL));
		EXPECT_EQ(vcpu_grew(w, i, "wakeups_wait"),
			  watch_trace_count(" kvmwatch_halt: ", w->vm, vcpu, " wait ", NULL));
		traced = watch_trace_sum("ns", " kvmwatch_halt: ", w->vm, vcpu, NULL);
		EXPECT_TRUE(watch_trace_is_sum(vcpu_grew(w, i, "halt_time_ns"), traced,
					       vcpu_grew(w, i, "halts")));
		EXPECT_EQ(vcpu_grew(w, i, "halt_poll_grow"),
			  watch_trace_count(" kvmwatch_halt_poll: ", w->vm, vcpu, " grow ", NULL));
		EXPECT_EQ(vcpu_grew(w, i, "halt_poll_shrink"),
			  watch_trace_count(" kvmwatch_halt_poll: ", w->vm, vcpu, " shrink ",
					    NULL));
		EXPECT_EQ(vcpu_grew(w, i, "halt_poll_silent"),
			  watch_trace_count(" kvmwatch_halt_poll: ", w->vm, vcpu, " reset ",
					    NULL) +
			  watch_trace_count(" kvmwatch_halt_poll: ", w->vm, vcpu, " clamp ",
					    NULL));
	}
}

#define NO_MARKS	"clang has put the function that marks pages into its callers"

TEST(the_events_of_a_guest_add_up_to_its_numbers)
{
	int slots[2], nr_slots = 2, i;
	__u64 marks[2];
	struct watched w;
	struct guest *g;
	char slot[32];

	if (watch_marks_are_hidden())
		SKIP(return, NO_MARKS);
	g = busy_guest();
	ASSERT_NE(NULL, g);
	for (i = 0; i < nr_slots; i++) {
		slots[i] = watch_slot(g, 0, i + 1);
		ASSERT_LE(0, slots[i]);
		ASSERT_EQ(0, oracle_read(slots[i], "dirty_marks", &marks[i]));
	}
	watch_begin(_metadata, &w, g);
	ASSERT_EQ(0, watch_trace_start());

	/*
	 * Map pages, huge ones too; split them by logging; unmap; create, change and delete slots.
	 */
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA_HUGE, PAGES_HUGE, GUEST_PAGE, 1)));
	ASSERT_EQ(0, guest_dirty_log(g, 2, 1));
	ASSERT_EQ(0, guest_run(g, 1, work_write(GPA_HUGE, 100, GUEST_PAGE, 2)));
	ASSERT_LE(100, guest_dirty_get(g, 2, NULL));
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA_HUGE, 50, GUEST_PAGE, 1)));
	ASSERT_LE(PAGES / 2, guest_dirty_get(g, 1, NULL));
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1)));
	ASSERT_EQ(0, guest_slot_discard(g, 1, 10, 20));
	ASSERT_EQ(0, guest_run(g, 1, work_write(GPA, PAGES, GUEST_PAGE, 1)));
	ASSERT_EQ(0, guest_slot_add(g, 3, GPA_HUGE * 2, 16, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_run(g, 0, work_read(GPA_HUGE * 2, 16, GUEST_PAGE)));
	ASSERT_EQ(0, guest_slot_del(g, 3));
	ASSERT_EQ(0, guest_dirty_log(g, 2, 0));
	/* Events of vCPUs. */
	ASSERT_EQ(0, guest_run(g, 0, work_out(50)));
	ASSERT_EQ(0, guest_pin(g, 1, 0));
	ASSERT_EQ(0, guest_halt_asleep(g, 1, 3));
	ASSERT_EQ(0, guest_pin(g, 1, 1));
	ASSERT_EQ(0, guest_run(g, 1, work_halt(30, GUEST_WAKE_LAPIC, 1000000)));

	watch_end(_metadata, &w);
	ASSERT_EQ(0, watch_trace_stop());
	ASSERT_EQ(0, watch_trace_lost());

	EXPECT_LT(0, vm_grew(&w, "map_4k"));
	EXPECT_LE(16 + 20, vm_grew(&w, "unmap_4k"));
	EXPECT_LE(150 + PAGES, vm_grew(&w, "dirty_marks"));
	EXPECT_LE(1, vm_grew(&w, "load_migrations"));
	check_memory_events(_metadata, &w);
	check_vcpu_events(_metadata, &w);
	for (i = 0; i < nr_slots; i++) {
		__u64 marked = 0;

		ASSERT_EQ(0, oracle_read(slots[i], "dirty_marks", &marked));
		snprintf(slot, sizeof(slot), " slot 0:%d ", i + 1);
		EXPECT_EQ(marked - marks[i],
			  watch_trace_count(" kvmwatch_dirty: ", w.vm, slot, NULL));
		close(slots[i]);
	}
	/* Slot 3 was created and deleted, and slot 2's flags changed twice. */
	EXPECT_EQ(1, watch_trace_count(" kvmwatch_slot: ", w.vm, " slot 0:3 create ", NULL));
	EXPECT_EQ(1, watch_trace_count(" kvmwatch_slot: ", w.vm, " slot 0:3 delete ", NULL));
	EXPECT_EQ(2, watch_trace_count(" kvmwatch_slot: ", w.vm, " slot 0:2 flags ", NULL));
	EXPECT_EQ(4, watch_trace_count(" kvmwatch_slot: ", NULL));
	/* There is no event of another VM. */
	EXPECT_EQ(watch_trace_count(" kvmwatch_", NULL),
		  watch_trace_count(" kvmwatch_", w.vm, NULL));
	watch_trace_end();
	watch_free(&w);
}

TEST(a_dirty_event_says_where_the_page_is)
{
	struct guest *g;
	struct watched w;
	char where[128];
	unsigned int i;

	if (watch_marks_are_hidden())
		SKIP(return, NO_MARKS);
	g = busy_guest();
	ASSERT_NE(NULL, g);
	ASSERT_LE(0, guest_dirty_get(g, 1, NULL));
	watch_begin(_metadata, &w, g);
	ASSERT_EQ(0, watch_trace_start());
	ASSERT_EQ(0, guest_run(g, 1, work_write(GPA + 5 * GUEST_PAGE, 3, 10 * GUEST_PAGE, 1)));
	watch_end(_metadata, &w);
	ASSERT_EQ(0, watch_trace_stop());

	EXPECT_EQ(3, watch_trace_count(" kvmwatch_dirty: ", NULL));
	for (i = 5; i < 35; i += 10) {
		snprintf(where, sizeof(where),
			 " vcpu 1 slot 0:1 gfn 0x%llx rel_gfn 0x%x npages %u userspace_addr 0x%lx ",
			 GPA / GUEST_PAGE + i, i, PAGES, (unsigned long)guest_slot_host(g, 1));
		EXPECT_EQ(1, watch_trace_count(" kvmwatch_dirty: ", w.vm, where, NULL)) {
			TH_LOG("%s", where);
		}
	}
	watch_trace_end();
	watch_free(&w);
}

TEST(a_vm_that_comes_and_goes_has_one_event_for_each)
{
	struct kvmwatch_vm vm;
	struct guest *g;
	char who[64];

	ASSERT_EQ(0, watch_trace_start());
	g = guest_new(1, 0);
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, watch_find(g, &vm));
	guest_free(g);
	ASSERT_EQ(0, watch_trace_stop());
	snprintf(who, sizeof(who), " vm %llu pid %d ", vm.id, getpid());
	EXPECT_EQ(1, watch_trace_count(" kvmwatch_vm_create: ", NULL));
	EXPECT_EQ(1, watch_trace_count(" kvmwatch_vm_create: ", who, NULL));
	EXPECT_EQ(1, watch_trace_count(" kvmwatch_vm_destroy: ", NULL));
	EXPECT_EQ(1, watch_trace_count(" kvmwatch_vm_destroy: ", who, NULL));
	EXPECT_EQ(1, watch_trace_count(" kvmwatch_vm_free: ", NULL));
	EXPECT_EQ(1, watch_trace_count(" kvmwatch_vm_free: ", who, NULL));
	watch_trace_end();
}

/*
 * Both write into logged memory at the same addresses, on the same pCPU; the second also
 * halts and exits.
 */
TEST(two_guests_at_work_at_once_have_their_own_numbers_and_events)
{
	struct watched a, b;
	struct guest *g;

	if (watch_marks_are_hidden())
		SKIP(return, NO_MARKS);
	g = busy_guest();
	ASSERT_NE(NULL, g);
	watch_begin(_metadata, &a, g);
	g = busy_guest();
	ASSERT_NE(NULL, g);
	watch_begin(_metadata, &b, g);
	ASSERT_EQ(0, guest_pin(a.g, 0, 1));
	ASSERT_EQ(0, guest_pin(b.g, 0, 1));
	ASSERT_LE(0, guest_dirty_get(a.g, 1, NULL));
	ASSERT_LE(0, guest_dirty_get(b.g, 1, NULL));
	ASSERT_EQ(0, watch_trace_start());

	ASSERT_EQ(0, guest_start(b.g, 1, work_halt(100, GUEST_WAKE_LAPIC, 1000000)));
	ASSERT_EQ(0, guest_start(a.g, 0, work_write(GPA, PAGES, GUEST_PAGE, 20)));
	ASSERT_EQ(0, guest_wait_progress(a.g, 0, 1, 10000));
	ASSERT_EQ(0, guest_start(b.g, 0, work_write(GPA, PAGES / 2, GUEST_PAGE, 20)));
	while (guest_wait(a.g, 0, 1) == -ETIMEDOUT)
		ASSERT_LE(0, guest_dirty_get(a.g, 1, NULL));
	ASSERT_EQ(0, guest_wait(b.g, 0, 10000));
	ASSERT_EQ(0, guest_run(b.g, 0, work_out(200)));
	ASSERT_EQ(0, guest_wait(b.g, 1, 10000));

	watch_end(_metadata, &a);
	watch_end(_metadata, &b);
	ASSERT_EQ(0, watch_trace_stop());
	ASSERT_EQ(0, watch_trace_lost());

	EXPECT_LE(PAGES, vm_grew(&a, "dirty_marks_new"));
	EXPECT_EQ(PAGES / 2, vm_grew(&b, "dirty_marks_new"));
	EXPECT_EQ(PAGES / 2, guest_dirty_get(b.g, 1, NULL));
	EXPECT_EQ(0, vm_grew(&a, "halts"));
	EXPECT_LT(0, vcpu_grew(&b, 1, "halts"));
	EXPECT_EQ(0, vcpu_grew(&b, 0, "halts"));
	EXPECT_LE(201, vcpu_grew(&b, 0, "loads"));
	EXPECT_EQ(0, vcpu_grew(&a, 1, "loads"));
	check_memory_events(_metadata, &a);
	check_memory_events(_metadata, &b);
	check_vcpu_events(_metadata, &a);
	check_vcpu_events(_metadata, &b);
	EXPECT_EQ(watch_trace_count(" kvmwatch_", NULL),
		  watch_trace_count(" kvmwatch_", a.vm, NULL) +
		  watch_trace_count(" kvmwatch_", b.vm, NULL));
	watch_trace_end();
	watch_free(&a);
	watch_free(&b);
}

TEST_HARNESS_MAIN
