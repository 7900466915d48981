// SPDX-License-Identifier: GPL-2.0
/*
 * Many VMs, idle and busy, run when kvmwatch is loaded: kvmwatch adopts all of them with their
 * mapped pages, readers can read all, and all can end. ("make bench" counts the instructions of a
 * read.) SCALE_VMS in the environment is the number of idle VMs; 1000 without it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "machine.h"
#include "oracle.h"
#include "vendor.h"
#include "watch.h"

#define BUSY		16	/* a short run has a fourth, as they take the CPUs */
#define CROWD		200	/* a short run has a tenth */
#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		16
#define NICE		10	/* of vCPUs, as there are only two emulated CPUs */
#define ROUNDS		3	/* loads of kvmwatch beside a busy crowd; a short run has 2 */

static int short_run(void)
{
	return !!getenv("vm_short");
}

/* --- crews: processes with some VMs each ---------------------------------------- */

/*
 * A process with some VMs. A byte through @told makes it end. Its exit status is 0 if all was
 * right.
 */
struct crew {
	pid_t pid;
	int told;
};

/* Create VMs that do nothing, with a vCPU and a slot each. */
static int make_idle(int nr)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, i;
	struct kvm_userspace_memory_region region = {
		.slot = SLOT, .guest_phys_addr = GPA, .memory_size = PAGES * GUEST_PAGE,
	};
	void *memory = mmap(NULL, region.memory_size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	region.userspace_addr = (unsigned long)memory;
	for (i = 0; i < nr; i++) {
		vm = ioctl(kvm, KVM_CREATE_VM, 0);
		if (vm < 0 || ioctl(vm, KVM_CREATE_VCPU, 0) < 0 ||
		    ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
			return -errno;
	}
	return 0;
}

#define CREW_MAX	100

static struct guest *guests[CREW_MAX];

/* Create VMs that write to their pages without end. */
static int make_busy(int nr)
{
	int i, err = 0;

	for (i = 0; i < nr && !err; i++) {
		guests[i] = guest_new(1, 0);
		if (!guests[i])
			return -errno;
		err = guest_slot_add(guests[i], SLOT, GPA, PAGES, GUEST_MEM_4K, 0) ?:
		      guest_thread(guests[i], 0);
		setpriority(PRIO_PROCESS, guest_tid(guests[i], 0), NICE);
		err = err ?: guest_start(guests[i], 0, work_write(GPA, PAGES, GUEST_PAGE,
								  GUEST_FOREVER));
	}
	for (i = 0; i < nr && !err; i++)
		err = guest_wait_progress(guests[i], 0, 1, 60000);
	return err;
}

/* Discard pages, which the VMs fault in again, until a byte comes. */
static void shake(int nr, int pipe)
{
	struct pollfd end = { .fd = pipe, .events = POLLIN };
	int i;

	for (i = 0; !poll(&end, 1, 5); i++)
		guest_slot_discard(guests[i % nr], SLOT, i % (PAGES / 2), PAGES / 2);
}

static int is_exact(struct guest *g)
{
	return watch_mapped_is_kvms(g) && watch_slot_stat(g, SLOT, "mapped_4k") == PAGES &&
	       watch_vm_stat(g, "mapped_4k") == GUEST_SLOT0_PAGES + PAGES &&
	       !watch_vm_stat(g, "audit_failures") && !watch_vm_stat(g, "lost_events");
}

/* Stop the VMs, and compare kvmwatch's numbers with their pages. */
static int check_busy(int nr)
{
	int i, err = 0;

	for (i = 0; i < nr; i++)
		err = err ?: guest_stop(guests[i], 0);
	for (i = 0; i < nr; i++)
		err = err ?: guest_wait(guests[i], 0, 60000);
	/* Map again the pages that were discarded in the last round. */
	for (i = 0; i < nr; i++)
		err = err ?: guest_run(guests[i], 0, work_write(GPA, PAGES, GUEST_PAGE, 1));
	for (i = 0; i < nr && !err; i++) {
		if (is_exact(guests[i]))
			continue;
		fprintf(stderr, "# %s: mapped_4k %lld, lost %lld, %lld audits failed\n",
			guest_name(guests[i]), watch_vm_stat(guests[i], "mapped_4k"),
			watch_vm_stat(guests[i], "lost_events"),
			watch_vm_stat(guests[i], "audit_failures"));
		err = -EILSEQ;
	}
	return err;
}

/* Start a process with @nr VMs. Returns when all of them exist. */
static int crew_start(struct crew *crew, int nr, int busy)
{
	int told[2], ready[2], err = -1;

	if (pipe2(told, O_CLOEXEC) || pipe2(ready, O_CLOEXEC))
		return -errno;
	crew->pid = fork();
	if (!crew->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		err = busy ? make_busy(nr) : make_idle(nr);
		(void)!write(ready[1], &err, sizeof(err));
		if (busy)
			shake(nr, told[0]);
		else
			(void)!read(told[0], &err, sizeof(err));
		_exit(busy && check_busy(nr));
	}
	close(told[0]);
	close(ready[1]);
	crew->told = told[1];
	(void)!read(ready[0], &err, sizeof(err));
	close(ready[0]);
	return err;
}

/* End it. Returns 0 if all was right. */
static int crew_end(struct crew *crew)
{
	int status = -1;

	if (!crew->pid)
		return 0;
	(void)!write(crew->told, "", 1);
	close(crew->told);
	waitpid(crew->pid, &status, 0);
	crew->pid = 0;
	return status;
}

/* --- read all VMs --------------------------------------------------------------- */

/* Read the table of all VMs. Returns the number of its rows. */
static int read_table(void)
{
	int fd = open(WATCH_DEBUGFS "/vms", O_RDONLY | O_CLOEXEC), lines = -1;
	char text[4096], *at;
	ssize_t got;

	while ((got = read(fd, text, sizeof(text))) > 0)
		for (at = text; (at = memchr(at, '\n', text + got - at)); at++)
			lines++;
	close(fd);
	return lines;
}

/* List all VMs by one call, then read a stats fd of each by its id. */
static int read_each(void)
{
	struct kvmwatch_open arg = { .size = sizeof(arg), .kind = KVMWATCH_KIND_VM };
	int dev = watch_device(), nr, i, fd, good = 0;
	struct kvmwatch_vm *vms;
	void *all;

	nr = watch_list(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms));
	for (i = 0; i < nr; i++) {
		arg.id = vms[i].id;
		fd = ioctl(dev, KVMWATCH_OPEN, &arg);
		all = oracle_snapshot(fd, NULL);
		good += all && oracle_in(all, "mapped_4k", NULL);
		free(all);
		close(fd);
	}
	free(vms);
	close(dev);
	return good;
}

/* --- count objects and memory -------------------------------------------------- */

static int count(unsigned int kind)
{
	void *items;
	int nr = watch_list(kind, 0, &items, sizeof(struct kvmwatch_vm));

	free(items);
	return nr;
}

static int directories(void)
{
	DIR *dir = opendir(WATCH_DEBUGFS "/vm");
	int nr = -2;

	while (dir && readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

static int files;

static int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	files++;
	return 0;
}

/* Number of files and directories of one VM in debugfs. */
static int files_of_one(void)
{
	DIR *dir = opendir(WATCH_DEBUGFS "/vm");
	struct dirent *entry;
	char path[512];

	files = 0;
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), WATCH_DEBUGFS "/vm/%s", entry->d_name);
		nftw(path, count_file, 8, FTW_PHYS);
		break;
	}
	closedir(dir);
	return files;
}

/* Bytes of the records of a VM with a vCPU and a slot, from the last line of hooks. */
static long long bytes_of_records(void)
{
	long long vm = -1, vcpu, slot;
	char *hooks = watch_debugfs_table("hooks"), *line;

	line = hooks ? strstr(hooks, "# bytes per VM") : NULL;
	if (!line || sscanf(line, "# bytes per VM %lld, vCPU %lld, slot %lld", &vm, &vcpu,
			    &slot) != 3)
		vm = -1;
	free(hooks);
	return vm < 0 ? vm : vm + vcpu + slot;
}

/* Kernel memory in slabs and per CPU, after the kernel has freed its caches. */
static long long memory(void)
{
	long long kib = -1;
	char line[128];
	FILE *f;

	watch_slab();
	f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Slab: %lld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * 1024 + watch_percpu();
}

/* Number of VMs of which an audit finds no difference; the VMs may be at work. */
static int agree(void)
{
	struct kvmwatch_audit arg = { .size = sizeof(arg) };
	int dev = watch_device(), nr, i, good = 0;
	struct kvmwatch_vm *vms;

	nr = watch_list(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms));
	for (i = 0; i < nr; i++) {
		arg.vm = vms[i].id;
		good += !ioctl(dev, KVMWATCH_AUDIT, &arg) && arg.agrees;
	}
	free(vms);
	close(dev);
	return good;
}

#define IDLE_CREWS	10
#define BUSY_CREWS	10

FIXTURE(scale)
{
	struct crew idle[IDLE_CREWS], busy[BUSY_CREWS];
};

FIXTURE_SETUP(scale)
{
	NEEDS_MACHINE(FROM_SETUP, "it makes a thousand VMs");
	ASSERT_EQ(0, watch_unload_patiently());
}

FIXTURE_TEARDOWN(scale)
{
	int i, err;

	for (i = 0; i < IDLE_CREWS; i++)
		crew_end(&self->idle[i]);
	for (i = 0; i < BUSY_CREWS; i++)
		crew_end(&self->busy[i]);
	err = watch_load(NULL);
	EXPECT_TRUE(!err || err == -EEXIST);
}

/* Bytes of an object of that cache; 0: the kernel has no such cache. */
static long bytes_of_object(const char *cache)
{
	char line[512], name[64];
	FILE *f = fopen("/proc/slabinfo", "re");
	long bytes = 0, size;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %*u %*u %ld", name, &size) == 2 && !strcmp(name, cache))
			bytes = size;
	if (f)
		fclose(f);
	return bytes;
}

/*
 * A file of debugfs is an inode, a dentry, some bytes, and what slabs waste. An -rt kernel's locks
 * make the first two larger. A kernel that keeps notes about each object takes more.
 */
static long bytes_of_file(void)
{
	if (slow_times() > 1)
		return 3000;
	return (bytes_of_object("debugfs_inode_cache") ?: bytes_of_object("inode_cache")) +
	       bytes_of_object("dentry") + 250;
}

TEST_F_TIMEOUT(scale, a_thousand_vms_are_adopted_and_shown_in_documented_memory, 390)
{
	int each_crew = atoi(getenv("SCALE_VMS") ?: short_run() ? "100" : "1000") / IDLE_CREWS;
	int busy = short_run() ? BUSY / 4 : BUSY, all = each_crew * IDLE_CREWS + busy, i, nr_files;
	long long bytes, records;

	for (i = 0; i < IDLE_CREWS; i++)
		ASSERT_EQ(0, crew_start(&self->idle[i], each_crew, 0));
	ASSERT_EQ(0, crew_start(&self->busy[0], busy, 1));
	bytes = memory();
	ASSERT_EQ(0, watch_load(NULL));
	EXPECT_EQ(all, count(KVMWATCH_KIND_VM));
	EXPECT_EQ(all, count(KVMWATCH_KIND_VCPU));
	/* The idle VMs have no APIC in KVM, so KVM makes no slot of its own for them. */
	EXPECT_EQ(all - busy + busy * vendor_slots(2), count(KVMWATCH_KIND_SLOT));
	EXPECT_EQ(all, directories());
	bytes = (memory() - bytes) / all;
	records = bytes_of_records();
	nr_files = files_of_one();
	TH_LOG("%d VMs; memory of one %lld, of which records %lld; it has %d files", all, bytes,
	       records, nr_files);
	EXPECT_LT(0, records);
	EXPECT_GE(records * 3 / 2 + nr_files * bytes_of_file(), bytes);
	EXPECT_EQ(all, agree());
	EXPECT_EQ(all, read_table());
	EXPECT_EQ(all, read_each());

	EXPECT_EQ(0, crew_end(&self->busy[0]));
	for (i = 0; i < IDLE_CREWS; i++)
		EXPECT_EQ(0, crew_end(&self->idle[i]));
	EXPECT_EQ(0, count(KVMWATCH_KIND_VM));
	EXPECT_TRUE(WATCH_EVENTUALLY(!directories()));
	EXPECT_TRUE(WATCH_EVENTUALLY(!watch_records()));
}

/* The VMs fault while kvmwatch is loaded and unloaded. */
TEST_F_TIMEOUT(scale, a_crowd_at_work_is_found_with_all_its_pages, 1150)
{
	int part = slow_times() > 1 ? 20 : short_run() ? 10 : 1, i, round;
	int each_crew = CROWD / part / BUSY_CREWS, rounds = short_run() ? 2 : ROUNDS;
	int crowd = each_crew * BUSY_CREWS;

	for (i = 0; i < BUSY_CREWS; i++)
		ASSERT_EQ(0, crew_start(&self->busy[i], each_crew, 1));
	for (round = 0; round < rounds; round++) {
		ASSERT_EQ(0, watch_load(NULL));
		EXPECT_EQ(crowd, count(KVMWATCH_KIND_VM));
		EXPECT_EQ(crowd, count(KVMWATCH_KIND_VCPU));
		EXPECT_EQ(crowd * vendor_slots(2), count(KVMWATCH_KIND_SLOT));
		EXPECT_EQ(crowd, agree());
		if (round < rounds - 1)
			ASSERT_EQ(0, watch_unload_patiently());
	}
	for (i = 0; i < BUSY_CREWS; i++)
		EXPECT_EQ(0, crew_end(&self->busy[i]))
			TH_LOG("crew %d", i);
}

TEST_HARNESS_MAIN
