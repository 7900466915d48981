// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch export has each statistic of the module (stat_table.h) under its name, unless it is left
 * out on purpose. The device is played. It has two VMs of one vCPU and one slot, and gives each
 * statistic a number of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <kselftest_harness.h>

#include "cmd.h"
#include "export.h"
#include "libkvmwatch.h"
#include "played_catalog.h"
#include "stat_rows.h"

/* --- statistics ------------------------------------------------------------ */

#define BUCKETS	8

static struct stat_row rows[] = {
	STAT_ROWS
	/* as a newer module may have */
	{ KVMWATCH_KIND_VM, "brand_new", KVMWATCH_STATS_CUMULATIVE },
	{ KVMWATCH_KIND_VM, "brand_new_ns", KVMWATCH_STATS_PEAK | UNIT_NS, -9 },
	{ KVMWATCH_KIND_VCPU, "brand_new_hist", KVMWATCH_STATS_LOG_HIST | UNIT_NS, -9 },
	{ KVMWATCH_KIND_SLOT, "brand_new_bytes", KVMWATCH_STATS_INSTANT | UNIT_BYTES },
	{ KVMWATCH_KIND_VM, "brand-new.count", KVMWATCH_STATS_INSTANT },
	{ KVMWATCH_KIND_VM, "brand_new_reasons", KVMWATCH_STATS_LINEAR_HIST },
};

static bool is_same(const struct stat_row *a, const struct stat_row *b)
{
	return a->kind == b->kind && !strcmp(a->name, b->name);
}

static bool is_listed(size_t row)
{
	size_t i;

	for (i = 0; i < row; i++) {
		if (is_same(&rows[i], &rows[row]))
			return false;
	}
	return true;
}

static bool is_histogram(const struct stat_row *row)
{
	return (row->flags & KVMWATCH_STATS_TYPE_MASK) >= KVMWATCH_STATS_LINEAR_HIST;
}

/* A different number for each statistic. */
static __u64 number_of(size_t row)
{
	return 1000000007ULL * (row + 1);
}

/* --- the device ------------------------------------------------------------ */

#define NR_VMS	2
#define ALL_FD	1000

static bool no_right, blind;

static struct {
	struct kvmwatch_all_header head;
	char rest[1 << 20];
} file;

static size_t all_of(__u32 kind, bool histograms)
{
	struct kvmwatch_stats_desc *desc = (void *)file.rest;
	struct kvmwatch_all_item *item;
	size_t i, vm, mask;
	__u64 *data;
	__u32 nr = 0, cells = 0;

	memset(&file, 0, sizeof(file));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].kind != kind || !is_listed(i) ||
		    (!histograms && is_histogram(&rows[i])))
			continue;
		desc[nr].flags = rows[i].flags;
		desc[nr].exponent = rows[i].exponent;
		desc[nr].size = is_histogram(&rows[i]) ? BUCKETS : 1;
		desc[nr].bucket_size = desc[nr].size > 1 ? 1 : 0;
		desc[nr].offset = cells * sizeof(__u64);
		cells += desc[nr].size;
		strcpy(desc[nr++].name, rows[i].name);
	}
	mask = (nr + 63) / 64;
	file.head.header_size = sizeof(file.head);
	file.head.kind = kind;
	file.head.desc_offset = sizeof(file.head);
	file.head.desc_size = sizeof(*desc);
	file.head.num_desc = nr;
	file.head.item_offset = sizeof(file.head) + nr * sizeof(*desc);
	file.head.item_filled = sizeof(*item);
	file.head.bits_offset = sizeof(*item);
	file.head.data_offset = file.head.bits_offset + mask * sizeof(__u64);
	file.head.item_size = file.head.data_offset + cells * sizeof(__u64);
	file.head.nr = NR_VMS;
	file.head.filled = NR_VMS;
	for (vm = 0; vm < NR_VMS; vm++) {
		item = (void *)((char *)&file + file.head.item_offset + vm * file.head.item_size);
		item->vm = vm + 1;
		item->id = vm + 1;
		item->number = kind == KVMWATCH_KIND_SLOT ? 1 << 16 | 3 : 0;
		data = (void *)((char *)item + file.head.data_offset);
		for (nr = 0, i = 0; i < ARRAY_SIZE(rows); i++) {
			if (rows[i].kind != kind || !is_listed(i) ||
			    (!histograms && is_histogram(&rows[i])))
				continue;
			if (!rows[i].unavailable)
				((__u64 *)(item + 1))[nr / 64] |= 1ULL << nr % 64;
			/* Only bucket 1 of a histogram is not empty. */
			data[is_histogram(&rows[i])] = number_of(i);
			data += is_histogram(&rows[i]) ? BUCKETS : 1;
			nr++;
		}
	}
	return file.head.item_offset + NR_VMS * file.head.item_size;
}

static int list(struct kvmwatch_list *list)
{
	const struct kvmwatch_vm vms[NR_VMS] = {
		{ .id = 1, .memory = 4096, .footprint = 77, .name = "10-4", .comm = "v\"mm" },
		{ .id = 2, .memory = 8192, .footprint = 78, .name = "11-4", .comm = "vmm" },
	};
	const struct kvmwatch_hook hooks[] = {
		{ .hits = 5, .misses = 1, .flags = KVMWATCH_HOOK_ATTACHED, .name = "there" },
		{ .name = "away", .reason = "not \"here\"" },
		{ .name = "needless", .reason = "no loop", .flags = KVMWATCH_HOOK_ABSENT },
		{ .flags = KVMWATCH_HOOK_ATTACHED, .name = "false", .via = "dropped" },
	};
	const struct kvmwatch_stat stats[] = {
		{ .kind = KVMWATCH_KIND_VM, .name = "brand_new", .help = "a \\ new\none" },
		played_stats[0], played_stats[1],
	};
	const void *items = NULL;
	size_t size = 0;

	if (list->kind == KVMWATCH_KIND_BUCKET)
		return played_catalog(list);
	list->nr = 0;
	if (list->kind == KVMWATCH_KIND_VM && !blind) {
		items = vms;
		size = sizeof(vms);
		list->nr = NR_VMS;
	} else if (list->kind == KVMWATCH_KIND_HOOK) {
		items = hooks;
		size = sizeof(hooks);
		list->nr = sizeof(hooks) / sizeof(*hooks);
	} else if (list->kind == KVMWATCH_KIND_STAT) {
		items = stats;
		size = sizeof(stats);
		list->nr = 3;
	}
	if (items)
		memcpy((void *)(unsigned long)list->items, items, size);
	return 0;
}

/* Replaces the C library's. */
int ioctl(int fd, unsigned long request, ...)
{
	const struct kvmwatch_open_all *open;
	struct kvmwatch_info *info;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case KVMWATCH_INFO:
		info = arg;
		info->abi = KVMWATCH_ABI;
		info->flags = blind ? KVMWATCH_INFO_BLIND : 0;
		strcpy(info->why, "KVM is elsewhere");
		return 0;
	case KVMWATCH_LIST:
		if (!no_right)
			return list(arg);
		errno = EPERM;
		return -1;
	case KVMWATCH_OPEN_ALL:
		open = arg;
		return ALL_FD + 10 * !(open->flags & KVMWATCH_OPEN_NO_HISTOGRAMS) + open->kind;
	}
	errno = ENOTTY;
	return -1;
}

int open(const char *path, int flags, ...)
{
	if (!strcmp(path, KVMWATCH_DEVICE))
		path = "/dev/null";
	return syscall(SYS_openat, AT_FDCWD, path, flags, 0644);
}

ssize_t read(int fd, void *to, size_t size)
{
	size_t len;

	if (fd < ALL_FD)
		return syscall(SYS_read, fd, to, size);
	len = all_of((fd - ALL_FD) % 10, fd >= ALL_FD + 10);
	if (len > size)
		len = file.head.item_offset;
	if (len == file.head.item_offset)
		file.head.filled = 0;
	memcpy(to, &file, len);
	return len;
}

/* --- exported text -------------------------------------------------------- */

#define ALL_GROUPS	(EXPORT_SUMS - 1)

static struct exporter exporter;

/* Export all groups. The text ends with NUL. */
static char *export(struct export_options *options, enum expose_format format)
{
	struct exposition e;

	if (!options->max_vms)
		options->max_vms = 1000;
	if (exporter_init(&exporter, options))
		abort();
	expose_init(&e, format, 1 << 24);
	if (exporter_write(&exporter, &e))
		abort();
	exporter_free(&exporter);
	e.text = realloc(e.text, e.len + 1);
	e.text[e.len] = '\0';
	return e.text;
}

/* Has the text a line that begins and ends so? */
static bool has_line(const char *text, const char *begin, const char *end)
{
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (len >= strlen(begin) + strlen(end) && !strncmp(text, begin, strlen(begin)) &&
		    !strncmp(text + len - strlen(end), end, strlen(end)))
			return true;
	}
	return false;
}

/* How often @words are in the text. */
static int count(const char *text, const char *words)
{
	int nr = 0;

	for (; (text = strstr(text, words)); text++)
		nr++;
	return nr;
}

static void value_text(const struct stat_row *row, size_t i, char *buf, size_t size)
{
	bool counts = (row->flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_LOG_HIST;
	unsigned long long ns = number_of(i);

	if (row->exponent == -9 && !counts)
		snprintf(buf, size, " %llu.%09llu", ns / 1000000000, ns % 1000000000);
	else
		snprintf(buf, size, " %llu", ns);
	while (row->exponent == -9 && !counts && buf[strlen(buf) - 1] == '0')
		buf[strlen(buf) - 1] = '\0';
}

/* Does the text have the number of this statistic, under its family? */
static bool shows(const char *text, const struct stat_row *row, size_t i, const char *family)
{
	struct kvmwatch_value value = { .flags = row->flags };
	char begin[256], number[64];

	value_text(row, i, number, sizeof(number));
	snprintf(begin, sizeof(begin), "kvmwatch_%s%s{vm=\"10-4\"", family,
		 export_type(&value) == EXPOSE_COUNTER ? "_total" :
		 export_type(&value) == EXPOSE_HISTOGRAM ? "_bucket" : "");
	return has_line(text, begin, number);
}

TEST(each_statistic_shows_up_or_is_left_out_on_purpose)
{
	struct export_options options = { .groups = ALL_GROUPS }, sums = { .no_vcpus = true };
	char *text = export(&options, EXPOSE_TEXT), *other = export(&sums, EXPOSE_TEXT);
	const struct export_row *row;
	char name[EXPORT_MAX_NAME];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kvmwatch_value value = { .name = rows[i].name, .flags = rows[i].flags };

		if (!is_listed(i) || !strcmp(rows[i].name, "brand_new_reasons"))
			continue;
		row = export_find_row(rows[i].kind, rows[i].name);
		export_make_name(name, rows[i].kind, &value);
		if (row && row->group == EXPORT_SUMS)
			EXPECT_TRUE(shows(other, &rows[i], i, row->family))
				TH_LOG("%s of %s", row->family, rows[i].name);
		else if (row && row->family)
			EXPECT_TRUE(shows(text, &rows[i], i, row->family))
				TH_LOG("%s of %s", row->family, rows[i].name);
		else
			EXPECT_EQ(!row, shows(text, &rows[i], i, name))
				TH_LOG("%s of %s", name, rows[i].name);
	}
	free(text);
	free(other);
}

TEST(a_row_of_the_table_is_of_a_statistic_that_there_is)
{
	size_t i, j;

	for (i = 0; i < export_nr_rows; i++) {
		for (j = 0; j < ARRAY_SIZE(rows); j++) {
			if (rows[j].kind == export_rows[i].kind &&
			    !strcmp(rows[j].name, export_rows[i].stat))
				break;
		}
		EXPECT_NE(ARRAY_SIZE(rows), j)
			TH_LOG("%s", export_rows[i].stat);
	}
}

TEST(what_a_later_module_has_shows_up_by_itself)
{
	struct export_options options = { .groups = ALL_GROUPS };
	char *text = export(&options, EXPOSE_TEXT);

	EXPECT_TRUE(has_line(text, "kvmwatch_vm_brand_new_total{vm=\"10-4\"} ", ""));
	EXPECT_TRUE(has_line(text, "kvmwatch_vm_brand_new_seconds{vm=\"10-4\"} ", ""));
	EXPECT_TRUE(has_line(text, "# TYPE kvmwatch_vcpu_brand_new_seconds histogram", ""));
	EXPECT_TRUE(has_line(text, "kvmwatch_slot_brand_new_bytes{vm=\"10-4\",slot=\"1:3\"} ", ""));
	EXPECT_TRUE(has_line(text, "kvmwatch_vm_brand_new_total{vm=\"11-4\"} ", ""));
	EXPECT_TRUE(has_line(text, "# HELP kvmwatch_vm_brand_new_total a \\\\ new\\none", ""));
	EXPECT_TRUE(has_line(text, "kvmwatch_vm_brand_new_count_value{vm=\"10-4\"} ", ""));
	/* The number of reasons of a new statistic is unknown. */
	EXPECT_EQ(NULL, strstr(text, "brand_new_reasons"));
	free(text);
}

TEST(what_is_unavailable_is_not_there)
{
	struct export_options options = { };
	size_t i;
	char *text;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		rows[i].unavailable = !strncmp(rows[i].name, "mapped", 6) ||
				      !strcmp(rows[i].name, "exit_reasons");
	text = export(&options, EXPOSE_TEXT);
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		rows[i].unavailable = false;
	EXPECT_EQ(NULL, strstr(text, "vm_mapped"));
	EXPECT_NE(NULL, strstr(text, "vm_page_maps"));
	/* The number of exits is known, but not their reasons. */
	EXPECT_NE(NULL, strstr(text, "kvmwatch_vm_exits_total{vm=\"10-4\",reason=\"unknown\"} "));
	free(text);
}

/* A VM without exits for a reason that others have still has a sample of it, which is 0. */
TEST(a_reason_that_was_seen_is_there_for_each_vm)
{
	struct export_options options = { };
	char *text = export(&options, EXPOSE_TEXT);

	EXPECT_EQ(2, count(text, "\nkvmwatch_vm_exits_total{"));
	EXPECT_EQ(2, count(text, "\nkvmwatch_vm_user_exits_total{"));
	free(text);
}

TEST(each_family_comes_once_and_in_one_piece)
{
	struct export_options options = { .groups = ALL_GROUPS };
	char *text = export(&options, EXPOSE_OPENMETRICS), *line, *rest = text;
	char name[128], again[160];

	while ((line = strsep(&rest, "\n"))) {
		if (sscanf(line, "# TYPE %127s", name) != 1)
			continue;
		snprintf(again, sizeof(again), "# TYPE %s ", name);
		EXPECT_EQ(NULL, rest ? strstr(rest, again) : NULL)
			TH_LOG("%s", name);
	}
	free(text);
}

/* Prometheus drops a scrape with bytes after the EOF mark; other readers accept it. */
TEST(openmetrics_end_with_eof_and_nothing_else_does)
{
	struct export_options options = { };
	char *text = export(&options, EXPOSE_OPENMETRICS), *old = export(&options, EXPOSE_TEXT);

	EXPECT_STREQ("\n# EOF\n", text + strlen(text) - 7);
	EXPECT_EQ(1, count(text, "# EOF"));
	EXPECT_EQ(NULL, strstr(old, "EOF"));
	EXPECT_NE(NULL, strstr(text, "# TYPE kvmwatch_vm info\n"));
	EXPECT_NE(NULL, strstr(text, "# TYPE kvmwatch_vm_page_maps counter\n"));
	EXPECT_NE(NULL, strstr(text, "# UNIT kvmwatch_vm_memory_bytes bytes\n"));
	EXPECT_NE(NULL, strstr(old, "# TYPE kvmwatch_vm_page_maps_total counter\n"));
	free(text);
	free(old);
}

TEST(without_the_right_to_read_it_is_down_and_has_no_vm)
{
	struct export_options options = { };
	char *text;

	no_right = true;
	text = export(&options, EXPOSE_TEXT);
	no_right = false;
	EXPECT_NE(NULL, strstr(text, "\nkvmwatch_up 0\n"));
	EXPECT_NE(NULL, strstr(text, "kvmwatch_down_info{reason=\"/dev/kvmwatch: no right"));
	EXPECT_EQ(NULL, strstr(text, "vm="));
	free(text);
}

/* The list of VMs is empty because nothing is watched, so it says nothing. */
TEST(a_module_that_sees_nothing_is_down)
{
	struct export_options options = { };
	char *text;

	blind = true;
	text = export(&options, EXPOSE_TEXT);
	blind = false;
	EXPECT_NE(NULL, strstr(text, "\nkvmwatch_up 0\n"));
	EXPECT_NE(NULL, strstr(text, "KVM is elsewhere"));
	EXPECT_NE(NULL, strstr(text, "kvmwatch_hook_attached{hook=\"there\"} 1\n"));
	EXPECT_EQ(NULL, strstr(text, "vm="));
	free(text);
}

TEST(hooks_say_why_they_are_not_there)
{
	struct export_options options = { };
	char *text = export(&options, EXPOSE_TEXT);

	EXPECT_NE(NULL, strstr(text, "\nkvmwatch_up 1\n"));
	EXPECT_EQ(NULL, strstr(text, "down_info"));
	EXPECT_NE(NULL, strstr(text, "attached{hook=\"away\",reason=\"not \\\"here\\\"\"} 0\n"));
	EXPECT_NE(NULL, strstr(text, "attached{hook=\"needless\",reason=\"no loop\"} 0\n"));
	EXPECT_NE(NULL, strstr(text, "kvmwatch_hook_ok{hook=\"there\"} 1\n"));
	EXPECT_NE(NULL, strstr(text, "kvmwatch_hook_ok{hook=\"needless\"} 1\n"));
	EXPECT_NE(NULL, strstr(text, "hook_ok{hook=\"away\",reason=\"not \\\"here\\\"\"} 0\n"));
	EXPECT_NE(NULL, strstr(text, "hook_ok{hook=\"false\",reason=\"dropped\"} 0\n"));
	EXPECT_NE(NULL, strstr(text, "kvmwatch_hook_hits_total{hook=\"there\"} 5\n"));
	EXPECT_EQ(NULL, strstr(text, "kvmwatch_hook_hits_total{hook=\"away\""));
	EXPECT_NE(NULL, strstr(text, "vmm=\"v\\\"mm\""));
	free(text);
}

TEST(with_a_limit_the_newest_are_left_out_and_counted)
{
	struct export_options options = { .max_vms = 1 };
	char *text = export(&options, EXPOSE_TEXT);

	EXPECT_NE(NULL, strstr(text, "kvmwatch_vms_omitted 1\n"));
	EXPECT_NE(NULL, strstr(text, "vm=\"10-4\""));
	EXPECT_EQ(NULL, strstr(text, "vm=\"11-4\""));
	free(text);
}

/* --- names ----------------------------------------------------------------- */

/* Set the labels of VMs with these guest names (NULL: none), whose ids begin with @id. */
static void name_vms(struct export_names *names, __u64 id, const char *const *guests, size_t nr)
{
	const struct vm *pointers[8];
	static struct vm vms[8];
	size_t i;

	for (i = 0; i < nr; i++) {
		vms[i].info.id = id + i;
		snprintf(vms[i].info.name, sizeof(vms[i].info.name), "%llu-4", id + i);
		vms[i].guest = (char *)guests[i];
		pointers[i] = &vms[i];
	}
	if (export_names_update(names, 1, pointers, nr))
		abort();
}

TEST(vms_of_one_name_have_different_ones_and_keep_them)
{
	struct export_names names = { };

	name_vms(&names, 1, (const char *[]) { "web", "web", "db" }, 3);
	EXPECT_STREQ("web", names.all[0]->label);
	EXPECT_STREQ("web@2-4", names.all[1]->label);
	EXPECT_STREQ("db", names.all[2]->label);
	/* The first VM ends. */
	name_vms(&names, 2, (const char *[]) { "web", "db", "web" }, 3);
	EXPECT_STREQ("web@2-4", names.all[0]->label);
	EXPECT_STREQ("db", names.all[1]->label);
	EXPECT_STREQ("web", names.all[2]->label);
	export_names_free(&names);
}

TEST(a_name_that_looks_like_anothers_does_not_take_it)
{
	struct export_names names = { };

	name_vms(&names, 1, (const char *[]) { "2-4", NULL, "x", "x@5-4", "x" }, 5);
	EXPECT_STREQ("2-4", names.all[0]->label);
	EXPECT_STREQ("2-4@2-4", names.all[1]->label);
	EXPECT_STREQ("x@5-4", names.all[3]->label);
	EXPECT_STREQ("x@5-4.2", names.all[4]->label);
	export_names_free(&names);
}

/* The module finds VMs that run in the order that KVM has them, which is another one. */
TEST(names_stay_when_the_module_is_loaded_again)
{
	struct export_names names = { };
	struct vm vms[] = {
		{ .info = { .id = 1, .name = "2-4" }, .guest = (char *)"web" },
		{ .info = { .id = 2, .name = "1-4" }, .guest = (char *)"web" },
		{ .info = { .id = 3, .name = "3-4" }, .guest = (char *)"d" },
	};
	const struct vm *pointers[] = { &vms[0], &vms[1], &vms[2] };

	name_vms(&names, 1, (const char *[]) { "web", "web", "db" }, 3);
	ASSERT_EQ(0, export_names_update(&names, 2, pointers, 3));
	EXPECT_STREQ("web@2-4", names.all[0]->label);
	EXPECT_STREQ("web", names.all[1]->label);
	EXPECT_STREQ("d", names.all[2]->label);
	ASSERT_EQ(0, export_names_update(&names, 2, pointers, 3));
	EXPECT_STREQ("web@2-4", names.all[0]->label);
	EXPECT_STREQ("web", names.all[1]->label);
	export_names_free(&names);
}

/* After insmod ids begin again at 1. */
TEST(another_vm_with_the_same_id_is_named_afresh)
{
	struct export_names names = { };
	struct vm vm = { .info = { .id = 1, .name = "9-4" }, .guest = (char *)"other" };
	const struct vm *pointer = &vm;

	name_vms(&names, 1, (const char *[]) { "web" }, 1);
	ASSERT_EQ(0, export_names_update(&names, 1, &pointer, 1));
	EXPECT_STREQ("other", names.all[0]->label);
	export_names_free(&names);
}

TEST_HARNESS_MAIN
