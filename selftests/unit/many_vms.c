// SPDX-License-Identifier: GPL-2.0
/*
 * Run a command of the tool with a played device that has many VMs of four vCPUs and four slots,
 * each with the numbers of a real kernel's (fuzz/corpus), and with numbers made up for those
 * statistics of the module that are younger than that. host/many_test.sh uses it to count the
 * instructions of that: many_vms NUMBER COMMAND OPTION...
 *
 * With SLOW_MS in the environment, the device waits that long before it opens all objects of a
 * kind.
 *
 * Reading a command line is played, too. All guests are called "many", except that kvmwatch export
 * gets hostile names. At its end the program prints on stderr how many command lines were read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "all_file.h"
#include "cmd.h"
#include "export.h"
#include "export_http.h"
#include "identity.h"
#include "libkvmwatch.h"
#include "played_catalog.h"
#include "repeat.h"
#include "stat_rows.h"

#define CORPUS	"selftests/fuzz/corpus/%s"
#define EACH	4	/* number of vCPUs and of slots of a VM */
#define ALL_FD	1000	/* plus the kind */
#define HISTOGRAMS 10	/* added to that if histograms are wanted */

static __u32 nr_vms;
static __u64 moment;
static unsigned int command_lines, slow_ms;
/* kvmwatch export is run, for which time passes by itself. */
static bool is_export;

static __u32 nr_of(__u32 kind)
{
	switch (kind) {
	case KVMWATCH_KIND_VM:
		return nr_vms;
	case KVMWATCH_KIND_VCPU:
	case KVMWATCH_KIND_SLOT:
		return nr_vms * EACH;
	}
	return 0;
}

/* --- lists --------------------------------------------------------------- */

static void make_item(__u32 kind, __u32 i, void *to)
{
	struct kvmwatch_vm vm = {
		.id = i + 1, .memory = 1 << 30, .pid = 1000 + i, .vcpus = EACH, .slots = EACH,
		.flags = KVMWATCH_VM_DIRTY_LOG, .comm = "qemu",
	};
	struct kvmwatch_vcpu vcpu = { .id = i + 1, .vm = i / EACH + 1, .vcpu_id = i % EACH };
	struct kvmwatch_slot slot = {
		.life = i + 1, .vm = i / EACH + 1, .id = i % EACH, .npages = 64, .flags = 1,
	};

	snprintf(vm.name, sizeof(vm.name), "%u-12", 1000 + i);
	if (kind == KVMWATCH_KIND_VM)
		memcpy(to, &vm, sizeof(vm));
	else if (kind == KVMWATCH_KIND_VCPU)
		memcpy(to, &vcpu, sizeof(vcpu));
	else
		memcpy(to, &slot, sizeof(slot));
}

/* Those whose buckets have names */
static int list_stats(struct kvmwatch_list *list)
{
	struct kvmwatch_stat stats[] = { played_stats[0], played_stats[0], played_stats[1] };

	strcpy(stats[1].name, "exit_reason_times");
	return played_list(list, stats, sizeof(*stats), sizeof(stats) / sizeof(*stats));
}

static int list(struct kvmwatch_list *list)
{
	__u32 i, nr;

	if (list->kind == KVMWATCH_KIND_STAT)
		return list_stats(list);
	if (list->kind > KVMWATCH_KIND_SLOT)
		return played_catalog(list);
	nr = nr_of(list->kind);
	for (i = 0; i < nr && i < list->nr; i++)
		make_item(list->kind, i, (char *)(unsigned long)list->items + i * list->item_size);
	list->nr = nr;
	return 0;
}

/* --- numbers ------------------------------------------------------------- */

static const struct stat_row rows[] = { STAT_ROWS };

#define NR_ROWS	(sizeof(rows) / sizeof(*rows))

static union {
	struct kvmwatch_all_header header;
	struct all_file file;
} corpus;

static bool is_histogram(__u32 flags)
{
	return (flags & KVMWATCH_STATS_TYPE_MASK) >= KVMWATCH_STATS_LINEAR_HIST;
}

/* Statistics of a VM or vCPU that are as long, and whose values a younger one may have, too. */
static const char *like(__u32 flags)
{
	switch (flags & KVMWATCH_STATS_TYPE_MASK) {
	case KVMWATCH_STATS_LINEAR_HIST:
		return "exit_reasons";
	case KVMWATCH_STATS_LOG_HIST:
		return "on_cpu_hist";
	default:
		return "loads";
	}
}

static bool has(const struct kvmwatch_value *values, size_t nr, const char *name)
{
	while (nr--) {
		if (!strcmp(values[nr].name, name))
			return true;
	}
	return false;
}

/* A VM has no sum of what a vCPU is at. */
static bool belongs(const struct stat_row *row, __u32 kind)
{
	return row->kind == kind && strcmp(row->name, "pcpu") && strcmp(row->name, "halt_poll_ns");
}

/* Add what @stats lacks to the @nr values. Returns how many there are then. */
static size_t add_younger(const struct kvmwatch_stats *stats, __u32 kind, bool histograms,
			  struct kvmwatch_value *values, size_t nr)
{
	static const __u64 zero;
	const struct kvmwatch_value *model;
	size_t i;

	for (i = 0; i < NR_ROWS; i++) {
		if (!belongs(&rows[i], kind) || has(values, nr, rows[i].name) ||
		    (is_histogram(rows[i].flags) && !histograms))
			continue;
		model = kvmwatch_stats_find(stats, like(rows[i].flags));
		values[nr++] = (struct kvmwatch_value) {
			.name = rows[i].name, .flags = rows[i].flags,
			.exponent = rows[i].exponent, .size = model ? model->size : 1,
			.bucket_size = model ? model->bucket_size : 0,
			.data = model ? model->data : &zero
		};
	}
	return nr;
}

/* The first byte of a corpus file is for the fuzzer only. */
static int open_corpus(__u32 kind)
{
	static const char *const names[] = {
		[KVMWATCH_KIND_VM] = "vm", [KVMWATCH_KIND_VCPU] = "vcpu",
		[KVMWATCH_KIND_SLOT] = "slot"
	};
	static char bytes[65536];
	char path[64];
	int fd, copy = memfd_create("corpus", MFD_CLOEXEC);
	ssize_t n;

	snprintf(path, sizeof(path), CORPUS, names[kind]);
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
	n = syscall(SYS_read, fd, bytes, sizeof(bytes));
	close(fd);
	if (n < 1 || write(copy, bytes + 1, n - 1) != n - 1)
		abort();
	return copy;
}

static void read_corpus(__u32 kind, bool histograms)
{
	struct kvmwatch_value *values;
	struct kvmwatch_stats *stats, all;
	int fd = open_corpus(kind);
	size_t i, nr = 0;

	if (kvmwatch_stats_read(fd, &stats))
		abort();
	close(fd);
	values = calloc(stats->nr + NR_ROWS, sizeof(*values));
	for (i = 0; values && i < stats->nr; i++) {
		if (histograms || !is_histogram(stats->values[i].flags))
			values[nr++] = stats->values[i];
	}
	if (!values)
		abort();
	all = *stats;
	all.values = values;
	all.nr = add_younger(stats, kind, histograms, values, nr);
	all_file_put(&corpus.file, kind, &all);
	free(values);
	kvmwatch_stats_free(stats);
}

static void make_key(__u32 kind, __u32 i, struct kvmwatch_all_item *item)
{
	item->id = i + 1;
	item->vm = kind == KVMWATCH_KIND_VM ? i + 1 : i / EACH + 1;
	item->number = kind == KVMWATCH_KIND_VM ? 0 : i % EACH;
	item->flags = 0;
	snprintf(item->name, sizeof(item->name), "%llu-12", 999 + item->vm);
}

/*
 * A read continues behind the last object, as with the device, and begins again after all objects.
 */
static ssize_t read_all(__u32 kind, bool histograms, char *to, size_t size)
{
	static __u32 next[KVMWATCH_KIND_SLOT + 1];
	struct kvmwatch_all_header *header = &corpus.header;
	__u32 i, first = next[kind], left = nr_of(kind) - first, room;
	char *item;

	read_corpus(kind, histograms);
	item = to + header->item_offset;
	room = (size - header->item_offset) / header->item_size;
	header->nr = left;
	header->filled = left < room ? left : room;
	header->flags = header->filled < left ? KVMWATCH_ALL_MORE : 0;
	header->begin_ns = is_export ? now_ns() : (moment + 1) * 1000000000ULL;
	header->end_ns = header->begin_ns + 1000;
	memcpy(to, (char *)&corpus, header->item_offset);
	for (i = 0; i < header->filled; i++, item += header->item_size) {
		memcpy(item, (char *)&corpus + header->item_offset, header->item_size);
		make_key(kind, first + i, (struct kvmwatch_all_item *)item);
	}
	next[kind] = header->filled < left ? first + header->filled : 0;
	return item - to;
}

/* --- in place of the C library's ----------------------------------------- */

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	(void)fd;
	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case KVMWATCH_INFO:
		((struct kvmwatch_info *)arg)->abi = KVMWATCH_ABI;
		return 0;
	case KVMWATCH_LIST:
		return list(arg);
	case KVMWATCH_OPEN_ALL:
		usleep(1000 * slow_ms);
		return ALL_FD + ((struct kvmwatch_open_all *)arg)->kind +
		       (((struct kvmwatch_open_all *)arg)->flags & KVMWATCH_OPEN_NO_HISTOGRAMS ?
			0 : HISTOGRAMS);
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
	if (fd >= ALL_FD)
		return read_all((fd - ALL_FD) % HISTOGRAMS, fd >= ALL_FD + HISTOGRAMS, to, size);
	return syscall(SYS_read, fd, to, size);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (is_export)
		return syscall(SYS_clock_gettime, clock, ts);
	ts->tv_sec = 1000 + moment;
	ts->tv_nsec = 0;
	return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *ts, struct timespec *left)
{
	moment++;
	if (is_export)
		return syscall(SYS_clock_nanosleep, clock, flags, ts, left);
	return 0;
}

#define LONG_NAME "a name that is longer than what a label has room for, which is 128 bytes; "

/* Tenants choose names, so they may be hostile. */
static const char *hostile_name(int pid)
{
	static const char *const names[] = {
		"many", "a\"} 1\nkvmwatch_up 0\\", "\xff\xfe\x1b[31m", "1000-12",
		"<img src=x onerror=alert(1)>", "web\xe2\x80\xae.gpj", "kv\xc3\xa4mwatch",
		LONG_NAME LONG_NAME
	};

	return names[pid % (sizeof(names) / sizeof(*names))];
}

/* Replaces the tool's. */
int identity_of(int pid, struct identity *identity)
{
	(void)pid;
	memset(identity, 0, sizeof(*identity));
	__atomic_fetch_add(&command_lines, 1, __ATOMIC_RELAXED);
	identity->guest = strdup(is_export ? hostile_name(pid) : "many");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct cmd *const cmds[] = {
		&cmd_list, &cmd_stat, &cmd_doctor, &cmd_exits, &cmd_vcpu, &cmd_dirty, &cmd_top,
		&cmd_export
	};
	size_t i;
	int code;

	if (argc < 3)
		return EXIT_USAGE;
	nr_vms = strtoul(argv[1], NULL, 10);
	is_export = !strcmp(argv[2], "export");
	slow_ms = getenv("SLOW_MS") ? atoi(getenv("SLOW_MS")) : 0;
	export_serve = http_serve;
	for (i = 0; i < sizeof(cmds) / sizeof(*cmds); i++) {
		if (strcmp(cmds[i]->name, argv[2]))
			continue;
		code = cmds[i]->run(cmds[i], argc - 2, argv + 2);
		fprintf(stderr, "many_vms: read %u command lines\n", command_lines);
		return code;
	}
	return EXIT_USAGE;
}
