// SPDX-License-Identifier: GPL-2.0
/*
 * Many idle VMs: all are listed, by id too, all have directories, all go. What looking at
 * them took is logged, not judged: the emulator's clock is no measure. SCALE_VMS in the
 * environment: how many, 200 without it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>

#include "kselftest_harness.h"
#include "watch.h"

#define TRIES	5

static int *fds, nr_fds;

static int add_vms(int up_to)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	for (; nr_fds < up_to; nr_fds++) {
		fds[nr_fds] = ioctl(kvm, KVM_CREATE_VM, 0);
		if (fds[nr_fds] < 0)
			break;
	}
	close(kvm);
	return nr_fds;
}

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
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

static int lines(const char *text)
{
	int nr = 0;

	while (text && (text = strchr(text, '\n'))) {
		text++;
		nr++;
	}
	return nr;
}

/* The table of all VMs; how many lines it has for them. */
static int read_table(void)
{
	char *text = watch_debugfs_table("vms");
	int nr = lines(text) - 1;

	free(text);
	return nr;
}

/* A stats fd of each VM by its id, and the list of its slots; how many there are. */
static int read_each(void)
{
	struct kvmwatch_open arg = { .size = sizeof(arg), .kind = KVMWATCH_KIND_VM };
	int dev = watch_device(), nr, i, fd, good = 0;
	struct kvmwatch_vm *vms;
	void *slots;

	nr = watch_list(KVMWATCH_KIND_VM, 0, (void **)&vms, sizeof(*vms));
	for (i = 0; i < nr; i++) {
		arg.id = vms[i].id;
		fd = ioctl(dev, KVMWATCH_OPEN, &arg);
		good += fd >= 0 && !watch_list(KVMWATCH_KIND_SLOT, arg.id, &slots,
					       sizeof(struct kvmwatch_slot));
		if (fd >= 0)
			close(fd);
		free(slots);
	}
	free(vms);
	close(dev);
	return good;
}

/* Nanoseconds a VM; the least of some tries, the others were disturbed. */
static long long cost(int (*look)(void), int vms)
{
	long long best = -1, begin, took;
	int i;

	for (i = 0; i < TRIES; i++) {
		begin = now();
		if (look() != vms)
			return -1;
		took = (now() - begin) / vms;
		if (best < 0 || took < best)
			best = took;
	}
	return best;
}

FIXTURE(scale)
{
};

FIXTURE_SETUP(scale)
{
}

FIXTURE_TEARDOWN(scale)
{
}

TEST_F_TIMEOUT(scale, many_vms_are_all_listed_and_all_go, 300)
{
	int most = atoi(getenv("SCALE_VMS") ?: "200"), few = most / 10;
	struct rlimit files = { most + 64, most + 64 };
	long long table[2], each[2], slab;

	ASSERT_LE(100, most);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	fds = calloc(most, sizeof(*fds));
	ASSERT_EQ(few, add_vms(few));
	EXPECT_TRUE(WATCH_EVENTUALLY(directories() == few));
	table[0] = cost(read_table, few);
	each[0] = cost(read_each, few);
	slab = watch_slab();

	ASSERT_EQ(most, add_vms(most));
	EXPECT_TRUE(WATCH_EVENTUALLY(directories() == most))
		TH_LOG("%d directories", directories());
	slab = (watch_slab() - slab) / (most - few);
	table[1] = cost(read_table, most);
	each[1] = cost(read_each, most);
	TH_LOG("%d and %d VMs: ns a VM: table %lld, %lld, each by id %lld, %lld; slab a VM %lld",
	       few, most, table[0], table[1], each[0], each[1], slab);
	ASSERT_LT(0, table[0]);
	ASSERT_LT(0, each[0]);
	ASSERT_LT(0, table[1]);
	ASSERT_LT(0, each[1]);
	while (nr_fds > 0)
		close(fds[--nr_fds]);
	EXPECT_TRUE(WATCH_EVENTUALLY(!directories()));
	EXPECT_EQ(0, read_table());
	free(fds);
}

TEST_HARNESS_MAIN
