// SPDX-License-Identifier: GPL-2.0
/*
 * Objects come and go, KVM comes and goes, kvmwatch comes and goes: what is listed
 * is what is there.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "kselftest_harness.h"
#include "libkvmwatch.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "vendor.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define OTHER_GPA	0x80000000ULL
#define PAGES		64

/* --- small questions ------------------------------------------------------- */

static int is_listed(struct guest *g)
{
	struct kvmwatch_vm vm;

	return !watch_find(g, &vm);
}

static int id_is_listed(__u64 id)
{
	struct kvmwatch_vm *vms;
	int nr, found = 0;

	nr = watch_list(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms));
	while (nr > 0)
		found |= vms[--nr].id == id;
	free(vms);
	return found;
}

static int count(unsigned int kind, __u64 vm)
{
	void *items;
	int nr;

	nr = watch_list(kind, vm, &items, sizeof(struct kvmwatch_vm));
	free(items);
	return nr;
}

/* What is listed of a slot of address space 0. */
static int find_slot(__u64 vm, unsigned int id, struct kvmwatch_slot *slot)
{
	struct kvmwatch_slot *slots;
	int nr, i, err = -ENOENT;

	nr = watch_list(KVMWATCH_KIND_SLOT, vm, (void **)&slots, sizeof(*slots));
	for (i = 0; i < nr; i++) {
		if (!slots[i].as_id && slots[i].id == id) {
			*slot = slots[i];
			err = 0;
		}
	}
	free(slots);
	return err;
}

/* Open by kvmwatch's id; an fd or -errno. */
static int open_id(unsigned int kind, __u64 id, unsigned int slot)
{
	struct kvmwatch_open arg = {
		.size = sizeof(arg), .kind = kind, .id = id, .slot = slot,
	};
	int dev = watch_device(), fd;

	fd = ioctl(dev, KVMWATCH_OPEN, &arg);
	if (fd < 0)
		fd = -errno;
	close(dev);
	return fd;
}

static __u64 stat_of(int fd, const char *name)
{
	__u64 value;

	return oracle_read(fd, name, &value) ? ~0ULL : value;
}

static int has_dir(const char *name)
{
	char path[192];

	snprintf(path, sizeof(path), WATCH_DEBUGFS "/vm/%s", name);
	return !access(path, F_OK);
}

static int table_has(const char *table, const char *text)
{
	char *all = watch_debugfs_table(table);
	int has = all && strstr(all, text);

	free(all);
	return has;
}

static unsigned long long events_of_unknown_vms(void)
{
	unsigned long long nr = ~0ULL;
	char *hooks = watch_debugfs_table("hooks");
	char *line = hooks ? strstr(hooks, "# events of VMs without a record: ") : NULL;

	if (line)
		sscanf(line, "# events of VMs without a record: %llu", &nr);
	free(hooks);
	return nr;
}

/* Are at least so many records of each kind ready? The housekeeper makes them when it has time. */
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

/* The whole data block of a stats fd; how long it is. */
static ssize_t read_data(int fd, void *data, size_t size)
{
	struct kvmwatch_stats_header header;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return -1;
	return pread(fd, data, size, header.data_offset);
}

static int create_bare_vm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	close(kvm);
	return vm;
}

/* --- VMs ------------------------------------------------------------------- */

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
	int before = count(KVMWATCH_KIND_VM, 0), vm = create_bare_vm();

	ASSERT_LE(0, vm);
	EXPECT_EQ(before + 1, count(KVMWATCH_KIND_VM, 0));
	close(vm);
	EXPECT_EQ(before, count(KVMWATCH_KIND_VM, 0));
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
	EXPECT_EQ(1, count(KVMWATCH_KIND_VM, 0));
	EXPECT_EQ(2, count(KVMWATCH_KIND_VCPU, vm.id));
	EXPECT_EQ(2, watch_vm_stat(g, "vcpus"));
	EXPECT_EQ(2, guest_vcpu_add(g));
	EXPECT_EQ(3, count(KVMWATCH_KIND_VCPU, vm.id));
	EXPECT_EQ(0, guest_run(g, 2, work_out(10)));
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
	guest_free(g);
	close(kvm);
	EXPECT_EQ(0, count(KVMWATCH_KIND_VM, 0));
}

/* Nobody asks for them but who looks whether they are there. */
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
		EXPECT_EQ(-ENOENT, open_id(KVMWATCH_KIND_VM, last_vm, 0));
		EXPECT_EQ(-ENOENT, open_id(KVMWATCH_KIND_VCPU, last_vcpu, 0));
		EXPECT_EQ(-ENOENT, open_id(KVMWATCH_KIND_SLOT, last_vm, 0));
	}
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
	EXPECT_EQ(PAGES, before[0][1]);
	EXPECT_EQ(PAGES, before[2][1 + 1]);
	guest_free(g);

	EXPECT_FALSE(id_is_listed(vm.id));
	EXPECT_EQ(-ENOENT, open_id(KVMWATCH_KIND_VM, vm.id, 0));
	EXPECT_FALSE(table_has("vms", name));
	EXPECT_FALSE(table_has("vcpus", name));
	EXPECT_TRUE(WATCH_EVENTUALLY(!has_dir(name)));
	for (i = 0; i < 3; i++) {
		for (j = 0; j < 3; j++) {
			__u64 now = stat_of(fds[i], counts[i][j]);

			EXPECT_NE(~0ULL, now);
			EXPECT_LE(before[i][j], now)
				TH_LOG("%s of fd %d", counts[i][j], i);
		}
		/* And nothing goes on. */
		size = read_data(fds[i], first, sizeof(first));
		EXPECT_LT(0, size);
		usleep(20000);
		EXPECT_EQ(size, read_data(fds[i], again, sizeof(again)));
		EXPECT_EQ(0, memcmp(first, again, size))
			TH_LOG("fd %d", i);
	}
	EXPECT_EQ(before[0][0], stat_of(fds[0], "map_4k"));
	EXPECT_EQ(0, stat_of(fds[0], "mapped_4k"));
	EXPECT_EQ(PAGES, stat_of(fds[0], "dirty_marks_new"));
	EXPECT_EQ(0, stat_of(fds[0], "lost_events"));
	for (i = 0; i < 3; i++)
		close(fds[i]);
}

/* It keeps what it has yet to show, and no more. */
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
	ASSERT_EQ(1, read(fd, text, 1));	/* the table's head is ready, no row is */
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

	/* The next VM gets the same fd, and KVM has no name left for it. */
	close(room);
	same_fd = guest_new(1, 0);
	ASSERT_NE(NULL, same_fd);
	EXPECT_STREQ(guest_name(g), guest_name(same_fd));
	EXPECT_EQ(2, count(KVMWATCH_KIND_VM, 0));
	EXPECT_EQ(1, watch_vm_stat(same_fd, "vcpus"));
	EXPECT_TRUE(id_is_listed(vm.id));
	guest_close_vcpu(g, 0);
	EXPECT_TRUE(id_is_listed(vm.id));
	guest_close_vcpu(g, 1);
	EXPECT_FALSE(id_is_listed(vm.id));
	EXPECT_EQ(1, count(KVMWATCH_KIND_VM, 0));
	guest_free(same_fd);
	guest_free(g);
	EXPECT_EQ(0, count(KVMWATCH_KIND_VM, 0));
}

/* A VMM that makes a VM, leaves its fd to a child, and ends; @end is closed to end that. */
static void vmm_with_heir(int ready, int end)
{
	struct guest *g = guest_new(1, 0);
	char c = 0;

	prctl(PR_SET_NAME, "life-parent");
	if (!g || guest_run(g, 0, work_out(10)))
		_exit(1);
	if (!fork()) {
		(void)!read(end, &c, 1);
		_exit(0);
	}
	(void)!write(ready, guest_name(g), strlen(guest_name(g)) + 1);
	(void)!read(end, &c, 1);
	_exit(0);
}

static int find_name(const char *name, struct kvmwatch_vm *vm)
{
	struct kvmwatch_vm *vms;
	int nr, found = 0;

	nr = watch_list(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms));
	while (nr-- > 0) {
		if (!strcmp(vms[nr].name, name)) {
			*vm = vms[nr];
			found = 1;
		}
	}
	free(vms);
	return found;
}

TEST(a_vm_whose_fd_a_child_inherited_outlives_its_maker)
{
	struct kvmwatch_vm vm = {};
	int ready[2], end[2], status;
	char name[64] = "";
	__u64 mapped;
	pid_t vmm;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(end));
	vmm = fork();
	if (!vmm) {
		close(end[1]);
		vmm_with_heir(ready[1], end[0]);
	}
	close(end[0]);
	ASSERT_LT(0, read(ready[0], name, sizeof(name)));
	ASSERT_TRUE(find_name(name, &vm));
	EXPECT_EQ(vmm, vm.pid);

	/* One byte for whoever is first: let it be the VMM. */
	kill(vmm, SIGKILL);
	ASSERT_EQ(vmm, waitpid(vmm, &status, 0));
	ASSERT_TRUE(find_name(name, &vm))
		TH_LOG("%s is not listed", name);
	EXPECT_EQ(0, vm.pid);
	EXPECT_EQ(1, vm.vcpus);
	/* Its memory went with the VMM, as KVM says too if it counts. */
	if (oracle_debugfs(name, "pages_4k", &mapped) != -ENOENT)
		EXPECT_EQ(0, mapped);
	status = open_id(KVMWATCH_KIND_VM, vm.id, 0);
	EXPECT_EQ(0, stat_of(status, "mapped_4k"));
	close(status);

	close(end[1]);
	EXPECT_TRUE(WATCH_EVENTUALLY(!find_name(name, &vm)));
	EXPECT_TRUE(WATCH_EVENTUALLY(!has_dir(name)));
}

/* Send a name, with an fd unless that is negative; receive the same. */
static int send_name(int sock, const char *name, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec io = { .iov_base = (void *)name, .iov_len = strlen(name) + 1 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	return sendmsg(sock, &msg, 0) < 0 ? -errno : 0;
}

static int receive_name(int sock, char *name, size_t size)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec io = { .iov_base = name, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &io, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd = -ENODATA;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) <= 0)
		return -ENODATA;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

static int open_fd(unsigned int kind, int kvm_fd)
{
	struct kvmwatch_open arg = {
		.size = sizeof(arg), .kind = kind, .flags = KVMWATCH_OPEN_BY_FD, .fd = kvm_fd,
	};
	int dev = watch_device(), fd;

	fd = ioctl(dev, KVMWATCH_OPEN, &arg);
	if (fd < 0)
		fd = -errno;
	close(dev);
	return fd;
}

TEST(a_vm_whose_fd_was_passed_on_ends_where_it_is_closed)
{
	int pair[2], fd, stats, again;
	struct kvmwatch_vm vm = {};
	char name[64] = "", c = 0;
	struct guest *g;
	__u64 loads;
	pid_t maker;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	maker = fork();
	if (!maker) {
		close(pair[0]);
		g = guest_new(2, 0);
		if (!g || guest_run(g, 1, work_out(10)) ||
		    send_name(pair[1], guest_name(g), guest_vm_fd(g)))
			_exit(1);
		(void)!read(pair[1], &c, 1);
		_exit(0);
	}
	close(pair[1]);
	fd = receive_name(pair[0], name, sizeof(name));
	ASSERT_LE(0, fd);
	ASSERT_TRUE(find_name(name, &vm));
	EXPECT_EQ(maker, vm.pid);
	stats = open_fd(KVMWATCH_KIND_VM, fd);
	ASSERT_LE(0, stats);
	loads = stat_of(stats, "loads");
	EXPECT_EQ(11, stat_of(stats, "user_exits"));
	EXPECT_EQ(GUEST_SLOT0_PAGES, stat_of(stats, "mapped_4k"));

	/* The maker goes, with its threads, its vCPUs' fds and the memory. */
	close(pair[0]);
	ASSERT_EQ(maker, waitpid(maker, NULL, 0));
	ASSERT_TRUE(find_name(name, &vm));
	EXPECT_EQ(0, vm.pid);
	EXPECT_EQ(2, vm.vcpus);
	EXPECT_EQ(loads, stat_of(stats, "loads"));
	EXPECT_EQ(loads, stat_of(stats, "puts"));
	EXPECT_EQ(0, stat_of(stats, "mapped_4k"));
	again = open_fd(KVMWATCH_KIND_VM, fd);
	EXPECT_EQ(11, stat_of(again, "user_exits"));
	close(again);

	close(fd);
	EXPECT_FALSE(find_name(name, &vm));
	EXPECT_TRUE(WATCH_EVENTUALLY(!has_dir(name)));
	EXPECT_EQ(11, stat_of(stats, "user_exits"));
	EXPECT_LE(loads, stat_of(stats, "loads"));
	EXPECT_EQ(0, stat_of(stats, "lost_events"));
	EXPECT_EQ(0, stat_of(stats, "audit_failures"));
	close(stats);
}

/* A VMM that forks shares its memory with the child, page by page until one of them writes. */
TEST(a_vmm_that_forks_is_one_vm_with_its_pages)
{
	struct guest *g = guest_new(1, 0);
	struct kvmwatch_vm vm = {};
	int end[2];
	pid_t child;
	char c;

	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, pipe2(end, O_CLOEXEC));
	ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1)));
	EXPECT_EQ(PAGES, watch_slot_stat(g, SLOT, "dirty_marks_new"));
	EXPECT_EQ(PAGES, guest_dirty_get(g, SLOT, NULL));

	child = fork();
	if (!child) {
		close(end[1]);
		(void)!read(end[0], &c, 1);
		_exit(0);
	}
	EXPECT_TRUE(watch_mapped_is_kvms(g))
		TH_LOG("mapped_4k is %lld", watch_vm_stat(g, "mapped_4k"));
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, PAGES / 2, GUEST_PAGE, 1)));
	EXPECT_LE(PAGES / 2, watch_slot_stat(g, SLOT, "mapped_4k"));
	EXPECT_EQ(PAGES + PAGES / 2, watch_slot_stat(g, SLOT, "dirty_marks_new"));
	EXPECT_EQ(PAGES / 2, guest_dirty_get(g, SLOT, NULL));
	EXPECT_TRUE(watch_mapped_is_kvms(g));
	EXPECT_EQ(1, watch_audit(g, NULL));
	EXPECT_EQ(1, count(KVMWATCH_KIND_VM, 0));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(getpid(), vm.pid);

	/* The child has the fds, too. */
	guest_free(g);
	EXPECT_TRUE(id_is_listed(vm.id));
	close(end[1]);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_FALSE(id_is_listed(vm.id));
	EXPECT_EQ(0, count(KVMWATCH_KIND_VM, 0));
	close(end[0]);
}

/* The first process of a pid namespace, which has a VM; what is wrong with what it sees. */
static int vmm_in_namespace(int sock)
{
	struct guest *g = guest_new(1, 0);
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_vm *vms;
	char fd[16], c;

	if (getpid() != 1 || !g || guest_run(g, 0, work_out(1)))
		return 1;
	if (watch_list(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms)) != 1 ||
	    watch_list(KVMWATCH_KIND_VCPU, 0, (void **)&vcpus, sizeof(*vcpus)) != 1)
		return 2;
	if (vms->pid != 1 || vcpus->tid != 1)
		return 3;
	snprintf(fd, sizeof(fd), "%d", guest_vm_fd(g));
	send_name(sock, fd, -1);
	(void)!read(sock, &c, 1);
	return 0;
}

/* In a namespace below, nobody is there whom the pid could name. */
static int reader_in_namespace(void)
{
	struct kvmwatch_vm *vms;
	int status;

	if (unshare(CLONE_NEWPID))
		return 1;
	if (!fork()) {
		if (watch_list(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms)) != 1)
			_exit(2);
		_exit(vms->pid ? 3 : 0);
	}
	wait(&status);
	return WEXITSTATUS(status);
}

TEST(a_vm_in_a_pid_namespace_has_kvm_s_name_and_the_reader_s_pid)
{
	char fd[16] = "", name[64], path[128];
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_vm vm = {};
	int pair[2], status;
	pid_t vmm, reader;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	ASSERT_EQ(0, unshare(CLONE_NEWPID));	/* for children */
	vmm = fork();
	if (!vmm) {
		close(pair[0]);
		_exit(vmm_in_namespace(pair[1]));
	}
	close(pair[1]);
	receive_name(pair[0], fd, sizeof(fd));
	snprintf(name, sizeof(name), "%d-%s", vmm, fd);
	EXPECT_EQ(0, oracle_debugfs_dir(name, path, sizeof(path)));
	EXPECT_TRUE(find_name(name, &vm))
		TH_LOG("no %s", name);
	EXPECT_EQ(vmm, vm.pid);
	EXPECT_TRUE(WATCH_EVENTUALLY(has_dir(name)));
	ASSERT_EQ(1, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus)));
	EXPECT_EQ(vmm, vcpus->tid);
	free(vcpus);

	reader = fork();
	if (!reader)
		_exit(reader_in_namespace());
	ASSERT_EQ(reader, waitpid(reader, &status, 0));
	EXPECT_EQ(0, status);
	close(pair[0]);
	ASSERT_EQ(vmm, waitpid(vmm, &status, 0));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_FALSE(find_name(name, &vm));
}

/* --- vCPUs and slots ------------------------------------------------------- */

/* Threads that run one vCPU in turn, each on the other pCPU than the one before. */
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
	/* A thread that was joined may be on its way out for a moment. */
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
	 * On and off a pCPU without a gap, whoever runs it. The clock is the same one, but not read
	 * at the same moment.
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

	/* Without its fd and its thread a vCPU is there until its VM ends. */
	guest_close_vcpu(g, 2);
	ASSERT_EQ(4, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus)));
	EXPECT_EQ(0, vcpus[2].tid);
	EXPECT_EQ(0, vcpus[2].flags);
	EXPECT_EQ(0, vcpus[3].flags);
	free(vcpus);
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
	ASSERT_EQ(0, find_slot(vm.id, SLOT, &slot));
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
	ASSERT_EQ(0, find_slot(vm.id, SLOT, &slot));
	EXPECT_EQ(OTHER_GPA / GUEST_PAGE, slot.base_gfn);
	EXPECT_EQ(PAGES, slot.npages);
	EXPECT_EQ(OTHER_GPA / GUEST_PAGE, stat_of(fd, "base_gfn"));
	EXPECT_EQ(0, stat_of(fd, "mapped_4k"));
	ASSERT_EQ(0, guest_run(g, 0, work_write(OTHER_GPA, 8, GUEST_PAGE, 1)));
	EXPECT_EQ(8, stat_of(fd, "mapped_4k"));
	EXPECT_TRUE(watch_mapped_is_kvms(g));

	ASSERT_EQ(0, guest_slot_flags(g, SLOT, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, find_slot(vm.id, SLOT, &slot));
	EXPECT_EQ(KVM_MEM_LOG_DIRTY_PAGES, slot.flags);
	EXPECT_EQ(KVM_MEM_LOG_DIRTY_PAGES, stat_of(fd, "flags"));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(KVMWATCH_VM_DIRTY_LOG, vm.flags);
	ASSERT_EQ(0, guest_slot_flags(g, SLOT, 0));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(0, vm.flags);
	EXPECT_EQ(0, stat_of(fd, "flags"));

	ASSERT_EQ(0, guest_slot_del(g, SLOT));
	EXPECT_EQ(-ENOENT, find_slot(vm.id, SLOT, &slot));
	EXPECT_EQ(-ENOENT, open_id(KVMWATCH_KIND_SLOT, vm.id, SLOT));
	EXPECT_EQ(vendor_slots(1), count(KVMWATCH_KIND_SLOT, vm.id));
	EXPECT_EQ(vendor_slots(1), watch_vm_stat(g, "slots"));
	EXPECT_EQ(0, stat_of(fd, "mapped_4k"));
	EXPECT_TRUE(watch_mapped_is_kvms(g));
	close(fd);
	guest_free(g);
}

/* What a VM of ours is called whose number is not @not: its id, or 0. */
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

/* The id in the item of a slot, of all items of a VM's slots; 0: none has this number. */
static __u64 item_id(__u64 vm, __u32 number)
{
	int dev = watch_device(), fd = kvmwatch_open_all(dev, KVMWATCH_KIND_SLOT, vm, 0);
	struct kvmwatch_all *all = NULL;
	__u64 id = 0;
	size_t i;

	if (fd >= 0 && !kvmwatch_all_read(fd, &all)) {
		for (i = 0; i < all->nr; i++) {
			if (kvmwatch_all_item(all, i)->number == number)
				id = kvmwatch_all_item(all, i)->id;
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
	ASSERT_EQ(0, find_slot(vm.id, 0, &first));
	ASSERT_EQ(0, find_slot(other_vm.id, 0, &others));
	EXPECT_NE(0, first.life);
	EXPECT_NE(0, others.life);
	EXPECT_NE(first.life, others.life);
	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0));
		ASSERT_EQ(0, find_slot(vm.id, SLOT, &slot));
		EXPECT_LT(last, slot.life);
		EXPECT_EQ(slot.life, item_id(vm.id, SLOT));
		last = slot.life;

		/* It is moved, and logged: still the same slot. */
		ASSERT_EQ(0, guest_slot_move(g, SLOT, OTHER_GPA));
		ASSERT_EQ(0, guest_slot_flags(g, SLOT, KVM_MEM_LOG_DIRTY_PAGES));
		ASSERT_EQ(0, find_slot(vm.id, SLOT, &slot));
		EXPECT_EQ(last, slot.life);
		EXPECT_EQ(last, item_id(vm.id, SLOT));
		ASSERT_EQ(0, guest_slot_del(g, SLOT));
	}
	ASSERT_EQ(0, find_slot(vm.id, 0, &slot));
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
		EXPECT_EQ(0, watch_slot_stat(g, SLOT, "dirty_marks"));
		EXPECT_EQ(0, watch_slot_stat(g, SLOT, "dirty_marks_new"));
		EXPECT_EQ(0, watch_slot_stat(g, SLOT, "dirty_pages"));
		ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, round, GUEST_PAGE, 1)));
		EXPECT_EQ(round, watch_slot_stat(g, SLOT, "mapped_4k"));
		EXPECT_EQ(round, watch_slot_stat(g, SLOT, "dirty_marks_new"));
		dirty += round;
		if (round == 20)
			break;
		if (old >= 0)
			close(old);
		old = watch_slot(g, 0, SLOT);
		ASSERT_EQ(0, guest_slot_del(g, SLOT));
	}
	/* The VM keeps what the slots before counted, and so do their open fds. */
	EXPECT_EQ(dirty, watch_vm_stat(g, "dirty_marks_new"));
	EXPECT_EQ(19, stat_of(old, "dirty_marks_new"));
	EXPECT_EQ(PAGES, stat_of(old, "npages"));
	EXPECT_EQ(GPA / GUEST_PAGE, stat_of(old, "base_gfn"));
	EXPECT_TRUE(watch_mapped_is_kvms(g));
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
	/* Under one name there were 20: the files are those of the last. */
	EXPECT_TRUE(WATCH_EVENTUALLY(!watch_debugfs(g, "slot0-1/mapped_4k", &value) &&
				     value == 20));
	close(old);
	guest_free(g);
}

/* How often the kernel's log has @text. */
static int kernel_said(const char *text)
{
	int size = klogctl(10 /* size of the buffer */, NULL, 0), nr = 0;
	char *log = calloc(1, size + 1), *at = log;

	klogctl(3 /* read all */, log, size);
	for (; (at = strstr(at, text)); at++)
		nr++;
	free(log);
	return nr;
}

/*
 * debugfs complains in the kernel's log when somebody makes a directory under a name that it has
 * already, in words that depend on the kernel.
 */
static int debugfs_complaints(void)
{
	return kernel_said("already present") + kernel_said("already exists");
}

/* A BIOS makes QEMU delete a slot and make another of the same number at once. */
TEST(a_slot_made_again_at_once_gets_its_own_directory_without_a_complaint)
{
	int before = debugfs_complaints(), round;
	struct guest *g = guest_new(1, 0);
	__u64 value;

	ASSERT_NE(NULL, g);
	for (round = 1; round <= 100; round++) {
		ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, round, GUEST_MEM_4K, 0));
		ASSERT_EQ(0, guest_slot_add(g, SLOT + 1, OTHER_GPA, round, GUEST_MEM_4K, 0));
		/* Now and then the slot lives long enough to get a directory. */
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

/* A VMM that starts its VM again gets the same fds, so that KVM calls the VM as before. */
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

/* A change of what is listed that the generation does not tell is never seen by a reader. */
TEST(what_is_listed_only_changes_with_the_generation)
{
	struct kvmwatch_info info = { .size = sizeof(info) };
	struct kvmwatch_vm vms[2][8];
	struct kvmwatch_list list[2];
	int dev = watch_device(), i, rounds = 0, differ = 0;
	pid_t maker;

	ASSERT_LE(0, dev);
	maker = fork();
	if (!maker) {
		for (;;)
			guest_free(guest_new(2, 0));
	}
	while (rounds++ < 3000) {
		for (i = 0; i < 2; i++) {
			memset(vms[i], 0, sizeof(vms[i]));
			list[i] = (struct kvmwatch_list){
				.size = sizeof(list[i]), .kind = KVMWATCH_KIND_VM,
				.items = (unsigned long)vms[i], .item_size = sizeof(vms[i][0]),
				.nr = 8,
			};
			ASSERT_EQ(0, ioctl(dev, KVMWATCH_LIST, &list[i]));
		}
		ASSERT_EQ(0, ioctl(dev, KVMWATCH_INFO, &info));
		if (list[0].generation != info.generation)
			continue;
		/* All of it happened in one generation. */
		differ += list[0].nr != list[1].nr || vms[0][0].id != vms[1][0].id ||
			  vms[0][0].vcpus != vms[1][0].vcpus || vms[0][0].slots != vms[1][0].slots;
	}
	kill(maker, SIGKILL);
	waitpid(maker, NULL, 0);
	EXPECT_EQ(0, differ);
	close(dev);
}

/* --- the module ------------------------------------------------------------ */

TEST(the_module_does_not_depend_on_kvm)
{
	static const char wanted[] = "\0depends=";
	int fd = open(machine_module(), O_RDONLY | O_CLOEXEC);
	char *ko, line[512], name[64], users[256];
	int nr = 0;
	struct stat st;
	FILE *f;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fstat(fd, &st));
	ko = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, ko);
	/* "depends=" and nothing more */
	EXPECT_NE(NULL, memmem(ko, st.st_size, wanted, sizeof(wanted)));
	munmap(ko, st.st_size);
	close(fd);

	f = fopen("/proc/modules", "re");
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %*u %*u %255s", name, users) != 2)
			continue;
		nr++;
		EXPECT_EQ(NULL, strstr(users, "kvmwatch"))
			TH_LOG("%s is used by %s", name, users);
	}
	EXPECT_LT(2, nr);
	fclose(f);
}

FIXTURE(in_use)
{
	struct guest *g;
	int fd;
};

FIXTURE_VARIANT(in_use)
{
	const char *what;
};

FIXTURE_VARIANT_ADD(in_use, device) { "device" };
FIXTURE_VARIANT_ADD(in_use, vm_stats) { "vm" };
FIXTURE_VARIANT_ADD(in_use, vcpu_stats) { "vcpu" };
FIXTURE_VARIANT_ADD(in_use, dead_slot_stats) { "slot" };
FIXTURE_VARIANT_ADD(in_use, table) { "/vcpus" };
FIXTURE_VARIANT_ADD(in_use, value_file) { "/vm/%s/loads" };

FIXTURE_SETUP(in_use)
{
	const char *what = variant->what;
	char path[128], file[64];
	__u64 value;

	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	if (*what == '/') {
		ASSERT_EQ(0, watch_debugfs(self->g, "loads", &value));
		snprintf(file, sizeof(file), what, guest_name(self->g));
		snprintf(path, sizeof(path), WATCH_DEBUGFS "%s", file);
		self->fd = open(path, O_RDONLY | O_CLOEXEC);
	} else if (!strcmp(what, "device")) {
		self->fd = watch_device();
	} else if (!strcmp(what, "vm")) {
		self->fd = watch_vm(self->g);
	} else if (!strcmp(what, "vcpu")) {
		self->fd = watch_vcpu(self->g, 0);
	} else {
		ASSERT_EQ(0, guest_slot_add(self->g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0));
		self->fd = watch_slot(self->g, 0, SLOT);
		ASSERT_EQ(0, guest_slot_del(self->g, SLOT));
	}
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(in_use)
{
	close(self->fd);
	guest_free(self->g);
}

TEST_F(in_use, the_module_can_not_be_unloaded)
{
	int err = watch_unload();

	EXPECT_TRUE(err == -EAGAIN || err == -EBUSY)
		TH_LOG("delete_module: %s", strerror(-err));
	EXPECT_EQ(0, guest_run(self->g, 0, work_out(1)));
	EXPECT_TRUE(is_listed(self->g));
}

/* Tests that load the module themselves, and leave it as it was. */
FIXTURE(unloaded)
{
	struct guest *g;
};

FIXTURE_SETUP(unloaded)
{
	int err = watch_unload_patiently();

	ASSERT_TRUE(!err || err == -ENOENT);
}

FIXTURE_TEARDOWN(unloaded)
{
	guest_free(self->g);
	if (access("/dev/kvm", F_OK))
		EXPECT_EQ(0, vendor_load(""));
	watch_unload_patiently();
	EXPECT_EQ(0, watch_load(NULL));
}

TEST_F(unloaded, wrong_parameters_are_refused)
{
	static const char *const wrong[] = {
		"via=junk", "via=", "via=ftrace,kprobe", "pool=257", "pool=1,2,3,4", "pool=-1",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EINVAL, watch_load(wrong[i]))
			TH_LOG("%s", wrong[i]);
		EXPECT_NE(0, access("/sys/module/kvmwatch", F_OK));
		EXPECT_NE(0, access("/dev/kvmwatch", F_OK));
		EXPECT_NE(0, access(WATCH_DEBUGFS, F_OK));
	}
}

TEST_F(unloaded, a_vm_from_before_is_listed_when_the_module_is_loaded)
{
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_slot slot = {};
	struct kvmwatch_vm vm = {};
	struct guest *g;
	__u64 loads;

	prctl(PR_SET_NAME, "life-early");
	self->g = guest_new(3, 0);
	g = self->g;
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, 16, GUEST_PAGE, 1)));
	ASSERT_EQ(0, guest_start(g, 1, work_spin()));
	ASSERT_EQ(0, guest_start(g, 2, work_halt(1, GUEST_WAKE_USER, 0)));
	ASSERT_EQ(0, guest_wait_progress(g, 1, 1, 5000));
	ASSERT_EQ(0, guest_wait_asleep(g, 2, 1, 5000));

	ASSERT_EQ(0, watch_load(NULL));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(watch_finds_owners() ? getpid() : 0, vm.pid);
	EXPECT_STREQ(watch_finds_owners() ? "life-early" : "", vm.comm);
	EXPECT_EQ(3, vm.vcpus);
	EXPECT_EQ(vendor_slots(2), vm.slots);
	EXPECT_EQ(KVMWATCH_VM_DIRTY_LOG, vm.flags);
	ASSERT_EQ(0, find_slot(vm.id, SLOT, &slot));
	EXPECT_EQ(GPA / GUEST_PAGE, slot.base_gfn);
	EXPECT_EQ(PAGES, slot.npages);
	EXPECT_EQ((unsigned long)guest_slot_host(g, SLOT), slot.userspace_addr);
	EXPECT_TRUE(watch_mapped_is_kvms(g));
	ASSERT_EQ(3, watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus)));
	EXPECT_EQ(1, vcpus[1].vcpu_id);
	EXPECT_EQ(2, vcpus[2].vcpu_id);
	free(vcpus);
	EXPECT_TRUE(WATCH_EVENTUALLY(has_dir(guest_name(g))));

	/* All of them are followed from here on. */
	EXPECT_EQ(0, guest_stop(g, 1));
	EXPECT_EQ(0, guest_wait(g, 1, 5000));
	EXPECT_EQ(0, guest_wake(g, 2));
	EXPECT_EQ(0, guest_wait(g, 2, 5000));
	loads = watch_vcpu_stat(g, 0, "loads");
	EXPECT_EQ(0, guest_run(g, 0, work_write(GPA, 32, GUEST_PAGE, 1)));
	EXPECT_LT(loads, watch_vcpu_stat(g, 0, "loads"));
	EXPECT_EQ(32, watch_slot_stat(g, SLOT, "mapped_4k"));
	EXPECT_TRUE(watch_mapped_is_kvms(g));
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
	EXPECT_EQ(0, events_of_unknown_vms());
	guest_free(g);
	self->g = NULL;
	EXPECT_EQ(0, count(KVMWATCH_KIND_VM, 0));
}

/* A small guest and its numbers. */
static int works(void)
{
	struct guest *g = guest_new(1, 0);
	int ok;

	ok = g && !guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0) &&
	     !guest_run(g, 0, work_write(GPA, 16, GUEST_PAGE, 1)) && is_listed(g) &&
	     watch_slot_stat(g, SLOT, "mapped_4k") == 16 && watch_mapped_is_kvms(g) &&
	     !watch_vm_stat(g, "lost_events");
	guest_free(g);
	return ok;
}

static int all_attached(void)
{
	struct kvmwatch_hook *hooks;
	int nr, missing = 0;

	nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks));
	if (nr <= 0)
		return 0;
	while (nr--) {
		if (watch_hook_may_miss(&hooks[nr]) || hooks[nr].flags == KVMWATCH_HOOK_ATTACHED)
			continue;
		fprintf(stderr, "# %s: %s\n", hooks[nr].name, hooks[nr].reason);
		missing++;
	}
	free(hooks);
	return !missing;
}

TEST_F_TIMEOUT(unloaded, kvm_comes_and_goes_as_it_likes, 60)
{
	int i, stats;

	NEEDS_MACHINE(return, "it unloads KVM");
	/* A VM before either goes, then kvmwatch, and KVM twice. */
	ASSERT_EQ(0, watch_load(NULL));
	EXPECT_TRUE(works());
	self->g = guest_new(2, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_run(self->g, 1, work_out(10)));
	stats = watch_vm(self->g);
	guest_free(self->g);
	self->g = NULL;
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, vendor_unload());
		ASSERT_EQ(0, system("rmmod kvm"));
		EXPECT_TRUE(table_has("hooks", "kvm.ko is not loaded"));
		EXPECT_FALSE(table_has("hooks", " attached "));
		EXPECT_EQ(0, count(KVMWATCH_KIND_VM, 0));
		/* What is kept of a VM outlives the KVM that it was of. */
		EXPECT_EQ(11, stat_of(stats, "user_exits"));
		EXPECT_EQ(0, stat_of(stats, "audit_failures"));
		ASSERT_EQ(0, vendor_load(""));
		EXPECT_FALSE(table_has("hooks", "kvm.ko is not loaded"));
		EXPECT_TRUE(all_attached());
		EXPECT_TRUE(works());
		EXPECT_EQ(0, events_of_unknown_vms());
	}
	EXPECT_EQ(11, stat_of(stats, "user_exits"));
	close(stats);

	/* Now kvmwatch first, and KVM after it; and kvmwatch can go while KVM is away. */
	EXPECT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, vendor_unload_kvm());
	ASSERT_EQ(0, watch_load(NULL));
	EXPECT_TRUE(table_has("hooks", "kvm.ko is not loaded"));
	ASSERT_EQ(0, vendor_load(""));
	EXPECT_TRUE(all_attached());
	EXPECT_TRUE(works());
	EXPECT_EQ(0, vendor_unload());
	ASSERT_EQ(0, system("rmmod kvm"));
	EXPECT_EQ(0, watch_unload_patiently());
	EXPECT_EQ(0, vendor_load(""));
}

/* --- more objects at a time than records are ready --------------------------- */

FIXTURE(burst)
{
	struct guest *guests[6];
};

FIXTURE_VARIANT(burst)
{
	const char *pool;
	int lost;	/* at least: with a record ready, a quick housekeeper is in time */
};

FIXTURE_VARIANT_ADD(burst, one_of_each) { "pool=1,1,1", 0 };
FIXTURE_VARIANT_ADD(burst, none) { "pool=0,0,0", 1 };

FIXTURE_SETUP(burst)
{
	int err = watch_unload_patiently();
	char args[128];

	ASSERT_TRUE(!err || err == -ENOENT);
	snprintf(args, sizeof(args), "%s %s", getenv("MODARGS") ?: "", variant->pool);
	ASSERT_EQ(0, watch_load(args));
}

FIXTURE_TEARDOWN(burst)
{
	size_t i;

	for (i = 0; i < 6; i++)
		guest_free(self->guests[i]);
	watch_unload_patiently();
	EXPECT_EQ(0, watch_load(NULL));
}

TEST_F(burst, what_had_no_record_is_counted_and_found)
{
	unsigned long long lost;
	struct kvmwatch_vm vm;
	struct guest *g;
	int i, slot;

	for (i = 0; i < 6; i++) {
		g = guest_new(4, 0);
		self->guests[i] = g;
		ASSERT_NE(NULL, g);
		for (slot = 1; slot <= 4; slot++)
			ASSERT_EQ(0, guest_slot_add(g, slot, GPA + slot * 0x10000000ULL, PAGES,
						    GUEST_MEM_4K, 0));
		for (slot = 1; slot <= 4; slot++)
			ASSERT_EQ(0, guest_run(g, 0, work_write(GPA + slot * 0x10000000ULL,
								slot, GUEST_PAGE, 1)));
	}
	for (i = 0; i < 6; i++) {
		g = self->guests[i];
		EXPECT_TRUE(WATCH_EVENTUALLY(!watch_find(g, &vm) && vm.vcpus == 4 &&
					     vm.slots == vendor_slots(5)))
			TH_LOG("VM %d: %u vCPUs, %u slots", i, vm.vcpus, vm.slots);
		EXPECT_TRUE(WATCH_EVENTUALLY(watch_mapped_is_kvms(g)))
			TH_LOG("VM %d: mapped_4k %lld, of its slots %lld", i,
			       watch_vm_stat(g, "mapped_4k"), watch_slots_sum(g, "mapped_4k"));
		for (slot = 1; slot <= 4; slot++)
			EXPECT_EQ(slot, watch_slot_stat(g, slot, "mapped_4k"));
		if (vm.pid || watch_finds_owners()) {
			EXPECT_STREQ("life_test", vm.comm);
			EXPECT_EQ(getpid(), vm.pid);
		}
	}
	lost = events_of_unknown_vms();
	for (i = 0; i < 6; i++)
		lost += watch_vm_stat(self->guests[i], "lost_events");
	EXPECT_LE(variant->lost, lost);

	/* From then on as any other. */
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, guest_run(self->guests[i], 3, work_write(GPA + 0x10000000ULL, PAGES,
								      GUEST_PAGE, 1)));
		EXPECT_EQ(PAGES, watch_slot_stat(self->guests[i], 1, "mapped_4k"));
		EXPECT_TRUE(watch_mapped_is_kvms(self->guests[i]));
	}
}

/* Nothing else happens to these that would tell of them. */
TEST_F(burst, vms_without_vcpus_and_slots_are_found)
{
	int fds[20], i;

	for (i = 0; i < 20; i++) {
		fds[i] = create_bare_vm();
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_TRUE(WATCH_EVENTUALLY(count(KVMWATCH_KIND_VM, 0) == 20))
		TH_LOG("only %d are listed", count(KVMWATCH_KIND_VM, 0));
	for (i = 0; i < 20; i++)
		close(fds[i]);
	EXPECT_EQ(0, count(KVMWATCH_KIND_VM, 0));
}

/* --- more slots than may have counters ----------------------------------------- */

FIXTURE(few_counters)
{
	struct guest *g;
};

/* @adopted: the module is loaded when all is there */
FIXTURE_VARIANT(few_counters)
{
	const char *limit;
	int slots;	/* that have counters, beside those of KVM itself; -1: none at all */
	int adopted;
};

FIXTURE_VARIANT_ADD(few_counters, of_a_vm) { "vm_slots", 2, 0 };
FIXTURE_VARIANT_ADD(few_counters, of_a_vm_from_before) { "vm_slots", 2, 1 };
FIXTURE_VARIANT_ADD(few_counters, of_all) { "slot_mb", -1, 0 };
FIXTURE_VARIANT_ADD(few_counters, of_all_from_before) { "slot_mb", -1, 1 };

FIXTURE_SETUP(few_counters)
{
	int err;

	NEEDS_QUIET(FROM_SETUP, "it counts slots without counters of all VMs");
	err = watch_unload_patiently();
	ASSERT_TRUE(!err || err == -ENOENT);
}

FIXTURE_TEARDOWN(few_counters)
{
	guest_free(self->g);
	watch_unload_patiently();
	EXPECT_EQ(0, watch_load(NULL));
}

#define FEW_SLOTS	5

static __u64 few_gpa(int slot)
{
	return GPA + slot * 0x10000000ULL;
}

static int few_load(const char *limit, int slots)
{
	char args[128];

	snprintf(args, sizeof(args), "%s %s=%d", getenv("MODARGS") ?: "", limit,
		 slots < 0 ? 0 : (int)vendor_slots(slots));
	return watch_load(args);
}

static unsigned int slots_without_counters(void)
{
	char *hooks = watch_debugfs_table("hooks"), *at = strstr(hooks ?: "", "slots without: ");
	unsigned int nr = ~0U;

	if (at)
		sscanf(at, "slots without: %u", &nr);
	free(hooks);
	return nr;
}

/* A slot with so many pages written. Its size and its log are KVM's, whoever counts. */
static void few_check(struct __test_metadata *_metadata, struct guest *g, int slot, __u64 pages,
		      int counted, int marks)
{
	char path[128];
	__u64 value;

	EXPECT_EQ(PAGES, watch_slot_stat(g, slot, "npages"));
	EXPECT_EQ(pages, watch_slot_stat(g, slot, "dirty_pages"));
	EXPECT_EQ(counted ? pages : ~0ULL, watch_slot_stat(g, slot, "mapped_4k"))
		TH_LOG("slot %d", slot);
	EXPECT_EQ(counted && marks ? pages : counted ? 0 : ~0ULL,
		  watch_slot_stat(g, slot, "dirty_marks_new"))
		TH_LOG("slot %d", slot);
	snprintf(path, sizeof(path), "slot0-%d/mapped_4k", slot);
	if (counted) {
		EXPECT_EQ(0, watch_debugfs(g, path, &value));
		EXPECT_EQ(pages, value);
		return;
	}
	snprintf(path, sizeof(path), "%s/slot0-%d", guest_name(g), slot);
	EXPECT_FALSE(has_dir(path));
}

TEST_F(few_counters, slots_beyond_count_with_their_vm)
{
	int slot, adopted = variant->adopted, with = variant->slots - 1;
	__u64 mapped = GUEST_SLOT0_PAGES, marks = 0;
	struct guest *g;

	if (!adopted)
		ASSERT_EQ(0, few_load(variant->limit, variant->slots));
	self->g = guest_new(1, 0);
	g = self->g;
	ASSERT_NE(NULL, g);
	for (slot = 1; slot <= FEW_SLOTS; slot++) {
		ASSERT_EQ(0, guest_slot_add(g, slot, few_gpa(slot), PAGES, GUEST_MEM_4K,
					    KVM_MEM_LOG_DIRTY_PAGES));
		ASSERT_EQ(0, guest_run(g, 0, work_write(few_gpa(slot), slot, GUEST_PAGE, 1)));
		mapped += slot;
		marks += slot;
	}
	if (adopted) {
		ASSERT_EQ(0, few_load(variant->limit, variant->slots));
		marks = 0;
	}

	/* Slots of a VM from before come in any order: how many have counters is what counts. */
	if (adopted && with > 0) {
		EXPECT_EQ(FEW_SLOTS + 1 - variant->slots, slots_without_counters());
	} else {
		for (slot = 1; slot <= FEW_SLOTS; slot++)
			few_check(_metadata, g, slot, slot, slot <= with, !adopted);
	}
	EXPECT_EQ(mapped, watch_vm_stat(g, "mapped_4k"));
	EXPECT_EQ(marks, watch_vm_stat(g, "dirty_marks_new"));
	EXPECT_EQ(vendor_slots(FEW_SLOTS + 1), watch_vm_stat(g, "slots"));
	EXPECT_EQ(1, watch_audit(g, NULL));

	/* All count on, with the slot or with the VM. */
	for (slot = 1; slot <= FEW_SLOTS; slot++) {
		ASSERT_EQ(0, guest_run(g, 0, work_write(few_gpa(slot), PAGES, GUEST_PAGE, 1)));
		mapped += PAGES - slot;
		marks += PAGES - slot;
	}
	EXPECT_EQ(mapped, watch_vm_stat(g, "mapped_4k"));
	EXPECT_EQ(marks, watch_vm_stat(g, "dirty_marks_new"));
	EXPECT_EQ(1, watch_audit(g, NULL));

	/*
	 * What a slot had stays in the VM's numbers, and what it counted with is free again. With
	 * a slot, some kernels clear all that is mapped.
	 */
	for (slot = 1; slot <= FEW_SLOTS; slot++) {
		ASSERT_EQ(0, guest_slot_del(g, slot));
		mapped -= PAGES;
		EXPECT_GE(mapped, watch_vm_stat(g, "mapped_4k"));
		EXPECT_EQ(marks, watch_vm_stat(g, "dirty_marks_new"));
	}
	EXPECT_EQ(1, watch_audit(g, NULL));
	EXPECT_TRUE(WATCH_EVENTUALLY(slots_without_counters() ==
				     (variant->slots < 0 ? vendor_slots(1) : 0)));
	ASSERT_EQ(0, guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES));
	ASSERT_EQ(0, guest_run(g, 0, work_write(GPA, 7, GUEST_PAGE, 1)));
	few_check(_metadata, g, SLOT, 7, variant->slots > 0, 1);
	EXPECT_EQ(mapped + 7, watch_vm_stat(g, "mapped_4k"));
	EXPECT_EQ(marks + 7, watch_vm_stat(g, "dirty_marks_new"));
	EXPECT_EQ(1, watch_audit(g, NULL));
	EXPECT_EQ(0, watch_vm_stat(g, "audit_failures"));
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
}

TEST_HARNESS_MAIN
