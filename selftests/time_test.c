// SPDX-License-Identifier: GPL-2.0
/*
 * The time of a vCPU: in guest mode, in KVM, polling, and off its pCPU for one of four reasons. One
 * clock measures all of it from event to event, so the sum is the time that passed.
 *
 * The test's own thread stays on CPU 0, and vCPUs have CPU 1.
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
#include <unistd.h>

#include <asm/svm.h>
#include <asm/vmx.h>
#include <linux/userfaultfd.h>
#include <kselftest_harness.h>

#include "guest.h"
#include "machine.h"
#include "oracle.h"
#include "slow.h"
#include "sys.h"
#include "vendor.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		64
#define NOTHING		(~0ULL)

enum { GUEST_TIME, KVM_TIME, POLL, WAIT, PREEMPTED, BLOCKED, USER, NR_PARTS };

static const char *const parts[NR_PARTS] = {
	"guest_time_ns", "kvm_time_ns", "poll_time_ns", "wait_time_ns", "preempted_time_ns",
	"blocked_time_ns", "user_time_ns",
};

struct times {
	__u64 part[NR_PARTS];
	__u64 on, off, exit, halt, exits, loads;
	__u64 latency, entries, puts;	/* time of loads and puts, and their numbers */
};

static __u64 number(const void *snapshot, const char *name)
{
	unsigned int nr = 0;
	const __u64 *cells = oracle_in(snapshot, name, &nr);
	__u64 sum = 0;

	if (!cells)
		return NOTHING;
	while (nr--)
		sum += cells[nr];
	return sum;
}

/* Read all times of a vCPU at once. */
static int look(int fd, struct times *t)
{
	void *snapshot = oracle_snapshot(fd, NULL);
	int i, err = 0;

	if (!snapshot)
		return -errno;
	for (i = 0; i < NR_PARTS; i++) {
		t->part[i] = number(snapshot, parts[i]);
		if (t->part[i] == NOTHING)
			err = -ENOENT;
	}
	t->on = number(snapshot, "on_cpu_ns");
	t->off = number(snapshot, "off_cpu_ns");
	t->exit = number(snapshot, "exit_time_ns");
	t->halt = number(snapshot, "halt_time_ns");
	t->exits = number(snapshot, "exits");
	t->loads = number(snapshot, "loads");
	t->latency = number(snapshot, "load_entry_ns") + number(snapshot, "exit_put_ns");
	t->entries = number(snapshot, "load_entry_hist");
	t->puts = number(snapshot, "exit_put_hist");
	free(snapshot);
	return err;
}

static struct times since(const struct times *now, const struct times *before)
{
	const __u64 *a = (const __u64 *)now, *b = (const __u64 *)before;
	struct times diff;
	size_t i;

	for (i = 0; i < sizeof(diff) / sizeof(__u64); i++)
		((__u64 *)&diff)[i] = a[i] - b[i];
	return diff;
}

static __u64 all_parts(const struct times *t)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < NR_PARTS; i++)
		sum += t->part[i];
	return sum;
}

/* Each number is rounded down once, by less than a nanosecond. */
#define ROUNDED		(2 * (NR_PARTS + 4))
#define EXPECT_SAME(a, b)	EXPECT_GE(ROUNDED, llabs((long long)((a) - (b))))

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static atomic_bool stop_burning;

static void *burn(void *unused)
{
	stay_on(1);
	while (!stop_burning)
		;
	return NULL;
}

static int start_burning(pthread_t *burner)
{
	stop_burning = false;
	return pthread_create(burner, NULL, burn, NULL);
}

static void end_burning(pthread_t burner)
{
	stop_burning = true;
	pthread_join(burner, NULL);
}

FIXTURE(times)
{
	struct guest *g;
	int fd;
	struct times before;
};

FIXTURE_SETUP(times)
{
	stay_on(0);
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_slot_add(self->g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0));
	ASSERT_EQ(0, guest_pin(self->g, 0, 1));
	/* The first command touches all of slot 0: run one before measuring. */
	ASSERT_EQ(0, guest_run(self->g, 0, work_out(1)));
	self->fd = watch_vcpu(self->g, 0);
	ASSERT_LE(0, self->fd);
	if (look(self->fd, &self->before) == -ENOENT)
		SKIP(return, "KVM does not tell of each entry here");
}

FIXTURE_TEARDOWN(times)
{
	close(self->fd);
	guest_free(self->g);
}

/* --- it adds up ---------------------------------------------------------------- */

FIXTURE(sum)
{
	struct guest *g;
	int fd;
};

FIXTURE_VARIANT(sum)
{
	struct guest_work work;
	bool preempted;
};

FIXTURE_VARIANT_ADD(sum, spin) {
	.work = { .op = GUEST_SPIN, .rounds = GUEST_FOREVER },
};

FIXTURE_VARIANT_ADD(sum, spin_preempted) {
	.work = { .op = GUEST_SPIN, .rounds = GUEST_FOREVER }, .preempted = true,
};

FIXTURE_VARIANT_ADD(sum, cpuid) {
	.work = { .op = GUEST_CPUID, .rounds = GUEST_FOREVER },
};

FIXTURE_VARIANT_ADD(sum, out_preempted) {
	.work = { .op = GUEST_OUT, .rounds = GUEST_FOREVER }, .preempted = true,
};

FIXTURE_VARIANT_ADD(sum, halt) {
	.work = { .op = GUEST_HALT, .rounds = GUEST_FOREVER, .wake = GUEST_WAKE_LAPIC,
		  .period_ns = 300000 },
};

FIXTURE_VARIANT_ADD(sum, halt_preempted) {
	.work = { .op = GUEST_HALT, .rounds = GUEST_FOREVER, .wake = GUEST_WAKE_LAPIC,
		  .period_ns = 100000 },
	.preempted = true,
};

FIXTURE_SETUP(sum)
{
	stay_on(0);
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_pin(self->g, 0, 1));
	self->fd = watch_vcpu(self->g, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(sum)
{
	close(self->fd);
	guest_free(self->g);
}

/* From the vCPU's first load on, no time is missing or counted twice, and no number decreases. */
TEST_F(sum, of_all_parts_is_the_time_that_passed_at_any_moment)
{
	struct times last, now, diff;
	pthread_t burner;
	bool same = true;
	int i, j, err;

	err = look(self->fd, &last);
	if (err == -ENOENT)
		SKIP(return, "KVM does not tell of each entry here");
	ASSERT_EQ(0, err);
	if (variant->preempted)
		ASSERT_EQ(0, start_burning(&burner));
	ASSERT_EQ(0, guest_start(self->g, 0, variant->work));
	for (i = 0; i < 300 && same; i++) {
		ASSERT_EQ(0, look(self->fd, &now));
		same = llabs((long long)(now.on + now.off - all_parts(&now))) <= ROUNDED;
		EXPECT_TRUE(same) {
			TH_LOG("%llu ns passed, parts are %llu", now.on + now.off, all_parts(&now));
		}
		EXPECT_SAME(now.halt, now.part[POLL] + now.part[WAIT]);
		diff = since(&now, &last);
		for (j = 0; j < NR_PARTS; j++) {
			EXPECT_LE(0, (__s64)diff.part[j]) {
				TH_LOG("%s steps back by %lld", parts[j], -(__s64)diff.part[j]);
			}
		}
		EXPECT_LE(last.latency, now.latency);
		/* From its first entry on the vCPU is either in guest mode or out of it. */
		if (last.exits)
			EXPECT_SAME(diff.on + diff.off, diff.part[GUEST_TIME] + diff.exit);
		last = now;
		usleep(100);
	}
	guest_stop(self->g, 0);
	EXPECT_EQ(0, guest_wait(self->g, 0, 60000));
	if (variant->preempted)
		end_burning(burner);
	ASSERT_EQ(0, look(self->fd, &now));
	EXPECT_SAME(now.on + now.off, all_parts(&now));
	EXPECT_LT(0, now.part[GUEST_TIME]);
	EXPECT_LT(0, now.part[KVM_TIME]);
}

TEST(a_vcpu_that_has_not_run_was_never_in_guest_mode)
{
	struct guest *g = guest_new(1, 0);
	struct times t;
	int fd, err;

	ASSERT_NE(NULL, g);
	fd = watch_vcpu(g, 0);
	ASSERT_LE(0, fd);
	err = look(fd, &t);
	if (err == -ENOENT)
		SKIP(return, "KVM does not tell of each entry here");
	ASSERT_EQ(0, err);
	EXPECT_LT(0, t.loads);
	EXPECT_EQ(0, t.part[GUEST_TIME]);
	EXPECT_EQ(0, t.exit);
	EXPECT_EQ(0, t.entries);
	EXPECT_EQ(0, t.part[POLL]);
	EXPECT_EQ(0, t.part[WAIT]);
	/* Others may take the pCPU while KVM has loaded the vCPU to set its registers. */
	EXPECT_SAME(t.on + t.off, all_parts(&t));
	close(fd);
	guest_free(g);
}

TEST(a_vcpu_from_before_insmod_is_accounted_from_then_on)
{
	struct guest *g = guest_new(2, 0);
	struct times t[2], last;
	int fd, i, j, err;

	ASSERT_NE(NULL, g);
	stay_on(0);
	/* vCPU 0 is in guest mode, or on its way there or back. vCPU 1 is off its pCPU. */
	ASSERT_EQ(0, guest_pin(g, 0, 1));
	ASSERT_EQ(0, guest_run(g, 1, work_out(1)));
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, guest_start(g, 0, work_spin()));
	ASSERT_EQ(0, guest_wait_progress(g, 0, 1, 10000));
	ASSERT_EQ(0, watch_load(NULL));
	for (i = 0; i < 2; i++) {
		fd = watch_vcpu(g, i);
		ASSERT_LE(0, fd);
		err = look(fd, &t[i]);
		for (j = 0; !err && j < 100; j++) {
			last = t[i];
			ASSERT_EQ(0, look(fd, &t[i]));
			EXPECT_LE(last.part[GUEST_TIME], t[i].part[GUEST_TIME]);
			EXPECT_LE(last.part[KVM_TIME], t[i].part[KVM_TIME]);
		}
		close(fd);
	}
	if (!err) {
		EXPECT_LT(0, t[0].part[GUEST_TIME]);
		EXPECT_SAME(t[0].on + t[0].off, all_parts(&t[0]));
		/* No hook has seen why vCPU 1 is off its pCPU. */
		EXPECT_LT(0, t[1].off);
		EXPECT_EQ(0, all_parts(&t[1]));
	}
	guest_stop(g, 0);
	EXPECT_EQ(0, guest_wait(g, 0, 10000));
	guest_free(g);
}

#define PREEMPTION	"/sys/kernel/debug/sched/preempt"
#define SPINNERS	3
#define INSMODS		3

/* Is its time from now on in guest mode or out of it, and only one of them? */
static bool is_split_in_two(int fd)
{
	struct times before, now, diff;

	if (look(fd, &before))
		return false;
	usleep(20000);
	if (look(fd, &now))
		return false;
	diff = since(&now, &before);
	if (llabs((long long)(diff.on + diff.off - diff.exit - diff.part[GUEST_TIME])) <= ROUNDED)
		return true;
	fprintf(stderr, "# %llu ns on, %llu off; %llu in guest mode, %llu out of it\n", diff.on,
		diff.off, diff.part[GUEST_TIME], diff.exit);
	return false;
}

/*
 * At insmod all but one of these are preempted. On SVM up to 6.1, a fully preemptible kernel mostly
 * preempts a vCPU between an exit and KVM's event of it, which then comes after insmod.
 */
TEST(vcpus_that_are_preempted_at_insmod_are_accounted_from_then_on)
{
	bool full = !machine_put("/sys/kernel/debug/sched/preempt", "full");
	struct guest *g = guest_new(SPINNERS, 0);
	struct times t;
	int fd, i, err;

	TH_LOG("fully preemptible: %s", full ? "now" : "as it was built");
	ASSERT_NE(NULL, g);
	stay_on(0);
	ASSERT_EQ(0, watch_unload_patiently());
	for (i = 0; i < SPINNERS; i++) {
		ASSERT_EQ(0, guest_pin(g, i, 1));
		ASSERT_EQ(0, guest_start(g, i, work_spin()));
	}
	for (i = 0; i < SPINNERS; i++)
		ASSERT_EQ(0, guest_wait_progress(g, i, 1, 10000));
	ASSERT_EQ(0, watch_load(NULL));
	for (i = 0; i < SPINNERS; i++) {
		fd = watch_vcpu(g, i);
		ASSERT_LE(0, fd);
		err = look(fd, &t);
		if (!err) {
			EXPECT_TRUE(WATCH_EVENTUALLY(watch_vcpu_stat(g, i, "exits") > 1));
			EXPECT_TRUE(is_split_in_two(fd));
		}
		close(fd);
	}
	machine_put_back();
	for (i = 0; i < SPINNERS; i++)
		guest_stop(g, i);
	for (i = 0; i < SPINNERS; i++)
		EXPECT_EQ(0, guest_wait(g, i, 10000));
	guest_free(g);
}

TEST(the_times_of_a_vm_are_those_of_its_vcpus_also_of_a_gone_one)
{
	struct guest *g = guest_new(2, 0);
	struct times vm, t[2], after;
	int fd, i;

	ASSERT_NE(NULL, g);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, guest_run(g, i, work_cpuid(100)));
		fd = watch_vcpu(g, i);
		ASSERT_LE(0, fd);
		look(fd, &t[i]);
		close(fd);
	}
	fd = watch_vm(g);
	ASSERT_LE(0, fd);
	if (look(fd, &vm) == -ENOENT)
		SKIP(return, "KVM does not tell of each entry here");
	EXPECT_SAME(vm.part[GUEST_TIME], t[0].part[GUEST_TIME] + t[1].part[GUEST_TIME]);
	EXPECT_SAME(vm.part[KVM_TIME], t[0].part[KVM_TIME] + t[1].part[KVM_TIME]);
	EXPECT_SAME(vm.on + vm.off, all_parts(&vm));
	guest_close_vcpu(g, 1);
	ASSERT_EQ(0, look(fd, &after));
	EXPECT_SAME(vm.part[GUEST_TIME], after.part[GUEST_TIME]);
	EXPECT_SAME(after.on + after.off, all_parts(&after));
	close(fd);
	guest_free(g);
}

/* --- each part by itself -------------------------------------------------------- */

TEST_F(times, time_between_two_runs_is_the_vmms)
{
	struct times now, diff;

	usleep(20000);
	ASSERT_EQ(0, look(self->fd, &now));
	diff = since(&now, &self->before);
	EXPECT_LE(20000000, diff.off);
	EXPECT_EQ(0, diff.on);
	EXPECT_SAME(diff.off, diff.part[USER]);
}

TEST_F(times, a_halt_that_sleeps_waits)
{
	struct times now, diff;

	ASSERT_EQ(0, guest_halt_asleep(self->g, 0, 20));
	ASSERT_EQ(0, look(self->fd, &now));
	diff = since(&now, &self->before);
	EXPECT_LT(0, diff.part[WAIT]);
	EXPECT_SAME(diff.off, diff.part[WAIT] + diff.part[USER] + diff.part[PREEMPTED]);
	EXPECT_EQ(0, diff.part[BLOCKED]);
}

TEST_F(times, a_vcpu_that_another_thread_takes_the_pcpu_from_is_preempted)
{
	__u64 preemptions = watch_vcpu_stat(self->g, 0, "preemptions"), more = 0;
	struct times now, diff;
	pthread_t burner;
	unsigned int i;

	ASSERT_EQ(0, start_burning(&burner));
	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	for (i = 0; i < 5000 * patience() && more < 5; i++) {
		usleep(1000);
		more = watch_vcpu_stat(self->g, 0, "preemptions") - preemptions;
	}
	EXPECT_LE(5, more);
	ASSERT_EQ(0, look(self->fd, &now));
	end_burning(burner);
	guest_stop(self->g, 0);
	EXPECT_EQ(0, guest_wait(self->g, 0, 10000));
	diff = since(&now, &self->before);
	EXPECT_LT(0, diff.part[PREEMPTED]);
	EXPECT_EQ(0, diff.part[WAIT]);
	EXPECT_SAME(diff.off, diff.part[PREEMPTED] + diff.part[USER] + diff.part[BLOCKED]);
}

/* The guest touches a page that userspace provides late. */
TEST_F(times, a_vcpu_that_sleeps_in_kvm_for_a_page_is_blocked)
{
	void *host = guest_slot_host(self->g, SLOT);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (__u64)(unsigned long)host, PAGES * GUEST_PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_zeropage zero = { .range = reg.range };
	struct times now, diff;
	struct uffd_msg fault;
	int fd;

	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (fd < 0)
		SKIP(return, "no userfaultfd here");
	ASSERT_EQ(0, ioctl(fd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(fd, UFFDIO_REGISTER, &reg));
	ASSERT_EQ(0, guest_start(self->g, 0, work_read(GPA, 1, GUEST_PAGE)));
	ASSERT_EQ((ssize_t)sizeof(fault), read(fd, &fault, sizeof(fault)));
	usleep(20000);
	ASSERT_EQ(0, ioctl(fd, UFFDIO_ZEROPAGE, &zero));
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
	ASSERT_EQ(0, look(self->fd, &now));
	close(fd);
	diff = since(&now, &self->before);
	EXPECT_LT(0, diff.part[BLOCKED]);
	EXPECT_EQ(0, diff.part[WAIT]);
	EXPECT_SAME(diff.off, diff.part[PREEMPTED] + diff.part[USER] + diff.part[BLOCKED]);
}

/* --- loads and puts --------------------------------------------------------------- */

/*
 * A run with one exit is made of the way from load to entry, guest mode, and the way from exit to
 * put. So the time out of guest mode is latency.
 */
TEST_F(times, a_run_with_one_exit_is_latency_and_guest)
{
	struct times now, diff;
	int i;

	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, look(self->fd, &self->before));
		ASSERT_EQ(0, guest_run(self->g, 0, work_out(10)));
		ASSERT_EQ(0, look(self->fd, &now));
		diff = since(&now, &self->before);
		EXPECT_LE(11, diff.loads);
		EXPECT_GE(diff.loads, diff.entries);
		EXPECT_GE(diff.loads, diff.puts);
		EXPECT_GE(diff.part[KVM_TIME] + ROUNDED, diff.latency);
		/* Neither an interrupt nor another thread came between. */
		if (diff.exits == 11 && diff.loads == 11)
			break;
	}
	ASSERT_GT(200, i);
	EXPECT_EQ(11, diff.entries);
	EXPECT_EQ(11, diff.puts);
	EXPECT_SAME(diff.part[KVM_TIME], diff.latency);
}

TEST_F(times, a_load_without_an_entry_has_no_latency)
{
	struct kvm_mp_state state;
	struct times now, diff;
	int i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, ioctl(guest_vcpu_fd(self->g, 0), KVM_GET_MP_STATE, &state));
	ASSERT_EQ(0, look(self->fd, &now));
	diff = since(&now, &self->before);
	EXPECT_LE(10, diff.loads);
	EXPECT_EQ(0, diff.entries);
	EXPECT_EQ(0, diff.puts);
	EXPECT_EQ(0, diff.latency);
	EXPECT_EQ(0, diff.part[GUEST_TIME]);
}

/* --- by reason -------------------------------------------------------------------- */

struct reason {
	unsigned int svm, vmx;
	const char *svm_traced, *vmx_traced;	/* name in KVM's event */
	__u64 ns;				/* time by KVM's events */
	__u64 times;
};

static __u64 tsc(void)
{
	__u32 low, high;

	asm volatile("lfence; rdtsc; lfence" : "=a" (low), "=d" (high) : : "memory");
	return (__u64)high << 32 | low;
}

/*
 * Add up the events of a thread, in ticks: the times from each kvm_exit to the next kvm_entry.
 * Returns the time in guest mode, from each kvm_entry to the next kvm_exit.
 */
static __u64 events(const char *tid, struct reason *reasons, size_t nr)
{
	const char *line = watch_trace_text(), *end, *at;
	struct reason *why = NULL;
	__u64 when, left = 0, entered = 0, guest = 0;
	char text[512], wanted[64];
	size_t i;

	for (; line && *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		snprintf(text, sizeof(text), "%.*s", (int)(end - line), line);
		at = strstr(text, ": kvm_e");
		if (!at || !strstr(text, tid))
			continue;
		while (at > text && at[-1] != ' ')
			at--;
		when = strtoull(at, NULL, 10);
		if (strstr(at, "kvm_exit:")) {
			guest += entered ? when - entered : 0;
			entered = 0;
			left = when;
			why = NULL;
			for (i = 0; i < nr; i++) {
				snprintf(wanted, sizeof(wanted), " reason %s ",
					 vendor_is_intel() ? reasons[i].vmx_traced :
							     reasons[i].svm_traced);
				if (strstr(at, wanted))
					why = &reasons[i];
			}
		} else if (strstr(at, "kvm_entry:")) {
			if (why && left) {
				why->ns += when - left;
				why->times++;
			}
			left = 0;
			entered = when;
		}
	}
	return guest;
}

static const __u64 *reason_times(int fd, void **snapshot, unsigned int *nr)
{
	*snapshot = oracle_snapshot(fd, NULL);
	return *snapshot ? oracle_in(*snapshot, "exit_reason_times", nr) : NULL;
}

static bool is_near(const char *what, __u64 ours, __u64 theirs, __u64 times)
{
	__u64 slack = theirs / 5 + times * 5000;

	printf("# %s: %llu times, %llu ns, by events %llu\n", what, times, ours, theirs);
	return llabs((long long)(ours - theirs)) <= slack;
}

/* Run guests with known exits. 1: kvmwatch's times are near KVM's; 0: they are not; -errno. */
static int compare_with_events(struct guest *g, int fd)
{
	struct reason reasons[] = {
		{ SVM_EXIT_CPUID, EXIT_REASON_CPUID, "cpuid", "CPUID" },
		{ SVM_EXIT_HLT, EXIT_REASON_HLT, "hlt", "HLT" },
	};
	const __u64 *before, *after;
	__u64 ticks, ns, guest, times = 0;
	void *snapshot0, *snapshot;
	unsigned int nr, why, i;
	struct times last, now;
	char tid[32];
	double tick;
	int err, near = 1;

	snprintf(tid, sizeof(tid), "-%d ", guest_tid(g, 0));
	err = watch_trace_start();
	err = err ?: watch_trace_clock("x86-tsc");
	err = err ?: watch_trace_also("kvm/kvm_exit");
	err = err ?: watch_trace_also("kvm/kvm_entry");
	ticks = tsc();
	ns = clock_ns(CLOCK_MONOTONIC_RAW);
	err = err ?: look(fd, &last);
	before = reason_times(fd, &snapshot0, &nr);
	err = err ?: guest_run(g, 0, work_cpuid(300));
	err = err ?: guest_run(g, 0, work_halt(100, GUEST_WAKE_LAPIC, 200000));
	err = err ?: look(fd, &now);
	after = reason_times(fd, &snapshot, &nr);
	usleep(100000);
	ns = clock_ns(CLOCK_MONOTONIC_RAW) - ns;
	ticks = tsc() - ticks;
	err = err ?: watch_trace_stop();
	if (err || !before || !after || watch_trace_lost())
		return err ?: -EIO;

	tick = (double)ns / ticks;
	guest = events(tid, reasons, ARRAY_SIZE(reasons)) * tick;
	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		why = vendor_is_intel() ? reasons[i].vmx : reasons[i].svm;
		times += reasons[i].times;
		near &= is_near(reasons[i].svm_traced, after[why] - before[why],
				reasons[i].ns * tick, reasons[i].times);
	}
	near &= is_near("guest", now.part[GUEST_TIME] - last.part[GUEST_TIME], guest, times);
	watch_trace_end();
	free(snapshot0);
	free(snapshot);
	return times == 400 ? near : 0;
}

/*
 * Compare with the method of "perf kvm stat". In each of KVM's events kvmwatch reads the clock
 * first, as its probe was registered first, then the trace, which takes a while. An interrupt or
 * other work of the machine may come in between, but not each time.
 */
TEST_F(times, the_time_by_reason_is_that_between_kvms_events)
{
	int near = 0, i;

	for (i = 0; i < 5 && !near; i++) {
		near = compare_with_events(self->g, self->fd);
		if (near < 0)
			watch_trace_end();
		ASSERT_LE(0, near);
	}
	EXPECT_TRUE(near);
}

TEST_F(times, the_times_by_reason_are_all_time_out_of_guest_mode)
{
	unsigned int nr, i;
	const __u64 *cells;
	void *snapshot;
	__u64 sum = 0;

	ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(100)));
	ASSERT_EQ(0, guest_halt_asleep(self->g, 0, 5));
	cells = reason_times(self->fd, &snapshot, &nr);
	ASSERT_NE(NULL, cells);
	for (i = 0; i < nr; i++)
		sum += cells[i];
	EXPECT_GE(nr, number(snapshot, "exit_time_ns") - sum);
	/* Each exit but the last has ended. */
	EXPECT_EQ(number(snapshot, "exits") - 1, number(snapshot, "exit_hist"));
	EXPECT_LT(0, number(snapshot, "exit_time_ns_max"));
	EXPECT_GE(sum, number(snapshot, "exit_time_ns_max"));
	free(snapshot);
}

TEST_HARNESS_MAIN
