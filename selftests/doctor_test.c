// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch doctor names the one trouble that a guest has, and none for a guest that has none.
 * unit/doctor_test.c tests the rules themselves.
 *
 * A machine that stands still for a moment is a trouble, too, so the test asks again until doctor
 * says what it should. A doctor that is always wrong never does. The test's own thread stays on CPU
 * 0, with the tool; vCPUs have CPU 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/userfaultfd.h>
#include <kselftest_harness.h>

#include "guest.h"
#include "machine.h"
#include "slow.h"
#include "subject.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define HUGE_PAGE	0x200000ULL
#define PAGES		(4 * HUGE_PAGE / GUEST_PAGE)
#define KVM_PARAMETERS	"/sys/module/kvm/parameters/"

/* Exit status of kvmwatch doctor. */
#define NOTHING_STANDS_OUT	0
#define SOMETHING_STANDS_OUT	3
#define NOT_ALL_IS_KNOWN	4

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static atomic_bool stop;

static void *burn(void *unused)
{
	stay_on(1);
	while (!stop)
		;
	return NULL;
}

static void *collect(void *g)
{
	while (!stop) {
		guest_dirty_get(g, SLOT, NULL);
		usleep(10000);
	}
	return NULL;
}

FIXTURE(doctor)
{
	struct guest *g;
	__u64 id;
	int uffd;
	pthread_t burner;
	bool burns;
};

FIXTURE_SETUP(doctor)
{
	struct kvmwatch_vm vm;

	stay_on(0);
	self->uffd = -1;
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_slot_add(self->g, SLOT, GPA, PAGES, GUEST_MEM_THP, 0));
	ASSERT_EQ(0, guest_pin(self->g, 0, 1));
	ASSERT_EQ(0, watch_find(self->g, &vm));
	self->id = vm.id;
}

FIXTURE_TEARDOWN(doctor)
{
	stop = true;
	if (self->burns)
		pthread_join(self->burner, NULL);
	guest_stop(self->g, 0);
	guest_free(self->g);
	if (self->uffd >= 0)
		close(self->uffd);
	machine_put_back();
}

/*
 * Run the tool once. @found gets what stands out, as "vcpu0 starved,vm huge,". Returns the tool's
 * exit status or -errno.
 */
static int look(__u64 vm, const char *ms, char *found, size_t size)
{
	char command[128], line[512], object[16], rule[16], state[16];
	FILE *from;
	int status;

	*found = '\0';
	snprintf(command, sizeof(command), "kvmwatch doctor --csv -i %s -n 1 -p id:%llu", ms, vm);
	from = popen(command, "r");
	if (!from)
		return -errno;
	while (fgets(line, sizeof(line), from)) {
		if (sscanf(line, "%*[^,],%*[^,],,%15[^,],%15[^,],%15[^,],", object, rule,
			   state) != 3 &&
		    sscanf(line, ",,,%15[^,],%15[^,],%15[^,],", object, rule, state) != 3)
			continue;
		if (strcmp(state, "stands out"))
			continue;
		snprintf(found + strlen(found), size - strlen(found), "%s %s,", object, rule);
	}
	status = pclose(from);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

/* Does doctor say exactly this within some time? */
static bool says(__u64 vm, const char *wanted, int code)
{
	unsigned int tries = 30 * slow_times();
	char found[256];
	int status;

	do {
		status = look(vm, "0.5", found, sizeof(found));
		if (status == code && !strcmp(found, wanted))
			return true;
	} while (status >= 0 && tries--);
	printf("# the last was '%s' with exit status %d, not '%s' with %d\n", found, status, wanted,
	       code);
	return false;
}

#define EXPECT_NAMES(what)	EXPECT_TRUE(says(self->id, what, SOMETHING_STANDS_OUT))

TEST_F(doctor, names_nothing_of_a_vcpu_that_computes)
{
	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	EXPECT_TRUE(says(self->id, "", NOTHING_STANDS_OUT));
}

TEST_F(doctor, names_nothing_of_a_vcpu_that_halts)
{
	ASSERT_EQ(0, guest_start(self->g, 0, work_halt(GUEST_FOREVER, GUEST_WAKE_LAPIC,
						       50000000 * slow_times())));
	EXPECT_TRUE(says(self->id, "", NOTHING_STANDS_OUT));
}

TEST_F(doctor, names_a_vcpu_that_another_thread_takes_the_pcpu_from)
{
	stop = false;
	ASSERT_EQ(0, pthread_create(&self->burner, NULL, burn, NULL));
	self->burns = true;
	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	EXPECT_NAMES("vcpu0 starved,");
}

/* The vCPU waits for a page that userspace provides late. */
TEST_F(doctor, names_a_vcpu_that_sleeps_for_memory)
{
	void *host = guest_slot_host(self->g, SLOT);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (__u64)(unsigned long)host, PAGES * GUEST_PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffd_msg fault;

	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (self->uffd < 0)
		SKIP(return, "no userfaultfd here");
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));
	ASSERT_EQ(0, guest_start(self->g, 0, work_read(GPA, 1, GUEST_PAGE)));
	ASSERT_EQ((ssize_t)sizeof(fault), read(self->uffd, &fault, sizeof(fault)));
	EXPECT_NAMES("vcpu0 blocked,");
	EXPECT_EQ(0, ioctl(self->uffd, UFFDIO_UNREGISTER, &reg.range));
}

TEST_F(doctor, names_the_exits_that_take_most_time)
{
	ASSERT_EQ(0, guest_start(self->g, 0, work_cpuid(GUEST_FOREVER)));
	EXPECT_NAMES("vcpu0 exits,");
}

/* Halts of 6 ms with a window of 2 ms, which stays so, as it grows by a factor of 1. */
TEST_F(doctor, names_polling_that_never_wins)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_HALT_POLL, .args = { 4000000000U } };

	NEEDS_MACHINE(return, "it changes KVM's parameters");
	ASSERT_EQ(0, machine_put(KVM_PARAMETERS "halt_poll_ns_grow", "1"));
	ASSERT_EQ(0, machine_put(KVM_PARAMETERS "halt_poll_ns_grow_start", "2000000"));
	ASSERT_EQ(0, ioctl(guest_vm_fd(self->g), KVM_ENABLE_CAP, &cap));
	ASSERT_EQ(0, guest_start(self->g, 0, work_halt(GUEST_FOREVER, GUEST_WAKE_LAPIC, 6000000)));
	EXPECT_NAMES("vcpu0 poll,");
}

/* Discarding one small page of each huge page makes the host split it. */
TEST_F(doctor, names_huge_pages_that_went)
{
	unsigned int i;

	sys_no_khugepaged();
	ASSERT_EQ(0, guest_run(self->g, 0, work_write(GPA, 4, HUGE_PAGE, 1)));
	if (guest_slot_huge(self->g, SLOT) < (long long)(4 * HUGE_PAGE))
		SKIP(return, "the host has no huge pages to give");
	EXPECT_TRUE(says(self->id, "", NOTHING_STANDS_OUT));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, guest_slot_discard(self->g, SLOT, i * HUGE_PAGE / GUEST_PAGE, 1));
	ASSERT_EQ(0, guest_run(self->g, 0, work_read(GPA, PAGES, GUEST_PAGE)));
	EXPECT_NAMES("vm huge,");
}

TEST_F(doctor, names_memory_that_the_host_took_back)
{
	ASSERT_EQ(0, guest_run(self->g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1)));
	EXPECT_TRUE(says(self->id, "", NOTHING_STANDS_OUT));
	ASSERT_EQ(0, guest_slot_discard(self->g, SLOT, 0, PAGES / 2));
	EXPECT_NAMES("vm unmapped,");
}

/* While logging is on, doctor does not know whether huge pages are lost. */
TEST_F(doctor, names_a_log_that_was_left_on_but_not_one_that_is_collected)
{
	pthread_t collector;

	ASSERT_EQ(0, guest_dirty_log(self->g, SLOT, 1));
	EXPECT_NAMES("vm logging,");
	stop = false;
	ASSERT_EQ(0, pthread_create(&collector, NULL, collect, self->g));
	EXPECT_TRUE(says(self->id, "", NOT_ALL_IS_KNOWN));
	stop = true;
	pthread_join(collector, NULL);
	ASSERT_EQ(0, guest_dirty_log(self->g, SLOT, 0));
	EXPECT_TRUE(says(self->id, "", NOTHING_STANDS_OUT));
}

/* A VM has such from its start on, until its guest starts the other vCPUs, if it ever does. */
TEST_F(doctor, names_nothing_of_a_vcpu_that_is_not_started)
{
	struct kvm_mp_state state = { KVM_MP_STATE_UNINITIALIZED };
	int vcpu = guest_vcpu_add(self->g);

	ASSERT_EQ(1, vcpu);
	ASSERT_EQ(0, guest_pin(self->g, vcpu, 1));
	ASSERT_EQ(0, ioctl(guest_vcpu_fd(self->g, vcpu), KVM_SET_MP_STATE, &state));
	ASSERT_EQ(0, guest_start(self->g, vcpu, work_spin()));
	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	EXPECT_TRUE(says(self->id, "", NOTHING_STANDS_OUT));
	guest_stop(self->g, vcpu);
}

TEST(a_hook_that_is_left_out_stands_out)
{
	struct guest *g;
	struct kvmwatch_vm vm;

	stay_on(0);
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load("drop=halt_poll"));
	g = guest_new(1, 0);
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, guest_run(g, 0, work_out(1)));
	ASSERT_EQ(0, watch_find(g, &vm));
	EXPECT_TRUE(says(vm.id, "host hooks,", SOMETHING_STANDS_OUT));
	guest_free(g);
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load(NULL));
}

TEST_HARNESS_MAIN
