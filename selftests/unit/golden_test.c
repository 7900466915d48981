// SPDX-License-Identifier: GPL-2.0
/*
 * What commands print, byte by byte: golden/COMMAND.txt, .json and .csv. The functions below play
 * the device, with numbers from a real kernel (fuzz/corpus). GOLDEN=write writes the files again;
 * look at the result with git diff.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio_ext.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <kselftest_harness.h>

#include "all_file.h"
#include "backing.h"
#include "cmd.h"
#include "cmd_dirty.h"
#include "halt_poll.h"
#include "kvm_huge.h"
#include "libkvmwatch.h"
#include "options.h"
#include "played_catalog.h"
#include "stream.h"
#include "top_rows.h"

#define CORPUS	"selftests/fuzz/corpus/"
#define GOLDEN	"selftests/unit/golden/"

/* --- the device ---------------------------------------------------------- */

/* Each time is a second later than the one before, and these statistics grow by this much. */
static __u64 moment;

static const struct {
	const char *stat;
	__u64 by;
} growths[] = {
	{ "on_cpu_ns", 250000000 }, { "dirty_marks", 640 }, { "dirty_marks_new", 512 },
};

/* The time from which on a hook is off, counted from 1; 0: it never is. */
static __u64 hook_off_at;

/* What changes between listing and reading. */
static enum { NOTHING, VM_ENDS, OBJECTS_COME, VM_BEGINS, VM_UNLISTED } meanwhile;

/* With VM_BEGINS there is no VM at the first time, with VM_UNLISTED at all later ones. */
static bool nothing_now(void)
{
	return (meanwhile == VM_BEGINS && !moment) || (meanwhile == VM_UNLISTED && moment);
}

/* What of the VM is logged. PART is slot 0:1, which has 262144 of its 376832 bytes. */
static enum { PART, ALL, OFF, RING, GROWS, SMM } logging;

/* Each time, slot 0:1 is another slot of the same number. */
static bool slots_are_made_again;

static __u64 slot_life(__u32 number)
{
	return number + 1 + (slots_are_made_again && number ? 10 * moment : 0);
}

/* The module was loaded after the first read. */
static bool module_is_new;

static char corpus_file[65536];

static size_t read_corpus(const char *name)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), CORPUS "%s", name);
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
	n = read(fd, corpus_file, sizeof(corpus_file));
	close(fd);
	return n < 0 ? 0 : n;
}

static int memory_fd(const char *bytes, size_t size)
{
	int fd = memfd_create("device", MFD_CLOEXEC);

	if (write(fd, bytes, size) != (ssize_t)size)
		return -1;
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* Items have the caller's size, and there is room for all of them. */
static int give_all(const void *items, size_t size, __u32 nr, struct kvmwatch_list *list)
{
	if (size != list->item_size || nr > list->nr)
		abort();
	memcpy((void *)(unsigned long)list->items, items, size * nr);
	list->nr = nr;
	return 0;
}

static int give(const void *item, size_t size, struct kvmwatch_list *list)
{
	return give_all(item, size, 1, list);
}

static int device_list(struct kvmwatch_list *list)
{
	static const __u32 vm_flags[] = {
		[PART] = KVMWATCH_VM_DIRTY_LOG, [ALL] = KVMWATCH_VM_DIRTY_LOG, [OFF] = 0,
		[RING] = KVMWATCH_VM_DIRTY_LOG | KVMWATCH_VM_DIRTY_RING,
		[GROWS] = KVMWATCH_VM_DIRTY_LOG, [SMM] = KVMWATCH_VM_DIRTY_LOG,
	};
	const struct kvmwatch_vm vm = {
		.id = 1, .memory = 376832, .footprint = 11648, .vcpus = 1, .slots = 2,
		.flags = vm_flags[logging], .name = "4242-5", .comm = "a,\"vmm\"",
	};
	static const struct kvmwatch_vcpu vcpu = { .id = 1, .vm = 1, .tid = 4244 };
	const struct kvmwatch_slot slots[] = {
		{ .vm = 1, .npages = 28, .userspace_addr = 0x7f0000100000, .life = slot_life(0) },
		{ .vm = 1, .base_gfn = 0x40000, .npages = 64, .userspace_addr = 0x7f0000000000,
		  .id = 1, .flags = 1, .life = slot_life(1) },
	};
	static const struct kvmwatch_hook hooks[] = {
		{ .name = "load_cost", .target = "kvm_arch_vcpu_load", .reason = "not asked for",
		  .why = "not asked for: load it so" },
		{ .name = "spte_change", .target = "__handle_changed_spte", .via = "ftrace",
		  .flags = KVMWATCH_HOOK_ATTACHED | KVMWATCH_HOOK_PROVEN, .hits = 4001,
		  .by = "BTF+census" },
	};
	static const struct kvmwatch_stat stat = {
		.kind = KVMWATCH_KIND_VCPU, .name = "load_cost_ns", .hooks = "load_cost",
		.desc_flags = KVMWATCH_STATS_SECONDS, .exponent = -9,
		.help = "time inside KVM's load function",
	};

	const struct kvmwatch_hook wakeup = {
		.name = "wakeup", .target = "kvm_vcpu_wakeup", .reason = "switched off",
		.flags = moment + 1 < hook_off_at ? KVMWATCH_HOOK_ATTACHED : 0,
	};
	static const struct kvmwatch_stat wakeups = {
		.kind = KVMWATCH_KIND_VCPU, .name = "wakeups_wait", .hooks = "wakeup",
	};
	struct kvmwatch_stat stats[] = { stat, played_stats[0], played_stats[1] };

	if (hook_off_at && list->kind == KVMWATCH_KIND_HOOK)
		return give(&wakeup, sizeof(wakeup), list);
	if (list->kind == KVMWATCH_KIND_STAT) {
		stats[0] = hook_off_at ? wakeups : stat;
		return give_all(stats, sizeof(*stats), 3, list);
	}
	if (list->kind == KVMWATCH_KIND_BUCKET)
		return played_catalog(list);
	if (nothing_now() && list->kind <= KVMWATCH_KIND_SLOT) {
		list->nr = 0;
		return 0;
	}
	switch (list->kind) {
	case KVMWATCH_KIND_VM:
		return give(&vm, sizeof(vm), list);
	case KVMWATCH_KIND_VCPU:
		return give(&vcpu, sizeof(vcpu), list);
	case KVMWATCH_KIND_SLOT:
		return give_all(slots, sizeof(*slots), 2, list);
	case KVMWATCH_KIND_HOOK:
		return give_all(hooks, sizeof(*hooks), 2, list);
	}
	abort();
}

/* The first byte of a corpus file is for the fuzzer only. */
static int device_open_stats(__u32 kind)
{
	static const char *const names[] = { NULL, "vm", "vcpu", "slot" };
	size_t size = read_corpus(names[kind]);

	return memory_fd(corpus_file + 1, size - 1);
}

static void grow(struct kvmwatch_all_header *header, const struct kvmwatch_stats_desc *desc)
{
	char *items = (char *)header + header->item_offset;
	const struct kvmwatch_all_item *it;
	size_t i, item;

	for (i = 0; i < sizeof(growths) / sizeof(*growths); i++) {
		if (strcmp(desc->name, growths[i].stat))
			continue;
		for (item = 0; item < header->filled; item++) {
			it = (void *)(items + item * header->item_size);
			/* Slot 0:0 is not logged. */
			if (header->kind == KVMWATCH_KIND_SLOT && !it->number)
				continue;
			*(__u64 *)((char *)it + header->data_offset + desc->offset) +=
				moment * growths[i].by;
		}
	}
}

static void set(struct kvmwatch_all_header *header, const char *name, bool available, __u64 value)
{
	struct kvmwatch_stats_desc *desc = (void *)((char *)header + header->desc_offset);
	struct kvmwatch_all_item *item = (void *)((char *)header + header->item_offset);
	__u64 *bits = (void *)((char *)item + header->bits_offset);
	__u32 i;

	for (i = 0; i < header->num_desc; i++, desc++) {
		if (strcmp(desc->name, name))
			continue;
		*(__u64 *)((char *)item + header->data_offset + desc->offset) = value;
		if (!available)
			bits[i / 64] &= ~(1ULL << i % 64);
	}
}

/* Set the logged bytes of the VM as @logging says. */
static void set_logged(struct kvmwatch_all_header *header)
{
	const __u64 bytes[] = {
		[PART] = 262144, [ALL] = 376832, [RING] = 262144, [GROWS] = 262144 + 4096 * moment,
		[SMM] = 0,
	};

	set(header, "dirty_logged_bytes", true, logging == OFF ? 0 : bytes[logging]);
	set(header, "dirty_logged_slots", true, logging != OFF);
	if (logging == RING)
		set(header, "dirty_marks_new", false, 0);
}

/* The corpus is older than the ids of slots. */
static void give_ids(struct kvmwatch_all_header *header)
{
	struct kvmwatch_all_item *item;
	__u32 i;

	for (i = 0; i < header->filled; i++) {
		item = (void *)((char *)header + header->item_offset + i * header->item_size);
		item->id = slot_life(item->number);
	}
}

/* The window of halt polling is not known. */
static bool window_is_unknown;

/* The corpus as it was recorded, which is without histograms. */
static int device_open_corpus(__u32 kind)
{
	struct kvmwatch_all_header *header = (void *)(corpus_file + 8);
	const struct kvmwatch_stats_desc *desc;
	char name[16];
	size_t size;
	__u32 i;

	snprintf(name, sizeof(name), "all-%u", kind);
	size = read_corpus(name) - 1;
	memmove(header, corpus_file + 1, size);
	header->begin_ns += moment * 1000000000;
	header->generation += 100 + moment;
	if (module_is_new && moment)
		header->instance++;
	if (kind == KVMWATCH_KIND_SLOT)
		give_ids(header);
	desc = (void *)((char *)header + header->desc_offset);
	for (i = 0; i < header->num_desc; i++)
		grow(header, &desc[i]);
	if (kind == KVMWATCH_KIND_VM)
		set_logged(header);
	if (window_is_unknown)
		set(header, "halt_poll_ns", false, 0);
	return memory_fd((char *)header, size);
}

static struct all_file all_file;

/* One object, made from its stats fd; with OBJECTS_COME, a second one. */
static int device_open_all(__u32 kind)
{
	struct kvmwatch_all_header *head = &all_file.head;
	int fd = device_open_stats(kind);
	struct kvmwatch_all_item *item;
	char *end;
	__u32 i;

	end = all_file_make(&all_file, kind, fd);
	close(fd);
	head->begin_ns = (1000 + moment) * 1000000000;
	head->nr = nothing_now() ? 0 : meanwhile == OBJECTS_COME ? 2 : 1;
	head->filled = head->nr;
	item = (void *)(end - head->item_size);
	memcpy(end, item, head->item_size);
	*item = (struct kvmwatch_all_item){ .vm = 1, .id = 1 };
	if (kind == KVMWATCH_KIND_SLOT) {
		item->number = 1;
		item->id = slot_life(1);
	}
	if (kind == KVMWATCH_KIND_VM && meanwhile == VM_ENDS)
		item->flags = KVMWATCH_ITEM_ENDED;
	item = (void *)end;
	*item = (struct kvmwatch_all_item){ .vm = kind == 1 ? 2 : 1, .id = 8, .number = 7 };
	for (i = 0; i < head->num_desc; i++)
		grow(head, (struct kvmwatch_stats_desc *)all_file.rest + i);
	return memory_fd((char *)head, head->item_offset + head->nr * head->item_size);
}

/* Each time pages 5 and 6 of slot 0:1 are marked, and page 40 every second time. */
static int heat_fd = -1;

static void heat_update(void)
{
	struct {
		struct kvmwatch_heat_header head;
		struct {
			struct kvmwatch_heat_slot slot;
			__u64 distinct[10];
		} slots[2];
		struct kvmwatch_heat_page pages[64 + 32];
	} heat = {
		.head = {
			.header_size = sizeof(heat.head), .slot_offset = sizeof(heat.head),
			.slot_size = sizeof(heat.slots[0]),
			.slot_filled = sizeof(heat.slots[0].slot),
			.distinct_offset = sizeof(heat.slots[0].slot),
			.page_size = sizeof(heat.pages[0]), .nr_slots = 2, .vm = 1,
			.nr_windows = 10, .window_ns = 125000000,
			.collects = 3 * moment,
		},
		.slots = {
			{ .slot = { .base_gfn = 0x40000, .npages = 64, .id = 1,
				    .flags = KVMWATCH_HEAT_LOGGED, .ticks = 8 * moment,
				    .marks = 2 * moment + moment / 2,
				    .page_offset = offsetof(typeof(heat), pages) } },
			{ .slot = { .npages = 32, .ticks = 8 * moment,
				    .page_offset = offsetof(typeof(heat), pages[64]) } },
		},
	};
	int i;

	for (i = 0; i < 10; i++)
		heat.slots[0].distinct[i] = i < 3 ? 2 * moment : 3 * moment >> (i - 3);
	heat.pages[5].count = moment;
	heat.pages[6].count = moment;
	heat.pages[40].count = moment / 2;
	if (heat_fd >= 0 && pwrite(heat_fd, &heat, sizeof(heat), 0) != sizeof(heat))
		abort();
}

static int device_open_heat(void)
{
	close(heat_fd);
	heat_fd = memfd_create("heat", MFD_CLOEXEC);
	heat_update();
	return dup(heat_fd);
}

/* Replaces the C library's. */
int ioctl(int fd, unsigned long request, ...)
{
	const struct kvmwatch_open_all *open;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case KVMWATCH_INFO:
		((struct kvmwatch_info *)arg)->abi = KVMWATCH_ABI;
		return 0;
	case KVMWATCH_LIST:
		return device_list(arg);
	case KVMWATCH_OPEN:
		return device_open_stats(((struct kvmwatch_open *)arg)->kind);
	case KVMWATCH_OPEN_ALL:
		open = arg;
		if (open->flags & KVMWATCH_OPEN_NO_HISTOGRAMS && meanwhile == NOTHING)
			return device_open_corpus(open->kind);
		return device_open_all(open->kind);
	case KVMWATCH_OPEN_HEAT:
		return device_open_heat();
	case KVMWATCH_AUDIT:
		((struct kvmwatch_audit *)arg)->agrees = 1;
		((struct kvmwatch_audit *)arg)->audits = 3;
		return 0;
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

/* kvm.ko is loaded. */
int access(const char *path, int mode)
{
	if (!strcmp(path, "/sys/module/kvm"))
		return 0;
	return syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	ts->tv_sec = 1000 + moment;
	ts->tv_nsec = 0;
	return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *ts, struct timespec *left)
{
	moment++;
	heat_update();
	return 0;
}

/* --- trace events: two, the second not on a vCPU; between them three are lost --- */

static struct stream_spec stream_spec;
static __u64 stream_was_lost;
static char stream_filter[128];
static bool stream_keeps_all;
/* Number of reads before a signal comes; -1: it comes before the first. */
static int reads_before_signal;
/* The thread of all events. */
static int stream_tid;
/* Number of reads before the last event of the VM; 0: there is no such event. */
static int reads_before_free;

bool stream_allowed(void)
{
	return false;
}

int stream_check_allowed(void)
{
	return EXIT_DONE;
}

int stream_open(const struct stream_spec *spec, struct stream **stream)
{
	stream_spec = *spec;
	stream_was_lost = 0;
	snprintf(stream_filter, sizeof(stream_filter), "%s", spec->filter ? spec->filter : "");
	*stream = NULL;
	if (reads_before_signal < 0)
		raise(SIGINT);
	return 0;
}

static const struct {
	const char *name;
	__u64 first, second;
} stream_fields[] = {
	{ "vm", 1, 1 }, { "pid", 4242, 4242 }, { "vcpu", 0, -1 },
	{ "ns", 779517, 2000000 }, { "waited", 1, 0 }, { "valid", 1, 0 },
	{ "delay", 6000, 0 },
	{ "type", 1, 2 }, { "old", 0, 10000 }, { "new", 10000, 0 },
	{ "gfn", 0x40001, 0x40000 }, { "rel_gfn", 1, 0 }, { "npages", 64, 64 },
	{ "userspace_addr", 0x7f0000000000, 0x7f0000000000 }, { "as_id", 0, 1 },
	{ "how", 0, 2 }, { "first", 0, 64 },
	{ "slot", 1, 2 }, { "cause", 0, 1 }, { "level", 1, 2 }, { "leaves", 1, 0 },
};

static void happen(bool second, stream_fn fn, void *arg)
{
	struct happening h = {
		.ns = 25157639001 + second * 1000, .seq = second, .tid = stream_tid
	};
	size_t i, j;

	h.event = second && stream_spec.events[1];
	for (i = 0; i < stream_spec.nr_fields; i++) {
		for (j = 0; j < sizeof(stream_fields) / sizeof(*stream_fields); j++) {
			if (!stream_spec.fields[i] ||
			    strcmp(stream_spec.fields[i], stream_fields[j].name))
				continue;
			h.has |= 1U << i;
			h.values[i] = second ? stream_fields[j].second : stream_fields[j].first;
		}
	}
	fn(&h, arg);
}

static void happen_last(stream_fn fn, void *arg)
{
	struct happening h = { .ns = 25157639001 };

	while (stream_spec.events[h.event])
		h.event++;
	h.values[2] = 1;	/* the VM's id */
	h.values[3] = 1;	/* the pid, from which its name is made */
	fn(&h, arg);
}

int stream_read(struct stream *stream, stream_fn fn, void *arg)
{
	happen(false, fn, arg);
	if (reads_before_free && !--reads_before_free)
		happen_last(fn, arg);
	if (!reads_before_signal--)
		raise(SIGINT);
	return 0;
}

int stream_finish(struct stream *stream, stream_fn fn, void *arg)
{
	stream_was_lost = stream_keeps_all ? 0 : 3;
	happen(true, fn, arg);
	return 0;
}

__u64 stream_lost(const struct stream *stream)
{
	return stream_was_lost;
}

void stream_close(struct stream *stream)
{
}

/* --- comparing ----------------------------------------------------------- */

/* The caller frees the result. */
static char *read_file(const char *path)
{
	char *text = calloc(1, 1 << 20);
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, (1 << 20) - 1) < 0)
		*text = '\0';
	close(fd);
	return text;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC);

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

/* Exit status of the last command. */
static int exit_code;

/* Returns what a command prints; the caller frees it. */
static char *print(const struct cmd *cmd, const char *const *options, const char *format)
{
	char *argv[8] = { };
	int out = dup(1), code, argc = 0;
	char path[] = "/tmp/golden.XXXXXX";
	char *text;
	int fd = mkostemp(path, O_CLOEXEC);

	argv[argc++] = (char *)cmd->name;
	for (; options && *options; options++)
		argv[argc++] = (char *)*options;
	if (format)
		argv[argc++] = (char *)format;
	moment = 0;
	if (reads_before_signal < 0)
		reads_before_signal = 0;
	fflush(stdout);
	dup2(fd, 1);
	code = cmd->run(cmd, argc, argv);
	fflush(stdout);
	dup2(out, 1);
	close(out);
	text = read_file(path);
	unlink(path);
	close(fd);
	/* These two are answers, not errors. */
	if (code && code != EXIT_DOES_NOT && code != EXIT_UNCERTAIN)
		strcpy(text, "exit code");
	exit_code = code;
	return text;
}

/* Exit status of a command with these arguments, separated by blanks. */
static int code_of(const struct cmd *cmd, const char *words)
{
	char *copy = strdup(words), *options[8] = { };
	size_t i = 0;
	char *word;

	for (word = strtok(copy, " "); word && i < 7; word = strtok(NULL, " "))
		options[i++] = word;
	free(print(cmd, (const char *const *)options, NULL));
	free(copy);
	return exit_code;
}

static void note_difference(const char *path, const char *text)
{
	char printed[] = "/tmp/golden.XXXXXX", command[192], line[1024];
	FILE *diff;

	close(mkstemp(printed));
	write_file(printed, text);
	snprintf(command, sizeof(command), "diff -u %s %s", path, printed);
	diff = popen(command, "r");
	while (diff && fgets(line, sizeof(line), diff))
		unit_note(line);
	if (!diff || pclose(diff) < 0)
		abort();
	unlink(printed);
}

/* Is @text, which is freed here, equal to the file's content? */
static int is_in(char *text, const char *path)
{
	char *golden = read_file(path);
	int same = *golden && !strcmp(text, golden);

	if (!same)
		note_difference(path, text);
	free(golden);
	free(text);
	return same;
}

/* Does the command with these arguments print the file's content? */
static int is_golden_as(const struct cmd *cmd, const char *const *options, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), GOLDEN "%s", file);
	return is_in(print(cmd, options, NULL), path);
}

static int is_golden(const struct cmd *cmd, const char *const *options, const char *name,
		     const char *format)
{
	char *text = print(cmd, options, format), path[128];

	snprintf(path, sizeof(path), GOLDEN "%s.%s", name, format ? format + 2 : "txt");
	if (getenv("GOLDEN"))
		write_file(path, text);
	return is_in(text, path);
}

static int all_golden(const struct cmd *cmd, const char *const *options, const char *name)
{
	return is_golden(cmd, options, name, NULL) & is_golden(cmd, options, name, "--json") &
	       is_golden(cmd, options, name, "--csv");
}

#define GOLDEN_TEST(command)							\
TEST(command##_prints_what_it_always_did)					\
{										\
	EXPECT_TRUE(all_golden(&cmd_##command, NULL, #command));		\
}

GOLDEN_TEST(list)
GOLDEN_TEST(stat)
GOLDEN_TEST(doctor)
GOLDEN_TEST(exits)
GOLDEN_TEST(vcpu)
GOLDEN_TEST(statistics)
GOLDEN_TEST(hooks)
GOLDEN_TEST(audit)
GOLDEN_TEST(wakeups)
GOLDEN_TEST(haltpoll)
GOLDEN_TEST(dirty)
GOLDEN_TEST(collects)
GOLDEN_TEST(pages)

/*
 * Nothing happened since the save. Then change the saved numbers, as if everything had happened
 * since.
 */
TEST(exits_compares_with_a_look_that_was_saved)
{
	static const char path[] = "/tmp/exits-saved.json";
	const char *const options[] = { "--diff", path, NULL };
	char *saved, *text, *at;

	saved = print(&cmd_exits, NULL, "--json");
	write_file(path, saved);
	text = print(&cmd_exits, options, "--csv");
	EXPECT_NE(NULL, strstr(text, "\n1,4242-5,vm,kvm,all,,75,,,,91979706,0,"));
	free(text);
	/* The total of the VM's exits. */
	at = strstr(saved, "\"reason\":\"all\",\"count\":");
	ASSERT_NE(NULL, at);
	at += strlen("\"reason\":\"all\",\"count\":");
	ASSERT_NE('0', *at);
	memset(at, ' ', strspn(at, "0123456789") - 1);
	at[strspn(at, " ")] = '0';
	write_file(path, saved);
	text = print(&cmd_exits, options, "--csv");
	EXPECT_NE(NULL, strstr(text, "\n1,4242-5,vm,kvm,all,,75,,,,91979706,75,"));
	free(text);

	at = strstr(saved, "\"instance\":");
	at[strlen("\"instance\":")] = '7';
	write_file(path, saved);
	text = print(&cmd_exits, options, "--csv");
	EXPECT_STREQ("exit code", text);
	free(text);
	free(saved);
	EXPECT_EQ(2, code_of(&cmd_exits, "-d /tmp/exits-saved.json -n 2"));
	unlink(path);
	EXPECT_EQ(1, code_of(&cmd_exits, "-d /tmp/exits-saved.json"));
}

int halt_poll_now(struct halt_poll_params *params)
{
	*params = (struct halt_poll_params){ 200000, 2, 0, 10000 };
	return 0;
}

TEST(haltpoll_what_if_prints_what_it_always_did)
{
	static const char settings[] = "halt_poll_ns=5000000,grow_start=4000000";
	const char *const asked[] = { "--what-if", settings, NULL };
	const char *const wrong[] = { "--what-if", "halt_poll=5", NULL };
	const char *const help[] = { "--what-if", "--help", NULL };
	char *text;

	stream_keeps_all = true;
	EXPECT_TRUE(all_golden(&cmd_haltpoll, asked, "haltpoll-what-if"));
	EXPECT_EQ(0, code_of(&cmd_haltpoll, "--what-if sweep --json"));
	window_is_unknown = true;
	EXPECT_TRUE(all_golden(&cmd_haltpoll, asked, "haltpoll-what-if-unknown"));
	window_is_unknown = false;
	stream_keeps_all = false;
	/* If events were lost, the tool has no answer. */
	EXPECT_EQ(1, code_of(&cmd_haltpoll, "--what-if grow=4"));
	text = print(&cmd_haltpoll, wrong, NULL);
	EXPECT_STREQ("exit code", text);
	EXPECT_EQ(2, exit_code);
	free(text);
	text = print(&cmd_haltpoll, help, NULL);
	EXPECT_NE(NULL, strstr(text, "Usage: kvmwatch haltpoll --what-if"));
	free(text);
}

/* Slot 0:0 is small in the host, of slot 0:1 the backing is unknown when that is played. */
static bool backing_is_hidden;

int backing_look(int pid, const struct kvmwatch_slot *slots, size_t nr, struct backing *backings)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		backings[i] = (struct backing){ .known = true, .aligned = true, .cut = true };
		backings[i].bytes[BACKING_SMALL] = 4096;
		backings[i].bytes[BACKING_EDGE] = slots[i].npages * 4096 - 4096;
	}
	if (backing_is_hidden)
		backings[1] = (struct backing){ .why = "played" };
	return 0;
}

bool kvm_has_tdp_mmu(void)
{
	return !backing_is_hidden;
}

struct maybe kvm_nx_is_on(void)
{
	return (struct maybe){ true, 1 };
}

struct maybe kvm_nx_tables(const char *name)
{
	return (struct maybe){ !strcmp(name, "4242-5") && !backing_is_hidden, 3 };
}

TEST(huge_prints_what_it_always_did)
{
	static const char *const raw[] = { "--raw", NULL };

	EXPECT_TRUE(all_golden(&cmd_huge, NULL, "huge"));
	backing_is_hidden = true;
	EXPECT_TRUE(all_golden(&cmd_huge, raw, "huge-hidden"));
	backing_is_hidden = false;
}

/* What comes is small, and what goes is huge: the kernel would filter the first. */
TEST(huge_time_prints_what_it_always_did)
{
	static const char *const time[] = { "--time", "1", NULL };

	stream_keeps_all = true;
	EXPECT_TRUE(all_golden(&cmd_huge, time, "huge-time"));
	EXPECT_STREQ("level >= 2", stream_filter);
	EXPECT_EQ(0, code_of(&cmd_huge, "-t 1 -p 4242-5"));
	EXPECT_STREQ("((vm == 1)) && level >= 2", stream_filter);
	stream_keeps_all = false;
	EXPECT_EQ(1, code_of(&cmd_huge, "-t 1"));
	EXPECT_EQ(2, code_of(&cmd_huge, "-t 1 -i 1"));
}

TEST(stat_leaves_zeros_out_of_tables_when_asked_to)
{
	static const char *const options[] = { "--skip-zero", NULL };

	EXPECT_TRUE(is_golden(&cmd_stat, options, "stat-skip-zero", NULL));
}

TEST(dirty_hot_prints_what_it_always_did)
{
	static const char *const pages[] = { "--hot", "--time", "6", NULL };
	static const char *const windows[] = { "--hot", "-t6", "--windows", NULL };

	EXPECT_TRUE(all_golden(&cmd_dirty, pages, "dirty-hot"));
	EXPECT_TRUE(all_golden(&cmd_dirty, windows, "dirty-windows"));
}

/* Without a terminal, as rows; and three times with some columns. */
TEST(top_prints_what_it_always_did)
{
	static const char *const some[] = {
		"-n3", "-i2", "-o", "name,cpu_share,dirty_pages_per_second", NULL
	};

	EXPECT_TRUE(is_golden(&cmd_top, NULL, "top", "--json"));
	EXPECT_TRUE(is_golden(&cmd_top, NULL, "top", "--csv"));
	EXPECT_TRUE(is_golden(&cmd_top, some, "top-some", "--json"));
	EXPECT_TRUE(is_golden(&cmd_top, some, "top-some", "--csv"));
}

/* One table each time, with the columns of the screen. */
TEST(top_without_a_screen_prints_tables)
{
	static const char *const once[] = { "--once", NULL };
	static const char *const some[] = {
		"-b", "-n2", "-i2", "-N", "-o", "window_ns,guest,cpu_share", NULL
	};

	EXPECT_TRUE(is_golden(&cmd_top, once, "top", NULL));
	EXPECT_TRUE(is_golden(&cmd_top, some, "top-batch", NULL));
	EXPECT_EQ(2, code_of(&cmd_top, "--once -n 2"));
}

/*
 * Columns go by their JSON names, in the given order, also those that tables leave out by default.
 */
TEST(columns_are_chosen_by_their_names)
{
	static const char *const list[] = { "-o", "uuid,guest,memory,id,dirty_logging", NULL };
	static const char *const names[] = { "--noheadings", "-o", "name,dirty_marks", NULL };
	static const char *const stat[] = { "-s", "value", "-o", "stat,value", NULL };
	static const char *const exits[] = {
		"-s", "-window_count", "-o", "kind,reason,window_count", NULL
	};
	static const char *const hooks[] = { "-s", "name", "-o", "name,reason", NULL };
	static const char *const views[] = { "-o", "name,halted_ns,vcpu_id", NULL };

	EXPECT_TRUE(all_golden(&cmd_list, list, "list-some"));
	EXPECT_TRUE(is_golden(&cmd_list, names, "list-names", NULL));
	EXPECT_TRUE(is_golden(&cmd_list, names, "list-names", "--csv"));
	EXPECT_TRUE(is_golden(&cmd_stat, stat, "stat-sorted", NULL));
	EXPECT_TRUE(is_golden(&cmd_stat, stat, "stat-sorted", "--csv"));
	EXPECT_TRUE(all_golden(&cmd_exits, exits, "exits-sorted"));
	EXPECT_TRUE(all_golden(&cmd_hooks, hooks, "hooks-sorted"));
	EXPECT_TRUE(all_golden(&cmd_wakeups, views, "wakeups-some"));
}

static const struct cmd *const all_cmds[] = {
	&cmd_list, &cmd_stat, &cmd_top, &cmd_vcpu, &cmd_exits, &cmd_doctor, &cmd_wakeups,
	&cmd_haltpoll, &cmd_dirty, &cmd_dirty_hot, &cmd_dirty_rate, &cmd_collects, &cmd_pages,
	&cmd_huge, &cmd_predict, &cmd_rank, &cmd_statistics, &cmd_hooks, &cmd_audit, &cmd_check,
	&cmd_export, &cmd_record, &cmd_report,
};

/* These commands print no tables. */
#define NR_WITHOUT_TABLES	3

/* Each command that prints tables refuses unknown and repeated columns. */
TEST(columns_that_are_not_there_are_wrong_usage)
{
	static const char *const bad[] = {
		"-o nothing", "-o NAME", "-o name,", "-o ,name", "-o name,,name", "-o name,name",
		"-o name2", "-o names",
	};
	char words[80];
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(all_cmds) - NR_WITHOUT_TABLES; i++) {
		ASSERT_NE(NULL, all_cmds[i]->tables);
		for (j = 0; j < ARRAY_SIZE(bad); j++) {
			snprintf(words, sizeof(words), "%s%s",
				 all_cmds[i] == &cmd_dirty_hot ? "-H " :
				 all_cmds[i] == &cmd_dirty_rate ? "-R " : "", bad[j]);
			EXPECT_EQ(2, code_of(all_cmds[i], words)) {
				TH_LOG("%s %s", all_cmds[i]->name, words);
			}
		}
	}
	EXPECT_EQ(2, code_of(&cmd_list, "-s nothing"));
	EXPECT_EQ(2, code_of(&cmd_list, "-s -"));
	EXPECT_EQ(2, code_of(&cmd_wakeups, "-s name"));	/* rows come as they happen */
	EXPECT_EQ(2, code_of(&cmd_dirty, "-H -o windows"));	/* a column of --windows */
	EXPECT_EQ(2, code_of(&cmd_stat, "--json -o stat"));	/* this is no table */
	EXPECT_EQ(2, code_of(&cmd_stat, "--json -s value"));
}

/* Options that several commands have, such as -n, -s and -o, have one meaning. */
TEST(a_letter_that_commands_share_means_one_thing)
{
	static const char *const shared[] = {
		"n:count", "s:sort", "o:columns", "p:vm", "i:interval", "j:json", "c:csv", "r:raw",
		"h:help", "t:time", "S:slot", "v:vcpu", "N:noheadings",
	};
	const struct opt *const *opt;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(all_cmds); i++) {
		for (opt = all_cmds[i]->options; *opt; opt++) {
			for (j = 0; j < ARRAY_SIZE(shared); j++) {
				if (shared[j][0] != (*opt)->letter &&
				    strcmp(shared[j] + 2, (*opt)->name))
					continue;
				EXPECT_EQ(shared[j][0], (*opt)->letter);
				EXPECT_STREQ(shared[j] + 2, (*opt)->name) {
					TH_LOG("%s -%c", all_cmds[i]->name, (*opt)->letter);
				}
			}
		}
	}
}

TEST(dirty_rate_prints_what_it_always_did)
{
	static const char *const rate[] = { "--rate", NULL };

	EXPECT_TRUE(all_golden(&cmd_dirty, rate, "dirty-rate"));
}

/* --rate and --hot choose another command, however they are written. */
TEST(dirty_finds_its_mode_in_all_forms_of_its_options)
{
	static const char *const rate[][4] = {
		{ "-jR" }, { "-Rj" }, { "-j", "-R" }, { "--json", "--rat" }, { "-rjR" },
	};
	static const char *const hot[][5] = {
		{ "-jH", "-t6" }, { "-Hjt6" }, { "-jHt", "6" }, { "--ho", "-j", "-t6" },
	};
	size_t i;

	for (i = 0; i < sizeof(rate) / sizeof(*rate); i++)
		EXPECT_TRUE(is_golden_as(&cmd_dirty, rate[i], "dirty-rate.json"));
	for (i = 0; i < sizeof(hot) / sizeof(*hot); i++)
		EXPECT_TRUE(is_golden_as(&cmd_dirty, hot[i], "dirty-hot.json"));
}

/* The value of another option chooses no mode, and neither does an ambiguous abbreviation. */
TEST(dirty_takes_no_value_for_its_mode)
{
	EXPECT_EQ(1, code_of(&cmd_dirty, "-pR"));	/* there is no VM of that name */
	EXPECT_EQ(1, code_of(&cmd_dirty, "--vm -H"));
	EXPECT_EQ(1, code_of(&cmd_dirty, "-- -R"));
	EXPECT_EQ(2, code_of(&cmd_dirty, "--ra"));	/* may be --rate or --raw */
	EXPECT_EQ(2, code_of(&cmd_dirty, "--hot --rate"));
	EXPECT_EQ(2, code_of(&cmd_dirty, "-R -w"));
}

static const char *filter_of(const struct cmd *cmd, const char *words)
{
	*stream_filter = '\0';
	code_of(cmd, words);
	return stream_filter;
}

static unsigned int buffer_of(const struct cmd *cmd, const char *words)
{
	stream_spec.buffer_kb = 0;
	code_of(cmd, words);
	return stream_spec.buffer_kb;
}

TEST(the_trace_buffer_is_as_large_as_asked_for)
{
	EXPECT_EQ(1024, buffer_of(&cmd_wakeups, ""));
	EXPECT_EQ(64, buffer_of(&cmd_wakeups, "-b 64"));
	EXPECT_EQ(4096, buffer_of(&cmd_vcpu, "-x -n 2"));
	EXPECT_EQ(512, buffer_of(&cmd_vcpu, "-x -n 2 --buffer 512"));
	EXPECT_EQ(0, buffer_of(&cmd_vcpu, "-n 2"));	/* here tracing is not allowed */
}

/* The kernel's filters read 010 as 8, and refuse 08. */
TEST(numbers_go_to_the_kernel_as_decimal)
{
	EXPECT_STREQ("vcpu == 10", filter_of(&cmd_wakeups, "-v 010"));
	EXPECT_STREQ("vcpu == 8", filter_of(&cmd_dirty, "-v 08"));
	EXPECT_STREQ("vcpu == 2147483647", filter_of(&cmd_haltpoll, "-v 2147483647"));
	EXPECT_STREQ("as_id == 1 && slot == 3", filter_of(&cmd_pages, "-S 00000001:3"));
	EXPECT_STREQ("as_id == 0 && slot == 65535", filter_of(&cmd_pages, "-S 065535"));
	EXPECT_STREQ("(vm == 1) && vcpu == 7 && as_id == 1 && slot == 8",
		     filter_of(&cmd_pages, "-p id:01 -v 07 -S 01:08"));
}

/*
 * Slot numbers have 16 bits in events, vCPU numbers 31. A larger number would match another object.
 */
TEST(numbers_out_of_range_are_wrong_usage_everywhere)
{
	static const char *const vcpus[] = {
		"-v 2147483648", "-v 4294967295", "-v 4294967296", "-v -1", "-v 0x1", "-v +1",
		"-v 1x", "-v 99999999999999999999",
	};
	static const char *const slots[] = {
		"-S 65536", "-S 0:65536", "-S 65536:0", "-S 4294967296:0", "-S 1:", "-S :1",
		"-S 1:2:3", "-S -1", "-S 0x1", "-S 00000000000000065536:1",
	};
	static const char *const others[] = {
		"-i 0x10", "-i 1e1", "-i 0", "-n 0", "-n -1", "-n 18446744073709551616", "-n 0x1",
	};
	const struct cmd *const with_vcpu[] = {
		&cmd_wakeups, &cmd_haltpoll, &cmd_dirty, &cmd_pages, &cmd_vcpu, &cmd_record,
		&cmd_report,
	};
	const struct cmd *const with_slot[] = {
		&cmd_dirty, &cmd_collects, &cmd_pages, &cmd_report
	};
	const struct cmd *const repeating[] = {
		&cmd_list, &cmd_stat, &cmd_exits, &cmd_vcpu, &cmd_hooks, &cmd_audit,
	};
	char words[80];
	size_t i, j;

	for (i = 0; i < sizeof(vcpus) / sizeof(*vcpus); i++) {
		for (j = 0; j < sizeof(with_vcpu) / sizeof(*with_vcpu); j++) {
			EXPECT_EQ(2, code_of(with_vcpu[j], vcpus[i])) {
				TH_LOG("%s %s", with_vcpu[j]->name, vcpus[i]);
			}
		}
	}
	for (i = 0; i < sizeof(slots) / sizeof(*slots); i++) {
		for (j = 0; j < sizeof(with_slot) / sizeof(*with_slot); j++) {
			EXPECT_EQ(2, code_of(with_slot[j], slots[i])) {
				TH_LOG("%s %s", with_slot[j]->name, slots[i]);
			}
		}
		snprintf(words, sizeof(words), "-H %s", slots[i]);
		EXPECT_EQ(2, code_of(&cmd_dirty, words)) {
			TH_LOG("dirty %s", words);
		}
	}
	for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
		for (j = 0; j < sizeof(repeating) / sizeof(*repeating); j++) {
			EXPECT_EQ(2, code_of(repeating[j], others[i])) {
				TH_LOG("%s %s", repeating[j]->name, others[i]);
			}
		}
	}
}

static int lines_of(const struct cmd *cmd, const char *const *options)
{
	char *text = print(cmd, options, "--csv"), *at;
	int lines = 0;

	for (at = text; (at = strchr(at, '\n')); at++)
		lines++;
	free(text);
	return lines;
}

/* One heading, and one row for each interval. */
TEST(vcpu_shows_as_many_intervals_as_both_options_allow)
{
	static const char *const one[] = { "-n", "1", "-t", "3", NULL };
	static const char *const two[] = { "-n", "2", "-t", "3", NULL };
	static const char *const three[] = { "-t", "3", NULL };
	static const char *const least[] = { "-t", "3", "-n", "5", NULL };

	EXPECT_EQ(2, lines_of(&cmd_vcpu, one));
	EXPECT_EQ(3, lines_of(&cmd_vcpu, two));
	EXPECT_EQ(4, lines_of(&cmd_vcpu, three));
	EXPECT_EQ(4, lines_of(&cmd_vcpu, least));
}

/* A signal ends it at once, also with intervals below 0.05 s, between which it does not wait. */
TEST(vcpu_ends_at_the_first_signal_at_any_interval)
{
	static const char *const words[] = {
		"-x -i 0.001", "-x -i 0.049", "-x -i 0.05", "-x -i 0.051", "-x -i 1", "-x -i 86400",
		"-x -i 0.05 -n 100000",
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		reads_before_signal = 3;
		EXPECT_EQ(0, code_of(&cmd_vcpu, words[i]));
		EXPECT_GT(10, moment) {
			TH_LOG("%s went on", words[i]);
		}
	}
}

/* Numbers of the first VM are exact, though no VM existed when the command began. */
TEST(vcpu_is_exact_for_vms_that_come_later)
{
	static const char *const exact[] = { "-x", "-i1", "-n4", NULL };
	char *text, *at;
	int rows = 0;

	meanwhile = VM_BEGINS;
	reads_before_signal = 1000;
	text = print(&cmd_vcpu, exact, "--json");
	meanwhile = NOTHING;
	EXPECT_EQ(0, exit_code);
	for (at = text; (at = strstr(at, "\"vcpu_id\":")); at++)
		rows++;
	EXPECT_EQ(2, rows);
	EXPECT_EQ(NULL, strstr(text, "\"exact\":false"));
	EXPECT_NE(NULL, strstr(text, "\"on_min_ns\":1000000000,"));
	EXPECT_NE(NULL, strstr(text, "\"on_max_ns\":1000000000,"));
	free(text);
}

TEST(vcpu_does_not_wait_for_the_first_vm)
{
	meanwhile = VM_BEGINS;
	EXPECT_EQ(0, code_of(&cmd_vcpu, "-x"));
	EXPECT_EQ(0, moment);
	meanwhile = NOTHING;
}

/* A signal ends a view whose output nobody reads, such as a pager's. */
TEST(a_view_that_nobody_reads_ends_at_the_first_signal)
{
	int fds[2], status, size;
	char byte = '\n';
	pid_t pid;

	ASSERT_EQ(0, pipe(fds));
	size = fcntl(fds[1], F_GETPIPE_SZ);
	while (size--)
		ASSERT_EQ(1, write(fds[1], &byte, 1));
	pid = fork();
	if (!pid) {
		reads_before_signal = -1;
		dup2(fds[1], 1);
		_exit(cmd_wakeups.run(&cmd_wakeups, 1, (char *[]){ "wakeups", NULL }));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(1, WEXITSTATUS(status));
}

/* The error is that of the failed write, also if more was written than fits into the buffer. */
TEST(a_full_disk_is_called_that)
{
	static const char *const formats[] = { NULL, "--json", "--csv" };
	const struct cmd *const cmds[] = { &cmd_list, &cmd_stat, &cmd_exits, &cmd_wakeups };
	int full = syscall(SYS_openat, AT_FDCWD, "/dev/full", O_WRONLY), out = dup(1);
	char said[256], *argv[3] = { };
	size_t i, j;

	fflush(stdout);
	for (i = 0; i < sizeof(cmds) / sizeof(*cmds); i++) {
		for (j = 0; j < 3; j++) {
			argv[0] = (char *)cmds[i]->name;
			argv[1] = (char *)formats[j];
			complain_into(said, sizeof(said));
			dup2(full, 1);
			EXPECT_EQ(1, cmds[i]->run(cmds[i], formats[j] ? 2 : 1, argv));
			dup2(out, 1);
			__fpurge(stdout);
			clearerr(stdout);
			complain_into(NULL, 0);
			EXPECT_STREQ("standard output: No space left on device", said);
		}
	}
}

/* Options that exclude each other. */
TEST(options_that_contradict_are_wrong_usage)
{
	EXPECT_EQ(2, code_of(&cmd_vcpu, "-x -C"));
	EXPECT_EQ(2, code_of(&cmd_vcpu, "-C --exact"));
	EXPECT_EQ(2, code_of(&cmd_list, "--json --csv"));
	EXPECT_EQ(2, code_of(&cmd_list, "-p 4242-5 -p nobody"));
	EXPECT_EQ(2, code_of(&cmd_stat, "-n 1 --count 2"));
	EXPECT_EQ(2, code_of(&cmd_pages, "-S 1 -S 2"));
	EXPECT_EQ(2, code_of(&cmd_top, "--json -o name -o pid"));
	EXPECT_EQ(2, code_of(&cmd_dirty, "-H --windows --top 3"));
	EXPECT_EQ(2, code_of(&cmd_vcpu, "-C -b 512"));
	EXPECT_EQ(0, code_of(&cmd_vcpu, "-C -C"));
	EXPECT_EQ(2, code_of(&cmd_export, "-i 15"));
	EXPECT_EQ(2, code_of(&cmd_export, "--once -n 1"));
	EXPECT_EQ(2, code_of(&cmd_export, "--once --host web1"));
	EXPECT_EQ(2, code_of(&cmd_export, "-T /nowhere/file --tls-cert cert --tls-key key"));
}

static int rows_at_end(int reads)
{
	static const char *const one[] = { "-p", "4242-5", NULL };
	int lines;

	meanwhile = VM_UNLISTED;
	reads_before_signal = 1000;
	reads_before_free = reads;
	lines = lines_of(&cmd_pages, one);
	meanwhile = NOTHING;
	return lines;
}

/* A heading, a row for each read, and a row for the last events, which come with the VM's end. */
TEST(a_view_goes_on_until_its_vm_is_freed)
{
	EXPECT_EQ(1 + 5 + 1, rows_at_end(5));
	EXPECT_EQ(0, exit_code);
	EXPECT_STREQ("kvmwatch_vm_free", stream_spec.last);
	EXPECT_STREQ("(vm == 1)", stream_filter);
	EXPECT_EQ(1 + 9 + 1, rows_at_end(9));
}

/* If that event is lost, the view ends 10 s after the VM is not listed any more. */
TEST(a_view_does_not_wait_for_ever_for_its_vm_to_be_freed)
{
	EXPECT_EQ(1 + 11 + 1, rows_at_end(0));
	EXPECT_EQ(0, exit_code);
}

static int reads_until(__u64 off_at, const struct cmd *cmd)
{
	hook_off_at = off_at;
	reads_before_signal = 1000;
	code_of(cmd, "");
	hook_off_at = 0;
	return 1000 - reads_before_signal;
}

/* Events may be missing from then on. The view asks the module every two seconds. */
TEST(a_view_ends_when_a_hook_that_it_needs_is_off)
{
	EXPECT_EQ(2, reads_until(3, &cmd_wakeups));
	EXPECT_EQ(1, exit_code);
	EXPECT_EQ(10, reads_until(10, &cmd_wakeups));
	EXPECT_EQ(1, exit_code);
}

TEST(a_view_whose_hook_is_off_does_not_begin)
{
	hook_off_at = 1;
	EXPECT_EQ(1, code_of(&cmd_wakeups, "-t 5"));
	EXPECT_EQ(0, code_of(&cmd_haltpoll, "-t 5"));	/* needs other hooks */
}

/* There is a process of that pid here, but it is not the one of the event. */
TEST(a_thread_of_another_pid_namespace_has_no_name)
{
	int status;
	char *text;
	pid_t pid;

	if (unshare(CLONE_NEWPID) && unshare(CLONE_NEWUSER | CLONE_NEWPID)) {
		TH_LOG("no right to make a pid namespace: not tested");
		return;
	}
	pid = fork();
	if (!pid) {
		stream_tid = getpid();
		text = print(&cmd_wakeups, NULL, "--json");
		_exit(stream_tid == 1 && strstr(text, "\"tid\":1,\"comm\":null,") ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* The arguments for trace-cmd, which here only prints them. */
TEST(a_recording_has_the_clock_of_the_views)
{
	char dir[] = "/tmp/golden.XXXXXX", path[64], words[256] = "";
	char *argv[8] = { (char *)cmd_record.name, "-p", "4242-5", "-v", "01", "-t", "2" };
	int fds[2], status;
	pid_t pid;

	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/trace-cmd", dir);
	write_file(path, "#!/bin/sh\necho \"$@\"\n");
	ASSERT_EQ(0, chmod(path, 0755));
	ASSERT_EQ(0, pipe(fds));
	pid = fork();
	if (!pid) {
		setenv("PATH", dir, 1);
		dup2(fds[1], 1);
		_exit(chdir(dir) ? EXIT_FAILURE : cmd_record.run(&cmd_record, 7, argv));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_LT(0, read(fds[0], words, sizeof(words) - 1));
	EXPECT_TRUE(strstr(words, "record -B kvmwatch-record-"));
	EXPECT_TRUE(strstr(words, " -C mono -e kvmwatch -o trace.dat."));
	EXPECT_TRUE(strstr(words, " -f (vm == 1) && vcpu == 1 sleep 2.000\n"));
	unlink(path);
	snprintf(path, sizeof(path), "%s/trace.dat", dir);
	unlink(path);
	EXPECT_EQ(0, rmdir(dir));
}

TEST(an_empty_value_is_wrong_usage)
{
	static const char *const file[] = { "-O", "", NULL };
	static const char *const json[] = { "--json", "-o", "", NULL };
	static const char *const vm[] = { "-p", "", NULL };

	free(print(&cmd_top, json, NULL));
	EXPECT_EQ(2, exit_code);
	free(print(&cmd_record, file, NULL));
	EXPECT_EQ(2, exit_code);
	free(print(&cmd_list, vm, NULL));
	EXPECT_EQ(2, exit_code);
}

/* Does the output of a command contain these strings, with the VM logged in this way? */
static int print_has(int how, const struct cmd *cmd, const char *const *options,
		     const char *format, const char *const *strings)
{
	char *text;
	int ok = 1;

	logging = how;
	text = print(cmd, options, format);
	logging = PART;
	for (; *strings; strings++) {
		if (strstr(text, *strings))
			continue;
		printf("# there is no %s in\n%s", *strings, text);
		ok = 0;
	}
	free(text);
	return ok;
}

#define PRINTS(how, cmd, options, format, ...)					\
	print_has(how, &cmd_##cmd, options, format, (const char *const []){ __VA_ARGS__, NULL })

static const char *const rate_options[] = { "--rate", NULL };

TEST(list_says_how_much_is_logged_and_what_a_rate_covers)
{
	EXPECT_TRUE(PRINTS(PART, list, NULL, NULL, "256 KiB of 368 KiB ",
			   "2.00 MiB/s over 1 s, in 256 KiB\n"));
	EXPECT_TRUE(PRINTS(PART, list, NULL, "--json", "\"dirty_logging\":\"part\"",
			   "\"dirty_logged_bytes\":262144", "\"dirty_ring\":false"));
	EXPECT_TRUE(PRINTS(ALL, list, NULL, NULL, " on ", "2.00 MiB/s over 1 s\n"));
	EXPECT_TRUE(PRINTS(ALL, list, NULL, "--json", "\"dirty_logging\":\"all\"",
			   "\"dirty_logged_bytes\":376832"));
	EXPECT_TRUE(PRINTS(OFF, list, NULL, NULL, " off ", "unknown: dirty logging is off\n"));
	EXPECT_TRUE(PRINTS(OFF, list, NULL, "--json", "\"dirty_logging\":\"off\"",
			   "\"dirty_logged_bytes\":0", "\"dirty_pages_per_second\":null",
			   "\"dirty_marks_per_second\":null"));
	EXPECT_TRUE(PRINTS(SMM, list, NULL, NULL, "only SMM's"));
}

TEST(list_has_a_rate_of_marks_with_dirty_rings)
{
	EXPECT_TRUE(PRINTS(RING, list, NULL, NULL, "256 KiB of 368 KiB (ring)",
			   "640 marks/s over 1 s, in 256 KiB\n"));
	EXPECT_TRUE(PRINTS(RING, list, NULL, "--json", "\"dirty_ring\":true",
			   "\"dirty_pages\":null", "\"dirty_marks\":640",
			   "\"dirty_pages_per_second\":null", "\"dirty_marks_per_second\":640,"));
}

/*
 * As when a migration begins: the marks of the interval are in more memory than was logged before.
 */
TEST(what_is_logged_since_a_moment_ago_has_no_rate)
{
	EXPECT_TRUE(PRINTS(GROWS, list, NULL, NULL,
			   "unknown: what is logged has just changed\n"));
	EXPECT_TRUE(PRINTS(GROWS, top, NULL, "--json", "\"dirty_pages_per_second\":null",
			   "\"dirty_marks_per_second\":null"));
	EXPECT_TRUE(PRINTS(GROWS, dirty, rate_options, "--csv",
			   "\n1,4242-5,vm,,,,1000000000,640,512,,,,266240,what is logged has "));
}

/*
 * A slot that is deleted and created again with the same number does not continue the old counts.
 */
TEST(a_slot_made_again_has_no_growth_against_the_old_one)
{
	char *text;

	slots_are_made_again = true;
	text = print(&cmd_dirty, rate_options, "--csv");
	slots_are_made_again = false;
	EXPECT_NE(NULL, strstr(text, "\n1,4242-5,slot,0,0,"));
	EXPECT_EQ(NULL, strstr(text, "\n1,4242-5,slot,0,1,")) TH_LOG("%s", text);
	free(text);
	text = print(&cmd_dirty, rate_options, "--csv");
	EXPECT_NE(NULL, strstr(text, "\n1,4242-5,slot,0,1,"));
	free(text);
}

/* The module may be loaded again while top runs, and ids begin again at 1. */
TEST(nothing_has_grown_since_before_the_module_was_loaded_again)
{
	char *text;

	module_is_new = true;
	text = print(&cmd_top, NULL, "--json");
	module_is_new = false;
	EXPECT_NE(NULL, strstr(text, "\"window_ns\":0,"));
	EXPECT_NE(NULL, strstr(text, "\"cpu_share\":null")) TH_LOG("%s", text);
	free(text);
}

TEST(top_has_no_rate_of_pages_with_dirty_rings)
{
	EXPECT_TRUE(PRINTS(RING, top, NULL, "--json", "\"dirty_pages_per_second\":null",
			   "\"dirty_logged_bytes\":262144,\"dirty_marks_per_second\":640"));
	EXPECT_TRUE(PRINTS(OFF, top, NULL, "--json", "\"dirty_pages_per_second\":null",
			   "\"dirty_logged_bytes\":0,\"dirty_marks_per_second\":null"));
}

/* The cell of the VM in column DIRTY of the screen; the caller frees it. */
static char *dirty_cell(int how)
{
	struct selection selection = { };
	const struct top_column *columns;
	struct sample before, now;
	struct top_row *rows;
	char *text = NULL;
	size_t nr, i;

	logging = how;
	moment = 0;
	if (sample_take(0, &selection, KVMWATCH_KIND_VM, KVMWATCH_OPEN_NO_HISTOGRAMS, &before))
		return NULL;
	moment = 1;
	if (sample_take(0, &selection, KVMWATCH_KIND_VM, KVMWATCH_OPEN_NO_HISTOGRAMS, &now))
		return NULL;
	logging = PART;
	rows = top_rows(TOP_VMS, &now, &before, 0, &nr);
	columns = top_columns(TOP_VMS, &nr);
	for (i = 0; i < nr; i++) {
		if (!strcmp(columns[i].column.heading, "DIRTY"))
			text = strdup(rows[0].cells[i].text);
	}
	free(rows);
	sample_free(&before);
	sample_free(&now);
	selection_free(&selection);
	return text;
}

#define EXPECT_DIRTY_CELL(text, how) do {	\
	char *cell = dirty_cell(how);		\
						\
	EXPECT_STREQ(text, cell);		\
	free(cell);				\
} while (0)

TEST(top_s_screen_says_what_a_rate_covers)
{
	EXPECT_DIRTY_CELL("2.00 MiB/s (69%)", PART);
	EXPECT_DIRTY_CELL("2.00 MiB/s", ALL);
	EXPECT_DIRTY_CELL("640 marks/s (69%)", RING);
	EXPECT_DIRTY_CELL("2.00 MiB/s (<1%)", SMM);
	EXPECT_DIRTY_CELL("log off", OFF);
	EXPECT_DIRTY_CELL("-", GROWS);
}

TEST(dirty_rate_says_what_it_covers)
{
	EXPECT_TRUE(PRINTS(PART, dirty, rate_options, NULL, " 256 KiB of 368 KiB\n"));
	EXPECT_TRUE(PRINTS(ALL, dirty, rate_options, NULL,
			   " VM         640 512     512   2.00 MiB     640 on\n"));
	EXPECT_TRUE(PRINTS(RING, dirty, rate_options, "--csv",
			   "\n1,4242-5,vm,,,,1000000000,640,,,,640,262144,,"));
	EXPECT_TRUE(PRINTS(OFF, dirty, rate_options, "--csv",
			   "\n1,4242-5,vcpu,,,0,1000000000,640,,,,,0,dirty logging is off,"));
}

TEST(a_vm_may_be_given_without_its_option)
{
	EXPECT_EQ(0, code_of(&cmd_stat, "4242-5"));
	EXPECT_EQ(0, code_of(&cmd_list, "--json 4242-5"));
	EXPECT_EQ(0, code_of(&cmd_list, "id:1 --csv"));
	EXPECT_EQ(0, code_of(&cmd_exits, "-- 1"));
	EXPECT_EQ(0, code_of(&cmd_wakeups, "-t 5 1"));
	EXPECT_EQ(1, code_of(&cmd_stat, "web1"));
	EXPECT_EQ(1, code_of(&cmd_stat, "-- --json"));
	EXPECT_EQ(2, code_of(&cmd_stat, "4242-5 4242-5"));
	EXPECT_EQ(2, code_of(&cmd_stat, "-p 4242-5 4242-5"));
	EXPECT_EQ(2, code_of(&cmd_stat, "uuid:web1"));
	EXPECT_EQ(2, code_of(&cmd_hooks, "4242-5"));
}

TEST(a_vm_that_is_not_there_is_refused)
{
	static const char *const nobody[] = { "-p", "nobody", NULL };
	const struct cmd *const cmds[] = {
		&cmd_list, &cmd_stat, &cmd_doctor, &cmd_exits, &cmd_vcpu, &cmd_wakeups, &cmd_huge,
		&cmd_record
	};
	char *text;
	size_t i;

	for (i = 0; i < sizeof(cmds) / sizeof(*cmds); i++) {
		text = print(cmds[i], nobody, NULL);
		EXPECT_STREQ("exit code", text);
		free(text);
	}
	text = print(&cmd_top, nobody, "--json");
	EXPECT_STREQ("exit code", text);
	free(text);
}

/* Play a trace-cmd that writes to the file of its -o, and exits with @code. */
static void play_trace_cmd(const char *dir, int code)
{
	char path[64], script[256];

	snprintf(path, sizeof(path), "%s/trace-cmd", dir);
	snprintf(script, sizeof(script),
		 "#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\necho new >\"$2\"\nexit %d\n",
		 code);
	write_file(path, script);
	chmod(path, 0755);
}

static bool comes_to_be(const char *path, const char *text)
{
	char *found;
	bool same;
	int i;

	for (i = 0; i < 3000; i++) {
		found = read_file(path);
		same = !strcmp(found, text);
		free(found);
		if (same)
			return true;
		poll(NULL, 0, 10);
	}
	return false;
}

/* A signal may reach record alone. Its child trace-cmd completes the file only after SIGINT. */
TEST(record_ends_by_a_signal_with_a_whole_file)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	char dir[] = "/tmp/record.XXXXXX", path[64], program[64], begun[64];
	int status;
	size_t i;
	pid_t pid;

	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(begun, sizeof(begun), "%s/begun", dir);
	snprintf(program, sizeof(program), "%s/trace-cmd", dir);
	write_file(program,
		   "#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\n"
		   "trap 'echo whole >\"$2\"; exit 0' INT\ntrap 'exit 1' TERM HUP\n"
		   "echo begun >\"${0%/*}/begun\"\nwhile :; do /bin/sleep 0.01; done\n");
	chmod(program, 0755);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		write_file(path, "old");
		write_file(begun, "");
		pid = fork();
		if (!pid) {
			setenv("PATH", dir, 1);
			_exit(cmd_record.run(&cmd_record, 3,
					     (char *[]){ "record", "-O", path, NULL }));
		}
		EXPECT_TRUE(comes_to_be(begun, "begun\n"));
		EXPECT_TRUE(comes_to_be(path, "old"));
		kill(pid, signals[i]);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_TRUE(comes_to_be(path, "whole\n"));
	}
	unlink(path);
	unlink(begun);
	unlink(program);
	EXPECT_EQ(0, rmdir(dir));	/* fails if any file is left */
}

TEST(record_keeps_the_old_file_until_the_new_one_is_whole)
{
	char dir[] = "/tmp/record.XXXXXX", path[64], *old_path = strdup(getenv("PATH"));
	const char *const options[] = { "-O", path, NULL };
	char *text;

	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	write_file(path, "old");
	setenv("PATH", dir, 1);
	text = print(&cmd_record, options, NULL);	/* without trace-cmd */
	EXPECT_STREQ("exit code", text);
	free(text);
	text = read_file(path);
	EXPECT_STREQ("old", text);
	free(text);

	play_trace_cmd(dir, 7);
	text = print(&cmd_record, options, NULL);
	EXPECT_STREQ("exit code", text);
	free(text);
	text = read_file(path);
	EXPECT_STREQ("old", text);
	free(text);

	play_trace_cmd(dir, 0);
	text = print(&cmd_record, options, NULL);
	EXPECT_STREQ("", text);
	free(text);
	text = read_file(path);
	EXPECT_STREQ("new\n", text);
	free(text);

	/* A path that is no regular file is not replaced. */
	ASSERT_EQ(0, unlink(path));
	ASSERT_EQ(0, symlink("/tmp/record-target", path));
	text = print(&cmd_record, options, NULL);
	EXPECT_STREQ("exit code", text);
	free(text);
	EXPECT_EQ(-1, access("/tmp/record-target", F_OK));
	setenv("PATH", old_path, 1);
	free(old_path);
	unlink(path);
	snprintf(path, sizeof(path), "%s/trace-cmd", dir);
	unlink(path);
	EXPECT_EQ(0, rmdir(dir));	/* fails if any file is left */
}

static char *print_text(const struct cmd *cmd)
{
	return print(cmd, NULL, NULL);
}

/* An object that ends between listing and reading is left out. */
TEST(vms_that_end_are_not_shown)
{
	const struct cmd *const cmds[] = { &cmd_list, &cmd_stat, &cmd_exits };
	char *text;
	size_t i;

	for (i = 0; i < sizeof(cmds) / sizeof(*cmds); i++) {
		meanwhile = VM_ENDS;
		text = print_text(cmds[i]);
		meanwhile = NOTHING;
		EXPECT_STRNE("exit code", text);
		EXPECT_EQ(NULL, strstr(text, "4242-5"));
		free(text);
		text = print_text(cmds[i]);
		EXPECT_NE(NULL, strstr(text, "4242-5"));
		free(text);
	}
}

/* An object that was not listed yet is left out, too. */
TEST(objects_that_come_are_not_shown)
{
	const struct cmd *const cmds[] = { &cmd_list, &cmd_stat, &cmd_exits };
	char *with, *without;
	size_t i;

	for (i = 0; i < sizeof(cmds) / sizeof(*cmds); i++) {
		without = print_text(cmds[i]);
		meanwhile = OBJECTS_COME;
		with = print_text(cmds[i]);
		meanwhile = NOTHING;
		EXPECT_STREQ(without, with);
		free(with);
		free(without);
	}
}

TEST_HARNESS_MAIN
