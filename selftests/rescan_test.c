// SPDX-License-Identifier: GPL-2.0
/*
 * Searches for VMs without a record. Any user of /dev/kvm can cause endless creations of VMs that
 * fail. If the pool is empty, each causes an event without a record. kvmwatch must not search for
 * each of them, nor interrupt CPUs that run no vCPU.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "guest.h"
#include "machine.h"
#include "sys.h"
#include "watch.h"

#define SECONDS		4

struct counts {
	unsigned long long rounds, interrupts, lost;
};

static bool counts(struct counts *counts)
{
	char *hooks = watch_debugfs_table("hooks");
	const char *rounds = hooks ? strstr(hooks, "# rounds that") : NULL;
	const char *lost = hooks ? strstr(hooks, "# events of VMs") : NULL;
	bool ok;

	ok = rounds && lost &&
	     sscanf(rounds, "# rounds that looked for VMs: %llu, CPUs interrupted for them: %llu",
		    &counts->rounds, &counts->interrupts) == 2 &&
	     sscanf(lost, "# events of VMs without a record: %llu", &counts->lost) == 1;
	free(hooks);
	return ok;
}

static int load_with(const char *more)
{
	char args[128];
	int err = watch_unload_patiently();

	snprintf(args, sizeof(args), "%s %s", getenv("MODARGS") ?: "", more);
	return err && err != -ENOENT ? err : watch_load(args);
}

FIXTURE(rescan) {
	struct guest *g;
	int kvm;
};

FIXTURE_SETUP(rescan)
{
	NEEDS_QUIET(FROM_SETUP, "it counts rounds that look for VMs");
	self->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->kvm);
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(10)));
	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
}

FIXTURE_TEARDOWN(rescan)
{
	guest_stop(self->g, 0);
	guest_wait(self->g, 0, 10000);
	guest_free(self->g);
	close(self->kvm);
	EXPECT_EQ(0, load_with(""));
}

/* KVM refuses a VM of this type after the event of its creation. */
static int create_in_vain(int kvm)
{
	int fd = ioctl(kvm, KVM_CREATE_VM, 0x7f);

	close(fd);
	return fd;
}

TEST_F_TIMEOUT(rescan, failed_creations_cost_few_rounds_and_no_interrupts, 120)
{
	__u64 begin, took;
	struct counts before, after;
	int tries = 0;

	ASSERT_EQ(0, load_with("pool=0,0,0 audit_seconds=0"));
	ASSERT_TRUE(counts(&before));
	begin = now_ns();
	do {
		ASSERT_EQ(-1, create_in_vain(self->kvm));
		tries++;
	} while (now_ns() - begin < SECONDS * 1000000000ULL);
	ASSERT_TRUE(counts(&after));
	took = (now_ns() - begin) / 1000000000 + 1;
	EXPECT_LE(tries, after.lost - before.lost);
	/* Searches follow each other after 20, 40, 80, 160, 320 and 640 ms, then once a second. */
	EXPECT_GE(6 + took, after.rounds - before.rounds);
	EXPECT_LT(before.rounds, after.rounds);
	EXPECT_EQ(before.interrupts, after.interrupts);
}

TEST_F_TIMEOUT(rescan, insmod_interrupts_the_cpus_of_vcpus_alone, 120)
{
	struct kvmwatch_vm vm;
	struct counts it;

	ASSERT_EQ(0, load_with(""));
	ASSERT_TRUE(counts(&it));
	EXPECT_GE(1, it.interrupts);
	/* kvmwatch knew from the beginning which pCPU the vCPU is on, or a hit told it since. */
	ASSERT_EQ(0, watch_find(self->g, &vm));
	EXPECT_NE(~0ULL, watch_vcpu_stat(self->g, 0, "pcpu"));
	EXPECT_LT(0, watch_vcpu_stat(self->g, 0, "on_cpu_ns"));

	/* Without a VM there is no interrupt. */
	EXPECT_EQ(0, guest_stop(self->g, 0));
	EXPECT_EQ(0, guest_wait(self->g, 0, 10000));
	guest_free(self->g);
	self->g = NULL;
	ASSERT_EQ(0, load_with(""));
	ASSERT_TRUE(counts(&it));
	EXPECT_EQ(0, it.interrupts);
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
}

TEST_HARNESS_MAIN
