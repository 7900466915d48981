// SPDX-License-Identifier: GPL-2.0
/*
 * VMs come and go, many at a time, while all that shows them is read all the time:
 * no number is wrong, and nothing is left behind.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "oracle.h"
#include "watch.h"

#define MAKERS		4
#define WARM_UP		40
#define ROUNDS		80	/* twice, after the warm-up: 200 in all; a short run has half */
#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		32
#define KEPT		24

static atomic_int rounds_left;
static atomic_bool stop;
static atomic_int wrong;
static atomic_ulong reads, reads_after_death;

/* Say what is wrong, of the first few. */
#define CHECK(condition, format, ...) do {				\
	if (!(condition) && atomic_fetch_add(&wrong, 1) < 10)		\
		fprintf(stderr, "# line %d: not " #condition ": " format "\n",	\
			__LINE__, ##__VA_ARGS__);			\
} while (0)

/* --- makers ---------------------------------------------------------------- */

/* What a guest did is what is counted, whoever else comes and goes. */
static void check_guest(struct guest *g, unsigned int vcpus)
{
	__u64 value;

	value = watch_slot_stat(g, SLOT, "mapped_4k");
	CHECK(value == PAGES, "%s: %lld", guest_name(g), value);
	value = watch_slot_stat(g, SLOT, "dirty_marks_new");
	CHECK(value == PAGES, "%s: %lld", guest_name(g), value);
	value = watch_vm_stat(g, "halts");
	CHECK(value == 3, "%s: %lld", guest_name(g), value);
	value = watch_vm_stat(g, "vcpus");
	CHECK(value == vcpus, "%s: %lld", guest_name(g), value);
	value = watch_vm_stat(g, "lost_events");
	CHECK(value == 0, "%s: %lld", guest_name(g), value);
	CHECK(watch_mapped_is_kvms(g), "%s", guest_name(g));
}

static void one_round(int round)
{
	unsigned int vcpus = 1 + round % 2;
	int vm_stats, slot_stats, err;
	struct guest *g;
	__u64 value;

	g = guest_new(vcpus, 0);
	CHECK(g, "guest_new: %s", strerror(errno));
	if (!g)
		return;
	err = guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES) ?:
	      guest_run(g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1)) ?:
	      guest_halt_asleep(g, vcpus - 1, 3);
	CHECK(!err, "%s", strerror(-err));
	check_guest(g, vcpus);

	/* A slot that comes and goes, and fds that outlive what they are of. */
	err = guest_slot_add(g, SLOT + 1, 2 * GPA, PAGES, GUEST_MEM_4K, 0) ?:
	      guest_run(g, 0, work_read(2 * GPA, PAGES, GUEST_PAGE));
	CHECK(!err, "%s", strerror(-err));
	vm_stats = watch_vm(g);
	slot_stats = watch_slot(g, 0, SLOT);
	CHECK(vm_stats >= 0 && slot_stats >= 0, "%d %d", vm_stats, slot_stats);
	if (round % 3)
		CHECK(!guest_slot_del(g, SLOT + 1), "");
	guest_free(g);

	value = ~0ULL;
	CHECK(!oracle_read(vm_stats, "dirty_marks_new", &value) && value == PAGES, "%lld", value);
	CHECK(!oracle_read(vm_stats, "halts", &value) && value == 3, "%lld", value);
	CHECK(!oracle_read(slot_stats, "dirty_marks_new", &value) && value == PAGES, "%lld", value);
	close(vm_stats);
	close(slot_stats);
}

static void *maker(void *unused)
{
	int round;

	while ((round = atomic_fetch_sub(&rounds_left, 1)) > 0)
		one_round(round);
	return NULL;
}

/* --- readers --------------------------------------------------------------- */

static void read_tables(void)
{
	static const char *const tables[] = { "vms", "vcpus", "slots", "halt_poll", "hooks" };
	char *text;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		text = watch_debugfs_table(tables[i]);
		CHECK(text && strchr(text, '\n'), "%s", tables[i]);
		free(text);
		atomic_fetch_add(&reads, 1);
	}
}

/* All files below; what goes away meanwhile is no error. */
static void read_tree(const char *path)
{
	DIR *dir = opendir(path);
	char below[PATH_MAX], text[8192];
	struct dirent *entry;
	ssize_t got;
	int fd;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR) {
			read_tree(below);
			continue;
		}
		fd = open(below, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		got = read(fd, text, sizeof(text));
		CHECK(got > 0 ? text[got - 1] == '\n' : got < 0, "%s", below);
		close(fd);
		atomic_fetch_add(&reads, 1);
	}
	if (dir)
		closedir(dir);
}

static void read_trees(void)
{
	read_tree(WATCH_DEBUGFS "/vm");
}

static void list_kinds(void)
{
	static const size_t sizes[] = {
		[KVMWATCH_KIND_VM] = sizeof(struct kvmwatch_vm),
		[KVMWATCH_KIND_VCPU] = sizeof(struct kvmwatch_vcpu),
		[KVMWATCH_KIND_SLOT] = sizeof(struct kvmwatch_slot),
		[KVMWATCH_KIND_HOOK] = sizeof(struct kvmwatch_hook),
		[KVMWATCH_KIND_STAT] = sizeof(struct kvmwatch_stat),
	};
	unsigned int kind;
	void *items;
	int nr;

	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_STAT; kind++) {
		nr = watch_list(kind, 0, &items, sizes[kind]);
		CHECK(nr >= 0, "kind %u: %d", kind, nr);
		free(items);
		atomic_fetch_add(&reads, 1);
	}
}

static int open_id(int dev, unsigned int kind, __u64 id, unsigned int as_id, unsigned int slot)
{
	struct kvmwatch_open arg = {
		.size = sizeof(arg), .kind = kind, .id = id, .as_id = as_id, .slot = slot,
	};
	int fd = ioctl(dev, KVMWATCH_OPEN, &arg);

	CHECK(fd >= 0 || errno == ENOENT, "kind %u: %s", kind, strerror(errno));
	return fd;
}

/* Fds that are kept for a while, most of them beyond the end of their objects. */
static void keep(int kept[KEPT], int fd)
{
	static unsigned int at;
	const char *why = "";
	__u64 value;

	if (fd < 0)
		return;
	CHECK(!oracle_check(fd, &why), "%s", why);
	at = (at + 1) % KEPT;
	if (kept[at] >= 0) {
		CHECK(!oracle_check(kept[at], &why), "%s", why);
		if (!oracle_read(kept[at], "vcpus", &value) && !value)
			atomic_fetch_add(&reads_after_death, 1);
		close(kept[at]);
	}
	kept[at] = fd;
	atomic_fetch_add(&reads, 2);
}

static void read_stats_fds(void)
{
	static int kept[KEPT] = { [0 ... KEPT - 1] = -1 };
	struct kvmwatch_slot *slots;
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_vm *vms;
	int dev, nr, i;

	if (stop) {
		for (i = 0; i < KEPT; i++) {
			close(kept[i]);
			kept[i] = -1;
		}
		return;
	}
	dev = watch_device();
	nr = watch_list(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms));
	for (i = 0; i < nr; i++)
		keep(kept, open_id(dev, KVMWATCH_KIND_VM, vms[i].id, 0, 0));
	free(vms);
	nr = watch_list(KVMWATCH_KIND_VCPU, 0, (void **)&vcpus, sizeof(*vcpus));
	for (i = 0; i < nr; i++)
		keep(kept, open_id(dev, KVMWATCH_KIND_VCPU, vcpus[i].id, 0, 0));
	free(vcpus);
	nr = watch_list(KVMWATCH_KIND_SLOT, 0, (void **)&slots, sizeof(*slots));
	for (i = 0; i < nr; i++)
		keep(kept, open_id(dev, KVMWATCH_KIND_SLOT, slots[i].vm, slots[i].as_id,
				   slots[i].id));
	free(slots);
	close(dev);
}

static void *reader(void *read_once)
{
	void (*once)(void) = read_once;

	while (!stop) {
		once();
		usleep(1000);	/* two CPUs are all there are */
	}
	once();
	return NULL;
}

/* --- the storm ------------------------------------------------------------- */

static void storm(int rounds)
{
	void *const readers[] = { read_tables, read_trees, list_kinds, read_stats_fds };
	pthread_t threads[MAKERS + ARRAY_SIZE(readers)];
	int nr = 0, i;

	stop = false;
	rounds_left = rounds;
	for (i = 0; i < MAKERS; i++)
		pthread_create(&threads[nr++], NULL, maker, NULL);
	for (; nr < (int)(ARRAY_SIZE(threads)); nr++)
		pthread_create(&threads[nr], NULL, reader, readers[nr - MAKERS]);
	for (i = 0; i < MAKERS; i++)
		pthread_join(threads[i], NULL);
	stop = true;
	for (; i < nr; i++)
		pthread_join(threads[i], NULL);
}

static int objects(void)
{
	int nr = 0, more;
	unsigned int kind;
	void *items;

	for (kind = KVMWATCH_KIND_VM; kind <= KVMWATCH_KIND_SLOT; kind++) {
		more = watch_list(kind, 0, &items, sizeof(struct kvmwatch_vm));
		free(items);
		if (more < 0)
			return more;
		nr += more;
	}
	return nr;
}

static int directories(void)
{
	DIR *dir = opendir(WATCH_DEBUGFS "/vm");
	int nr = 0;

	while (dir && readdir(dir))
		nr++;
	closedir(dir);
	return nr - 2;
}

/* A round of a guest that has the machine for itself. */
static void alone(void)
{
	one_round(1);
	one_round(2);
}

FIXTURE(storm)
{
	int refs;
};

FIXTURE_SETUP(storm)
{
	self->refs = watch_refs();
	ASSERT_EQ(0, watch_trace_start());
}

FIXTURE_TEARDOWN(storm)
{
	watch_trace_stop();
	watch_trace_end();
}

TEST_F_TIMEOUT(storm, leaves_nothing_behind_and_every_number_right, 370)
{
	long long slab[3], percpu[3];
	int part = getenv("vm_short") ? 2 : 1;
	char *hooks;
	int i;

	for (i = 0; i < 3; i++) {
		storm((i ? ROUNDS : WARM_UP) / part);
		EXPECT_TRUE(WATCH_EVENTUALLY(!directories()))
			TH_LOG("%d directories are left", directories());
		slab[i] = watch_slab();
		percpu[i] = watch_percpu();
		TH_LOG("slab %lld, per-CPU %lld, %lu reads, %lu of the dead", slab[i], percpu[i],
		       reads, reads_after_death);
	}
	EXPECT_EQ(0, wrong);
	EXPECT_LT(1000, reads);
	EXPECT_LT(10, reads_after_death);

	/* Each round has a VM, a vCPU or two, three slots. */
	EXPECT_GT(ROUNDS / part * 512, slab[2] - slab[1]);
	EXPECT_GT(65536, percpu[2] - percpu[1]);
	EXPECT_EQ(0, objects());
	EXPECT_EQ(self->refs, watch_refs());
	hooks = watch_debugfs_table("hooks");
	ASSERT_NE(NULL, hooks);
	EXPECT_NE(NULL, strstr(hooks, "# events of VMs without a record: 0\n"))
		TH_LOG("%s", strstr(hooks, "# events"));
	free(hooks);

	alone();
	EXPECT_EQ(0, wrong);
}

TEST_HARNESS_MAIN
