// SPDX-License-Identifier: GPL-2.0
/*
 * Halts: their number, length and wake-ups, and halt polling. Everything is compared with KVM's own
 * statistics and events.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "guest.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "watch.h"

#define NOTHING		(~0ULL)

/* A limit of the polling window, 4 s, that no halt here is as long as. */
#define LIMIT_HUGE	4000000000U
/* KVM's defaults: the first window, and the factor by which it grows. */
#define GROW_START	10000
#define GROW_FACTOR	2

#define PARAMETER	"/sys/module/kvm/parameters/halt_poll_ns"
/* The divisor by which the window shrinks; with 0 (the default before 6.11) it shrinks to 0. */
#define SHRINK		"/sys/module/kvm/parameters/halt_poll_ns_shrink"

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Limit the window of this VM alone. */
static int limit_window(struct guest *g, unsigned int ns)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_HALT_POLL, .args = { ns } };

	return ioctl(guest_vm_fd(g), KVM_ENABLE_CAP, &cap) ? -errno : 0;
}

/* Limit the window of all VMs that have no limit of their own. Returns the old limit. */
static long limit_all(unsigned int ns)
{
	char text[32] = "";
	int fd = open(PARAMETER, O_RDWR | O_CLOEXEC), len;
	long was = -EIO;

	if (fd < 0)
		return -errno;
	if (pread(fd, text, sizeof(text) - 1, 0) > 0)
		was = strtol(text, NULL, 10);
	len = snprintf(text, sizeof(text), "%u", ns);
	if (pwrite(fd, text, len, 0) != len)
		was = -errno;
	close(fd);
	return was;
}

/* The window after KVM has shrunk @window. */
static __u64 shrunk(__u64 window)
{
	FILE *f = fopen(SHRINK, "re");
	unsigned int by = 0;

	if (f) {
		if (fscanf(f, "%u", &by) != 1)
			by = 0;
		fclose(f);
	}
	window = by ? window / by : 0;
	return window < GROW_START ? 0 : window;
}

static __u64 stat_of(int fd, const char *name)
{
	__u64 value;

	return oracle_read(fd, name, &value) ? NOTHING : value;
}

static __u64 sum_of(int fd, const char *name)
{
	__u64 sum;

	return oracle_hist_sum(fd, name, &sum) ? NOTHING : sum;
}

static __u64 kvms(const struct oracle *kvm, const char *name)
{
	__u64 value;

	return oracle_number(kvm, name, &value) ? NOTHING : value;
}

/*
 * Make the vCPU halt, and sleep in each halt. -EAGAIN: the machine stood still, so a halt may have
 * been longer than @limit; then KVM changes the window in another way.
 */
static int halt_shortly(struct guest *g, unsigned int halts, __u64 limit)
{
	bool shortly = true;
	int err = 0;
	__u64 begin;

	while (halts-- && !err) {
		begin = now_ns();
		err = guest_halt_asleep(g, 0, 1);
		shortly &= now_ns() - begin < limit;
	}
	return err ?: shortly ? 0 : -EAGAIN;
}

/* Start with a window of 0 and practically no limit for this VM. */
static int reset_window(struct guest *g)
{
	return limit_window(g, 0) ?: guest_halt_asleep(g, 0, 1) ?: limit_window(g, LIMIT_HUGE);
}

/*
 * Do a hundred halts that a timer ends. Do them again with times twice as long until KVM has
 * counted @name: on a busy machine a timer may be over before its HLT. Returns the number of HLTs.
 */
static int halt_by_timer(struct guest *g, const struct oracle *kvm, const char *name)
{
	__u64 before = kvms(kvm, name), ns;
	int err, hlts = 0;

	for (ns = 1000000; ns < LIMIT_HUGE / 2; ns *= 2) {
		err = guest_run(g, 0, work_halt(100, GUEST_WAKE_LAPIC, ns));
		if (err)
			return err;
		hlts += 100;
		if (kvms(kvm, name) > before)
			return hlts;
	}
	return -ETIMEDOUT;
}

/* A number of KVM's; @instead if the kernel, like 5.10, does not keep it. */
static __u64 kvms_or(const struct oracle *kvm, const char *name, __u64 instead)
{
	__u64 value;

	if (oracle_number(kvm, name, &value) == -EOPNOTSUPP)
		return instead;
	return kvms(kvm, name);
}

/*
 * The counts of kvmwatch and KVM for the halts of a stopped vCPU. Only since 5.14 KVM counts the
 * halts that had to wait, and their time; before that kvm_waits is kvmwatch's count, and kvm_ns the
 * time of polling.
 */
struct halts {
	__u64 halts, poll, wait, valid, invalid, time_ns, hist;
	__u64 grow, shrink, silent, window, window_max;
	__u64 kvm_exits, kvm_attempts, kvm_polls, kvm_waits, kvm_ns;
};

static struct halts halts_of(int fd, const struct oracle *kvm)
{
	return (struct halts){
		.halts = stat_of(fd, "halts"),
		.poll = stat_of(fd, "wakeups_poll"),
		.wait = stat_of(fd, "wakeups_wait"),
		.valid = stat_of(fd, "wakeups_valid"),
		.invalid = stat_of(fd, "wakeups_invalid"),
		.time_ns = stat_of(fd, "halt_time_ns"),
		.hist = sum_of(fd, "halt_hist"),
		.grow = stat_of(fd, "halt_poll_grow"),
		.shrink = stat_of(fd, "halt_poll_shrink"),
		.silent = stat_of(fd, "halt_poll_silent"),
		.window = stat_of(fd, "halt_poll_ns"),
		.window_max = stat_of(fd, "halt_poll_ns_max"),
		.kvm_exits = kvms(kvm, "halt_exits"),
		.kvm_attempts = kvms(kvm, "halt_attempted_poll"),
		.kvm_polls = kvms(kvm, "halt_successful_poll"),
		.kvm_waits = kvms_or(kvm, "halt_wait_hist", stat_of(fd, "wakeups_wait")),
		.kvm_ns = kvms(kvm, "halt_poll_success_ns") +
			  kvms(kvm, "halt_poll_fail_ns") + kvms_or(kvm, "halt_wait_ns", 0),
	};
}

FIXTURE(halt)
{
	struct guest *g;
	int fd;			/* kvmwatch's fd of the vCPU */
	struct oracle kvm;	/* KVM's numbers */
};

FIXTURE_SETUP(halt)
{
	stay_on(0);
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_pin(self->g, 0, 1));
	ASSERT_EQ(0, limit_window(self->g, LIMIT_HUGE));
	ASSERT_EQ(0, oracle_of_vcpu(&self->kvm, self->g, 0));
	self->fd = watch_vcpu(self->g, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(halt)
{
	watch_trace_end();
	close(self->fd);
	oracle_close(&self->kvm);
	guest_free(self->g);
}

/* --- how many ---------------------------------------------------------------- */

FIXTURE(asleep)
{
	struct guest *g;
	int fd;
	struct oracle kvm;
};

FIXTURE_VARIANT(asleep)
{
	bool limited;
	unsigned int limit;
	__u64 halts;		/* few, as the window doubles with each halt */
	__u64 polls;		/* halts that polled first; NOTHING: all but the first may */
};

FIXTURE_VARIANT_ADD(asleep, without_polling)
{
	.limited = true, .limit = 0, .halts = 20, .polls = 0,
};

FIXTURE_VARIANT_ADD(asleep, after_polling)
{
	.limited = true, .limit = LIMIT_HUGE, .halts = 8, .polls = 7,
};

FIXTURE_VARIANT_ADD(asleep, as_by_default)
{
	.halts = 20, .polls = NOTHING,
};

FIXTURE_SETUP(asleep)
{
	stay_on(0);
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_pin(self->g, 0, 1));
	if (variant->limited)
		ASSERT_EQ(0, limit_window(self->g, variant->limit));
	ASSERT_EQ(0, oracle_of_vcpu(&self->kvm, self->g, 0));
	self->fd = watch_vcpu(self->g, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(asleep)
{
	close(self->fd);
	oracle_close(&self->kvm);
	guest_free(self->g);
}

TEST_F(asleep, each_halt_that_sleeps_is_one_and_ended_by_a_valid_wakeup)
{
	struct halts h;

	ASSERT_EQ(0, guest_halt_asleep(self->g, 0, variant->halts));
	h = halts_of(self->fd, &self->kvm);
	EXPECT_EQ(variant->halts, h.halts);
	EXPECT_EQ(variant->halts, h.wait);
	EXPECT_EQ(0, h.poll);
	EXPECT_EQ(variant->halts, h.valid);
	EXPECT_EQ(0, h.invalid);
	EXPECT_EQ(variant->halts, h.hist);

	EXPECT_EQ(h.kvm_exits, h.halts);
	EXPECT_EQ(h.kvm_waits, h.wait);
	EXPECT_EQ(h.kvm_polls, h.poll);
	EXPECT_LE(h.kvm_ns, h.time_ns);
	/* A machine that stands still for longer than LIMIT_HUGE resets the window. */
	if (variant->polls != NOTHING && !h.shrink)
		EXPECT_EQ(variant->polls, h.kvm_attempts);
}

/*
 * The window is open from the second halt on and only grows here, so it is soon longer than the
 * halts, which then end while polling.
 *
 * KVM counts a HLT that finds an interrupt pending as well, but does not halt for it. If a halt
 * ends between polling and sleep, KVM counts no successful poll, though its event says "poll".
 * kvmwatch does the same.
 */
TEST_F(halt, halts_that_end_while_polling_are_those_that_kvm_counts)
{
	struct halts h0, h;
	int hlts;

	ASSERT_EQ(0, guest_halt_asleep(self->g, 0, 2));
	ASSERT_EQ(0, watch_trace_start());
	ASSERT_EQ(0, watch_trace_also("kvm/kvm_vcpu_wakeup"));
	h0 = halts_of(self->fd, &self->kvm);
	hlts = halt_by_timer(self->g, &self->kvm, "halt_successful_poll");
	ASSERT_LT(0, hlts);
	h = halts_of(self->fd, &self->kvm);
	ASSERT_EQ(0, watch_trace_stop());
	ASSERT_EQ(0, watch_trace_lost());

	EXPECT_EQ(hlts, h.kvm_exits - h0.kvm_exits);
	EXPECT_GE(hlts, h.halts - h0.halts);
	/* A machine that stands still for longer than LIMIT_HUGE resets the window. */
	EXPECT_TRUE(h.shrink != h0.shrink ||
		    h.kvm_attempts - h0.kvm_attempts == h.halts - h0.halts)
		TH_LOG("%llu halts, %llu polled", h.halts - h0.halts,
		       h.kvm_attempts - h0.kvm_attempts);
	EXPECT_LE(h.kvm_polls - h0.kvm_polls, h.poll - h0.poll);
	EXPECT_EQ(watch_trace_count(" kvm_vcpu_wakeup: poll ", NULL), h.poll - h0.poll);
	EXPECT_EQ(watch_trace_count(" kvm_vcpu_wakeup: wait ", NULL), h.wait - h0.wait);
	EXPECT_EQ(h.kvm_waits - h0.kvm_waits, h.wait - h0.wait);
	EXPECT_LT(0, h.poll - h0.poll);

	EXPECT_EQ(h.halts, h.poll + h.wait);
	EXPECT_EQ(h.halts, h.valid + h.invalid);
	EXPECT_EQ(h.halts, h.hist);
	EXPECT_LE(h.kvm_ns, h.time_ns);
}

/* A signal ends a halt, but not the HLT instruction: the next KVM_RUN halts again. */
TEST_F(halt, a_halt_that_a_signal_interrupts_is_counted_each_time_it_begins)
{
	struct halts h;
	int i;

	ASSERT_EQ(0, limit_window(self->g, 0));
	ASSERT_EQ(0, guest_start(self->g, 0, work_halt(1, GUEST_WAKE_USER, 0)));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, guest_wait_asleep(self->g, 0, 1, 10000));
		ASSERT_EQ(0, guest_kick(self->g, 0));
	}
	ASSERT_EQ(0, guest_wait_asleep(self->g, 0, 1, 10000));
	ASSERT_EQ(0, guest_wake(self->g, 0));
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));

	h = halts_of(self->fd, &self->kvm);
	EXPECT_EQ(1, h.kvm_exits);
	EXPECT_EQ(6, h.kvm_waits);
	EXPECT_EQ(6, h.halts);
	EXPECT_EQ(6, h.wait);
	EXPECT_EQ(6, h.hist);
}

TEST(a_halt_that_the_vmm_handles_is_none_of_kvms)
{
	struct guest *g = guest_new(1, GUEST_NO_IRQCHIP);

	ASSERT_NE(NULL, g);
	ASSERT_EQ(0, guest_run(g, 0, work_halt(10, GUEST_WAKE_EXIT, 0)));
	EXPECT_EQ(10, guest_exits(g, 0, KVM_EXIT_HLT));
	EXPECT_EQ(0, watch_vcpu_stat(g, 0, "halts"));
	EXPECT_EQ(0, watch_vcpu_stat(g, 0, "halt_time_ns"));
	guest_free(g);
}

/* --- how long ---------------------------------------------------------------- */

static __u32 flags_of(struct guest *g)
{
	struct kvmwatch_vcpu *vcpus;
	struct kvmwatch_vm vm;
	__u32 flags = ~0U;

	if (watch_find(g, &vm))
		return flags;
	if (watch_list(KVMWATCH_KIND_VCPU, vm.id, (void **)&vcpus, sizeof(*vcpus)) == 1)
		flags = vcpus->flags;
	free(vcpus);
	return flags;
}

TEST_F(halt, halt_time_ns_of_a_sleeping_vcpu_grows)
{
	struct halts a, b;
	__u64 vm;

	ASSERT_EQ(0, guest_start(self->g, 0, work_halt(2, GUEST_WAKE_USER, 0)));
	ASSERT_EQ(0, guest_wait_asleep(self->g, 0, 1, 10000));
	ASSERT_EQ(0, guest_wake(self->g, 0));
	ASSERT_EQ(0, guest_wait_asleep(self->g, 0, 2, 10000));

	a = halts_of(self->fd, &self->kvm);
	vm = watch_vm_stat(self->g, "halt_time_ns");
	b = halts_of(self->fd, &self->kvm);
	EXPECT_EQ(2, b.halts);
	EXPECT_EQ(1, b.wait + b.poll);
	EXPECT_EQ(1, b.hist);
	EXPECT_LT(a.time_ns, vm);
	EXPECT_LT(vm, b.time_ns);
	EXPECT_EQ(KVMWATCH_VCPU_HALTED, flags_of(self->g));

	ASSERT_EQ(0, guest_wake(self->g, 0));
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
	EXPECT_EQ(0, flags_of(self->g));
	a = halts_of(self->fd, &self->kvm);
	b = halts_of(self->fd, &self->kvm);
	EXPECT_EQ(a.time_ns, b.time_ns);
}

TEST_F(halt, halt_hist_has_the_bucket_of_a_long_halt)
{
	__u64 buckets[64] = {}, time_ns;
	int n, i, top = 0;

	ASSERT_EQ(0, guest_start(self->g, 0, work_halt(1, GUEST_WAKE_USER, 0)));
	ASSERT_EQ(0, guest_wait_asleep(self->g, 0, 1, 10000));
	usleep(20000);
	ASSERT_EQ(0, guest_wake(self->g, 0));
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));

	time_ns = stat_of(self->fd, "halt_time_ns");
	EXPECT_LE(20000000, time_ns);
	n = oracle_hist(self->fd, "halt_hist", buckets, 64);
	ASSERT_LE(1, n);
	for (i = 0; i < n && i < 64; i++)
		if (buckets[i])
			top = i;
	EXPECT_EQ(1, buckets[top]);
	EXPECT_EQ(64 - __builtin_clzll(time_ns), top);
}

/* --- events ------------------------------------------------------------------ */

TEST_F(halt, each_halt_has_an_event_that_says_how_it_ended)
{
	struct halts h0, h;
	long long delay;
	__u64 delay0;

	ASSERT_EQ(0, guest_halt_asleep(self->g, 0, 2));
	ASSERT_EQ(0, watch_trace_start());
	ASSERT_EQ(0, watch_trace_also("kvm/kvm_vcpu_wakeup"));
	delay0 = stat_of(self->fd, "run_delay_ns");
	h0 = halts_of(self->fd, &self->kvm);
	ASSERT_EQ(0, guest_halt_asleep(self->g, 0, 4));
	ASSERT_LT(0, halt_by_timer(self->g, &self->kvm, "halt_attempted_poll"));
	h = halts_of(self->fd, &self->kvm);
	ASSERT_EQ(0, watch_trace_stop());
	ASSERT_EQ(0, watch_trace_lost());

	EXPECT_LE(5, h.halts - h0.halts);
	EXPECT_EQ(h.halts - h0.halts, watch_trace_count("kvmwatch_halt: ", NULL));
	EXPECT_EQ(h.wait - h0.wait, watch_trace_count("kvmwatch_halt: ", " wait ", NULL));
	EXPECT_EQ(h.poll - h0.poll, watch_trace_count("kvmwatch_halt: ", " poll ", NULL));
	EXPECT_EQ(h.valid - h0.valid, watch_trace_count("kvmwatch_halt: ", " valid", NULL));
	EXPECT_EQ(0, watch_trace_count("kvmwatch_halt: ", " invalid", NULL));
	EXPECT_TRUE(watch_trace_is_sum(h.time_ns - h0.time_ns,
				       watch_trace_sum("ns", "kvmwatch_halt: ", NULL),
				       h.halts - h0.halts));
	EXPECT_EQ(h.halts - h0.halts, watch_trace_count("kvmwatch_halt: ", " vcpu 0 ", NULL));
	/* What woken threads waited for a pCPU: a part of what this one did. */
	delay = watch_trace_sum("delay", "kvmwatch_halt: ", NULL);
	EXPECT_EQ(0, watch_trace_count("kvmwatch_halt: ", " delay -1", NULL));
	EXPECT_EQ(0, watch_trace_sum("delay", "kvmwatch_halt: ", " poll ", NULL));
	EXPECT_LE(0, delay);
	EXPECT_GE((long long)(stat_of(self->fd, "run_delay_ns") - delay0), delay);

	/* KVM's own event says the same. Its time excludes the way into the halt and out of it. */
	EXPECT_EQ(h.wait - h0.wait, watch_trace_count(" kvm_vcpu_wakeup: wait ", NULL));
	EXPECT_EQ(h.poll - h0.poll, watch_trace_count(" kvm_vcpu_wakeup: poll ", NULL));
	EXPECT_EQ(h.valid - h0.valid,
		  watch_trace_count(" kvm_vcpu_wakeup: ", "polling valid", NULL));
	EXPECT_GE(h.time_ns - h0.time_ns, watch_trace_sum("time", " kvm_vcpu_wakeup: ", NULL));
}

/* A batch thread that wakes up leaves the pCPU to one that computes, until a tick. */
TEST_F(halt, the_event_has_how_long_the_woken_thread_waited_for_its_pcpu)
{
	const struct sched_param param = { };
	struct guest *busy = guest_new(1, 0);
	long long delay;
	__u64 before;

	ASSERT_NE(NULL, busy);
	ASSERT_EQ(0, guest_pin(busy, 0, 1));
	ASSERT_EQ(0, guest_start(busy, 0, work_spin()));
	ASSERT_EQ(0, sched_setscheduler(guest_tid(self->g, 0), SCHED_BATCH, &param));
	ASSERT_EQ(0, guest_halt_asleep(self->g, 0, 2));
	ASSERT_EQ(0, watch_trace_start());
	before = stat_of(self->fd, "run_delay_ns");
	ASSERT_EQ(0, guest_halt_asleep(self->g, 0, 6));
	ASSERT_EQ(0, watch_trace_stop());
	delay = watch_trace_sum("delay", "kvmwatch_halt: ", NULL);
	EXPECT_LT(0, delay);
	EXPECT_GE((long long)(stat_of(self->fd, "run_delay_ns") - before), delay);
	guest_stop(busy, 0);
	EXPECT_EQ(0, guest_wait(busy, 0, 10000));
	guest_free(busy);
}

/* A change of the window in an event. */
struct change {
	char type[8];
	__u64 old, new;
};

#define MAX_CHANGES	1024

/* Read the changes that kvmwatch or KVM recorded, in order. Returns how many. */
static int changes_of(const char *event, struct change *changes)
{
	const char *line, *end, *at;
	struct change *c;
	int nr = 0;

	for (line = watch_trace_text(); line && *line && nr < MAX_CHANGES;
	     line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		at = memmem(line, end - line, event, strlen(event));
		if (!at || *line == '#')
			continue;
		at += strlen(event);
		c = &changes[nr];
		if (sscanf(at, "vcpu %*u: halt_poll_ns %llu (%7[a-z] %llu)", &c->new, c->type,
			   &c->old) == 3 ||
		    sscanf(at, "vm %*u pid %*d vcpu %*d %7[a-z] old %llu new %llu", c->type,
			   &c->old, &c->new) == 3)
			nr++;
	}
	return nr;
}

/*
 * Compare the events since @h0 with the numbers @h: KVM's events are all recorded and counted, each
 * change begins where the one before ended, and the last one ends with the current window.
 */
static void check_changes(struct __test_metadata *_metadata, const struct halts *h0,
			  const struct halts *h)
{
	static struct change ours[MAX_CHANGES], kvms[MAX_CHANGES];
	int nr = changes_of(" kvmwatch_halt_poll: ", ours), i, j = 0;
	int nr_kvm = changes_of(" kvm_halt_poll_ns: ", kvms);
	__u64 grow = 0, shrink = 0, silent = 0;
	__u64 window = h0->window, window_max = h0->window_max;

	ASSERT_GT(MAX_CHANGES, nr);
	for (i = 0; i < nr; i++) {
		EXPECT_EQ(window, ours[i].old);
		window = ours[i].new;
		if (window > window_max)
			window_max = window;
		if (!strcmp(ours[i].type, "reset") || !strcmp(ours[i].type, "clamp")) {
			silent++;
			EXPECT_STREQ(ours[i].new ? "clamp" : "reset", ours[i].type);
			EXPECT_NE(ours[i].old, ours[i].new);
			continue;
		}
		ASSERT_LT(j, nr_kvm);
		EXPECT_STREQ(kvms[j].type, ours[i].type);
		EXPECT_EQ(kvms[j].old, ours[i].old);
		EXPECT_EQ(kvms[j].new, ours[i].new);
		grow += !strcmp(kvms[j].type, "grow");
		shrink += !strcmp(kvms[j].type, "shrink");
		j++;
	}
	EXPECT_EQ(nr_kvm, j);
	EXPECT_EQ(grow, h->grow - h0->grow);
	EXPECT_EQ(shrink, h->shrink - h0->shrink);
	EXPECT_EQ(silent, h->silent - h0->silent);
	EXPECT_EQ(window, h->window);
	EXPECT_EQ(window_max, h->window_max);
}

static void start_recording(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, watch_trace_start());
	ASSERT_EQ(0, watch_trace_also("kvm/kvm_halt_poll_ns"));
}

static void stop_recording(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, watch_trace_stop());
	ASSERT_EQ(0, watch_trace_lost());
}

TEST_F(halt, the_window_doubles_with_each_halt_longer_than_it)
{
	struct halts h0, h;
	int err;

	do {
		ASSERT_EQ(0, reset_window(self->g));
		start_recording(_metadata);
		h0 = halts_of(self->fd, &self->kvm);
		EXPECT_EQ(0, h0.window);
		err = halt_shortly(self->g, 6, LIMIT_HUGE);
		h = halts_of(self->fd, &self->kvm);
		stop_recording(_metadata);
	} while (err == -EAGAIN);
	ASSERT_EQ(0, err);

	EXPECT_EQ(6, h.grow - h0.grow);
	EXPECT_EQ(0, h.shrink - h0.shrink);
	EXPECT_EQ(0, h.silent - h0.silent);
	EXPECT_EQ(GROW_START << 5, h.window);
	EXPECT_EQ(GROW_START << 5, h.window_max);
	check_changes(_metadata, &h0, &h);
}

TEST_F(halt, a_window_that_shrinks_keeps_its_highest_value)
{
	struct halts h0, h;
	int err;

	do {
		ASSERT_EQ(0, reset_window(self->g));
		start_recording(_metadata);
		h0 = halts_of(self->fd, &self->kvm);
		err = halt_shortly(self->g, 3, LIMIT_HUGE);
		/*
		 * The limit is not below the window, which stays as it is; but the halt is longer
		 * than the limit.
		 */
		ASSERT_EQ(0, limit_window(self->g, GROW_START * GROW_FACTOR * GROW_FACTOR));
		ASSERT_EQ(0, guest_halt_asleep(self->g, 0, 1));
		h = halts_of(self->fd, &self->kvm);
		stop_recording(_metadata);
	} while (err == -EAGAIN);
	ASSERT_EQ(0, err);

	EXPECT_EQ(3, h.grow - h0.grow);
	EXPECT_EQ(1, h.shrink - h0.shrink);
	EXPECT_EQ(0, h.silent - h0.silent);
	EXPECT_EQ(shrunk(GROW_START * GROW_FACTOR * GROW_FACTOR), h.window);
	EXPECT_EQ(GROW_START * GROW_FACTOR * GROW_FACTOR, h.window_max);
	check_changes(_metadata, &h0, &h);
}

/*
 * guest_halt_asleep() after halts that the guest's timer ended. On kernels with few options a late
 * interrupt of that timer was seen to end one of these halts, too.
 */
static int halt_after_timer(struct guest *g, __u64 halts)
{
	int err;

	do
		err = guest_halt_asleep(g, 0, halts);
	while (err == -ESRCH);
	return err;
}

TEST_F(halt, grow_and_shrink_are_kvms_events_whatever_the_halts)
{
	/* Limits below the window clamp it, but 5.10 does so only for 0. */
	static const unsigned int limits[] = { 15000, 30000, 0, 60000, 120000 };
	struct halts h0, h;
	int i;

	start_recording(_metadata);
	h0 = halts_of(self->fd, &self->kvm);
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, limit_window(self->g, LIMIT_HUGE));
		ASSERT_EQ(0, guest_run(self->g, 0, work_halt(20, GUEST_WAKE_LAPIC, 50000)));
		ASSERT_EQ(0, halt_after_timer(self->g, 2));
		/* The window is at least 20 us here. */
		ASSERT_EQ(0, limit_window(self->g, limits[i % ARRAY_SIZE(limits)]));
		ASSERT_EQ(0, guest_halt_asleep(self->g, 0, 1));
		ASSERT_EQ(0, guest_run(self->g, 0, work_halt(20, GUEST_WAKE_LAPIC, 300000)));
	}
	h = halts_of(self->fd, &self->kvm);
	stop_recording(_metadata);

	EXPECT_LT(0, h.grow);
	EXPECT_LT(0, h.shrink);
	EXPECT_LT(0, h.silent);
	check_changes(_metadata, &h0, &h);
}

/* --- silent changes ---------------------------------------------------------- */

/* The window is GROW_START * 4 when the limit is lowered; the vCPU halts once more after that. */
FIXTURE(lower)
{
	struct guest *g;
	int fd;
	struct oracle kvm;
	long parameter;
	bool keeps_limit;
};

FIXTURE_VARIANT(lower)
{
	bool all;		/* lower kvm.ko's parameter, which is for all VMs */
	bool asleep;		/* lower it while the vCPU sleeps */
	unsigned int limit;
	__u64 silent, grow, shrink, window;
};

/*
 * KVM clamps the window when the halt begins. It does not poll, so it has no event. 5.10 only
 * resets the window when the halt ends, also without an event.
 */
FIXTURE_VARIANT_ADD(lower, to_zero)
{
	.limit = 0, .silent = 1,
};

FIXTURE_VARIANT_ADD(lower, to_zero_for_all)
{
	.all = true, .limit = 0, .silent = 1,
};

/* KVM resets the window when the halt ends, without an event. */
FIXTURE_VARIANT_ADD(lower, to_zero_while_asleep)
{
	.asleep = true, .limit = 0, .silent = 1,
};

FIXTURE_VARIANT_ADD(lower, to_zero_for_all_while_asleep)
{
	.all = true, .asleep = true, .limit = 0, .silent = 1,
};

/*
 * KVM clamps the window when the halt begins. As the halt is longer than the limit, KVM shrinks the
 * window when it ends.
 */
FIXTURE_VARIANT_ADD(lower, below_the_window)
{
	.limit = GROW_START * 3, .silent = 1, .shrink = 1,
};

FIXTURE_VARIANT_ADD(lower, below_the_window_for_all)
{
	.all = true, .limit = GROW_START * 3, .silent = 1, .shrink = 1,
};

/* KVM does not clamp the window, as the halt has begun. */
FIXTURE_VARIANT_ADD(lower, below_the_window_while_asleep)
{
	.asleep = true, .limit = GROW_START * 3, .shrink = 1,
};

FIXTURE_VARIANT_ADD(lower, to_the_window)
{
	.limit = GROW_START * 4, .shrink = 1,
};

FIXTURE_VARIANT_ADD(lower, but_not_much)
{
	.limit = LIMIT_HUGE / 2, .grow = 1, .window = GROW_START * 8,
};

static void lower_begin(struct __test_metadata *_metadata, struct _test_data_lower *self)
{
	ASSERT_LE(0, limit_all(LIMIT_HUGE));
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_pin(self->g, 0, 1));
	ASSERT_EQ(0, oracle_of_vcpu(&self->kvm, self->g, 0));
	self->fd = watch_vcpu(self->g, 0);
	ASSERT_LE(0, self->fd);
}

static void lower_end(struct _test_data_lower *self)
{
	watch_trace_end();
	close(self->fd);
	oracle_close(&self->kvm);
	guest_free(self->g);
	self->g = NULL;
}

/*
 * A VM of KVM up to early releases of 6.1 keeps the limit for all VMs of when it was created. Such
 * a KVM looks at a limit only when a halt has ended.
 */
static bool lower_keeps_limit(struct __test_metadata *_metadata, struct _test_data_lower *self)
{
	bool keeps;
	int err;

	do {
		lower_begin(_metadata, self);
		ASSERT_LE(0, limit_all(0));
		err = halt_shortly(self->g, 1, LIMIT_HUGE);
		keeps = halts_of(self->fd, &self->kvm).window;
		lower_end(self);
	} while (err == -EAGAIN);
	ASSERT_EQ(0, err);
	return keeps;
}

FIXTURE_SETUP(lower)
{
	NEEDS_MACHINE(FROM_SETUP, "it changes halt_poll_ns of all VMs");
	stay_on(0);
	self->parameter = limit_all(LIMIT_HUGE);
	ASSERT_LE(0, self->parameter);
	self->keeps_limit = lower_keeps_limit(_metadata, self);
	lower_begin(_metadata, self);
}

FIXTURE_TEARDOWN(lower)
{
	limit_all(self->parameter);
	lower_end(self);
}

static int lower_limit(struct guest *g, bool all, unsigned int limit)
{
	return all ? limit_all(limit) < 0 : limit_window(g, limit);
}

/*
 * Record the events from before the limit is lowered until the halt that shows it has ended.
 * -EAGAIN: a halt may have been longer than a limit that must not matter here.
 */
static int lower_and_halt(struct __test_metadata *_metadata, struct _test_data_lower *self,
			  const struct _fixture_variant_lower *variant, struct halts *h0,
			  struct halts *h)
{
	__u64 begin;
	int err;

	err = halt_shortly(self->g, 3, LIMIT_HUGE);
	if (err)
		return err;
	start_recording(_metadata);
	*h0 = halts_of(self->fd, &self->kvm);
	ASSERT_EQ(GROW_START * 4, h0->window);
	begin = now_ns();
	if (!variant->asleep)
		ASSERT_EQ(0, lower_limit(self->g, variant->all, variant->limit));
	ASSERT_EQ(0, guest_start(self->g, 0, work_halt(1, GUEST_WAKE_USER, 0)));
	ASSERT_EQ(0, guest_wait_asleep(self->g, 0, 1, 10000));
	if (variant->asleep)
		ASSERT_EQ(0, lower_limit(self->g, variant->all, variant->limit));
	ASSERT_EQ(0, guest_wake(self->g, 0));
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
	*h = halts_of(self->fd, &self->kvm);
	stop_recording(_metadata);
	return now_ns() - begin < LIMIT_HUGE / 2 ? 0 : -EAGAIN;
}

TEST_F(lower, a_change_without_an_event_is_silent)
{
	/* the window at the end of the halt */
	__u64 limit = variant->silent ? variant->limit : GROW_START * 4, window;
	struct halts h0, h;
	int err;

	while ((err = lower_and_halt(_metadata, self, variant, &h0, &h)) == -EAGAIN) {
		lower_end(self);
		lower_begin(_metadata, self);
	}
	ASSERT_EQ(0, err);

	window = variant->window ?: variant->shrink ? shrunk(limit) : 0;
	if (!self->keeps_limit) {
		EXPECT_EQ(variant->silent, h.silent - h0.silent);
		EXPECT_EQ(variant->grow, h.grow - h0.grow);
		EXPECT_EQ(variant->shrink, h.shrink - h0.shrink);
		EXPECT_EQ(window, h.window);
	} else if (variant->all) {
		EXPECT_EQ(1, h.grow - h0.grow);
		EXPECT_EQ(0, h.shrink - h0.shrink);
		EXPECT_EQ(0, h.silent - h0.silent);
		EXPECT_EQ(GROW_START * 8, h.window);
	} else {
		EXPECT_EQ(variant->limit ? 0 : 1, h.silent - h0.silent);
		EXPECT_EQ(variant->grow, h.grow - h0.grow);
		EXPECT_EQ(variant->shrink, h.shrink - h0.shrink);
		EXPECT_EQ(variant->window, h.window);
	}
	check_changes(_metadata, &h0, &h);
}

/* --- VMs from before insmod -------------------------------------------------- */

FIXTURE(early)
{
	struct guest *g;
	int fd;
	struct oracle kvm;
};

FIXTURE_SETUP(early)
{
	stay_on(0);
	self->fd = -1;
	self->g = guest_new(1, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_pin(self->g, 0, 1));
	ASSERT_EQ(0, limit_window(self->g, LIMIT_HUGE));
	ASSERT_EQ(0, oracle_of_vcpu(&self->kvm, self->g, 0));
	ASSERT_EQ(0, watch_unload_patiently());
}

FIXTURE_TEARDOWN(early)
{
	close(self->fd);
	oracle_close(&self->kvm);
	guest_free(self->g);
	if (access("/sys/module/kvmwatch", F_OK))
		watch_load(NULL);
}

/* The time is KVM's measure of the whole halt, although kvmwatch saw only its end. */
TEST_F(early, a_halt_that_began_before_insmod_counts_when_it_ends)
{
	struct halts h;

	ASSERT_EQ(0, guest_start(self->g, 0, work_halt(1, GUEST_WAKE_USER, 0)));
	ASSERT_EQ(0, guest_wait_asleep(self->g, 0, 1, 10000));
	ASSERT_EQ(0, watch_load(NULL));
	self->fd = watch_vcpu(self->g, 0);
	ASSERT_LE(0, self->fd);
	h = halts_of(self->fd, &self->kvm);
	EXPECT_EQ(h.halts, h.poll + h.wait);
	EXPECT_EQ(0, h.hist);

	ASSERT_EQ(0, guest_wake(self->g, 0));
	ASSERT_EQ(0, guest_wait(self->g, 0, 10000));
	h = halts_of(self->fd, &self->kvm);
	EXPECT_EQ(1, h.halts);
	EXPECT_EQ(1, h.wait);
	EXPECT_EQ(1, h.valid);
	EXPECT_EQ(1, h.hist);
	/* On a slow machine, loading may take longer than any polling window. */
	EXPECT_EQ(h.time_ns < LIMIT_HUGE, h.grow);
	EXPECT_EQ(0, h.silent);
	EXPECT_LE(h.kvm_ns, h.time_ns);
}

TEST_F(early, the_window_from_before_insmod_is_known)
{
	struct halts h;
	int err;

	do {
		close(self->fd);
		self->fd = -1;
		err = watch_unload_patiently();
		ASSERT_TRUE(!err || err == -ENOENT);
		do {
			ASSERT_EQ(0, reset_window(self->g));
			err = halt_shortly(self->g, 3, LIMIT_HUGE);
		} while (err == -EAGAIN);
		ASSERT_EQ(0, err);
		ASSERT_EQ(0, watch_load(NULL));
		self->fd = watch_vcpu(self->g, 0);
		ASSERT_LE(0, self->fd);
		h = halts_of(self->fd, &self->kvm);
		EXPECT_EQ(GROW_START * 4, h.window);
		EXPECT_EQ(GROW_START * 4, h.window_max);
		EXPECT_EQ(0, h.halts);
		EXPECT_EQ(0, h.grow);
		err = halt_shortly(self->g, 1, LIMIT_HUGE);
	} while (err == -EAGAIN);
	ASSERT_EQ(0, err);
	h = halts_of(self->fd, &self->kvm);
	EXPECT_EQ(GROW_START * 8, h.window);
	EXPECT_EQ(1, h.halts);
	EXPECT_EQ(1, h.grow);
	EXPECT_EQ(0, h.silent);
}

TEST_HARNESS_MAIN
