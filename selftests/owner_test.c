// SPDX-License-Identifier: GPL-2.0
/*
 * Owners of VMs: a child inherits the VM's fd, another process receives it, the VMM forks, or the
 * VMM is in a pid namespace. The VM is listed as long as KVM has it, with its own name and owner.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "listed.h"
#include "oracle.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		64

/* A VMM creates a VM and ends. Its child has the VM's fd, and ends when @end is closed. */
static void vmm_with_heir(int ready, int end)
{
	struct guest *g = guest_new(1, 0);
	char c = 0;

	prctl(PR_SET_NAME, "owner-parent");
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

	/* Parent and child both wait for @end: end the VMM first. */
	kill(vmm, SIGKILL);
	ASSERT_EQ(vmm, waitpid(vmm, &status, 0));
	ASSERT_TRUE(find_name(name, &vm))
		TH_LOG("%s is not listed", name);
	EXPECT_EQ(0, vm.pid);
	EXPECT_EQ(KVMWATCH_PID_GONE, vm.flags & (KVMWATCH_PID_GONE | KVMWATCH_PID_HIDDEN));
	EXPECT_EQ(1, vm.vcpus);
	/* The VM's memory went with the VMM. If KVM counts mapped pages, it says so too. */
	if (oracle_debugfs(name, "pages_4k", &mapped) != -ENOENT)
		EXPECT_EQ(0, mapped);
	status = open_by_id(KVMWATCH_KIND_VM, vm.id, 0);
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
	stats = open_by_fd(KVMWATCH_KIND_VM, fd);
	ASSERT_LE(0, stats);
	loads = stat_of(stats, "loads");
	EXPECT_EQ(11, stat_of(stats, "user_exits"));
	EXPECT_EQ(GUEST_SLOT0_PAGES, stat_of(stats, "mapped_4k"));

	/* The process that created the VM ends, with its threads, its vCPUs' fds and the memory. */
	close(pair[0]);
	ASSERT_EQ(maker, waitpid(maker, NULL, 0));
	ASSERT_TRUE(find_name(name, &vm));
	EXPECT_EQ(0, vm.pid);
	EXPECT_EQ(KVMWATCH_PID_GONE, vm.flags & (KVMWATCH_PID_GONE | KVMWATCH_PID_HIDDEN));
	EXPECT_EQ(2, vm.vcpus);
	EXPECT_EQ(loads, stat_of(stats, "loads"));
	EXPECT_EQ(loads, stat_of(stats, "puts"));
	EXPECT_EQ(0, stat_of(stats, "mapped_4k"));
	again = open_by_fd(KVMWATCH_KIND_VM, fd);
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

/* After a fork of the VMM, parent and child share each page until one of them writes to it. */
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
	EXPECT_EQ(1, listed_count(KVMWATCH_KIND_VM, 0));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_EQ(getpid(), vm.pid);

	/* The child has the VM's fds, too. */
	guest_free(g);
	EXPECT_TRUE(id_is_listed(vm.id));
	close(end[1]);
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_FALSE(id_is_listed(vm.id));
	EXPECT_EQ(0, listed_count(KVMWATCH_KIND_VM, 0));
	close(end[0]);
}

/* The first process of a pid namespace, with a VM. Returns what it sees wrong, 0 for nothing. */
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

/* A process in a child namespace cannot name the VMM, so it reads no pid. */
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
	ASSERT_EQ(0, unshare(CLONE_NEWPID));	/* this moves the children to come */
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

TEST_HARNESS_MAIN
