// SPDX-License-Identifier: GPL-2.0
/*
 * VMs, vCPUs and slots are created and end: lists, tables and debugfs show exactly those that
 * exist.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/prctl.h>

#include "kselftest_harness.h"
#include "libkvmwatch.h"
#include "listed.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "vendor.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define OTHER_GPA	0x80000000ULL
#define PAGES		64

/* --- VMs ------------------------------------------------------------------- */

/* Are at least @nr records of each kind ready? The housekeeper makes them when it gets to run. */
static bool are_ready(unsigned int nr)
{
	char *hooks = watch_debugfs_table("hooks"), *line;
	unsigned int vms = 0, vcpus = 0, slots = 0;

	line = hooks ? strstr(hooks, "# records (of them ready for new ones):") : NULL;
	line = line ? strchr(line, ':') : NULL;
	if (line)
		sscanf(line, ": %*s %*u (%u), %*s %*u (%u), %*s %*u (%u)", &vms, &vcpus, &slots);
	free(hooks);
	return vms >= nr && vcpus >= nr && slots >= nr;
}

/* Read the whole data block of a stats fd. Returns its length. */
static ssize_t read_data(int fd, void *data, size_t size)
{
	struct kvmwatch_stats_header header;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return -1;
	return pread(fd, data, size, header.data_offset);
}

TEST(a_new_vm_is_listed_at_once_with_name_and_owner)
{
	struct kvmwatch_vm vm = {};
	struct guest *g;

	prctl(PR_SET_NAME, "life-vmm");
	g = guest_new(2, 0);
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_NE(0, vm.id);
	EXPECT_EQ(getpid(), vm.pid);
	EXPECT_STREQ("life-vmm", vm.comm);
	EXPECT_EQ(2, vm.vcpus);
	EXPECT_EQ(vendor_slots(1), vm.slots);
	EXPECT_EQ(GUEST_SLOT0_PAGES * GUEST_PAGE, vm.memory);
	EXPECT_EQ(0, vm.flags);
	EXPECT_LT(0, vm.footprint);
	guest_free(g);
}

static void *make_guest(void *unused)
{
	prctl(PR_SET_NAME, "life-thread");
	return guest_new(1, 0);
}

TEST(a_vm_that_a_thread_made_has_its_program_s_name)
{
	struct kvmwatch_vm vm = {};
	pthread_t thread;
	void *g = NULL;

	prctl(PR_SET_NAME, "life-vmm");
	ASSERT_EQ(0, pthread_create(&thread, NULL, make_guest, NULL));
	ASSERT_EQ(0, pthread_join(thread, &g));
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(getpid(), vm.pid);
	EXPECT_STREQ("life-vmm", vm.comm);
	guest_free(g);
}

TEST(a_vm_with_neither_vcpu_nor_slot_is_listed)
{
	int before = listed_count(KVMWATCH_KIND_VM, 0), vm = create_bare_vm();

	ASSERT_LE(0, vm);
	EXPECT_EQ(before + 1, listed_count(KVMWATCH_KIND_VM, 0));
	close(vm);
	EXPECT_EQ(before, listed_count(KVMWATCH_KIND_VM, 0));
}

TEST(creations_that_fail_are_not_listed)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), i;
	struct guest *g = guest_new(2, 0);
	struct kvmwatch_vm vm = {};

	ASSERT_LE(0, kvm);
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, watch_find(g, &vm));
	for (i = 0; i < 100; i++) {
		if (i % 8 == 0)
			ASSERT_TRUE(WATCH_EVENTUALLY(are_ready(8)));
		EXPECT_EQ(-1, ioctl(kvm, KVM_CREATE_VM, 0x12345));
		EXPECT_EQ(-1, ioctl(guest_vm_fd(g), KVM_CREATE_VCPU, 1));
	}
	EXPECT_EQ(EEXIST, errno);
	ASSERT_TRUE(WATCH_EVENTUALLY(are_ready(8)));
	EXPECT_EQ(1, listed_count(KVMWATCH_KIND_VM, 0));
	EXPECT_EQ(2, listed_count(KVMWATCH_KIND_VCPU, vm.id));
	EXPECT_EQ(2, watch_vm_stat(g, "vcpus"));
	EXPECT_EQ(2, guest_vcpu_add(g));
	EXPECT_EQ(3, listed_count(KVMWATCH_KIND_VCPU, vm.id));
	EXPECT_EQ(0, guest_run(g, 2, work_out(10)));
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
	guest_free(g);
	close(kvm);
	EXPECT_EQ(0, listed_count(KVMWATCH_KIND_VM, 0));
}

/* No other event makes kvmwatch look for this VM, but readers do. */
TEST(a_new_vm_s_files_come_by_themselves)
{
	struct guest *g;
	char name[64];
	int round;
	__u64 value;

	for (round = 0; round < 10; round++) {
		g = guest_new(2, 0);
		ASSERT_NE(NULL, g);
		strcpy(name, guest_name(g));
		ASSERT_EQ(0, watch_debugfs(g, "vcpus", &value));
		EXPECT_EQ(2, value);
		ASSERT_EQ(0, watch_debugfs(g, "vcpu1/loads", &value));
		EXPECT_LT(0, value);
		ASSERT_EQ(0, watch_debugfs(g, "slot0-0/npages", &value));
		EXPECT_EQ(GUEST_SLOT0_PAGES, value);
		guest_free(g);
		EXPECT_TRUE(WATCH_EVENTUALLY(!has_dir(name)));
	}
}

TEST(ids_count_up_and_are_not_used_again)
{
	struct kvmwatch_vm vm = {};
	__u64 last_vm = 0, last_vcpu = 0;
	struct kvmwatch_vcpu *vcpus;
	struct guest *g;
	int round, i;

	for (round = 0; round < 5; round++) {
		g = guest_new(3, 0);
		ASSERT_NE(NULL, g);
		ASSERT_EQ(0, watch_find(g, &vm));
		EXPECT_LT(last_vm, vm.id);
		last_vm = vm.id;
		ASSERT_EQ(3, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus,
					sizeof(*vcpus)));
		for (i = 0; i < 3; i++) {
			EXPECT_LT(last_vcpu, vcpus[i].id);
			last_vcpu = vcpus[i].id;
		}
		free(vcpus);
		guest_free(g);
		EXPECT_EQ(-ENOENT, open_by_id(KVMWATCH_KIND_VM, last_vm, 0));
		EXPECT_EQ(-ENOENT, open_by_id(KVMWATCH_KIND_VCPU, last_vcpu, 0));
		EXPECT_EQ(-ENOENT, open_by_id(KVMWATCH_KIND_SLOT, last_vm, 0));
	}
}

/* So many marks, or nothing where nobody sees them. */
static __u64 seen_marks(__u64 marks)
{
	return watch_marks_are_hidden() ? ~0ULL : marks;
}

TEST(a_destroyed_vm_disappears_but_its_open_numbers_stay)
{
	static const char *const counts[3][3] = {
		{ "map_4k", "dirty_marks_new", "loads" }, { "loads", "puts", "on_cpu_ns" },
		{ "npages", "base_gfn", "dirty_marks_new" },
	};
	struct kvmwatch_vm vm = {};
	__u64 before[3][3], first[4096], again[4096];
	struct guest *g = guest_new(2, 0);
	char name[64];
	int fds[3], i, j;
	ssize_t size;

	ASSERT_NE(NULL, g);
	strcpy(name, guest_name(g));
	ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1)));
	ASSERT_EQ(0, guest_run(g, 1, work_out(10)));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_TRUE(WATCH_EVENTUALLY(has_dir(name)));

	fds[0] = watch_vm(g);
	fds[1] = watch_vcpu(g, 0);
	fds[2] = watch_slot(g, 0, SLOT);
	for (i = 0; i < 3; i++) {
		ASSERT_LE(0, fds[i]);
		for (j = 0; j < 3; j++)
			before[i][j] = stat_of(fds[i], counts[i][j]);
	}
	EXPECT_EQ(seen_marks(PAGES), before[0][1]);
	EXPECT_EQ(seen_marks(PAGES), before[2][1 + 1]);
	guest_free(g);

	EXPECT_FALSE(id_is_listed(vm.id));
	EXPECT_EQ(-ENOENT, open_by_id(KVMWATCH_KIND_VM, vm.id, 0));
	EXPECT_FALSE(table_has("vms", name));
	EXPECT_FALSE(table_has("vcpus", name));
	EXPECT_TRUE(WATCH_EVENTUALLY(!has_dir(name)));
	for (i = 0; i < 3; i++) {
		for (j = 0; j < 3; j++) {
			__u64 now = stat_of(fds[i], counts[i][j]);

			EXPECT_TRUE(now != ~0ULL || (watch_marks_are_hidden() &&
						     strstr(counts[i][j], "marks")));
			EXPECT_LE(before[i][j], now)
				TH_LOG("%s of fd %d", counts[i][j], i);
		}
		/* And no number changes any more. */
		size = read_data(fds[i], first, sizeof(first));
		EXPECT_LT(0, size);
		usleep(20000);
		EXPECT_EQ(size, read_data(fds[i], again, sizeof(again)));
		EXPECT_EQ(0, memcmp(first, again, size))
			TH_LOG("fd %d", i);
	}
	EXPECT_EQ(before[0][0], stat_of(fds[0], "map_4k"));
	EXPECT_EQ(0, stat_of(fds[0], "mapped_4k"));
	EXPECT_EQ(seen_marks(PAGES), stat_of(fds[0], "dirty_marks_new"));
	EXPECT_EQ(0, stat_of(fds[0], "lost_events"));
	for (i = 0; i < 3; i++)
		close(fds[i]);
}

/* A reader of a table holds references only to the VMs that it has not shown yet. */
TEST(a_table_has_the_vms_that_there_were_when_its_reader_began)
{
	struct guest *g = guest_new(2, 0);
	char text[8192], name[64];
	ssize_t size = 0, more;
	int fd;

	ASSERT_NE(NULL, g);
	strcpy(name, guest_name(g));
	ASSERT_TRUE(is_listed(g));
	fd = open(WATCH_DEBUGFS "/vms", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, read(fd, text, 1));	/* fills the buffer with the head and no row */
	guest_free(g);

	EXPECT_TRUE(WATCH_EVENTUALLY(watch_records() <= 1))
		TH_LOG("%d records", watch_records());
	EXPECT_EQ(1, watch_records());
	EXPECT_FALSE(table_has("vms", name));
	while (size < (ssize_t)sizeof(text) - 1 &&
	       (more = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
		size += more;
	text[size] = '\0';
	EXPECT_NE(NULL, strstr(text, name)) TH_LOG("%s", text);
	close(fd);
	EXPECT_TRUE(WATCH_EVENTUALLY(!watch_records())) TH_LOG("%d records", watch_records());
}

TEST(a_vm_without_its_fd_lives_as_long_as_its_vcpus)
{
	int room = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct guest *g = guest_new(2, 0), *same_fd;
	struct kvmwatch_vm vm = {};
	__u64 loads;

	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, watch_find(g, &vm));
	guest_close_vm(g);
	EXPECT_TRUE(is_listed(g));
	loads = watch_vcpu_stat(g, 1, "loads");
	EXPECT_EQ(0, guest_run(g, 1, work_out(10)));
	EXPECT_LE(loads + 11, watch_vcpu_stat(g, 1, "loads"));

	/* The next VM gets the same fd number, and KVM cannot give it that name. */
	close(room);
	same_fd = guest_new(1, 0);
	ASSERT_NE(NULL, same_fd);
	EXPECT_STREQ(guest_name(g), guest_name(same_fd));
	EXPECT_EQ(2, listed_count(KVMWATCH_KIND_VM, 0));
	EXPECT_EQ(1, watch_vm_stat(same_fd, "vcpus"));
	EXPECT_TRUE(id_is_listed(vm.id));
	guest_close_vcpu(g, 0);
	EXPECT_TRUE(id_is_listed(vm.id));
	guest_close_vcpu(g, 1);
	EXPECT_FALSE(id_is_listed(vm.id));
	EXPECT_EQ(1, listed_count(KVMWATCH_KIND_VM, 0));
	guest_free(same_fd);
	guest_free(g);
	EXPECT_EQ(0, listed_count(KVMWATCH_KIND_VM, 0));
}

/* --- vCPUs and slots ------------------------------------------------------- */

/* Threads that take turns in running one vCPU, each on the other pCPU than the thread before. */
struct turns {
	struct guest *g;
	__u64 vm;
	pthread_mutex_t lock;
	int wrong;
};

#define TURN_THREADS	4
#define TURNS		25

static int tid_of_vcpu(__u64 vm)
{
	struct kvmwatch_vcpu *vcpus;
	int tid = -1;

	if (watch_list(KVMWATCH_KIND_VCPU, vm, (void **)&vcpus, sizeof(*vcpus)) == 1)
		tid = vcpus->tid;
	free(vcpus);
	return tid;
}

static void *take_turns(void *arg)
{
	struct turns *turns = arg;
	cpu_set_t cpus;
	int i;

	for (i = 0; i < TURNS; i++) {
		CPU_ZERO(&cpus);
		CPU_SET(i % 2, &cpus);
		sched_setaffinity(0, sizeof(cpus), &cpus);
		pthread_mutex_lock(&turns->lock);
		turns->wrong += !!guest_run(turns->g, 0, work_out(1));
		turns->wrong += tid_of_vcpu(turns->vm) != gettid();
		pthread_mutex_unlock(&turns->lock);
		usleep(1);
	}
	return NULL;
}

TEST(a_vcpu_that_threads_run_in_turn_counts_as_one)
{
	struct turns turns = { .g = guest_new(1, 0) };
	__u64 runs, loads, preemptions, user_exits, ns;
	pthread_t threads[TURN_THREADS];
	struct kvmwatch_vm vm = {};
	__u64 begin[2], end[2], slack;
	const void *all;
	int i, fd;

	ASSERT_EQ(0, pthread_mutex_init(&turns.lock, NULL));
	ASSERT_NE(NULL, turns.g);
	ASSERT_EQ(0, watch_find(turns.g, &vm));
	turns.vm = vm.id;
	fd = watch_vcpu(turns.g, 0);
	ASSERT_EQ(0, guest_run(turns.g, 0, work_out(1)));
	runs = guest_runs(turns.g, 0);
	begin[0] = clock_ns(CLOCK_MONOTONIC_RAW);
	all = oracle_snapshot(fd, NULL);
	begin[1] = clock_ns(CLOCK_MONOTONIC_RAW);
	loads = *oracle_in(all, "loads", NULL);
	preemptions = *oracle_in(all, "preemptions", NULL);
	user_exits = *oracle_in(all, "user_exits", NULL);
	ns = *oracle_in(all, "on_cpu_ns", NULL) + *oracle_in(all, "off_cpu_ns", NULL);
	free((void *)all);

	for (i = 0; i < TURN_THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, take_turns, &turns));
	for (i = 0; i < TURN_THREADS; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_EQ(0, turns.wrong);
	/* A thread that was joined may still be ending. */
	EXPECT_TRUE(WATCH_EVENTUALLY(!tid_of_vcpu(vm.id)));
	end[0] = clock_ns(CLOCK_MONOTONIC_RAW);
	all = oracle_snapshot(fd, NULL);
	end[1] = clock_ns(CLOCK_MONOTONIC_RAW);
	runs = guest_runs(turns.g, 0) - runs;
	loads = *oracle_in(all, "loads", NULL) - loads;
	EXPECT_EQ(*oracle_in(all, "loads", NULL), *oracle_in(all, "puts", NULL));
	preemptions = *oracle_in(all, "preemptions", NULL) - preemptions;
	EXPECT_EQ(TURN_THREADS * TURNS * 2, runs);
	EXPECT_EQ(runs, loads - preemptions);
	EXPECT_EQ(runs, *oracle_in(all, "user_exits", NULL) - user_exits);
	EXPECT_LT(TURNS / 2, *oracle_in(all, "load_migrations", NULL));

	/*
	 * Together these two times have no gap, whichever thread runs the vCPU. The test cannot
	 * read its clock at the same time as kvmwatch does.
	 */
	ns = *oracle_in(all, "on_cpu_ns", NULL) + *oracle_in(all, "off_cpu_ns", NULL) - ns;
	slack = sum_slack(end[1] - begin[0], 2 * loads + 2);
	EXPECT_LE(end[0] - begin[1], ns + slack);
	EXPECT_GE(end[1] - begin[0] + slack, ns);
	free((void *)all);
	EXPECT_EQ(0, watch_vm_stat(turns.g, "lost_events"));
	close(fd);
	guest_free(turns.g);
}

TEST(vcpus_are_listed_as_they_come_with_number_and_thread)
{
	struct guest *g = guest_new(0, 0);
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_vm vm = {};
	int nr, i;

	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(0, vm.vcpus);
	for (nr = 1; nr <= 4; nr++) {
		ASSERT_EQ(nr - 1, guest_vcpu_add(g));
		ASSERT_EQ(nr, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus,
					 sizeof(*vcpus)));
		for (i = 0; i < nr; i++) {
			EXPECT_EQ(i, vcpus[i].vcpu_id);
			EXPECT_EQ(vm.id, vcpus[i].vm);
			EXPECT_EQ(0, vcpus[i].flags);
		}
		free(vcpus);
		EXPECT_EQ(nr, watch_vm_stat(g, "vcpus"));
	}

	ASSERT_EQ(0, guest_start(g, 2, work_spin()));
	ASSERT_EQ(0, guest_start(g, 3, work_halt(1, GUEST_WAKE_USER, 0)));
	ASSERT_EQ(0, guest_wait_progress(g, 2, 1, 5000));
	ASSERT_EQ(0, guest_wait_asleep(g, 3, 1, 5000));
	ASSERT_EQ(4, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus)));
	EXPECT_EQ(guest_tid(g, 2), vcpus[2].tid);
	EXPECT_EQ(0, vcpus[2].flags & KVMWATCH_VCPU_HALTED);
	EXPECT_EQ(guest_tid(g, 3), vcpus[3].tid);
	EXPECT_EQ(KVMWATCH_VCPU_HALTED, vcpus[3].flags);
	free(vcpus);
	EXPECT_EQ(0, guest_wake(g, 3));
	EXPECT_EQ(0, guest_stop(g, 2));
	EXPECT_EQ(0, guest_wait(g, 2, 5000));
	EXPECT_EQ(0, guest_wait(g, 3, 5000));

	/* A vCPU whose fd is closed and whose thread has ended exists until its VM ends. */
	guest_close_vcpu(g, 2);
	ASSERT_EQ(4, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus)));
	EXPECT_EQ(0, vcpus[2].tid);
	EXPECT_EQ(KVMWATCH_TID_GONE, vcpus[2].flags);
	EXPECT_EQ(0, vcpus[3].flags);
	free(vcpus);
	guest_free(g);
}

/* Fork a child with pid @pid. Returns 0 if the kernel gave that pid to somebody else. */
static pid_t fork_as(pid_t pid)
{
	pid_t child;
	FILE *f;

	f = fopen("/proc/sys/kernel/ns_last_pid", "we");
	if (!f)
		return 0;
	fprintf(f, "%d", pid - 1);
	fclose(f);
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	if (child == pid)
		return child;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

TEST(a_thread_that_ended_is_no_process_that_has_its_number_now)
{
	struct guest *g = guest_new(1, 0);
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_vm vm = {};
	pid_t tid, child = 0;
	int i;

	NEEDS_VM(return, "it chooses the number of the next process");
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, watch_find(g, &vm));
	ASSERT_EQ(0, guest_start(g, 0, work_out(10)));
	ASSERT_EQ(0, guest_wait(g, 0, 5000));
	tid = guest_tid(g, 0);
	guest_close_vcpu(g, 0);
	for (i = 0; !child && i < 100; i++)
		child = fork_as(tid);
	if (!child)
		SKIP(return, "the kernel does not let processes choose their number");
	ASSERT_EQ(1, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus)));
	EXPECT_EQ(0, vcpus[0].tid);
	EXPECT_EQ(KVMWATCH_TID_GONE, vcpus[0].flags);
	free(vcpus);
	kill(child, SIGKILL);
	EXPECT_EQ(child, waitpid(child, NULL, 0));
	guest_free(g);
}

TEST(slots_are_listed_as_they_come_move_change_and_go)
{
	struct guest *g = guest_new(1, 0);
	struct kvmwatch_slot slot = {};
	struct kvmwatch_vm vm = {};
	int fd;

	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(vendor_slots(2), vm.slots);
	EXPECT_EQ((GUEST_SLOT0_PAGES + PAGES) * GUEST_PAGE, vm.memory);
	ASSERT_EQ(0, listed_slot(vm.id, SLOT, &slot));
	EXPECT_EQ(vm.id, slot.vm);
	EXPECT_EQ(GPA / GUEST_PAGE, slot.base_gfn);
	EXPECT_EQ(PAGES, slot.npages);
	EXPECT_EQ((unsigned long)guest_slot_host(g, SLOT), slot.userspace_addr);
	EXPECT_EQ(0, slot.flags);

	fd = watch_slot(g, 0, SLOT);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, 16, GUEST_PAGE, 1)));
	EXPECT_EQ(16, stat_of(fd, "mapped_4k"));

	ASSERT_EQ(0, guest_slot_move(g, SLOT, OTHER_GPA));
	ASSERT_EQ(0, listed_slot(vm.id, SLOT, &slot));
	EXPECT_EQ(OTHER_GPA / GUEST_PAGE, slot.base_gfn);
	EXPECT_EQ(PAGES, slot.npages);
	EXPECT_EQ(OTHER_GPA / GUEST_PAGE, stat_of(fd, "base_gfn"));
	EXPECT_EQ(0, stat_of(fd, "mapped_4k"));
	ASSERT_EQ(0, guest_run(g, 0, work_write(OTHER_GPA, 8, GUEST_PAGE, 1)));
	EXPECT_EQ(8, stat_of(fd, "mapped_4k"));
	EXPECT_TRUE(watch_mapped_is_kvms(g));

	ASSERT_EQ(0, guest_slot_flags(g, SLOT, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, listed_slot(vm.id, SLOT, &slot));
	EXPECT_EQ(KVM_MEM_LOG_DIRTY_PAGES, slot.flags);
	EXPECT_EQ(KVM_MEM_LOG_DIRTY_PAGES, stat_of(fd, "flags"));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(KVMWATCH_VM_DIRTY_LOG, vm.flags);
	ASSERT_EQ(0, guest_slot_flags(g, SLOT, 0));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(0, vm.flags);
	EXPECT_EQ(0, stat_of(fd, "flags"));

	ASSERT_EQ(0, guest_slot_del(g, SLOT));
	EXPECT_EQ(-ENOENT, listed_slot(vm.id, SLOT, &slot));
	EXPECT_EQ(-ENOENT, open_by_id(KVMWATCH_KIND_SLOT, vm.id, SLOT));
	EXPECT_EQ(vendor_slots(1), listed_count(KVMWATCH_KIND_SLOT, vm.id));
	EXPECT_EQ(vendor_slots(1), watch_vm_stat(g, "slots"));
	EXPECT_EQ(0, stat_of(fd, "mapped_4k"));
	EXPECT_TRUE(watch_mapped_is_kvms(g));
	close(fd);
	guest_free(g);
}

/* Name and id of a VM of this process whose id is not @not; 0: there is none. */
static __u64 other_vm(__u64 not, char *name, size_t size)
{
	struct kvmwatch_vm *vms;
	int nr, i;
	__u64 id = 0;

	nr = watch_list(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms));
	for (i = 0; i < nr; i++) {
		if (vms[i].id == not || vms[i].pid != getpid())
			continue;
		id = vms[i].id;
		snprintf(name, size, "%s", vms[i].name);
	}
	if (nr >= 0)
		free(vms);
	return id;
}

/*
 * A VM whose fd is closed lives on with its vCPU, and so does its directory in KVM's debugfs. The
 * next VM has the same fd, and KVM makes it no directory of that name.
 */
TEST(a_vm_without_a_directory_of_kvms_is_called_by_its_id)
{
	char name[KVMWATCH_NAME_SIZE] = "", expected[KVMWATCH_NAME_SIZE];
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), fd, vcpu, second;
	__u64 first_id, id;

	ASSERT_LE(0, kvm);
	fd = ioctl(kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, fd);
	vcpu = ioctl(fd, KVM_CREATE_VCPU, 0);
	ASSERT_LE(0, vcpu);
	first_id = other_vm(0, name, sizeof(name));
	snprintf(expected, sizeof(expected), "%d-%d", getpid(), fd);
	EXPECT_STREQ(expected, name);

	close(fd);
	second = ioctl(kvm, KVM_CREATE_VM, 0);
	ASSERT_EQ(fd, second);
	id = other_vm(first_id, name, sizeof(name));
	EXPECT_LT(first_id, id);
	snprintf(expected, sizeof(expected), "%d-vm%llu", getpid(), id);
	EXPECT_STREQ(expected, name);
	close(second);
	close(vcpu);
	close(kvm);
}

/* The id in the item of slot @number, in a read of all items of a VM's slots; 0: there is none. */
static __u64 item_id(__u64 vm, __u32 number)
{
	int dev = watch_device(), fd = kvmwatch_open_all(dev, KVMWATCH_KIND_SLOT, vm, 0);
	struct kvmwatch_all *all = NULL;
	__u64 id = 0;
	size_t i;

	if (fd >= 0 && !kvmwatch_all_read(fd, &all)) {
		for (i = 0; i < all->nr; i++) {
			if (kvmwatch_all_at(all, i)->number == number)
				id = kvmwatch_all_at(all, i)->id;
		}
	}
	kvmwatch_all_free(all);
	close(fd);
	close(dev);
	return id;
}

TEST(each_life_of_a_slot_has_an_id_of_its_own)
{
	struct guest *g = guest_new(1, 0), *other = guest_new(1, 0);
	struct kvmwatch_slot slot = {}, first = {}, others = {};
	struct kvmwatch_vm vm = {}, other_vm = {};
	__u64 last = 0;
	int round;

	ASSERT_NE(NULL, g);
	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, watch_find(g, &vm));
	ASSERT_EQ(0, watch_find(other, &other_vm));
	ASSERT_EQ(0, listed_slot(vm.id, 0, &first));
	ASSERT_EQ(0, listed_slot(other_vm.id, 0, &others));
	EXPECT_NE(0, first.life);
	EXPECT_NE(0, others.life);
	EXPECT_NE(first.life, others.life);
	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0));
		ASSERT_EQ(0, listed_slot(vm.id, SLOT, &slot));
		EXPECT_LT(last, slot.life);
		EXPECT_EQ(slot.life, item_id(vm.id, SLOT));
		last = slot.life;

		/* A slot that is moved, or logged, is still the same slot. */
		ASSERT_EQ(0, guest_slot_move(g, SLOT, OTHER_GPA));
		ASSERT_EQ(0, guest_slot_flags(g, SLOT, KVM_MEM_LOG_DIRTY_PAGES));
		ASSERT_EQ(0, listed_slot(vm.id, SLOT, &slot));
		EXPECT_EQ(last, slot.life);
		EXPECT_EQ(last, item_id(vm.id, SLOT));
		ASSERT_EQ(0, guest_slot_del(g, SLOT));
	}
	ASSERT_EQ(0, listed_slot(vm.id, 0, &slot));
	EXPECT_EQ(first.life, slot.life);
	EXPECT_EQ(first.life, item_id(vm.id, 0));
	guest_free(other);
	guest_free(g);
}

TEST(a_slot_made_again_starts_from_nothing)
{
	struct guest *g = guest_new(1, 0);
	int round, old = -1, dirty = 0;
	struct kvmwatch_vm vm = {};
	__u64 value;

	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, watch_find(g, &vm));
	for (round = 1; round <= 20; round++) {
		ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K,
					    KVM_MEM_LOG_DIRTY_PAGES));
		EXPECT_EQ(0, watch_slot_stat(g, SLOT, "mapped_4k"));
		EXPECT_EQ(seen_marks(0), watch_slot_stat(g, SLOT, "dirty_marks"));
		EXPECT_EQ(seen_marks(0), watch_slot_stat(g, SLOT, "dirty_marks_new"));
		EXPECT_EQ(0, watch_slot_stat(g, SLOT, "dirty_pages"));
		ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, round, GUEST_PAGE, 1)));
		EXPECT_EQ(round, watch_slot_stat(g, SLOT, "mapped_4k"));
		EXPECT_EQ(seen_marks(round), watch_slot_stat(g, SLOT, "dirty_marks_new"));
		dirty += round;
		if (round == 20)
			break;
		if (old >= 0)
			close(old);
		old = watch_slot(g, 0, SLOT);
		ASSERT_EQ(0, guest_slot_del(g, SLOT));
	}
	/* The VM keeps the counts of the earlier slots, and so do fds of them that are open. */
	EXPECT_EQ(seen_marks(dirty), watch_vm_stat(g, "dirty_marks_new"));
	EXPECT_EQ(seen_marks(19), stat_of(old, "dirty_marks_new"));
	EXPECT_EQ(PAGES, stat_of(old, "npages"));
	EXPECT_EQ(GPA / GUEST_PAGE, stat_of(old, "base_gfn"));
	EXPECT_TRUE(watch_mapped_is_kvms(g));
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
	/* There were 20 slots of this number: the files are those of the last one. */
	EXPECT_TRUE(WATCH_EVENTUALLY(!watch_debugfs(g, "slot0-1/mapped_4k", &value) &&
				     value == 20));
	close(old);
	guest_free(g);
}

/* How often @text is in the kernel's log. */
static int kernel_said(const char *text)
{
	int size = klogctl(10 /* get the size of the buffer */, NULL, 0), nr = 0;
	char *log = calloc(1, size + 1), *at = log;

	klogctl(3 /* read the whole log */, log, size);
	for (; (at = strstr(at, text)); at++)
		nr++;
	free(log);
	return nr;
}

/*
 * debugfs logs a complaint, whose words depend on the kernel, when a directory is created under a
 * name that exists.
 */
static int debugfs_complaints(void)
{
	return kernel_said("already present") + kernel_said("already exists");
}

/* A BIOS makes QEMU delete a slot and at once create another one of the same number. */
TEST(a_slot_made_again_at_once_gets_its_own_directory_without_a_complaint)
{
	int before = debugfs_complaints(), round;
	struct guest *g = guest_new(1, 0);
	__u64 value;

	ASSERT_NE(NULL, g);
	for (round = 1; round <= 100; round++) {
		ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, round, GUEST_MEM_4K, 0));
		ASSERT_EQ(0, guest_slot_add(g, SLOT + 1, OTHER_GPA, round, GUEST_MEM_4K, 0));
		/* In some rounds the slot lives long enough to get a directory. */
		if (round % 5 == 0) {
			ASSERT_EQ(0, watch_debugfs(g, "slot0-1/npages", &value));
			EXPECT_EQ(round, value);
		}
		ASSERT_EQ(0, guest_slot_del(g, SLOT));
		ASSERT_EQ(0, guest_slot_del(g, SLOT + 1));
	}
	ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, 7, GUEST_PAGE, 1)));
	ASSERT_EQ(0, watch_debugfs(g, "slot0-1/npages", &value));
	EXPECT_EQ(PAGES, value);
	ASSERT_EQ(0, watch_debugfs(g, "slot0-1/mapped_4k", &value));
	EXPECT_EQ(7, value);
	EXPECT_EQ(before, debugfs_complaints());
	guest_free(g);
}

/* A VMM that starts its VM anew gets the same fd, so KVM gives the VM the same name. */
TEST(a_vm_made_again_at_once_gets_its_own_directory_without_a_complaint)
{
	int before = debugfs_complaints(), round;
	char name[64] = "";
	struct guest *g;
	__u64 value;

	for (round = 1; round <= 60; round++) {
		g = guest_new(1 + round % 2, 0);
		ASSERT_NE(NULL, g);
		if (*name)
			EXPECT_STREQ(name, guest_name(g));
		strcpy(name, guest_name(g));
		ASSERT_EQ(0, guest_run(g, 0, work_out(round)));
		if (round % 5 == 0) {
			ASSERT_EQ(0, watch_debugfs(g, "vcpus", &value));
			EXPECT_EQ(1 + round % 2, value);
			ASSERT_EQ(0, watch_debugfs(g, "vcpu0/user_exits", &value));
			EXPECT_EQ(round + 1, value);
		}
		guest_free(g);
	}
	EXPECT_EQ(before, debugfs_complaints());
	EXPECT_TRUE(WATCH_EVENTUALLY(!has_dir(name)));
}

/* A reader of the list and its generation sees no change of the list without a new generation. */
TEST(the_list_changes_only_with_its_generation)
{
	/* Compare only the ids of VMs and vCPUs, as the rest of an item changes while they run. */
	static const __u32 sizes[] = {
		[KVMWATCH_KIND_VM] = sizeof(__u64), [KVMWATCH_KIND_VCPU] = sizeof(__u64),
		[KVMWATCH_KIND_SLOT] = sizeof(struct kvmwatch_slot),
	};
	static char items[2][64 * sizeof(struct kvmwatch_slot)];
	int dev = watch_device(), i, rounds = 0, differ = 0, compared = 0;
	struct kvmwatch_list list[2];
	pid_t maker;
	__u32 kind;

	ASSERT_LE(0, dev);
	maker = fork();
	if (!maker) {
		for (;;)
			guest_free(guest_new(2, 0));
	}
	while (rounds++ < 6000) {
		kind = KVMWATCH_KIND_VM + rounds % 3;
		memset(items, 0, sizeof(items));
		for (i = 0; i < 2; i++) {
			list[i] = (struct kvmwatch_list){
				.size = sizeof(list[i]), .kind = kind,
				.items = (unsigned long)items[i], .item_size = sizes[kind],
				.nr = 64,
			};
			ASSERT_EQ(0, ioctl(dev, KVMWATCH_LIST, &list[i]));
		}
		if (list[0].generation != list[1].generation || list[0].state | list[1].state)
			continue;
		/* The generation was the same before and after, so both lists must be equal. */
		compared++;
		differ += list[0].nr != list[1].nr || memcmp(items[0], items[1], sizeof(*items));
	}
	kill(maker, SIGKILL);
	waitpid(maker, NULL, 0);
	EXPECT_EQ(0, differ);
	EXPECT_LT(0, compared);
	close(dev);
}

TEST_HARNESS_MAIN
