// SPDX-License-Identifier: GPL-2.0
/* kvmwatch as tests see it. See watch.h. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "watch.h"

#define UNAVAILABLE	(~0ULL)

/* --- files ------------------------------------------------------------------- */

/* Read a whole file of unknown size. NULL: it does not exist, or cannot be read. */
static char *read_file(const char *path)
{
	size_t len = 0, room = 0;
	char *text = NULL, *more;
	ssize_t got = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	do {
		if (room - len < 65536) {
			room = 2 * room + 131072;
			more = realloc(text, room);
			if (!more)
				break;
			text = more;
		}
		got = read(fd, text + len, room - len - 1);
		len += got > 0 ? got : 0;
	} while (got > 0);
	close(fd);
	if (got < 0) {
		free(text);
		return NULL;
	}
	if (text)
		text[len] = '\0';
	return text;
}

/* --- waiting ----------------------------------------------------------------- */

struct watch_limit watch_limit(void)
{
	long long now = clock_ns(CLOCK_MONOTONIC);

	return (struct watch_limit) { .end_ns = now + 5000000000LL * patience() };
}

bool watch_goes_on(struct watch_limit *limit)
{
	usleep(1000);
	return ++limit->looks < 1000 || (long long)clock_ns(CLOCK_MONOTONIC) < limit->end_ns;
}

/* --- the module ------------------------------------------------------------ */

int watch_load(const char *args)
{
	int fd, err = 0;

	if (!args)
		args = getenv("MODARGS") ?: "";
	fd = open(machine_module(), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, args, 0))
		err = -errno;
	close(fd);
	return err;
}

int watch_unload(void)
{
	return syscall(SYS_delete_module, "kvmwatch", O_NONBLOCK) ? -errno : 0;
}

int watch_unload_patiently(void)
{
	int err = -EBUSY, i;

	for (i = 0; i < 10000 * (int)patience(); i++) {
		err = watch_unload();
		if (err != -EAGAIN && err != -EBUSY)
			return err;
		usleep(1000);
	}
	return err;
}

static bool file_says_memory(const char *path)
{
	char line[256] = "";
	FILE *f = fopen(path, "re");

	if (f && !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f)
		fclose(f);
	return strstr(line, "memory");
}

/*
 * Uses cgroup2, as newer kernels list only cgroup v1 controllers in /proc/cgroups. The test VM has
 * not mounted cgroup2. On another machine, mounting it again would reset its options for everybody.
 */
static bool has_memory_cgroups(void)
{
	char dir[] = "/tmp/cgroups.XXXXXX", path[64];
	bool has;

	if (!machine_is_vm())
		return !access("/sys/fs/cgroup/memory", F_OK) ||
		       file_says_memory("/sys/fs/cgroup/cgroup.controllers") ||
		       file_says_memory("/sys/fs/cgroup/unified/cgroup.controllers");
	if (!mkdtemp(dir))
		return false;
	snprintf(path, sizeof(path), "%s/cgroup.controllers", dir);
	has = !mount("none", dir, "cgroup2", 0, NULL) && file_says_memory(path);
	umount(dir);
	rmdir(dir);
	return has;
}

bool watch_finds_owners(void)
{
	static int known = -1;

	if (known < 0)
		known = has_memory_cgroups();
	return known;
}

int watch_refs(void)
{
	FILE *f = fopen("/sys/module/kvmwatch/refcnt", "re");
	int refs = -ENOENT;

	if (f) {
		if (fscanf(f, "%d", &refs) != 1)
			refs = -EPROTO;
		fclose(f);
	}
	return refs;
}

/*
 * Is this a slab cache that kvmwatch's memory may be in? Caches of processes, address spaces and
 * files change by tens of KB as other programs run.
 */
static int is_ours(const char *cache)
{
	return !strncmp(cache, "kmalloc", 7) || !strncmp(cache, "debugfs", 7) ||
	       !strncmp(cache, "pid", 3) || !strcmp(cache, "dentry");
}

/*
 * Objects in a CPU's own slabs all count as in use, so make CPUs give them back, after dropping the
 * file systems' caches.
 */
static long long slab_now(void)
{
	unsigned long objects, size;
	long long bytes = 0;
	char line[512], name[64];
	glob_t caches;
	size_t i;
	FILE *f;

	if (machine_is_ours()) {
		machine_do("/proc/sys/vm/drop_caches", "2");
		if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &caches))
			return -ENOENT;
		for (i = 0; i < caches.gl_pathc; i++)
			machine_do(caches.gl_pathv[i], "1");
		globfree(&caches);
	}

	f = fopen("/proc/slabinfo", "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %lu %*u %lu", name, &objects, &size) == 3 && is_ours(name))
			bytes += (long long)objects * size;
	fclose(f);
	return bytes;
}

static int list_all(unsigned int kind, __u64 vm, void **items, size_t size);

/* Number of records of other users' VMs, which stay. */
static int records_of_others(void)
{
	struct kvmwatch_vm *vms;
	int nr = list_all(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms)), i, records = 0;

	for (i = 0; i < nr; i++)
		if (machine_is_others_vm(vms[i].name))
			records += 1 + vms[i].vcpus + vms[i].slots;
	free(vms);
	return records;
}

int watch_records(void)
{
	char *hooks = watch_debugfs_table("hooks"), *line;
	int nr[3], ready[3], all = -EIO;

	line = hooks ? strstr(hooks, "# records") : NULL;
	line = line ? strchr(line, ':') : NULL;
	if (line && sscanf(line, ": VM %d (%d), vCPU %d (%d), slot %d (%d)", &nr[0], &ready[0],
			   &nr[1], &ready[1], &nr[2], &ready[2]) == 6)
		all = nr[0] - ready[0] + nr[1] - ready[1] + nr[2] - ready[2];
	free(hooks);
	return all < 0 ? all : all - records_of_others();
}

/*
 * RCU and work items free their objects after some time; leaked objects stay. On a busy machine
 * that takes long, so look until several looks in a row find no less.
 */
long long watch_slab(void)
{
	long long least = slab_now(), now;
	int i, looks;

	for (i = 0, looks = 0; i < 4 && looks < 100; i++, looks++) {
		usleep(200000);
		now = slab_now();
		if (now < least) {
			least = now;
			i = -1;
		}
	}
	return least;
}

long long watch_percpu(void)
{
	char *text = read_file("/proc/meminfo"), *line = text ? strstr(text, "\nPercpu:") : NULL;
	long long kib = -ENOENT;

	if (line)
		sscanf(line, "\nPercpu: %lld", &kib);
	free(text);
	return kib < 0 ? kib : kib * 1024;
}

/* --- stats fds --------------------------------------------------------------- */

int watch_device(void)
{
	int fd = open("/dev/kvmwatch", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int watch_wait_ended(int fd)
{
	struct kvmwatch_map *map = mmap(NULL, GUEST_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	bool ended;

	if (map == MAP_FAILED)
		return -errno;
	ended = WATCH_EVENTUALLY(__atomic_load_n(&map->flags, __ATOMIC_ACQUIRE) &
				 KVMWATCH_MAP_ENDED);
	munmap(map, GUEST_PAGE);
	return ended ? 0 : -ETIMEDOUT;
}

static int open_stats(struct kvmwatch_open *arg)
{
	int dev = watch_device(), fd;

	if (dev < 0)
		return dev;
	arg->size = sizeof(*arg);
	fd = ioctl(dev, KVMWATCH_OPEN, arg);
	if (fd < 0)
		fd = -errno;
	close(dev);
	return fd;
}

int watch_vm(struct guest *g)
{
	struct kvmwatch_open arg = {
		.kind = KVMWATCH_KIND_VM, .flags = KVMWATCH_OPEN_BY_FD, .fd = guest_vm_fd(g),
	};

	return open_stats(&arg);
}

int watch_vcpu(struct guest *g, unsigned int vcpu)
{
	struct kvmwatch_open arg = {
		.kind = KVMWATCH_KIND_VCPU, .flags = KVMWATCH_OPEN_BY_FD,
		.fd = guest_vcpu_fd(g, vcpu),
	};

	return open_stats(&arg);
}

int watch_slot(struct guest *g, unsigned int as_id, unsigned int slot)
{
	struct kvmwatch_open arg = {
		.kind = KVMWATCH_KIND_SLOT, .flags = KVMWATCH_OPEN_BY_FD,
		.fd = guest_vm_fd(g), .as_id = as_id, .slot = slot,
	};

	return open_stats(&arg);
}

static __u64 read_and_close(int fd, const char *name)
{
	__u64 value = UNAVAILABLE;

	if (fd < 0)
		return UNAVAILABLE;
	if (oracle_read(fd, name, &value))
		value = UNAVAILABLE;
	close(fd);
	return value;
}

__u64 watch_vm_stat(struct guest *g, const char *name)
{
	return read_and_close(watch_vm(g), name);
}

__u64 watch_vcpu_stat(struct guest *g, unsigned int vcpu, const char *name)
{
	return read_and_close(watch_vcpu(g, vcpu), name);
}

__u64 watch_slot_stat(struct guest *g, unsigned int slot, const char *name)
{
	return read_and_close(watch_slot(g, slot >> 16, slot & 0xffff), name);
}

__u64 watch_slots_sum(struct guest *g, const char *name)
{
	struct kvmwatch_slot *slots;
	struct kvmwatch_vm vm;
	__u64 sum = 0, value;
	int nr, i;

	if (watch_find(g, &vm))
		return UNAVAILABLE;
	nr = watch_list(KVMWATCH_KIND_SLOT, vm.id, (void **)&slots, sizeof(*slots));
	if (nr < 0)
		return UNAVAILABLE;
	for (i = 0; i < nr; i++) {
		value = read_and_close(watch_slot(g, slots[i].as_id, slots[i].id), name);
		if (value == UNAVAILABLE) {
			sum = UNAVAILABLE;
			break;
		}
		sum += value;
	}
	free(slots);
	return sum;
}

int watch_audit(struct guest *g, struct kvmwatch_audit *answer)
{
	struct kvmwatch_audit arg = { .size = sizeof(arg) };
	struct kvmwatch_vm vm;
	int dev, err;

	if (watch_find(g, &vm))
		return -ENOENT;
	dev = watch_device();
	if (dev < 0)
		return dev;
	arg.vm = vm.id;
	err = ioctl(dev, KVMWATCH_AUDIT, &arg) ? -errno : 0;
	close(dev);
	if (answer)
		*answer = arg;
	return err ? err : (int)arg.agrees;
}

int watch_mapped_is_kvms(struct guest *g)
{
	static const char *const names[3][2] = {
		{ "mapped_4k", "pages_4k" },
		{ "mapped_2m", "pages_2m" },
		{ "mapped_1g", "pages_1g" },
	};
	__u64 kvms, ours;
	struct oracle kvm;
	int i, err;

	if (oracle_of_vm(&kvm, g))
		return 0;
	for (i = 0; i < 3; i++) {
		ours = watch_vm_stat(g, names[i][0]);
		err = oracle_number(&kvm, names[i][1], &kvms);
		if (ours == UNAVAILABLE || watch_slots_sum(g, names[i][0]) != ours)
			break;
		if (err == -EOPNOTSUPP ? watch_audit(g, NULL) != 1 : err || ours != kvms)
			break;
	}
	oracle_close(&kvm);
	return i == 3;
}

/* --- lists ------------------------------------------------------------------- */

static int list_all(unsigned int kind, __u64 vm, void **items, size_t size)
{
	struct kvmwatch_list list = {
		.size = sizeof(list), .kind = kind, .vm = vm, .item_size = size,
	};
	unsigned int room = 16;
	int dev = watch_device(), err;

	*items = NULL;
	if (dev < 0)
		return dev;
	for (;;) {
		free(*items);
		*items = calloc(room, size);
		if (!*items) {
			err = -ENOMEM;
			break;
		}
		list.items = (unsigned long)*items;
		list.nr = room;
		err = ioctl(dev, KVMWATCH_LIST, &list) ? -errno : 0;
		if (err || list.nr <= room)
			break;
		room = list.nr + 16;
	}
	close(dev);
	if (err) {
		free(*items);
		*items = NULL;
	}
	return err ?: (int)list.nr;
}

/* The id of the VM that the item is about. */
static __u64 vm_of(unsigned int kind, const void *item)
{
	switch (kind) {
	case KVMWATCH_KIND_VM:
		return ((const struct kvmwatch_vm *)item)->id;
	case KVMWATCH_KIND_VCPU:
		return ((const struct kvmwatch_vcpu *)item)->vm;
	case KVMWATCH_KIND_SLOT:
		return ((const struct kvmwatch_slot *)item)->vm;
	}
	return 0;
}

/* Remove the items of one VM. Returns how many are left. */
static int without_vm(unsigned int kind, __u64 vm, char *items, int nr, size_t size)
{
	int i, left = 0;

	for (i = 0; i < nr; i++) {
		if (vm_of(kind, items + i * size) == vm)
			continue;
		memmove(items + left * size, items + i * size, size);
		left++;
	}
	return left;
}

int watch_list(unsigned int kind, __u64 vm, void **items, size_t size)
{
	int nr = list_all(kind, vm, items, size), nr_vms, i;
	struct kvmwatch_vm *vms;

	if (nr <= 0 || machine_is_quiet())
		return nr;
	nr_vms = list_all(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms));
	for (i = 0; i < nr_vms; i++)
		if (machine_is_others_vm(vms[i].name))
			nr = without_vm(kind, vms[i].id, *items, nr, size);
	free(vms);
	return nr;
}

int watch_find(struct guest *g, struct kvmwatch_vm *vm)
{
	struct kvmwatch_vm *vms;
	int nr, i, err = -ENOENT;

	nr = watch_list(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms));
	if (nr < 0)
		return nr;
	for (i = 0; i < nr; i++) {
		if (!strcmp(vms[i].name, guest_name(g))) {
			*vm = vms[i];
			err = 0;
		}
	}
	free(vms);
	return err;
}

static bool is_collection(const struct kvmwatch_hook *hook)
{
	return !strcmp(hook->name, "log_get") || !strcmp(hook->name, "log_clear");
}

static bool is_mark(const struct kvmwatch_hook *hook)
{
	return !strcmp(hook->name, "dirty_mark");
}

static bool is_built_by_clang(void)
{
	char *version = read_file("/proc/version");
	bool is = version && strstr(version, "clang version");

	free(version);
	return is;
}

int watch_hook_may_miss(const struct kvmwatch_hook *hook)
{
	int kvm, rings;

	if (strstr(hook->reason, "not asked for"))
		return 1;
	/* Functions that are in their callers: nobody sees them, or others see all that they do. */
	if (is_collection(hook) && strstr(hook->why, "kvm.ko has no function"))
		return is_built_by_clang();
	if (is_mark(hook) && strstr(hook->why, "as if it were mark_page_dirty_in_slot"))
		return is_built_by_clang();
	if (!strcmp(hook->name, "rmap_zap_all") && strstr(hook->why, "its loop calls"))
		return !sys_has_function("kvm_zap_all_rmap_sptes");
	if (strncmp(hook->name, "ring_", 5))
		return 0;
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	rings = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING);
	close(kvm);
	return !rings;
}

static bool is_hidden(bool (*is_it)(const struct kvmwatch_hook *hook))
{
	struct kvmwatch_hook *hooks;
	int nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks)), i;
	bool hidden = false;

	for (i = 0; i < nr; i++)
		hidden |= is_it(&hooks[i]) && watch_hook_may_miss(&hooks[i]);
	if (nr >= 0)
		free(hooks);
	return hidden;
}

bool watch_collects_are_hidden(void)
{
	return is_hidden(is_collection);
}

bool watch_marks_are_hidden(void)
{
	return is_hidden(is_mark);
}

/* --- debugfs ----------------------------------------------------------------- */

int watch_debugfs(struct guest *g, const char *file, __u64 *value)
{
	char path[256], *text = NULL, *end;
	int i, err = 0;

	snprintf(path, sizeof(path), WATCH_DEBUGFS "/vm/%s/%s", guest_name(g), file);
	for (i = 0; i < 5000 * (int)patience() && !text; i++) {
		text = read_file(path);
		if (!text)
			usleep(1000);
	}
	if (!text)
		return -ENOENT;
	*value = strtoull(text, &end, 10);
	if (end == text)
		err = -ENODATA;
	free(text);
	return err;
}

/* Is this row of a table, "ID NAME ...", about another user's VM? */
static bool is_others_row(const char *row)
{
	char name[64];

	return sscanf(row, "%*u %63s", name) == 1 && machine_is_others_vm(name);
}

char *watch_debugfs_table(const char *file)
{
	char path[256], *text, *row, *end;

	snprintf(path, sizeof(path), WATCH_DEBUGFS "/%s", file);
	text = read_file(path);
	for (row = text; row && *row; ) {
		end = strchrnul(row, '\n');
		if (is_others_row(row))
			memmove(row, *end ? end + 1 : end, strlen(*end ? end + 1 : end) + 1);
		else
			row = *end ? end + 1 : end;
	}
	return text;
}

void watch_read_tree(const char *path,
		     void (*fn)(const char *path, const char *text, ssize_t got))
{
	DIR *dir = opendir(path);
	char below[PATH_MAX], text[8192];
	struct dirent *entry;
	int fd;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR) {
			watch_read_tree(below, fn);
			continue;
		}
		fd = open(below, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		fn(below, text, read(fd, text, sizeof(text)));
		close(fd);
	}
	if (dir)
		closedir(dir);
}

/* --- trace events ------------------------------------------------------------ */

#define INSTANCE	WATCH_TRACEFS "/instances/kvmwatch-test"

static char *trace;

/* The trace instance is private to the test, so this changes nothing for others. */
static int instance_put(const char *file, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	return sys_put(path, value);
}

/* Empty an existing instance instead of creating one: some kernels take seconds for its buffers. */
static int make_instance(void)
{
	int err;

	if (!mkdir(INSTANCE, 0700))
		return instance_put("buffer_size_kb", "16384");
	if (errno != EEXIST)
		return -errno;
	err = watch_trace_pause();
	return err ?: instance_put("trace", "");
}

#define FILTER_SIZE	2048

/* Add to a filter that a field must not have this number. "0" is an empty filter. */
static void exclude(char *filter, const char *field, __u64 number)
{
	size_t len = strcmp(filter, "0") ? strlen(filter) : 0;

	snprintf(filter + len, FILTER_SIZE - len, "%s%s != %llu", len ? " && " : "", field, number);
}

static void exclude_threads(char *filter, __u64 vm)
{
	struct kvmwatch_vcpu *vcpus;
	int nr = list_all(KVMWATCH_KIND_VCPU, vm, (void **)&vcpus, sizeof(*vcpus)), i;

	for (i = 0; i < nr; i++)
		exclude(filter, "common_pid", vcpus[i].tid);
	free(vcpus);
}

/* Exclude other users' VMs from an event or a system. KVM's events are selected by thread. */
static int leave_out_others(const char *event)
{
	bool ours = !strncmp(event, "kvmwatch", 8);
	char filter[FILTER_SIZE] = "0", file[128];
	struct kvmwatch_vm *vms;
	int nr, i;

	if (machine_is_quiet())
		return 0;
	nr = list_all(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms));
	for (i = 0; i < nr; i++) {
		if (!machine_is_others_vm(vms[i].name))
			continue;
		if (ours)
			exclude(filter, "vm", vms[i].id);
		else
			exclude_threads(filter, vms[i].id);
	}
	free(vms);
	snprintf(file, sizeof(file), "events/%s/filter", event);
	return instance_put(file, filter);
}

int watch_trace_start(void)
{
	int err = make_instance();

	err = err ?: leave_out_others("kvmwatch");
	return err ?: instance_put("events/kvmwatch/enable", "1");
}

int watch_trace_also(const char *event)
{
	char file[128];
	int err = leave_out_others(event);

	snprintf(file, sizeof(file), "events/%s/enable", event);
	return err ?: instance_put(file, "1");
}

int watch_trace_clock(const char *clock)
{
	return instance_put("trace_clock", clock);
}

int watch_trace_pause(void)
{
	return instance_put("events/enable", "0");
}

int watch_trace_stop(void)
{
	int err = watch_trace_pause();

	if (err)
		return err;
	free(trace);
	trace = read_file(INSTANCE "/trace");
	return trace ? 0 : -errno;
}

const char *watch_trace_text(void)
{
	return trace;
}

static int line_has(const char *line, size_t len, const char *wanted)
{
	return !!memmem(line, len, wanted, strlen(wanted));
}

/* The number behind "field " in a line; 0 if the line has no such field. */
static long long field_of(const char *line, size_t len, const char *field)
{
	char wanted[64];
	const char *at;

	snprintf(wanted, sizeof(wanted), " %s ", field);
	at = memmem(line, len, wanted, strlen(wanted));
	return at ? strtoll(at + strlen(wanted), NULL, 0) : 0;
}

static long long over_lines(const char *field, const char *first, va_list args)
{
	const char *line, *end, *wanted;
	long long sum = 0;
	va_list rest;
	int all;

	for (line = trace; line && *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		if (*line == '#')
			continue;
		all = 1;
		va_copy(rest, args);
		for (wanted = first; wanted && all; wanted = va_arg(rest, const char *))
			all = line_has(line, end - line, wanted);
		va_end(rest);
		if (all)
			sum += field ? field_of(line, end - line, field) : 1;
	}
	return sum;
}

long watch_trace_count(const char *first, ...)
{
	long long count;
	va_list args;

	va_start(args, first);
	count = over_lines(NULL, first, args);
	va_end(args);
	return count;
}

long long watch_trace_sum(const char *field, const char *first, ...)
{
	long long sum;
	va_list args;

	va_start(args, first);
	sum = over_lines(field, first, args);
	va_end(args);
	return sum;
}

bool watch_trace_is_sum(__u64 ns, long long sum, long events)
{
	long long above = (long long)ns - sum;

	return above >= -1 && above <= events + 1;
}

/* "# entries-in-buffer/entries-written: 12/34" */
long watch_trace_lost(void)
{
	unsigned long kept, written;
	const char *at = trace ? strstr(trace, "entries-written:") : NULL;

	if (!at || sscanf(at, "entries-written: %lu/%lu", &kept, &written) != 2)
		return -EPROTO;
	return written - kept;
}

bool watch_is_viewed(const char *event)
{
	char path[128], on = '0';
	glob_t found;
	FILE *file;

	snprintf(path, sizeof(path),
		 WATCH_TRACEFS "/instances/kvmwatch-view-*/events/kvmwatch/%s/enable", event);
	if (glob(path, 0, NULL, &found))
		return false;
	file = fopen(*found.gl_pathv, "re");
	if (file) {
		on = fgetc(file);
		fclose(file);
	}
	globfree(&found);
	return on == '1';
}

void watch_trace_end(void)
{
	free(trace);
	trace = NULL;
	rmdir(INSTANCE);
}
