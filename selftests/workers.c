// SPDX-License-Identifier: GPL-2.0
/* Keep the kernel's workers from running. See workers.h. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "machine.h"
#include "subject.h"
#include "workers.h"

#define CPUS_OF_WORKERS	"/sys/devices/virtual/workqueue/cpumask"
#define STEPS		3
#define PATIENCE_NS	300000000ULL	/* as the test may be waiting for a worker */

static bool stopped(struct workers *w)
{
	return __atomic_load_n(&w->stop, __ATOMIC_RELAXED);
}

static unsigned int steps(struct workers *w)
{
	return __atomic_load_n(&w->steps, __ATOMIC_RELAXED);
}

/* Keep the workers from running until the test has made some steps, or has waited too long. */
static void hold_once(struct workers *w)
{
	unsigned int begin = steps(w);
	__u64 end = now_ns() + PATIENCE_NS;

	__atomic_add_fetch(&w->held, 1, __ATOMIC_RELAXED);
	while (!stopped(w) && steps(w) - begin < STEPS && now_ns() < end)
		;
}

/*
 * A PREEMPT_RT kernel runs timers, and what ends RCU's grace periods, in threads of the same
 * priority. Workers have none. Without the yields no such thread would run on this CPU.
 */
static void *first_on_cpu_1(void *arg)
{
	const struct sched_param first = { .sched_priority = 1 };
	struct workers *w = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	if (sched_setaffinity(0, sizeof(set), &set) ||
	    sched_setscheduler(0, SCHED_FIFO, &first)) {
		__atomic_store_n(&w->err, -errno, __ATOMIC_RELAXED);
		return NULL;
	}
	while (!stopped(w)) {
		if (!w->gaps) {
			sched_yield();
			continue;
		}
		usleep(rand() % 200);
		hold_once(w);
	}
	return NULL;
}

int workers_hold(struct workers *w, bool gaps)
{
	int err;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return -ENODEV;
	*w = (struct workers){ .gaps = gaps };
	err = machine_put(CPUS_OF_WORKERS, "2");
	if (err)
		return err;
	err = -pthread_create(&w->thread, NULL, first_on_cpu_1, w);
	if (err)
		machine_put_back();
	return err;
}

void workers_step(struct workers *w)
{
	__atomic_add_fetch(&w->steps, 1, __ATOMIC_RELAXED);
	usleep(50);	/* let an emulator with one thread switch to the other CPU */
}

int workers_release(struct workers *w)
{
	__atomic_store_n(&w->stop, 1, __ATOMIC_RELAXED);
	pthread_join(w->thread, NULL);
	machine_put_back();
	return w->err;
}
