// SPDX-License-Identifier: GPL-2.0
/*
 * A pCPU goes offline and online while vCPUs run and a reader reads. Its counts stay in the sums,
 * and vCPUs that move to another pCPU are counted on.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "kselftest_harness.h"
#include "machine.h"
#include "oracle.h"
#include "subject.h"
#include "watch.h"

#define ROUNDS		4
#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		64
#define VCPUS		3
#define STEPS		20	/* rounds of work of each vCPU between two changes of a pCPU */

static atomic_bool stop;
static atomic_int went_back;
static atomic_ulong reads;

/* Take pCPU 1 offline or online. */
static int set_online(int on)
{
	return machine_put("/sys/devices/system/cpu/cpu1/online", on ? "1" : "0");
}

/* --- a reader ---------------------------------------------------------------- */

static const char *const sums[] = {
	"map_4k", "unmap_4k", "dirty_marks", "dirty_marks_new", "loads", "puts", "preemptions",
	"load_migrations", "on_cpu_ns", "off_cpu_ns", "run_delay_ns", "halts", "halt_time_ns",
	"exits", "exit_time_ns", "user_exits",
};

static void compare(const char *name, __u64 *last, __u64 now)
{
	if (now < *last && atomic_fetch_add(&went_back, 1) < 10)
		fprintf(stderr, "# %s went from %lld to %lld\n", name, *last, now);
	*last = now;
}

static void read_sums(int fd, __u64 last[])
{
	void *all = oracle_snapshot(fd, NULL);
	const __u64 *value;
	size_t i;

	for (i = 0; all && i < ARRAY_SIZE(sums); i++) {
		value = oracle_in(all, sums[i], NULL);
		compare(sums[i], &last[i], value ? *value : 0);
	}
	free(all);
}

static void read_hits(__u64 last[64])
{
	struct kvmwatch_hook *hooks;
	int nr, i;

	nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks));
	for (i = 0; i < nr && i < 64; i++)
		compare(hooks[i].name, &last[i], hooks[i].hits);
	free(hooks);
}

static void *reader(void *guest)
{
	__u64 last[ARRAY_SIZE(sums)] = {}, hits[64] = {};
	int fd = watch_vm(guest);

	while (!stop) {
		read_sums(fd, last);
		read_hits(hits);
		atomic_fetch_add(&reads, 1);
		usleep(500);
	}
	close(fd);
	return NULL;
}

/* --- the guest --------------------------------------------------------------- */

FIXTURE(hotplug)
{
	struct guest *g;
	__u64 runs[VCPUS], loads[VCPUS], preemptions[VCPUS], marks, dirty;
};

FIXTURE_SETUP(hotplug)
{
	NEEDS_MACHINE(FROM_SETUP, "it takes a CPU offline");
	self->g = guest_new(VCPUS, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_slot_add(self->g, SLOT, GPA, PAGES, GUEST_MEM_4K,
				    KVM_MEM_LOG_DIRTY_PAGES));
}

FIXTURE_TEARDOWN(hotplug)
{
	set_online(1);
	guest_free(self->g);
}

static int work(struct guest *g)
{
	return guest_start(g, 0, work_write(GPA, PAGES, GUEST_PAGE, GUEST_FOREVER)) ?:
	       guest_start(g, 1, work_halt(GUEST_FOREVER, GUEST_WAKE_LAPIC, 500000)) ?:
	       guest_start(g, 2, work_out(GUEST_FOREVER));
}

static int rest(struct guest *g)
{
	int i, err = 0;

	for (i = 0; i < VCPUS; i++)
		err = err ?: guest_stop(g, i);
	for (i = 0; i < VCPUS; i++)
		err = err ?: guest_wait(g, i, 20000);
	return err;
}

/*
 * Let all vCPUs do some rounds while pages are unmapped and mapped. Returns the number of pages in
 * the log, or -errno.
 */
static long go_on(struct guest *g)
{
	__u64 from[VCPUS];
	int i, err;

	for (i = 0; i < VCPUS; i++)
		from[i] = guest_progress(g, i);
	err = guest_slot_discard(g, SLOT, 0, PAGES / 2);
	for (i = 0; i < VCPUS; i++)
		err = err ?: guest_wait_progress(g, i, from[i] + STEPS, 20000);
	return err ?: guest_dirty_get(g, SLOT, NULL);
}

static void begin(struct __test_metadata *_metadata, struct _test_data_hotplug *self)
{
	int i;

	ASSERT_LE(0, guest_dirty_get(self->g, SLOT, NULL));
	self->marks = watch_slot_stat(self->g, SLOT, "dirty_marks_new");
	for (i = 0; i < VCPUS; i++) {
		self->runs[i] = guest_runs(self->g, i);
		self->loads[i] = watch_vcpu_stat(self->g, i, "loads");
		self->preemptions[i] = watch_vcpu_stat(self->g, i, "preemptions");
	}
	ASSERT_EQ(0, work(self->g));
}

/* After rest(): the counts have all that was done, on any pCPU. */
static void end(struct __test_metadata *_metadata, struct _test_data_hotplug *self)
{
	__u64 loads, preemptions;
	int i;

	self->dirty += guest_dirty_get(self->g, SLOT, NULL);
	EXPECT_EQ(self->dirty, watch_slot_stat(self->g, SLOT, "dirty_marks_new") - self->marks);
	for (i = 0; i < VCPUS; i++) {
		loads = watch_vcpu_stat(self->g, i, "loads");
		EXPECT_EQ(loads, watch_vcpu_stat(self->g, i, "puts"));
		loads -= self->loads[i];
		preemptions = watch_vcpu_stat(self->g, i, "preemptions") - self->preemptions[i];
		EXPECT_LE(guest_runs(self->g, i) - self->runs[i], loads - preemptions);
		/* The third vCPU neither faults nor halts: in KVM_RUN only a preemption puts it. */
		if (i < 2)
			continue;
		EXPECT_EQ(guest_runs(self->g, i) - self->runs[i], loads - preemptions)
			TH_LOG("vCPU %d", i);
	}
	EXPECT_EQ(PAGES, watch_slot_stat(self->g, SLOT, "mapped_4k"));
	EXPECT_TRUE(watch_mapped_is_kvms(self->g));
	EXPECT_EQ(1, watch_audit(self->g, NULL));
	EXPECT_EQ(0, watch_vm_stat(self->g, "lost_events"));
	EXPECT_EQ(0, watch_vm_stat(self->g, "audit_failures"));
}

static void expect_all_on_pcpu_0(struct __test_metadata *_metadata, struct guest *g)
{
	int i;

	for (i = 0; i < VCPUS; i++)
		EXPECT_EQ(0, watch_vcpu_stat(g, i, "pcpu"))
			TH_LOG("vCPU %d", i);
}

TEST_F_TIMEOUT(hotplug, nothing_is_lost_or_counted_twice, 120)
{
	pthread_t thread;
	int round, i;
	long dirty;

	if (set_online(1) == -ENOENT)
		SKIP(return, "this kernel has no CPU hotplug");
	stop = false;
	begin(_metadata, self);
	ASSERT_EQ(0, pthread_create(&thread, NULL, reader, self->g));
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, set_online(i));
			dirty = go_on(self->g);
			EXPECT_LT(0, dirty)
				TH_LOG("round %d: %ld", round, dirty);
			self->dirty += dirty;
			if (!i)
				expect_all_on_pcpu_0(_metadata, self->g);
		}
	}
	ASSERT_EQ(0, rest(self->g));
	EXPECT_TRUE(WATCH_EVENTUALLY(reads > ROUNDS));
	stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(0, went_back);
	end(_metadata, self);
}

TEST_F_TIMEOUT(hotplug, a_pcpu_may_come_later_than_kvmwatch, 60)
{
	long dirty;
	int i;

	if (set_online(1) == -ENOENT)
		SKIP(return, "this kernel has no CPU hotplug");
	ASSERT_EQ(0, work(self->g));
	ASSERT_EQ(0, watch_unload_patiently());
	ASSERT_EQ(0, set_online(0));
	ASSERT_EQ(0, watch_load(NULL));
	EXPECT_LE(0, go_on(self->g));
	expect_all_on_pcpu_0(_metadata, self->g);
	ASSERT_EQ(0, rest(self->g));
	ASSERT_EQ(0, guest_run(self->g, 0, work_write(GPA, PAGES, GUEST_PAGE, 1)));
	EXPECT_TRUE(watch_mapped_is_kvms(self->g));

	begin(_metadata, self);
	ASSERT_EQ(0, set_online(1));
	for (i = 0; i < VCPUS; i++)
		EXPECT_EQ(0, guest_pin(self->g, i, 1));
	dirty = go_on(self->g);
	EXPECT_LT(0, dirty);
	self->dirty += dirty;
	for (i = 0; i < VCPUS; i++)
		EXPECT_EQ(1, watch_vcpu_stat(self->g, i, "pcpu"));
	ASSERT_EQ(0, rest(self->g));
	end(_metadata, self);
}

TEST_HARNESS_MAIN
