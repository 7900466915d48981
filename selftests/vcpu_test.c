// SPDX-License-Identifier: GPL-2.0
/*
 * vCPUs on and off their pCPUs: loads, puts, preemptions, migrations and times.
 *
 * The test's own thread stays on CPU 0, and vCPUs have CPU 1 for themselves unless a
 * test says otherwise.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "guest.h"
#include "oracle.h"
#include "sys.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		64
#define NOTHING		(~0ULL)

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* A guest with slots and vCPUs whose threads are on CPU 1; NULL: no. */
static struct guest *new_guest(unsigned int vcpus)
{
	struct guest *g = guest_new(vcpus, 0);
	unsigned int i;
	int err;

	if (!g)
		return NULL;
	err = guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0);
	if (!err)
		err = guest_slot_populate(g, SLOT);
	for (i = 0; i < vcpus && !err; i++)
		err = guest_pin(g, i, 1);
	if (!err)
		return g;
	guest_free(g);
	return NULL;
}

/* The scalars of a vCPU at one time. */
struct numbers {
	__u64 loads, puts, load_migrations, preemptions, pcpu;
	__u64 on_cpu_ns, off_cpu_ns, on_cpu_ns_max, off_cpu_ns_max;
	__u64 wakeups_wait;
};

static __u64 number(const void *snapshot, const char *name)
{
	const __u64 *value = oracle_in(snapshot, name, NULL);

	return value ? *value : NOTHING;
}

static struct numbers numbers(int fd)
{
	void *snapshot = oracle_snapshot(fd, NULL);
	struct numbers n;

	memset(&n, 0xff, sizeof(n));
	if (!snapshot)
		return n;
	n.loads = number(snapshot, "loads");
	n.puts = number(snapshot, "puts");
	n.load_migrations = number(snapshot, "load_migrations");
	n.preemptions = number(snapshot, "preemptions");
	n.pcpu = number(snapshot, "pcpu");
	n.on_cpu_ns = number(snapshot, "on_cpu_ns");
	n.off_cpu_ns = number(snapshot, "off_cpu_ns");
	n.on_cpu_ns_max = number(snapshot, "on_cpu_ns_max");
	n.off_cpu_ns_max = number(snapshot, "off_cpu_ns_max");
	n.wakeups_wait = number(snapshot, "wakeups_wait");
	free(snapshot);
	return n;
}

/* How often a thread left its CPU: because it slept, or because another thread got the CPU. */
struct switches {
	__u64 slept, forced;
};

static struct switches switches_of(int tid)
{
	struct switches s = { NOTHING, NOTHING };
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	f = fopen(path, "re");
	if (!f)
		return s;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &s.slept) != 1 &&
		    sscanf(line, "nonvoluntary_ctxt_switches: %llu", &s.forced) != 1)
			continue;
	fclose(f);
	return s;
}

static int listed(struct guest *g, unsigned int vcpu, struct kvmwatch_vcpu *found)
{
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_vm vm;
	int nr, i, err;

	err = watch_find(g, &vm);
	if (err)
		return err;
	nr = watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus));
	if (nr < 0)
		return nr;
	err = -ENOENT;
	for (i = 0; i < nr; i++) {
		if (vcpus[i].vcpu_id == vcpu) {
			*found = vcpus[i];
			err = 0;
		}
	}
	free(vcpus);
	return err;
}

/* --- one vCPU that has its pCPU for itself ----------------------------------- */

/*
 * How often this thread has slept. Each time, a vCPU that it had loaded was put and loaded again.
 */
static __u64 sleeps(void)
{
	struct rusage usage = {};

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

FIXTURE(alone)
{
	struct guest *g;
	int fd;
	__u64 slept;	/* how often its thread slept while the vCPU was created */
};

FIXTURE_SETUP(alone)
{
	stay_on(0);
	self->slept = sleeps();
	self->g = new_guest(1);
	ASSERT_NE(NULL, self->g);
	self->slept = sleeps() - self->slept;
	self->fd = watch_vcpu(self->g, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(alone)
{
	close(self->fd);
	guest_free(self->g);
}

/* In kvm_arch_vcpu_create() and in kvm_arch_vcpu_postcreate(). */
#define LOADS_OF_CREATION	2

TEST_F(alone, a_new_vcpu_was_loaded_for_its_creation_and_each_ioctl)
{
	__u64 expected = guest_ioctls(self->g, 0) + LOADS_OF_CREATION;
	struct numbers n = numbers(self->fd);

	/* On a busy machine an ioctl may wait for memory or a lock, and sleep. */
	EXPECT_LE(expected, n.loads - n.preemptions);
	EXPECT_GE(expected + self->slept, n.loads - n.preemptions);
	EXPECT_EQ(n.loads, n.puts);
}

FIXTURE(load_work)
{
	struct guest *g;
	int fd;
};

FIXTURE_VARIANT(load_work)
{
	struct guest_work work;
	__u64 runs;
};

FIXTURE_VARIANT_ADD(load_work, out)
{
	.work = { .op = GUEST_OUT, .rounds = 300 },
	.runs = 301,
};

FIXTURE_VARIANT_ADD(load_work, cpuid)
{
	.work = { .op = GUEST_CPUID, .rounds = 300 },
	.runs = 1,
};

FIXTURE_VARIANT_ADD(load_work, write)
{
	.work = { .op = GUEST_WRITE, .rounds = 3, .gpa = GPA, .pages = PAGES,
		  .stride = GUEST_PAGE },
	.runs = 1,
};

FIXTURE_SETUP(load_work)
{
	stay_on(0);
	self->g = new_guest(1);
	ASSERT_NE(NULL, self->g);
	self->fd = watch_vcpu(self->g, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(load_work)
{
	close(self->fd);
	guest_free(self->g);
}

/*
 * KVM loads a vCPU in each of its ioctls, and when the scheduler switches to its thread within an
 * ioctl. Before that the thread was preempted or slept. Nothing makes these guests sleep: their
 * memory is present, and nobody else holds a lock that they need.
 */
TEST_F(load_work, is_loaded_once_for_each_run_and_preemption)
{
	struct switches s0 = switches_of(guest_tid(self->g, 0)), s;
	struct numbers n0 = numbers(self->fd), n;
	__u64 runs0 = guest_runs(self->g, 0);

	ASSERT_EQ(0, guest_run(self->g, 0, variant->work));

	n = numbers(self->fd);
	s = switches_of(guest_tid(self->g, 0));
	EXPECT_EQ(variant->runs, guest_runs(self->g, 0) - runs0);
	EXPECT_EQ(variant->runs, (n.loads - n0.loads) - (n.preemptions - n0.preemptions));
	EXPECT_EQ(n.loads - n0.loads, n.puts - n0.puts);
	/* The thread may also leave its CPU outside of KVM. */
	EXPECT_LE(n.preemptions - n0.preemptions, s.forced - s0.forced);
}

/*
 * From one halt to a later one the thread stays in KVM_RUN. Each time it sleeps, for a halt or for
 * a lock, the vCPU is put and loaded.
 */
TEST_F(alone, is_put_and_loaded_once_for_each_sleep_and_preemption)
{
	struct numbers n0, n;
	struct switches s0, s;
	__u64 i;

	ASSERT_EQ(0, guest_start(self->g, 0, work_halt(21, GUEST_WAKE_USER, 0)));
	ASSERT_EQ(0, guest_wait_asleep(self->g, 0, 1, 10000));
	n0 = numbers(self->fd);
	s0 = switches_of(guest_tid(self->g, 0));
	for (i = 2; i <= 21; i++) {
		ASSERT_EQ(0, guest_wake(self->g, 0));
		ASSERT_EQ(0, guest_wait_asleep(self->g, 0, i, 10000));
	}
	n = numbers(self->fd);
	s = switches_of(guest_tid(self->g, 0));
	EXPECT_LE(20, s.slept - s0.slept);
	EXPECT_EQ(s.slept - s0.slept, (n.loads - n0.loads) - (n.preemptions - n0.preemptions));
	EXPECT_EQ(s.forced - s0.forced, n.preemptions - n0.preemptions);
	EXPECT_EQ(n.loads - n0.loads, n.puts - n0.puts);
	EXPECT_EQ(20, n.wakeups_wait - n0.wakeups_wait);
	ASSERT_EQ(0, guest_wake(self->g, 0));
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
}

TEST_F(alone, is_loaded_once_more_for_each_kick)
{
	struct numbers n0 = numbers(self->fd), n;
	__u64 runs0 = guest_runs(self->g, 0);
	int i;

	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	ASSERT_EQ(0, guest_wait_progress(self->g, 0, 1, 10000));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, guest_kick(self->g, 0));
	guest_stop(self->g, 0);
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));

	n = numbers(self->fd);
	EXPECT_EQ(11, guest_runs(self->g, 0) - runs0);
	EXPECT_EQ(11, (n.loads - n0.loads) - (n.preemptions - n0.preemptions));
}

TEST_F(alone, is_never_put_more_often_than_loaded_nor_two_times_less)
{
	struct numbers n;
	int i;

	ASSERT_EQ(0, guest_start(self->g, 0, work_out(GUEST_FOREVER)));
	ASSERT_EQ(0, guest_wait_progress(self->g, 0, 1, 10000));
	for (i = 0; i < 300; i++) {
		n = numbers(self->fd);
		ASSERT_LE(n.puts, n.loads);
		ASSERT_GE(n.puts + 1, n.loads);
	}
	guest_stop(self->g, 0);
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
	n = numbers(self->fd);
	EXPECT_EQ(n.loads, n.puts);
}

#define BUCKETS		64

/* A histogram: the number of its values, and the least and greatest sum that these can have. */
struct hist {
	__u64 count, least, most;
	int top;		/* the highest that is not empty */
	int last;		/* the bucket for all greater values */
};

static struct hist hist(int fd, const char *name)
{
	__u64 buckets[BUCKETS] = {};
	struct hist h = { .top = -1 };
	int n = oracle_hist(fd, name, buckets, BUCKETS), i;

	h.last = n - 1;

	for (i = 0; i < n && i < BUCKETS; i++) {
		h.count += buckets[i];
		h.least += i ? buckets[i] << (i - 1) : 0;
		h.most += i ? (buckets[i] << i) - buckets[i] : 0;
		if (buckets[i])
			h.top = i;
	}
	return h;
}

/* Bucket i has the values from 2^(i-1) to 2^i - 1. */
static int bucket_of(__u64 value)
{
	return value ? 64 - __builtin_clzll(value) : 0;
}

TEST_F(alone, every_stretch_that_ended_is_in_a_histogram)
{
	struct hist on, off;
	struct numbers n;

	ASSERT_EQ(0, guest_run(self->g, 0, work_out(100)));
	ASSERT_EQ(0, guest_halt_asleep(self->g, 0, 5));
	ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(1000)));

	n = numbers(self->fd);
	on = hist(self->fd, "on_cpu_hist");
	off = hist(self->fd, "off_cpu_hist");
	EXPECT_EQ(n.puts, on.count);
	EXPECT_EQ(n.loads - 1, off.count);	/* the time before the first load is unknown */

	EXPECT_LE(on.least, n.on_cpu_ns);
	/* A machine may stand still for longer than any bucket but the last is for. */
	if (on.top < on.last) {
		EXPECT_GE(on.most, n.on_cpu_ns);
		EXPECT_EQ(bucket_of(n.on_cpu_ns_max), on.top);
	}
	EXPECT_LE(off.least, n.off_cpu_ns);
	EXPECT_LE(off.top, bucket_of(n.off_cpu_ns_max));
}

TEST_F(alone, the_longest_stretch_is_at_most_all_of_them)
{
	struct numbers n, later;

	ASSERT_EQ(0, guest_run(self->g, 0, work_out(100)));
	n = numbers(self->fd);
	EXPECT_LT(0, n.on_cpu_ns_max);
	EXPECT_LT(n.on_cpu_ns_max, n.on_cpu_ns);
	EXPECT_LT(0, n.off_cpu_ns_max);
	EXPECT_LT(n.off_cpu_ns_max, n.off_cpu_ns);

	/* A stretch that still goes on may become the longest. */
	usleep(n.off_cpu_ns_max / 1000 + 1000);
	later = numbers(self->fd);
	EXPECT_LT(n.off_cpu_ns_max, later.off_cpu_ns_max);
	EXPECT_EQ(n.on_cpu_ns_max, later.on_cpu_ns_max);
}

static int wait_pcpu(int fd, __u64 pcpu)
{
	return WATCH_EVENTUALLY(numbers(fd).pcpu == pcpu) ? 0 : -ETIMEDOUT;
}

TEST_F(alone, each_move_of_a_running_vcpu_to_another_pcpu_counts_once)
{
	struct numbers n0, n;
	int i;

	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	ASSERT_EQ(0, guest_wait_progress(self->g, 0, 1, 10000));
	n0 = numbers(self->fd);
	EXPECT_EQ(1, n0.pcpu);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, guest_pin(self->g, 0, i % 2));
		ASSERT_EQ(0, wait_pcpu(self->fd, i % 2));
	}
	n = numbers(self->fd);
	EXPECT_EQ(20, n.load_migrations - n0.load_migrations);
	EXPECT_LE(20, n.preemptions - n0.preemptions);
	guest_stop(self->g, 0);
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
	EXPECT_EQ(20, numbers(self->fd).load_migrations - n0.load_migrations);
}

TEST_F(alone, a_move_of_a_stopped_vcpu_counts_when_it_runs)
{
	struct numbers n0, n;

	ASSERT_EQ(0, guest_run(self->g, 0, work_out(10)));
	n0 = numbers(self->fd);
	EXPECT_EQ(1, n0.pcpu);
	ASSERT_EQ(0, guest_pin(self->g, 0, 0));
	n = numbers(self->fd);
	EXPECT_EQ(1, n.pcpu);
	EXPECT_EQ(n0.load_migrations, n.load_migrations);

	ASSERT_EQ(0, guest_run(self->g, 0, work_out(10)));
	n = numbers(self->fd);
	EXPECT_EQ(0, n.pcpu);
	EXPECT_EQ(n0.load_migrations + 1, n.load_migrations);
}

TEST_F(alone, on_and_off_cpu_time_is_all_the_time)
{
	__u64 before0, after0, before, after, sum, slack;
	struct numbers n0, n;
	int i;

	ASSERT_EQ(0, guest_start(self->g, 0, work_out(GUEST_FOREVER)));
	ASSERT_EQ(0, guest_wait_progress(self->g, 0, 1, 10000));
	before0 = clock_ns(CLOCK_MONOTONIC_RAW);
	n0 = numbers(self->fd);
	after0 = clock_ns(CLOCK_MONOTONIC_RAW);
	for (i = 0; i < 20; i++) {
		usleep(2000);
		before = clock_ns(CLOCK_MONOTONIC_RAW);
		n = numbers(self->fd);
		after = clock_ns(CLOCK_MONOTONIC_RAW);
		sum = n.on_cpu_ns + n.off_cpu_ns - n0.on_cpu_ns - n0.off_cpu_ns;
		slack = sum_slack(after - before0, 2 * (n.loads - n0.loads) + 2);
		EXPECT_LE(before - after0, sum + slack);
		EXPECT_GE(after - before0 + slack, sum);
	}
	guest_stop(self->g, 0);
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
	n = numbers(self->fd);
	EXPECT_LT(n0.on_cpu_ns, n.on_cpu_ns);
	EXPECT_LT(n0.off_cpu_ns, n.off_cpu_ns);
}

/*
 * Find two reads of a vCPU's numbers between which it stayed on its pCPU. (Off it, it may have to
 * wait for other threads.) Returns whether there were such reads.
 */
static int two_looks(int fd, struct numbers *a, struct numbers *b)
{
	int i;

	for (i = 0; i < 1000; i++) {
		*a = numbers(fd);
		usleep(500);
		*b = numbers(fd);
		if (a->loads == b->loads && a->puts == b->puts &&
		    a->off_cpu_ns == b->off_cpu_ns)
			return 1;
	}
	return 0;
}

TEST_F(alone, on_cpu_ns_of_a_vcpu_that_is_never_descheduled_grows)
{
	struct numbers a, b;

	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	ASSERT_EQ(0, guest_wait_progress(self->g, 0, 1, 10000));
	ASSERT_EQ(1, two_looks(self->fd, &a, &b));
	EXPECT_EQ(a.puts + 1, a.loads);
	EXPECT_LT(a.on_cpu_ns, b.on_cpu_ns);
	EXPECT_EQ(a.off_cpu_ns, b.off_cpu_ns);
	guest_stop(self->g, 0);
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
}

TEST_F(alone, off_cpu_ns_of_a_stopped_vcpu_grows)
{
	struct numbers a, b;

	ASSERT_EQ(0, guest_run(self->g, 0, work_out(10)));
	a = numbers(self->fd);
	usleep(1000);
	b = numbers(self->fd);
	EXPECT_EQ(a.loads, b.loads);
	EXPECT_EQ(a.puts, b.puts);
	EXPECT_EQ(a.on_cpu_ns, b.on_cpu_ns);
	EXPECT_LT(a.off_cpu_ns, b.off_cpu_ns);
}

TEST_F(alone, the_list_tells_who_runs_it_and_whether_it_is_loaded)
{
	struct kvmwatch_vcpu item;

	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	ASSERT_EQ(0, guest_wait_progress(self->g, 0, 1, 10000));
	/* The vCPU may be preempted for a moment. */
	EXPECT_TRUE(WATCH_EVENTUALLY(!listed(self->g, 0, &item) &&
				     item.flags == KVMWATCH_VCPU_LOADED));
	EXPECT_EQ(guest_tid(self->g, 0), item.tid);
	guest_stop(self->g, 0);
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
	ASSERT_EQ(0, listed(self->g, 0, &item));
	EXPECT_EQ(0, item.flags);
}

/* --- two on one pCPU --------------------------------------------------------- */

/*
 * Read the preemptions of a loaded vCPU, and the involuntary switches of its thread, while both do
 * not change: nothing else may use its pCPU.
 */
static int still(struct guest *g, unsigned int vcpu, int fd, struct numbers *n,
		 struct switches *s)
{
	struct numbers again;
	struct switches more;
	int i;

	for (i = 0; i < 1000; i++) {
		*n = numbers(fd);
		*s = switches_of(guest_tid(g, vcpu));
		usleep(2000);
		again = numbers(fd);
		more = switches_of(guest_tid(g, vcpu));
		if (n->loads == n->puts + 1 && again.loads == n->loads &&
		    again.puts == n->puts && more.forced == s->forced)
			return 0;
	}
	return -ETIMEDOUT;
}

TEST(busy_vcpus_on_one_pcpu_preempt_each_other)
{
	struct guest *one, *two;
	struct numbers n0, n;
	struct switches s0, s;
	int fd, other;

	stay_on(0);
	one = new_guest(1);
	two = new_guest(1);
	ASSERT_NE(NULL, one);
	ASSERT_NE(NULL, two);
	fd = watch_vcpu(one, 0);
	other = watch_vcpu(two, 0);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, other);

	ASSERT_EQ(0, guest_start(one, 0, work_spin()));
	ASSERT_EQ(0, guest_wait_progress(one, 0, 1, 10000));
	ASSERT_EQ(0, still(one, 0, fd, &n0, &s0));

	ASSERT_EQ(0, guest_start(two, 0, work_spin()));
	EXPECT_TRUE(WATCH_EVENTUALLY((n = numbers(fd)).preemptions - n0.preemptions >= 10 &&
				     numbers(other).preemptions >= 10));
	guest_stop(two, 0);
	ASSERT_EQ(0, guest_wait(two, 0, 10000));

	/*
	 * The thread was in KVM_RUN all the time and never slept, so each switch was a preemption.
	 */
	ASSERT_EQ(0, still(one, 0, fd, &n, &s));
	EXPECT_EQ(s.slept, s0.slept);
	EXPECT_EQ(s.forced - s0.forced, n.preemptions - n0.preemptions);
	EXPECT_EQ(n.puts - n0.puts, n.preemptions - n0.preemptions);
	EXPECT_EQ(n.loads - n0.loads, n.preemptions - n0.preemptions);
	EXPECT_LT(n0.off_cpu_ns, n.off_cpu_ns);

	guest_stop(one, 0);
	ASSERT_EQ(0, guest_wait(one, 0, 10000));
	close(fd);
	close(other);
	guest_free(one);
	guest_free(two);
}

/* --- VMs from before insmod -------------------------------------------------- */

FIXTURE(early)
{
	struct guest *g;
};

FIXTURE_SETUP(early)
{
	stay_on(0);
	self->g = new_guest(1);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, watch_unload_patiently());
}

FIXTURE_TEARDOWN(early)
{
	guest_free(self->g);
	if (access("/sys/module/kvmwatch", F_OK))
		watch_load(NULL);
}

TEST_F_TIMEOUT(early, a_vcpu_busy_since_before_insmod_is_on_its_pcpu, 90)
{
	struct kvmwatch_vcpu item;
	struct numbers a, b;
	struct hist on, off;
	int fd, i;

	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	ASSERT_EQ(0, guest_wait_progress(self->g, 0, 1, 10000));
	/*
	 * Retry until no hook has seen the vCPU, as its thread kept the CPU during insmod. That
	 * is to be tested. With kprobes insmod takes long, and the thread mostly loses the CPU.
	 */
	for (i = 0;; i++) {
		ASSERT_EQ(0, watch_load(NULL));
		fd = watch_vcpu(self->g, 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(1, two_looks(fd, &a, &b));
		if (i == 2 || (!b.loads && !b.puts))
			break;
		close(fd);
		ASSERT_EQ(0, watch_unload_patiently());
	}
	EXPECT_LT(a.on_cpu_ns, b.on_cpu_ns);
	EXPECT_EQ(a.off_cpu_ns, b.off_cpu_ns);
	EXPECT_EQ(1, a.pcpu);
	/* The vCPU may be preempted for a moment. */
	EXPECT_TRUE(WATCH_EVENTUALLY(!listed(self->g, 0, &item) &&
				     item.flags == KVMWATCH_VCPU_LOADED));
	EXPECT_EQ(guest_tid(self->g, 0), item.tid);

	/*
	 * The first event of the vCPU is a put, or a load if its thread had lost the CPU. In the
	 * latter case it is unknown when the stretch off the pCPU began, if that was between
	 * attaching the hooks and finding out which vCPUs are loaded.
	 */
	guest_stop(self->g, 0);
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
	b = numbers(fd);
	on = hist(fd, "on_cpu_hist");
	off = hist(fd, "off_cpu_hist");
	EXPECT_LE(b.loads, b.puts);
	EXPECT_GE(b.loads + 1, b.puts);
	EXPECT_GE(b.puts, on.count);
	EXPECT_LE(b.puts - 1, on.count);
	EXPECT_GE(b.loads, off.count);
	EXPECT_LE(b.loads - (b.loads == b.puts), off.count);
	EXPECT_EQ(0, b.load_migrations);
	close(fd);
}

TEST_F(early, a_vcpu_stopped_since_before_insmod_is_off_its_pcpu)
{
	struct numbers a, b;
	__u64 runs;
	int fd;

	ASSERT_EQ(0, guest_run(self->g, 0, work_out(10)));
	ASSERT_EQ(0, watch_load(NULL));
	fd = watch_vcpu(self->g, 0);
	ASSERT_LE(0, fd);

	a = numbers(fd);
	usleep(1000);
	b = numbers(fd);
	EXPECT_EQ(0, b.loads);
	EXPECT_EQ(0, b.puts);
	EXPECT_EQ(0, b.on_cpu_ns);
	EXPECT_LT(a.off_cpu_ns, b.off_cpu_ns);
	EXPECT_EQ(1, b.pcpu);

	runs = guest_runs(self->g, 0);
	ASSERT_EQ(0, guest_pin(self->g, 0, 0));
	ASSERT_EQ(0, guest_run(self->g, 0, work_out(10)));
	b = numbers(fd);
	EXPECT_EQ(guest_runs(self->g, 0) - runs, b.loads - b.preemptions);
	EXPECT_EQ(b.loads, b.puts);
	EXPECT_EQ(1, b.load_migrations);
	EXPECT_EQ(0, b.pcpu);
	close(fd);
}

/* --- the VM's numbers -------------------------------------------------------- */

#define VCPUS	3

FIXTURE(three)
{
	struct guest *g;
	int vm;
	int vcpus[VCPUS];
};

FIXTURE_SETUP(three)
{
	int i;

	stay_on(0);
	self->g = new_guest(VCPUS);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_run(self->g, 0, work_out(50)));
	ASSERT_EQ(0, guest_run(self->g, 1, work_cpuid(100)));
	ASSERT_EQ(0, guest_halt_asleep(self->g, 2, 3));
	ASSERT_EQ(0, guest_dirty_log(self->g, SLOT, 1));
	ASSERT_EQ(0, guest_run(self->g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1)));
	ASSERT_EQ(0, guest_run(self->g, 1, work_write(GPA, PAGES / 2, GUEST_PAGE, 1)));

	self->vm = watch_vm(self->g);
	ASSERT_LE(0, self->vm);
	for (i = 0; i < VCPUS; i++) {
		self->vcpus[i] = watch_vcpu(self->g, i);
		ASSERT_LE(0, self->vcpus[i]);
	}
}

FIXTURE_TEARDOWN(three)
{
	int i;

	close(self->vm);
	for (i = 0; i < VCPUS; i++)
		close(self->vcpus[i]);
	guest_free(self->g);
}

/* A cell over all vCPUs: the sum, or for peaks the maximum. */
static __u64 together(void *const *vcpus, const struct oracle_desc *desc, unsigned int cell)
{
	bool peak = (desc->flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_PEAK;
	__u64 sum = 0, value;
	int i;

	for (i = 0; i < VCPUS; i++) {
		value = oracle_in(vcpus[i], desc->name, NULL)[cell];
		if (!peak)
			sum += value;
		else if (value > sum)
			sum = value;
	}
	return sum;
}

/* Read the VM between two reads of its vCPUs. All vCPUs are stopped, so that only times differ. */
static void check_sums(struct __test_metadata *_metadata, int vm_fd, const int *fds)
{
	void *before[VCPUS], *after[VCPUS], *vm;
	unsigned int i, cell, nr = 0;
	struct oracle_desc desc;
	const __u64 *sum;

	for (i = 0; i < VCPUS; i++)
		before[i] = oracle_snapshot(fds[i], NULL);
	vm = oracle_snapshot(vm_fd, NULL);
	for (i = 0; i < VCPUS; i++)
		after[i] = oracle_snapshot(fds[i], NULL);
	ASSERT_NE(NULL, vm);

	for (i = 0; !oracle_desc(fds[0], i, &desc); i++) {
		sum = oracle_in(vm, desc.name, NULL);
		if ((desc.flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_INSTANT) {
			EXPECT_EQ(NULL, sum);
			continue;
		}
		ASSERT_NE(NULL, sum);
		for (cell = 0; cell < desc.size; cell++) {
			EXPECT_LE(together(before, &desc, cell), sum[cell]) {
				TH_LOG("%s[%u]", desc.name, cell);
			}
			EXPECT_GE(together(after, &desc, cell), sum[cell]) {
				TH_LOG("%s[%u]", desc.name, cell);
			}
		}
		nr++;
	}
	EXPECT_LE(20, nr);
	for (i = 0; i < VCPUS; i++) {
		free(before[i]);
		free(after[i]);
	}
	free(vm);
}

TEST_F(three, the_numbers_of_a_vm_are_those_of_its_vcpus_together)
{
	check_sums(_metadata, self->vm, self->vcpus);
}

TEST_F(three, the_numbers_of_a_vm_include_a_vcpu_that_was_closed)
{
	guest_close_vcpu(self->g, 1);
	check_sums(_metadata, self->vm, self->vcpus);
}

TEST_F(three, the_numbers_of_a_gone_vm_and_its_vcpus_stay_and_freeze)
{
	void *vcpu0 = oracle_snapshot(self->vcpus[0], NULL), *first, *second;
	void *before = oracle_snapshot(self->vm, NULL);
	struct oracle_desc desc;
	const __u64 *was, *is;
	unsigned int i, cell;
	size_t size, size2;

	guest_free(self->g);
	self->g = NULL;
	ASSERT_EQ(0, watch_wait_ended(self->vm));

	first = oracle_snapshot(self->vm, &size);
	ASSERT_NE(NULL, first);
	usleep(1000);
	second = oracle_snapshot(self->vm, &size2);
	ASSERT_NE(NULL, second);
	EXPECT_EQ(size, size2);
	for (i = 0; !oracle_desc(self->vm, i, &desc); i++) {
		was = oracle_in(first, desc.name, NULL);
		is = oracle_in(second, desc.name, NULL);
		EXPECT_EQ(0, memcmp(was, is, desc.size * 8)) {
			TH_LOG("%s changed from %llu to %llu", desc.name, *was, *is);
		}
		/* Counts never decrease, at the end of a vCPU neither. */
		if ((desc.flags & KVMWATCH_STATS_TYPE_MASK) == KVMWATCH_STATS_INSTANT)
			continue;
		was = oracle_in(before, desc.name, NULL);
		for (cell = 0; cell < desc.size; cell++)
			EXPECT_LE(was[cell], is[cell]) {
				TH_LOG("%s[%u]", desc.name, cell);
			}
	}
	EXPECT_LE(number(vcpu0, "loads"), numbers(self->vcpus[0]).loads);
	EXPECT_LE(number(vcpu0, "on_cpu_ns"), numbers(self->vcpus[0]).on_cpu_ns);
	EXPECT_LE(number(vcpu0, "off_cpu_ns"), numbers(self->vcpus[0]).off_cpu_ns);
	check_sums(_metadata, self->vm, self->vcpus);
	free(vcpu0);
	free(before);
	free(first);
	free(second);
}

TEST_HARNESS_MAIN
