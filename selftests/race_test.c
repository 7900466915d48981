// SPDX-License-Identifier: GPL-2.0
/*
 * Races of loading and unloading: two insmods, unloading kvmwatch and kvm.ko at once, and unloading
 * kvmwatch while processes open and map its files. These test the rules of docs/locking.md;
 * storm_test, life_test and unload_test have the others.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "machine.h"
#include "vendor.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		16
#define PARAMETERS	"/sys/module/kvmwatch/parameters"

static int rounds(void)
{
	return getenv("vm_short") ? 2 : 20;
}

/* Is a new guest listed, with what it did? */
static bool works(void)
{
	struct guest *g = guest_new(1, 0);
	bool ok;

	ok = g && !guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0) &&
	     !guest_run(g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1)) &&
	     watch_slot_stat(g, SLOT, "mapped_4k") == PAGES && watch_mapped_is_kvms(g) &&
	     watch_audit(g, NULL) == 1 && !watch_vm_stat(g, "lost_events");
	guest_free(g);
	return ok;
}

FIXTURE(race)
{
	struct guest *g;
};

FIXTURE_SETUP(race)
{
}

FIXTURE_TEARDOWN(race)
{
	guest_free(self->g);
	if (access("/dev/kvm", F_OK) && vendor_load(""))
		TH_LOG("KVM is away");
	watch_load(NULL);	/* load it if a test left it unloaded */
}

/* --- two insmods ------------------------------------------------------------ */

static pthread_barrier_t start;

static void *insmod(void *unused)
{
	pthread_barrier_wait(&start);
	return (void *)(long)watch_load(NULL);
}

/*
 * Newer kernels load a file once for all who load it at the same time, and give all the same
 * answer.
 */
TEST_F_TIMEOUT(race, one_of_several_insmods_loads_it, 180)
{
	pthread_t threads[3];
	int round, i, loaded;
	void *answer;

	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 3));
	for (round = 0; round < rounds(); round++) {
		ASSERT_EQ(0, watch_unload_patiently());
		loaded = 0;
		for (i = 0; i < 3; i++)
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, insmod, NULL));
		for (i = 0; i < 3; i++) {
			pthread_join(threads[i], &answer);
			loaded += !answer;
			EXPECT_TRUE(!answer || (long)answer == -EEXIST) {
				TH_LOG("insmod: %s", strerror(-(long)answer));
			}
		}
		EXPECT_LE(1, loaded);
		EXPECT_TRUE(WATCH_EVENTUALLY(watch_refs() == 0));
	}
	EXPECT_TRUE(works());
}

/* --- KVM is reloaded while kvmwatch is ---------------------------------------- */

static void *reload_kvm(void *unused)
{
	pthread_barrier_wait(&start);
	return (void *)(long)(vendor_unload_kvm() ?: vendor_load(""));
}

TEST_F_TIMEOUT(race, kvm_and_kvmwatch_unload_together_and_come_back, 180)
{
	pthread_t thread;
	void *answer;
	int round;

	NEEDS_MACHINE(return, "it reloads KVM");
	ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 2));
	for (round = 0; round < rounds(); round++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, reload_kvm, NULL));
		pthread_barrier_wait(&start);
		/* Wait longer in each round, so that the two meet at different places. */
		usleep(round * 20000 % 200000);
		EXPECT_EQ(0, watch_unload_patiently());
		EXPECT_EQ(0, watch_load(NULL));
		pthread_join(thread, &answer);
		ASSERT_EQ(NULL, answer);
		EXPECT_TRUE(works()) TH_LOG("round %d", round);
	}
}

/* --- kvmwatch is unloaded while processes open its files --------------------------- */

static atomic_bool stop;
static atomic_ulong opened;

/* Open each interface; any of them may be missing. */
static void *open_and_look(void *guest)
{
	struct guest *g = guest;
	char path[256];
	char *text;
	struct kvmwatch_map *map;
	int fd;

	snprintf(path, sizeof(path), "vm/%s/vcpu0/loads", guest_name(g));
	while (!stop) {
		fd = watch_vm(g);
		if (fd >= 0) {
			map = mmap(NULL, GUEST_PAGE, PROT_READ, MAP_SHARED, fd, 0);
			close(fd);	/* the mapping keeps the module */
			if (map != MAP_FAILED) {
				opened += __atomic_load_n(&map->data_size, __ATOMIC_RELAXED) > 0;
				munmap(map, GUEST_PAGE);
			}
		}
		text = watch_debugfs_table("slots");
		free(text);
		text = watch_debugfs_table(path);
		free(text);
	}
	return NULL;
}

TEST_F_TIMEOUT(race, kvmwatch_unloads_between_opens_and_mmaps, 180)
{
	unsigned long before;
	pthread_t threads[2];
	int round, i;

	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_start(self->g, 0, work_cpuid(GUEST_FOREVER)));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, open_and_look, self->g));
	for (round = 0; round < rounds(); round++) {
		before = opened;
		EXPECT_TRUE(WATCH_EVENTUALLY(opened > before + 2));
		EXPECT_EQ(0, watch_unload_patiently());
		EXPECT_EQ(0, watch_load(NULL));
	}
	stop = true;
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, guest_stop(self->g, 0));
	EXPECT_EQ(0, guest_wait(self->g, 0, 10000));
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_refs() == 0));
	EXPECT_TRUE(watch_mapped_is_kvms(self->g));
	EXPECT_TRUE(works());
}

/* An open fd of any kind pins the module, and so does a mapping whose fd is closed. */
TEST_F(race, kvmwatch_stays_while_it_is_open_or_mapped)
{
	struct kvmwatch_open_all all = { .size = sizeof(all), .kind = KVMWATCH_KIND_VM };
	struct kvmwatch_open heat = {
		.size = sizeof(heat), .kind = KVMWATCH_KIND_VM, .flags = KVMWATCH_OPEN_BY_FD,
	};
	/* Where nobody sees marks, no heat can be opened. */
	int nr = watch_marks_are_hidden() ? 2 : 3;
	int dev = watch_device(), fds[3], i;
	void *map;

	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_LE(0, dev);
	heat.fd = guest_vm_fd(self->g);
	fds[0] = watch_vm(self->g);
	fds[1] = ioctl(dev, KVMWATCH_OPEN_ALL, &all);
	fds[2] = ioctl(dev, KVMWATCH_OPEN_HEAT, &heat);
	EXPECT_EQ(nr == 3, fds[2] >= 0);
	close(dev);
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_refs() == nr));
	map = mmap(NULL, GUEST_PAGE, PROT_READ, MAP_SHARED, fds[0], 0);
	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < nr; i++) {
		ASSERT_LE(0, fds[i]);
		close(fds[i]);
	}
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_refs() == 1));
	ASSERT_EQ(-EAGAIN, watch_unload());
	munmap(map, GUEST_PAGE);
	EXPECT_TRUE(WATCH_EVENTUALLY(watch_refs() == 0));
}

/* --- delayed work ----------------------------------------------------------------- */

static bool is_copied(struct guest *g)
{
	int fd = watch_vm(g);
	struct kvmwatch_map *map;
	bool copied;

	if (fd < 0)
		return false;
	map = mmap(NULL, GUEST_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return false;
	copied = WATCH_EVENTUALLY(__atomic_load_n(&map->copies, __ATOMIC_ACQUIRE) > 0);
	munmap(map, GUEST_PAGE);
	return copied;
}

/* The next audit and the next copy are due two seconds later. Unloading cancels both. */
TEST_F(race, unloading_cancels_delayed_work)
{
	char args[256];

	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, watch_unload_patiently());
	snprintf(args, sizeof(args), "%s map_ms=2000 audit_seconds=2", getenv("MODARGS") ?: "");
	ASSERT_EQ(0, watch_load(args));
	EXPECT_TRUE(is_copied(self->g));
	EXPECT_EQ(0, watch_unload_patiently());
	sleep(3);
	EXPECT_EQ(0, watch_load(NULL));
	EXPECT_TRUE(works());
}

/* --- parameters --------------------------------------------------------------- */

/* Code reads parameters without locks, so the kernel must not let anybody write them. */
TEST_F(race, no_parameter_can_be_changed_while_it_is_loaded)
{
	DIR *parameters = opendir(PARAMETERS);
	struct dirent *entry;
	int fd, nr = 0;

	ASSERT_NE(NULL, parameters);
	while ((entry = readdir(parameters))) {
		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(parameters), entry->d_name, O_WRONLY | O_CLOEXEC);
		EXPECT_EQ(-1, fd) TH_LOG("%s can be written", entry->d_name);
		EXPECT_EQ(EACCES, errno);
		nr++;
	}
	closedir(parameters);
	EXPECT_LE(7, nr);
}

/* --- creations of VMs that fail, beside readers --------------------------------- */

static void take_signal(int unused)
{
}

/*
 * Create VMs that fail, or are closed at once. KVM refuses type 0x12345, and gives up a VM of type
 * 0 at a signal, after the event of the VM's creation.
 */
static void create_in_vain(unsigned long type)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;

	for (;;) {
		vm = ioctl(kvm, KVM_CREATE_VM, type);
		if (vm >= 0)
			close(vm);
	}
}

/*
 * KVM frees a VM whose creation failed without taking kvm_lock. On a kernel that checks memory,
 * with readers delayed in is_on_kvms_list() (STALL), a reader that trusted its record of the VM
 * would read freed memory.
 */
TEST_F_TIMEOUT(race, readers_beside_creations_that_fail_read_no_freed_vm, 180)
{
	pid_t creators[2];
	int round, i, nr;
	char *table;
	void *vms;

	signal(SIGUSR1, take_signal);
	for (i = 0; i < 2; i++) {
		creators[i] = fork();
		if (!creators[i])
			create_in_vain(i ? 0 : 0x12345);
	}
	for (round = 0; round < 200; round++) {
		kill(creators[1], SIGUSR1);
		nr = watch_list(KVMWATCH_KIND_VM, 0, &vms, sizeof(struct kvmwatch_vm));
		EXPECT_TRUE(nr == 0 || nr == 1) TH_LOG("%d VMs are listed", nr);
		free(vms);
		table = watch_debugfs_table(round % 2 ? "vms" : "slots");
		EXPECT_NE(NULL, table);
		free(table);
	}
	for (i = 0; i < 2; i++) {
		kill(creators[i], SIGKILL);
		waitpid(creators[i], NULL, 0);
	}
	EXPECT_TRUE(WATCH_EVENTUALLY(!watch_records())) TH_LOG("%d records", watch_records());
	EXPECT_TRUE(works());
}

TEST_HARNESS_MAIN
