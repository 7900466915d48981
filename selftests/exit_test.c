// SPDX-License-Identifier: GPL-2.0
/*
 * Exits from the guest to KVM and from KVM to userspace: their numbers, reasons and times. Also
 * other times of a vCPU: waiting for a pCPU, and the cost of loads and puts.
 *
 * The test's own thread stays on CPU 0, and vCPUs have CPU 1 for themselves unless a
 * test says otherwise.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <asm/svm.h>
#include <asm/vmx.h>
#include <kselftest_harness.h>

#include "guest.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "vendor.h"
#include "watch.h"

#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		256
#define NOTHING		(~0ULL)

/* An exit reason: its number on each vendor's processors, and its name. */
struct why {
	unsigned int svm, vmx;
	const char *svm_traced, *vmx_traced;	/* name in KVM's event */
};

static const struct why why_io = {
	SVM_EXIT_IOIO, EXIT_REASON_IO_INSTRUCTION, "io", "IO_INSTRUCTION"
};

static const struct why why_cpuid = { SVM_EXIT_CPUID, EXIT_REASON_CPUID, "cpuid", "CPUID" };
static const struct why why_halt = { SVM_EXIT_HLT, EXIT_REASON_HLT, "hlt", "HLT" };
static const struct why why_fault = {
	SVM_EXIT_NPF, EXIT_REASON_EPT_VIOLATION, "npf", "EPT_VIOLATION"
};

static const struct why why_irq = {
	SVM_EXIT_INTR, EXIT_REASON_EXTERNAL_INTERRUPT, "interrupt", "EXTERNAL_INTERRUPT"
};

/* All numbers of a vCPU about exits, at one time. */
struct numbers {
	void *snapshot;
	__u64 exits, exit_time_ns, user_exits, run_delay_ns, loads, on_cpu_ns, off_cpu_ns;
	const __u64 *reasons, *user_reasons;
	unsigned int nr_reasons, nr_user_reasons;
};

static __u64 number(const void *snapshot, const char *name)
{
	const __u64 *value = oracle_in(snapshot, name, NULL);

	return value ? *value : NOTHING;
}

static struct numbers numbers(int fd)
{
	struct numbers n = { .snapshot = oracle_snapshot(fd, NULL) };

	if (!n.snapshot)
		return n;
	n.exits = number(n.snapshot, "exits");
	n.exit_time_ns = number(n.snapshot, "exit_time_ns");
	n.user_exits = number(n.snapshot, "user_exits");
	n.run_delay_ns = number(n.snapshot, "run_delay_ns");
	n.loads = number(n.snapshot, "loads");
	n.on_cpu_ns = number(n.snapshot, "on_cpu_ns");
	n.off_cpu_ns = number(n.snapshot, "off_cpu_ns");
	n.reasons = oracle_in(n.snapshot, "exit_reasons", &n.nr_reasons);
	n.user_reasons = oracle_in(n.snapshot, "user_exit_reasons", &n.nr_user_reasons);
	return n;
}

static __u64 because(const struct numbers *n, struct why why)
{
	unsigned int cell = vendor_is_intel() ? why.vmx : why.svm;

	return cell < n->nr_reasons ? n->reasons[cell] : NOTHING;
}

static __u64 sum(const __u64 *cells, unsigned int nr)
{
	__u64 all = 0;

	while (nr--)
		all += cells[nr];
	return all;
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* The first command touches all of slot 0: run one before measuring. */
static int settle(struct guest *g, unsigned int vcpu)
{
	return guest_run(g, vcpu, work_out(1));
}

/* A guest on CPU 1, with the memory of its slot present, and its vCPU's stats fd; NULL: no. */
static struct guest *settled_guest(int *fd)
{
	struct guest *g = guest_new(1, 0);

	stay_on(0);
	if (g && !guest_slot_add(g, SLOT, GPA, PAGES, GUEST_MEM_4K, 0) &&
	    !guest_slot_populate(g, SLOT) && !guest_pin(g, 0, 1) && !settle(g, 0)) {
		*fd = watch_vcpu(g, 0);
		if (*fd >= 0)
			return g;
	}
	guest_free(g);
	return NULL;
}

FIXTURE(exits)
{
	struct guest *g;
	int fd;
};

FIXTURE_SETUP(exits)
{
	self->g = settled_guest(&self->fd);
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(exits)
{
	close(self->fd);
	guest_free(self->g);
}

/* --- the format -------------------------------------------------------------- */

TEST_F(exits, reasons_are_linear_histograms_with_a_bucket_for_each)
{
	struct numbers n = numbers(self->fd);
	struct oracle_desc desc;
	int linear = 0;
	unsigned int i;

	for (i = 0; !oracle_desc(self->fd, i, &desc); i++) {
		if ((desc.flags & KVMWATCH_STATS_TYPE_MASK) != KVMWATCH_STATS_LINEAR_HIST)
			continue;
		EXPECT_EQ(1, desc.bucket_size);
		linear++;
	}
	EXPECT_EQ(3, linear);
	ASSERT_NE(NULL, n.reasons);
	ASSERT_NE(NULL, n.user_reasons);
	EXPECT_EQ(vendor_is_intel() ? 128 + 1 : SVM_EXIT_NPF + 8 + 1, n.nr_reasons);
	EXPECT_LT(KVM_EXIT_NOTIFY, n.nr_user_reasons);
	EXPECT_LE(1, n.exits);
	EXPECT_EQ(n.exits, sum(n.reasons, n.nr_reasons));
	EXPECT_EQ(n.user_exits, sum(n.user_reasons, n.nr_user_reasons));
	free(n.snapshot);
}

/* --- how many, and why ------------------------------------------------------- */

FIXTURE(exit_work)
{
	struct guest *g;
	int fd, kvm_fd;
};

FIXTURE_VARIANT(exit_work)
{
	struct guest_work work;
	const struct why *why;
	__u64 times;		/* exits for @why */
	__u64 done;		/* exits for the port write at the end, if that is another reason */
};

#define ROUNDS	300

FIXTURE_VARIANT_ADD(exit_work, out)
{
	.work = { .op = GUEST_OUT, .rounds = ROUNDS },
	.why = &why_io, .times = ROUNDS + 1,
};

FIXTURE_VARIANT_ADD(exit_work, cpuid)
{
	.work = { .op = GUEST_CPUID, .rounds = ROUNDS },
	.why = &why_cpuid, .times = ROUNDS, .done = 1,
};

FIXTURE_VARIANT_ADD(exit_work, halt)
{
	.work = { .op = GUEST_HALT, .rounds = 100, .wake = GUEST_WAKE_LAPIC,
		  .period_ns = 200000 },
	.why = &why_halt, .times = 100, .done = 1,
};

FIXTURE_VARIANT_ADD(exit_work, fault)
{
	.work = { .op = GUEST_READ, .rounds = 1, .gpa = GPA, .pages = PAGES,
		  .stride = GUEST_PAGE },
	.why = &why_fault, .times = PAGES, .done = 1,
};

FIXTURE_SETUP(exit_work)
{
	self->g = settled_guest(&self->fd);
	ASSERT_NE(NULL, self->g);
	self->kvm_fd = guest_vcpu_fd(self->g, 0);
}

FIXTURE_TEARDOWN(exit_work)
{
	close(self->fd);
	guest_free(self->g);
}

static bool shadow_mmu(void)
{
	char c = 0;
	FILE *f = fopen("/sys/module/kvm/parameters/tdp_mmu", "re");

	if (f) {
		c = fgetc(f);
		fclose(f);
	}
	return c != 'Y';
}

TEST_F(exit_work, counts_each_by_its_reason)
{
	struct numbers n0, n;
	__u64 io;

	if (variant->why == &why_fault && shadow_mmu())
		SKIP(return, "KVM's shadow MMU maps more than what faulted");
	n0 = numbers(self->fd);
	ASSERT_NE(NULL, n0.reasons);
	ASSERT_EQ(0, guest_run(self->g, 0, variant->work));
	n = numbers(self->fd);
	ASSERT_NE(NULL, n.reasons);

	EXPECT_EQ(variant->times, because(&n, *variant->why) - because(&n0, *variant->why));
	io = because(&n, why_io) - because(&n0, why_io);
	EXPECT_EQ(variant->done ?: variant->times, io);
	EXPECT_EQ(n.exits, sum(n.reasons, n.nr_reasons));
	/* KVM never exits for a reason that has no bucket of its own. */
	EXPECT_EQ(0, n.reasons[n.nr_reasons - 1]);
	free(n0.snapshot);
	free(n.snapshot);
}

/* KVM's sum over all vCPUs of the VM, which has one. */
static __u64 kvms(struct guest *g, const char *name)
{
	__u64 value;

	return oracle_debugfs(guest_name(g), name, &value) ? NOTHING : value;
}

/* Both are 0 when the vCPU is created, so compare the totals. */
TEST_F(exit_work, agrees_with_kvms_own_counts)
{
	struct numbers n;

	ASSERT_EQ(0, guest_run(self->g, 0, variant->work));
	n = numbers(self->fd);
	ASSERT_NE(NULL, n.reasons);
	EXPECT_EQ(kvms(self->g, "exits"), n.exits);
	EXPECT_EQ(kvms(self->g, "io_exits"), because(&n, why_io));
	EXPECT_EQ(kvms(self->g, "halt_exits"), because(&n, why_halt));
	EXPECT_EQ(kvms(self->g, "irq_exits"), because(&n, why_irq));
	free(n.snapshot);
}

TEST_F(exit_work, agrees_with_kvms_events)
{
	static const struct why *const all[] = {
		&why_io, &why_cpuid, &why_halt, &why_fault, &why_irq,
	};
	struct numbers n0, n;
	char tid[32], reason[64];
	const char *traced;
	unsigned int i;

	n0 = numbers(self->fd);
	ASSERT_NE(NULL, n0.reasons);
	snprintf(tid, sizeof(tid), "-%d ", guest_tid(self->g, 0));
	ASSERT_EQ(0, watch_trace_start());
	ASSERT_EQ(0, watch_trace_also("kvm/kvm_exit"));
	ASSERT_EQ(0, watch_trace_also("kvm/kvm_entry"));
	ASSERT_EQ(0, watch_trace_also("kvm/kvm_userspace_exit"));
	ASSERT_EQ(0, guest_run(self->g, 0, variant->work));
	n = numbers(self->fd);
	ASSERT_EQ(0, watch_trace_stop());
	ASSERT_EQ(0, watch_trace_lost());

	/*
	 * Each exit but the last is followed by an entry, and each entry but the first by an exit.
	 */
	EXPECT_EQ(n.exits - n0.exits, watch_trace_count(tid, "kvm_entry:", NULL));
	EXPECT_EQ(n.user_exits - n0.user_exits,
		  watch_trace_count(tid, "kvm_userspace_exit:", NULL));
	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		traced = vendor_is_intel() ? all[i]->vmx_traced : all[i]->svm_traced;
		snprintf(reason, sizeof(reason), " reason %s ", traced);
		EXPECT_EQ(because(&n, *all[i]) - because(&n0, *all[i]),
			  watch_trace_count(tid, "kvm_exit:", reason, NULL)) {
			TH_LOG("%s", traced);
		}
	}
	watch_trace_end();
	free(n0.snapshot);
	free(n.snapshot);
}

/* --- to userspace ------------------------------------------------------------ */

static __u64 user_because(const struct numbers *n, const struct numbers *n0, unsigned int why)
{
	return n->user_reasons[why] - n0->user_reasons[why];
}

TEST_F(exits, each_return_of_kvm_run_is_a_user_exit_by_its_reason)
{
	struct numbers n0 = numbers(self->fd), n;
	__u64 runs0 = guest_runs(self->g, 0), mmio0, mmio;
	int i;

	ASSERT_NE(NULL, n0.user_reasons);
	mmio0 = guest_exits(self->g, 0, KVM_EXIT_MMIO);
	ASSERT_EQ(0, guest_run(self->g, 0, work_out(50)));
	ASSERT_EQ(0, guest_run(self->g, 0, work_cpuid(50)));
	/* The guest reads where no slot is. */
	ASSERT_EQ(-EFAULT, guest_run(self->g, 0, work_read(GPA + PAGES * GUEST_PAGE, 3,
							   GUEST_PAGE)));
	mmio = guest_exits(self->g, 0, KVM_EXIT_MMIO) - mmio0;
	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	ASSERT_EQ(0, guest_wait_progress(self->g, 0, 1, 10000));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, guest_kick(self->g, 0));
	guest_stop(self->g, 0);
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));

	n = numbers(self->fd);
	EXPECT_EQ(guest_runs(self->g, 0) - runs0, n.user_exits - n0.user_exits);
	EXPECT_LE(1, mmio);
	EXPECT_EQ(mmio, user_because(&n, &n0, KVM_EXIT_MMIO));
	EXPECT_EQ(51 + 1 + 1 + 1, user_because(&n, &n0, KVM_EXIT_IO));
	EXPECT_EQ(10, user_because(&n, &n0, KVM_EXIT_INTR));
	EXPECT_EQ(n.user_exits, sum(n.user_reasons, n.nr_user_reasons));
	free(n0.snapshot);
	free(n.snapshot);
}

/*
 * KVM's event of the exit to userspace comes after the put, and names no vCPU. kvmwatch must find
 * the vCPU, whatever else the thread has run, on any pCPU.
 */
TEST(a_thread_that_runs_two_vcpus_on_two_cpus_exits_from_the_right_one)
{
	struct guest *g = guest_new(2, 0);
	struct numbers n0[2], n[2];
	int fd[2], i;

	ASSERT_NE(NULL, g);
	for (i = 0; i < 2; i++) {
		fd[i] = watch_vcpu(g, i);
		ASSERT_LE(0, fd[i]);
		ASSERT_EQ(0, settle(g, i));
		n0[i] = numbers(fd[i]);
		ASSERT_NE(NULL, n0[i].user_reasons);
	}
	for (i = 0; i < 60; i++) {
		stay_on(i % 3 % 2);
		ASSERT_EQ(0, guest_run(g, i % 2, work_out(1 + i % 2)));
	}
	for (i = 0; i < 2; i++) {
		n[i] = numbers(fd[i]);
		/*
		 * Each write to the port is an exit, and so is the end of each of the 30 commands.
		 */
		EXPECT_EQ(30 * (1 + i) + 30, user_because(&n[i], &n0[i], KVM_EXIT_IO));
		free(n0[i].snapshot);
		free(n[i].snapshot);
		close(fd[i]);
	}
	guest_free(g);
	stay_on(0);
}

TEST(no_user_exit_is_lost_when_the_scheduler_switches_before_it)
{
	struct guest *g = guest_new(4, 0);
	__u64 runs;
	int i;

	ASSERT_NE(NULL, g);
	/* All vCPUs are on one CPU, which may switch between them at any point. */
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, guest_pin(g, i, 1));
		ASSERT_EQ(0, guest_start(g, i, work_out(2000 + i)));
	}
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, guest_wait(g, i, 60000));
	for (i = 0; i < 4; i++) {
		runs = guest_runs(g, i);
		EXPECT_EQ(2000 + i + 1, runs);
		EXPECT_EQ(runs, watch_vcpu_stat(g, i, "user_exits"));
	}
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
	guest_free(g);
}

/* --- how long ---------------------------------------------------------------- */

TEST_F(exits, a_vcpu_in_userspace_is_out_of_guest_mode_for_as_long_as_it_is_off_its_cpu)
{
	struct numbers n0 = numbers(self->fd), n;

	usleep(20000);
	n = numbers(self->fd);
	EXPECT_LT(n0.off_cpu_ns, n.off_cpu_ns);
	/* Both times are rounded down to a nanosecond. */
	EXPECT_GE(1, llabs((long long)(n.off_cpu_ns - n0.off_cpu_ns) -
			   (long long)(n.exit_time_ns - n0.exit_time_ns)));
	free(n0.snapshot);
	free(n.snapshot);
}

/*
 * A vCPU that is off its pCPU is out of guest mode. It may also be out of guest mode on its pCPU.
 */
TEST_F(exits, time_out_of_guest_mode_grows_and_is_between_off_cpu_and_all)
{
	struct guest_work works[] = { work_spin(), work_cpuid(GUEST_FOREVER),
				      work_out(GUEST_FOREVER) };
	struct numbers first, last, n;
	unsigned int i, w;
	__u64 rounded;

	for (w = 0; w < 3; w++) {
		first = numbers(self->fd);
		last = numbers(self->fd);
		ASSERT_EQ(0, guest_start(self->g, 0, works[w]));
		ASSERT_EQ(0, guest_wait_progress(self->g, 0, 1, 10000));
		for (i = 0; i < 300; i++) {
			n = numbers(self->fd);
			ASSERT_LE(last.exit_time_ns, n.exit_time_ns);
			ASSERT_LE(last.exits, n.exits);
			ASSERT_EQ(n.exits, sum(n.reasons, n.nr_reasons));
			/* Each stretch is rounded down to a nanosecond. */
			rounded = n.exits - last.exits + n.loads - last.loads + 2;
			ASSERT_LE(n.off_cpu_ns - last.off_cpu_ns,
				  n.exit_time_ns - last.exit_time_ns + rounded);
			ASSERT_GE(n.off_cpu_ns - last.off_cpu_ns + n.on_cpu_ns - last.on_cpu_ns +
				  2 * rounded, n.exit_time_ns - last.exit_time_ns);
			free(last.snapshot);
			last = n;
		}
		guest_stop(self->g, 0);
		ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
		n = numbers(self->fd);
		/* The guest ran for some time, too. */
		EXPECT_LT(n.exit_time_ns - first.exit_time_ns,
			  n.off_cpu_ns - first.off_cpu_ns + n.on_cpu_ns - first.on_cpu_ns);
		free(first.snapshot);
		free(last.snapshot);
		free(n.snapshot);
	}
}

static atomic_bool stop_burning;

static void *burn(void *unused)
{
	stay_on(1);
	while (!stop_burning)
		;
	return NULL;
}

/* Set the kernel's preemption mode, and write the old mode to @was, of 16 bytes. */
static bool set_preemption(const char *mode, char *was)
{
	FILE *f = machine_is_ours() ? fopen("/sys/kernel/debug/sched/preempt", "r+") : NULL;
	char line[64] = "";
	bool done;

	if (!f)
		return false;
	/* the words are "none (voluntary) full", with the mode in brackets */
	done = fgets(line, sizeof(line), f) && strchr(line, '(') &&
	       sscanf(strchr(line, '('), "(%15[^)]", was) == 1;
	rewind(f);
	done = done && fputs(mode, f) >= 0;
	return !fclose(f) && done;
}

#define PREEMPTION_LOOKS	(2000 * patience())	/* at most, for 20 preemptions */

/*
 * This also holds if the kernel switches to another thread between the exit and KVM's event of it,
 * as a fully preemptible kernel may.
 */
TEST_F(exits, a_vcpu_that_is_preempted_is_out_of_guest_mode_while_it_is_off_its_cpu)
{
	char was[16], ignored[16];
	bool full = set_preemption("full", was);
	struct numbers last, n;
	__u64 preemptions;
	pthread_t burner;
	unsigned int i;

	TH_LOG("fully preemptible: %s", full ? "now" : "as it was built");
	stop_burning = false;
	ASSERT_EQ(0, pthread_create(&burner, NULL, burn, NULL));
	preemptions = watch_vcpu_stat(self->g, 0, "preemptions");
	ASSERT_EQ(0, guest_start(self->g, 0, work_spin()));
	ASSERT_EQ(0, guest_wait_progress(self->g, 0, 1, 10000));
	last = numbers(self->fd);
	for (i = 0; i < PREEMPTION_LOOKS; i++) {
		usleep(500);
		n = numbers(self->fd);
		EXPECT_LE(n.off_cpu_ns - last.off_cpu_ns,
			  n.exit_time_ns - last.exit_time_ns + n.exits - last.exits +
			  n.loads - last.loads + 2);
		free(last.snapshot);
		last = n;
		if (watch_vcpu_stat(self->g, 0, "preemptions") - preemptions >= 20)
			break;
	}
	EXPECT_GT(PREEMPTION_LOOKS, i);
	stop_burning = true;
	pthread_join(burner, NULL);
	guest_stop(self->g, 0);
	EXPECT_EQ(0, guest_wait(self->g, 0, 10000));
	free(last.snapshot);
	if (full)
		EXPECT_TRUE(set_preemption(was, ignored));
}

/* --- of whom ----------------------------------------------------------------- */

TEST(the_exits_of_a_vm_are_those_of_its_vcpus_also_of_a_gone_one)
{
	static const char *const names[] = { "exits", "user_exits" };
	struct guest *g = guest_new(3, 0);
	__u64 all, reasons;
	int fd, i, j;

	ASSERT_NE(NULL, g);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, guest_run(g, i, work_out(100 * (i + 1))));
	for (j = 0; j < 2; j++) {
		for (i = 0, all = 0; i < 3; i++)
			all += watch_vcpu_stat(g, i, names[j]);
		EXPECT_LE(603, all);
		EXPECT_EQ(all, watch_vm_stat(g, names[j]));
	}
	all = watch_vm_stat(g, "exits");
	guest_close_vcpu(g, 1);
	EXPECT_EQ(all, watch_vm_stat(g, "exits"));
	fd = watch_vm(g);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, oracle_hist_sum(fd, "exit_reasons", &reasons));
	EXPECT_EQ(all, reasons);
	EXPECT_EQ(603, watch_vm_stat(g, "user_exits"));
	close(fd);
	guest_free(g);
}

TEST(the_last_exit_of_a_vcpu_lasts_to_its_end)
{
	struct guest *g = guest_new(1, 0);
	__u64 ns;

	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, guest_run(g, 0, work_out(1)));
	ns = watch_vm_stat(g, "exit_time_ns");
	EXPECT_LT(0, ns);
	guest_close_vcpu(g, 0);
	EXPECT_LE(ns, watch_vm_stat(g, "exit_time_ns"));
	guest_free(g);
}

/* --- waiting for a pCPU ------------------------------------------------------ */

/* Time that the calling thread has waited on runqueues, by the kernel's count. */
static __u64 waited(void)
{
	__u64 ns = NOTHING;
	FILE *f = fopen("/proc/thread-self/schedstat", "re");

	if (!f)
		return NOTHING;
	if (fscanf(f, "%*u %llu", &ns) != 1)
		ns = NOTHING;
	fclose(f);
	return ns;
}

/*
 * run_delay_ns includes the delay up to the last load. So it lies between the kernel's numbers of
 * the thread before a command and after it.
 */
TEST(run_delay_is_what_the_kernel_says_of_the_thread)
{
	struct guest *g = guest_new(1, 0);
	__u64 before, least0, most0, least, most, r0, r;
	pthread_t burner;
	int i;

	ASSERT_NE(NULL, g);
	stay_on(1);
	ASSERT_EQ(0, settle(g, 0));

	before = waited();
	ASSERT_EQ(0, guest_run(g, 0, work_out(1)));
	r0 = watch_vcpu_stat(g, 0, "run_delay_ns");
	least0 = before;
	most0 = waited();

	stop_burning = false;
	ASSERT_EQ(0, pthread_create(&burner, NULL, burn, NULL));
	/*
	 * Where exits take little time, a command may end before the scheduler gives the CPU away.
	 */
	for (i = 0; i < 50 && waited() == most0; i++)
		ASSERT_EQ(0, guest_run(g, 0, work_cpuid(8000)));
	stop_burning = true;
	pthread_join(burner, NULL);

	least = waited();
	ASSERT_EQ(0, guest_run(g, 0, work_out(1)));
	r = watch_vcpu_stat(g, 0, "run_delay_ns");
	most = waited();

	TH_LOG("waited %llu ns, by the kernel %llu to %llu", r - r0, least - most0,
	       most - least0);
	ASSERT_NE(NOTHING, r);
	EXPECT_LT(0, r - r0);
	EXPECT_LT(0, (__s64)(least - most0));
	EXPECT_LE(least - most0, r - r0);
	EXPECT_GE(most - least0, r - r0);
	guest_free(g);
	stay_on(0);
}

TEST(run_delay_of_a_vcpu_that_another_thread_looks_at_goes_on)
{
	struct guest *g = guest_new(1, 0);
	struct kvm_mp_state state;
	pthread_t burner;
	__u64 r0, r;
	int i;

	ASSERT_NE(NULL, g);
	stay_on(0);
	ASSERT_EQ(0, guest_pin(g, 0, 1));
	ASSERT_EQ(0, settle(g, 0));
	r0 = watch_vcpu_stat(g, 0, "run_delay_ns");
	stop_burning = false;
	ASSERT_EQ(0, pthread_create(&burner, NULL, burn, NULL));
	/*
	 * In each command the vCPU waits for the pCPU that the other thread burns, and a load
	 * counts that.
	 */
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, ioctl(guest_vcpu_fd(g, 0), KVM_GET_MP_STATE, &state));
		ASSERT_EQ(0, guest_run(g, 0, work_out(1)));
	}
	stop_burning = true;
	pthread_join(burner, NULL);
	r = watch_vcpu_stat(g, 0, "run_delay_ns");
	EXPECT_LT(r0, r);
	guest_free(g);
}

/* --- from before insmod ------------------------------------------------------ */

TEST(a_vcpu_that_ran_before_us_is_counted_from_then_on)
{
	struct guest *g = guest_new(1, 0);
	__u64 runs0, exits0;
	struct numbers n;
	int fd;

	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, guest_run(g, 0, work_out(10)));
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, guest_run(g, 0, work_out(10)));
	ASSERT_EQ(0, watch_load(NULL));
	runs0 = guest_runs(g, 0);
	exits0 = kvms(g, "exits");
	fd = watch_vcpu(g, 0);
	ASSERT_LE(0, fd);
	n = numbers(fd);
	EXPECT_EQ(0, n.exits);
	EXPECT_EQ(0, n.exit_time_ns);
	EXPECT_EQ(0, n.user_exits);
	free(n.snapshot);

	ASSERT_EQ(0, guest_run(g, 0, work_out(100)));
	n = numbers(fd);
	EXPECT_EQ(guest_runs(g, 0) - runs0, n.user_exits);
	EXPECT_EQ(kvms(g, "exits") - exits0, n.exits);
	EXPECT_EQ(101, because(&n, why_io));
	free(n.snapshot);
	close(fd);
	guest_free(g);
}

/* --- what load and put cost -------------------------------------------------- */

static int hook(const char *name, struct kvmwatch_hook *found)
{
	struct kvmwatch_hook *hooks;
	int nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks)), i;
	int err = -ENOENT;

	for (i = 0; i < nr; i++) {
		if (!strcmp(hooks[i].name, name)) {
			*found = hooks[i];
			err = 0;
		}
	}
	free(hooks);
	return err;
}

TEST(load_and_put_cost_are_unavailable_unless_asked_for)
{
	static const char *const names[] = { "load_cost", "put_cost" };
	struct kvmwatch_hook h;
	struct guest *g;
	int i;

	if (strstr(getenv("MODARGS") ?: "", "via=direct"))
		SKIP(return, "direct calls time them unasked: see direct_test");
	g = guest_new(1, 0);
	ASSERT_NE(NULL, g);
	EXPECT_EQ(NOTHING, watch_vcpu_stat(g, 0, "load_cost_ns"));
	EXPECT_EQ(NOTHING, watch_vcpu_stat(g, 0, "put_cost_ns"));
	EXPECT_EQ(NOTHING, watch_vm_stat(g, "put_cost_ns"));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, hook(names[i], &h));
		EXPECT_EQ(0, h.flags);
		EXPECT_NE(NULL, strstr(h.reason, "load_cost=1"));
	}
	guest_free(g);
}

TEST(load_and_put_cost_have_each_load_and_put)
{
	__u64 loads, puts, begin, ns;
	struct guest *g;
	char args[128];
	int fd;

	snprintf(args, sizeof(args), "%s load_cost=1", getenv("MODARGS") ?: "");
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load(args));
	begin = clock_ns(CLOCK_MONOTONIC_RAW);
	g = guest_new(1, 0);
	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, guest_run(g, 0, work_out(200)));
	ASSERT_EQ(0, guest_halt_asleep(g, 0, 10));
	fd = watch_vcpu(g, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, oracle_hist_sum(fd, "load_cost_hist", &loads));
	ASSERT_EQ(0, oracle_hist_sum(fd, "put_cost_hist", &puts));
	EXPECT_LE(200, loads);
	EXPECT_EQ(watch_vcpu_stat(g, 0, "loads"), loads);
	EXPECT_EQ(watch_vcpu_stat(g, 0, "puts"), puts);
	EXPECT_LE(loads, watch_vcpu_stat(g, 0, "load_cost_ns"));
	EXPECT_LE(puts, watch_vcpu_stat(g, 0, "put_cost_ns"));
	/*
	 * A vCPU is in a load or in a put, not in both at once, so their sum is at most the time
	 * since the test began. (An interrupt may come between the start of a load and the start of
	 * the time on a pCPU, so on_cpu_ns is no limit.)
	 */
	ns = clock_ns(CLOCK_MONOTONIC_RAW) - begin;
	EXPECT_GE(ns + sum_slack(ns, 0),
		  watch_vcpu_stat(g, 0, "load_cost_ns") + watch_vcpu_stat(g, 0, "put_cost_ns"));
	EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
	close(fd);
	guest_free(g);
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, watch_load(NULL));
}

TEST_HARNESS_MAIN
