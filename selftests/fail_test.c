// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation fails once. The request then fails with a clear errno, or succeeds without that
 * allocation, or the event is counted as lost and made good later. The module never crashes or
 * leaks (the runner checks both), and the numbers are exact again afterwards.
 *
 * This needs a kernel with fault injection, see selftests/vm/debug.config. /proc/PID/fail-nth
 * selects the allocation of a thread (or the copy from or to its memory) that fails: of the test's
 * own thread for its system calls, and of each kernel worker that may run kvmwatch's work.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "kselftest_harness.h"
#include "listed.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "vendor.h"
#include "watch.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		40
#define NONE		1000000	/* more allocations than any tested operation has */

static bool is_short(void)
{
	return getenv("vm_short");
}

/* --- the kernel's fault injection ------------------------------------------ */

static int injectors_put(const char *file, const char *text)
{
	char path[128];
	int err;

	snprintf(path, sizeof(path), DEBUGFS "failslab/%s", file);
	err = machine_put(path, text);
	if (err)
		return err;
	snprintf(path, sizeof(path), DEBUGFS "fail_page_alloc/%s", file);
	return machine_put(path, text);
}

static int injectors_init(void)
{
	return injectors_put("ignore-gfp-wait", "N") ?:
	       injectors_put("verbose", "0") ?:
	       injectors_put("probability", "0") ?:
	       machine_put(DEBUGFS "fail_page_alloc/min-order", "0") ?:
	       machine_put(DEBUGFS "fail_usercopy/verbose", "0");
}

/*
 * Do @what, with its allocation number @nth failing. Returns how many allocations were left before
 * that; 0 means it has failed.
 */
static unsigned int with_failure(int (*what)(void *), void *arg, unsigned int nth, int *answer)
{
	char left[16] = "";
	int fd;

	fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NONE;
	snprintf(left, sizeof(left), "%u", nth);
	if (write(fd, left, strlen(left)) < 0) {
		close(fd);
		return NONE;
	}
	*answer = what(arg);
	memset(left, 0, sizeof(left));
	if (pread(fd, left, sizeof(left) - 1, 0) < 0)
		left[0] = '0';	/* the copy of this read() failed */
	sys_put(FAIL_NTH, "0");
	close(fd);
	return atoi(left);
}

/* Kernel workers that are bound to no CPU. One of them does kvmwatch's work. */
struct workers {
	pid_t		pids[64];
	unsigned int	nr;
};

static bool is_worker(const char *pid)
{
	char path[64], comm[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, comm, sizeof(comm) - 1) < 0)
		comm[0] = '\0';
	close(fd);
	return !strncmp(comm, "kworker/u", 9);
}

/* Write @text to a file that each of them has in /proc. */
static void workers_put(struct workers *w, const char *file, const char *text)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[64];

	w->nr = 0;
	while (proc && w->nr < sizeof(w->pids) / sizeof(*w->pids) && (entry = readdir(proc))) {
		if (atoi(entry->d_name) <= 0 || !is_worker(entry->d_name))
			continue;
		w->pids[w->nr] = atoi(entry->d_name);
		snprintf(path, sizeof(path), "/proc/%d/%s", w->pids[w->nr], file);
		if (!sys_put(path, text))
			w->nr++;
	}
	if (proc)
		closedir(proc);
}

/* From now on, make allocation @nth of each worker fail. */
static void workers_fail(struct workers *w, unsigned int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", nth);
	workers_put(w, "fail-nth", text);
}

/* Make all allocations of the workers fail. */
static int workers_fail_all(struct workers *w)
{
	workers_put(w, "make-it-fail", "1");
	return injectors_put("task-filter", "Y") ?:
	       injectors_put("times", "-1") ?:
	       injectors_put("probability", "100");
}

/* How many allocations are left until the next failure; 0: one has failed. */
static unsigned int workers_left(const struct workers *w)
{
	unsigned int least = NONE, i;
	char path[64], left[16];
	int fd;

	for (i = 0; i < w->nr; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fail-nth", w->pids[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;	/* a worker that was idle for long has ended */
		memset(left, 0, sizeof(left));
		if (read(fd, left, sizeof(left) - 1) > 0 && atoi(left) < (int)least)
			least = atoi(left);
		close(fd);
	}
	return least;
}

static void workers_stop(const struct workers *w)
{
	char path[64];
	unsigned int i;

	injectors_put("probability", "0");
	injectors_put("task-filter", "N");
	for (i = 0; i < w->nr; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fail-nth", w->pids[i]);
		sys_put(path, "0");
		snprintf(path, sizeof(path), "/proc/%d/make-it-fail", w->pids[i]);
		sys_put(path, "0");
	}
}

/* --- the tested operations --------------------------------------------------- */

/* Load kvmwatch with small pools, as allocations of further records are all alike. */
static int load(void *unused)
{
	char args[256];

	snprintf(args, sizeof(args), "%s pool=1,1,1", getenv("MODARGS") ?: "");
	return watch_load(args);
}

/* Load with an invalid parameter: this has the allocations of the kernel's own part of insmod. */
static int load_refused(void *unused)
{
	return watch_load("via=nothing") == -EINVAL ? 0 : -EPROTO;
}

static int open_stats(void *arg)
{
	struct guest *g = arg;
	int fds[3], i, err = 0;

	fds[0] = watch_vm(g);
	fds[1] = watch_vcpu(g, 0);
	fds[2] = watch_slot(g, 0, SLOT);
	for (i = 0; i < 3; i++) {
		if (fds[i] < 0)
			err = fds[i];
		else
			close(fds[i]);
	}
	return err;
}

static int read_stats(void *arg)
{
	int fd = watch_vm(arg), err = 0;
	void *snapshot;

	if (fd < 0)
		return fd;
	snapshot = oracle_snapshot(fd, NULL);
	if (!snapshot)
		err = -errno;
	free(snapshot);
	close(fd);
	return err;
}

static int map_stats(void *arg)
{
	int fd = watch_vm(arg), err = 0;
	struct kvmwatch_map *map;

	if (fd < 0)
		return fd;
	map = mmap(NULL, GUEST_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		err = -errno;
	else if (!__atomic_load_n(&map->data_size, __ATOMIC_RELAXED))
		err = -EPROTO;
	if (map != MAP_FAILED)
		err = sys_unmap(map, GUEST_PAGE) ?: err;
	close(fd);
	return err;
}

static int read_all(void *arg)
{
	struct kvmwatch_open_all open = { .size = sizeof(open), .kind = KVMWATCH_KIND_VCPU };
	static char numbers[1 << 16];
	int dev = watch_device(), fd, err = 0;

	if (dev < 0)
		return dev;
	fd = ioctl(dev, KVMWATCH_OPEN_ALL, &open);
	if (fd < 0 || read(fd, numbers, sizeof(numbers)) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	close(dev);
	return err;
}

/* Read as much of the counts of pages as one read() returns. */
static int read_heat(void *arg)
{
	struct kvmwatch_open open = {
		.size = sizeof(open), .kind = KVMWATCH_KIND_VM, .flags = KVMWATCH_OPEN_BY_FD,
		.fd = guest_vm_fd(arg),
	};
	static char counts[1 << 12];
	int dev = watch_device(), fd, err = 0;

	if (dev < 0)
		return dev;
	fd = ioctl(dev, KVMWATCH_OPEN_HEAT, &open);
	if (fd < 0 || read(fd, counts, sizeof(counts)) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	close(dev);
	return err;
}

static int list(void *arg)
{
	static const struct {
		unsigned int kind;
		size_t size;
	} lists[] = {
		{ KVMWATCH_KIND_VM, sizeof(struct kvmwatch_vm) },
		{ KVMWATCH_KIND_VCPU, sizeof(struct kvmwatch_vcpu) },
		{ KVMWATCH_KIND_SLOT, sizeof(struct kvmwatch_slot) },
	};
	void *items;
	int i, nr;

	for (i = 0; i < 3; i++) {
		nr = watch_list(lists[i].kind, 0, &items, lists[i].size);
		if (nr < 0)
			return nr;
		free(items);
	}
	return 0;
}

static int read_to_end(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	static char text[1 << 16];
	ssize_t got;
	int err = 0;

	if (fd < 0)
		return -errno;
	do {
		got = read(fd, text, sizeof(text));
	} while (got > 0);
	if (got < 0)
		err = -errno;
	close(fd);
	return err;
}

static int tables(void *arg)
{
	static const char *const names[] = { "vms", "vcpus", "slots", "halt_poll", "hooks" };
	char path[128];
	int err = 0;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), WATCH_DEBUGFS "/%s", names[i]);
		err = err ?: read_to_end(path);
	}
	snprintf(path, sizeof(path), WATCH_DEBUGFS "/vm/%s/vcpu0/loads", guest_name(arg));
	return err ?: read_to_end(path);
}

static int change_slots(void *arg)
{
	struct guest *g = arg;
	int err;

	err = guest_slot_add(g, SLOT + 1, 2 * GPA, PAGES, GUEST_MEM_4K, 0);
	if (err)
		return err;
	return guest_slot_del(g, SLOT + 1);
}

static int make_vm(void *arg)
{
	struct guest *g = guest_new(1, 0);

	if (!g)
		return errno ? -errno : -ENOMEM;
	guest_free(g);
	return 0;
}

/* --- each allocation fails, while a guest works ----------------------------- */

static struct guest *new_guest(void)
{
	struct guest *g = guest_new(2, 0);
	int err;

	if (!g)
		return NULL;
	err = guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES) ?:
	      guest_run(g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1));
	if (!err)
		return g;
	guest_free(g);
	return NULL;
}

/* A guest as new_guest() makes it, whose vCPU 1 goes on writing. */
static struct guest *busy_guest(void)
{
	struct guest *g = new_guest();

	if (g && !guest_start(g, 1, work_write(GPA, PAGES, GUEST_PAGE, GUEST_FOREVER)) &&
	    !guest_wait_progress(g, 1, 2, 10000))
		return g;
	guest_free(g);
	return NULL;
}

/* Is there a file for each statistic of the guest, of a vCPU and of a slot? */
static bool has_files(struct guest *g)
{
	static const char *const dirs[] = {
		[KVMWATCH_KIND_VM] = "", [KVMWATCH_KIND_VCPU] = "vcpu1/",
		[KVMWATCH_KIND_SLOT] = "slot0-1/",
	};
	struct kvmwatch_stat *stats;
	bool all = true;
	char path[256];
	int nr, i;

	nr = watch_list(KVMWATCH_KIND_STAT, 0, (void **)&stats, sizeof(*stats));
	if (nr <= 0)
		return false;
	for (i = 0; i < nr && all; i++) {
		snprintf(path, sizeof(path), WATCH_DEBUGFS "/vm/%s/%s%s", guest_name(g),
			 dirs[stats[i].kind], stats[i].name);
		all = !access(path, F_OK);
	}
	free(stats);
	return all;
}

static bool is_complete(struct guest *g)
{
	struct kvmwatch_vm vm;

	return !watch_find(g, &vm) && vm.vcpus == 2 && vm.slots == vendor_slots(2);
}

/* All of @g is listed and has files, its mapped pages are right, and an audit finds the same. */
static bool is_exact(struct guest *g)
{
	return WATCH_EVENTUALLY(is_complete(g) && has_files(g) &&
				watch_slot_stat(g, SLOT, "mapped_4k") == PAGES &&
				watch_mapped_is_kvms(g)) &&
	       watch_audit(g, NULL) == 1 && watch_vm_stat(g, "audit_failures") == 0;
}

/* Either a hook is missing for want of memory, and says so, or all numbers of @g are right. */
static bool is_honest(struct guest *g)
{
	struct kvmwatch_hook *hooks;
	bool missing = false;
	int nr, i;

	nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks));
	if (nr <= 0)
		return false;
	for (i = 0; i < nr; i++)
		missing |= strstr(hooks[i].reason, "error -12") ||
			   strstr(hooks[i].reason, "nothing works without");
	free(hooks);
	return missing || is_exact(g);
}

/* The records of a guest are a VM, two vCPUs and two slots, and take as many bytes as before. */
static bool is_all_there_is(struct guest *g, unsigned long bytes)
{
	struct kvmwatch_vm vm;

	return watch_records() == 5 && !watch_find(g, &vm) && vm.footprint == bytes;
}

static unsigned long footprint(struct guest *g)
{
	struct kvmwatch_vm vm;

	return watch_find(g, &vm) ? 0 : vm.footprint;
}

FIXTURE(failing)
{
	struct guest *g;
};

FIXTURE_VARIANT(failing)
{
	int (*run)(void *guest);
	unsigned int least;	/* the operation has at least so many allocations */
	unsigned int tries;	/* a short run lets so many of them fail */
	bool load;
};

FIXTURE_VARIANT_ADD(failing, insmod) { load, 200, 12, true };
FIXTURE_VARIANT_ADD(failing, stats_fds_being_opened) { open_stats, 10, 20 };
FIXTURE_VARIANT_ADD(failing, a_stats_fd_being_read) { read_stats, 5, 20 };
FIXTURE_VARIANT_ADD(failing, a_stats_fd_being_mapped) { map_stats, 5, 20 };
FIXTURE_VARIANT_ADD(failing, all_vcpus_being_read) { read_all, 5, 20 };
FIXTURE_VARIANT_ADD(failing, heat_being_counted) { read_heat, 8, 20 };
FIXTURE_VARIANT_ADD(failing, lists) { list, 8, 20 };
FIXTURE_VARIANT_ADD(failing, debugfs) { tables, 20, 20 };
FIXTURE_VARIANT_ADD(failing, slots_that_come_and_go) { change_slots, 5, 20 };
FIXTURE_VARIANT_ADD(failing, a_vm_that_comes_and_goes) { make_vm, 30, 20 };

FIXTURE_SETUP(failing)
{
	NEEDS_VM(FROM_SETUP, "it makes allocations of the kernel fail");
	ASSERT_EQ(0, injectors_init());
	/* A busy guest causes events, which make a new kvmwatch look for it. */
	self->g = variant->load ? new_guest() : busy_guest();
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(failing)
{
	watch_load(NULL);	/* load it if a test left it unloaded */
	guest_free(self->g);
}

/* The errors by which system calls say that memory was short. */
static bool is_clear(int answer)
{
	return answer == -ENOMEM || answer == -EFAULT || answer == -EAGAIN;
}

/* In a short run only every so many-th allocation fails; which ones, differs from run to run. */
static unsigned int stride(unsigned int all, unsigned int tries)
{
	return is_short() && all > tries ? all / tries : 1;
}

TEST_F_TIMEOUT(failing, answers_and_all_is_exact, 390)
{
	unsigned int first = 0, all, nth, step, tries = 0, refused = 0;
	unsigned long bytes;
	bool failed;
	int answer = 0, i;

	ASSERT_TRUE(is_exact(self->g));
	bytes = footprint(self->g);
	ASSERT_TRUE(WATCH_EVENTUALLY(is_all_there_is(self->g, bytes)));
	if (variant->load) {
		ASSERT_EQ(0, watch_unload_patiently());
		first = NONE - with_failure(load_refused, NULL, NONE, &answer);
		ASSERT_EQ(0, answer);
	}
	/*
	 * The operation has as many allocations each time, but pages that it finds in caches need
	 * none. Take the least of three.
	 */
	all = NONE;
	for (i = 0; i < 3; i++) {
		if (variant->load && watch_refs() >= 0)
			ASSERT_EQ(0, watch_unload_patiently());
		nth = NONE - with_failure(variant->run, self->g, NONE, &answer);
		ASSERT_EQ(0, answer);
		all = nth < all ? nth : all;
	}

	step = stride(all - first, variant->tries);
	for (nth = first + 1 + time(NULL) % step; nth <= all; nth += step) {
		if (variant->load && watch_refs() >= 0)
			ASSERT_EQ(0, watch_unload_patiently());
		failed = !with_failure(variant->run, self->g, nth, &answer);
		tries += failed;
		refused += answer != 0;
		if (answer) {
			EXPECT_TRUE(is_clear(answer)) TH_LOG("number %u: error %d", nth, answer);
			guest_slot_del(self->g, SLOT + 1);	/* left by a failed operation */
		} else {
			EXPECT_TRUE(!variant->load || is_honest(self->g)) TH_LOG("number %u", nth);
		}
		if (failed || !variant->load)
			continue;
		/*
		 * If the housekeeper made directories before insmod did, insmod has fewer
		 * allocations. Those that are left are tried in smaller steps.
		 */
		all = nth - 1;
		if (step > 1) {
			step = stride(all - first, variant->tries);
			nth = first + 1 + time(NULL) % step - step;
		}
	}
	EXPECT_LE(variant->least, all - first);
	TH_LOG("of %u in all %u failed, %u were refused", all - first, tries, refused);
	EXPECT_LE((all - first) / step / 2, tries);
	EXPECT_TRUE(refused || variant->load);
	if (variant->load) {
		if (watch_refs() >= 0)
			ASSERT_EQ(0, watch_unload_patiently());
		ASSERT_EQ(0, load(NULL));
	}
	EXPECT_TRUE(is_exact(self->g));
	/*
	 * There are no more records than before, nor more memory in them, and no fd pins the
	 * module.
	 */
	EXPECT_TRUE(WATCH_EVENTUALLY(is_all_there_is(self->g, bytes))) {
		TH_LOG("%d records, %lu bytes, were %lu", watch_records(), footprint(self->g),
		       bytes);
	}
	EXPECT_EQ(0, watch_refs());
	/* No fd that could not be opened keeps records of a VM that has ended. */
	guest_free(self->g);
	self->g = NULL;
	EXPECT_TRUE(WATCH_EVENTUALLY(!watch_records())) TH_LOG("%d records", watch_records());
}

/* --- work items ----------------------------------------------------------------- */

FIXTURE(worker)
{
	struct workers workers;
	struct guest *g;
};

FIXTURE_SETUP(worker)
{
	NEEDS_VM(FROM_SETUP, "it makes allocations of the kernel fail");
	ASSERT_EQ(0, injectors_init());
	self->g = busy_guest();
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(worker)
{
	workers_stop(&self->workers);
	guest_free(self->g);
	watch_unload_patiently();
	watch_load(NULL);
}

/* All exits of the vCPU were counted, or kvmwatch has counted lost events. */
static bool is_counted(struct guest *g, unsigned long long lost_before)
{
	__u64 exits = watch_vcpu_stat(g, 0, "user_exits"), runs = guest_runs(g, 0);

	return exits == runs ||
	       (exits < runs && (watch_vm_stat(g, "lost_events") > 0 ||
				 unknown_vm_events() > lost_before));
}

/* From here on no exit is lost. */
static bool counts_on(struct guest *g)
{
	__u64 exits = watch_vcpu_stat(g, 0, "user_exits"), runs = guest_runs(g, 0);

	return !guest_run(g, 0, work_out(50)) && guest_runs(g, 0) > runs + 50 &&
	       watch_vcpu_stat(g, 0, "user_exits") - exits == guest_runs(g, 0) - runs;
}

/*
 * A VM is listed when one record of each kind is ready. A work item makes the other records, the
 * VM's directories and the records for the next VM. It retries, by itself, what fails of that.
 */
TEST_F_TIMEOUT(worker, retries_failed_allocations_for_a_new_vm, 390)
{
	unsigned int all, nth, step, tries = 0;
	unsigned long long lost_before;
	struct guest *g;
	int i;

	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, load(NULL));
	all = NONE;
	for (i = 0; i < 3; i++) {
		workers_fail(&self->workers, NONE);
		ASSERT_LT(0, self->workers.nr);
		g = new_guest();
		ASSERT_NE(NULL, g);
		EXPECT_TRUE(is_exact(g));
		nth = NONE - workers_left(&self->workers);
		workers_stop(&self->workers);
		all = nth < all ? nth : all;
		guest_free(g);
	}
	EXPECT_LE(100, all);

	step = stride(all, 24);
	for (nth = 1 + time(NULL) % step; nth <= all; nth += step) {
		lost_before = unknown_vm_events();
		workers_fail(&self->workers, nth);
		g = new_guest();
		ASSERT_NE(NULL, g);
		WATCH_EVENTUALLY(!workers_left(&self->workers) || (is_complete(g) && has_files(g)));
		tries += !workers_left(&self->workers);
		workers_stop(&self->workers);
		EXPECT_TRUE(is_exact(g)) TH_LOG("number %u", nth);
		EXPECT_TRUE(is_counted(g, lost_before)) TH_LOG("number %u", nth);
		EXPECT_TRUE(counts_on(g)) TH_LOG("number %u", nth);
		guest_free(g);
	}
	TH_LOG("of %u in all %u failed", all, tries);
	EXPECT_LE(all / step / 2, tries);
	EXPECT_TRUE(is_exact(self->g));
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_records() == 5)) TH_LOG("%d records", watch_records());
}

/*
 * Unload the module while it retries a failed allocation, and load it again with memory. The kernel
 * checks that no retry is left after unloading: freed memory must not contain an armed timer.
 */
TEST_F_TIMEOUT(worker, unloads_before_it_has_retried, 120)
{
	int round, incomplete = 0;
	struct guest *g;

	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, workers_fail_all(&self->workers));
		g = new_guest();
		ASSERT_NE(NULL, g);
		usleep(100000);
		incomplete += !has_files(g);
		ASSERT_EQ(0, watch_unload_patiently());
		workers_stop(&self->workers);
		sleep(1);
		ASSERT_EQ(0, load(NULL));
		EXPECT_TRUE(is_exact(g));
		guest_free(g);
	}
	EXPECT_LT(0, incomplete);
}

/* A work item makes mapped copies too, and retries after a failed allocation. */
TEST_F(worker, retries_a_failed_copy)
{
	struct kvmwatch_map *map;
	unsigned int nth, tries = 0;
	int fd;

	for (nth = 1; nth <= 3; nth++) {
		fd = watch_vm(self->g);
		ASSERT_LE(0, fd);
		workers_fail(&self->workers, nth);
		map = mmap(NULL, GUEST_PAGE, PROT_READ, MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, map);
		EXPECT_TRUE(WATCH_EVENTUALLY(!workers_left(&self->workers)));
		tries += !workers_left(&self->workers);
		workers_stop(&self->workers);
		EXPECT_TRUE(WATCH_EVENTUALLY(__atomic_load_n(&map->copies, __ATOMIC_ACQUIRE) > 1));
		munmap(map, GUEST_PAGE);
		close(fd);
	}
	EXPECT_EQ(3, tries);
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_refs() == 0));
}

/* An audit of all VMs is left out if there is no memory for the list of VMs. The next one runs. */
TEST_F(worker, audits_again_after_a_failed_audit)
{
	unsigned long audits;

	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load("audit_seconds=1"));
	ASSERT_TRUE(is_exact(self->g));
	workers_fail(&self->workers, 1);
	EXPECT_TRUE(WATCH_EVENTUALLY(!workers_left(&self->workers)));
	workers_stop(&self->workers);
	audits = watch_vm_stat(self->g, "audits");
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_vm_stat(self->g, "audits") > audits + 1));
	EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
}

static void __attribute__((constructor)) __constructor_order_last(void)
{
	if (!__constructor_order)
		__constructor_order = _CONSTRUCTOR_ORDER_BACKWARD;
}

int main(int argc, char **argv)
{
	if (!access(FAIL_NTH, W_OK))
		return test_harness_run(argc, argv);
	ksft_exit_skip("this kernel has no fault injection\n");
}
