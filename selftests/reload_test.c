// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload kvmwatch while a guest runs and a reader reads. Each time kvmwatch finds the
 * guest as it is, and each time it can be unloaded.
 */
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "kselftest_harness.h"
#include "machine.h"
#include "oracle.h"
#include "sys.h"
#include "vendor.h"
#include "watch.h"

/*
 * ROUNDS rounds; on a slow machine as many as fit into SECONDS, but ROUNDS_MIN at least. A short
 * run has ROUNDS_MIN. With vm_storm_seconds in the environment, as many rounds as fit into that.
 */
#define ROUNDS		50
#define ROUNDS_MIN	8
#define SECONDS		330
#define SETTLED		3	/* compare memory from this round on */
#define SLOT		1
#define GPA		0x40000000ULL
#define PAGES		256

static atomic_bool stop;
static atomic_ulong reads;

/*
 * Guest and reader get what the test leaves of the two emulated CPUs, which have just enough for 50
 * rounds in time.
 */
#define NICE		10

static void count_read(const char *path, const char *text, ssize_t got)
{
	if (got > 0)
		atomic_fetch_add(&reads, 1);
}

static void *reader(void *unused)
{
	setpriority(PRIO_PROCESS, gettid(), NICE);
	while (!stop) {
		watch_read_tree(WATCH_DEBUGFS, count_read);
		usleep(2000);
	}
	return NULL;
}

FIXTURE(reload)
{
	struct guest *g;
	pthread_t reader;
};

static int work(struct guest *g)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		guest_thread(g, i);
		setpriority(PRIO_PROCESS, guest_tid(g, i), NICE);
	}
	return guest_start(g, 0, work_write(GPA, PAGES, GUEST_PAGE, GUEST_FOREVER)) ?:
	       guest_start(g, 1, work_halt(GUEST_FOREVER, GUEST_WAKE_LAPIC, 500000));
}

static int rest(struct guest *g)
{
	return guest_stop(g, 0) ?: guest_stop(g, 1) ?: guest_wait(g, 0, 10000) ?:
	       guest_wait(g, 1, 10000);
}

FIXTURE_SETUP(reload)
{
	ASSERT_EQ(0, watch_unload_patiently());
	self->g = guest_new(2, 0);
	ASSERT_NE(NULL, self->g);
	ASSERT_EQ(0, guest_slot_add(self->g, SLOT, GPA, PAGES, GUEST_MEM_4K,
				    KVM_MEM_LOG_DIRTY_PAGES));
	stop = false;
	ASSERT_EQ(0, pthread_create(&self->reader, NULL, reader, NULL));
	ASSERT_EQ(0, work(self->g));
}

FIXTURE_TEARDOWN(reload)
{
	int err;

	stop = true;
	pthread_join(self->reader, NULL);
	guest_free(self->g);
	err = watch_load(NULL);
	EXPECT_TRUE(!err || err == -EEXIST);
}

/* Is the VM listed as it is now? */
static int is_found(struct guest *g)
{
	struct kvmwatch_vm vm;

	return !watch_find(g, &vm) && vm.vcpus == 2 &&
	       vm.pid == (watch_finds_owners() ? getpid() : 0) &&
	       vm.slots == vendor_slots(2) && vm.flags == KVMWATCH_VM_DIRTY_LOG;
}

/* From here on, do the counts have exactly what happens? */
static int counts(struct guest *g)
{
	__u64 marks, halts, loads, puts;

	if (guest_dirty_get(g, SLOT, NULL) < 0)
		return 0;
	marks = watch_slot_stat(g, SLOT, "dirty_marks_new");
	halts = watch_vcpu_stat(g, 1, "halts");
	loads = watch_vcpu_stat(g, 0, "loads");
	puts = watch_vcpu_stat(g, 0, "puts");
	if (guest_run(g, 0, work_write(GPA, 100, GUEST_PAGE, 2)) ||
	    guest_halt_asleep(g, 1, 5) ||
	    guest_dirty_get(g, SLOT, NULL) != 100)
		return 0;
	marks = watch_slot_stat(g, SLOT, "dirty_marks_new") - marks;
	halts = watch_vcpu_stat(g, 1, "halts") - halts;
	loads = watch_vcpu_stat(g, 0, "loads") - loads;
	puts = watch_vcpu_stat(g, 0, "puts") - puts;
	return marks == 100 && halts == 5 && loads && loads == puts;
}

/* The runner has a limit for a test; the harness must not be sooner. */
TEST_F_TIMEOUT(reload, finds_the_guest_each_time_and_can_go_each_time, 7200)
{
	long long slab = 0, percpu = 0;
	struct guest *g = self->g;
	time_t begin = now_s();
	unsigned long before;
	__u64 progress;
	int round, rounds = getenv("vm_short") ? ROUNDS_MIN : ROUNDS;
	time_t end = begin + SECONDS;

	if (getenv("vm_storm_seconds")) {
		end = begin + atoi(getenv("vm_storm_seconds"));
		rounds = INT_MAX;
	}
	for (round = 1; round <= ROUNDS_MIN || (round <= rounds && now_s() < end); round++) {
		/* Unmap pages, which come back while kvmwatch counts them. */
		ASSERT_EQ(0, guest_slot_discard(g, SLOT, round % 8 * 16, 64));
		ASSERT_LE(0, guest_dirty_get(g, SLOT, NULL));
		ASSERT_EQ(0, watch_load(NULL));
		EXPECT_TRUE(is_found(g))
			TH_LOG("round %d", round);
		EXPECT_TRUE(WATCH_EVENTUALLY(watch_mapped_is_kvms(g)))
			TH_LOG("round %d: mapped_4k is %lld", round, watch_vm_stat(g, "mapped_4k"));
		if (round % 4 == 0) {
			/*
			 * The guest ends after its round, which may have begun before the pages
			 * were discarded.
			 */
			ASSERT_EQ(0, guest_wait_progress(g, 0, guest_progress(g, 0) + 2, 5000));
			ASSERT_EQ(0, rest(g));
			EXPECT_TRUE(watch_mapped_is_kvms(g));
			EXPECT_EQ(PAGES, watch_slot_stat(g, SLOT, "mapped_4k"));
			EXPECT_TRUE(counts(g))
				TH_LOG("round %d", round);
			ASSERT_EQ(0, work(g));
		}
		EXPECT_EQ(0, watch_vm_stat(g, "lost_events"));
		EXPECT_EQ(0, watch_vm_stat(g, "audit_failures"));
		before = reads;
		EXPECT_TRUE(WATCH_EVENTUALLY(reads > before + 10));
		progress = guest_progress(g, 0);
		ASSERT_EQ(0, watch_unload_patiently());
		EXPECT_EQ(0, guest_wait_progress(g, 0, progress + 1, 5000));
		EXPECT_NE(0, access(WATCH_DEBUGFS, F_OK));
		if (round == SETTLED) {
			slab = watch_slab();
			percpu = watch_percpu();
		}
	}
	round--;
	slab = watch_slab() - slab;
	percpu = watch_percpu() - percpu;
	TH_LOG("%d rounds in %ld s, %lu reads, slab grew by %lld, per-CPU by %lld", round,
	       now_s() - begin, reads, slab, percpu);
	/* debugfs files take 100 KB a round. (That no record is left, the module checks itself.) */
	if (machine_is_ours()) {
		EXPECT_GT((round - SETTLED) * 1600 + 32768, slab);
		EXPECT_GT(65536, percpu);
	}
}

TEST_HARNESS_MAIN
