// SPDX-License-Identifier: GPL-2.0
/*
 * VMs whose threads take one CPU from each other at any moment. Where the kernel is fully
 * preemptible (PREEMPT_RT), KVM's mmu_lock does not keep them from it: a thread that holds it for
 * one VM loses the CPU to one that takes that of another, in the middle of a change, and between
 * two hits of which the later one goes by what the earlier one found. Afterwards all numbers are
 * KVM's and those of the known work.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "subject.h"
#include "vendor.h"
#include "watch.h"

#define DATA		1	/* slots */
#define LOGGED		2
#define TABLES		3

/* Pages of DATA that the guest's guest has once each, and one that it has many times. */
#define SINGLES		16
#define SHARED		512
#define AT_SHARED	(GPA_A + GIB / 2)
#define TIMES		40
#define PAGES		1024
#define LOGGED_PAGES	32

#define WORKERS		4
#define REALTIME	"/sys/kernel/realtime"
/* Of the thread that all others take the CPU from; a short run has a fourth. */
#define ROUNDS		400

static atomic_bool stop;

static struct worker {
	struct subject s;
	pthread_t thread;
	int priority;		/* 0: none */
	unsigned int rounds;
	unsigned long preempted;
	int err;
} workers[WORKERS];

static int prepare(struct worker *w)
{
	struct subject *s = &w->s;
	unsigned int i;
	int err;

	err = subject_init(s, false, GUEST_NESTED);
	err = err ?: guest_slot_add(s->g, DATA, GPA_A, PAGES, GUEST_MEM_4K, 0);
	err = err ?: guest_slot_add(s->g, LOGGED, GPA_B, LOGGED_PAGES, GUEST_MEM_4K,
				    KVM_MEM_LOG_DIRTY_PAGES);
	err = err ?: guest_nest(s->g, TABLES, GPA_C);
	err = err ?: guest_nest_map(s->g, GPA_A, GPA_A, PAGES, false);
	for (i = 0; i < TIMES && !err; i++)
		err = guest_nest_map(s->g, AT_SHARED + i * GUEST_PAGE,
				     GPA_A + SHARED * GUEST_PAGE, 1, false);
	s->peak_unknown = true;
	return err;
}

static int nested_touch(struct worker *w, __u64 gpa, __u64 pages)
{
	return guest_run(w->s.g, 0, work_nested(work_write(gpa, pages, GUEST_PAGE, 1)));
}

/*
 * The host takes back a page that is mapped many times, whose leaves go in one call of KVM's, and
 * pages that are mapped once, each with a call of its own; and the guest writes to logged pages.
 */
static int one_round(struct worker *w)
{
	struct guest *g = w->s.g;
	long logged;
	int err;

	err = nested_touch(w, AT_SHARED, TIMES) ?: nested_touch(w, GPA_A, SINGLES) ?:
	      guest_slot_discard(g, DATA, SHARED, 1) ?: guest_slot_discard(g, DATA, 0, SINGLES) ?:
	      guest_run(g, 0, work_write(GPA_B, LOGGED_PAGES, GUEST_PAGE, 1));
	if (err)
		return err;
	logged = guest_dirty_get(g, LOGGED, NULL);
	return logged == LOGGED_PAGES ? 0 : logged < 0 ? logged : -ERANGE;
}

/*
 * Real-time priorities, where the kernel is made for them: elsewhere they find no holder of a lock
 * that can be preempted, and the scheduler of 7.2 warns of its own timers.
 */
static int take_place(const struct worker *w)
{
	struct sched_param param = { .sched_priority = w->priority };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		return -errno;
	if (w->priority && sys_is_on(REALTIME) && sched_setscheduler(0, SCHED_FIFO, &param))
		return -errno;
	return 0;
}

/* A thread with a priority sleeps for a moment, and takes the CPU from others when that is over. */
static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned int seed = w->priority;
	struct rusage usage;

	w->err = take_place(w);
	while (!w->err && !stop) {
		w->err = one_round(w);
		w->rounds++;
		if (w->priority)
			usleep(200 + rand_r(&seed) % 2000);
		else if (w->rounds == ROUNDS / (getenv("vm_short") ? 4 : 1))
			stop = true;
	}
	if (w->err)
		stop = true;
	getrusage(RUSAGE_THREAD, &usage);
	w->preempted = usage.ru_nivcsw;
	return NULL;
}

FIXTURE(preempt) { };

FIXTURE_SETUP(preempt)
{
	if (!vendor_is_intel())
		sys_no_khugepaged();
}

FIXTURE_TEARDOWN(preempt)
{
	unsigned int i;

	for (i = 0; i < WORKERS; i++)
		guest_free(workers[i].s.g);
}

TEST_F_TIMEOUT(preempt, threads_that_hold_mmu_lock_count_right, 1800)
{
	struct worker *w;

	if (vendor_is_intel())
		SKIP(return, "the test's guests of guests take SVM");
	for (w = workers; w < workers + WORKERS; w++) {
		ASSERT_EQ(0, prepare(w));
		w->priority = w - workers;
	}
	for (w = workers; w < workers + WORKERS; w++)
		ASSERT_EQ(0, pthread_create(&w->thread, NULL, work, w));
	for (w = workers; w < workers + WORKERS; w++)
		ASSERT_EQ(0, pthread_join(w->thread, NULL));
	for (w = workers; w < workers + WORKERS; w++) {
		TH_LOG("priority %d: %u rounds, preempted %lu times", w->priority, w->rounds,
		       w->preempted);
		EXPECT_EQ(0, w->err);
		EXPECT_STREQ("", untrue(&w->s));
		EXPECT_EQ((__u64)w->rounds * LOGGED_PAGES,
			  watch_slot_stat(w->s.g, LOGGED, "dirty_marks_new"));
		EXPECT_EQ(0, watch_vm_stat(w->s.g, "lost_events"));
		EXPECT_EQ(1, watch_audit(w->s.g, NULL));
	}
}

TEST_HARNESS_MAIN
